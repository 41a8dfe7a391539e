//! Periods by which lists of batches are filtered.

use super::part::Part;
use super::time::EpochMillis;

/// A period of submission. Without a limit it contains every time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SubmissionPeriod {
    /// Start, included.
    pub after: Option<EpochMillis>,
    /// End, not included.
    pub before: Option<EpochMillis>,
}

impl SubmissionPeriod {
    /// Returns `true` if the period has a limit.
    pub const fn is_limited(self) -> bool {
        self.after.is_some() || self.before.is_some()
    }

    /// Returns `true` if a time is in the period.
    pub fn contains(self, time: EpochMillis) -> bool {
        self.after.is_none_or(|after| after <= time) && self.before.is_none_or(|before| time < before)
    }

    /// Returns `true` if a part was sent to LRS in the period.
    pub fn contains_submission(self, part: &Part) -> bool {
        part.sent_to_lrs_at().is_some_and(|time| self.contains(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submission_period_contains_its_start_and_not_its_end() {
        let period = SubmissionPeriod { after: Some(EpochMillis(10)), before: Some(EpochMillis(20)) };
        assert_eq!([9, 10, 19, 20].map(|time| period.contains(EpochMillis(time))), [false, true, true, false]);
        assert!(SubmissionPeriod::default().contains(EpochMillis(0)) && !SubmissionPeriod::default().is_limited());
    }

    #[test]
    fn submission_period_goes_by_the_time_at_which_lrs_received_the_part() {
        let period = SubmissionPeriod { after: Some(EpochMillis(10)), before: Some(EpochMillis(20)) };
        let part = Part::waiting(0, 1, EpochMillis(15));
        assert!(!period.contains_submission(&part), "it was not sent");
        assert!(period.contains_submission(&Part { sent_at: Some(EpochMillis(12)), ..part.clone() }), "the response was lost");
        assert!(!period.contains_submission(&Part { sent_at: Some(EpochMillis(12)), submitted_at: Some(EpochMillis(21)), ..part }));
    }
}
