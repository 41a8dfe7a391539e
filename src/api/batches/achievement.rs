//! Achievement batches of awarding organisations.

use actix_web::HttpResponse;
use serde_json::json;

use crate::api::batches::answers::BatchAccepted;
use crate::api::batches::operations::{Submission, find, submit_once};
use crate::api::batches::resource::{BatchExample, BatchResource};
use crate::api::batches::work::{BatchWork, ReadJob, Submit};
use crate::api::description::EXAMPLE_BATCH_ID;
use crate::api::extract::Body;
use crate::api::extract::idempotency::IdempotencyKey;
use crate::api::extract::path::PartPath;
use crate::api::extract::prefer::PreferWait;
use crate::api::json::Json;
use crate::api::work::ProblemOf;
use crate::app::State;
use crate::auth::Caller;
use crate::auth::scope::AchievementBatches;
use crate::batches::BatchSettings;
use crate::batches::kinds::achievement::{AchievementAcceptance, Achievements};
use crate::batches::metadata::BatchMetadata;
use crate::batches::model::{Batch, BatchStatus, Part};
use crate::batches::partition::Parts;
use crate::batches::result_matching::RecordResult;
use crate::domain::{AchievementJob, EXAMPLE_LEARNER, EmailAddress, Personal, SubmissionType};
use crate::problem::{Code, Problem};
use crate::schema::{Answer, CodeList, Request, Scalar as _};

/// Maximum size of a submission, in bytes: 100,000 achievements.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Achievements to create, update, withdraw or reinstate.
#[derive(Debug, Request)]
pub struct AchievementBatch {
    /// Type of the submission.
    pub submission_type: SubmissionType,
    /// Address that LRS notifies when a job is complete.
    pub notify_email: Option<EmailAddress>,
    /// Achievements. The operator sets the maximum number; the default is 100,000.
    pub achievements: Parts<Achievements>,
}

/// Result for one achievement. LRS returns no result per achievement, only counters and a file of those that it rejected.
#[derive(Debug, Answer)]
#[answer(examples = EXAMPLE_LEARNER)]
pub struct AchievementBatchResult {
    /// Position of the record in the batch, from 0.
    #[answer(example = 0)]
    pub position: Option<u32>,
    /// Your identifier of the record.
    #[answer(example = "CAND-7")]
    pub mis_identifier: Option<Personal<String>>,
    /// Outcome for the achievement.
    pub outcome: AchievementBatchOutcome,
    /// Code for the job, as returned by LRS.
    #[answer(example = "WSRC9999")]
    pub lrs_code: Option<String>,
    /// Lines of LRS's error file that name this achievement and no other, as written by LRS.
    #[answer(example = ["1,3000000126,no such learner"])]
    pub errors: Vec<Personal<String>>,
}

/// Page of results.
#[derive(Debug, Answer)]
pub struct AchievementBatchResultPage {
    /// Identifier of the batch.
    #[answer(example = EXAMPLE_BATCH_ID)]
    pub batch_id: String,
    /// Status of the batch.
    pub status: BatchStatus,
    /// Results that are available, in the order of the submission.
    pub results: Vec<AchievementBatchResult>,
    /// `cursor` of the next page. Absent if no more results are available now.
    #[answer(example = "1-1000")]
    pub next: Option<String>,
}

/// Outcome for one achievement of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
pub enum AchievementBatchOutcome {
    /// LRS accepted all achievements of the job, or all that its error file does not name.
    Accepted,
    /// Lines of LRS's error file name this achievement.
    Rejected,
    /// LRS's counters and its error file do not show whether LRS accepted the achievement. Read the part's job for both.
    Undetermined,
    /// The gateway knows of no job for the part. The part's `reason` states the cause: after `DISCARDED`, LRS may have the records.
    NotProcessed,
}

impl BatchResource for Achievements {
    type Scope = AchievementBatches;

    const PATH: &'static str = "achievement-batches";
    const RECORDS_POINTER: &'static str = "/achievements";
    const REQUIRES_ORGANISATION_REF: bool = true;
    /// LRS numbers achievement jobs with 32 bits (LRS-CONTRACT 2.16, 8.4).
    const MAX_JOB_ID: i64 = i32::MAX as i64;

    type ResultAnswer = AchievementBatchResult;
    type ResultsPage = AchievementBatchResultPage;

    fn max_records(settings: &BatchSettings) -> usize {
        settings.max_achievements
    }

    fn result_answer(result: RecordResult<AchievementAcceptance>, part: &Part) -> AchievementBatchResult {
        let (outcome, errors) = match result.result {
            None if part.job_id.is_none() => (AchievementBatchOutcome::NotProcessed, Vec::new()),
            Some(AchievementAcceptance::Accepted) => (AchievementBatchOutcome::Accepted, Vec::new()),
            Some(AchievementAcceptance::Rejected(lines)) => (AchievementBatchOutcome::Rejected, lines),
            Some(AchievementAcceptance::Undetermined) | None => (AchievementBatchOutcome::Undetermined, Vec::new()),
        };
        AchievementBatchResult {
            position: result.position,
            mis_identifier: result.mis_identifier,
            outcome,
            lrs_code: part.plain_code().map(str::to_owned),
            errors,
        }
    }

    fn results_page(batch: &Batch, results: Vec<AchievementBatchResult>, next: Option<String>) -> AchievementBatchResultPage {
        AchievementBatchResultPage { batch_id: batch.id.to_string(), status: batch.status(), results, next }
    }

    fn csv_columns() -> Vec<String> {
        ["position", "misIdentifier", "outcome", "lrsCode", "errors"].map(str::to_owned).to_vec()
    }

    fn example() -> BatchExample {
        BatchExample {
            lrs_code: None,
            counts: json!({"numberOfRecords": 1, "achievementsCreated": 1}),
            results: vec![json!({"position": 0, "misIdentifier": "CAND-7", "outcome": "ACCEPTED", "errors": []})],
        }
    }
}

pub(crate) struct SubmitBatchDocs;

/// Submit an achievement batch
///
/// Submits any number of achievements in one request. The gateway divides the batch into LRS jobs, sends them and tracks them. LRS may need 48
/// hours for a job. The gateway validates all records first, and accepts none if one has an error. After the answer 202, the batch is stored
/// and will be processed even if a gateway process stops.
///
/// A job is never sent twice without your decision. If LRS's response is lost, the part becomes `UNCONFIRMED`: decide with `resubmit` or
/// `discard`. The answer has warnings for texts that look like other texts, and for records with the `misIdentifier` of an earlier record, or
/// with the same ULN, qualification, award date, provider and action. With `Prefer: wait=N`, the gateway answers when the batch is finished, but after N seconds at the latest.
#[utoipa::path(post, path = "", impl_for = SubmitBatchDocs,
    request_body(content_type = "application/json", example = json!({"submissionType": "FINAL", "achievements": [{
        "action": "CREATE", "actionDate": "2026-07-01", "achievementAwardDate": "2026-06-30", "uln": "3000000126", "givenName": "Ana",
        "familyName": "O'Neill", "dateOfBirth": "2003-04-05", "providerUkprn": "10012345",
        "unitOrQualificationReferenceNumber": "600/0001/1", "grade": "Pass", "misIdentifier": "CAND-7"
    }]})),
    responses(BatchAccepted)
)]
pub async fn submit_batch(
    state: State,
    caller: Caller<AchievementBatches>,
    idempotency_key: IdempotencyKey,
    wait: PreferWait,
    body: Body<AchievementBatch, MAX_BYTES>,
) -> Result<HttpResponse, ProblemOf<BatchWork<Achievements, Submit>>> {
    let Body { value: AchievementBatch { submission_type, notify_email, achievements }, digest, warnings, memory } = body;
    let notify_email = notify_email.filter(|address| !address.text().is_empty());
    let metadata = BatchMetadata { submission_type: Some(submission_type), notify_email, ..BatchMetadata::submitted_by(&caller) };
    let (context, warnings) = (caller.context().clone(), warnings.into_list());
    let submission = Submission { context, metadata, records: achievements, memory, warnings };
    Ok(submit_once(&state, idempotency_key, digest, submission, wait).await?)
}

pub(crate) struct GetJobDocs;

/// Read an achievement job
///
/// Returns the LRS job of a part: its status, its counters and its file of rejected achievements, as written by LRS when the gateway last
/// polled the job.
#[utoipa::path(get, path = "", impl_for = GetJobDocs,
    responses((status = 200, description = "Achievement job as returned by LRS.", body = AchievementJob))
)]
pub async fn get_job(
    state: State,
    caller: Caller<AchievementBatches>,
    path: PartPath,
) -> Result<Json<AchievementJob>, ProblemOf<BatchWork<Achievements, ReadJob>>> {
    let batch = find::<Achievements>(&state.batches, &caller, path.batch_id).await?;
    let output = state.batches.job_output::<Achievements>(&batch, path.part).await?;
    let not_found =
        || Problem::new(Code::NotFound).detail("The gateway has not polled the job of this part yet, or there is no such part.");
    Ok(output.and_then(|output| output.job).map(Json).ok_or_else(not_found)?)
}
