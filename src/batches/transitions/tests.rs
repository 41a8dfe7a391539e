//! Tests of the state machine.

use std::time::Duration;

use super::*;
use crate::batches::batch_kind::{JobProgress, SubmitResponse};
use crate::batches::model::{CheckEvidence, EpochMillis, LrsText, Part, PartReason, PartState, Reconciliation};
use crate::batches::settings::BatchSettings;
use crate::lrs::LrsError;
use crate::lrs::http_client::connect_failure::ConnectFailure;
use crate::lrs::maintenance::MaintenanceWindow;
use crate::lrs::response_codes::LrsCode;

const UNREACHABLE: LrsError = LrsError::Unreachable(ConnectFailure::Refused);
const NOW: EpochMillis = EpochMillis(1_700_000_000_000);

fn context(settings: &BatchSettings, repeatable: bool) -> TransitionContext<'_> {
    TransitionContext { now: NOW, settings, repeatable, reconcilable: false, adopted: false }
}

/// The context of a registration that is not repeatable.
fn registration(settings: &BatchSettings) -> TransitionContext<'_> {
    TransitionContext { reconcilable: true, ..context(settings, false) }
}

fn code(text: &str) -> LrsText {
    LrsText::Plain(text.to_owned())
}

fn poll_result(progress: JobProgress, result_count: u32, code: Option<LrsText>) -> PollResult {
    PollResult { progress, result_count, code }
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
        LrsError::ServiceFailed(None),
        LrsError::IntermediaryMaintenance { status: 500, retry_after: None, may_be_executed: true },
    ] {
        let not_repeatable = context(&settings, false).after_send(&sending_part(), Err(&error), None);
        assert_eq!((not_repeatable.state, not_repeatable.reason), (PartState::Unconfirmed, Some(PartReason::ResponseLost)), "{error:?}");
        let repeatable = context(&settings, true).after_send(&sending_part(), Err(&error), None);
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
    for error in [UNREACHABLE, LrsError::Maintenance(None)].iter().cycle().take(20) {
        part = context(&settings, false).after_send(&part, Err(error), None);
        assert_eq!(part.state, PartState::Waiting);
        delays.push(part.due_at.since(NOW));
    }
    assert!(delays[0] < Duration::from_secs(3) && delays[3] > delays[0] * 4, "{delays:?}");
    assert!(delays.iter().all(|delay| *delay <= settings.max_poll_interval.mul_f64(1.17)), "{delays:?}");
}

#[test]
fn part_waits_for_every_error_after_which_lrs_does_not_have_it() {
    let settings = BatchSettings::default();
    for (error, reason) in [
        (UNREACHABLE, PartReason::LrsUnavailable),
        (LrsError::Throttled { status: 429, retry_after: None }, PartReason::LrsUnavailable),
        (LrsError::Throttled { status: 503, retry_after: None }, PartReason::LrsUnavailable),
        (LrsError::CircuitOpen { retry_after: Duration::from_secs(1) }, PartReason::LrsUnavailable),
        (LrsError::Maintenance(None), PartReason::LrsMaintenance),
        (LrsError::Moved { status: 308, origin: None }, PartReason::LrsMoved),
        (LrsError::AccessBlocked { status: 403 }, PartReason::LrsAccessBlocked),
    ] {
        for context in [context(&settings, true), context(&settings, false), registration(&settings)] {
            let mut part = sending_part();
            for _ in 0..100 {
                part = context.after_send(&part, Err(&error), None);
                assert_eq!((part.state, part.reason, part.lost_responses), (PartState::Waiting, Some(reason), 0), "{error:?}");
            }
        }
    }
}

#[test]
fn part_is_not_sent_or_polled_earlier_than_lrs_asks_for() {
    const HOUR: Duration = Duration::from_secs(60 * 60);
    let settings = BatchSettings::default();
    for (retry_after, expected) in [(20 * 60, 20 * 60), (24 * 60 * 60, 60 * 60)] {
        let error = LrsError::Throttled { status: 503, retry_after: Some(Duration::from_secs(retry_after)) };
        let sent = context(&settings, false).after_send(&sending_part(), Err(&error), None);
        let submitted = Part { state: PartState::Submitted, submitted_at: Some(NOW), ..sending_part() };
        let polled = context(&settings, false).after_failed_poll(&submitted, &error, None);
        for delay in [&sent, &polled].map(|part| part.due_at.since(NOW)) {
            assert!(delay >= Duration::from_secs(expected) && delay <= HOUR.mul_f64(1.17), "{retry_after}: {delay:?}");
        }
    }
}

#[test]
fn rejection_is_final_and_keeps_its_code() {
    let settings = BatchSettings::default();
    let rejected = LrsError::CredentialsRejected(LrsCode::new("WSEC0005"));
    let part = context(&settings, true).after_send(&sending_part(), Err(&rejected), Some(code("WSEC0005")));
    assert_eq!((part.state, part.reason), (PartState::Failed, Some(PartReason::LrsCredentialsRejected)));
    assert_eq!((part.plain_code(), part.needs_records()), (Some("WSEC0005"), false));
    let no_job = SubmitResponse { lrs_code: Some(LrsCode::new("WSRC0043")), job_id: None };
    let part = context(&settings, true).after_send(&part, Ok(&no_job), Some(code("WSRC0043")));
    assert_eq!((part.state, part.plain_code()), (PartState::Failed, Some("WSRC0043")));
}

#[test]
fn accepted_part_without_a_job_number_may_be_at_lrs() {
    let settings = BatchSettings::default();
    let accepted = SubmitResponse { lrs_code: Some(LrsCode::new("WSRC0007")), job_id: None };
    for (context, state) in [
        (registration(&settings), PartState::Reconciling),
        (context(&settings, false), PartState::Unconfirmed),
        (context(&settings, true), PartState::Waiting),
    ] {
        let sending = context.begin_sending(&Part::waiting(0, 200, NOW), 7);
        let part = context.after_send(&sending, Ok(&accepted), Some(code("WSRC0007")));
        assert_eq!((part.state, part.reason, part.plain_code()), (state, Some(PartReason::LrsBadResponse), Some("WSRC0007")));
        assert_eq!((part.lost_responses, part.sent_to_lrs_at()), (1, Some(NOW)));
    }
}

#[test]
fn undocumented_error_may_have_been_executed() {
    let settings = BatchSettings::default();
    let unknown = LrsError::UnknownError(LrsCode::new("WSEC4711"));
    let after = |context: TransitionContext<'_>| {
        let part = context.after_send(&sending_part(), Err(&unknown), Some(code("WSEC4711")));
        assert_eq!((part.reason, part.plain_code()), (Some(PartReason::LrsRejectedRequest), Some("WSEC4711")));
        part.state
    };
    assert_eq!(after(context(&settings, false)), PartState::Unconfirmed);
    assert_eq!(after(registration(&settings)), PartState::Reconciling);
    assert_eq!(after(context(&settings, true)), PartState::Failed, "a retry would not help");
}

#[test]
fn unreadable_response_has_a_reason_of_its_own() {
    let settings = BatchSettings::default();
    let unreadable = LrsError::UnexpectedHttpResponse { status: 200, body: "a body that is not XML" };
    let sent = registration(&settings).after_send(&sending_part(), Err(&unreadable), None);
    assert_eq!((sent.state, sent.reason), (PartState::Reconciling, Some(PartReason::LrsBadResponse)));
    let submitted = Part { state: PartState::Submitted, job_id: Some(7), ..sending_part() };
    let polled = context(&settings, false).after_failed_poll(&submitted, &unreadable, None);
    assert_eq!((polled.state, polled.reason), (PartState::Submitted, Some(PartReason::LrsBadResponse)));
}

#[test]
fn poll_interval_grows_up_to_the_maximum() {
    let settings = BatchSettings::default();
    let submitted = SubmitResponse { lrs_code: None, job_id: Some(900_123) };
    let mut part = context(&settings, false).after_send(&sending_part(), Ok(&submitted), None);
    let (mut polls, mut now) = (0, NOW);
    while now.since(NOW) < settings.result_timeout {
        now = part.due_at;
        let context = TransitionContext { now, ..context(&settings, false) };
        part = context.after_poll(&part, poll_result(JobProgress::Working, 0, None));
        let wait = part.due_at.since(now);
        assert!(wait <= settings.max_poll_interval.mul_f64(1.17) && wait >= settings.initial_poll_interval.mul_f64(0.83), "{wait:?}");
        polls += 1;
    }
    assert!((650..800).contains(&polls), "{polls} polls in seven days");
}

#[test]
fn timeouts_are_counted_from_acceptance_and_from_submission() {
    const DAY: u64 = 24 * 60 * 60;
    let days = |count: u64| NOW.after(Duration::from_secs(count * DAY));
    let settings = BatchSettings::default();
    let at = |day| TransitionContext { now: days(day), ..context(&settings, false) };
    let waiting = Part::waiting(0, 200, NOW);
    assert!(!at(13).is_timed_out(&waiting) && at(14).is_timed_out(&waiting));
    let too_late = at(14).timed_out(&waiting);
    assert_eq!((too_late.state, too_late.reason), (PartState::Failed, Some(PartReason::SubmissionTimedOut)));
    let submitted = Part { state: PartState::Submitted, job_id: Some(7), submitted_at: Some(days(13)), ..waiting.clone() };
    assert!(!at(19).is_timed_out(&submitted) && at(20).is_timed_out(&submitted));
    let lost = at(20).timed_out(&submitted);
    assert_eq!((lost.state, lost.reason), (PartState::Failed, Some(PartReason::TimedOut)));
    for part in [&too_late, &lost] {
        assert!(part.awaits_decision() && part.needs_records());
        let again = resubmitted(part, days(30));
        assert!(again.job_id.is_none() && again.submitted_at.is_none() && !at(43).is_timed_out(&again), "{again:?}");
    }
    let reconciling = Part { state: PartState::Reconciling, reconciliation: Some(Reconciliation::starting(days(13))), ..waiting };
    assert!(!at(19).is_timed_out(&reconciling) && at(20).is_timed_out(&reconciling));
    assert_eq!(at(20).timed_out(&reconciling).state, PartState::Unconfirmed, "LRS may have it");
}

#[test]
fn timeout_applies_only_if_the_poll_has_not_changed_the_state() {
    let settings = BatchSettings::default();
    let context = TransitionContext { now: NOW.after(settings.submission_timeout), ..registration(&settings) };
    let submitted = Part { state: PartState::Submitted, job_id: Some(7), submitted_at: Some(NOW), ..Part::waiting(0, 200, NOW) };
    let after = |progress| {
        let part = context.unless_timed_out(&submitted, context.after_poll(&submitted, poll_result(progress, 0, Some(code("WSRC0008")))));
        assert_eq!(part.plain_code(), Some("WSRC0008"));
        (part.state, part.reason)
    };
    assert_eq!(after(JobProgress::Done), (PartState::Complete, None));
    assert_eq!(after(JobProgress::Failed), (PartState::Failed, Some(PartReason::JobFailed)));
    assert_eq!(after(JobProgress::Working), (PartState::Failed, Some(PartReason::TimedOut)));
    let in_time = TransitionContext { now: NOW, ..context };
    let polled = in_time.after_poll(&submitted, poll_result(JobProgress::Working, 0, None));
    assert_eq!(in_time.unless_timed_out(&submitted, polled.clone()), polled);
}

#[test]
fn planned_maintenance_that_is_over_by_the_stores_clock_still_delays_the_part() {
    let settings = BatchSettings::default();
    let ends_at = NOW.timestamp() - Duration::from_secs(5);
    let part = context(&settings, false).after_send(&sending_part(), Err(&LrsError::PlannedMaintenance { ends_at }), None);
    assert_eq!((part.state, part.reason), (PartState::Waiting, Some(PartReason::LrsMaintenance)));
    assert!(part.due_at.since(NOW) >= Duration::from_secs(1), "{:?}", part.due_at.since(NOW));
}

#[test]
fn timeouts_exclude_announced_maintenance() {
    let hours = |count: u64| NOW.after(Duration::from_secs(count * 60 * 60));
    let window = MaintenanceWindow { starts_at: hours(10).timestamp(), ends_at: hours(72).timestamp(), note: None };
    let without_maintenance = BatchSettings::default();
    let with_maintenance = BatchSettings { maintenance: vec![window].into(), ..BatchSettings::default() };
    let is_timed_out =
        |after_hours, settings, part: &Part| TransitionContext { now: hours(after_hours), ..context(settings, false) }.is_timed_out(part);
    let waiting = Part::waiting(0, 200, NOW);
    assert!(is_timed_out(336, &without_maintenance, &waiting) && !is_timed_out(335, &without_maintenance, &waiting));
    assert!(is_timed_out(398, &with_maintenance, &waiting) && !is_timed_out(397, &with_maintenance, &waiting));
    let submitted = Part { state: PartState::Submitted, job_id: Some(7), submitted_at: Some(hours(71)), ..waiting };
    assert!(is_timed_out(240, &with_maintenance, &submitted) && !is_timed_out(239, &with_maintenance, &submitted), "one hour of it");
}

#[test]
fn unknown_job_fails_after_grace_and_repeated_polls() {
    let settings = BatchSettings::default();
    let submitted = context(&settings, false).after_send(&sending_part(), Ok(&SubmitResponse { lrs_code: None, job_id: Some(7) }), None);
    let polled = |part: &Part, seconds, adopted, progress| {
        let context = TransitionContext { now: NOW.after(Duration::from_secs(seconds)), adopted, ..context(&settings, false) };
        context.after_poll(part, poll_result(progress, 0, Some(code("WSRC0018"))))
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
fn lost_response_of_a_repeatable_part_limits_the_rate_and_not_the_number() {
    let settings = BatchSettings::default();
    let (mut part, mut now, mut send_count) = (sending_part(), NOW, 0);
    let mut sent_in_first_minute = 0;
    while !(TransitionContext { now, ..context(&settings, true) }).is_timed_out(&part) {
        part = TransitionContext { now, ..context(&settings, true) }.after_send(&part, Err(&LrsError::Timeout), None);
        assert_eq!((part.state, part.reason), (PartState::Waiting, Some(PartReason::ResponseLost)));
        send_count += 1;
        sent_in_first_minute += u32::from(now.since(NOW) < Duration::from_secs(60));
        now = part.due_at;
    }
    assert!((300..450).contains(&send_count), "{send_count} times in fourteen days");
    assert!(sent_in_first_minute >= 4, "{sent_in_first_minute}");
}

#[test]
fn lrs_code_stays_until_the_next_code() {
    let settings = BatchSettings::default();
    let submitted = SubmitResponse { lrs_code: Some(LrsCode::new("WSRC0042")), job_id: Some(7) };
    let part = context(&settings, false).after_send(&sending_part(), Ok(&submitted), Some(code("WSRC0042")));
    let polled = context(&settings, false).after_poll(&part, poll_result(JobProgress::Working, 0, None));
    assert_eq!(polled.plain_code(), Some("WSRC0042"));
    let polled = context(&settings, false).after_poll(&polled, poll_result(JobProgress::Failed, 0, Some(code("WSRC0010"))));
    assert_eq!((polled.state, polled.plain_code()), (PartState::Failed, Some("WSRC0010")));
}

#[test]
fn adopted_job_without_end_completes_when_its_results_stay_the_same() {
    let settings = BatchSettings::default();
    let polled = |part: &Part, minutes: u64, adopted, result_count| {
        let context = TransitionContext { now: NOW.after(Duration::from_secs(minutes * 60)), adopted, ..context(&settings, true) };
        context.after_poll(part, poll_result(JobProgress::Unfinished, result_count, None))
    };
    let adopted = Part::adopted(7, NOW);
    let first = polled(&adopted, 10, true, 150);
    assert_eq!(first.state, PartState::Submitted);
    assert_eq!(polled(&first, 69, true, 150).state, PartState::Submitted);
    assert_eq!(polled(&first, 70, true, 150).state, PartState::Complete);
    let more = polled(&first, 69, true, 200);
    assert_eq!(polled(&more, 128, true, 200).state, PartState::Submitted, "results have been added");
    assert_eq!(polled(&more, 129, true, 200).state, PartState::Complete);
    let own = polled(&polled(&adopted, 10, false, 150), 6000, false, 150);
    assert_eq!((own.state, own.steady_results), (PartState::Submitted, None), "a part of the gateway waits for every record");
}

/// A registration whose response was lost, after the pause.
fn reconciling_part(settings: &BatchSettings) -> Part {
    let undocumented = LrsError::UnknownError(LrsCode::new("WSEC4711"));
    let with_code = registration(settings).after_send(&sending_part(), Err(&undocumented), Some(code("WSEC4711")));
    assert_eq!((with_code.state, with_code.plain_code()), (PartState::Reconciling, Some("WSEC4711")));
    let part = Part { lrs_code: with_code.lrs_code, ..registration(settings).interrupted(&sending_part()) };
    assert_eq!((part.state, part.reason), (PartState::Reconciling, Some(PartReason::ResponseLost)));
    let pause = part.due_at.since(NOW);
    assert!(pause >= settings.reconciliation_delay.mul_f64(0.83) && pause <= settings.reconciliation_delay.mul_f64(1.17), "{pause:?}");
    part
}

#[test]
fn reconciliation_completes_only_if_every_learner_is_registered() {
    let settings = BatchSettings::default();
    let context = registration(&settings);
    let check = SubmitResponse { lrs_code: None, job_id: Some(8) };
    let checking = context.after_check_sent(&reconciling_part(&settings), Ok(&check));
    let check_job = |part: &Part| part.reconciliation.as_ref().and_then(|reconciliation| reconciliation.job_id);
    assert_eq!((checking.state, checking.job_id, check_job(&checking)), (PartState::Reconciling, None, Some(8)));
    let found = |registered, not_registered: &[u32], unclear: &[u32]| {
        let evidence = CheckEvidence { checked_at: NOW, registered, not_registered: not_registered.to_vec(), unclear: unclear.to_vec() };
        context.after_check_polled(&checking, JobProgress::Done, Some(evidence))
    };
    let complete = found(200, &[], &[]);
    assert_eq!((complete.state, complete.reason, complete.needs_records()), (PartState::Complete, None, false));
    assert_eq!(complete.lrs_code, None, "the code is that of the lost response");
    for (registered, not_registered, unclear) in [(199, &[7][..], &[][..]), (199, &[], &[7]), (0, &[], &[])] {
        let part = found(registered, not_registered, unclear);
        assert_eq!((part.state, part.reason), (PartState::Unconfirmed, Some(PartReason::ResponseLost)));
        assert!(part.reconciliation.is_some_and(|reconciliation| reconciliation.evidence.is_some()) && part.job_id.is_none());
    }
}

#[test]
fn reconciliation_that_fails_leaves_the_part_to_the_caller_and_that_is_delayed_goes_on() {
    let settings = BatchSettings::default();
    let context = registration(&settings);
    let part = reconciling_part(&settings);
    for error in [UNREACHABLE, LrsError::Timeout, LrsError::Maintenance(None)] {
        let delayed = context.after_check_sent(&part, Err(&error));
        assert!(delayed.state == PartState::Reconciling && delayed.failed_attempts == 1 && delayed.due_at > NOW, "{error:?}");
    }
    let rejected = LrsError::CredentialsRejected(LrsCode::new("WSEC0005"));
    assert_eq!(context.after_check_sent(&part, Err(&rejected)).state, PartState::Unconfirmed);
    let no_job = SubmitResponse { lrs_code: None, job_id: None };
    assert_eq!(context.after_check_sent(&part, Ok(&no_job)).state, PartState::Unconfirmed);

    let checking = context.after_check_sent(&part, Ok(&SubmitResponse { lrs_code: None, job_id: Some(8) }));
    assert_eq!(context.after_check_polled(&checking, JobProgress::Working, None).state, PartState::Reconciling);
    assert_eq!(context.after_failed_check_poll(&checking, &UNREACHABLE).state, PartState::Reconciling);
    assert_eq!(context.after_check_polled(&checking, JobProgress::Failed, None).state, PartState::Unconfirmed);
    let later = TransitionContext { now: NOW.after(Duration::from_secs(20 * 60)), ..context };
    let mut unknown = checking;
    for expected in [PartState::Reconciling, PartState::Reconciling, PartState::Unconfirmed] {
        unknown = later.after_check_polled(&unknown, JobProgress::NoSuchJob, None);
        assert_eq!(unknown.state, expected);
    }
}

#[test]
fn sent_time_is_kept_only_if_lrs_may_have_the_part() {
    let settings = BatchSettings::default();
    let at = |seconds| TransitionContext { now: NOW.after(Duration::from_secs(seconds)), ..context(&settings, true) };
    let time = |seconds| Some(NOW.after(Duration::from_secs(seconds)));
    let sending = at(1).begin_sending(&Part::waiting(0, 200, NOW), 7);
    assert_eq!(sending.sent_to_lrs_at(), time(1));
    let refused = at(2).after_send(&sending, Err(&UNREACHABLE), None);
    assert_eq!(refused.sent_to_lrs_at(), None);
    let again = at(3).begin_sending(&refused, 8);
    assert_eq!(again.sent_to_lrs_at(), time(3));
    let lost = at(4).after_send(&again, Err(&LrsError::Timeout), None);
    assert_eq!(lost.sent_to_lrs_at(), time(3));
    let repeated = at(5).begin_sending(&lost, 9);
    let rejected = LrsError::CredentialsRejected(LrsCode::new("WSEC0005"));
    for error in [UNREACHABLE, rejected] {
        let part = at(6).after_send(&repeated, Err(&error), None);
        assert_eq!(part.sent_to_lrs_at(), time(3), "LRS may have the attempt before {error:?}");
    }
    let accepted = at(7).after_send(&repeated, Ok(&SubmitResponse { lrs_code: None, job_id: Some(7) }), None);
    assert_eq!(accepted.sent_to_lrs_at(), time(7));
}

#[test]
fn interrupted_part_of_an_earlier_version_has_the_time_of_its_last_change() {
    let settings = BatchSettings::default();
    let stored = sending_part();
    assert_eq!((stored.sent_at, stored.updated_at), (None, NOW));
    let later = TransitionContext { now: NOW.after(Duration::from_secs(60)), ..context(&settings, false) };
    assert_eq!(later.interrupted(&stored).sent_to_lrs_at(), Some(NOW));
}
