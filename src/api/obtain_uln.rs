//! Obtaining a learner's ULN in one call: a search, and a registration if no learner matches.

use actix_web::HttpResponse;
use tokio::time::Instant;

use crate::api::extract::Body;
use crate::api::extract::idempotency::{IdempotencyKey, WorkAttempt};
use crate::api::find_learners::LearnerSearchOutcome;
use crate::api::insufficient_data::problem_with_absent_fields;
use crate::api::outcome::Outcome as _;
use crate::api::register_learners::LearnerRegistrationOutcome;
use crate::api::work::{LrsCall, ProblemOf};
use crate::app::State;
use crate::auth::scope::LearnersWrite;
use crate::auth::{Caller, Search};
use crate::domain::{DemographicSearch, Extensible, Learner, LearnerRegistration, Uln};
use crate::lrs::Lrs;
use crate::lrs::response_codes::LrsCode;
use crate::lrs::services::learner::FindLearnerResponse;
use crate::organisations::CallContext;
use crate::problem::Problem;
use crate::schema::{Answer, CodeList, FieldWarning, Hint, Warnings};

/// Outcome of obtaining a ULN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
pub enum UlnRequestOutcome {
    /// The learner already has a ULN.
    Existing,
    /// The learner already has a ULN, and the record was merged into another. The answer has the ULN of the master record.
    LinkedLearner,
    /// The learner had no ULN and was registered.
    Registered,
    /// One or more learners may match. A person must decide; nothing was registered.
    PossibleMatches,
    /// More learners match than LRS returns. Nothing was registered.
    TooManyMatches,
    /// An undocumented code. The answer states it in `lrsCode`.
    Other,
}

/// Result of obtaining a ULN.
#[derive(Debug, Answer)]
pub struct UlnRequestResult {
    /// Outcome. With `EXISTING`, `LINKED_LEARNER` and `REGISTERED`, the answer has a `uln`.
    pub outcome: UlnRequestOutcome,
    /// Code returned by LRS: of the registration if there was one, otherwise of the search.
    #[answer(example = "WSRC0004")]
    pub lrs_code: LrsCode,
    /// ULN of the learner.
    pub uln: Option<Extensible<Uln>>,
    /// Record that was found, or candidates from which a person must choose.
    pub learners: Vec<Learner>,
    /// Hints about texts of the request that look like other texts. Absent if there is none.
    pub warnings: Option<Vec<FieldWarning>>,
}

/// The search for the plain text decided.
const FOUND_WITH_PLAIN_TEXT: Hint = Hint {
    code: "found_with_plain_text",
    detail: "the search used plain apostrophes, hyphens and spaces in place of the characters that the other warnings name: compare the names of \
             the record with yours",
};

pub(crate) struct ObtainUlnDocs;

/// Obtain a learner's ULN
///
/// Searches by demographics. If one learner matches, the answer contains that learner's ULN. If no learner matches, the gateway registers the
/// learner, and the answer is 201 with the new ULN. If there are candidates, the gateway registers nothing: show them to a person, who
/// chooses one or registers the learner with `POST /v1/learners/register`.
///
/// If a text of the request has a typographic apostrophe or unusual spaces, the answer has `warnings`, and the gateway first searches for the
/// plain text. If that search finds a learner or candidates, it decides, and a warning says so. Otherwise the gateway searches for the text as
/// you sent it. It registers the learner, as you sent it, only if neither search finds any learner.
///
/// The gateway sends the registration to LRS at most once. If LRS's response is lost, the problem has `outcomeUnknown`. You can then repeat
/// this call, because it searches first.
#[utoipa::path(post, path = "", impl_for = ObtainUlnDocs,
    request_body(content_type = "application/json", example = json!({"learner": {
        "givenName": "Gwenllian", "familyName": "Ó Briain-Price", "dateOfBirth": "2005-07-21", "gender": "FEMALE",
        "lastKnownPostCode": "ZZ7 7JJ", "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE"
    }})),
    responses(
        (status = 201, description = "No learner matched, and the learner was registered.", body = UlnRequestResult, example = json!({
            "outcome": "REGISTERED", "lrsCode": "WSRC0005", "uln": "3000000258", "learners": []
        })),
        (status = 200, description = "The learner already has a ULN, or a person must decide.", body = UlnRequestResult, example = json!({
            "outcome": "TOO_MANY_MATCHES", "lrsCode": "WSRC0002", "learners": []
        }))
    )
)]
pub async fn obtain_uln(
    state: State,
    caller: Caller<LearnersWrite, Search>,
    idempotency_key: IdempotencyKey,
    body: Body<LearnerRegistration>,
) -> Result<HttpResponse, ProblemOf<(LrsCall<DemographicSearch>, LrsCall<LearnerRegistration>)>> {
    let (lrs, context, Body { value: registration, digest, warnings, .. }) = (state.lrs.clone(), caller.context().clone(), body);
    // A retry after an unknown outcome needs no special case because the work starts with a search.
    let work = async move |attempt: WorkAttempt| search_and_register(&lrs, &context, &registration, warnings, &attempt).await;
    Ok(idempotency_key.run(&state, &caller, digest, work).await?)
}

async fn search_and_register(
    lrs: &Lrs,
    context: &CallContext,
    registration: &LearnerRegistration,
    mut warnings: Warnings,
    attempt: &WorkAttempt,
) -> Result<HttpResponse, Problem> {
    let search = DemographicSearch::from(&registration.learner);
    // This search comes first: LRS requires that the last search before a registration is for the details that are registered. Both searches
    // are for one learner, and the first that finds anybody ends the work: they count as one against the rate limit `searches`, and have the
    // time of one call.
    let deadline = Instant::now() + lrs.timeout();
    if let Some(plain_search) = search.to_plain() {
        let found = lrs.call_before(context, &plain_search, deadline).await?;
        if LearnerSearchOutcome::from_code(&found.response_code) != LearnerSearchOutcome::NoMatch {
            warnings.add(&FOUND_WITH_PLAIN_TEXT);
            return Ok(HttpResponse::Ok().json(found_result(found, warnings)));
        }
    }
    let found = lrs.call_before(context, &search, deadline).await?;
    if LearnerSearchOutcome::from_code(&found.response_code) != LearnerSearchOutcome::NoMatch {
        return Ok(HttpResponse::Ok().json(found_result(found, warnings)));
    }
    let response = lrs.call_while_reserved(context, registration, attempt.reservation.as_ref()).await;
    let response = response.map_err(|error| problem_with_absent_fields(error, &registration.learner))?;
    let (outcome, mut answer) = match LearnerRegistrationOutcome::from_code(&response.response_code) {
        LearnerRegistrationOutcome::Registered => (UlnRequestOutcome::Registered, HttpResponse::Created()),
        LearnerRegistrationOutcome::Other => (UlnRequestOutcome::Other, HttpResponse::Ok()),
    };
    let (lrs_code, uln) = (response.response_code, response.uln);
    Ok(answer.json(UlnRequestResult { outcome, lrs_code, uln, learners: Vec::new(), warnings: warnings.into_list() }))
}

/// Returns the result if a search decides.
fn found_result(found: FindLearnerResponse, warnings: Warnings) -> UlnRequestResult {
    let outcome = match LearnerSearchOutcome::from_code(&found.response_code) {
        LearnerSearchOutcome::ExactMatch => UlnRequestOutcome::Existing,
        LearnerSearchOutcome::LinkedLearner => UlnRequestOutcome::LinkedLearner,
        LearnerSearchOutcome::PossibleMatches => UlnRequestOutcome::PossibleMatches,
        LearnerSearchOutcome::TooManyMatches => UlnRequestOutcome::TooManyMatches,
        LearnerSearchOutcome::NoMatch | LearnerSearchOutcome::Other => UlnRequestOutcome::Other,
    };
    let has_match = matches!(outcome, UlnRequestOutcome::Existing | UlnRequestOutcome::LinkedLearner);
    let uln = found.learner.first().filter(|_| has_match).map(|learner| learner.uln.clone());
    UlnRequestResult { outcome, lrs_code: found.response_code, uln, learners: found.learner, warnings: warnings.into_list() }
}
