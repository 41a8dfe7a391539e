//! Liveness and readiness of the gateway. They do not depend on the availability of LRS.

use actix_web::web::Json;

use crate::app::State;
use crate::problem::responses::ReadinessProblems;
use crate::problem::{Code, Problem};
use crate::schema::{Answer, CodeList};

/// State of the gateway.
#[derive(Debug, Answer)]
pub struct Health {
    /// `ALIVE` or `READY`.
    pub status: HealthStatus,
}

/// State of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
pub enum HealthStatus {
    /// The process can answer requests.
    Alive,
    /// The gateway is ready for calls.
    Ready,
}

pub(crate) struct LiveDocs;

/// Check liveness
///
/// Succeeds as long as the process can answer requests. Restart the process if this check fails.
#[utoipa::path(get, path = "", impl_for = LiveDocs,
    responses((status = 200, description = "The process is alive.", body = Health, example = json!({"status": "ALIVE"})))
)]
pub async fn live(_: State) -> Json<Health> {
    Json(Health { status: HealthStatus::Alive })
}

pub(crate) struct ReadyDocs;

/// Check readiness
///
/// Succeeds if the gateway has the issuers' keys, can use its store (Redis, if configured) and is not shutting down. Send it no calls if this check fails. The
/// gateway is ready even if LRS is unavailable.
#[utoipa::path(get, path = "", impl_for = ReadyDocs,
    responses((status = 200, description = "The gateway is ready for calls.", body = Health, example = json!({"status": "READY"})), ReadinessProblems)
)]
pub async fn ready(state: State) -> Result<Json<Health>, Problem> {
    state.check_readiness().await.map_err(|reason| Problem::new(Code::NotReady).detail(reason).retry_soon())?;
    Ok(Json(Health { status: HealthStatus::Ready }))
}
