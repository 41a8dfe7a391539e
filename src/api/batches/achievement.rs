//! Achievement batches of awarding organisations.

use actix_web::web::{Data, Json};
use actix_web::{HttpResponse, delete, get, post};

use crate::api::batches::resource::batch_resource;
use crate::api::batches::results::{self, ResultCursor, ResultFormat, Results};
use crate::api::batches::{self, BatchList, BatchState, TrackJob};
use crate::api::extract::Body;
use crate::api::extract::batch_request::{BatchPath, Pagination, PartPath, PreferWait};
use crate::api::extract::idempotency::{IdempotencyKey, IdempotencyKeyParameter, WorkId};
use crate::auth::Caller;
use crate::auth::scope::AchievementBatches;
use crate::batches::batch_kind::{BatchKind as _, BatchMetadata, RecordResult};
use crate::batches::kinds::achievement::{AchievementResult as Fate, Achievements};
use crate::batches::model::{Batch, BatchId, BatchStatus, Part};
use crate::batches::partition::Parts;
use crate::batches::{BatchService, Decision};
use crate::domain::{AchievementJob, EmailAddress, Personal, SubmissionType};
use crate::problem::responses::{BatchProblems, DecisionProblems, ResultProblems, SubmitProblems, TrackProblems};
use crate::problem::{Code, Problem};
use crate::schema::openapi::{PropertySchema, one_of};
use crate::schema::{Scalar as _, answer, request};

/// Most bytes of a submission: 100,000 achievements.
const MOST_BYTES: usize = 64 * 1024 * 1024;

request! {
    /// Achievements to create, update, withdraw or reinstate.
    #[derive(Debug)]
    pub struct AchievementBatch {
        /// Are they final or provisional?
        pub submission_type: SubmissionType,
        /// Whom LRS tells when a job is done.
        pub notify_email: Option<EmailAddress>,
        /// The achievements: any number up to the operator's limit, 100,000 if nothing else is set.
        pub achievements: Parts<Achievements>,
    }
}

answer! {
    /// What became of an achievement. LRS does not say it of each: it counts, and writes what it did not take into a file.
    #[derive(Debug)]
    pub struct AchievementResult {
        /// Position in the batch, from 0.
        pub position: Option<u32>,
        /// Your own name for the record.
        pub mis_identifier: Option<Personal<String>>,
        /// `ACCEPTED`: LRS took all achievements of its job, by its own counters. `REJECTED`: lines of LRS's error file name this one.
        /// `UNDETERMINED`: LRS took some and not others, or does not say how many, and nothing says that it did not take this one; see the
        /// part's job for the whole file. `NOT_PROCESSED`: LRS made no job of it; the part's `reason` says why.
        pub outcome: AchievementOutcome,
        /// LRS's code of the job, as it came.
        pub lrs_code: Option<String>,
        /// The lines of LRS's error file that name it and no other, as LRS wrote them.
        pub errors: Vec<Personal<String>>,
    }
}

answer! {
    /// A page of results.
    #[derive(Debug)]
    pub struct AchievementResults {
        /// Identifies the batch.
        pub batch_id: String,
        /// How far the batch is.
        pub status: BatchStatus,
        /// What became of each achievement, in order, as far as it is known.
        pub results: Vec<AchievementResult>,
        /// Give this as `cursor` to get the next page. Absent when this is all there is now.
        pub next: Option<String>,
    }
}

/// What became of an achievement.
#[derive(Debug, Clone, Copy)]
pub struct AchievementOutcome(&'static str);

impl AchievementOutcome {
    const ACCEPTED: &'static str = "ACCEPTED";
    const REJECTED: &'static str = "REJECTED";
    const UNDETERMINED: &'static str = "UNDETERMINED";
}

impl serde::Serialize for AchievementOutcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl PropertySchema for AchievementOutcome {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        one_of(&[Self::ACCEPTED, Self::REJECTED, Self::UNDETERMINED, results::NOT_PROCESSED])
    }
}

impl Results for Achievements {
    type Answer = AchievementResult;
    type Page = AchievementResults;

    fn answer(row: RecordResult<Fate>, part: &Part) -> AchievementResult {
        let (outcome, errors) = match row.result {
            None if part.job.is_none() => (results::NOT_PROCESSED, Vec::new()),
            Some(Fate::Accepted) => (AchievementOutcome::ACCEPTED, Vec::new()),
            Some(Fate::Rejected(lines)) => (AchievementOutcome::REJECTED, lines),
            Some(Fate::Undetermined) | None => (AchievementOutcome::UNDETERMINED, Vec::new()),
        };
        AchievementResult {
            position: row.position,
            mis_identifier: row.mis_identifier,
            outcome: AchievementOutcome(outcome),
            lrs_code: part.code.clone(),
            errors,
        }
    }

    fn page(batch: &Batch, results: Vec<AchievementResult>, next: Option<String>) -> AchievementResults {
        AchievementResults { batch_id: batch.id.to_string(), status: batch.status(), results, next }
    }

    fn columns() -> Vec<String> {
        ["position", "misIdentifier", "outcome", "lrsCode", "errors"].map(str::to_owned).to_vec()
    }
}

/// Submit achievements
///
/// Any number of achievements in one request; the gateway divides them into jobs LRS takes, sends these, and follows them; LRS may need
/// 48 hours. Everything is checked first: a mistake anywhere, and nothing is accepted. When the answer is 202 the batch is kept, whatever
/// happens to the gateway.
///
/// Every job is sent at most once. If LRS's answer to one is lost, it becomes `UNCONFIRMED`: decide with `resubmit` or `discard`.
#[utoipa::path(
    operation_id = "submitAchievementBatch",
    tag = "Achievement batches",
    security(("bearer" = ["achievement-batches"])),
    params(IdempotencyKeyParameter, ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds, 30 at most (RFC 7240).")),
    request_body(content = AchievementBatch, example = json!({"submissionType": "FINAL", "achievements": [{
        "action": "CREATE", "actionDate": "2026-07-01", "achievementAwardDate": "2026-06-30", "uln": "3000000126", "givenName": "Ana",
        "familyName": "O'Neill", "dateOfBirth": "2003-04-05", "providerUkprn": "10012345",
        "unitOrQualificationReferenceNumber": "600/0001/1", "grade": "Pass", "misIdentifier": "CAND-7"
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
#[post("/achievement-batches")]
pub async fn submit_batch(
    caller: Caller<AchievementBatches>,
    body: Body<AchievementBatch, MOST_BYTES>,
    once: IdempotencyKey,
    jobs: Data<BatchService>,
    wait: PreferWait,
) -> Result<HttpResponse, Problem> {
    let Body { value: AchievementBatch { submission_type, notify_email, achievements }, digest } = body;
    let notify_email = notify_email.filter(|address| !address.text().is_empty());
    let details = BatchMetadata { submission_type: Some(submission_type), notify_email, ..BatchMetadata::of(&caller) };
    let actor = caller.context().clone();
    let work = async move |attempt: WorkId| {
        batches::submit(&jobs, ("achievement-batches", "/achievements"), (&actor, details), achievements, (attempt, wait)).await
    };
    once.run("submitAchievementBatch", &caller, digest, work).await
}

/// Read what LRS says of a job
///
/// LRS's status and counters of a part, and its file of what it did not take, all as LRS wrote it when it was last asked.
#[utoipa::path(
    operation_id = "getAchievementBatchJob",
    tag = "Achievement batches",
    security(("bearer" = ["achievement-batches"])),
    params(
        ("batchId" = String, Path, description = "Identifies the batch."),
        ("part" = u32, Path, description = "Number of the part, from 1.")
    ),
    responses((status = 200, description = "What LRS says.", body = AchievementJob), BatchProblems)
)]
#[get("/achievement-batches/{batchId}/parts/{part}/job")]
pub async fn get_job(
    caller: Caller<AchievementBatches>,
    jobs: Data<BatchService>,
    id: BatchPath,
    part: PartPath,
) -> Result<Json<AchievementJob>, Problem> {
    let batch = batches::find(&jobs, Achievements::KIND, &caller, id.0).await?;
    let output = jobs.output::<Achievements>(&batch, part.0).await?;
    let nothing = || Problem::new(Code::NotFound).detail("LRS has not been asked about this part yet, or there is no such part.");
    output.and_then(|output| output.job).map(Json).ok_or_else(nothing)
}

batch_resource! {
    Achievements, scope AchievementBatches = "achievement-batches", tag "Achievement batches", name "achievement-batches",
    list "listAchievementBatches" at "/achievement-batches",
    get "getAchievementBatch" at "/achievement-batches/{batchId}",
    erase "eraseAchievementBatch",
    results "getAchievementBatchResults" at "/achievement-batches/{batchId}/results" gives AchievementResults,
    track "trackAchievementBatch" at "/achievement-batches/track",
    resubmit "resubmitAchievementBatchPart" at "/achievement-batches/{batchId}/parts/{part}/resubmit",
    discard "discardAchievementBatchPart" at "/achievement-batches/{batchId}/parts/{part}/discard",
}
