//! Registration batches.

use actix_web::web::{Data, Json};
use actix_web::{HttpResponse, delete, get, post};

use crate::api::batches::resource::batch_resource;
use crate::api::batches::results::{self, ResultCursor, ResultFormat, Results, word_without_result};
use crate::api::batches::{self, BatchList, BatchState, TrackJob};
use crate::api::extract::Body;
use crate::api::extract::batch_request::{BatchPath, Pagination, PartPath, PreferWait};
use crate::api::extract::idempotency::{IdempotencyKey, IdempotencyKeyParameter, WorkId};
use crate::auth::Caller;
use crate::auth::scope::RegistrationBatches;
use crate::batches::batch_kind::{BatchKind as _, BatchMetadata, RecordResult};
use crate::batches::kinds::registration::Registrations;
use crate::batches::model::{Batch, BatchId, BatchStatus, Part};
use crate::batches::partition::Parts;
use crate::batches::{BatchService, Decision};
use crate::domain::{BatchLearnerResult, Extensible, JobType, Personal, Uln};
use crate::lrs::codes::LrsCode;
use crate::lrs::soap::xml_mapping::XmlRecord as _;
use crate::problem::Problem;
use crate::problem::responses::{BatchProblems, DecisionProblems, ResultProblems, SubmitProblems, TrackProblems};
use crate::schema::openapi::{PropertySchema, one_of};
use crate::schema::{answer, camel_case, request};

/// Most bytes of a submission: 20,000 learners with everything that is usually known of them.
const MOST_BYTES: usize = 32 * 1024 * 1024;

request! {
    /// Learners to register, or to look for.
    #[derive(Debug)]
    pub struct RegistrationBatch {
        /// Register, or only look.
        pub job_type: JobType,
        /// The learners: any number up to the operator's limit, 20,000 if nothing else is set.
        pub learners: Parts<Registrations>,
    }
}

answer! {
    /// What became of a learner.
    #[derive(Debug)]
    pub struct RegistrationResult {
        /// Position in the batch, from 0. Absent where LRS gave back a learner and nobody can say which of yours it is.
        pub position: Option<u32>,
        /// Your own name for the record.
        pub mis_identifier: Option<Personal<String>>,
        /// What became of the learner, as far as LRS's public codes say it.
        pub outcome: RegistrationOutcome,
        /// LRS's code, as it came: the learner's; of a part that was not done, the part's.
        pub lrs_code: Option<String>,
        /// The ULN that LRS has for a learner whom you sent without one. What LRS repeats of a ULN you sent is in `learner`.
        pub uln: Option<Extensible<Uln>>,
        /// The learner as LRS gave it back.
        pub learner: Option<BatchLearnerResult>,
    }
}

answer! {
    /// A page of results.
    #[derive(Debug)]
    pub struct RegistrationResults {
        /// Identifies the batch.
        pub batch_id: String,
        /// How far the batch is.
        pub status: BatchStatus,
        /// What became of each learner, in order, as far as it is known.
        pub results: Vec<RegistrationResult>,
        /// Give this as `cursor` to get the next page. Absent when this is all there is now.
        pub next: Option<String>,
    }
}

/// What became of a learner: LRS has published three codes (FACTS 3.4).
#[derive(Debug, Clone, Copy)]
pub struct RegistrationOutcome(&'static str);

impl RegistrationOutcome {
    /// Its names in JSON and LRS's codes for them.
    pub const TABLE: [(&'static str, &'static str); 3] =
        [("INSUFFICIENT_DATA", "RC006"), ("INCORRECT_FORMAT", "RC011"), ("AGE_OUT_OF_RANGE", "RC013")];
    const ULN_RETURNED: &'static str = "ULN_RETURNED";
    const OTHER: &'static str = "OTHER";

    fn of(learner: &BatchLearnerResult, names_uln: bool) -> Self {
        let code = LrsCode::new(learner.return_code.as_deref().unwrap_or_default());
        let known = Self::TABLE.iter().find(|(_, known)| code.is(known)).map(|(word, _)| *word);
        let found = learner.uln.is_some() && !names_uln;
        Self(known.unwrap_or(if found { Self::ULN_RETURNED } else { Self::OTHER }))
    }
}

impl serde::Serialize for RegistrationOutcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl PropertySchema for RegistrationOutcome {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        let [data, format, age] = Self::TABLE.map(|(word, _)| word);
        one_of(&[Self::ULN_RETURNED, data, format, age, results::NO_RESULT, results::NOT_PROCESSED, Self::OTHER])
    }
}

impl Results for Registrations {
    type Answer = RegistrationResult;
    type Page = RegistrationResults;

    fn answer(row: RecordResult<BatchLearnerResult>, part: &Part) -> RegistrationResult {
        let RecordResult { position, mis_identifier, names_uln, result } = row;
        let Some(learner) = result else {
            let outcome = RegistrationOutcome(word_without_result(part));
            return RegistrationResult { position, mis_identifier, outcome, lrs_code: part.code.clone(), uln: None, learner: None };
        };
        let outcome = RegistrationOutcome::of(&learner, names_uln);
        let uln = learner.uln.clone().filter(|_| outcome.0 == RegistrationOutcome::ULN_RETURNED);
        RegistrationResult { position, mis_identifier, outcome, lrs_code: learner.return_code.clone(), uln, learner: Some(learner) }
    }

    fn page(batch: &Batch, results: Vec<RegistrationResult>, next: Option<String>) -> RegistrationResults {
        RegistrationResults { batch_id: batch.id.to_string(), status: batch.status(), results, next }
    }

    fn columns() -> Vec<String> {
        let own = ["position", "misIdentifier", "outcome", "lrsCode", "uln"].map(str::to_owned);
        let repeated = ["mis_identifier", "return_code"];
        let learner = BatchLearnerResult::FIELDS.iter().map(|(_, field)| *field).filter(|field| !repeated.contains(field));
        own.into_iter().chain(learner.map(|field| format!("learner.{}", camel_case(field)))).collect()
    }
}

/// Register many learners
///
/// Any number of learners in one request; the gateway divides them into jobs LRS takes, sends these, follows them, and puts the results
/// together in your order. Everything is checked first: a mistake anywhere, and nothing is accepted. When the answer is 202 the batch is
/// kept, whatever happens to the gateway.
///
/// Every job is sent at most once. If LRS's answer to one is lost, a `CHECK` is sent again by itself; a `FULL` becomes `UNCONFIRMED`,
/// because registering twice may give a learner two ULNs: decide with `resubmit` or `discard`.
///
/// LRS wants batches to be used for obtaining ULNs, not for updating details. With `Prefer: wait=N` the answer comes when the batch is
/// over, but after N seconds at the latest.
#[utoipa::path(
    operation_id = "submitRegistrationBatch",
    tag = "Registration batches",
    security(("bearer" = ["registration-batches"])),
    params(IdempotencyKeyParameter, ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds, 30 at most (RFC 7240).")),
    request_body(content = RegistrationBatch, example = json!({"jobType": "FULL", "learners": [{
        "misIdentifier": "STU-17", "givenName": "Gwenllian", "familyName": "Ó Briain-Price", "dateOfBirth": "2005-07-21",
        "gender": "FEMALE", "lastKnownPostCode": "ZZ7 7JJ", "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE"
    }]})),
    responses(
        (status = 202, description = "The batch is accepted.", body = BatchState,
            headers(
                ("Location" = String, description = "Where the batch is."),
                ("Retry-After" = u64, description = "When it makes sense to ask how far it is, in seconds."),
                ("Preference-Applied" = String, description = "The `Prefer` that was followed."),
                ("Idempotency-Replayed" = bool, description = "`true`: this answer was given before.")
            )),
        SubmitProblems
    )
)]
#[post("/registration-batches")]
pub async fn submit_batch(
    caller: Caller<RegistrationBatches>,
    body: Body<RegistrationBatch, MOST_BYTES>,
    once: IdempotencyKey,
    jobs: Data<BatchService>,
    wait: PreferWait,
) -> Result<HttpResponse, Problem> {
    let Body { value: RegistrationBatch { job_type, learners }, digest } = body;
    let details = BatchMetadata { job_type: Some(job_type), ..BatchMetadata::of(&caller) };
    let actor = caller.context().clone();
    let work = async move |attempt: WorkId| {
        batches::submit(&jobs, ("registration-batches", "/learners"), (&actor, details), learners, (attempt, wait)).await
    };
    once.run("submitRegistrationBatch", &caller, digest, work).await
}

batch_resource! {
    Registrations, scope RegistrationBatches = "registration-batches", tag "Registration batches", name "registration-batches",
    list "listRegistrationBatches" at "/registration-batches",
    get "getRegistrationBatch" at "/registration-batches/{batchId}",
    erase "eraseRegistrationBatch",
    results "getRegistrationBatchResults" at "/registration-batches/{batchId}/results" gives RegistrationResults,
    track "trackRegistrationBatch" at "/registration-batches/track",
    resubmit "resubmitRegistrationBatchPart" at "/registration-batches/{batchId}/parts/{part}/resubmit",
    discard "discardRegistrationBatchPart" at "/registration-batches/{batchId}/parts/{part}/discard",
}
