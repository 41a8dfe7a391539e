//! The state machine of a part. Each function takes a part and an event, and returns the changed part. None has side effects.
//!
//! | from | to | when |
//! |---|---|---|
//! | waiting | sending | a worker starts sending |
//! | waiting | waiting | the call was not made: LRS is unreachable or under maintenance, the gateway's queue is full, or the audit trail cannot be written |
//! | sending | submitted | LRS created a job |
//! | sending | waiting | the start could not be stored with certainty, so nothing was sent and it is undone |
//! | sending | waiting | LRS did not execute the request and a retry can succeed; or its response was lost and the batch is repeatable |
//! | sending | unconfirmed | LRS's response was lost, and the batch is not repeatable or too many responses were lost already |
//! | sending | unconfirmed | LRS reported an undocumented error, and the batch is not repeatable |
//! | sending | failed | LRS rejected the part, or reported an undocumented error about a repeatable batch |
//! | submitted | submitted | LRS is still processing the job, or the poll failed |
//! | submitted | complete | LRS returned the results |
//! | submitted | failed | the job failed, LRS does not know it, or a poll of an adopted job had a permanent error |
//! | waiting, submitted | failed | the tracking timeout has passed |
//! | waiting | failed | the stored records cannot be read |
//! | unconfirmed | waiting | the caller decides to resubmit |
//! | unconfirmed | failed | the caller decides to discard |
//! | waiting, failed, unconfirmed | submitted | a slow worker stores late that LRS created a job: [`send`](crate::batches::worker) |
//! | unconfirmed | failed | a slow worker stores late that LRS rejected the part |
//!
//! The [worker](crate::batches::worker) and the caller's [decisions](crate::batches::Decision) apply these transitions.

use std::time::Duration;

use crate::batches::batch_kind::{JobProgress, SubmitResponse};
use crate::batches::model::{EpochMillis, Part, PartReason, PartState};
use crate::batches::settings::BatchSettings;
use crate::lrs::LrsError;
use crate::lrs::maintenance::maintenance_duration;
use crate::lrs::response_codes::LrsCode;

/// Time after submission for which an unknown job is tolerated: LRS may not have registered it yet.
const UNKNOWN_JOB_GRACE: Duration = Duration::from_secs(15 * 60);
/// Number of consecutive polls in which LRS must not know a job before the part fails.
const MIN_UNKNOWN_JOB_POLLS: u32 = 3;
/// Number of lost responses after which a part is no longer sent automatically. LRS may create a job each time.
const MAX_LOST_RESPONSES: u32 = 5;
/// Delay before the first retry. Each further delay is twice as long.
const INITIAL_RETRY_DELAY: Duration = Duration::from_secs(2);

/// What the transitions depend on besides the part.
#[derive(Debug, Clone, Copy)]
pub struct TransitionContext<'a> {
    /// Current time.
    pub now: EpochMillis,
    /// Intervals, the tracking timeout and announced maintenance.
    pub settings: &'a BatchSettings,
    /// `true` if sending the part twice has no side effect.
    pub repeatable: bool,
    /// `true` for jobs adopted with `track`.
    pub adopted: bool,
}

impl TransitionContext<'_> {
    /// Returns the part after a worker has started to send it. Persisted before the first byte is written.
    pub fn begin_sending(&self, part: &Part, sender_token: u64) -> Part {
        Part {
            state: PartState::Sending,
            reason: None,
            send_attempts: part.send_attempts.saturating_add(1),
            sender_token,
            updated_at: self.now,
            ..part.clone()
        }
    }

    /// Returns the part after its worker stopped while sending it.
    pub fn interrupted(&self, part: &Part) -> Part {
        self.response_lost(part, PartReason::ResponseLost, None)
    }

    /// Returns the part after LRS has responded to the submission, or the call has failed.
    pub fn after_send(&self, part: &Part, outcome: Result<&SubmitResponse, &LrsError>) -> Part {
        match outcome {
            Ok(SubmitResponse { job_id: Some(job_id), lrs_code }) => Part {
                state: PartState::Submitted,
                reason: None,
                job_id: Some(*job_id),
                lrs_code: storable(lrs_code.as_ref()),
                submitted_at: Some(self.now),
                due_at: self.now.after(jittered(self.settings.initial_poll_interval)),
                failed_attempts: 0,
                updated_at: self.now,
                ..part.clone()
            },
            Ok(SubmitResponse { job_id: None, lrs_code }) => self.failed(part, PartReason::LrsRejected, lrs_code.as_ref()),
            Err(error) if !error.is_not_executed() && (error.is_transient() || !self.repeatable) => {
                let reason = if error.is_transient() { PartReason::ResponseLost } else { reason_of(error) };
                self.response_lost(part, reason, error.lrs_code())
            }
            Err(error) if error.is_transient() => {
                let retried = self.retry_later(part, reason_of(error), error.lrs_code());
                let LrsError::PlannedMaintenance { ends_at } = error else { return retried };
                // The part waits for the end of the window, but not longer than a poll interval: announcements can change.
                let until_end = EpochMillis(ends_at.as_millisecond()).since(self.now);
                Part { due_at: self.now.after(jittered(until_end.min(self.settings.max_poll_interval))), ..retried }
            }
            Err(error) => self.failed(part, reason_of(error), error.lrs_code()),
        }
    }

    /// Returns the part after LRS has responded to a poll.
    pub fn after_poll(&self, part: &Part, progress: JobProgress, code: Option<&LrsCode>) -> Part {
        // Codes of some operations are not public. Without a new code, the last one stays.
        let lrs_code = storable(code).or_else(|| part.lrs_code.clone());
        let polled = Part { reason: None, lrs_code, due_at: self.next_poll(part), failed_attempts: 0, ..part.clone() };
        let failed = |reason| Part { state: PartState::Failed, reason: Some(reason), updated_at: self.now, ..polled.clone() };
        match progress {
            JobProgress::Done => Part { state: PartState::Complete, updated_at: self.now, ..polled },
            JobProgress::Failed => failed(PartReason::JobFailed),
            JobProgress::Working => polled,
            JobProgress::NoSuchJob => {
                let unknown_polls = if part.reason == Some(PartReason::JobUnknown) { part.failed_attempts + 1 } else { 1 };
                let is_past_grace = self.time_since_submission(part) >= UNKNOWN_JOB_GRACE;
                if self.adopted || (is_past_grace && unknown_polls >= MIN_UNKNOWN_JOB_POLLS) {
                    return failed(PartReason::JobUnknown);
                }
                Part { reason: Some(PartReason::JobUnknown), failed_attempts: unknown_polls, ..polled }
            }
        }
    }

    /// Returns the part after a poll has failed.
    ///
    /// A permanent error fails only an adopted job, which may not exist. A job that LRS created for the gateway is polled until the
    /// tracking timeout.
    pub fn after_failed_poll(&self, part: &Part, error: &LrsError) -> Part {
        if self.adopted && !error.is_transient() {
            return self.failed(part, reason_of(error), error.lrs_code());
        }
        let lrs_code = storable(error.lrs_code()).or_else(|| part.lrs_code.clone());
        Part { reason: Some(reason_of(error)), lrs_code, due_at: self.next_poll(part), failed_attempts: 0, ..part.clone() }
    }

    /// Returns `true` if the tracking timeout has passed. Announced maintenance does not count.
    pub fn is_timed_out(&self, part: &Part) -> bool {
        let maintenance =
            maintenance_duration(&self.settings.maintenance.windows(), part.tracking_started_at.timestamp(), self.now.timestamp());
        self.now.since(part.tracking_started_at) >= self.settings.tracking_timeout + maintenance
    }

    /// Returns the part after the tracking timeout.
    pub fn timed_out(&self, part: &Part) -> Part {
        Part { state: PartState::Failed, reason: Some(PartReason::TimedOut), updated_at: self.now, ..part.clone() }
    }

    /// Returns the part after its records turned out to be missing.
    pub fn unreadable(&self, part: &Part) -> Part {
        Part { state: PartState::Failed, reason: Some(PartReason::Unreadable), updated_at: self.now, ..part.clone() }
    }

    fn failed(&self, part: &Part, reason: PartReason, code: Option<&LrsCode>) -> Part {
        Part { state: PartState::Failed, reason: Some(reason), lrs_code: storable(code), updated_at: self.now, ..part.clone() }
    }

    /// Handles a lost response. LRS may have executed the request, so the part is sent again only if that has no side effect.
    fn response_lost(&self, part: &Part, reason: PartReason, code: Option<&LrsCode>) -> Part {
        let part = &Part { lost_responses: part.lost_responses.saturating_add(1), ..part.clone() };
        if self.repeatable && part.lost_responses < MAX_LOST_RESPONSES {
            return self.retry_later(part, reason, code);
        }
        Part { state: PartState::Unconfirmed, reason: Some(reason), lrs_code: storable(code), updated_at: self.now, ..part.clone() }
    }

    /// Schedules another attempt to send the part, with exponential backoff.
    fn retry_later(&self, part: &Part, reason: PartReason, code: Option<&LrsCode>) -> Part {
        let initial_delay = INITIAL_RETRY_DELAY.min(self.settings.initial_poll_interval);
        let delay = initial_delay * 2_u32.saturating_pow(part.failed_attempts.min(16));
        Part {
            state: PartState::Waiting,
            reason: Some(reason),
            lrs_code: storable(code),
            failed_attempts: part.failed_attempts.saturating_add(1),
            due_at: self.now.after(jittered(delay.min(self.settings.max_poll_interval))),
            updated_at: self.now,
            ..part.clone()
        }
    }

    /// Returns the time of the next poll: after a quarter of the time since submission, so long jobs are polled less often.
    fn next_poll(&self, part: &Part) -> EpochMillis {
        let min_interval = self.settings.initial_poll_interval.min(self.settings.max_poll_interval);
        let interval = (self.time_since_submission(part) / 4).clamp(min_interval, self.settings.max_poll_interval);
        self.now.after(jittered(interval))
    }

    fn time_since_submission(&self, part: &Part) -> Duration {
        self.now.since(part.submitted_at.unwrap_or(part.tracking_started_at))
    }
}

/// Returns an unconfirmed part after the caller decided to resubmit it. The tracking timeout starts again.
pub fn resubmitted(part: &Part, now: EpochMillis) -> Part {
    Part {
        state: PartState::Waiting,
        reason: None,
        due_at: now,
        updated_at: now,
        tracking_started_at: now,
        failed_attempts: 0,
        lost_responses: 0,
        resubmitted: true,
        ..part.clone()
    }
}

/// Returns an unconfirmed part after the caller decided to discard it.
pub fn discarded(part: &Part, now: EpochMillis) -> Part {
    Part { state: PartState::Failed, reason: Some(PartReason::Discarded), updated_at: now, ..part.clone() }
}

/// Varies a delay at random by up to a sixth, so that parts do not become due at the same time.
fn jittered(delay: Duration) -> Duration {
    delay.mul_f64(fastrand::f64().mul_add(1.0 / 3.0, 5.0 / 6.0))
}

/// Returns the code if it has the form of a code. Free text might contain personal data, and parts are not encrypted.
fn storable(code: Option<&LrsCode>) -> Option<String> {
    code.and_then(LrsCode::loggable).map(str::to_owned)
}

const fn reason_of(error: &LrsError) -> PartReason {
    match error {
        LrsError::Unreachable(_)
        | LrsError::Throttled { .. }
        | LrsError::Moved { .. }
        | LrsError::AccessBlocked { .. }
        | LrsError::CircuitOpen { .. }
        | LrsError::QueueFull
        | LrsError::AuditUnavailable => PartReason::LrsUnavailable,
        LrsError::Maintenance(_) | LrsError::IntermediaryMaintenance { .. } | LrsError::PlannedMaintenance { .. } => {
            PartReason::LrsMaintenance
        }
        LrsError::CredentialsRejected(_) | LrsError::CertificateRejected(_) => PartReason::LrsCredentialsRejected,
        LrsError::RequestRejected(_) | LrsError::UnknownError(_) | LrsError::IllegalCharacter => PartReason::LrsRejectedRequest,
        LrsError::Rejected(..) => PartReason::LrsRejected,
        LrsError::ConnectionLost
        | LrsError::IntermediaryFailed { .. }
        | LrsError::InvalidHttp(_)
        | LrsError::Timeout
        | LrsError::ServiceFailed(_)
        | LrsError::InvalidResponse(_)
        | LrsError::InconsistentResponse(_)
        | LrsError::UnexpectedHttpResponse { .. }
        | LrsError::ResponseTooLarge => PartReason::ResponseLost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lrs::http_client::connect_failure::ConnectFailure;
    use crate::lrs::maintenance::MaintenanceWindow;

    const NOW: EpochMillis = EpochMillis(1_700_000_000_000);

    fn context(settings: &BatchSettings, repeatable: bool) -> TransitionContext<'_> {
        TransitionContext { now: NOW, settings, repeatable, adopted: false }
    }

    fn sending_part() -> Part {
        Part { state: PartState::Sending, send_attempts: 1, ..Part::waiting(0, 200, NOW) }
    }

    #[test]
    fn lost_answer_is_resent_only_if_repeatable() {
        let settings = BatchSettings::default();
        for error in [
            LrsError::Timeout,
            LrsError::ConnectionLost,
            LrsError::ResponseTooLarge,
            LrsError::ServiceFailed(None),
            LrsError::IntermediaryFailed { status: 504 },
            LrsError::IntermediaryMaintenance { status: 500, retry_after: None, may_be_executed: true },
        ] {
            let not_repeatable = context(&settings, false).after_send(&sending_part(), Err(&error));
            assert_eq!(
                (not_repeatable.state, not_repeatable.reason),
                (PartState::Unconfirmed, Some(PartReason::ResponseLost)),
                "{error:?}"
            );
            let repeatable = context(&settings, true).after_send(&sending_part(), Err(&error));
            assert!(repeatable.state == PartState::Waiting && repeatable.due_at > NOW, "{error:?}");
        }
        assert_eq!(context(&settings, false).interrupted(&sending_part()).state, PartState::Unconfirmed);
        assert_eq!(context(&settings, true).interrupted(&sending_part()).state, PartState::Waiting);
    }

    #[test]
    fn request_that_lrs_did_not_receive_is_resent_with_backoff() {
        let settings = BatchSettings::default();
        let mut part = sending_part();
        let mut delays = Vec::new();
        let errors = [
            LrsError::Unreachable(ConnectFailure::Refused),
            LrsError::Maintenance(None),
            LrsError::IntermediaryMaintenance { status: 405, retry_after: None, may_be_executed: false },
            LrsError::Throttled { status: 503, retry_after: None },
            LrsError::Moved { status: 301, origin: None },
            LrsError::AccessBlocked { status: 403 },
        ];
        for error in errors.iter().cycle().take(20) {
            part = context(&settings, false).after_send(&part, Err(error));
            assert_eq!(part.state, PartState::Waiting);
            delays.push(part.due_at.since(NOW));
        }
        assert!(delays[0] < Duration::from_secs(3) && delays[3] > delays[0] * 4, "{delays:?}");
        assert!(delays.iter().all(|delay| *delay <= settings.max_poll_interval.mul_f64(1.17)), "{delays:?}");
    }

    #[test]
    fn rejection_is_final_and_keeps_its_code() {
        let settings = BatchSettings::default();
        let rejected = LrsError::CredentialsRejected(LrsCode::new("WSEC0005"));
        let part = context(&settings, true).after_send(&sending_part(), Err(&rejected));
        assert_eq!((part.state, part.reason), (PartState::Failed, Some(PartReason::LrsCredentialsRejected)));
        assert_eq!(part.lrs_code.as_deref(), Some("WSEC0005"));
        let no_job = SubmitResponse { lrs_code: Some(LrsCode::new("WSRC0043")), job_id: None };
        let part = context(&settings, true).after_send(&part, Ok(&no_job));
        assert_eq!((part.state, part.lrs_code.as_deref()), (PartState::Failed, Some("WSRC0043")));
    }

    #[test]
    fn undocumented_error_may_have_been_executed() {
        let settings = BatchSettings::default();
        let unknown = LrsError::UnknownError(LrsCode::new("WSEC4711"));
        let observed = |part: &Part| (part.state, part.reason, part.lrs_code.clone());
        let expected = |state| (state, Some(PartReason::LrsRejectedRequest), Some("WSEC4711".to_owned()));
        assert_eq!(observed(&context(&settings, false).after_send(&sending_part(), Err(&unknown))), expected(PartState::Unconfirmed));
        assert_eq!(
            observed(&context(&settings, true).after_send(&sending_part(), Err(&unknown))),
            expected(PartState::Failed),
            "a retry would not help"
        );
    }

    #[test]
    fn poll_interval_grows_up_to_the_maximum() {
        let settings = BatchSettings::default();
        let submitted = SubmitResponse { lrs_code: None, job_id: Some(900_123) };
        let mut part = context(&settings, false).after_send(&sending_part(), Ok(&submitted));
        let (mut polls, mut now) = (0, NOW);
        while now.since(NOW) < settings.tracking_timeout {
            now = part.due_at;
            let context = TransitionContext { now, ..context(&settings, false) };
            part = context.after_poll(&part, JobProgress::Working, None);
            let wait = part.due_at.since(now);
            assert!(wait <= settings.max_poll_interval.mul_f64(1.17) && wait >= settings.initial_poll_interval.mul_f64(0.83), "{wait:?}");
            polls += 1;
        }
        assert!((250..400).contains(&polls), "{polls} polls in 72 hours");
    }

    #[test]
    fn tracking_timeout_excludes_announced_maintenance() {
        let hours = |count: u64| NOW.after(Duration::from_secs(count * 60 * 60));
        let window = MaintenanceWindow { starts_at: hours(10).timestamp(), ends_at: hours(72).timestamp(), note: None };
        let without_maintenance = BatchSettings::default();
        let with_maintenance = BatchSettings { maintenance: vec![window].into(), ..BatchSettings::default() };
        let is_timed_out =
            |after_hours, settings| TransitionContext { now: hours(after_hours), ..context(settings, false) }.is_timed_out(&sending_part());
        assert!(is_timed_out(72, &without_maintenance) && !is_timed_out(71, &without_maintenance));
        assert!(!is_timed_out(133, &with_maintenance) && is_timed_out(134, &with_maintenance));
    }

    #[test]
    fn unknown_job_fails_after_grace_and_repeated_polls() {
        let settings = BatchSettings::default();
        let submitted = context(&settings, false).after_send(&sending_part(), Ok(&SubmitResponse { lrs_code: None, job_id: Some(7) }));
        let code = LrsCode::new("WSRC0018");
        let polled = |part: &Part, seconds, adopted, progress| {
            let context = TransitionContext { now: NOW.after(Duration::from_secs(seconds)), adopted, ..context(&settings, false) };
            context.after_poll(part, progress, Some(&code))
        };
        let unknown = |part: &Part, seconds| polled(part, seconds, false, JobProgress::NoSuchJob);
        let early = unknown(&unknown(&unknown(&submitted, 20), 40), 60);
        assert_eq!((early.state, early.reason), (PartState::Submitted, Some(PartReason::JobUnknown)));
        assert_eq!(unknown(&early, 1000).state, PartState::Failed);
        assert_eq!(unknown(&submitted, 1000).state, PartState::Submitted, "once is not enough");
        let known_in_between = polled(&early, 900, false, JobProgress::Working);
        assert_eq!(unknown(&known_in_between, 1000).state, PartState::Submitted, "the count starts again");
        assert_eq!(polled(&submitted, 1, true, JobProgress::NoSuchJob).state, PartState::Failed, "an adopted job gets no grace");
    }

    #[test]
    fn lost_answers_stop_resending_after_the_maximum() {
        let settings = BatchSettings::default();
        let mut part = sending_part();
        let mut send_count = 0;
        while part.state != PartState::Unconfirmed {
            part = context(&settings, true).after_send(&part, Err(&LrsError::ResponseTooLarge));
            send_count += 1;
        }
        assert_eq!(send_count, 5);
    }

    #[test]
    fn lrs_code_stays_until_the_next_code() {
        let settings = BatchSettings::default();
        let submitted = SubmitResponse { lrs_code: Some(LrsCode::new("WSRC0042")), job_id: Some(7) };
        let part = context(&settings, false).after_send(&sending_part(), Ok(&submitted));
        let polled = context(&settings, false).after_poll(&part, JobProgress::Working, None);
        assert_eq!(polled.lrs_code.as_deref(), Some("WSRC0042"));
        let polled = context(&settings, false).after_poll(&polled, JobProgress::Failed, Some(&LrsCode::new("WSRC0010")));
        assert_eq!((polled.state, polled.lrs_code.as_deref()), (PartState::Failed, Some("WSRC0010")));
    }

    #[test]
    fn lrs_code_with_free_text_is_not_stored() {
        let settings = BatchSettings::default();
        let free_text = SubmitResponse { lrs_code: Some(LrsCode::new("Ana O'Neill")), job_id: Some(7) };
        assert_eq!(context(&settings, false).after_send(&sending_part(), Ok(&free_text)).lrs_code, None);
    }
}
