//! A part of a batch: its state, the reasons for the state, and the names of its encrypted blobs.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::lrs_text::LrsText;
use super::reconciliation::Reconciliation;
use super::time::EpochMillis;
use crate::schema::CodeList;

/// A part of a batch. LRS receives each part as one job.
///
/// Stored as JSON. The names in `serde(rename)` are those of the stored JSON: batches written by earlier versions use them. A new field must
/// be left out of the JSON while it has its default: a repository compares a part with the stored one by their JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Position of the part's first record in the batch, from 0.
    #[serde(rename = "first")]
    pub first_position: u32,
    /// Number of records. For adopted jobs it is 0 until LRS returns the results.
    #[serde(rename = "records")]
    pub record_count: u32,
    /// Processing state.
    pub state: PartState,
    /// Reason for the state; `None` if the part proceeds normally.
    pub reason: Option<PartReason>,
    /// Number of times that sending was started.
    #[serde(rename = "sent")]
    pub send_attempts: u32,
    /// Random token of the worker that started sending last. A late worker recognises its own attempt by it.
    #[serde(rename = "sender")]
    pub sender_token: u64,
    /// While the part or its `CHECK` job is sent: number of consecutive attempts that did not succeed. While a job is polled: number of
    /// consecutive polls in which LRS did not know the job; a failed poll sets it to 0.
    #[serde(rename = "tries")]
    pub failed_attempts: u32,
    /// Number of times that LRS's response to the submission was lost.
    #[serde(rename = "lost")]
    pub lost_responses: u32,
    /// Start of the submission timeout: acceptance of the batch, or the last decision to resubmit.
    #[serde(rename = "begun")]
    pub tracking_started_at: EpochMillis,
    /// Time of the next action.
    #[serde(rename = "due")]
    pub due_at: EpochMillis,
    /// LRS's job id.
    #[serde(rename = "job")]
    pub job_id: Option<i64>,
    /// LRS's last code for the part.
    #[serde(rename = "code")]
    pub lrs_code: Option<LrsText>,
    /// Time at which the gateway started to send the part; after lost responses that of the first attempt that LRS may have received. `None`
    /// if the part was not sent, was resubmitted, or was stored by an earlier version.
    #[serde(rename = "sent_at", default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<EpochMillis>,
    /// Time at which LRS accepted the part; unknown for adopted jobs.
    #[serde(rename = "submitted")]
    pub submitted_at: Option<EpochMillis>,
    /// Time of the last change.
    #[serde(rename = "changed")]
    pub updated_at: EpochMillis,
    /// LRS's counters, by their names in JSON.
    #[serde(rename = "counts")]
    pub counters: BTreeMap<String, i32>,
    /// LRS's own status and times of the job.
    #[serde(rename = "told", default)]
    pub job_report: JobReport,
    /// `true` if a caller resubmitted the part: LRS then receives that caller's name ([`BlobName::ResubmittedBy`]).
    #[serde(rename = "other_user")]
    pub resubmitted: bool,
    /// The reconciliation of a lost response.
    #[serde(rename = "check", default, skip_serializing_if = "Option::is_none")]
    pub reconciliation: Option<Reconciliation>,
    /// Results of an adopted job that has no end time.
    #[serde(rename = "steady", default, skip_serializing_if = "Option::is_none")]
    pub steady_results: Option<SteadyResults>,
    /// How many records of a complete part LRS rejected. `None` if the kind of batch does not count them, for adopted jobs, and for parts that an
    /// earlier version completed.
    #[serde(rename = "outcomes", default, skip_serializing_if = "Option::is_none")]
    pub outcome_counts: Option<OutcomeCounts>,
}

impl Part {
    /// Creates a part that is ready to be sent.
    pub const fn waiting(first_position: u32, record_count: u32, now: EpochMillis) -> Self {
        Self {
            first_position,
            record_count,
            state: PartState::Waiting,
            reason: None,
            send_attempts: 0,
            sender_token: 0,
            failed_attempts: 0,
            lost_responses: 0,
            tracking_started_at: now,
            due_at: now,
            job_id: None,
            lrs_code: None,
            sent_at: None,
            submitted_at: None,
            updated_at: now,
            counters: BTreeMap::new(),
            job_report: JobReport { status: None, started_at: None, finished_at: None },
            resubmitted: false,
            reconciliation: None,
            steady_results: None,
            outcome_counts: None,
        }
    }

    /// Creates a part for a job that exists at LRS already.
    pub fn adopted(job_id: i64, now: EpochMillis) -> Self {
        Self { state: PartState::Submitted, job_id: Some(job_id), ..Self::waiting(0, 0, now) }
    }

    /// Returns the job that is polled: the part's own, or its `CHECK` job.
    pub fn polled_job(&self) -> Option<i64> {
        match self.state {
            PartState::Submitted => self.job_id,
            PartState::Reconciling => self.reconciliation.as_ref().and_then(|reconciliation| reconciliation.job_id),
            _ => None,
        }
    }

    /// Returns `true` if the part needs no further automatic action.
    pub const fn is_settled(&self) -> bool {
        matches!(self.state, PartState::Complete | PartState::Failed | PartState::Unconfirmed)
    }

    /// Returns `true` if the caller may decide whether the part is sent again: it is unconfirmed, or LRS has lost it, or it could not be sent.
    pub const fn awaits_decision(&self) -> bool {
        match self.state {
            PartState::Unconfirmed => true,
            PartState::Failed => {
                matches!(self.reason, Some(PartReason::JobUnknown | PartReason::TimedOut | PartReason::SubmissionTimedOut))
            }
            _ => false,
        }
    }

    /// Returns `true` if the part's records may be needed again. They are stored until LRS has returned the results.
    pub const fn needs_records(&self) -> bool {
        matches!(self.state, PartState::Waiting | PartState::Sending | PartState::Submitted | PartState::Reconciling)
            || self.awaits_decision()
    }

    /// Returns the time at which LRS accepted the part, or otherwise was sent it, as far as it is known.
    pub fn sent_to_lrs_at(&self) -> Option<EpochMillis> {
        self.submitted_at.or(self.sent_at)
    }

    /// Returns LRS's last code, unless it is encrypted.
    pub fn plain_code(&self) -> Option<&str> {
        self.lrs_code.as_ref().and_then(LrsText::plain)
    }
}

/// The processing state of a part. [`transitions`](crate::batches::transitions) shows how it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PartState {
    /// Not sent yet, or to be sent again.
    Waiting,
    /// Sending started. Persisted before the first byte is written.
    Sending,
    /// LRS accepted the part and created a job.
    Submitted,
    /// LRS returned the results.
    Complete,
    /// Needs no further action: LRS rejected the part or the job failed, a timeout has passed, the caller discarded the part, or its records
    /// are unreadable. Only the caller's decision to resubmit it changes it, or a worker that stores late that LRS created a job.
    Failed,
    /// Sent, but LRS's response was lost or reported an undocumented error. The caller must decide, unless a worker stores the
    /// response late.
    Unconfirmed,
    /// Sent, but LRS's response was lost or reported an undocumented error. After a pause, a `CHECK` job of the same records shows whether
    /// LRS has them.
    Reconciling,
}

impl PartState {
    /// Returns the name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::Submitted => "submitted",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Unconfirmed => "unconfirmed",
            Self::Reconciling => "reconciling",
        }
    }
}

/// Reason why a part has not progressed.
// The aliases read batches that were stored before the reasons were renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, CodeList)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[code_list(name = "BatchPartReason")]
pub enum PartReason {
    /// LRS cannot be reached or has no capacity, the gateway's queue is full, or the audit trail cannot be written. The gateway retries.
    LrsUnavailable,
    /// LRS is closed for maintenance. The gateway retries.
    LrsMaintenance,
    /// LRS has moved to another address, which the operator must set. The gateway retries.
    LrsMoved,
    /// A firewall in front of LRS blocks the gateway. The gateway retries.
    LrsAccessBlocked,
    /// LRS rejected the organisation's credentials.
    LrsCredentialsRejected,
    /// LRS rejected the message.
    LrsRejectedRequest,
    /// LRS processed the message but created no job. The part's LRS code says why.
    #[serde(alias = "LRS_REFUSED")]
    LrsRejected,
    /// LRS's response was lost, or LRS reported an internal error: it may have executed the request.
    #[serde(rename = "ANSWER_LOST")]
    #[code(word = "ANSWER_LOST")]
    ResponseLost,
    /// LRS's response cannot be read, or contradicts itself.
    LrsBadResponse,
    /// LRS does not know the job.
    JobUnknown,
    /// LRS reports that the job failed.
    JobFailed,
    /// The part could not be sent to LRS in time.
    SubmissionTimedOut,
    /// LRS returned no results in time.
    #[serde(alias = "NOT_IN_TIME")]
    TimedOut,
    /// The caller decided not to resubmit the part.
    Discarded,
    /// The stored records cannot be read.
    Unreadable,
}

/// The name that callers see.
impl fmt::Display for PartReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// LRS's own status and times of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobReport {
    /// LRS's word for the job's status.
    pub status: Option<LrsText>,
    /// Time at which LRS started the job.
    #[serde(rename = "started")]
    pub started_at: Option<JobTime>,
    /// Time at which LRS finished the job.
    #[serde(rename = "finished")]
    pub finished_at: Option<JobTime>,
}

/// A time that LRS stated about a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum JobTime {
    /// A point in time.
    Known(EpochMillis),
    /// A text that is not in a documented notation.
    Verbatim(LrsText),
}

/// How many records of a complete part have which outcome. LRS accepted the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeCounts {
    /// Number of records that LRS rejected.
    pub rejected: u32,
    /// Number of records of which LRS does not say whether it accepted them.
    pub undetermined: u32,
}

/// The results of an adopted job that has no end time. If their number stays the same for long enough, the job is taken as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SteadyResults {
    /// Number of results.
    pub count: u32,
    /// Time at which LRS first returned this number.
    pub since: EpochMillis,
}

/// The name of an encrypted blob, stored separately from the parts. [`Display`](fmt::Display) writes the stored name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BlobName {
    /// Metadata of the whole batch: submitter, job type. Belongs to no part.
    Metadata,
    /// Records of a part. Deleted when LRS has returned the results, or the part has failed for good ([`Part::needs_records`]).
    Records(u32),
    /// Fingerprints of a part's records.
    Fingerprints(u32),
    /// LRS's response to the last poll of a part.
    JobOutput(u32),
    /// Metadata of the caller that resubmitted a part.
    ResubmittedBy(u32),
}

impl BlobName {
    /// Returns the name of every blob that a batch of `part_count` parts can have.
    pub fn all(part_count: u32) -> impl Iterator<Item = Self> {
        let of_part = |part| [Self::Records(part), Self::Fingerprints(part), Self::JobOutput(part), Self::ResubmittedBy(part)];
        std::iter::once(Self::Metadata).chain((1..=part_count).flat_map(of_part))
    }
}

impl fmt::Display for BlobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metadata => f.write_str("details"),
            Self::Records(part) => write!(f, "records:{part}"),
            Self::Fingerprints(part) => write!(f, "index:{part}"),
            Self::JobOutput(part) => write!(f, "output:{part}"),
            Self::ResubmittedBy(part) => write!(f, "user:{part}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_reason_display_is_the_callers_name() {
        assert_eq!(PartReason::LrsCredentialsRejected.to_string(), "LRS_CREDENTIALS_REJECTED");
        assert_eq!(PartReason::ResponseLost.to_string(), "ANSWER_LOST");
    }

    #[test]
    fn part_stored_by_an_earlier_version_is_read() {
        // Repositories compare this text, so the order of the fields counts, too.
        let stored = concat!(
            r#"{"first":200,"records":50,"state":"FAILED","reason":"NOT_IN_TIME","sent":1,"sender":7,"tries":2,"lost":0,"begun":1,"due":2,"#,
            r#""job":900123,"code":"WSRC0008","submitted":3,"changed":4,"counts":{"newLearnersCount":1},"#,
            r#""told":{"status":"Working","started":5,"finished":null},"other_user":true}"#
        );
        let part: Part = serde_json::from_str(stored).expect("a part");
        assert_eq!((part.first_position, part.record_count, part.reason), (200, 50, Some(PartReason::TimedOut)));
        assert_eq!(serde_json::to_string(&part).expect("JSON"), stored.replace("NOT_IN_TIME", "TIMED_OUT"));
        let part = Part { outcome_counts: Some(OutcomeCounts { rejected: 3, undetermined: 0 }), ..part };
        let counted = serde_json::to_string(&part).expect("JSON");
        assert!(counted.ends_with(r#","other_user":true,"outcomes":{"rejected":3,"undetermined":0}}"#), "{counted}");
        let rejected: PartReason = serde_json::from_str("\"LRS_REFUSED\"").expect("a reason");
        assert_eq!(rejected, PartReason::LrsRejected);
    }
}
