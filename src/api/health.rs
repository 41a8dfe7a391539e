//! Liveness and readiness of the gateway. They do not depend on the availability of LRS.

use crate::api::description::Description;
use crate::api::json::Json;
use crate::api::work::{ProblemOf, Work};
use crate::app::State;
use crate::app::readiness::DegradedReason;
use crate::problem::{Code, Problem};
use crate::schema::{Answer, CodeList};

/// State of the gateway.
#[derive(Debug, Answer)]
pub struct Health {
    /// State of the process or, for the readiness check, of the gateway with its store and its audit trail.
    pub status: HealthStatus,
    /// Reasons for `DEGRADED`. Absent otherwise.
    pub reasons: Option<Vec<DegradedReason>>,
}

/// State of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
pub enum HealthStatus {
    /// The process can answer requests.
    Alive,
    /// The gateway is ready for calls.
    Ready,
    /// The gateway is ready for calls, but refuses a part of them, or can lose stored data.
    Degraded,
}

/// Checks the readiness of the gateway.
#[derive(Debug, Clone, Copy)]
pub enum ReadinessCheck {}

impl Work for ReadinessCheck {
    fn describe(description: &mut Description) {
        description.add_problems("Readiness", &[Code::NotReady]);
    }
}

pub(crate) struct LiveDocs;

/// Check liveness
///
/// Succeeds as long as the process can answer requests. Restart the process if this check fails.
#[utoipa::path(get, path = "", impl_for = LiveDocs,
    responses((status = 200, description = "The process is alive.", body = Health, example = json!({"status": "ALIVE"})))
)]
pub async fn live(_: State) -> Json<Health> {
    Json(Health { status: HealthStatus::Alive, reasons: None })
}

pub(crate) struct ReadyDocs;

/// Check readiness
///
/// Succeeds if the gateway has the issuers' keys, reaches its store (Redis, if configured), can write its audit trail and is not shutting down. Send it no calls
/// if this check fails. The gateway is ready even if LRS is unavailable. With the status `DEGRADED` it answers calls, but refuses batches and writes with an
/// `Idempotency-Key`, or can lose them: `reasons` says why.
#[utoipa::path(get, path = "", impl_for = ReadyDocs,
    responses((status = 200, description = "The gateway is ready for calls.", body = Health, example = json!({"status": "READY"})))
)]
pub async fn ready(state: State) -> Result<Json<Health>, ProblemOf<ReadinessCheck>> {
    let reasons = state.check_readiness().await.map_err(|reason| Problem::new(Code::NotReady).detail(reason).retry_soon())?;
    let status = if reasons.is_empty() { HealthStatus::Ready } else { HealthStatus::Degraded };
    Ok(Json(Health { status, reasons: Some(reasons).filter(|reasons| !reasons.is_empty()) }))
}
