//! Amending a learner: the record is read, and written with some fields changed.

use actix_web::HttpResponse;
use tokio::time::Instant;

use crate::api::extract::Body;
use crate::api::extract::idempotency::{IdempotencyKey, WorkAttempt};
use crate::api::find_learners::LearnerSearchOutcome;
use crate::api::insufficient_data::problem_with_absent_fields;
use crate::api::outcome::Outcome as _;
use crate::api::register_learners::LearnerUpdateOutcome;
use crate::api::work::{LrsCall, ProblemOf};
use crate::app::State;
use crate::auth::Caller;
use crate::auth::scope::LearnersWrite;
use crate::domain::{FindType, Learner, LearnerAmendment, Name, RegisterRecord, UlnSearch};
use crate::lrs::response_codes::{LrsCode, Rejection};
use crate::lrs::services::learner::{RecordSearch, RecordUpdate};
use crate::lrs::{CallError, Lrs, LrsError};
use crate::organisations::CallContext;
use crate::problem::{Code, Problem};
use crate::schema::{Answer, CodeList, FieldError, FieldWarning};

/// Outcome of an amendment. Only `UPDATED` changes the register.
// LRS-CONTRACT 2.4, 2.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
pub enum LearnerAmendmentOutcome {
    /// LRS saved the amended record.
    #[code(lrs = "WSRC0006")]
    Updated,
    /// The record already had all values of the amendment. The gateway sends no update then.
    #[code(lrs = "WSRC0020")]
    NoChanges,
    /// No learner has this ULN and these names. Search by demographics for the names in the register.
    #[code(lrs = "WSRC0001")]
    NoMatch,
    /// The record was merged into another. The answer has the master record, which was not changed. Check that it is the learner's, and amend it
    /// with its own ULN and names.
    #[code(lrs = "WSRC0022")]
    LinkedLearner,
    /// LRS did not identify one learner. Search by demographics; a person must decide.
    #[code(lrs = "WSRC0003")]
    PossibleMatches,
    /// LRS found too many learners. Check the ULN and the names.
    #[code(lrs = "WSRC0002")]
    TooManyMatches,
    /// An undocumented code. The answer states it in `lrsCode`. If LRS returned it to the update, read the record to see whether it changed.
    #[code(other)]
    Other,
}

/// Result of an amendment.
#[derive(Debug, Answer)]
pub struct LearnerAmendmentResult {
    /// Outcome of the amendment.
    pub outcome: LearnerAmendmentOutcome,
    /// Code returned by LRS: of the update if one was sent, otherwise of the search for the record.
    #[answer(example = "WSRC0006")]
    pub lrs_code: LrsCode,
    /// With `UPDATED`, the record as it was written. It has no `versionNumber` and no `lastUpdatedDate`, which LRS does not return. With
    /// `NO_CHANGES`, the record as LRS holds it. With `LINKED_LEARNER`, the master record. Absent with other outcomes.
    pub learner: Option<Learner>,
    /// Hints about texts of the request that look like other texts. Absent if there is none.
    pub warnings: Option<Vec<FieldWarning>>,
}

pub(crate) struct AmendLearnerDocs;

/// Amend a learner
///
/// Changes and clears the fields that you name, and no others. The gateway reads the learner's record, applies the amendment, and writes the
/// complete record with the version that it read. All other fields are written back exactly as LRS sent them, also if they have values that
/// a request cannot have.
///
/// If the record changes between the two calls, the gateway reads and writes it once more, unless the other change is in a field of the
/// amendment: then, and if the record changes again, the answer is 409 `stale_version`, and nothing was written. If the amended record lacks a
/// field that LRS requires, the answer is 422 `validation_failed`: add the field to `changes`.
///
/// The gateway sends each update to LRS once. If LRS's response is lost, the problem has `outcomeUnknown`: repeat the request with the same
/// `Idempotency-Key`. The gateway then reads the record first. If it has the values of the amendment, the outcome is `UPDATED`, and `lrsCode`
/// is the code of the search. If it finds no record, the answer is 409 `stale_version` with `outcomeUnknown`.
#[utoipa::path(post, path = "", impl_for = AmendLearnerDocs,
    request_body(content_type = "application/json", example = json!({
        "uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill",
        "changes": {"familyName": "O'Neill-Rees", "previousFamilyName": "O'Neill"}, "clear": ["emailAddress"]
    })),
    responses(
        (status = 200, description = "The record has the values of the amendment, or no record was changed.", body = LearnerAmendmentResult,
            examples(
                ("updated" = (summary = "The record was amended", value = json!({
                    "outcome": "UPDATED", "lrsCode": "WSRC0006", "learner": {
                        "createdDate": "2019-09-02", "uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill-Rees",
                        "previousFamilyName": "O'Neill", "lastKnownPostCode": "ZZ99 9ZZ", "dateOfBirth": "2003-04-05", "gender": "FEMALE",
                        "verificationType": "PASSPORT", "tierLevel": "0", "abilityToShare": "SEEN_SHARE", "learnerStatus": "1",
                        "linkedUlns": []
                    }
                }))),
                ("noChanges" = (summary = "The record already has these values", value = json!({
                    "outcome": "NO_CHANGES", "lrsCode": "WSRC0004", "learner": {
                        "createdDate": "2019-09-02", "lastUpdatedDate": "2023-01-16", "uln": "3000000126", "givenName": "Ana",
                        "familyName": "O'Neill-Rees", "previousFamilyName": "O'Neill", "lastKnownPostCode": "ZZ99 9ZZ",
                        "dateOfBirth": "2003-04-05", "gender": "FEMALE", "verificationType": "PASSPORT", "tierLevel": "0",
                        "abilityToShare": "SEEN_SHARE", "learnerStatus": "1", "linkedUlns": [], "versionNumber": 4
                    }
                }))),
                ("noMatch" = (summary = "No such learner", value = json!({"outcome": "NO_MATCH", "lrsCode": "WSRC0001"}))),
                ("linkedLearner" = (summary = "The record was merged into another", value = json!({
                    "outcome": "LINKED_LEARNER", "lrsCode": "WSRC0022", "learner": {
                        "createdDate": "2019-09-02", "lastUpdatedDate": "2023-01-16", "uln": "3000000487", "masterSubstituted": "Y",
                        "givenName": "Ana", "familyName": "O'Neill", "lastKnownPostCode": "ZZ99 9ZZ", "dateOfBirth": "2003-04-05",
                        "gender": "FEMALE", "verificationType": "PASSPORT", "tierLevel": "0", "abilityToShare": "SEEN_SHARE",
                        "learnerStatus": "1", "linkedUlns": ["3000000126"], "versionNumber": 7
                    }
                }))),
                ("possibleMatches" = (summary = "LRS did not identify one learner", value = json!({
                    "outcome": "POSSIBLE_MATCHES", "lrsCode": "WSRC0003"
                }))),
                ("tooManyMatches" = (summary = "Too many learners", value = json!({
                    "outcome": "TOO_MANY_MATCHES", "lrsCode": "WSRC0002"
                }))),
                ("other" = (summary = "Undocumented code", value = json!({"outcome": "OTHER", "lrsCode": "WSRC0999"})))
            ))
    )
)]
pub async fn amend_learner(
    state: State,
    caller: Caller<LearnersWrite>,
    idempotency_key: IdempotencyKey,
    body: Body<LearnerAmendment>,
) -> Result<HttpResponse, ProblemOf<(LrsCall<RecordSearch>, LrsCall<RecordUpdate<'static>>)>> {
    let (lrs, context, Body { value: amendment, digest, warnings, .. }) = (state.lrs.clone(), caller.context().clone(), body);
    let work = async move |attempt: WorkAttempt| {
        let deadline = Instant::now() + lrs.timeout();
        let work = Work { lrs: &lrs, context: &context, amendment: &amendment, attempt: &attempt, deadline };
        let result = work.amend().await?;
        Ok(HttpResponse::Ok().json(LearnerAmendmentResult { warnings: warnings.into_list(), ..result }))
    };
    Ok(idempotency_key.run(&state, &caller, digest, work).await?)
}

/// One attempt to amend a record. All its calls share the deadline of one call.
struct Work<'a> {
    lrs: &'a Lrs,
    context: &'a CallContext,
    amendment: &'a LearnerAmendment,
    attempt: &'a WorkAttempt,
    deadline: Instant,
}

/// The record that LRS found.
struct Found {
    code: LrsCode,
    record: RegisterRecord,
    version_number: i32,
}

/// What a search for the record leads to.
enum Reading {
    /// The learner's own record, which may be amended.
    Record(Box<Found>),
    /// Any other outcome: nothing may be written.
    End(Box<LearnerAmendmentResult>),
}

impl Work<'_> {
    async fn amend(&self) -> Result<LearnerAmendmentResult, Problem> {
        let first = match self.read_first().await? {
            Reading::Record(found) => found,
            Reading::End(result) => return self.without_record(*result),
        };
        if first.record.holds(self.amendment) {
            return Ok(self.unchanged(*first));
        }
        match self.write(&first).await {
            Err(WriteError::Stale(_)) => {}
            Err(WriteError::Problem(problem)) => return Err(problem),
            Ok(result) => return Ok(result),
        }
        let second = match self.read(&self.amendment.given_name, &self.amendment.family_name).await? {
            Reading::Record(found) => found,
            Reading::End(result) if result.outcome == LearnerAmendmentOutcome::NoMatch => return Err(renamed()),
            Reading::End(result) => return self.without_record(*result),
        };
        let conflicts = second.record.conflicts(&first.record, self.amendment);
        if !conflicts.is_empty() {
            return Err(conflict(&conflicts));
        }
        if second.record.holds(self.amendment) {
            return Ok(self.unchanged(*second));
        }
        self.write(&second).await.map_err(|error| match error {
            WriteError::Stale(error) => Problem::from(error),
            WriteError::Problem(problem) => problem,
        })
    }

    /// Returns the result of an amendment without a record to write. An earlier attempt with an unknown outcome may have written it: then the
    /// answer must not be stored as the outcome.
    fn without_record(&self, result: LearnerAmendmentResult) -> Result<LearnerAmendmentResult, Problem> {
        let is_known = !self.attempt.is_retry || result.outcome == LearnerAmendmentOutcome::LinkedLearner;
        if is_known { Ok(result) } else { Err(not_found_again()) }
    }

    /// Reads the record. If an earlier attempt may have changed the names, the learner may be found with the new names only. LRS may call the
    /// learner with the former names a possible match.
    async fn read_first(&self) -> Result<Reading, Problem> {
        let LearnerAmendment { given_name, family_name, changes, .. } = self.amendment;
        let reading = self.read(given_name, family_name).await?;
        let is_missing = matches!(&reading, Reading::End(result)
            if matches!(result.outcome, LearnerAmendmentOutcome::NoMatch | LearnerAmendmentOutcome::PossibleMatches));
        let new_given_name = changes.as_ref().and_then(|changes| changes.given_name.as_ref());
        let new_family_name = changes.as_ref().and_then(|changes| changes.family_name.as_ref());
        if !self.attempt.is_retry || !is_missing || (new_given_name.is_none() && new_family_name.is_none()) {
            return Ok(reading);
        }
        self.read(new_given_name.unwrap_or(given_name), new_family_name.unwrap_or(family_name)).await
    }

    /// Reads the record of the learner with the ULN and these names.
    async fn read(&self, given_name: &Name, family_name: &Name) -> Result<Reading, Problem> {
        let search = UlnSearch {
            uln: self.amendment.uln.clone(),
            given_name: given_name.clone(),
            family_name: family_name.clone(),
            find_type: FindType::Full,
        };
        let response = self.lrs.call_before(self.context, &RecordSearch(search), self.deadline).await?;
        let (code, record) = (response.found.response_code, response.records.into_iter().next());
        let outcome = match (LearnerSearchOutcome::from_code(&code), record) {
            (LearnerSearchOutcome::ExactMatch, Some(record)) if !is_of_master(&record.learner) => {
                if let Some(version_number) = record.learner.version_number
                    && record.learner.uln.known() == Some(&self.amendment.uln)
                {
                    return Ok(Reading::Record(Box::new(Found { code, record, version_number })));
                }
                LearnerAmendmentOutcome::Other
            }
            (LearnerSearchOutcome::ExactMatch | LearnerSearchOutcome::LinkedLearner, record) => {
                let (outcome, learner) = (LearnerAmendmentOutcome::LinkedLearner, record.map(|record| record.learner));
                return Ok(Reading::End(Box::new(LearnerAmendmentResult { outcome, lrs_code: code, learner, warnings: None })));
            }
            (LearnerSearchOutcome::NoMatch, _) => LearnerAmendmentOutcome::NoMatch,
            (LearnerSearchOutcome::PossibleMatches, _) => LearnerAmendmentOutcome::PossibleMatches,
            (LearnerSearchOutcome::TooManyMatches, _) => LearnerAmendmentOutcome::TooManyMatches,
            (LearnerSearchOutcome::Other, _) => LearnerAmendmentOutcome::Other,
        };
        Ok(Reading::End(Box::new(LearnerAmendmentResult { outcome, lrs_code: code, learner: None, warnings: None })))
    }

    /// Returns the result if the record has all values of the amendment and nothing is written.
    fn unchanged(&self, found: Found) -> LearnerAmendmentResult {
        let (outcome, learner) = (self.outcome_without_changes(), Some(found.record.learner));
        LearnerAmendmentResult { outcome, lrs_code: found.code, learner, warnings: None }
    }

    /// Returns the outcome if the record has all values of the amendment: an earlier attempt with an unknown outcome has written them.
    const fn outcome_without_changes(&self) -> LearnerAmendmentOutcome {
        if self.attempt.is_retry { LearnerAmendmentOutcome::Updated } else { LearnerAmendmentOutcome::NoChanges }
    }

    /// Writes the amended record with the version that was read.
    async fn write(&self, found: &Found) -> Result<LearnerAmendmentResult, WriteError> {
        let record = found.record.amended(self.amendment).map_err(unwritable)?;
        // A write that is cut off has an unknown outcome: it is not started without enough time for LRS.
        if self.deadline.saturating_duration_since(Instant::now()) < self.lrs.timeout() / MIN_WRITE_TIME_DIVISOR {
            return Err(too_late().into());
        }
        let update = RecordUpdate { record: &record, version_number: found.version_number };
        let reservation = self.attempt.reservation.as_ref();
        let response = self.lrs.call_while_reserved_before(self.context, &update, reservation, self.deadline).await;
        let lrs_code = response.map_err(|error| WriteError::new(error, &record))?.response_code;
        let (outcome, learner) = match LearnerUpdateOutcome::from_code(&lrs_code) {
            LearnerUpdateOutcome::Updated => (LearnerAmendmentOutcome::Updated, Some(record.learner)),
            LearnerUpdateOutcome::NoChanges => (self.outcome_without_changes(), Some(found.record.learner.clone())),
            LearnerUpdateOutcome::Other => (LearnerAmendmentOutcome::Other, None),
        };
        Ok(LearnerAmendmentResult { outcome, lrs_code, learner, warnings: None })
    }
}

/// The part of the time of a call that must be left for an update, as a divisor.
const MIN_WRITE_TIME_DIVISOR: u32 = 4;

/// The reason why a record was not written.
enum WriteError {
    /// LRS rejected the version.
    Stale(CallError),
    /// Any other reason.
    Problem(Problem),
}

impl WriteError {
    /// Returns the reason why LRS did not save the record.
    fn new(error: CallError, record: &RegisterRecord) -> Self {
        match error.error {
            LrsError::Rejected(Rejection::StaleVersion, _) => Self::Stale(error),
            _ => Self::Problem(problem_with_absent_fields(error, "/changes", || record.absent_fields())),
        }
    }
}

impl From<Problem> for WriteError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Returns `true` for the master record of another record.
fn is_of_master(learner: &Learner) -> bool {
    learner.master_substituted.as_ref().is_some_and(|substituted| substituted.reveal().trim().eq_ignore_ascii_case("Y"))
}

fn unwritable(errors: Vec<FieldError>) -> Problem {
    let detail = "The amended record would lack a field that LRS requires, or has one that cannot be written back. Nothing was changed. \
        Correct the fields listed in `errors`.";
    Problem::from_field_errors(errors).detail(detail)
}

fn conflict(fields: &[&str]) -> Problem {
    let fields = fields.join(", ");
    let detail = format!(
        "Another update changed fields of the amendment after the gateway had read the record: {fields}. Nothing was written. Read the record, \
         and amend it again if the change is still wanted."
    );
    Problem::new(Code::StaleVersion).detail(detail)
}

fn renamed() -> Problem {
    let detail = "Another update changed the record after the gateway had read it, and LRS no longer finds it with these names. Nothing was \
        written. Find the learner, and amend the record with its new names.";
    Problem::new(Code::StaleVersion).detail(detail)
}

fn not_found_again() -> Problem {
    Problem::new(Code::StaleVersion).outcome_unknown(
        "An earlier request with this Idempotency-Key may have changed the record, and LRS does not find it now, neither with the names of the \
         request nor with new names in `changes`. Nothing was written now. Search by demographics, and compare the record with the amendment.",
    )
}

fn too_late() -> Problem {
    let detail =
        "LRS took so long to return the record that too little time was left for the update. Nothing was written. Try again later.";
    Problem::new(Code::LrsTimeout).detail(detail)
}
