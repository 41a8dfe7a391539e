//! Is the gateway alive, is it ready? (Never: is LRS? That is LRS's state, not ours.)

use actix_web::get;
use actix_web::web::{Data, Json};

use crate::app::AppState;
use crate::problem::responses::ReadyProblems;
use crate::problem::{Code, Problem};
use crate::schema::answer;

answer! {
    /// The gateway's own state.
    #[derive(Debug)]
    pub struct Health {
        /// `ALIVE` or `READY`.
        pub status: String,
    }
}

/// Is the process alive?
///
/// Answers as long as the process can answer at all. Restart it when this fails.
#[utoipa::path(
    operation_id = "getLiveness",
    tag = "Service",
    security(()),
    responses((status = 200, description = "Alive.", body = Health, example = json!({"status": "ALIVE"})))
)]
#[get("/health/live")]
pub async fn live() -> Json<Health> {
    Json(Health { status: "ALIVE".into() })
}

/// Is the gateway ready to take calls?
///
/// Configuration, issuers' keys and, if one is configured, Redis are there, and the gateway is not about to end. That LRS is down does
/// not make the gateway unready.
#[utoipa::path(
    operation_id = "getReadiness",
    tag = "Service",
    security(()),
    responses((status = 200, description = "Ready.", body = Health, example = json!({"status": "READY"})), ReadyProblems)
)]
#[get("/health/ready")]
pub async fn ready(gateway: Data<AppState>) -> Result<Json<Health>, Problem> {
    gateway.ready().await.map_err(|reason| Problem::new(Code::NotReady).detail(reason).retry_soon())?;
    Ok(Json(Health { status: "READY".into() }))
}
