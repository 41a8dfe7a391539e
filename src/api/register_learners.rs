//! Registering and updating learners.

use actix_web::web::{Data, Json};
use actix_web::{HttpResponse, post};

use super::Body;
use super::outcome::outcomes;
use crate::auth::Caller;
use crate::auth::scope::LearnersWrite;
use crate::domain::{Open, RegisterLearner, Uln, UpdateLearner};
use crate::form::answer;
use crate::lrs::Lrs;
use crate::lrs::codes::LrsCode;
use crate::openapi::{RegisterProblems, UpdateProblems};
use crate::problem::Problem;

outcomes! {
    /// What registering came to (FACTS 2.5).
    RegisterOutcome {
        /// There is a new ULN.
        Registered = "REGISTERED" <- "WSRC0005",
    }
}

outcomes! {
    /// What updating came to (FACTS 2.6).
    UpdateOutcome {
        /// LRS holds the new record.
        Updated = "UPDATED" <- "WSRC0006",
        /// LRS held the same record already.
        NoChanges = "NO_CHANGES" <- "WSRC0020",
    }
}

answer! {
    /// What registering came to.
    #[derive(Debug)]
    pub struct RegisterResult {
        /// What registering came to.
        pub outcome: RegisterOutcome,
        /// LRS's code for it, as it came.
        pub lrs_code: LrsCode,
        /// The learner's new ULN.
        pub uln: Option<Open<Uln>>,
    }
}

answer! {
    /// What updating came to.
    #[derive(Debug)]
    pub struct UpdateResult {
        /// What updating came to.
        pub outcome: UpdateOutcome,
        /// LRS's code for it, as it came.
        pub lrs_code: LrsCode,
    }
}

/// Register a learner
///
/// Gives a learner a ULN. LRS registers only after a recent search by demographics that found nobody (or candidates whom a
/// person has rejected), and refuses a learner with the same names, date of birth, gender and postcode as another: both are
/// `learner_not_registered`. `POST /v1/learners/obtain-uln` searches and registers in one call.
///
/// LRS is asked once. When its answer does not come through, the problem says `outcomeUnknown`: search before you try again.
#[utoipa::path(
    operation_id = "registerLearner",
    tag = "Learners",
    security(("bearer" = ["learners:write"])),
    request_body(content = RegisterLearner, example = json!({"learner": {
        "givenName": "Gwenllian", "familyName": "Ó Briain-Price", "dateOfBirth": "2005-07-21", "gender": "FEMALE",
        "lastKnownPostCode": "ZZ7 7JJ", "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE"
    }})),
    responses(
        (status = 201, description = "The learner is registered.", body = RegisterResult, example = json!({
            "outcome": "REGISTERED", "lrsCode": "WSRC0005", "uln": "3000000258"
        })),
        (status = 200, description = "LRS answered with a code that is not documented.", body = RegisterResult, example = json!({
            "outcome": "OTHER", "lrsCode": "WSRC0999"
        })),
        RegisterProblems
    )
)]
#[post("/learners/register")]
pub async fn register_learner(caller: Caller<LearnersWrite>, body: Body<RegisterLearner>, lrs: Data<Lrs>) -> Result<HttpResponse, Problem> {
    let answer = lrs.call(&caller, &body.0).await?;
    let outcome = RegisterOutcome::of(&answer.response_code);
    let result = RegisterResult { outcome, lrs_code: answer.response_code, uln: answer.uln };
    Ok(match outcome {
        RegisterOutcome::Registered => HttpResponse::Created().json(result),
        RegisterOutcome::Other => HttpResponse::Ok().json(result),
    })
}

/// Update a learner
///
/// Replaces a learner's whole record. Whether LRS keeps or clears what is left out is not known, so:
///
/// 1. read the record (`POST /v1/learners/find-by-uln`, `findType` `FULL`) and keep its `versionNumber`;
/// 2. merge your changes into all the fields that were read, without those that are LRS's own: `uln`, `versionNumber`,
///    `createdDate`, `lastUpdatedDate`, `masterSubstituted`, `tierLevel`, `learnerStatus`, `linkedUlns`;
/// 3. send everything as `learner`, beside the `uln` and that `versionNumber`.
///
/// If somebody changed the record in between, LRS refuses it and the answer is 409 `stale_version`: begin again at 1.
///
/// LRS is asked once. When its answer does not come through, the problem says `outcomeUnknown`: read the record to see.
#[utoipa::path(
    operation_id = "updateLearner",
    tag = "Learners",
    security(("bearer" = ["learners:write"])),
    request_body(content = UpdateLearner, example = json!({"uln": "3000000126", "versionNumber": 1, "learner": {
        "givenName": "Ana", "familyName": "O'Neill-Rees", "previousFamilyName": "O'Neill", "dateOfBirth": "2003-04-05",
        "gender": "FEMALE", "lastKnownPostCode": "ZZ99 9ZZ", "verificationType": "OTHER",
        "otherVerificationDescription": "Student card", "abilityToShare": "SEEN_SHARE"
    }})),
    responses(
        (status = 200, description = "The record is as it was sent, or LRS answered with a code that is not documented.", body = UpdateResult,
            example = json!({"outcome": "UPDATED", "lrsCode": "WSRC0006"})),
        UpdateProblems
    )
)]
#[post("/learners/update")]
pub async fn update_learner(
    caller: Caller<LearnersWrite>,
    body: Body<UpdateLearner>,
    lrs: Data<Lrs>,
) -> Result<Json<UpdateResult>, Problem> {
    let code = lrs.call(&caller, &body.0).await?.response_code;
    Ok(Json(UpdateResult { outcome: UpdateOutcome::of(&code), lrs_code: code }))
}
