//! Obtaining a learner's ULN in one call: a search, and a registration if no learner matches.

use actix_web::HttpResponse;
use tokio::time::Instant;

use crate::api::description::Description;
use crate::api::extract::Body;
use crate::api::extract::idempotency::{IdempotencyKey, WorkAttempt};
use crate::api::find_learners::{LearnerSearchOutcome, with_differences};
use crate::api::insufficient_data::problem_with_absent_fields;
use crate::api::outcome::Outcome as _;
use crate::api::register_learners::LearnerRegistrationOutcome;
use crate::api::work::{LrsCall, ProblemOf, Work};
use crate::app::State;
use crate::auth::scope::LearnersWrite;
use crate::auth::{Caller, Search};
use crate::domain::{DemographicSearch, Extensible, Learner, LearnerRegistration, SearchedField, Uln, UlnRequest, absent_fields};
use crate::lrs::response_codes::{LrsCode, Rejection};
use crate::lrs::services::learner::FindLearnerResponse;
use crate::lrs::{CallError, Lrs, LrsError};
use crate::organisations::CallContext;
use crate::problem::{Code, Problem};
use crate::schema::{Answer, CodeList, FieldWarning, Hint, List, Warnings};

/// Outcome of obtaining a ULN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
pub enum UlnRequestOutcome {
    /// The learner already has a ULN.
    Existing,
    /// The learner already has a ULN, and the record was merged into another. The answer has the ULN of the master record.
    LinkedLearner,
    /// The learner had no ULN and was registered.
    Registered,
    /// One or more learners may match that are not among `rejectedCandidates`. A person must decide; nothing was registered.
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

/// LRS identified a learner whom a person has rejected.
const MATCH_WAS_REJECTED: Hint = Hint {
    code: "match_was_rejected",
    detail: "LRS now identifies the learner with this ULN, which is a rejected candidate; let a person compare the record before you use the ULN",
};
/// The search for the plain text decided.
const FOUND_WITH_PLAIN_TEXT: Hint = Hint {
    code: "found_with_plain_text",
    detail: "the search used plain apostrophes, hyphens and spaces in place of the characters that the other warnings name: compare the names of \
             the record with yours",
};

/// Registers a learner right after a search: LRS may require a wait.
#[derive(Debug, Clone, Copy)]
pub enum RegistrationAfterSearch {}

impl Work for RegistrationAfterSearch {
    fn describe(description: &mut Description) {
        LrsCall::<LearnerRegistration>::describe(description);
        description.add_problems("Lrs", &[Code::RegistrationTooSoon]);
    }
}

pub(crate) struct ObtainUlnDocs;

/// Obtain a learner's ULN
///
/// Searches by demographics. If one learner matches, the answer contains that learner's ULN. If no learner matches, the gateway registers the
/// learner, and the answer is 201 with the new ULN. If there are candidates, the gateway registers nothing: show them to a person, with their
/// `differences`. If the learner is one of them, use that ULN. If not, repeat the call with the ULNs of all candidates in
/// `rejectedCandidates`: the gateway searches again, and registers the learner if every candidate is among them.
///
/// LRS registers no learner until some time after a search with possible matches. Until then the answer to the repeated call is 409
/// `registration_too_soon` with `Retry-After`, and nothing was registered. LRS does not publish the time: `Retry-After` is the gateway's
/// estimate.
///
/// If a text of the request has a typographic apostrophe or unusual spaces, the answer has `warnings`, and the gateway first searches for the
/// plain text. If that search finds a learner or candidates, it decides, and a warning says so. Otherwise the gateway searches for the text as
/// you sent it. It registers the learner, as you sent it, only if neither search finds any learner who is not in `rejectedCandidates`.
///
/// The gateway sends the registration to LRS at most once. If LRS's response is lost, the problem has `outcomeUnknown`. You can then repeat
/// this call, because it searches first.
#[utoipa::path(post, path = "", impl_for = ObtainUlnDocs,
    request_body(content_type = "application/json", examples(
        ("enrolment" = (summary = "Details from an enrolment", value = json!({"learner": {
            "givenName": "Gwenllian", "familyName": "Ó Briain-Price", "dateOfBirth": "2005-07-21", "gender": "FEMALE",
            "lastKnownPostCode": "ZZ7 7JJ", "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE"
        }}))),
        ("everyCandidateRejected" = (summary = "A person has rejected every candidate", value = json!({"learner": {
            "givenName": "Gwenllian", "familyName": "Ó Briain-Price", "dateOfBirth": "2005-07-21", "gender": "FEMALE",
            "lastKnownPostCode": "ZZ7 7JJ", "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE"
        }, "rejectedCandidates": ["3000000592"]})))
    )),
    responses(
        (status = 201, description = "No learner matched, or all candidates were rejected, and the learner was registered.", body = UlnRequestResult, example = json!({
            "outcome": "REGISTERED", "lrsCode": "WSRC0005", "uln": "3000000371", "learners": []
        })),
        (status = 200, description = "The learner already has a ULN, or a person must decide.", body = UlnRequestResult, examples(
                ("existing" = (summary = "One learner matches", value = json!({
                    "outcome": "EXISTING", "lrsCode": "WSRC0004", "uln": "3000000371", "learners": [{
                        "createdDate": "2019-09-02", "lastUpdatedDate": "2023-01-16", "uln": "3000000371", "givenName": "Gwenllian",
                        "familyName": "Ó Briain-Price", "lastKnownPostCode": "ZZ7 7JJ", "dateOfBirth": "2005-07-21", "gender": "FEMALE",
                        "verificationType": "PASSPORT", "tierLevel": "0", "abilityToShare": "SEEN_SHARE", "learnerStatus": "1",
                        "linkedUlns": [], "versionNumber": 3
                    }]
                }))),
                ("possibleMatches" = (summary = "A person must decide", value = json!({
                    "outcome": "POSSIBLE_MATCHES", "lrsCode": "WSRC0003", "learners": [{
                        "createdDate": "2019-09-02", "lastUpdatedDate": "2023-01-16", "uln": "3000000614", "givenName": "Gwenllian",
                        "familyName": "Ó Briain-Price", "lastKnownPostCode": "ZZ99 9ZZ", "dateOfBirth": "2005-07-21", "gender": "FEMALE",
                        "verificationType": "PASSPORT", "tierLevel": "0", "abilityToShare": "SEEN_SHARE", "learnerStatus": "1",
                        "linkedUlns": [], "versionNumber": 3, "differences": ["lastKnownPostCode"]
                    }]
                }))),
                ("tooManyMatches" = (summary = "Too many learners match", value = json!({
                    "outcome": "TOO_MANY_MATCHES", "lrsCode": "WSRC0002", "learners": []
                })))
            ))
    )
)]
pub async fn obtain_uln(
    state: State,
    caller: Caller<LearnersWrite, Search>,
    idempotency_key: IdempotencyKey,
    body: Body<UlnRequest>,
) -> Result<HttpResponse, ProblemOf<(LrsCall<DemographicSearch>, RegistrationAfterSearch)>> {
    let (lrs, context, Body { value: request, digest, warnings, .. }) = (state.lrs.clone(), caller.context().clone(), body);
    // A retry after an unknown outcome needs no special case because the work starts with a search.
    let work = async move |attempt: WorkAttempt| search_and_register(&lrs, &context, request, warnings, &attempt).await;
    Ok(idempotency_key.run(&state, &caller, digest, work).await?)
}

async fn search_and_register(
    lrs: &Lrs,
    context: &CallContext,
    UlnRequest { learner, rejected_candidates }: UlnRequest,
    mut warnings: Warnings,
    attempt: &WorkAttempt,
) -> Result<HttpResponse, Problem> {
    let search = DemographicSearch::from(&learner);
    let rejected = rejected_candidates.as_ref().map(List::items).unwrap_or_default();
    // This search comes first: LRS requires that the last search before a registration is for the details that are registered. Both searches
    // are for one learner, and the first that decides ends the work: they count as one against the rate limit `searches`, and have the time of
    // one call.
    let deadline = Instant::now() + lrs.timeout();
    // LRS registers no learner with the same names, date of birth, gender and postcode as another learner. That is not a question of time.
    let is_twin = |candidate: &Learner| !search.differences(candidate).iter().any(SearchedField::identifies);
    let (mut has_candidates, mut has_twin) = (false, false);
    if let Some(plain_search) = search.to_plain() {
        let found = lrs.call_before(context, &plain_search, deadline).await?;
        if !permits_registration(&found, rejected) {
            warnings.add(&FOUND_WITH_PLAIN_TEXT);
            return Ok(HttpResponse::Ok().json(found_result(found, &search, rejected, warnings)));
        }
        has_candidates = !found.learner.is_empty();
        has_twin = found.learner.iter().any(is_twin);
    }
    let found = lrs.call_before(context, &search, deadline).await?;
    if !permits_registration(&found, rejected) {
        return Ok(HttpResponse::Ok().json(found_result(found, &search, rejected, warnings)));
    }
    has_candidates |= !found.learner.is_empty();
    has_twin |= found.learner.iter().any(is_twin);
    let registration = LearnerRegistration { learner };
    let response = match lrs.call_while_reserved(context, &registration, attempt.reservation.as_ref()).await {
        // Of LRS's reasons, only the wait is left: the learner was searched for, and no other learner has the same details.
        Err(error @ CallError { error: LrsError::Rejected(Rejection::NotRegistered, _), .. }) if has_candidates && !has_twin => {
            return Err(Problem::registration_too_soon(error));
        }
        response => response.map_err(|error| problem_with_absent_fields(error, "/learner", || absent_fields(&registration.learner)))?,
    };
    let (outcome, mut answer) = match LearnerRegistrationOutcome::from_code(&response.response_code) {
        LearnerRegistrationOutcome::Registered => (UlnRequestOutcome::Registered, HttpResponse::Created()),
        LearnerRegistrationOutcome::Other => (UlnRequestOutcome::Other, HttpResponse::Ok()),
    };
    let (lrs_code, uln) = (response.response_code, response.uln);
    Ok(answer.json(UlnRequestResult { outcome, lrs_code, uln, learners: Vec::new(), warnings: warnings.into_list() }))
}

/// Returns `true` if the search found no learner, or only candidates that a person has rejected. A response with the code of candidates but
/// without any is no reason to register.
fn permits_registration(found: &FindLearnerResponse, rejected: &[Uln]) -> bool {
    let is_rejected = |learner: &Learner| learner.uln.known().is_some_and(|uln| rejected.contains(uln));
    match LearnerSearchOutcome::from_code(&found.response_code) {
        LearnerSearchOutcome::NoMatch => true,
        LearnerSearchOutcome::PossibleMatches => !found.learner.is_empty() && found.learner.iter().all(is_rejected),
        LearnerSearchOutcome::ExactMatch
        | LearnerSearchOutcome::LinkedLearner
        | LearnerSearchOutcome::TooManyMatches
        | LearnerSearchOutcome::Other => false,
    }
}

/// Returns the result if a search decides.
fn found_result(found: FindLearnerResponse, search: &DemographicSearch, rejected: &[Uln], mut warnings: Warnings) -> UlnRequestResult {
    let outcome = match LearnerSearchOutcome::from_code(&found.response_code) {
        LearnerSearchOutcome::ExactMatch => UlnRequestOutcome::Existing,
        LearnerSearchOutcome::LinkedLearner => UlnRequestOutcome::LinkedLearner,
        LearnerSearchOutcome::PossibleMatches => UlnRequestOutcome::PossibleMatches,
        LearnerSearchOutcome::TooManyMatches => UlnRequestOutcome::TooManyMatches,
        LearnerSearchOutcome::NoMatch | LearnerSearchOutcome::Other => UlnRequestOutcome::Other,
    };
    let has_match = matches!(outcome, UlnRequestOutcome::Existing | UlnRequestOutcome::LinkedLearner);
    let uln = found.learner.first().filter(|_| has_match).map(|learner| learner.uln.clone());
    let known_uln = uln.as_ref().and_then(Extensible::known);
    if let Some(position) = known_uln.and_then(|uln| rejected.iter().position(|rejected| rejected == uln)) {
        warnings.add_at(&format!("/rejectedCandidates/{position}"), &MATCH_WAS_REJECTED);
    }
    let FindLearnerResponse { response_code, learner, .. } = with_differences(found, search);
    UlnRequestResult { outcome, lrs_code: response_code, uln, learners: learner, warnings: warnings.into_list() }
}
