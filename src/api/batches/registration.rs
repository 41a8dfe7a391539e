//! Registration batches.

use actix_web::HttpResponse;
use serde_json::json;
use utoipa::PartialSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use crate::api::batches::answers::BatchAccepted;
use crate::api::batches::operations::{Submission, submit_once};
use crate::api::batches::resource::{BatchExample, BatchResource, is_processed};
use crate::api::batches::work::{BatchWork, Submit};
use crate::api::description::EXAMPLE_BATCH_ID;
use crate::api::extract::Body;
use crate::api::extract::idempotency::IdempotencyKey;
use crate::api::extract::prefer::PreferWait;
use crate::api::work::ProblemOf;
use crate::app::State;
use crate::auth::Caller;
use crate::auth::scope::RegistrationBatches;
use crate::batches::BatchSettings;
use crate::batches::kinds::registration::Registrations;
use crate::batches::metadata::BatchMetadata;
use crate::batches::model::{Batch, BatchStatus, Part};
use crate::batches::partition::Parts;
use crate::batches::result_matching::RecordResult;
use crate::domain::{BatchLearnerResult, EXAMPLE_LEARNER, Extensible, JobType, MAY_CHANGE_RECORD, NEEDED_FOR_A_ULN, Personal, Uln};
use crate::lrs::response_codes::{LearnerReturn, LrsCode};
use crate::schema::{Answer, CodeList, Request};

/// Maximum size of a submission, in bytes: 20,000 learners with all commonly used fields.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;

/// LRS's code for a learner with insufficient data.
const INSUFFICIENT_DATA: &str = "RC006";

/// Learners to register or to search for.
#[derive(Debug, Request)]
pub struct RegistrationBatch {
    /// Job type. `FULL` may change existing records: the answer has a warning for each learner that you send with a `uln`.
    pub job_type: JobType,
    /// Learners. The operator sets the maximum number; the default is 20,000.
    pub learners: Parts<Registrations>,
}

/// Result for one learner.
#[derive(Debug, Answer)]
#[answer(examples = EXAMPLE_LEARNER)]
pub struct RegistrationBatchResult {
    /// Position of the record in the batch, from 0. Absent if LRS returned a learner that cannot be matched to one record.
    #[answer(example = 0)]
    pub position: Option<u32>,
    /// Your identifier of the record.
    #[answer(example = "STU-17")]
    pub mis_identifier: Option<Personal<String>>,
    /// Outcome, as far as LRS's public codes define it.
    pub outcome: RegistrationBatchOutcome,
    /// Code for the learner, as returned by LRS. If the part was not processed, the code for the part.
    #[answer(example = "RC001")]
    pub lrs_code: Option<String>,
    /// ULN that LRS returned for a learner submitted without one. A ULN that you submitted and LRS repeats is in `learner`.
    pub uln: Option<Extensible<Uln>>,
    /// Fields that the record lacks and that LRS requires of a learner who is registered alone. Only with `RC006`, LRS's code for insufficient data,
    /// and only of a record without a ULN.
    #[answer(example = ["lastKnownPostCode"])]
    pub missing_fields: Option<Vec<&'static str>>,
    /// Learner as returned by LRS. Its `uln` is absent with the outcome `EXCEPTION` and with an undocumented code: it might be another
    /// learner's.
    pub learner: Option<BatchLearnerResult>,
}

/// Page of results.
#[derive(Debug, Answer)]
pub struct RegistrationBatchResultPage {
    /// Identifier of the batch.
    #[answer(example = EXAMPLE_BATCH_ID)]
    pub batch_id: String,
    /// Status of the batch.
    pub status: BatchStatus,
    /// Results that are available, in the order of the submission.
    pub results: Vec<RegistrationBatchResult>,
    /// `cursor` of the next page. Absent if no more results are available now.
    #[answer(example = "1-1000")]
    pub next: Option<String>,
}

/// Outcome for one learner of a registration batch. LRS has published the meanings of some codes only.
// LRS-CONTRACT 3.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
pub enum RegistrationBatchOutcome {
    /// LRS returned a ULN for a learner submitted without one.
    UlnReturned,
    /// LRS could not decide (`RC006` to `RC013`). There is no ULN: a person searches for the learner and chooses or registers, or resolves the
    /// exception in the LRS portal.
    Exception,
    /// LRS created a job for the part, but returned no result for this record.
    NoResult,
    /// The gateway knows of no job for the part. The part's `reason` states the cause: after `DISCARDED`, LRS may have the records.
    NotProcessed,
    /// Another code, or a learner submitted with a ULN. The answer states the code in `lrsCode`.
    Other,
}

impl RegistrationBatchOutcome {
    const fn of_learner(learner: &BatchLearnerResult, learner_return: LearnerReturn, was_sent_with_uln: bool) -> Self {
        match learner_return {
            LearnerReturn::Exception => Self::Exception,
            LearnerReturn::Processed if learner.uln.is_some() && !was_sent_with_uln => Self::UlnReturned,
            LearnerReturn::Processed | LearnerReturn::Undocumented => Self::Other,
        }
    }

    const fn without_result(part: &Part) -> Self {
        if is_processed(part) { Self::NoResult } else { Self::NotProcessed }
    }
}

impl BatchResource for Registrations {
    type Scope = RegistrationBatches;

    const PATH: &'static str = "registration-batches";
    const RECORDS_POINTER: &'static str = "/learners";

    type ResultAnswer = RegistrationBatchResult;
    type ResultsPage = RegistrationBatchResultPage;

    fn max_records(settings: &BatchSettings) -> usize {
        settings.max_learners
    }

    fn result_answer(result: RecordResult<BatchLearnerResult>, part: &Part) -> RegistrationBatchResult {
        let RecordResult { position, mis_identifier, has_uln, lacks, result } = result;
        let Some(mut learner) = result else {
            let outcome = RegistrationBatchOutcome::without_result(part);
            return RegistrationBatchResult {
                position,
                mis_identifier,
                outcome,
                lrs_code: part.plain_code().map(str::to_owned),
                uln: None,
                missing_fields: None,
                learner: None,
            };
        };
        let code = LrsCode::new(learner.return_code.as_deref().unwrap_or_default());
        let learner_return = code.learner_return();
        let missing: Vec<&str> = NEEDED_FOR_A_ULN.into_iter().zip(lacks).filter(|(_, lacks)| *lacks).map(|(name, _)| name).collect();
        let missing_fields = Some(missing).filter(|missing| code.matches(INSUFFICIENT_DATA) && !missing.is_empty());
        if learner_return != LearnerReturn::Processed {
            // It may be a candidate's. The caller knows a ULN that it submitted itself.
            learner.uln = None;
        }
        let outcome = RegistrationBatchOutcome::of_learner(&learner, learner_return, has_uln);
        let uln = learner.uln.clone().filter(|_| outcome == RegistrationBatchOutcome::UlnReturned);
        let lrs_code = learner.return_code.clone();
        RegistrationBatchResult { position, mis_identifier, outcome, lrs_code, uln, missing_fields, learner: Some(learner) }
    }

    fn results_page(batch: &Batch, results: Vec<RegistrationBatchResult>, next: Option<String>) -> RegistrationBatchResultPage {
        RegistrationBatchResultPage { batch_id: batch.id.to_string(), status: batch.status(), results, next }
    }

    fn csv_columns() -> Vec<String> {
        let own = ["position", "misIdentifier", "outcome", "lrsCode", "uln", "missingFields"].map(str::to_owned);
        // The result has these fields of the learner itself.
        let own_of_learner = ["misIdentifier", "returnCode"];
        let learner = learner_fields().into_iter().filter(|field| !own_of_learner.contains(&field.as_str()));
        own.into_iter().chain(learner.map(|field| format!("learner.{field}"))).collect()
    }

    fn example() -> BatchExample {
        BatchExample {
            lrs_code: Some("WSRC0009"),
            counts: json!({"newLearnersCount": 1}),
            results: vec![json!({
                "position": 0, "misIdentifier": "STU-17", "outcome": "ULN_RETURNED", "uln": "3000000371", "learner": {
                    "uln": "3000000371", "misIdentifier": "STU-17", "givenName": "Gwenllian", "familyName": "Ó Briain-Price",
                    "lastKnownPostCode": "ZZ7 7JJ", "dateOfBirth": "2005-07-21", "gender": "FEMALE", "abilityToShare": "SEEN_SHARE",
                    "verificationType": "PASSPORT"
                }
            })],
        }
    }
}

/// Returns the names of the fields of a learner in JSON, in the order of the OpenAPI document.
fn learner_fields() -> Vec<String> {
    match <BatchLearnerResult as PartialSchema>::schema() {
        RefOr::T(Schema::Object(learner)) => learner.properties.into_keys().collect(),
        _ => Vec::new(),
    }
}

pub(crate) struct SubmitBatchDocs;

/// Submit a registration batch
///
/// Registers any number of learners in one request. The gateway divides the batch into LRS jobs, sends them, tracks them, and returns the
/// results in the order of your records. It validates all records first, and accepts none if one has an error. After the answer 202, the batch
/// is stored and will be processed even if a gateway process stops.
///
/// If LRS's response to a job is lost, a `CHECK` is sent again automatically. A `FULL` is never sent twice without your decision, because a
/// second registration can give a learner two ULNs: the part becomes `RECONCILING`. After a pause, a `CHECK` job of the same records shows
/// whether LRS has them. If all learners are registered, the part is `COMPLETE`; otherwise it is `UNCONFIRMED`, and you decide with `resubmit`
/// or `discard`.
///
/// LRS intends batches for obtaining ULNs, not for updating learners. A `FULL` may nevertheless change records that LRS holds: the answer has a
/// warning for each learner that you send with a `uln`. It also has warnings for texts that look like other texts, and for learners with the
/// `misIdentifier` or the ULN of an earlier learner. With `Prefer: wait=N`, the gateway answers when the batch is finished, but after N seconds at the latest.
#[utoipa::path(post, path = "", impl_for = SubmitBatchDocs,
    request_body(content_type = "application/json", example = json!({"jobType": "FULL", "learners": [{
        "misIdentifier": "STU-17", "givenName": "Gwenllian", "familyName": "Ó Briain-Price", "dateOfBirth": "2005-07-21",
        "gender": "FEMALE", "lastKnownPostCode": "ZZ7 7JJ", "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE"
    }]})),
    responses(BatchAccepted)
)]
pub async fn submit_batch(
    state: State,
    caller: Caller<RegistrationBatches>,
    idempotency_key: IdempotencyKey,
    wait: PreferWait,
    body: Body<RegistrationBatch, MAX_BYTES>,
) -> Result<HttpResponse, ProblemOf<BatchWork<Registrations, Submit>>> {
    let Body { value: RegistrationBatch { job_type, learners }, digest, warnings, memory } = body;
    let metadata = BatchMetadata { job_type: Some(job_type), ..BatchMetadata::submitted_by(&caller) };
    let warnings = if job_type == JobType::Full { warnings } else { warnings.without(&MAY_CHANGE_RECORD) };
    let (context, warnings) = (caller.context().clone(), warnings.into_list());
    let submission = Submission { context, metadata, records: learners, memory, warnings };
    Ok(submit_once(&state, idempotency_key, digest, submission, wait).await?)
}
