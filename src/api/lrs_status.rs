//! How LRS is.

use actix_web::get;
use actix_web::web::{Data, Json};

use crate::api::string_enum::words;
use crate::api::timestamp::Timestamp;
use crate::auth::Caller;
use crate::auth::scope::NoScope;
use crate::lrs::{Lrs, Service, ServiceState, ServiceStatus};
use crate::problem::responses::StatusProblems;
use crate::schema::answer;

answer! {
    /// How LRS is, as far as this gateway knows.
    #[derive(Debug)]
    pub struct LrsStatus {
        /// The worst of its services': `AVAILABLE` before `DEGRADED`, `MAINTENANCE` and `UNAVAILABLE`.
        pub status: ServiceStatus,
        /// Each service.
        pub services: Vec<LrsServiceStatus>,
    }
}

answer! {
    /// How a service of LRS is.
    #[derive(Debug)]
    pub struct LrsServiceStatus {
        /// `LEARNER`: find, register, update and verify, single or in batches. `LEARNING_EVENTS`: personal learning records.
        /// `ACHIEVEMENTS`: achievement batches.
        pub service: ServiceName,
        /// `AVAILABLE`: nothing is known to be wrong. `DEGRADED`: some calls did not get through lately. `MAINTENANCE`: LRS says
        /// that it is closed, or it was announced. `UNAVAILABLE`: nothing gets through; calls fail at once until LRS answers again.
        pub status: ServiceStatus,
        /// Since when it is so, or has been when this gateway was started.
        pub since: Timestamp,
        /// When it is announced to be over.
        pub until: Option<Timestamp>,
        /// What the operator says about it.
        pub note: Option<String>,
    }
}

/// Read how LRS is
///
/// From what calls have come to lately and what maintenance was announced; LRS is not called for this. Where the gateway runs more than
/// once, each answers from its own calls.
#[utoipa::path(
    operation_id = "getLrsStatus",
    tag = "Service",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "How LRS is.", body = LrsStatus, example = json!({
            "status": "DEGRADED",
            "services": [
                {"service": "LEARNER", "status": "DEGRADED", "since": "2026-09-01T08:15:30.250Z"},
                {"service": "LEARNING_EVENTS", "status": "AVAILABLE", "since": "2026-08-31T17:00:00.000Z"},
                {"service": "ACHIEVEMENTS", "status": "AVAILABLE", "since": "2026-08-31T17:00:00.000Z"}
            ]
        })),
        StatusProblems
    )
)]
#[get("/lrs/status")]
pub async fn get_lrs_status(_: Caller<NoScope>, lrs: Data<Lrs>) -> Json<LrsStatus> {
    let services = lrs.services();
    let status = services.iter().map(|service| service.status).max().unwrap_or(ServiceStatus::Available);
    Json(LrsStatus { status, services: services.into_iter().map(LrsServiceStatus::from).collect() })
}

impl From<ServiceState> for LrsServiceStatus {
    fn from(ServiceState { service, status, since, until, note }: ServiceState) -> Self {
        Self { service: ServiceName(service), status, since: since.into(), until: until.map(Timestamp::from), note }
    }
}

/// A service of LRS, by the name that callers know.
#[derive(Debug, Clone, Copy)]
pub struct ServiceName(Service);

words!(
    ServiceName,
    |name| match name.0 {
        Service::Learner => "LEARNER",
        Service::LearnerR9 => "LEARNING_EVENTS",
        Service::External => "ACHIEVEMENTS",
    },
    ["LEARNER", "LEARNING_EVENTS", "ACHIEVEMENTS"]
);
words!(
    ServiceStatus,
    |status| match status {
        ServiceStatus::Available => "AVAILABLE",
        ServiceStatus::Degraded => "DEGRADED",
        ServiceStatus::Maintenance => "MAINTENANCE",
        ServiceStatus::Unavailable => "UNAVAILABLE",
    },
    ["AVAILABLE", "DEGRADED", "MAINTENANCE", "UNAVAILABLE"]
);
