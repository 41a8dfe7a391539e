//! How LRS is, as far as this process knows: what its calls have come to lately, and what operators have said beforehand.
//! Nobody calls LRS to find out.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::domain::Ukprn;
use crate::lrs::circuit_breaker::{Breaker, BreakerSettings, Change, Pass, Verdict};
use crate::lrs::error::Failure;
use crate::lrs::maintenance::Window;
use crate::lrs::operation::Service;

/// How long after a call did not get through its service is not all right.
const DEGRADED_FOR: Duration = Duration::from_secs(60);
/// How long after LRS said that it is closed it is taken to be.
pub const CLOSED_FOR: Duration = Duration::from_secs(300);

/// How a service is. What comes later is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Nothing is known to be wrong.
    Available,
    /// Some calls do not get through.
    Degraded,
    /// It is closed: it says so, or it was announced.
    Maintenance,
    /// Nothing gets through: calls fail at once.
    Unavailable,
}

/// What is known of a service.
#[derive(Debug, Clone)]
pub struct ServiceState {
    /// The service.
    pub service: Service,
    /// How it is.
    pub status: Status,
    /// Since when; for all this process knows.
    pub since: Timestamp,
    /// When that is announced to be over.
    pub until: Option<Timestamp>,
    /// What operators have said about it.
    pub note: Option<String>,
}

/// What a process knows of the services.
#[derive(Debug)]
pub struct State {
    windows: Vec<Window>,
    services: [Mutex<Known>; 3],
    /// One moment on both clocks.
    begun: (Instant, Timestamp),
}

/// In the order of their declaration.
const SERVICES: [Service; 3] = [Service::Learner, Service::LearnerR9, Service::External];

#[derive(Debug)]
struct Known {
    breaker: Breaker,
    begun: Instant,
    failing: Option<Spell>,
    closed: Option<Spell>,
}

/// A time in which something was so; while it is going on, its end lies ahead.
#[derive(Debug, Clone, Copy)]
struct Spell {
    since: Instant,
    until: Instant,
}

impl Spell {
    /// It is so now, and will be taken to be so for this long.
    fn goes_on(spell: &mut Option<Self>, now: Instant, until: Instant) {
        let since = spell.filter(|spell| now < spell.until).map_or(now, |spell| spell.since);
        *spell = Some(Self { since, until });
    }

    fn ends(spell: &mut Option<Self>, now: Instant) {
        if let Some(spell) = spell {
            spell.until = spell.until.min(now);
        }
    }
}

impl State {
    /// Nothing is known but what was announced.
    pub fn new(settings: BreakerSettings, windows: Vec<Window>) -> Self {
        let begun = (Instant::now(), Timestamp::now());
        Self { windows, services: SERVICES.map(|_| Mutex::new(Known::new(settings, begun.0))), begun }
    }

    fn of(&self, service: Service) -> MutexGuard<'_, Known> {
        self.services[service as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is it worth lining up for a call?
    ///
    /// # Errors
    /// Why not, and when it will be.
    pub fn can_be_called(&self, service: Service) -> Result<(), Failure> {
        let now = Timestamp::now();
        if let Some(window) = Window::now(&self.windows, now) {
            return Err(Failure::PlannedMaintenance { until: window.until });
        }
        self.of(service).breaker.wait(Instant::now()).map_or(Ok(()), |wait| Err(Failure::CircuitOpen { wait }))
    }

    /// Lets a call through. What became of it is told with [`State::end`].
    ///
    /// # Errors
    /// Why it is not let through.
    pub fn enter(&self, service: Service, organisation: &Ukprn) -> Result<Pass, Failure> {
        self.of(service).breaker.enter(organisation, Instant::now()).map_err(|wait| Failure::CircuitOpen { wait })
    }

    /// Hears what became of a call.
    pub fn end(&self, service: Service, pass: &Pass, organisation: &Ukprn, failure: Option<&Failure>) {
        match self.of(service).end(pass, organisation, failure, Instant::now()) {
            Some(Change::Opened) => tracing::warn!(?service, "LRS does not answer: calls fail at once until it does"),
            Some(Change::Closed) => tracing::info!(?service, "LRS answers again"),
            None => {}
        }
    }

    /// What is known of each service.
    pub fn services(&self) -> [ServiceState; 3] {
        let now = Timestamp::now();
        let window = Window::now(&self.windows, now);
        // The end of the last window is when everything was all right again.
        let reopened = self.windows.iter().map(|window| window.until).filter(|until| *until <= now).max();
        SERVICES.map(|service| {
            if let Some(Window { from, until, note }) = window {
                return ServiceState { service, status: Status::Maintenance, since: *from, until: Some(*until), note: note.clone() };
            }
            let (status, since) = self.of(service).status(Instant::now());
            let after = SignedDuration::try_from(since.duration_since(self.begun.0)).unwrap_or_default();
            let mut since = self.begun.1 + after;
            if status == Status::Available {
                since = reopened.map_or(since, |reopened| reopened.max(since));
            }
            ServiceState { service, status, since, until: None, note: None }
        })
    }
}

impl Known {
    fn new(settings: BreakerSettings, now: Instant) -> Self {
        Self { breaker: Breaker::new(settings), begun: now, failing: None, closed: None }
    }

    fn end(&mut self, pass: &Pass, organisation: &Ukprn, failure: Option<&Failure>, now: Instant) -> Option<Change> {
        let verdict = Verdict::of(failure);
        match (verdict, failure) {
            (_, Some(Failure::Maintenance(_) | Failure::MaintenanceInFront)) => Spell::goes_on(&mut self.closed, now, now + CLOSED_FOR),
            (Verdict::Answers, _) => Spell::ends(&mut self.closed, now),
            (Verdict::Fails, _) => Spell::goes_on(&mut self.failing, now, now + DEGRADED_FOR),
            (Verdict::Nothing, _) => {}
        }
        self.breaker.end(pass, organisation, verdict, now)
    }

    /// How it is, and since when.
    fn status(&self, now: Instant) -> (Status, Instant) {
        let going_on = |spell: &Option<Spell>| spell.filter(|spell| now < spell.until).map(|spell| spell.since);
        if let Some(since) = self.breaker.open_since() {
            return (Status::Unavailable, since);
        }
        if let Some(since) = going_on(&self.closed) {
            return (Status::Maintenance, since);
        }
        if let Some(since) = going_on(&self.failing) {
            // Since it got better, if it was worse.
            return (Status::Degraded, self.breaker.closed_at().map_or(since, |closed| closed.max(since)));
        }
        let ends = [self.closed, self.failing].map(|spell| spell.map(|spell| spell.until));
        let since = ends.into_iter().flatten().chain(self.breaker.closed_at()).fold(self.begun, Instant::max);
        (Status::Available, since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Value as _;

    const SECOND: Duration = Duration::from_secs(1);

    struct Scene {
        known: Known,
        begun: Instant,
    }

    impl Scene {
        fn new() -> Self {
            let begun = Instant::now();
            let settings = BreakerSettings { failures: 3, ..BreakerSettings::default() };
            Self { known: Known::new(settings, begun), begun }
        }

        fn call(&mut self, second: u32, failure: Option<&Failure>) {
            let (now, organisation) = (self.begun + SECOND * second, Ukprn::parse("10000001").expect("a UKPRN"));
            let pass = self.known.breaker.enter(&organisation, now).expect("let through");
            self.known.end(&pass, &organisation, failure, now);
        }

        fn at(&self, second: u32) -> (Status, u64) {
            let (status, since) = self.known.status(self.begun + SECOND * second);
            (status, since.duration_since(self.begun).as_secs())
        }
    }

    #[test]
    fn a_service_is_as_its_calls_have_been() {
        let mut scene = Scene::new();
        assert_eq!(scene.at(5), (Status::Available, 0));
        scene.call(10, Some(&Failure::Timeout));
        scene.call(20, None);
        assert_eq!(scene.at(30), (Status::Degraded, 10));
        scene.call(40, Some(&Failure::Timeout));
        assert_eq!(scene.at(90), (Status::Degraded, 10));
        assert_eq!(scene.at(100), (Status::Available, 100));
        for second in [200, 202] {
            scene.call(second, Some(&Failure::Unreachable));
        }
        assert_eq!(scene.at(205), (Status::Unavailable, 202));
        scene.call(210, None);
        assert_eq!(scene.at(211), (Status::Degraded, 210), "it is back, but was away a moment ago");
        assert_eq!(scene.at(300), (Status::Available, 262));
    }

    #[test]
    fn lrs_is_closed_until_it_answers_or_nothing_is_heard_for_a_while() {
        let mut scene = Scene::new();
        scene.call(10, Some(&Failure::Maintenance(None)));
        scene.call(20, Some(&Failure::MaintenanceInFront));
        assert_eq!(scene.at(300), (Status::Maintenance, 10));
        scene.call(310, None);
        assert_eq!(scene.at(310), (Status::Available, 310));
        scene.call(400, Some(&Failure::Maintenance(None)));
        assert_eq!(scene.at(701), (Status::Available, 700));
    }

    #[test]
    fn what_is_announced_is_so() {
        let now = Timestamp::now();
        let note = Some("yearly maintenance".to_owned());
        let (from, until) = (now - SignedDuration::from_secs(60), now + SignedDuration::from_secs(60));
        let state = State::new(BreakerSettings::default(), vec![Window { from, until, note: note.clone() }]);
        for service in state.services() {
            assert_eq!((service.status, service.since, service.until, &service.note), (Status::Maintenance, from, Some(until), &note));
        }
        let closed = state.can_be_called(Service::Learner).expect_err("closed");
        assert_eq!(closed, Failure::PlannedMaintenance { until });
    }
}
