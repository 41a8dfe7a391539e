//! What the transitions depend on besides the part: time, settings and properties of the batch. Also the timeouts, and the steps that several
//! transitions share.

use std::time::Duration;

use super::reasons::retry_delay_of;
use crate::batches::model::{EpochMillis, LrsText, Part, PartReason, PartState};
use crate::batches::settings::BatchSettings;
use crate::lrs::LrsError;
use crate::lrs::maintenance::maintenance_duration;

/// Delay before the first retry. Each further delay is twice as long.
const INITIAL_RETRY_DELAY: Duration = Duration::from_secs(2);

/// What the transitions depend on besides the part.
#[derive(Debug, Clone, Copy)]
pub struct TransitionContext<'a> {
    /// Current time.
    pub now: EpochMillis,
    /// Intervals, timeouts and announced maintenance.
    pub settings: &'a BatchSettings,
    /// `true` if sending the part twice has no side effect.
    pub repeatable: bool,
    /// `true` if a `CHECK` job can show whether LRS has the part.
    pub reconcilable: bool,
    /// `true` for jobs adopted with `track`.
    pub adopted: bool,
}

impl TransitionContext<'_> {
    /// Returns `true` if the time to send a part, to get its results or to reconcile it has passed. Announced maintenance does not count.
    pub fn is_timed_out(&self, part: &Part) -> bool {
        let settings = self.settings;
        let (started_at, timeout) = match (part.state, &part.reconciliation) {
            (PartState::Submitted, _) => (part.submitted_at.unwrap_or(part.tracking_started_at), settings.result_timeout),
            (PartState::Reconciling, Some(reconciliation)) => (reconciliation.started_at, settings.result_timeout),
            _ => (part.tracking_started_at, settings.submission_timeout),
        };
        let maintenance = maintenance_duration(&settings.maintenance.windows(), started_at.timestamp(), self.now.timestamp());
        self.now.since(started_at) >= timeout + maintenance
    }

    /// Returns the part after its timeout. A part that may have been executed is left to the caller.
    pub fn timed_out(&self, part: &Part) -> Part {
        let (state, reason) = match part.state {
            PartState::Reconciling => (PartState::Unconfirmed, part.reason),
            PartState::Submitted => (PartState::Failed, Some(PartReason::TimedOut)),
            _ => (PartState::Failed, Some(PartReason::SubmissionTimedOut)),
        };
        Part { state, reason, updated_at: self.now, ..part.clone() }
    }

    /// Returns the part after a poll: `polled`, or the part after its timeout if the poll has not changed its state.
    pub fn unless_timed_out(&self, part: &Part, polled: Part) -> Part {
        if polled.state == part.state && self.is_timed_out(&polled) { self.timed_out(&polled) } else { polled }
    }

    /// Returns the part after its records turned out to be missing. Without them, it can be neither sent nor reconciled.
    pub fn unreadable(&self, part: &Part) -> Part {
        if part.state == PartState::Reconciling {
            return self.unconfirmed(part);
        }
        Part { state: PartState::Failed, reason: Some(PartReason::Unreadable), updated_at: self.now, ..part.clone() }
    }

    pub(super) fn failed(&self, part: &Part, reason: PartReason, code: Option<LrsText>) -> Part {
        Part { state: PartState::Failed, reason: Some(reason), lrs_code: code, updated_at: self.now, ..part.clone() }
    }

    pub(super) fn unconfirmed(&self, part: &Part) -> Part {
        Part { state: PartState::Unconfirmed, updated_at: self.now, ..part.clone() }
    }

    /// Returns the delay before the retry after a number of failures: it doubles each time, up to a maximum.
    pub(super) fn backoff(&self, failures: u32, max: Duration) -> Duration {
        let initial_delay = INITIAL_RETRY_DELAY.min(self.settings.initial_poll_interval);
        (initial_delay * 2_u32.saturating_pow(failures.min(16))).min(max)
    }

    /// Returns the time of the next poll: after a quarter of the time since submission, so long jobs are polled less often.
    pub(super) fn next_poll(&self, submitted_at: EpochMillis) -> EpochMillis {
        let min_interval = self.settings.initial_poll_interval.min(self.settings.max_poll_interval);
        let interval = (self.now.since(submitted_at) / 4).clamp(min_interval, self.settings.max_poll_interval);
        self.now.after(jittered(interval))
    }
}

/// Returns the delay that LRS asks for, and up to a sixth more.
pub(super) fn requested_delay(error: &LrsError) -> Duration {
    retry_delay_of(error).mul_f64(1.0 + fastrand::f64() / 6.0)
}

/// Varies a delay at random by up to a sixth, so that parts do not become due at the same time.
pub(super) fn jittered(delay: Duration) -> Duration {
    delay.mul_f64(fastrand::f64().mul_add(1.0 / 3.0, 5.0 / 6.0))
}
