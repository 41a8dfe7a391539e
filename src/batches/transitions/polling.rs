//! Transitions of a part whose job is polled.

use std::time::Duration;

use super::context::{TransitionContext, requested_delay};
use super::reasons::reason_of;
use crate::batches::batch_kind::JobProgress;
use crate::batches::model::{EpochMillis, LrsText, Part, PartReason, PartState, SteadyResults};
use crate::lrs::LrsError;

/// Time after submission for which an unknown job is tolerated: LRS may not have registered it yet.
const UNKNOWN_JOB_GRACE: Duration = Duration::from_secs(15 * 60);
/// Number of consecutive polls in which LRS must not know a job before it counts as unknown.
const MIN_UNKNOWN_JOB_POLLS: u32 = 3;

/// What LRS has responded to a poll.
#[derive(Debug, Clone)]
pub struct PollResult {
    /// The progress of the job.
    pub progress: JobProgress,
    /// Number of results.
    pub result_count: u32,
    /// LRS's code, as it is stored.
    pub code: Option<LrsText>,
}

impl TransitionContext<'_> {
    /// Returns the part after LRS has responded to a poll.
    pub fn after_poll(&self, part: &Part, PollResult { progress, result_count, code }: PollResult) -> Part {
        // Codes of some operations are not public. Without a new code, the last one stays.
        let lrs_code = code.or_else(|| part.lrs_code.clone());
        let due_at = self.next_poll(submitted_at(part));
        let polled = Part { reason: None, lrs_code, due_at, failed_attempts: 0, steady_results: None, ..part.clone() };
        let failed = |reason| Part { state: PartState::Failed, reason: Some(reason), updated_at: self.now, ..polled.clone() };
        match progress {
            JobProgress::Done => Part { state: PartState::Complete, updated_at: self.now, ..polled },
            JobProgress::Failed => failed(PartReason::JobFailed),
            JobProgress::Unfinished if self.adopted => self.after_results_without_end(part, polled, result_count),
            JobProgress::Unfinished | JobProgress::Working => polled,
            JobProgress::NoSuchJob => {
                let unknown_polls = if part.reason == Some(PartReason::JobUnknown) { part.failed_attempts + 1 } else { 1 };
                if self.adopted || self.is_job_lost(submitted_at(part), unknown_polls) {
                    return failed(PartReason::JobUnknown);
                }
                Part { reason: Some(PartReason::JobUnknown), failed_attempts: unknown_polls, ..polled }
            }
        }
    }

    /// Returns the part after a poll has failed.
    ///
    /// A permanent error fails only an adopted job, which may not exist. A job that LRS created for the gateway is polled until the result
    /// timeout.
    pub fn after_failed_poll(&self, part: &Part, error: &LrsError, code: Option<LrsText>) -> Part {
        if self.adopted && !error.is_transient() {
            return self.failed(part, reason_of(error), code);
        }
        let lrs_code = code.or_else(|| part.lrs_code.clone());
        let due_at = self.next_poll(submitted_at(part)).max(self.now.after(requested_delay(error)));
        Part { reason: Some(reason_of(error)), lrs_code, due_at, failed_attempts: 0, ..part.clone() }
    }

    /// Handles results of an adopted job that has no end time. How many records it has is unknown. So the job is taken as done when their
    /// number has stayed the same for long enough.
    fn after_results_without_end(&self, part: &Part, polled: Part, count: u32) -> Part {
        let steady = part.steady_results.filter(|steady| steady.count == count).unwrap_or(SteadyResults { count, since: self.now });
        if self.now.since(steady.since) >= self.settings.unfinished_job_grace {
            return Part { state: PartState::Complete, updated_at: self.now, ..polled };
        }
        Part { steady_results: Some(steady), ..polled }
    }

    /// Returns `true` if LRS has lost a job that it did not know in this number of consecutive polls.
    pub(super) fn is_job_lost(&self, submitted_at: EpochMillis, unknown_polls: u32) -> bool {
        self.now.since(submitted_at) >= UNKNOWN_JOB_GRACE && unknown_polls >= MIN_UNKNOWN_JOB_POLLS
    }
}

/// Returns the time since which LRS has had a part's job, as far as it is known.
fn submitted_at(part: &Part) -> EpochMillis {
    part.submitted_at.unwrap_or(part.tracking_started_at)
}
