//! How LRS is.

use actix_web::get;
use actix_web::web::{Data, Json};
use jiff::Timestamp;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use crate::auth::Caller;
use crate::auth::scope::Any;
use crate::domain::{LocalDateTime, moment};
use crate::form::answer;
use crate::form::schema::{Field, one_of};
use crate::lrs::{Lrs, Service, ServiceState, Status};
use crate::openapi::StatusProblems;

answer! {
    /// How LRS is, as far as this gateway knows.
    #[derive(Debug)]
    pub struct LrsStatus {
        /// The worst of its services': `AVAILABLE` before `DEGRADED`, `MAINTENANCE` and `UNAVAILABLE`.
        pub status: Status,
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
        pub service: Service,
        /// `AVAILABLE`: nothing is known to be wrong. `DEGRADED`: some calls did not get through lately. `MAINTENANCE`: LRS says
        /// that it is closed, or it was announced. `UNAVAILABLE`: nothing gets through; calls fail at once until LRS answers again.
        pub status: Status,
        /// Since when it is so, or has been when this gateway was started.
        pub since: LocalDateTime,
        /// When it is announced to be over.
        pub until: Option<LocalDateTime>,
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
                {"service": "LEARNER", "status": "DEGRADED", "since": "2026-09-01T09:15:30+01:00"},
                {"service": "LEARNING_EVENTS", "status": "AVAILABLE", "since": "2026-08-31T18:00:00+01:00"},
                {"service": "ACHIEVEMENTS", "status": "AVAILABLE", "since": "2026-08-31T18:00:00+01:00"}
            ]
        })),
        StatusProblems
    )
)]
#[get("/lrs/status")]
pub async fn get_lrs_status(_: Caller<Any>, lrs: Data<Lrs>) -> Json<LrsStatus> {
    let services = lrs.services();
    let status = services.iter().map(|service| service.status).max().unwrap_or(Status::Available);
    Json(LrsStatus { status, services: services.into_iter().map(LrsServiceStatus::from).collect() })
}

impl From<ServiceState> for LrsServiceStatus {
    fn from(ServiceState { service, status, since, until, note }: ServiceState) -> Self {
        let at = |moment: Timestamp| LocalDateTime::of(moment);
        Self { service, status, since: at(since), until: until.map(at), note }
    }
}
