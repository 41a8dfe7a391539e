//! What the three batch resources have in common: how a batch is told, and what can be done about one.
//!
//! Each resource gets its routes from [`batch_resource!`](super::batch_resource); what they do is here, for all kinds alike.

pub mod achievement;
pub mod registration;
mod resource;
mod results;
pub mod verification;

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::header::{HeaderName, LOCATION, RETRY_AFTER};
use actix_web::web::Json;
use actix_web::{HttpResponse, HttpResponseBuilder};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use crate::api::extract::batch_request::{Pagination, PartPath, PreferWait, no_such_part};
use crate::api::extract::idempotency::WorkId;
use crate::api::string_enum::words;
use crate::api::timestamp::Timestamp;
use crate::batches::batch_kind::{BatchKind, BatchMetadata};
use crate::batches::model::{Batch, BatchId, BatchStatus, EpochMillis, KindTag, Part, PartReason, PartState};
use crate::batches::partition::Parts;
use crate::batches::repository::StoreError;
use crate::batches::{BatchError, BatchService, Decision, DecisionOutcome};
use crate::organisations::RequestContext;
use crate::problem::{Code, Problem};
use crate::schema::openapi::PropertySchema;
use crate::schema::{Constraints, InvalidValue, Scalar, answer, request};

answer! {
    /// How far a batch is.
    #[derive(Debug)]
    pub struct BatchState {
        /// Identifies the batch.
        pub batch_id: String,
        /// `ACCEPTED`: nothing has been sent. `SUBMITTING`: some of it. `PROCESSING`: LRS has all of it. `PAUSED`: nothing more will
        /// happen until you decide about the parts that are `UNCONFIRMED`. `COMPLETE`: all results are here. `PARTIALLY_COMPLETE`:
        /// some are, and no more will come. `FAILED`: none will.
        pub status: BatchStatus,
        /// How many records it has. Of a job that was submitted elsewhere this is known when it is done.
        pub records: u32,
        /// How far its records are.
        pub progress: BatchProgress,
        /// The jobs of LRS it is divided into, in the order of the records. Left out in lists.
        pub parts: Option<Vec<BatchPart>>,
        /// When it was accepted.
        pub created_at: Timestamp,
        /// When it last changed.
        pub updated_at: Timestamp,
        /// When the gateway erases it with all its results, if you do not before.
        pub expires_at: Timestamp,
        /// When it makes sense to ask again, in seconds. Absent when nothing more will change by itself.
        pub retry_after_seconds: Option<u64>,
    }
}

answer! {
    /// How many records of a batch have got how far.
    #[derive(Debug)]
    pub struct BatchProgress {
        /// LRS has them.
        pub submitted: u32,
        /// LRS's results are here.
        pub returned: u32,
        /// LRS did not take them, or gave no results.
        pub failed: u32,
    }
}

answer! {
    /// A part of a batch: what LRS gets as one job.
    #[derive(Debug)]
    pub struct BatchPart {
        /// Its number, from 1.
        pub part: u32,
        /// Position of its first record, from 0.
        pub first_position: u32,
        /// How many records it has.
        pub records: u32,
        /// `WAITING` to be sent; `SUBMITTED`; `COMPLETE`; `FAILED`; or `UNCONFIRMED`: it was sent, and LRS's answer was lost or is an error
        /// that nobody has documented, so that nobody knows whether LRS has it. Decide with `resubmit` or `discard`.
        pub status: PartStatus,
        /// LRS's number of the job.
        pub lrs_job_id: Option<String>,
        /// LRS's last code about it, as it came.
        pub lrs_code: Option<String>,
        /// Why it is not further.
        pub reason: Option<PartReason>,
        /// LRS's word for how far its job is. The words for registrations and verifications are not public.
        pub job_status: Option<String>,
        /// When LRS says that it began.
        pub job_started_date_time: Option<Timestamp>,
        /// When LRS says that it was done.
        pub job_finished_date_time: Option<Timestamp>,
        /// LRS's own counters, by LRS's names for them. They come with the results.
        pub counts: Option<BTreeMap<String, i32>>,
        /// When LRS took it. Absent for jobs that were submitted elsewhere.
        pub submitted_at: Option<Timestamp>,
        /// When it last changed.
        pub updated_at: Timestamp,
    }
}

answer! {
    /// Batches of the organisation, newest first.
    #[derive(Debug)]
    pub struct BatchList {
        /// The batches, without their parts.
        pub batches: Vec<BatchState>,
        /// Give this as `cursor` to get the next page. Absent on the last.
        pub next: Option<String>,
    }
}

request! {
    /// A job of LRS to follow.
    #[derive(Debug)]
    pub struct TrackJob {
        /// LRS's number of the job, as the portal or another system shows it.
        pub lrs_job_id: LrsJobId,
    }
}

/// LRS's number of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LrsJobId(i64);

impl Scalar for LrsJobId {
    const CONSTRAINTS: Constraints =
        Constraints { pattern: Some("^[1-9][0-9]{0,18}$"), ..Constraints::new("A number, as a string.", "900123") };

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let digits = (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        let number = digits.then(|| text.parse().ok()).flatten();
        number.map(Self).ok_or(InvalidValue::new(
            "invalid_format",
            "must be a number of up to 19 digits (9223372036854775807 at most), in quotation marks",
        ))
    }

    fn text(&self) -> std::borrow::Cow<'_, str> {
        self.0.to_string().into()
    }
}

impl PropertySchema for BTreeMap<String, i32> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Object).additional_properties(Some(i32::schema())).into()
    }
}

/// How far a part is, to callers: that somebody is sending it just now, is the gateway's business.
#[derive(Debug, Clone, Copy)]
pub struct PartStatus(PartState);

words!(
    BatchStatus,
    |status| match status {
        BatchStatus::Accepted => "ACCEPTED",
        BatchStatus::Submitting => "SUBMITTING",
        BatchStatus::Processing => "PROCESSING",
        BatchStatus::Complete => "COMPLETE",
        BatchStatus::PartiallyComplete => "PARTIALLY_COMPLETE",
        BatchStatus::Failed => "FAILED",
        BatchStatus::Paused => "PAUSED",
    },
    ["ACCEPTED", "SUBMITTING", "PROCESSING", "COMPLETE", "PARTIALLY_COMPLETE", "FAILED", "PAUSED"]
);
words!(
    PartStatus,
    |status| match status.0 {
        PartState::Waiting | PartState::Sending => "WAITING",
        PartState::Submitted => "SUBMITTED",
        PartState::Complete => "COMPLETE",
        PartState::Failed => "FAILED",
        PartState::Unconfirmed => "UNCONFIRMED",
    },
    ["WAITING", "SUBMITTED", "COMPLETE", "FAILED", "UNCONFIRMED"]
);

/// Words that may become more; which there are, is said in words.
impl PropertySchema for PartReason {
    fn schema() -> RefOr<Schema> {
        const REASONS: &str = "One of `LRS_UNAVAILABLE`, `LRS_MAINTENANCE` (both: it will be tried again), `LRS_CREDENTIALS_REJECTED`, \
            `LRS_REJECTED_REQUEST`, `LRS_REFUSED` (LRS made no job of it: `lrsCode` says why), `ANSWER_LOST`, `JOB_UNKNOWN`, \
            `JOB_FAILED`, `NOT_IN_TIME`, `DISCARDED`, `UNREADABLE`. There may be more one day.";
        ObjectBuilder::new().schema_type(Type::String).description(Some(REASONS)).into()
    }
}

impl BatchState {
    /// A batch as callers see it.
    pub fn of(batch: &Batch) -> Self {
        let records_in =
            |states: &[PartState]| batch.parts.iter().filter(|part| states.contains(&part.state)).map(|part| part.records).sum();
        // Of parts that failed, those that LRS had taken count as submitted as well.
        let submitted = batch.parts.iter().filter(|part| part.job.is_some()).map(|part| part.records).sum();
        let progress = BatchProgress { submitted, returned: records_in(&[PartState::Complete]), failed: records_in(&[PartState::Failed]) };
        Self {
            batch_id: batch.id.to_string(),
            status: batch.status(),
            records: batch.records(),
            progress,
            parts: Some(batch.numbered().map(|(number, part)| BatchPart::of(number, part)).collect()),
            created_at: Timestamp(batch.header.created),
            updated_at: Timestamp(batch.changed()),
            expires_at: Timestamp(batch.expires),
            retry_after_seconds: retry_after(batch),
        }
    }
}

impl BatchPart {
    fn of(number: u32, part: &Part) -> Self {
        Self {
            part: number,
            first_position: part.first,
            records: part.records,
            status: PartStatus(part.state),
            lrs_job_id: part.job.map(|job| job.to_string()),
            lrs_code: part.code.clone(),
            reason: part.reason,
            job_status: part.told.status.clone(),
            job_started_date_time: part.told.started.map(Timestamp),
            job_finished_date_time: part.told.finished.map(Timestamp),
            counts: Some(part.counts.clone()).filter(|counts| !counts.is_empty()),
            submitted_at: part.submitted.map(Timestamp),
            updated_at: Timestamp(part.changed),
        }
    }
}

/// When something may have changed: soon after the next thing is due; in a while, if it should have been done by now.
fn retry_after(batch: &Batch) -> Option<u64> {
    const LATE: u64 = 5;
    const LONGEST: u64 = 300;
    let now = EpochMillis(jiff::Timestamp::now().as_millisecond());
    let due = batch.due()?;
    Some(if due > now { (due.since(now).as_secs() + 1).min(LONGEST) } else { LATE })
}

/// A batch of the caller's organisation. Another organisation's, and one that never was, are the same.
pub async fn find(jobs: &BatchService, kind: KindTag, actor: &RequestContext, id: BatchId) -> Result<Batch, Problem> {
    jobs.find(kind, actor, id).await?.ok_or(Problem::new(Code::BatchNotFound))
}

/// LRS knows awarding organisations by their reference only (FACTS 1.4).
fn is_known_to_lrs(kind: KindTag, actor: &RequestContext) -> Result<(), Problem> {
    if kind != KindTag::Achievement || actor.organisation.organisation_ref().is_some() {
        return Ok(());
    }
    let ukprn = actor.organisation.ukprn();
    let detail = format!("Organisation {ukprn} has no organisation_ref in its file, which achievement batches need.");
    Err(Problem::new(Code::ProductNotEnabled).detail(detail))
}

/// Accepts a batch, and waits for its end if the caller wants to. `records` are at this place in the body.
pub async fn submit<K: BatchKind>(
    jobs: &BatchService,
    (path, pointer): (&str, &str),
    (actor, details): (&RequestContext, BatchMetadata),
    records: Parts<K>,
    (attempt, wait): (WorkId, PreferWait),
) -> Result<HttpResponse, Problem> {
    is_known_to_lrs(K::KIND, actor)?;
    let most = if K::KIND == KindTag::Achievement { jobs.settings().max_achievements } else { jobs.settings().max_learners };
    let count = records.records();
    if count > most {
        return Err(Problem::of_mistake(pointer, "too_many", format!("must have at most {most} items, has {count}")));
    }
    let id = BatchId::of(attempt.work);
    let before = if attempt.again { jobs.find(K::KIND, actor, id).await? } else { None };
    let batch = match before {
        Some(batch) => batch,
        None => jobs.submit(id, actor, &details, records).await.map_err(not_accepted)?,
    };
    accepted(jobs, path, batch, wait).await
}

/// Follows a job of LRS.
pub async fn track<K: BatchKind>(
    jobs: &BatchService,
    path: &str,
    actor: &RequestContext,
    job: &TrackJob,
    wait: PreferWait,
) -> Result<HttpResponse, Problem> {
    is_known_to_lrs(K::KIND, actor)?;
    // LRS numbers achievement jobs with 32 bits (FACTS 2.13).
    if K::KIND == KindTag::Achievement && i32::try_from(job.lrs_job_id.0).is_err() {
        let detail = format!("must be at most {} for an achievement job", i32::MAX);
        return Err(Problem::of_mistake("/lrsJobId", "out_of_range", detail));
    }
    let batch = jobs.track::<K>(actor, job.lrs_job_id.0).await.map_err(not_accepted)?;
    accepted(jobs, path, batch, wait).await
}

/// A batch that was not accepted, as far as is known.
fn not_accepted(error: BatchError) -> Problem {
    let may_be = matches!(error, BatchError::Store(StoreError::AnswerLost(_)));
    let problem = Problem::from(error);
    match problem.code() {
        _ if may_be => {
            problem.outcome_unknown("It may have been accepted all the same: look for it in the list of batches before you send it again.")
        }
        Code::StoreUnavailable => {
            problem.detail("The gateway's store cannot be used. Nothing was accepted: try again after the time in `Retry-After`.")
        }
        _ => problem,
    }
}

async fn accepted(jobs: &BatchService, path: &str, batch: Batch, wait: PreferWait) -> Result<HttpResponse, Problem> {
    let mut response = HttpResponse::Accepted();
    response.insert_header((LOCATION, format!("/v1/{path}/{}", batch.id)));
    told(jobs, response, batch, wait).await
}

/// How far a batch is, now or after the time the caller is willing to wait.
pub async fn status(jobs: &BatchService, batch: Batch, wait: PreferWait) -> Result<HttpResponse, Problem> {
    told(jobs, HttpResponse::Ok(), batch, wait).await
}

async fn told(jobs: &BatchService, mut response: HttpResponseBuilder, mut batch: Batch, wait: PreferWait) -> Result<HttpResponse, Problem> {
    if let Some(seconds) = wait.0 {
        response.insert_header((HeaderName::from_static("preference-applied"), format!("wait={seconds}")));
        let longest = Duration::from_secs(seconds);
        // A batch that was accepted is accepted, even if nobody can say just now how far it is.
        batch = match jobs.wait(batch.clone(), longest).await {
            Ok(batch) => batch,
            Err(error) => {
                tracing::warn!(batch = %batch.id, %error, "nobody can say how far the batch is");
                batch
            }
        };
    }
    let state = BatchState::of(&batch);
    if let Some(seconds) = state.retry_after_seconds {
        response.insert_header((RETRY_AFTER, seconds));
    }
    Ok(response.json(state))
}

/// The organisation's batches of a kind.
pub async fn list(
    jobs: &BatchService,
    kind: KindTag,
    actor: &RequestContext,
    paging: Pagination<BatchId>,
) -> Result<Json<BatchList>, Problem> {
    let (batches, next) = jobs.list(kind, actor, paging.cursor, paging.limit(20, 100)).await?;
    let batches = batches.iter().map(|batch| BatchState { parts: None, ..BatchState::of(batch) }).collect();
    Ok(Json(BatchList { batches, next: next.map(|id| id.to_string()) }))
}

/// Erases a batch.
pub async fn erase(jobs: &BatchService, kind: KindTag, actor: &RequestContext, id: BatchId) -> Result<HttpResponse, Problem> {
    jobs.erase(&find(jobs, kind, actor, id).await?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Carries out what the caller decided about a part.
pub async fn decide(
    jobs: &BatchService,
    kind: KindTag,
    actor: &RequestContext,
    (id, PartPath(part)): (BatchId, PartPath),
    decision: Decision,
) -> Result<HttpResponse, Problem> {
    let batch = find(jobs, kind, actor, id).await?;
    match jobs.decide(actor, &batch, part, decision).await? {
        DecisionOutcome::Applied => Ok(HttpResponse::Accepted().json(BatchState::of(&find(jobs, kind, actor, id).await?))),
        DecisionOutcome::NoSuchPart => Err(no_such_part()),
        DecisionOutcome::NotAwaitingDecision => Err(Problem::new(Code::PartNotUnconfirmed)),
    }
}
