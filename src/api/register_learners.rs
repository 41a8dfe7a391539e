//! Registering and updating learners.

use actix_web::HttpResponse;

use crate::api::extract::Body;
use crate::api::extract::idempotency::{IdempotencyKey, WorkAttempt};
use crate::api::find_learners::LearnerSearchOutcome;
use crate::api::insufficient_data::problem_with_absent_fields;
use crate::api::outcome::Outcome as _;
use crate::api::work::{LrsCall, ProblemOf};
use crate::app::State;
use crate::auth::Caller;
use crate::auth::scope::LearnersWrite;
use crate::domain::{DemographicSearch, Extensible, FindType, Learner, LearnerRegistration, LearnerUpdate, Uln, UlnSearch, absent_fields};
use crate::lrs::response_codes::{LrsCode, Rejection};
use crate::lrs::{CallError, Lrs, LrsError};
use crate::organisations::CallContext;
use crate::problem::{Code, Problem};
use crate::schema::{Answer, CodeList, FieldWarning};

/// Outcome of a registration.
// LRS-CONTRACT 2.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
pub enum LearnerRegistrationOutcome {
    /// The learner has a new ULN.
    #[code(lrs = "WSRC0005")]
    Registered,
    /// An undocumented code. The answer states it in `lrsCode`.
    #[code(other)]
    Other,
}

/// Outcome of an update.
// LRS-CONTRACT 2.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
pub enum LearnerUpdateOutcome {
    /// LRS saved the new record.
    #[code(lrs = "WSRC0006")]
    Updated,
    /// LRS already held the same record.
    #[code(lrs = "WSRC0020")]
    NoChanges,
    /// An undocumented code. The answer states it in `lrsCode`.
    #[code(other)]
    Other,
}

/// Result of a registration.
#[derive(Debug, Answer)]
pub struct LearnerRegistrationResult {
    /// Outcome of the registration.
    pub outcome: LearnerRegistrationOutcome,
    /// Code of the outcome, as returned by LRS.
    #[answer(example = "WSRC0005")]
    pub lrs_code: LrsCode,
    /// New ULN of the learner.
    pub uln: Option<Extensible<Uln>>,
    /// Hints about texts of the request that look like other texts. Absent if there is none.
    pub warnings: Option<Vec<FieldWarning>>,
}

/// Result of an update.
#[derive(Debug, Answer)]
pub struct LearnerUpdateResult {
    /// Outcome of the update.
    pub outcome: LearnerUpdateOutcome,
    /// Code of the outcome, as returned by LRS.
    #[answer(example = "WSRC0006")]
    pub lrs_code: LrsCode,
}

pub(crate) struct RegisterLearnerDocs;

/// Register a learner
///
/// Registers a learner and returns the new ULN. LRS requires a recent search by demographics that found no learner, or only candidates that a
/// person has rejected. LRS rejects a learner with the same names, date of birth, gender and postcode as another. Both cases are the problem
/// `learner_not_registered`. `POST /v1/learners/obtain-uln` searches and registers in one call.
///
/// The gateway sends the registration to LRS once. If LRS's response is lost, the problem has `outcomeUnknown`: search before you try again,
/// or repeat the request with the same `Idempotency-Key`. The gateway then searches first. If the learner was registered, you get the ULN,
/// and `lrsCode` is the code of the search. If not, the gateway registers the learner. If there are candidates, a person must decide.
#[utoipa::path(post, path = "", impl_for = RegisterLearnerDocs,
    request_body(content_type = "application/json", example = json!({"learner": {
        "givenName": "Gwenllian", "familyName": "Ó Briain-Price", "dateOfBirth": "2005-07-21", "gender": "FEMALE",
        "lastKnownPostCode": "ZZ7 7JJ", "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE"
    }})),
    responses(
        (status = 201, description = "The learner was registered.", body = LearnerRegistrationResult, example = json!({
            "outcome": "REGISTERED", "lrsCode": "WSRC0005", "uln": "3000000371"
        })),
        (status = 200, description = "LRS returned an undocumented code.", body = LearnerRegistrationResult, example = json!({
            "outcome": "OTHER", "lrsCode": "WSRC0999"
        }))
    )
)]
pub async fn register_learner(
    state: State,
    caller: Caller<LearnersWrite>,
    idempotency_key: IdempotencyKey,
    body: Body<LearnerRegistration>,
) -> Result<HttpResponse, ProblemOf<LrsCall<LearnerRegistration>>> {
    let (lrs, context, Body { value: registration, digest, warnings, .. }) = (state.lrs.clone(), caller.context().clone(), body);
    let work = async move |attempt: WorkAttempt| {
        let warnings = warnings.into_list();
        if attempt.is_retry
            && let Some(found) = find_registered(&lrs, &context, &registration).await?
        {
            return Ok(HttpResponse::Created().json(LearnerRegistrationResult { warnings, ..found }));
        }
        let response = lrs.call_while_reserved(&context, &registration, attempt.reservation.as_ref()).await;
        let response = response.map_err(|error| problem_with_absent_fields(error, "/learner", || absent_fields(&registration.learner)))?;
        let outcome = LearnerRegistrationOutcome::from_code(&response.response_code);
        let result = LearnerRegistrationResult { outcome, lrs_code: response.response_code, uln: response.uln, warnings };
        Ok(match outcome {
            LearnerRegistrationOutcome::Registered => HttpResponse::Created().json(result),
            LearnerRegistrationOutcome::Other => HttpResponse::Ok().json(result),
        })
    };
    Ok(idempotency_key.run(&state, &caller, digest, work).await?)
}

/// Searches for the learner after a registration with an unknown outcome. Returns `None` if no learner matches.
///
/// The search does not count against the rate limit `searches`. A caller cannot cause it at will: LRS's response must have been lost, and
/// the body must be the same. The answer contains only the ULN of the learner that the caller asked to register, and no candidates.
async fn find_registered(
    lrs: &Lrs,
    context: &CallContext,
    registration: &LearnerRegistration,
) -> Result<Option<LearnerRegistrationResult>, Problem> {
    let found = lrs.call(context, &DemographicSearch::from(&registration.learner)).await?;
    match LearnerSearchOutcome::from_code(&found.response_code) {
        LearnerSearchOutcome::NoMatch => Ok(None),
        LearnerSearchOutcome::ExactMatch | LearnerSearchOutcome::LinkedLearner => {
            let uln = found.learner.into_iter().next().map(|learner| learner.uln);
            Ok(Some(LearnerRegistrationResult {
                outcome: LearnerRegistrationOutcome::Registered,
                lrs_code: found.response_code,
                uln,
                warnings: None,
            }))
        }
        LearnerSearchOutcome::PossibleMatches | LearnerSearchOutcome::TooManyMatches | LearnerSearchOutcome::Other => {
            let detail = "The outcome of the earlier registration is unknown, and the search found candidates. \
                Search by demographics, and let a person decide.";
            Err(Problem::new(Code::LearnerNotRegistered).detail(detail))
        }
    }
}

pub(crate) struct UpdateLearnerDocs;

/// Update a learner
///
/// Replaces a learner's whole record. To change some fields, use `POST /v1/learners/amend`, which keeps all others. An update with only the
/// required fields may clear all the others: it is not known whether LRS keeps or clears fields that a request omits. Therefore:
///
/// 1. Read the record (`POST /v1/learners/find-by-uln` with `findType` `FULL`).
/// 2. Apply your changes to the record that was found, and send it as `learner`, together with its `uln` and `versionNumber`.
///
/// The names and formats of the fields are those of a found record. The fields that LRS maintains can stay in `learner`, and are not sent to LRS:
/// `createdDate`, `lastUpdatedDate`, `masterSubstituted`, `tierLevel`, `learnerStatus`, `linkedUlns`, `differences`. If `learner` has `uln` or
/// `versionNumber`, they must be those of the request. Coded fields are open when they are read and closed when they are written: a record with
/// an undocumented value can be amended, but not updated. Clients with generated types use `amendLearner`.
///
/// If the record was changed in between, LRS rejects the update and the answer is 409 `stale_version`. Start again at step 1.
///
/// The gateway sends the update to LRS once. If LRS's response is lost, the problem has `outcomeUnknown`: read the record to check, or repeat
/// the request with the same `Idempotency-Key`. If the record then is as you sent it, the outcome is `UPDATED`, and `lrsCode` is the code
/// with which LRS rejected the second update.
#[utoipa::path(post, path = "", impl_for = UpdateLearnerDocs,
    request_body(content_type = "application/json", example = json!({"uln": "3000000126", "versionNumber": 3, "learner": {
        "givenName": "Ana", "familyName": "O'Neill-Rees", "previousFamilyName": "O'Neill", "dateOfBirth": "2003-04-05",
        "gender": "FEMALE", "lastKnownPostCode": "ZZ99 9ZZ", "verificationType": "OTHER",
        "otherVerificationDescription": "Student card", "abilityToShare": "SEEN_SHARE"
    }})),
    responses(
        (status = 200, description = "The record is as you sent it, or LRS returned an undocumented code.", body = LearnerUpdateResult,
            example = json!({"outcome": "UPDATED", "lrsCode": "WSRC0006"}))
    )
)]
pub async fn update_learner(
    state: State,
    caller: Caller<LearnersWrite>,
    idempotency_key: IdempotencyKey,
    body: Body<LearnerUpdate>,
) -> Result<HttpResponse, ProblemOf<LrsCall<LearnerUpdate>>> {
    let (lrs, context, Body { value: update, digest, .. }) = (state.lrs.clone(), caller.context().clone(), body);
    let work = async move |attempt: WorkAttempt| {
        let result = match lrs.call_while_reserved(&context, &update, attempt.reservation.as_ref()).await {
            Err(CallError { error: LrsError::Rejected(Rejection::StaleVersion, code), .. })
                if attempt.is_retry && is_updated(&lrs, &context, &update).await? =>
            {
                LearnerUpdateResult { outcome: LearnerUpdateOutcome::Updated, lrs_code: code }
            }
            response => {
                let code = response
                    .map_err(|error| problem_with_absent_fields(error, "/learner", || absent_fields(&update.learner)))?
                    .response_code;
                LearnerUpdateResult { outcome: LearnerUpdateOutcome::from_code(&code), lrs_code: code }
            }
        };
        Ok(HttpResponse::Ok().json(result))
    };
    Ok(idempotency_key.run(&state, &caller, digest, work).await?)
}

/// Returns `true` if the record has the details of an update with an unknown outcome. The master record of a merged one is not the record.
async fn is_updated(lrs: &Lrs, context: &CallContext, update: &LearnerUpdate) -> Result<bool, Problem> {
    let (uln, learner) = (update.uln.clone(), &update.learner);
    let (given_name, family_name) = (learner.given_name.clone(), learner.family_name.clone());
    let found = lrs.call(context, &UlnSearch { uln, given_name, family_name, find_type: FindType::Full }).await?;
    let is_exact = LearnerSearchOutcome::from_code(&found.response_code) == LearnerSearchOutcome::ExactMatch;
    let is_updated = |found: &Learner| found.uln.known() == Some(&update.uln) && learner.is_held_by(found);
    Ok(is_exact && found.learner.first().is_some_and(is_updated))
}
