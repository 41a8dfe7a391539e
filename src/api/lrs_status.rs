//! LRS availability as observed by the gateway.

use crate::api::json::Json;
use crate::api::timestamp::Timestamp;
use crate::app::State;
use crate::auth::Caller;
use crate::auth::scope::NoScope;
use crate::lrs::{Service, ServiceState, ServiceStatus};
use crate::schema::{Answer, CodeList};

/// LRS availability as observed by this gateway.
#[derive(Debug, Answer)]
pub struct LrsStatus {
    /// Worst status of the services.
    pub status: ServiceStatus,
    /// Status of each service.
    pub services: Vec<LrsServiceStatus>,
}

/// Availability of one LRS service.
#[derive(Debug, Answer)]
pub struct LrsServiceStatus {
    /// Name of the service.
    pub service: ServiceName,
    /// Status of the service.
    pub status: ServiceStatus,
    /// Start of this status, or the start of this gateway if the status has not changed since.
    pub since: Timestamp,
    /// Announced end of this status.
    #[answer(example = "2026-09-01T12:00:00.000Z")]
    pub until: Option<Timestamp>,
    /// Note of the operator.
    #[answer(example = "LRS has announced a release.")]
    pub note: Option<String>,
}

/// Name of an LRS service: what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
#[code_list(name = "LrsServiceName")]
pub enum ServiceName {
    /// Finding, registering, updating and verifying learners, singly or in batches.
    Learner,
    /// Personal learning records.
    LearningEvents,
    /// Achievement batches.
    Achievements,
}

pub(crate) struct GetLrsStatusDocs;

/// Read LRS availability
///
/// Returns the availability of LRS as observed from recent calls and announced maintenance. This operation does not call LRS. If the gateway
/// has several replicas, each answers from its own calls.
#[utoipa::path(get, path = "", impl_for = GetLrsStatusDocs,
    responses(
        (status = 200, description = "LRS availability.", body = LrsStatus, example = json!({
            "status": "DEGRADED",
            "services": [
                {"service": "LEARNER", "status": "DEGRADED", "since": "2026-09-01T08:15:30.250Z"},
                {"service": "LEARNING_EVENTS", "status": "AVAILABLE", "since": "2026-08-31T17:00:00.000Z"},
                {"service": "ACHIEVEMENTS", "status": "AVAILABLE", "since": "2026-08-31T17:00:00.000Z"}
            ]
        }))
    )
)]
pub async fn get_lrs_status(state: State, _: Caller<NoScope>) -> Json<LrsStatus> {
    let services = state.lrs.service_states();
    let status = services.iter().map(|service| service.status).max().unwrap_or(ServiceStatus::Available);
    Json(LrsStatus { status, services: services.into_iter().map(LrsServiceStatus::from).collect() })
}

impl From<ServiceState> for LrsServiceStatus {
    fn from(ServiceState { service, status, since, until, note }: ServiceState) -> Self {
        Self { service: service.into(), status, since: since.into(), until: until.map(Timestamp::from), note }
    }
}

impl From<Service> for ServiceName {
    fn from(service: Service) -> Self {
        match service {
            Service::Learner => Self::Learner,
            Service::LearnerR9 => Self::LearningEvents,
            Service::External => Self::Achievements,
        }
    }
}
