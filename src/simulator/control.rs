//! What people who run the simulator can make it do, beside SOAP.

use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use serde_json::json;

use super::Simulator;
use super::jobs::Submission;
use crate::form::form;
use crate::form::read::{Mistake, from_json};

/// The elements of every request.
const OPERATIONS: [&str; 13] = [
    "FindLearnerByULN",
    "FindLearnerByDemographics",
    "RegisterLearner",
    "UpdateLearner",
    "SubmitBatch",
    "GetSubmitBatchOutput",
    "SubmitVerifyBatch",
    "GetVerifyBatchOutput",
    "VerifyLearner",
    "RetrieveULNs",
    "GetLearnerLearningEvents",
    "SubmitAchievementBatchJob",
    "GetAchievementBatchJob",
];

form! {
    /// An order to lose answers.
    struct LoseAnswers {
        /// The element of the requests.
        operation: String,
        /// How many of them.
        count: usize,
    }
}

/// `POST /control/lose-answers`
pub async fn lose_answers(body: Bytes, simulator: Data<Simulator>) -> HttpResponse {
    let order = from_json::<LoseAnswers>(&body).and_then(|order| {
        let unknown = || Mistake {
            pointer: "/operation".into(),
            code: "unknown_value",
            detail: format!("must be one of {}", OPERATIONS.join(" ")).into(),
        };
        if OPERATIONS.contains(&order.operation.as_str()) { Ok(order) } else { Err(vec![unknown()]) }
    });
    match order {
        Ok(LoseAnswers { operation, count }) => {
            simulator.lose_answers(&operation, count);
            HttpResponse::NoContent().finish()
        }
        Err(mistakes) => {
            let told = mistakes.iter().map(|Mistake { pointer, code, detail }| json!({"pointer": pointer, "code": code, "detail": detail}));
            HttpResponse::BadRequest().json(told.collect::<Vec<_>>())
        }
    }
}

/// `GET /control/submissions`
pub async fn submissions(simulator: Data<Simulator>) -> HttpResponse {
    let told = |submission: &Submission| {
        let Submission { operation, organisation, job_id, mis_identifiers, .. } = submission;
        json!({"operation": operation, "organisation": organisation, "jobId": job_id, "records": mis_identifiers.len()})
    };
    let list: Vec<_> = simulator.jobs().submissions().iter().map(told).collect();
    HttpResponse::Ok().json(list)
}
