//! Liveness and readiness of the gateway. They do not depend on the availability of LRS.

use actix_web::get;
use actix_web::web::{Data, Json};

use crate::app::AppState;
use crate::problem::responses::ReadinessProblems;
use crate::problem::{Code, Problem};
use crate::schema::answer;

answer! {
    /// State of the gateway.
    #[derive(Debug)]
    pub struct Health {
        /// `ALIVE` or `READY`.
        pub status: String,
    }
}

/// Check liveness
///
/// Succeeds as long as the process can answer requests. Restart the process if this check fails.
#[utoipa::path(
    operation_id = "getLiveness",
    tag = "Service",
    security(()),
    responses((status = 200, description = "The process is alive.", body = Health, example = json!({"status": "ALIVE"})))
)]
#[get("/health/live")]
pub async fn live() -> Json<Health> {
    Json(Health { status: "ALIVE".into() })
}

/// Check readiness
///
/// Succeeds if the gateway has the issuers' keys, can use its store (Redis, if configured) and is not shutting down. Send it no calls if this check fails. The
/// gateway is ready even if LRS is unavailable.
#[utoipa::path(
    operation_id = "getReadiness",
    tag = "Service",
    security(()),
    responses((status = 200, description = "The gateway is ready for calls.", body = Health, example = json!({"status": "READY"})), ReadinessProblems)
)]
#[get("/health/ready")]
pub async fn ready(state: Data<AppState>) -> Result<Json<Health>, Problem> {
    state.check_readiness().await.map_err(|reason| Problem::new(Code::NotReady).detail(reason).retry_soon())?;
    Ok(Json(Health { status: "READY".into() }))
}
