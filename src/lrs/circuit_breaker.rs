//! The circuit breaker of a service of LRS: when nobody gets through, nobody is kept waiting for nothing, and LRS is left alone.
//!
//! ```text
//!               failures in a row, of everybody who calls
//!     Closed ────────────────────────────────────────────▶ Open ──┐ every so often one call is let through,
//!        ▲                                                   │ ▲  │ to see: a probe
//!        └───────────────────────────────────────────────────┘ └──┘
//!                          a probe is answered                  a probe fails
//! ```
//!
//! Only failures to get through count. What an organisation does wrong itself does not, and as long as others call too,
//! one organisation's failures alone never open it: its network or certificate may be the trouble.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::Ukprn;
use crate::lrs::error::LrsError;

/// For how long an organisation that has called counts as one that does; and how long failures are remembered.
const WINDOW: Duration = Duration::from_secs(300);

/// When a breaker opens, and how it closes.
#[derive(Debug, Clone, Copy)]
pub struct CircuitBreakerSettings {
    /// How many failures in a row open it.
    pub failure_threshold: usize,
    /// How long after one probe there is the next.
    pub probe_interval: Duration,
}

impl Default for CircuitBreakerSettings {
    fn default() -> Self {
        Self { failure_threshold: 5, probe_interval: Duration::from_secs(5) }
    }
}

/// What a call says about its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallResult {
    /// It is there.
    Answered,
    /// It did not get through.
    Failed,
    /// Nothing: the trouble was the organisation's own.
    Inconclusive,
}

impl CallResult {
    /// What the result of a call says.
    pub const fn of(failure: Option<&LrsError>) -> Self {
        match failure {
            Some(LrsError::Unreachable | LrsError::ConnectionLost | LrsError::Timeout | LrsError::NotAnAnswer { status: 500.., .. }) => {
                Self::Failed
            }
            // Without a code of LRS, what stands before it said so: LRS itself may be dead behind it.
            Some(LrsError::CredentialsRejected(None)) => Self::Inconclusive,
            _ => Self::Answered,
        }
    }
}

/// The breaker of a service.
#[derive(Debug)]
pub struct CircuitBreaker {
    settings: CircuitBreakerSettings,
    state: State,
    /// Changes with the state, so that calls from before do not judge the present.
    era: u64,
    /// Who has called when last.
    callers: HashMap<Ukprn, Instant>,
}

#[derive(Debug)]
enum State {
    /// Calls go through. The latest failures in a row.
    Closed { since: Option<Instant>, failures: VecDeque<(Ukprn, Instant)> },
    /// Calls fail at once.
    Open { since: Instant, next_probe: Instant },
}

/// The right to make one call. What became of it is told with [`Breaker::end`].
#[derive(Debug)]
#[must_use]
pub struct CallPermit {
    era: u64,
}

/// The breaker has changed its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateChange {
    /// Calls fail at once from now on.
    Opened,
    /// Calls go through again.
    Closed,
}

impl CircuitBreaker {
    /// One that is closed.
    pub fn new(settings: CircuitBreakerSettings) -> Self {
        Self { settings, state: State::Closed { since: None, failures: VecDeque::new() }, era: 0, callers: HashMap::new() }
    }

    /// How long a call would have to wait; `None` if it may be made.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        match self.state {
            State::Open { next_probe, .. } if now < next_probe => Some(next_probe - now),
            _ => None,
        }
    }

    /// Since when it has been open, if it is.
    pub const fn open_since(&self) -> Option<Instant> {
        match self.state {
            State::Open { since, .. } => Some(since),
            State::Closed { .. } => None,
        }
    }

    /// When it closed, if it has been open and is not.
    pub const fn closed_at(&self) -> Option<Instant> {
        match self.state {
            State::Closed { since, .. } => since,
            State::Open { .. } => None,
        }
    }

    /// Lets a call through.
    ///
    /// # Errors
    /// How long to wait, when it does not.
    pub fn acquire(&mut self, organisation: &Ukprn, now: Instant) -> Result<CallPermit, Duration> {
        self.callers.insert(organisation.clone(), now);
        if let Some(wait) = self.wait(now) {
            return Err(wait);
        }
        if let State::Open { next_probe, .. } = &mut self.state {
            // This is a probe. Should nothing be heard of it, because LRS keeps silent or its caller leaves, there will be others.
            *next_probe = now + self.settings.probe_interval;
        }
        Ok(CallPermit { era: self.era })
    }

    /// Hears what became of a call.
    pub fn record_result(&mut self, pass: &CallPermit, organisation: &Ukprn, verdict: CallResult, now: Instant) -> Option<StateChange> {
        if pass.era != self.era {
            return None;
        }
        match (&mut self.state, verdict) {
            (State::Closed { failures, .. }, CallResult::Answered) => failures.clear(),
            (State::Closed { failures, .. }, CallResult::Failed) => {
                failures.push_back((organisation.clone(), now));
                if self.should_open(now) {
                    return Some(self.open(now));
                }
            }
            (State::Closed { .. }, CallResult::Inconclusive) => {}
            (State::Open { .. }, CallResult::Answered) => return Some(self.close(now)),
            (State::Open { next_probe, .. }, CallResult::Failed) => *next_probe = now + self.settings.probe_interval,
            (State::Open { next_probe, .. }, CallResult::Inconclusive) => *next_probe = now, // let somebody else try
        }
        None
    }

    /// Are there enough failures, and do they say something about more than one organisation?
    fn should_open(&mut self, now: Instant) -> bool {
        let State::Closed { failures, .. } = &mut self.state else { return true };
        let recent = |at: Instant| now.duration_since(at) <= WINDOW;
        failures.retain(|(_, at)| recent(*at));
        self.callers.retain(|_, at| recent(*at));
        // An organisation that fails all the time must not crowd out the one failure of another that would make the difference.
        while failures.len() > self.settings.failure_threshold.max(2) {
            failures.pop_front();
        }
        let who: HashSet<&Ukprn> = failures.iter().map(|(who, _)| who).collect();
        failures.len() >= self.settings.failure_threshold && (who.len() > 1 || self.callers.keys().all(|caller| who.contains(caller)))
    }

    fn open(&mut self, now: Instant) -> StateChange {
        self.era += 1;
        self.state = State::Open { since: now, next_probe: now + self.settings.probe_interval };
        StateChange::Opened
    }

    fn close(&mut self, now: Instant) -> StateChange {
        self.era += 1;
        self.state = State::Closed { since: Some(now), failures: VecDeque::new() };
        StateChange::Closed
    }
}

#[cfg(test)]
mod tests {
    use super::CallResult::{Answered, Failed, Inconclusive};
    use super::*;
    use crate::schema::Scalar as _;

    const SECOND: Duration = Duration::from_secs(1);

    fn organisation(number: u32) -> Ukprn {
        Ukprn::parse(&format!("1000000{number}")).expect("a UKPRN")
    }

    /// A breaker, and a clock that the test moves.
    struct Scene {
        breaker: CircuitBreaker,
        now: Instant,
    }

    impl Scene {
        fn new() -> Self {
            Self { breaker: CircuitBreaker::new(CircuitBreakerSettings::default()), now: Instant::now() }
        }

        fn after(&mut self, duration: Duration) -> &mut Self {
            self.now += duration;
            self
        }

        fn enter(&mut self, number: u32) -> Result<CallPermit, Duration> {
            self.breaker.acquire(&organisation(number), self.now)
        }

        fn end(&mut self, pass: &CallPermit, number: u32, verdict: CallResult) -> Option<StateChange> {
            self.breaker.record_result(pass, &organisation(number), verdict, self.now)
        }

        fn call(&mut self, number: u32, verdict: CallResult) -> Option<StateChange> {
            let pass = self.enter(number).expect("it is closed");
            self.end(&pass, number, verdict)
        }

        /// Fails until it is open.
        fn opened() -> Self {
            let mut scene = Self::new();
            for _ in 0..4 {
                assert_eq!(scene.call(1, Failed), None);
            }
            assert_eq!(scene.call(2, Failed), Some(StateChange::Opened));
            scene
        }
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_probe_that_is_answered_closes_it() {
        let mut scene = Scene::opened();
        assert_eq!(scene.enter(1).expect_err("open"), 5 * SECOND);
        assert_eq!(scene.after(2 * SECOND).enter(3).expect_err("open"), 3 * SECOND);
        let probe = scene.after(3 * SECOND).enter(3).expect("a probe");
        assert!(scene.enter(1).is_err() && scene.enter(2).is_err(), "one only");
        assert_eq!(scene.end(&probe, 3, Answered), Some(StateChange::Closed));
        assert!(scene.enter(1).is_ok() && scene.enter(2).is_ok());
        assert_eq!(scene.breaker.closed_at(), Some(scene.now));
    }

    #[test]
    fn a_probe_that_fails_keeps_it_open_for_as_long_again() {
        let mut scene = Scene::opened();
        let probe = scene.after(5 * SECOND).enter(1).expect("a probe");
        assert_eq!(scene.after(SECOND).end(&probe, 1, Failed), None);
        assert_eq!(scene.enter(1).expect_err("open"), 5 * SECOND);
    }

    #[test]
    fn a_probe_that_nothing_is_heard_of_is_followed_by_another() {
        let mut scene = Scene::opened();
        let silent = scene.after(5 * SECOND).enter(1).expect("a probe");
        assert!(scene.after(4 * SECOND).enter(2).is_err());
        let second = scene.after(SECOND).enter(2).expect("another");
        assert_eq!(scene.end(&second, 2, Answered), Some(StateChange::Closed));
        assert_eq!(scene.end(&silent, 1, Failed), None, "what began before says nothing of now");
        assert!(scene.enter(1).is_ok());
    }

    #[test]
    fn a_probe_of_an_organisation_in_trouble_makes_way_for_the_next() {
        let mut scene = Scene::opened();
        let probe = scene.after(5 * SECOND).enter(1).expect("a probe");
        assert_eq!(scene.end(&probe, 1, Inconclusive), None);
        assert!(scene.enter(2).is_ok() && scene.enter(2).is_err());
    }

    #[test]
    fn an_answer_between_begins_the_count_again() {
        let mut scene = Scene::new();
        for number in [1, 2, 1, 2] {
            assert_eq!(scene.call(number, Failed), None);
        }
        scene.call(1, Answered);
        for number in [1, 2, 1, 2] {
            assert_eq!(scene.call(number, Failed), None);
        }
        assert_eq!(scene.call(1, Failed), Some(StateChange::Opened));
    }

    #[test]
    fn one_organisation_alone_never_opens_it_for_others_that_call() {
        let mut scene = Scene::new();
        scene.call(2, Answered);
        for _ in 0..50 {
            assert_eq!(scene.call(1, Failed), None);
        }
        assert_eq!(scene.call(2, Failed), Some(StateChange::Opened), "until another does not get through either");
    }

    #[test]
    fn the_only_organisation_that_calls_opens_it_alone() {
        let mut scene = Scene::new();
        scene.call(2, Answered);
        scene.after(301 * SECOND);
        for _ in 0..4 {
            assert_eq!(scene.call(1, Failed), None);
        }
        assert_eq!(scene.call(1, Failed), Some(StateChange::Opened));
    }

    #[test]
    fn what_is_an_organisations_own_trouble_does_not_count() {
        let mut scene = Scene::new();
        for number in 1..9 {
            assert_eq!(scene.call(number, CallResult::of(Some(&LrsError::CredentialsRejected(None)))), None);
        }
        for number in [1, 2, 1, 2] {
            assert_eq!(scene.call(number, Failed), None);
            assert_eq!(scene.call(3, Inconclusive), None, "nor does it hide what counts");
        }
        assert_eq!(scene.call(1, Failed), Some(StateChange::Opened));
    }

    #[test]
    fn old_failures_are_forgotten() {
        let mut scene = Scene::new();
        for number in [1, 2, 1, 2, 1, 2] {
            assert_eq!(scene.after(150 * SECOND).call(number, Failed), None);
        }
    }

    #[test]
    fn what_ends_after_it_opened_does_not_count() {
        let mut scene = Scene::new();
        let slow = scene.enter(1).expect("closed");
        for number in [1, 2, 1, 2, 1] {
            scene.call(number, Failed);
        }
        assert_eq!(scene.end(&slow, 1, Answered), None);
        assert!(scene.enter(1).is_err());
    }

    #[test]
    fn answers_that_are_no_use_are_answers_all_the_same() {
        for failure in [LrsError::ServiceFailed(None), LrsError::Maintenance(None), LrsError::TooLarge, LrsError::Contradiction("x")] {
            assert_eq!(CallResult::of(Some(&failure)), Answered, "{failure:?}");
        }
        let status = |status| CallResult::of(Some(&LrsError::NotAnAnswer { status, what: "x" }));
        assert_eq!((status(404), status(500), status(501)), (Answered, Failed, Failed));
        assert_eq!(CallResult::of(None), Answered);
    }
}
