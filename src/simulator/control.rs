//! What people who run the simulator can make it do, beside SOAP.

use actix_web::HttpResponse;
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use serde_json::json;

use crate::schema::FieldError;
use crate::schema::deserialize::{DeserializeContext, from_json};
use crate::schema::form;
use crate::simulator::jobs::Submission;
use crate::simulator::scenario::{Scenario, check_operation};
use crate::simulator::{ActiveFault, Simulator};

form! {
    /// An order to lose answers.
    struct LoseAnswers {
        /// The element of the requests.
        operation: String,
        /// How many of them.
        count: usize,
    }
    also (operation) => operation_exists
}

fn operation_exists(operation: Option<&String>, reading: &mut DeserializeContext) {
    if let Some(Err(unknown)) = operation.map(|operation| check_operation(operation)) {
        reading.at("operation", |reading| reading.note(unknown));
    }
}

/// Everything below `/control`.
pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/control/lose-answers", web::post().to(lose_answers))
        .route("/control/submissions", web::get().to(submissions))
        .route("/control/requests", web::get().to(requests))
        .route("/control/certificates", web::get().to(certificates))
        .route("/control/scenario", web::put().to(play))
        .route("/control/scenario", web::get().to(playing))
        .route("/control/scenario", web::delete().to(calm));
}

/// `POST /control/lose-answers`
async fn lose_answers(body: Bytes, simulator: Data<Simulator>) -> HttpResponse {
    obey(from_json(&body), |LoseAnswers { operation, count }| simulator.lose_answers(&operation, count))
}

/// `PUT /control/scenario`
async fn play(body: Bytes, simulator: Data<Simulator>) -> HttpResponse {
    obey(from_json(&body), |Scenario { steps }| simulator.play(steps))
}

/// `DELETE /control/scenario`
async fn calm(simulator: Data<Simulator>) -> HttpResponse {
    simulator.calm();
    HttpResponse::NoContent().finish()
}

/// Does what was ordered, or tells what is wrong with the order.
fn obey<T>(order: Result<T, Vec<FieldError>>, carry_out: impl FnOnce(T)) -> HttpResponse {
    match order {
        Ok(order) => {
            carry_out(order);
            HttpResponse::NoContent().finish()
        }
        Err(mistakes) => {
            let told =
                mistakes.iter().map(|FieldError { pointer, code, detail }| json!({"pointer": pointer, "code": code, "detail": detail}));
            HttpResponse::BadRequest().json(told.collect::<Vec<_>>())
        }
    }
}

/// `GET /control/scenario`
async fn playing(simulator: Data<Simulator>) -> HttpResponse {
    let steps: Vec<ActiveFault> = simulator.playing();
    HttpResponse::Ok().json(json!({"steps": steps}))
}

/// `GET /control/requests`
async fn requests(simulator: Data<Simulator>) -> HttpResponse {
    HttpResponse::Ok().json(simulator.counted())
}

/// `GET /control/certificates`
async fn certificates(simulator: Data<Simulator>) -> HttpResponse {
    let shown = simulator.shown();
    let told =
        shown.iter().map(|((organisation, subject), calls)| json!({"organisation": organisation, "subject": subject, "calls": calls}));
    HttpResponse::Ok().json(told.collect::<Vec<_>>())
}

/// `GET /control/submissions`
async fn submissions(simulator: Data<Simulator>) -> HttpResponse {
    let told = |submission: &Submission| {
        let Submission { operation, organisation, job_id, mis_identifiers, .. } = submission;
        json!({"operation": operation, "organisation": organisation, "jobId": job_id, "records": mis_identifiers.len()})
    };
    let list: Vec<_> = simulator.jobs().submissions().iter().map(told).collect();
    HttpResponse::Ok().json(list)
}
