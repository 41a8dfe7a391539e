//! Obtaining a learner's ULN in one call: search first, register only if nobody matches.

use actix_web::web::Data;
use actix_web::{HttpResponse, post};

use crate::api::extract::Body;
use crate::api::extract::idempotency::{IdempotencyKey, IdempotencyKeyParameter};
use crate::api::find_learners::FindOutcome;
use crate::api::register_learners::RegisterOutcome;
use crate::auth::Caller;
use crate::auth::scope::LearnersWrite;
use crate::domain::{Extensible, FindByDemographics, Learner, RegisterLearner, Uln};
use crate::lrs::Lrs;
use crate::lrs::codes::LrsCode;
use crate::organisations::RequestContext;
use crate::problem::Problem;
use crate::problem::responses::WriteProblems;
use crate::schema::answer;
use crate::schema::openapi::{PropertySchema, one_of};

/// What obtaining a ULN came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ObtainOutcome {
    /// The learner has one.
    Existing,
    /// The learner has one, and the record was merged into another: the master's ULN is given.
    LinkedLearner,
    /// The learner had none, and has one now.
    Registered,
    /// One of the candidates may be the learner: a person must decide. Nothing was registered.
    PossibleMatches,
    /// There are too many candidates to show. Nothing was registered.
    TooManyMatches,
    /// LRS answered with a code that is not documented: `lrsCode` has it.
    Other,
}

impl PropertySchema for ObtainOutcome {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        one_of(&["EXISTING", "LINKED_LEARNER", "REGISTERED", "POSSIBLE_MATCHES", "TOO_MANY_MATCHES", "OTHER"])
    }
}

answer! {
    /// What obtaining a ULN came to.
    #[derive(Debug)]
    pub struct ObtainResult {
        /// What it came to. `EXISTING`, `LINKED_LEARNER` and `REGISTERED` come with a `uln`; with all others nothing was
        /// registered.
        pub outcome: ObtainOutcome,
        /// LRS's code: of the registration if there was one, of the search otherwise.
        pub lrs_code: LrsCode,
        /// The learner's ULN.
        pub uln: Option<Extensible<Uln>>,
        /// The record that was found, or the candidates among whom a person must choose.
        pub learners: Vec<Learner>,
    }
}

/// Obtain a learner's ULN
///
/// Searches by demographics. An exact match or a linked learner answers with that ULN. If nobody matches, the learner is
/// registered and the answer is 201 with the new ULN. If there are candidates, nothing is registered: show them to a person,
/// who chooses one of them or registers the learner with `POST /v1/learners/register`.
///
/// LRS is asked to register once. When its answer does not come through, the problem says `outcomeUnknown`; this call can then be
/// made again, because it searches first.
#[utoipa::path(
    operation_id = "obtainUln",
    tag = "Learners",
    security(("bearer" = ["learners:write"])),
    params(IdempotencyKeyParameter),
    request_body(content = RegisterLearner, example = json!({"learner": {
        "givenName": "Gwenllian", "familyName": "Ó Briain-Price", "dateOfBirth": "2005-07-21", "gender": "FEMALE",
        "lastKnownPostCode": "ZZ7 7JJ", "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE"
    }})),
    responses(
        (status = 201, description = "Nobody matched, and the learner is registered.", body = ObtainResult,
            headers(("Idempotency-Replayed" = bool, description = "`true`: this answer was given before.")), example = json!({
            "outcome": "REGISTERED", "lrsCode": "WSRC0005", "uln": "3000000258", "learners": []
        })),
        (status = 200, description = "The learner has a ULN, or a person must decide.", body = ObtainResult,
            headers(("Idempotency-Replayed" = bool, description = "`true`: this answer was given before.")), example = json!({
            "outcome": "TOO_MANY_MATCHES", "lrsCode": "WSRC0002", "learners": []
        })),
        WriteProblems
    )
)]
#[post("/learners/obtain-uln")]
pub async fn obtain_uln(
    caller: Caller<LearnersWrite>,
    body: Body<RegisterLearner>,
    once: IdempotencyKey,
    lrs: Data<Lrs>,
) -> Result<HttpResponse, Problem> {
    let (actor, Body { value: registration, digest }) = (caller.context().clone(), body);
    // Because it searches first, it can be done again when nobody knows what came of it.
    once.run("obtainUln", &caller, digest, async move |_| search_and_register(&lrs, &actor, &registration).await).await
}

async fn search_and_register(lrs: &Lrs, actor: &RequestContext, registration: &RegisterLearner) -> Result<HttpResponse, Problem> {
    let found = lrs.call(actor, &FindByDemographics::from(&registration.learner)).await?;
    let outcome = match FindOutcome::of(&found.response_code) {
        FindOutcome::NoMatch => return register(lrs, actor, registration).await,
        FindOutcome::ExactMatch => ObtainOutcome::Existing,
        FindOutcome::LinkedLearner => ObtainOutcome::LinkedLearner,
        FindOutcome::PossibleMatches => ObtainOutcome::PossibleMatches,
        FindOutcome::TooManyMatches => ObtainOutcome::TooManyMatches,
        FindOutcome::Other => ObtainOutcome::Other,
    };
    let the_one = matches!(outcome, ObtainOutcome::Existing | ObtainOutcome::LinkedLearner);
    let uln = found.learner.first().filter(|_| the_one).map(|learner| learner.uln.clone());
    Ok(HttpResponse::Ok().json(result(outcome, found.response_code, uln, found.learner)))
}

async fn register(lrs: &Lrs, actor: &RequestContext, registration: &RegisterLearner) -> Result<HttpResponse, Problem> {
    let answer = lrs.call(actor, registration).await?;
    Ok(match RegisterOutcome::of(&answer.response_code) {
        RegisterOutcome::Registered => {
            HttpResponse::Created().json(result(ObtainOutcome::Registered, answer.response_code, answer.uln, Vec::new()))
        }
        RegisterOutcome::Other => HttpResponse::Ok().json(result(ObtainOutcome::Other, answer.response_code, answer.uln, Vec::new())),
    })
}

fn result(outcome: ObtainOutcome, lrs_code: LrsCode, uln: Option<Extensible<Uln>>, learners: Vec<Learner>) -> ObtainResult {
    ObtainResult { outcome, lrs_code, uln, learners }
}
