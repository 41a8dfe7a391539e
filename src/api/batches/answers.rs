//! Answers that all batch resources share: a batch, its parts, and lists of batches.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::IntoResponses;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use crate::api::description::{EXAMPLE_BATCH_ID, integer};
use crate::api::timestamp::{JobTimestamp, Timestamp};
use crate::batches::BatchService;
use crate::batches::model::{
    Batch, BatchStatus, EpochMillis, LrsText, OutcomeCounts, Part, PartReason, PartState, Reconciliation, SubmissionPeriod,
};
use crate::schema::openapi::PropertySchema;
use crate::schema::{Answer, CodeList, FieldWarning};

/// State of a batch.
#[derive(Debug, Answer)]
pub struct BatchState {
    /// Identifier of the batch.
    #[answer(example = EXAMPLE_BATCH_ID)]
    pub batch_id: String,
    /// Status of the batch.
    pub status: BatchStatus,
    /// Number of records. For an adopted job, the number is known only when the job is complete.
    #[answer(example = 200)]
    pub records: u32,
    /// Progress of the records.
    pub progress: BatchProgress,
    /// Parts of the batch, in the order of the records. Each part is one LRS job. Lists have them only with `submittedAfter` or
    /// `submittedBefore`: the parts that were sent to LRS in that period.
    pub parts: Option<Vec<BatchPart>>,
    /// Time at which the batch was accepted.
    pub created_at: Timestamp,
    /// Time of the last change.
    #[answer(example = "2026-09-01T08:20:00.000Z")]
    pub updated_at: Timestamp,
    /// Time at which the batch and its results expire, unless you erase it earlier.
    #[answer(example = "2026-09-29T08:15:30.250Z")]
    pub expires_at: Timestamp,
    /// Time to wait before you read the batch again, in seconds. Absent if the batch will not change without your action.
    #[answer(example = 30)]
    pub retry_after_seconds: Option<u32>,
    /// Hints about records of the submission: texts that look like other texts, records that the batch has twice, and learners whose records may
    /// change. Only in the answer to the submission, and absent if there is none.
    pub warnings: Option<Vec<FieldWarning>>,
}

/// Responses to a submission.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only describes the responses")]
pub enum BatchAccepted {
    /// The batch was accepted, and is finished: with `Prefer: wait`, the gateway has waited for its end.
    #[response(status = 200)]
    Finished(BatchState),
    /// The batch was accepted.
    #[response(status = 202)]
    Accepted(BatchState),
}

/// Progress of the records of a batch.
#[derive(Debug, Answer)]
pub struct BatchProgress {
    /// Number of records that LRS has accepted for processing.
    #[answer(example = 200)]
    pub submitted: u32,
    /// Number of records in parts with available results.
    #[answer(example = 0)]
    pub returned: u32,
    /// Number of records in failed parts: LRS did not accept the part, or returned no results for it.
    #[answer(example = 0)]
    pub failed: u32,
    /// Number of the returned records that LRS rejected: the results with the outcome `REJECTED`. Only in achievement batches, and absent until
    /// LRS has returned results, for adopted jobs, and if an earlier version of the gateway completed a part. For registrations and verifications
    /// see the parts' `counts` and the results.
    #[answer(example = 3)]
    pub rejected: Option<u32>,
    /// Number of the returned records of which LRS does not say whether it accepted them: the results with the outcome `UNDETERMINED`. Present if
    /// `rejected` is. LRS accepted the other returned records.
    #[answer(example = 0)]
    pub undetermined: Option<u32>,
}

/// Part of a batch: the records that LRS processes as one job.
#[derive(Debug, Answer)]
pub struct BatchPart {
    /// Number of the part, from 1.
    #[answer(example = 1)]
    pub part: PartNumber,
    /// Position of the part's first record in the batch, from 0.
    #[answer(example = 0)]
    pub first_position: u32,
    /// Number of records.
    #[answer(example = 200)]
    pub records: u32,
    /// Status of the part.
    pub status: PartStatus,
    /// Number of the LRS job.
    #[answer(example = "900123")]
    pub lrs_job_id: Option<String>,
    /// Last code for the part, as returned by LRS.
    #[answer(example = "WSRC0008")]
    pub lrs_code: Option<String>,
    /// Reason why the part has not progressed.
    pub reason: Option<PartReason>,
    /// Status of the job, as returned by LRS. The statuses of registration and verification jobs are not public.
    #[answer(example = "InProgress")]
    pub job_status: Option<String>,
    /// Time at which LRS started the job.
    #[answer(example = "2026-09-01T09:16:00+01:00")]
    pub job_started_date_time: Option<JobTimestamp>,
    /// Time at which LRS finished the job.
    #[answer(example = "2026-09-01T09:19:00+01:00")]
    pub job_finished_date_time: Option<JobTimestamp>,
    /// Counters of LRS, by their names in LRS. LRS returns them with the results.
    pub counts: Option<BTreeMap<String, i32>>,
    /// Reconciliation of a `FULL` registration whose response was lost.
    pub reconciliation: Option<PartReconciliation>,
    /// Time at which the gateway started to send the part; after lost responses, that of the first attempt that LRS may have received. Absent
    /// if the part was not sent, was resubmitted, or was stored by an earlier version.
    #[answer(example = "2026-09-01T08:15:31.000Z")]
    pub sent_at: Option<Timestamp>,
    /// Time at which LRS accepted the part. Absent for an adopted job.
    #[answer(example = "2026-09-01T08:15:32.500Z")]
    pub submitted_at: Option<Timestamp>,
    /// Time of the last change.
    #[answer(example = "2026-09-01T08:20:00.000Z")]
    pub updated_at: Timestamp,
}

/// Reconciliation of a part: a job that only searched for its learners, after LRS's response to their registration was lost.
#[derive(Debug, Answer)]
pub struct PartReconciliation {
    /// Number of the `CHECK` job. Absent until LRS has accepted it.
    #[answer(example = "900124")]
    pub lrs_job_id: Option<String>,
    /// Time at which the gateway read the results of the `CHECK` job.
    pub checked_at: Option<Timestamp>,
    /// Number of records whose learner is registered. Some of them may have been registered before.
    #[answer(example = 198)]
    pub registered: Option<u32>,
    /// Positions of the records whose learner LRS did not find. That does not prove that LRS does not have the registration job: it may still
    /// be waiting, and LRS would process both if you resubmit the part.
    #[answer(example = [17])]
    pub not_registered_positions: Option<Vec<u32>>,
    /// Positions of the records about which the results are not clear: LRS reports an exception, returned no or another learner, or the record
    /// was submitted with a ULN.
    #[answer(example = [4])]
    pub unclear_positions: Option<Vec<u32>>,
}

/// Page of the organisation's batches, newest first.
#[derive(Debug, Answer)]
pub struct BatchList {
    /// Batches. With `submittedAfter` or `submittedBefore`, a page can have fewer than `limit`, or none, although it is not the last one.
    pub batches: Vec<BatchState>,
    /// `cursor` of the next page. Absent on the last page.
    #[answer(example = EXAMPLE_BATCH_ID)]
    pub next: Option<String>,
}

/// Number of a part, from 1.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct PartNumber(u32);

impl PropertySchema for PartNumber {
    fn schema() -> RefOr<Schema> {
        integer(1).into()
    }
}

/// Status of a part for callers. It does not show that a part is being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
#[code_list(name = "BatchPartStatus")]
pub enum PartStatus {
    /// Not sent yet, or being sent.
    Waiting,
    /// Sent to LRS.
    Submitted,
    /// Results available.
    Complete,
    /// No results, and none will follow unless you resubmit the part.
    Failed,
    /// Sent, but LRS's response was lost or is an undocumented error. A `CHECK` job will show whether LRS has the part.
    Reconciling,
    /// Sent, and it is not known whether LRS has the part. Decide with `resubmit` or `discard`.
    Unconfirmed,
}

impl From<PartState> for PartStatus {
    fn from(state: PartState) -> Self {
        match state {
            PartState::Waiting | PartState::Sending => Self::Waiting,
            PartState::Submitted => Self::Submitted,
            PartState::Complete => Self::Complete,
            PartState::Failed => Self::Failed,
            PartState::Reconciling => Self::Reconciling,
            PartState::Unconfirmed => Self::Unconfirmed,
        }
    }
}

impl BatchState {
    /// Describes a batch with all its parts.
    pub fn new(service: &BatchService, batch: &Batch) -> Self {
        Self::with_parts(service, batch, |_| true)
    }

    /// Describes a batch in a list. In a period, it has the parts that were sent in it.
    pub fn in_list(service: &BatchService, batch: &Batch, period: SubmissionPeriod) -> Self {
        if period.is_limited() {
            return Self::with_parts(service, batch, |part| period.contains_submission(part));
        }
        Self { parts: None, ..Self::with_parts(service, batch, |_| false) }
    }

    fn with_parts(service: &BatchService, batch: &Batch, is_shown: impl Fn(&Part) -> bool) -> Self {
        let records_in =
            |states: &[PartState]| batch.parts.iter().filter(|part| states.contains(&part.state)).map(|part| part.record_count).sum();
        // A failed part that has a job counts as submitted too, and so does a part that was completed without knowing its job.
        let is_submitted = |part: &&Part| part.job_id.is_some() || part.state == PartState::Complete;
        let submitted = batch.parts.iter().filter(is_submitted).map(|part| part.record_count).sum();
        let shown = batch.numbered_parts().filter(|(_, part)| is_shown(part));
        let parts = shown.map(|(number, part)| BatchPart::new(number, &service.decrypted_part(batch.id, number, part)));
        let outcome_counts = outcome_counts(batch);
        let progress = BatchProgress {
            submitted,
            returned: records_in(&[PartState::Complete]),
            failed: records_in(&[PartState::Failed]),
            rejected: outcome_counts.map(|counts| counts.rejected),
            undetermined: outcome_counts.map(|counts| counts.undetermined),
        };
        Self {
            batch_id: batch.id.to_string(),
            status: batch.status(),
            records: batch.record_count(),
            progress,
            parts: Some(parts.collect()),
            created_at: Timestamp(batch.header.created_at),
            updated_at: Timestamp(batch.updated_at()),
            expires_at: Timestamp(batch.expires_at),
            retry_after_seconds: retry_after_seconds(batch),
            warnings: None,
        }
    }
}

impl BatchPart {
    fn new(number: u32, part: &Part) -> Self {
        Self {
            part: PartNumber(number),
            first_position: part.first_position,
            records: part.record_count,
            status: part.state.into(),
            lrs_job_id: part.job_id.map(|job_id| job_id.to_string()),
            lrs_code: part.plain_code().map(str::to_owned),
            reason: part.reason,
            job_status: part.job_report.status.as_ref().and_then(LrsText::plain).map(str::to_owned),
            job_started_date_time: part.job_report.started_at.clone().map(JobTimestamp),
            job_finished_date_time: part.job_report.finished_at.clone().map(JobTimestamp),
            counts: Some(part.counters.clone()).filter(|counters| !counters.is_empty()),
            reconciliation: part.reconciliation.as_ref().map(PartReconciliation::from),
            sent_at: part.sent_at.map(Timestamp),
            submitted_at: part.submitted_at.map(Timestamp),
            updated_at: Timestamp(part.updated_at),
        }
    }
}

impl From<&Reconciliation> for PartReconciliation {
    fn from(reconciliation: &Reconciliation) -> Self {
        let evidence = reconciliation.evidence.as_ref();
        Self {
            lrs_job_id: reconciliation.job_id.map(|job_id| job_id.to_string()),
            checked_at: evidence.map(|evidence| Timestamp(evidence.checked_at)),
            registered: evidence.map(|evidence| evidence.registered),
            not_registered_positions: evidence.map(|evidence| evidence.not_registered.clone()),
            unclear_positions: evidence.map(|evidence| evidence.unclear.clone()),
        }
    }
}

/// Adds up the outcomes of the complete parts; `None` if there are none, or if they were not counted for one of them.
fn outcome_counts(batch: &Batch) -> Option<OutcomeCounts> {
    let complete = batch.parts.iter().filter(|part| part.state == PartState::Complete);
    let add = |sum: OutcomeCounts, counts: OutcomeCounts| OutcomeCounts {
        rejected: sum.rejected + counts.rejected,
        undetermined: sum.undetermined + counts.undetermined,
    };
    complete.map(|part| part.outcome_counts).reduce(|sum, counts| Some(add(sum?, counts?))).flatten()
}

/// Returns the time until the next change is likely: shortly after the next action is due, or after a few seconds if it is overdue. `None` if
/// no action is due.
fn retry_after_seconds(batch: &Batch) -> Option<u32> {
    const OVERDUE_RETRY_SECONDS: u32 = 5;
    const MAX_RETRY_SECONDS: u32 = 300;
    let now = EpochMillis(jiff::Timestamp::now().as_millisecond());
    let due_at = batch.next_due_at()?;
    if due_at <= now {
        return Some(OVERDUE_RETRY_SECONDS);
    }
    Some(u32::try_from(due_at.since(now).as_secs() + 1).unwrap_or(MAX_RETRY_SECONDS).min(MAX_RETRY_SECONDS))
}

/// The counters of LRS, by name.
impl PropertySchema for BTreeMap<String, i32> {
    fn schema() -> RefOr<Schema> {
        let example = [serde_json::json!({"newLearnersCount": 198, "possibleMatchLearnersCount": 2})];
        ObjectBuilder::new().schema_type(Type::Object).additional_properties(Some(i32::schema())).examples(example).into()
    }
}
