//! Verification batches.

use actix_web::HttpResponse;
use serde_json::json;

use crate::api::batches::answers::BatchAccepted;
use crate::api::batches::operations::{Submission, submit_once};
use crate::api::batches::resource::{BatchExample, BatchResource, is_processed};
use crate::api::batches::work::{BatchWork, Submit};
use crate::api::description::EXAMPLE_BATCH_ID;
use crate::api::extract::Body;
use crate::api::extract::idempotency::IdempotencyKey;
use crate::api::extract::prefer::PreferWait;
use crate::api::verify_learners::{LearnerVerificationOutcome, LearnerVerificationResult};
use crate::api::work::ProblemOf;
use crate::app::State;
use crate::auth::Caller;
use crate::auth::scope::VerificationBatches;
use crate::batches::BatchSettings;
use crate::batches::kinds::verification::Verifications;
use crate::batches::metadata::BatchMetadata;
use crate::batches::model::{Batch, BatchStatus, Part};
use crate::batches::partition::Parts;
use crate::batches::result_matching::RecordResult;
use crate::domain::{EXAMPLE_LEARNER, EmailAddress, Extensible, Personal, Uln};
use crate::lrs::services::learner::VerifiedLearner;
use crate::schema::{Answer, CodeList, Request, Scalar as _};

/// Maximum size of a submission, in bytes: far more than 20,000 learners need.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Learners to verify.
#[derive(Debug, Request)]
pub struct VerificationBatch {
    /// Learners. The operator sets the maximum number; the default is 20,000.
    pub learners: Parts<Verifications>,
    /// Address that LRS notifies when a job is complete.
    pub notify_email: Option<EmailAddress>,
}

/// Result for one learner.
#[derive(Debug, Answer)]
#[answer(examples = EXAMPLE_LEARNER)]
pub struct VerificationBatchResult {
    /// Position of the record in the batch, from 0. Absent if LRS returned a learner that cannot be matched to one record.
    #[answer(example = 0)]
    pub position: Option<u32>,
    /// Your identifier of the record.
    #[answer(example = "STU-17")]
    pub mis_identifier: Option<Personal<String>>,
    /// Outcome. Only `MATCH` and `LINKED_MATCH` confirm that the ULN belongs to the learner.
    pub outcome: VerificationBatchOutcome,
    /// Code for the learner, as returned by LRS. If the part was not processed, the code for the part.
    #[answer(example = "WSVRC001")]
    pub lrs_code: Option<String>,
    /// ULN of the record. If the ULN was merged into another, the ULN of the master record.
    pub uln: Option<Extensible<Uln>>,
    /// Values that LRS compared.
    pub verification: Option<LearnerVerificationResult>,
}

/// Page of results.
#[derive(Debug, Answer)]
pub struct VerificationBatchResultPage {
    /// Identifier of the batch.
    #[answer(example = EXAMPLE_BATCH_ID)]
    pub batch_id: String,
    /// Status of the batch.
    pub status: BatchStatus,
    /// Results that are available, in the order of the submission.
    pub results: Vec<VerificationBatchResult>,
    /// `cursor` of the next page. Absent if no more results are available now.
    #[answer(example = "1-1000")]
    pub next: Option<String>,
}

/// Outcome for one learner of a verification batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
pub enum VerificationBatchOutcome {
    /// All values match the record.
    Match,
    /// All values match the record of a linked learner.
    LinkedMatch,
    /// The names are similar to those in the record.
    SimilarMatch,
    /// The names are similar to those in the record of a linked learner.
    LinkedSimilarMatch,
    /// The values do not match the record of the ULN.
    NoMatch,
    /// No learner has the ULN.
    UlnNotFound,
    /// LRS created a job for the part, but returned no result for this record.
    NoResult,
    /// The gateway knows of no job for the part. The part's `reason` states the cause: after `DISCARDED`, LRS may have the records.
    NotProcessed,
    /// An undocumented code. The answer states it in `lrsCode`.
    Other,
}

impl From<LearnerVerificationOutcome> for VerificationBatchOutcome {
    fn from(outcome: LearnerVerificationOutcome) -> Self {
        match outcome {
            LearnerVerificationOutcome::Match => Self::Match,
            LearnerVerificationOutcome::LinkedMatch => Self::LinkedMatch,
            LearnerVerificationOutcome::SimilarMatch => Self::SimilarMatch,
            LearnerVerificationOutcome::LinkedSimilarMatch => Self::LinkedSimilarMatch,
            LearnerVerificationOutcome::NoMatch => Self::NoMatch,
            LearnerVerificationOutcome::UlnNotFound => Self::UlnNotFound,
            LearnerVerificationOutcome::Other => Self::Other,
        }
    }
}

impl BatchResource for Verifications {
    type Scope = VerificationBatches;

    const PATH: &'static str = "verification-batches";
    const RECORDS_POINTER: &'static str = "/learners";

    type ResultAnswer = VerificationBatchResult;
    type ResultsPage = VerificationBatchResultPage;

    fn max_records(settings: &BatchSettings) -> usize {
        settings.max_learners
    }

    fn result_answer(result: RecordResult<VerifiedLearner>, part: &Part) -> VerificationBatchResult {
        let RecordResult { position, mis_identifier, result, .. } = result;
        let Some(verification) = result.map(LearnerVerificationResult::from) else {
            let outcome = if is_processed(part) { VerificationBatchOutcome::NoResult } else { VerificationBatchOutcome::NotProcessed };
            return VerificationBatchResult {
                position,
                mis_identifier,
                outcome,
                lrs_code: part.plain_code().map(str::to_owned),
                uln: None,
                verification: None,
            };
        };
        VerificationBatchResult {
            position,
            mis_identifier,
            outcome: verification.outcome.into(),
            lrs_code: Some(verification.lrs_code.as_str().to_owned()).filter(|code| !code.is_empty()),
            uln: verification.uln.clone(),
            verification: Some(verification),
        }
    }

    fn results_page(batch: &Batch, results: Vec<VerificationBatchResult>, next: Option<String>) -> VerificationBatchResultPage {
        VerificationBatchResultPage { batch_id: batch.id.to_string(), status: batch.status(), results, next }
    }

    fn csv_columns() -> Vec<String> {
        let own = ["position", "misIdentifier", "outcome", "lrsCode", "uln"].map(str::to_owned);
        let verification = [
            "failures", "searchedUln", "searchedFamilyName", "searchedGivenName", "searchedDateOfBirth", "searchedGender", "familyName",
            "givenName", "dateOfBirth", "gender",
        ];
        own.into_iter().chain(verification.map(|field| format!("verification.{field}"))).collect()
    }

    fn example() -> BatchExample {
        BatchExample {
            lrs_code: Some("WSRC0028"),
            counts: json!({"verifiedLearnersCount": 1}),
            results: vec![json!({
                "position": 0, "misIdentifier": "CAND-7", "outcome": "MATCH", "lrsCode": "WSVRC001", "uln": "3000000126", "verification": {
                    "outcome": "MATCH", "lrsCode": "WSVRC001", "failures": [], "searchedUln": "3000000126", "searchedFamilyName": "O'Neill",
                    "searchedGivenName": "Ana", "searchedDateOfBirth": "2003-04-05", "uln": "3000000126", "familyName": "O'Neill",
                    "givenName": "Ana", "dateOfBirth": "2003-04-05"
                }
            })],
        }
    }
}

pub(crate) struct SubmitBatchDocs;

/// Submit a verification batch
///
/// Verifies any number of learners in one request. The gateway divides the batch into LRS jobs, sends them, tracks them, and returns the
/// results in the order of your records. It validates all records first, and accepts none if one has an error. After the answer 202, the batch
/// is stored and will be processed even if a gateway process stops. If LRS's response to a job is lost, the job is sent again automatically,
/// because a verification changes nothing.
///
/// The answer has warnings for texts that look like other texts, and for records with the `misIdentifier` or the ULN of an earlier record.
///
/// With `Prefer: wait=N`, the gateway answers when the batch is finished, but after N seconds at the latest.
#[utoipa::path(post, path = "", impl_for = SubmitBatchDocs,
    request_body(content_type = "application/json", example = json!({"learners": [{
        "misIdentifier": "CAND-7", "uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill", "dateOfBirth": "2003-04-05"
    }]})),
    responses(BatchAccepted)
)]
pub async fn submit_batch(
    state: State,
    caller: Caller<VerificationBatches>,
    idempotency_key: IdempotencyKey,
    wait: PreferWait,
    body: Body<VerificationBatch, MAX_BYTES>,
) -> Result<HttpResponse, ProblemOf<BatchWork<Verifications, Submit>>> {
    let Body { value: VerificationBatch { learners, notify_email }, digest, warnings, memory } = body;
    let notify_email = notify_email.filter(|address| !address.text().is_empty());
    let metadata = BatchMetadata { notify_email, ..BatchMetadata::submitted_by(&caller) };
    let (context, warnings) = (caller.context().clone(), warnings.into_list());
    let submission = Submission { context, metadata, records: learners, memory, warnings };
    Ok(submit_once(&state, idempotency_key, digest, submission, wait).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::outcome::Outcome as _;
    use crate::lrs::response_codes::LrsCode;

    #[test]
    fn verification_outcome_has_word_of_verify_outcome() {
        for (word, code) in LearnerVerificationOutcome::TABLE.lrs_codes() {
            let outcome = LearnerVerificationOutcome::from_code(&LrsCode::new(code));
            assert_eq!((outcome.word(), VerificationBatchOutcome::from(outcome).word()), (word, word));
        }
        assert_eq!(VerificationBatchOutcome::from(LearnerVerificationOutcome::Other).word(), LearnerVerificationOutcome::Other.word());
    }
}
