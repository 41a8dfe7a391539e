//! Control endpoints: fault injection and observation of a running simulator, below `/control`.

use actix_web::HttpResponse;
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use serde_json::json;

use crate::schema::deserialize::{DeserializeContext, from_json};
use crate::schema::{FieldError, Settings};
use crate::simulator::jobs::Submission;
use crate::simulator::operations::service_of;
use crate::simulator::scenario::Scenario;
use crate::simulator::state::Simulator;

/// The body of `POST /control/lose-answers`.
#[derive(Settings)]
#[setting(validate = validate_operation(operation))]
struct LoseAnswers {
    /// The element of the requests.
    operation: String,
    /// The number of requests.
    count: usize,
}

fn validate_operation(operation: Option<&String>, context: &mut DeserializeContext) {
    if let Some(Err(invalid)) = operation.map(|operation| service_of(operation)) {
        context.add_error_at("operation", invalid);
    }
}

/// Path of the control endpoints.
pub const CONTROL_PATH: &str = "/control";

/// Adds the control endpoints to a server.
pub fn routes(config: &mut ServiceConfig) {
    let endpoints = web::scope(CONTROL_PATH)
        .route("/lose-answers", web::post().to(lose_answers))
        .route("/submissions", web::get().to(get_submissions))
        .route("/requests", web::get().to(get_request_counts))
        .route("/certificates", web::get().to(get_certificate_counts))
        .route("/scenario", web::put().to(put_scenario))
        .route("/scenario", web::get().to(get_scenario))
        .route("/scenario", web::delete().to(delete_scenario));
    config.service(endpoints);
}

/// `POST /control/lose-answers`
async fn lose_answers(body: Bytes, simulator: Data<Simulator>) -> HttpResponse {
    apply(from_json(&body), |LoseAnswers { operation, count }| simulator.lose_answers(&operation, count))
}

/// `PUT /control/scenario`
async fn put_scenario(body: Bytes, simulator: Data<Simulator>) -> HttpResponse {
    apply(from_json(&body), |Scenario { steps }| simulator.inject_faults(steps))
}

/// `GET /control/scenario`
async fn get_scenario(simulator: Data<Simulator>) -> HttpResponse {
    HttpResponse::Ok().json(json!({"steps": simulator.active_faults()}))
}

/// `DELETE /control/scenario`
async fn delete_scenario(simulator: Data<Simulator>) -> HttpResponse {
    simulator.clear_faults();
    HttpResponse::NoContent().finish()
}

/// `GET /control/requests`
async fn get_request_counts(simulator: Data<Simulator>) -> HttpResponse {
    HttpResponse::Ok().json(simulator.request_counts())
}

/// `GET /control/certificates`
async fn get_certificate_counts(simulator: Data<Simulator>) -> HttpResponse {
    let counts = simulator.certificate_counts();
    let rows =
        counts.iter().map(|((organisation, subject), calls)| json!({"organisation": organisation, "subject": subject, "calls": calls}));
    HttpResponse::Ok().json(rows.collect::<Vec<_>>())
}

/// `GET /control/submissions`
async fn get_submissions(simulator: Data<Simulator>) -> HttpResponse {
    let row = |submission: &Submission| {
        let Submission { operation, organisation, job_id, mis_identifiers, .. } = submission;
        json!({"operation": operation, "organisation": organisation, "jobId": job_id, "records": mis_identifiers.len()})
    };
    let rows: Vec<_> = simulator.jobs().submissions().iter().map(row).collect();
    HttpResponse::Ok().json(rows)
}

/// Applies a valid body and returns 204, or returns 400 with the errors of an invalid one.
fn apply<T>(body: Result<T, Vec<FieldError>>, apply: impl FnOnce(T)) -> HttpResponse {
    match body {
        Ok(value) => {
            apply(value);
            HttpResponse::NoContent().finish()
        }
        Err(errors) => {
            let rows =
                errors.iter().map(|FieldError { pointer, code, detail, .. }| json!({"pointer": pointer, "code": code, "detail": detail}));
            HttpResponse::BadRequest().json(rows.collect::<Vec<_>>())
        }
    }
}
