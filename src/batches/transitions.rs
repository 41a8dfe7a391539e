//! What becomes of a part: after it was sent, after LRS was asked about it, after nobody knows what. Decisions only; the
//! [`engine`](super::engine) carries them out.

use std::time::Duration;

use crate::batches::BatchSettings;
use crate::batches::batch_kind::{JobProgress, Submitted};
use crate::batches::model::{EpochMillis, Part, PartReason, PartState};
use crate::lrs::LrsError;
use crate::lrs::codes::LrsCode;
use crate::lrs::maintenance::{MaintenanceWindow, maintenance_between, time_until};

/// How long after it was submitted LRS may say that it does not know a job: it may not have got round to it. And how often it must
/// say so, one time after another.
const UNKNOWN_FOR: Duration = Duration::from_secs(15 * 60);
const UNKNOWN_TIMES: u32 = 3;
/// How often a part is sent again by itself after its answer was lost. LRS may make a job of it each time.
const MOST_LOST: u32 = 5;
/// How long the first wait for an LRS that cannot be reached is. Each is twice the one before.
const FIRST_RETRY: Duration = Duration::from_secs(2);

/// What the decisions depend on beside the part.
#[derive(Debug, Clone, Copy)]
pub struct TransitionContext<'a> {
    /// Now.
    pub now: EpochMillis,
    /// Paces.
    pub settings: &'a BatchSettings,
    /// Would it do no harm to send the part twice?
    pub repeatable: bool,
    /// Was it submitted by somebody else than the gateway?
    pub tracked: bool,
    /// When LRS is announced to be closed.
    pub maintenance: &'a [MaintenanceWindow],
}

impl TransitionContext<'_> {
    /// The part as somebody begins to send it. Kept before the first byte goes out.
    pub fn begin_sending(&self, part: &Part, sender: u64) -> Part {
        Part { state: PartState::Sending, reason: None, sent: part.sent.saturating_add(1), sender, changed: self.now, ..part.clone() }
    }

    /// The part after its sender has gone without a word.
    pub fn abandoned(&self, part: &Part) -> Part {
        self.answer_lost(part, PartReason::AnswerLost, None)
    }

    /// The part that LRS has answered, or has not.
    pub fn after_send(&self, part: &Part, outcome: Result<&Submitted, &LrsError>) -> Part {
        let changed = self.now;
        match outcome {
            Ok(Submitted { job: Some(job), code }) => Part {
                state: PartState::Submitted,
                reason: None,
                job: Some(*job),
                code: printable(code.as_ref()),
                submitted: Some(self.now),
                due: self.now.after(jittered(self.settings.initial_poll_interval)),
                tries: 0,
                changed,
                ..part.clone()
            },
            Ok(Submitted { job: None, code }) => self.failed(part, PartReason::LrsRejected, code.as_ref()),
            Err(failure) if !failure.is_not_executed() && (failure.is_transient() || !self.repeatable) => {
                let reason = if failure.is_transient() { PartReason::AnswerLost } else { reason_of(failure) };
                self.answer_lost(part, reason, failure.lrs_code())
            }
            Err(failure) if failure.is_transient() => {
                let later = self.retry_later(part, reason_of(failure), failure.lrs_code());
                // Batches are held until LRS is open again, but announcements change.
                let LrsError::PlannedMaintenance { until } = failure else { return later };
                Part { due: self.now.after(jittered(time_until(*until).min(self.settings.max_poll_interval))), ..later }
            }
            Err(failure) => self.failed(part, reason_of(failure), failure.lrs_code()),
        }
    }

    /// The part after LRS has said how far it is.
    pub fn after_poll(&self, part: &Part, progress: JobProgress, code: Option<&LrsCode>) -> Part {
        let waited = self.now.since(part.submitted.unwrap_or(part.begun));
        // Codes of some operations are not public: what LRS said before is better than nothing.
        let code = printable(code).or_else(|| part.code.clone());
        let again = Part { reason: None, code, due: self.next_poll(part), tries: 0, ..part.clone() };
        let failed = |reason| Part { state: PartState::Failed, reason: Some(reason), changed: self.now, ..again.clone() };
        match progress {
            JobProgress::Done => Part { state: PartState::Complete, changed: self.now, ..again },
            JobProgress::Failed => failed(PartReason::JobFailed),
            JobProgress::Working => again,
            JobProgress::Unknown => {
                let times = if part.reason == Some(PartReason::JobUnknown) { part.tries + 1 } else { 1 };
                if self.tracked || (waited >= UNKNOWN_FOR && times >= UNKNOWN_TIMES) {
                    return failed(PartReason::JobUnknown);
                }
                Part { reason: Some(PartReason::JobUnknown), tries: times, ..again }
            }
        }
    }

    /// The part after LRS could not be asked, or does not want to be asked so.
    pub fn after_failed_poll(&self, part: &Part, failure: &LrsError) -> Part {
        if self.tracked && !failure.is_transient() {
            return self.failed(part, reason_of(failure), failure.lrs_code());
        }
        let code = printable(failure.lrs_code()).or_else(|| part.code.clone());
        Part { reason: Some(reason_of(failure)), code, due: self.next_poll(part), tries: 0, ..part.clone() }
    }

    /// Has it taken longer than the gateway follows anything? While LRS is closed, as it has announced, time stands still.
    pub fn is_timed_out(&self, part: &Part) -> bool {
        let closed = maintenance_between(self.maintenance, part.begun.timestamp(), self.now.timestamp());
        self.now.since(part.begun) >= self.settings.tracking_timeout + closed
    }

    /// The part for which there is no more time.
    pub fn timed_out(&self, part: &Part) -> Part {
        Part { state: PartState::Failed, reason: Some(PartReason::TimedOut), changed: self.now, ..part.clone() }
    }

    fn failed(&self, part: &Part, reason: PartReason, code: Option<&LrsCode>) -> Part {
        Part { state: PartState::Failed, reason: Some(reason), code: printable(code), changed: self.now, ..part.clone() }
    }

    /// LRS may have it. It is sent again only where that does no harm.
    fn answer_lost(&self, part: &Part, reason: PartReason, code: Option<&LrsCode>) -> Part {
        let part = &Part { lost: part.lost.saturating_add(1), ..part.clone() };
        if self.repeatable && part.lost < MOST_LOST {
            return self.retry_later(part, reason, code);
        }
        Part { state: PartState::Unconfirmed, reason: Some(reason), code: printable(code), changed: self.now, ..part.clone() }
    }

    /// To be sent later.
    fn retry_later(&self, part: &Part, reason: PartReason, code: Option<&LrsCode>) -> Part {
        let wait = FIRST_RETRY.min(self.settings.initial_poll_interval) * 2_u32.saturating_pow(part.tries.min(16));
        let due = self.now.after(jittered(wait.min(self.settings.max_poll_interval)));
        let code = printable(code);
        Part {
            state: PartState::Waiting,
            reason: Some(reason),
            code,
            tries: part.tries.saturating_add(1),
            due,
            changed: self.now,
            ..part.clone()
        }
    }

    /// The longer a job takes, the less often LRS is asked: after another quarter of the time it has taken so far.
    fn next_poll(&self, part: &Part) -> EpochMillis {
        let taken = self.now.since(part.submitted.unwrap_or(part.begun));
        let shortest = self.settings.initial_poll_interval.min(self.settings.max_poll_interval);
        self.now.after(jittered((taken / 4).clamp(shortest, self.settings.max_poll_interval)))
    }
}

/// Not everybody at the same moment: a sixth more or less.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(fastrand::f64().mul_add(1.0 / 3.0, 5.0 / 6.0))
}

/// A code that looks like one. Free text might be about a person, and parts are not sealed.
fn printable(code: Option<&LrsCode>) -> Option<String> {
    code.and_then(LrsCode::printable).map(str::to_owned)
}

const fn reason_of(failure: &LrsError) -> PartReason {
    match failure {
        LrsError::Unreachable | LrsError::CircuitOpen { .. } | LrsError::QueueFull | LrsError::AuditUnavailable => {
            PartReason::LrsUnavailable
        }
        LrsError::Maintenance(_) | LrsError::MaintenanceInFront | LrsError::PlannedMaintenance { .. } => PartReason::LrsMaintenance,
        LrsError::CredentialsRejected(_) => PartReason::LrsCredentialsRejected,
        LrsError::RequestRejected(_) | LrsError::UnknownError(_) | LrsError::Unwritable => PartReason::LrsRejectedRequest,
        LrsError::Refused(..) => PartReason::LrsRejected,
        LrsError::ConnectionLost
        | LrsError::Timeout
        | LrsError::ServiceFailed(_)
        | LrsError::Unreadable(_)
        | LrsError::Contradiction(_)
        | LrsError::NotAnAnswer { .. }
        | LrsError::TooLarge => PartReason::AnswerLost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: EpochMillis = EpochMillis(1_700_000_000_000);

    fn circumstances(settings: &BatchSettings, repeatable: bool) -> TransitionContext<'_> {
        TransitionContext { now: NOW, settings, repeatable, tracked: false, maintenance: &[] }
    }

    fn part() -> Part {
        Part { state: PartState::Sending, sent: 1, ..Part::waiting(0, 200, NOW) }
    }

    #[test]
    fn a_part_whose_answer_was_lost_is_sent_again_only_where_that_does_no_harm() {
        let settings = BatchSettings::default();
        for failure in
            [LrsError::Timeout, LrsError::ConnectionLost, LrsError::TooLarge, LrsError::ServiceFailed(None), LrsError::MaintenanceInFront]
        {
            let unsafe_to_repeat = circumstances(&settings, false).after_send(&part(), Err(&failure));
            assert_eq!(
                (unsafe_to_repeat.state, unsafe_to_repeat.reason),
                (PartState::Unconfirmed, Some(PartReason::AnswerLost)),
                "{failure:?}"
            );
            let repeatable = circumstances(&settings, true).after_send(&part(), Err(&failure));
            assert!(repeatable.state == PartState::Waiting && repeatable.due > NOW, "{failure:?}");
        }
        assert_eq!(circumstances(&settings, false).abandoned(&part()).state, PartState::Unconfirmed);
        assert_eq!(circumstances(&settings, true).abandoned(&part()).state, PartState::Waiting);
    }

    #[test]
    fn what_never_reached_lrs_is_sent_later_and_later() {
        let settings = BatchSettings::default();
        let mut part = part();
        let mut waits = Vec::new();
        for failure in [LrsError::Unreachable, LrsError::Maintenance(None)].iter().cycle().take(20) {
            part = circumstances(&settings, false).after_send(&part, Err(failure));
            assert_eq!(part.state, PartState::Waiting);
            waits.push(part.due.since(NOW));
        }
        assert!(waits[0] < Duration::from_secs(3) && waits[3] > waits[0] * 4, "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= settings.max_poll_interval.mul_f64(1.17)), "{waits:?}");
    }

    #[test]
    fn a_plain_refusal_is_final_with_its_code() {
        let settings = BatchSettings::default();
        let refused = LrsError::CredentialsRejected(Some(LrsCode::new("WSEC0005")));
        let part = circumstances(&settings, true).after_send(&part(), Err(&refused));
        assert_eq!((part.state, part.reason), (PartState::Failed, Some(PartReason::LrsCredentialsRejected)));
        assert_eq!(part.code.as_deref(), Some("WSEC0005"));
        let no_job = Submitted { code: Some(LrsCode::new("WSRC0043")), job: None };
        let part = circumstances(&settings, true).after_send(&part, Ok(&no_job));
        assert_eq!((part.state, part.code.as_deref()), (PartState::Failed, Some("WSRC0043")));
    }

    #[test]
    fn an_error_that_nobody_has_documented_is_no_promise_that_nothing_was_done() {
        let settings = BatchSettings::default();
        let unknown = LrsError::UnknownError(LrsCode::new("WSEC4711"));
        let of = |part: &Part| (part.state, part.reason, part.code.clone());
        let told = |state| (state, Some(PartReason::LrsRejectedRequest), Some("WSEC4711".to_owned()));
        assert_eq!(of(&circumstances(&settings, false).after_send(&part(), Err(&unknown))), told(PartState::Unconfirmed));
        assert_eq!(
            of(&circumstances(&settings, true).after_send(&part(), Err(&unknown))),
            told(PartState::Failed),
            "sending it again is of no use"
        );
    }

    #[test]
    fn lrs_is_asked_less_and_less_often() {
        let settings = BatchSettings::default();
        let mut part = circumstances(&settings, false).after_send(&part(), Ok(&Submitted { code: None, job: Some(900_123) }));
        let (mut polls, mut now) = (0, NOW);
        while now.since(NOW) < settings.tracking_timeout {
            now = part.due;
            let here = TransitionContext { now, ..circumstances(&settings, false) };
            part = here.after_poll(&part, JobProgress::Working, None);
            let wait = part.due.since(now);
            assert!(wait <= settings.max_poll_interval.mul_f64(1.17) && wait >= settings.initial_poll_interval.mul_f64(0.83), "{wait:?}");
            polls += 1;
        }
        assert!((250..400).contains(&polls), "{polls} polls in 72 hours");
    }

    #[test]
    fn time_stands_still_while_lrs_is_closed_as_announced() {
        let settings = BatchSettings::default();
        let hours = |count: u64| NOW.after(Duration::from_secs(count * 60 * 60));
        let window = MaintenanceWindow { starts_at: hours(10).timestamp(), ends_at: hours(72).timestamp(), note: None };
        let late =
            |at, maintenance| TransitionContext { now: hours(at), maintenance, ..circumstances(&settings, false) }.is_timed_out(&part());
        assert!(late(72, &[]) && !late(71, &[]));
        assert!(!late(133, std::slice::from_ref(&window)) && late(134, std::slice::from_ref(&window)));
    }

    #[test]
    fn a_job_that_lrs_does_not_know_is_given_time_if_the_gateway_made_it() {
        let settings = BatchSettings::default();
        let submitted = circumstances(&settings, false).after_send(&part(), Ok(&Submitted { code: None, job: Some(7) }));
        let code = LrsCode::new("WSRC0018");
        let told = |part: &Part, seconds, tracked, progress| {
            let here = TransitionContext { now: NOW.after(Duration::from_secs(seconds)), tracked, ..circumstances(&settings, false) };
            here.after_poll(part, progress, Some(&code))
        };
        let unknown = |part: &Part, seconds| told(part, seconds, false, JobProgress::Unknown);
        let early = unknown(&unknown(&unknown(&submitted, 20), 40), 60);
        assert_eq!((early.state, early.reason), (PartState::Submitted, Some(PartReason::JobUnknown)));
        assert_eq!(unknown(&early, 1000).state, PartState::Failed);
        assert_eq!(unknown(&submitted, 1000).state, PartState::Submitted, "once is not enough");
        assert_eq!(unknown(&told(&early, 900, false, JobProgress::Working), 1000).state, PartState::Submitted, "it knew the job meanwhile");
        assert_eq!(told(&submitted, 1, true, JobProgress::Unknown).state, PartState::Failed, "nobody says that there is such a job");
    }

    #[test]
    fn a_part_whose_answer_is_always_lost_is_not_sent_for_ever() {
        let settings = BatchSettings::default();
        let mut part = part();
        let mut sent = 0;
        while part.state != PartState::Unconfirmed {
            part = circumstances(&settings, true).after_send(&part, Err(&LrsError::TooLarge));
            sent += 1;
        }
        assert_eq!(sent, 5);
    }

    #[test]
    fn lrss_last_code_stays_until_there_is_another() {
        let settings = BatchSettings::default();
        let submitted = Submitted { code: Some(LrsCode::new("WSRC0042")), job: Some(7) };
        let part = circumstances(&settings, false).after_send(&part(), Ok(&submitted));
        let asked = circumstances(&settings, false).after_poll(&part, JobProgress::Working, None);
        assert_eq!(asked.code.as_deref(), Some("WSRC0042"));
        let asked = circumstances(&settings, false).after_poll(&asked, JobProgress::Failed, Some(&LrsCode::new("WSRC0010")));
        assert_eq!((asked.state, asked.code.as_deref()), (PartState::Failed, Some("WSRC0010")));
    }

    #[test]
    fn text_that_is_no_code_is_not_kept() {
        let settings = BatchSettings::default();
        let odd = Submitted { code: Some(LrsCode::new("Ana O'Neill")), job: Some(7) };
        assert_eq!(circumstances(&settings, false).after_send(&part(), Ok(&odd)).code, None);
    }
}
