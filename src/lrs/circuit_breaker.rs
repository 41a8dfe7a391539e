//! The circuit breaker of an LRS service: while LRS does not respond, calls fail immediately and LRS gets only a few probes.
//!
//! ```text
//!   ┌────────┐  failure threshold reached  ┌──────┐
//!   │ closed │ ──────────────────────────▶ │ open │ ◀──────────┐
//!   └────────┘                             └──────┘            │
//!        ▲                                     │ probe         │ the probe fails
//!        │                                     ▼ interval over │ or is ignored
//!        │        the probe succeeds     ┌───────────┐         │
//!        └────────────────────────────── │ half-open │ ────────┘
//!                                        └───────────┘
//! ```
//!
//! * **Closed**: calls are permitted.
//! * **Open**: calls fail immediately. After the probe interval, the next call is a probe.
//! * **Half-open**: one call, the probe, is in flight. Other calls fail immediately. If the probe has no result after a probe interval,
//!   the next call is a probe too.
//!
//! Only calls without a response from LRS itself count as failures. Rejected credentials do not count. While several organisations call,
//! the failures of only one never open the circuit breaker: its network or certificate may be the cause.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::Ukprn;
use crate::lrs::error::LrsError;
use crate::lrs::http_client::connect_failure::ConnectFailure;

/// How long failures count, and how long an organisation counts as a caller after its last call.
const RECENT_PERIOD: Duration = Duration::from_secs(300);
/// Minimum number of failures to keep, even if the threshold is 1. Otherwise the failures of one organisation would displace the single
/// failure of another that opens the circuit breaker.
const MIN_KEPT_FAILURES: usize = 2;

/// When a circuit breaker opens, and how often it probes.
#[derive(Debug, Clone, Copy)]
pub struct CircuitBreakerSettings {
    /// Number of consecutive failures that open the circuit breaker.
    pub failure_threshold: usize,
    /// Time between probes.
    pub probe_interval: Duration,
}

impl Default for CircuitBreakerSettings {
    fn default() -> Self {
        Self { failure_threshold: 5, probe_interval: Duration::from_secs(5) }
    }
}

/// The circuit breaker of one service.
#[derive(Debug)]
pub struct CircuitBreaker {
    settings: CircuitBreakerSettings,
    state: State,
    /// Increases when the circuit breaker opens or closes, so that results of earlier calls are ignored.
    generation: u64,
    /// The time of each organisation's last call.
    last_calls: HashMap<Ukprn, Instant>,
}

#[derive(Debug)]
enum State {
    /// Calls are permitted. The failures are consecutive. `closed_at` is `None` until the circuit breaker has closed once.
    Closed { closed_at: Option<Instant>, failures: VecDeque<RecordedFailure> },
    /// Calls fail until the time of the next probe.
    Open { opened_at: Instant, next_probe_at: Instant },
    /// A probe is in flight. Other calls fail until the time of the next probe.
    HalfOpen { opened_at: Instant, next_probe_at: Instant },
}

#[derive(Debug)]
struct RecordedFailure {
    organisation: Ukprn,
    at: Instant,
}

/// What a call says about its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallResult {
    /// LRS responded, with a result or an error. A page or redirect about maintenance counts as a response: the state of the service is
    /// then maintenance, not failure.
    Responded,
    /// LRS did not respond.
    NoResponse,
    /// Nothing: the cause is the organisation's own or the gateway's, or lies in front of LRS.
    Ignored,
}

impl CallResult {
    /// Classifies a call by its error; `None` is a call without error.
    pub const fn of(error: Option<&LrsError>) -> Self {
        match error {
            // The gateway lacks a file descriptor, or a server in front of LRS rejected the organisation or the request. LRS may be unavailable
            // behind it.
            Some(
                LrsError::Unreachable(ConnectFailure::NoFileDescriptor)
                | LrsError::CertificateRejected(_)
                | LrsError::AccessBlocked { .. }
                | LrsError::Moved { .. },
            ) => Self::Ignored,
            Some(
                LrsError::Unreachable(_)
                | LrsError::ConnectionLost
                | LrsError::Throttled { .. }
                | LrsError::IntermediaryFailed { .. }
                | LrsError::Timeout
                | LrsError::UnexpectedHttpResponse { status: 500.., .. },
            ) => Self::NoResponse,
            // Also maintenance, reported by LRS or by an intermediary: `ServiceTracker` records it as such.
            _ => Self::Responded,
        }
    }
}

/// Permits one call. Report its result with [`CircuitBreaker::record_result`].
#[derive(Debug)]
#[must_use]
pub struct BreakerPermit {
    generation: u64,
}

/// A change of the circuit breaker's state that operators should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateChange {
    /// The circuit breaker has opened.
    Opened,
    /// The circuit breaker has closed.
    Closed,
}

impl CircuitBreaker {
    /// Creates a closed circuit breaker.
    pub fn new(settings: CircuitBreakerSettings) -> Self {
        let state = State::Closed { closed_at: None, failures: VecDeque::new() };
        Self { settings, state, generation: 0, last_calls: HashMap::new() }
    }

    /// Returns the time until the next probe; `None` if a call is permitted now.
    pub fn retry_after(&self, now: Instant) -> Option<Duration> {
        match self.state {
            State::Open { next_probe_at, .. } | State::HalfOpen { next_probe_at, .. } if now < next_probe_at => Some(next_probe_at - now),
            _ => None,
        }
    }

    /// Returns the time when the circuit breaker opened; `None` while it is closed.
    pub const fn opened_at(&self) -> Option<Instant> {
        match self.state {
            State::Open { opened_at, .. } | State::HalfOpen { opened_at, .. } => Some(opened_at),
            State::Closed { .. } => None,
        }
    }

    /// Returns the time when the circuit breaker closed; `None` if it is not closed or has always been.
    pub const fn closed_at(&self) -> Option<Instant> {
        match self.state {
            State::Closed { closed_at, .. } => closed_at,
            State::Open { .. } | State::HalfOpen { .. } => None,
        }
    }

    /// Permits a call. If the circuit breaker is not closed, the call is a probe.
    ///
    /// # Errors
    /// Returns the time until the next probe if the call is not permitted.
    pub fn try_acquire(&mut self, organisation: &Ukprn, now: Instant) -> Result<BreakerPermit, Duration> {
        self.last_calls.insert(organisation.clone(), now);
        if let Some(retry_after) = self.retry_after(now) {
            return Err(retry_after);
        }
        if let Some(opened_at) = self.opened_at() {
            // The probe may never have a result, because LRS does not respond or the caller disconnects. Then another one follows.
            self.state = State::HalfOpen { opened_at, next_probe_at: now + self.settings.probe_interval };
        }
        Ok(BreakerPermit { generation: self.generation })
    }

    /// Records the result of a call. Results of calls from before the last state change are ignored.
    pub fn record_result(&mut self, permit: &BreakerPermit, organisation: &Ukprn, result: CallResult, now: Instant) -> Option<StateChange> {
        if permit.generation != self.generation {
            return None;
        }
        match self.state {
            State::Closed { .. } => self.record_while_closed(organisation, result, now),
            State::Open { opened_at, .. } | State::HalfOpen { opened_at, .. } => self.record_probe(opened_at, result, now),
        }
    }

    fn record_while_closed(&mut self, organisation: &Ukprn, result: CallResult, now: Instant) -> Option<StateChange> {
        let State::Closed { failures, .. } = &mut self.state else { return None };
        match result {
            CallResult::Responded => failures.clear(),
            CallResult::NoResponse => {
                failures.push_back(RecordedFailure { organisation: organisation.clone(), at: now });
                failures.retain(|failure| is_recent(failure.at, now));
                while failures.len() > self.settings.failure_threshold.max(MIN_KEPT_FAILURES) {
                    failures.pop_front();
                }
                self.last_calls.retain(|_, last_call| is_recent(*last_call, now));
                if reaches_threshold(failures, &self.last_calls, self.settings.failure_threshold) {
                    return Some(self.open(now));
                }
            }
            CallResult::Ignored => {}
        }
        None
    }

    fn record_probe(&mut self, opened_at: Instant, result: CallResult, now: Instant) -> Option<StateChange> {
        let next_probe_at = match result {
            CallResult::Responded => return Some(self.close(now)),
            CallResult::NoResponse => now + self.settings.probe_interval,
            // The probe says nothing about LRS, so the next call is a probe.
            CallResult::Ignored => now,
        };
        self.state = State::Open { opened_at, next_probe_at };
        None
    }

    fn open(&mut self, now: Instant) -> StateChange {
        self.generation += 1;
        self.state = State::Open { opened_at: now, next_probe_at: now + self.settings.probe_interval };
        StateChange::Opened
    }

    fn close(&mut self, now: Instant) -> StateChange {
        self.generation += 1;
        self.state = State::Closed { closed_at: Some(now), failures: VecDeque::new() };
        StateChange::Closed
    }
}

fn is_recent(time: Instant, now: Instant) -> bool {
    now.duration_since(time) <= RECENT_PERIOD
}

/// Returns `true` if there are enough failures, and they concern several organisations or all that call.
fn reaches_threshold(failures: &VecDeque<RecordedFailure>, callers: &HashMap<Ukprn, Instant>, threshold: usize) -> bool {
    let failing: HashSet<&Ukprn> = failures.iter().map(|failure| &failure.organisation).collect();
    failures.len() >= threshold && (failing.len() > 1 || callers.keys().all(|caller| failing.contains(caller)))
}

#[cfg(test)]
mod tests {
    use super::CallResult::{Ignored, NoResponse, Responded};
    use super::*;
    use crate::lrs::error::CertificateRejection;
    use crate::schema::Scalar as _;

    const SECOND: Duration = Duration::from_secs(1);

    fn organisation(number: u32) -> Ukprn {
        Ukprn::parse(&format!("1000000{number}")).expect("a UKPRN")
    }

    /// A circuit breaker with a clock that the test advances.
    struct Fixture {
        breaker: CircuitBreaker,
        now: Instant,
    }

    impl Fixture {
        fn new() -> Self {
            Self { breaker: CircuitBreaker::new(CircuitBreakerSettings::default()), now: Instant::now() }
        }

        /// Returns a fixture whose circuit breaker is open.
        fn opened() -> Self {
            let mut fixture = Self::new();
            for _ in 0..4 {
                assert_eq!(fixture.call(1, NoResponse), None);
            }
            assert_eq!(fixture.call(2, NoResponse), Some(StateChange::Opened));
            fixture
        }

        fn advance(&mut self, duration: Duration) -> &mut Self {
            self.now += duration;
            self
        }

        fn try_acquire(&mut self, number: u32) -> Result<BreakerPermit, Duration> {
            self.breaker.try_acquire(&organisation(number), self.now)
        }

        fn record(&mut self, permit: &BreakerPermit, number: u32, result: CallResult) -> Option<StateChange> {
            self.breaker.record_result(permit, &organisation(number), result, self.now)
        }

        fn call(&mut self, number: u32, result: CallResult) -> Option<StateChange> {
            let permit = self.try_acquire(number).expect("the circuit breaker is closed");
            self.record(&permit, number, result)
        }
    }

    #[test]
    fn circuit_breaker_probe_succeeds_closes() {
        let mut fixture = Fixture::opened();
        assert_eq!(fixture.try_acquire(1).expect_err("open"), 5 * SECOND);
        assert_eq!(fixture.advance(2 * SECOND).try_acquire(3).expect_err("open"), 3 * SECOND);
        let probe = fixture.advance(3 * SECOND).try_acquire(3).expect("a probe");
        assert!(fixture.try_acquire(1).is_err() && fixture.try_acquire(2).is_err(), "half-open permits one probe only");
        assert_eq!(fixture.record(&probe, 3, Responded), Some(StateChange::Closed));
        assert!(fixture.try_acquire(1).is_ok() && fixture.try_acquire(2).is_ok());
        assert_eq!(fixture.breaker.closed_at(), Some(fixture.now));
    }

    #[test]
    fn circuit_breaker_probe_fails_stays_open_for_probe_interval() {
        let mut fixture = Fixture::opened();
        let probe = fixture.advance(5 * SECOND).try_acquire(1).expect("a probe");
        assert_eq!(fixture.advance(SECOND).record(&probe, 1, NoResponse), None);
        assert_eq!(fixture.try_acquire(1).expect_err("open"), 5 * SECOND);
    }

    #[test]
    fn circuit_breaker_probe_without_result_permits_next_probe() {
        let mut fixture = Fixture::opened();
        let first_probe = fixture.advance(5 * SECOND).try_acquire(1).expect("a probe");
        assert!(fixture.advance(4 * SECOND).try_acquire(2).is_err());
        let second_probe = fixture.advance(SECOND).try_acquire(2).expect("another probe");
        assert_eq!(fixture.record(&second_probe, 2, Responded), Some(StateChange::Closed));
        assert_eq!(fixture.record(&first_probe, 1, NoResponse), None, "the probe is from before the circuit breaker closed");
        assert!(fixture.try_acquire(1).is_ok());
    }

    #[test]
    fn circuit_breaker_probe_ignored_permits_next_probe_immediately() {
        let mut fixture = Fixture::opened();
        let probe = fixture.advance(5 * SECOND).try_acquire(1).expect("a probe");
        assert_eq!(fixture.record(&probe, 1, Ignored), None);
        assert!(fixture.try_acquire(2).is_ok() && fixture.try_acquire(2).is_err());
    }

    #[test]
    fn circuit_breaker_success_between_failures_resets_count() {
        let mut fixture = Fixture::new();
        for number in [1, 2, 1, 2] {
            assert_eq!(fixture.call(number, NoResponse), None);
        }
        fixture.call(1, Responded);
        for number in [1, 2, 1, 2] {
            assert_eq!(fixture.call(number, NoResponse), None);
        }
        assert_eq!(fixture.call(1, NoResponse), Some(StateChange::Opened));
    }

    #[test]
    fn circuit_breaker_only_one_of_several_organisations_fails_stays_closed() {
        let mut fixture = Fixture::new();
        fixture.call(2, Responded);
        for _ in 0..50 {
            assert_eq!(fixture.call(1, NoResponse), None);
        }
        assert_eq!(fixture.call(2, NoResponse), Some(StateChange::Opened), "another organisation fails too");
    }

    #[test]
    fn circuit_breaker_only_calling_organisation_fails_opens() {
        let mut fixture = Fixture::new();
        fixture.call(2, Responded);
        fixture.advance(301 * SECOND);
        for _ in 0..4 {
            assert_eq!(fixture.call(1, NoResponse), None);
        }
        assert_eq!(fixture.call(1, NoResponse), Some(StateChange::Opened));
    }

    #[test]
    fn circuit_breaker_ignored_results_neither_count_nor_reset() {
        let mut fixture = Fixture::new();
        for number in 1..9 {
            assert_eq!(
                fixture.call(number, CallResult::of(Some(&LrsError::CertificateRejected(CertificateRejection::Unauthorised)))),
                None
            );
        }
        for number in [1, 2, 1, 2] {
            assert_eq!(fixture.call(number, NoResponse), None);
            assert_eq!(fixture.call(3, Ignored), None, "an ignored result does not reset the count");
        }
        assert_eq!(fixture.call(1, NoResponse), Some(StateChange::Opened));
    }

    #[test]
    fn circuit_breaker_old_failures_expire() {
        let mut fixture = Fixture::new();
        for number in [1, 2, 1, 2, 1, 2] {
            assert_eq!(fixture.advance(150 * SECOND).call(number, NoResponse), None);
        }
    }

    #[test]
    fn circuit_breaker_result_of_call_from_before_opening_is_ignored() {
        let mut fixture = Fixture::new();
        let slow_call = fixture.try_acquire(1).expect("closed");
        for number in [1, 2, 1, 2, 1] {
            fixture.call(number, NoResponse);
        }
        assert_eq!(fixture.record(&slow_call, 1, Responded), None);
        assert!(fixture.try_acquire(1).is_err());
    }

    #[test]
    fn call_result_error_response_is_success() {
        for error in
            [LrsError::ServiceFailed(None), LrsError::Maintenance(None), LrsError::ResponseTooLarge, LrsError::InconsistentResponse("x")]
        {
            assert_eq!(CallResult::of(Some(&error)), Responded, "{error:?}");
        }
        let status = |status| CallResult::of(Some(&LrsError::UnexpectedHttpResponse { status, body: "x" }));
        assert_eq!((status(404), status(500), status(501)), (Responded, NoResponse, NoResponse));
        for status in [429, 503] {
            assert_eq!(CallResult::of(Some(&LrsError::Throttled { status, retry_after: None })), NoResponse);
        }
        for error in [LrsError::Moved { status: 301, origin: None }, LrsError::AccessBlocked { status: 403 }] {
            assert_eq!(CallResult::of(Some(&error)), Ignored, "{error:?}");
        }
        assert_eq!(CallResult::of(None), Responded);
    }
}
