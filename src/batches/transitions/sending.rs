//! Transitions of a part that is sent.

use std::time::Duration;

use super::context::{TransitionContext, jittered, requested_delay};
use super::reasons::{lost_reason_of, reason_of};
use crate::batches::batch_kind::SubmitResponse;
use crate::batches::model::{EpochMillis, LrsText, Part, PartReason, PartState};
use crate::lrs::LrsError;

/// Maximum delay after a lost response, as a multiple of the maximum poll interval. LRS may create a job each time, so it is longer than the
/// maximum delay of a request that LRS did not receive.
const LOST_RESPONSE_DELAY_FACTOR: u32 = 4;

/// LRS's code for a registration batch that it has accepted. Without a job's number beside it, LRS may have the part nevertheless.
const ACCEPTED: &str = "WSRC0007";

impl TransitionContext<'_> {
    /// Returns a waiting part that is not sent before a delay has passed.
    pub fn postponed(&self, part: &Part, delay: Duration) -> Part {
        Part { due_at: self.now.after(jittered(delay.min(self.settings.max_poll_interval))), ..part.clone() }
    }

    /// Returns the part after a worker has started to send it. Persisted before the first byte is written.
    pub fn begin_sending(&self, part: &Part, sender_token: u64) -> Part {
        Part {
            state: PartState::Sending,
            reason: None,
            send_attempts: part.send_attempts.saturating_add(1),
            sender_token,
            // After a lost response, LRS may have the earlier attempt, even if it does not receive this one.
            sent_at: earlier_attempt(part).or(Some(self.now)),
            updated_at: self.now,
            ..part.clone()
        }
    }

    /// Returns the part after its worker stopped while sending it.
    pub fn interrupted(&self, part: &Part) -> Part {
        // An earlier version did not store when it started to send the part, except as its last change.
        let part = &Part { sent_at: part.sent_at.or(Some(part.updated_at)), ..part.clone() };
        self.response_lost(part, PartReason::ResponseLost, None)
    }

    /// Returns the part after LRS has responded to the submission, or the call has failed. `code` is LRS's code, as it is stored.
    pub fn after_send(&self, part: &Part, outcome: Result<&SubmitResponse, &LrsError>, code: Option<LrsText>) -> Part {
        match outcome {
            Ok(SubmitResponse { job_id: Some(job_id), .. }) => Part {
                state: PartState::Submitted,
                reason: None,
                job_id: Some(*job_id),
                lrs_code: code,
                submitted_at: Some(self.now),
                due_at: self.now.after(jittered(self.settings.initial_poll_interval)),
                failed_attempts: 0,
                reconciliation: None,
                updated_at: self.now,
                ..part.clone()
            },
            Ok(SubmitResponse { lrs_code: Some(lrs_code), .. }) if lrs_code.matches(ACCEPTED) => {
                self.response_lost(part, PartReason::LrsBadResponse, code)
            }
            Ok(SubmitResponse { job_id: None, .. }) => self.rejected(part, PartReason::LrsRejected, code),
            Err(error) if !error.is_not_executed() && (error.is_transient() || !self.repeatable) => {
                self.response_lost(part, lost_reason_of(error), code)
            }
            Err(error) if error.is_transient() => self.retry_later(part, error, code),
            Err(error) => self.rejected(part, reason_of(error), code),
        }
    }

    /// Fails a part that LRS has rejected.
    fn rejected(&self, part: &Part, reason: PartReason, code: Option<LrsText>) -> Part {
        Part { sent_at: earlier_attempt(part), ..self.failed(part, reason, code) }
    }

    /// Handles a lost response. LRS may have executed the request, so the part is sent again only if that has no side effect.
    fn response_lost(&self, part: &Part, reason: PartReason, code: Option<LrsText>) -> Part {
        let lost_responses = part.lost_responses.saturating_add(1);
        let part = &Part { lost_responses, reason: Some(reason), lrs_code: code, updated_at: self.now, ..part.clone() };
        if self.repeatable {
            let delay = self.lost_response_delay(lost_responses);
            return Part { state: PartState::Waiting, due_at: self.now.after(jittered(delay)), ..part.clone() };
        }
        if self.reconcilable { self.begin_reconciliation(part) } else { self.unconfirmed(part) }
    }

    /// Returns the delay after a number of lost responses. LRS may create a job each time. So the rate of attempts is limited, not their
    /// number: until the submission timeout there are some hundreds at most.
    pub(super) fn lost_response_delay(&self, lost_responses: u32) -> Duration {
        self.backoff(lost_responses.saturating_sub(1), self.settings.max_poll_interval * LOST_RESPONSE_DELAY_FACTOR)
    }

    /// Schedules another attempt after one that LRS certainly did not execute. There is no limit to their number.
    fn retry_later(&self, part: &Part, error: &LrsError, code: Option<LrsText>) -> Part {
        Part {
            state: PartState::Waiting,
            reason: Some(reason_of(error)),
            lrs_code: code,
            failed_attempts: part.failed_attempts.saturating_add(1),
            sent_at: earlier_attempt(part),
            due_at: self.now.after(self.retry_delay(part.failed_attempts, error)),
            updated_at: self.now,
            ..part.clone()
        }
    }

    /// Returns the delay before the next attempt after a number of attempts that LRS did not receive.
    pub(super) fn retry_delay(&self, failed_attempts: u32, error: &LrsError) -> Duration {
        if let LrsError::PlannedMaintenance { ends_at } = error {
            // Until the end of the window, but not longer than a poll interval: announcements can change.
            let until_end = Duration::try_from(ends_at.duration_since(self.now.timestamp())).unwrap_or_default();
            // The store's clock may be ahead: then the window seems to be over, and this process still waits for its end.
            let min_delay = self.backoff(0, self.settings.max_poll_interval);
            return jittered(until_end.min(self.settings.max_poll_interval).max(min_delay));
        }
        jittered(self.backoff(failed_attempts, self.settings.max_poll_interval)).max(requested_delay(error))
    }
}

/// Returns the time of an earlier attempt to send the part that LRS may have received.
fn earlier_attempt(part: &Part) -> Option<EpochMillis> {
    part.sent_at.filter(|_| part.lost_responses > 0)
}
