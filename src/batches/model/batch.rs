//! A batch: its header, its parts, and the status that follows from them.

use serde::{Deserialize, Serialize};

use super::id::BatchId;
use super::part::{Part, PartState};
use super::period::SubmissionPeriod;
use super::time::EpochMillis;
use crate::domain::Ukprn;
use crate::schema::{CodeList, Scalar as _};
use crate::storage::LrsIdentity;

/// A batch as the repository stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Identifier.
    pub id: BatchId,
    /// Fixed properties.
    pub header: BatchHeader,
    /// Parts in the order of the records. Numbers start at 1.
    pub parts: Vec<Part>,
    /// Time at which the batch is deleted.
    pub expires_at: EpochMillis,
}

impl Batch {
    /// Returns the parts with their numbers.
    pub fn numbered_parts(&self) -> impl Iterator<Item = (u32, &Part)> {
        (1..).zip(&self.parts)
    }

    /// Returns the part with this number.
    pub fn part(&self, number: u32) -> Option<&Part> {
        self.parts.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// Returns the organisation and the number of the job that the batch adopted; `None` if the gateway submitted the batch.
    pub fn adopted_job(&self) -> Option<(Ukprn, i64)> {
        let part = self.parts.first().filter(|_| self.header.adopted)?;
        Some((self.header.organisation()?, part.job_id?))
    }

    /// Returns the number of records.
    pub fn record_count(&self) -> u32 {
        self.parts.iter().map(|part| part.record_count).sum()
    }

    /// Derives the status from the states of the parts.
    pub fn status(&self) -> BatchStatus {
        let any = |states: &[PartState]| self.parts.iter().any(|part| states.contains(&part.state));
        let all = |states: &[PartState]| self.parts.iter().all(|part| states.contains(&part.state));
        if all(&[PartState::Waiting]) && self.parts.iter().all(|part| part.send_attempts == 0) {
            BatchStatus::Accepted
        } else if any(&[PartState::Waiting, PartState::Sending]) {
            BatchStatus::Submitting
        } else if any(&[PartState::Submitted, PartState::Reconciling]) {
            BatchStatus::Processing
        } else if any(&[PartState::Unconfirmed]) {
            BatchStatus::Paused
        } else if all(&[PartState::Complete]) {
            BatchStatus::Complete
        } else if any(&[PartState::Complete]) {
            BatchStatus::PartiallyComplete
        } else {
            BatchStatus::Failed
        }
    }

    /// Returns `true` if the status is final.
    pub fn is_finished(&self) -> bool {
        matches!(self.status(), BatchStatus::Complete | BatchStatus::PartiallyComplete | BatchStatus::Failed)
    }

    /// Returns the time of the last change.
    pub fn updated_at(&self) -> EpochMillis {
        self.parts.iter().map(|part| part.updated_at).max().unwrap_or(self.header.created_at)
    }

    /// Returns `true` if the batch was accepted in a period, or one of its parts was sent to LRS in it.
    pub fn is_submitted_in(&self, period: SubmissionPeriod) -> bool {
        period.contains(self.header.created_at) || self.parts.iter().any(|part| period.contains_submission(part))
    }

    /// Returns the next due time; `None` if the batch is finished or awaits a decision.
    pub fn next_due_at(&self) -> Option<EpochMillis> {
        self.parts.iter().filter(|part| !part.is_settled()).map(|part| part.due_at).min()
    }
}

/// The fixed properties of a batch.
///
/// Stored as JSON; `serde(rename)` has the stored names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchHeader {
    /// Kind of the records.
    pub kind: KindTag,
    organisation: String,
    /// Number of parts.
    #[serde(rename = "parts")]
    pub part_count: u32,
    /// `true` for a job that was submitted outside the gateway and adopted with `track`.
    #[serde(rename = "tracked")]
    pub adopted: bool,
    /// `true` if sending the batch twice has no side effect.
    pub repeatable: bool,
    /// Time of acceptance.
    #[serde(rename = "created")]
    pub created_at: EpochMillis,
    /// The LRS that the batch was accepted for. Earlier versions did not store it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lrs: Option<String>,
}

impl BatchHeader {
    /// Creates the header of a batch that is neither adopted nor repeatable.
    pub fn new(kind: KindTag, organisation: &Ukprn, part_count: usize, created_at: EpochMillis) -> Self {
        let part_count = u32::try_from(part_count).unwrap_or(u32::MAX);
        Self { kind, organisation: organisation.as_str().to_owned(), part_count, adopted: false, repeatable: false, created_at, lrs: None }
    }

    /// Sets whether sending the batch twice has no side effect.
    #[must_use]
    pub fn repeatable(self, repeatable: bool) -> Self {
        Self { repeatable, ..self }
    }

    /// Marks the batch as a job that was submitted outside the gateway. The gateway only polls it, so it is repeatable.
    #[must_use]
    pub fn adopted(self) -> Self {
        Self { adopted: true, repeatable: true, ..self }
    }

    /// Sets the LRS that the batch is accepted for.
    #[must_use]
    pub fn accepted_for(self, lrs: &LrsIdentity) -> Self {
        Self { lrs: Some(lrs.as_str().to_owned()), ..self }
    }

    /// Returns `true` if the batch was accepted for this LRS, or by an earlier version that did not store that.
    pub fn is_for(&self, lrs: &LrsIdentity) -> bool {
        self.lrs.as_deref().is_none_or(|accepted_for| accepted_for == lrs.as_str())
    }

    /// Returns the LRS that the batch was accepted for, if it is known.
    pub fn lrs(&self) -> Option<&str> {
        self.lrs.as_deref()
    }

    /// Returns `true` if the batch belongs to this organisation.
    pub fn belongs_to(&self, organisation: &Ukprn) -> bool {
        self.organisation == organisation.as_str()
    }

    /// Returns the organisation; `None` if the stored UKPRN is invalid.
    pub fn organisation(&self) -> Option<Ukprn> {
        Ukprn::parse(&self.organisation).ok()
    }
}

/// The kind of a batch's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KindTag {
    /// Learners to register.
    Registration,
    /// Learners to verify.
    Verification,
    /// Achievements.
    Achievement,
}

impl KindTag {
    /// Returns the name in Redis keys, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Verification => "verification",
            Self::Achievement => "achievement",
        }
    }
}

/// Status of a batch, derived from its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
pub enum BatchStatus {
    /// No part has been sent to LRS.
    Accepted,
    /// Some parts have been sent.
    Submitting,
    /// All parts have been sent, and not all results are available.
    Processing,
    /// All results are available.
    Complete,
    /// Some results are available, and no more will follow.
    PartiallyComplete,
    /// There are no results, and none will follow.
    Failed,
    /// The gateway waits for your decision about the parts with the status `UNCONFIRMED`.
    Paused,
}

impl BatchStatus {
    /// Returns the name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Submitting => "submitting",
            Self::Processing => "processing",
            Self::Complete => "complete",
            Self::PartiallyComplete => "partially_complete",
            Self::Failed => "failed",
            Self::Paused => "paused",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch_with(states: &[PartState]) -> Batch {
        let now = EpochMillis(1_700_000_000_000);
        let part =
            |state: &PartState| Part { state: *state, send_attempts: u32::from(*state != PartState::Waiting), ..Part::waiting(0, 10, now) };
        let ukprn = Ukprn::parse("10012345").expect("a UKPRN");
        let header = BatchHeader::new(KindTag::Registration, &ukprn, states.len(), now);
        Batch { id: BatchId::new(), header, parts: states.iter().map(part).collect(), expires_at: now }
    }

    #[test]
    fn batch_header_stored_by_an_earlier_version_is_read() {
        let stored = r#"{"kind":"registration","organisation":"10012345","parts":1,"tracked":true,"repeatable":true,"created":1}"#;
        let ukprn = Ukprn::parse("10012345").expect("a UKPRN");
        let header = BatchHeader::new(KindTag::Registration, &ukprn, 1, EpochMillis(1)).adopted();
        assert_eq!(serde_json::from_str::<BatchHeader>(stored).expect("a header"), header);
        assert_eq!(serde_json::to_string(&header).expect("JSON"), stored);
        let [own, other] = ["https://lrs.example", "https://test.lrs.example"].map(LrsIdentity::new);
        assert!(header.is_for(&own) && header.is_for(&other), "it belongs to every LRS");
        let header = header.accepted_for(&own);
        assert!(header.is_for(&own) && !header.is_for(&other));
    }

    #[test]
    fn batch_status_follows_from_part_states() {
        use PartState::{Complete, Failed, Reconciling, Sending, Submitted, Unconfirmed, Waiting};
        for (states, status) in [
            (&[Waiting, Waiting][..], BatchStatus::Accepted),
            (&[Waiting, Sending], BatchStatus::Submitting),
            (&[Waiting, Complete], BatchStatus::Submitting),
            (&[Submitted, Submitted], BatchStatus::Processing),
            (&[Submitted, Unconfirmed, Complete], BatchStatus::Processing),
            (&[Reconciling, Unconfirmed, Complete], BatchStatus::Processing),
            (&[Reconciling, Waiting], BatchStatus::Submitting),
            (&[Complete, Unconfirmed], BatchStatus::Paused),
            (&[Failed, Unconfirmed], BatchStatus::Paused),
            (&[Complete, Complete], BatchStatus::Complete),
            (&[Complete, Failed], BatchStatus::PartiallyComplete),
            (&[Failed, Failed], BatchStatus::Failed),
        ] {
            assert_eq!(batch_with(states).status(), status, "{states:?}");
        }
    }
}
