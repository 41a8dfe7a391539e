//! How LRS is, as far as this process knows: what its calls have come to lately, and what operators have said beforehand.
//! Nobody calls LRS to find out.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::domain::Ukprn;
use crate::lrs::circuit_breaker::{CallPermit, CallResult, CircuitBreaker, CircuitBreakerSettings, StateChange};
use crate::lrs::error::LrsError;
use crate::lrs::maintenance::MaintenanceWindow;
use crate::lrs::operation::Service;

/// How long after a call did not get through its service is not all right.
const DEGRADED_FOR: Duration = Duration::from_secs(60);
/// How long after LRS said that it is closed it is taken to be.
pub const ASSUMED_MAINTENANCE: Duration = Duration::from_secs(300);

/// How a service is. What comes later is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceStatus {
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
    pub status: ServiceStatus,
    /// Since when; for all this process knows.
    pub since: Timestamp,
    /// When that is announced to be over.
    pub until: Option<Timestamp>,
    /// What operators have said about it.
    pub note: Option<String>,
}

/// What a process knows of the services.
#[derive(Debug)]
pub struct ServiceHealth {
    windows: Vec<MaintenanceWindow>,
    services: [Mutex<Known>; 3],
    /// One moment on both clocks.
    begun: (Instant, Timestamp),
}

/// In the order of their declaration.
const SERVICES: [Service; 3] = [Service::Learner, Service::LearnerR9, Service::External];

#[derive(Debug)]
struct Known {
    breaker: CircuitBreaker,
    begun: Instant,
    failing: Option<Period>,
    closed: Option<Period>,
}

/// A time in which something was so; while it is going on, its end lies ahead.
#[derive(Debug, Clone, Copy)]
struct Period {
    since: Instant,
    until: Instant,
}

impl Period {
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

impl ServiceHealth {
    /// Nothing is known but what was announced.
    pub fn new(settings: CircuitBreakerSettings, windows: Vec<MaintenanceWindow>) -> Self {
        let begun = (Instant::now(), Timestamp::now());
        Self { windows, services: SERVICES.map(|_| Mutex::new(Known::new(settings, begun.0))), begun }
    }

    fn of(&self, service: Service) -> MutexGuard<'_, Known> {
        self.services[service as usize].lock()
    }

    /// Is it worth lining up for a call?
    ///
    /// # Errors
    /// Why not, and when it will be.
    pub fn ensure_callable(&self, service: Service) -> Result<(), LrsError> {
        let now = Timestamp::now();
        if let Some(window) = MaintenanceWindow::now(&self.windows, now) {
            return Err(LrsError::PlannedMaintenance { until: window.ends_at });
        }
        self.of(service).breaker.wait(Instant::now()).map_or(Ok(()), |wait| Err(LrsError::CircuitOpen { wait }))
    }

    /// Lets a call through. What became of it is told with [`State::end`].
    ///
    /// # Errors
    /// Why it is not let through.
    pub fn begin_call(&self, service: Service, organisation: &Ukprn) -> Result<CallPermit, LrsError> {
        self.of(service).breaker.acquire(organisation, Instant::now()).map_err(|wait| LrsError::CircuitOpen { wait })
    }

    /// Hears what became of a call.
    pub fn record_result(&self, service: Service, pass: &CallPermit, organisation: &Ukprn, failure: Option<&LrsError>) {
        match self.of(service).end(pass, organisation, failure, Instant::now()) {
            Some(StateChange::Opened) => tracing::warn!(?service, "LRS does not answer: calls fail at once until it does"),
            Some(StateChange::Closed) => tracing::info!(?service, "LRS answers again"),
            None => {}
        }
    }

    /// What is known of each service.
    pub fn services(&self) -> [ServiceState; 3] {
        let now = Timestamp::now();
        let window = MaintenanceWindow::now(&self.windows, now);
        // The end of the last window is when everything was all right again.
        let reopened = self.windows.iter().map(|window| window.ends_at).filter(|until| *until <= now).max();
        SERVICES.map(|service| {
            if let Some(MaintenanceWindow { starts_at: from, ends_at: until, note }) = window {
                return ServiceState { service, status: ServiceStatus::Maintenance, since: *from, until: Some(*until), note: note.clone() };
            }
            let (status, since) = self.of(service).status(Instant::now());
            let after = SignedDuration::try_from(since.duration_since(self.begun.0)).unwrap_or_default();
            let mut since = self.begun.1 + after;
            if status == ServiceStatus::Available {
                since = reopened.map_or(since, |reopened| reopened.max(since));
            }
            ServiceState { service, status, since, until: None, note: None }
        })
    }
}

impl Known {
    fn new(settings: CircuitBreakerSettings, now: Instant) -> Self {
        Self { breaker: CircuitBreaker::new(settings), begun: now, failing: None, closed: None }
    }

    fn end(&mut self, pass: &CallPermit, organisation: &Ukprn, failure: Option<&LrsError>, now: Instant) -> Option<StateChange> {
        let verdict = CallResult::of(failure);
        match (verdict, failure) {
            (_, Some(LrsError::Maintenance(_) | LrsError::MaintenanceInFront)) => {
                Period::goes_on(&mut self.closed, now, now + ASSUMED_MAINTENANCE)
            }
            (CallResult::Answered, _) => Period::ends(&mut self.closed, now),
            (CallResult::Failed, _) => Period::goes_on(&mut self.failing, now, now + DEGRADED_FOR),
            (CallResult::Inconclusive, _) => {}
        }
        self.breaker.record_result(pass, organisation, verdict, now)
    }

    /// How it is, and since when.
    fn status(&self, now: Instant) -> (ServiceStatus, Instant) {
        let going_on = |spell: &Option<Period>| spell.filter(|spell| now < spell.until).map(|spell| spell.since);
        if let Some(since) = self.breaker.open_since() {
            return (ServiceStatus::Unavailable, since);
        }
        if let Some(since) = going_on(&self.closed) {
            return (ServiceStatus::Maintenance, since);
        }
        if let Some(since) = going_on(&self.failing) {
            // Since it got better, if it was worse.
            return (ServiceStatus::Degraded, self.breaker.closed_at().map_or(since, |closed| closed.max(since)));
        }
        let ends = [self.closed, self.failing].map(|spell| spell.map(|spell| spell.until));
        let since = ends.into_iter().flatten().chain(self.breaker.closed_at()).fold(self.begun, Instant::max);
        (ServiceStatus::Available, since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Scalar as _;

    const SECOND: Duration = Duration::from_secs(1);

    struct Scene {
        known: Known,
        begun: Instant,
    }

    impl Scene {
        fn new() -> Self {
            let begun = Instant::now();
            let settings = CircuitBreakerSettings { failure_threshold: 3, ..CircuitBreakerSettings::default() };
            Self { known: Known::new(settings, begun), begun }
        }

        fn call(&mut self, second: u32, failure: Option<&LrsError>) {
            let (now, organisation) = (self.begun + SECOND * second, Ukprn::parse("10000001").expect("a UKPRN"));
            let pass = self.known.breaker.acquire(&organisation, now).expect("let through");
            self.known.end(&pass, &organisation, failure, now);
        }

        fn at(&self, second: u32) -> (ServiceStatus, u64) {
            let (status, since) = self.known.status(self.begun + SECOND * second);
            (status, since.duration_since(self.begun).as_secs())
        }
    }

    #[test]
    fn a_service_is_as_its_calls_have_been() {
        let mut scene = Scene::new();
        assert_eq!(scene.at(5), (ServiceStatus::Available, 0));
        scene.call(10, Some(&LrsError::Timeout));
        scene.call(20, None);
        assert_eq!(scene.at(30), (ServiceStatus::Degraded, 10));
        scene.call(40, Some(&LrsError::Timeout));
        assert_eq!(scene.at(90), (ServiceStatus::Degraded, 10));
        assert_eq!(scene.at(100), (ServiceStatus::Available, 100));
        for second in [200, 202] {
            scene.call(second, Some(&LrsError::Unreachable));
        }
        assert_eq!(scene.at(205), (ServiceStatus::Unavailable, 202));
        scene.call(210, None);
        assert_eq!(scene.at(211), (ServiceStatus::Degraded, 210), "it is back, but was away a moment ago");
        assert_eq!(scene.at(300), (ServiceStatus::Available, 262));
    }

    #[test]
    fn lrs_is_closed_until_it_answers_or_nothing_is_heard_for_a_while() {
        let mut scene = Scene::new();
        scene.call(10, Some(&LrsError::Maintenance(None)));
        scene.call(20, Some(&LrsError::MaintenanceInFront));
        assert_eq!(scene.at(300), (ServiceStatus::Maintenance, 10));
        scene.call(310, None);
        assert_eq!(scene.at(310), (ServiceStatus::Available, 310));
        scene.call(400, Some(&LrsError::Maintenance(None)));
        assert_eq!(scene.at(701), (ServiceStatus::Available, 700));
    }

    #[test]
    fn what_is_announced_is_so() {
        let now = Timestamp::now();
        let note = Some("yearly maintenance".to_owned());
        let (starts_at, ends_at) = (now - SignedDuration::from_secs(60), now + SignedDuration::from_secs(60));
        let state =
            ServiceHealth::new(CircuitBreakerSettings::default(), vec![MaintenanceWindow { starts_at, ends_at, note: note.clone() }]);
        for service in state.services() {
            assert_eq!(
                (service.status, service.since, service.until, &service.note),
                (ServiceStatus::Maintenance, starts_at, Some(ends_at), &note)
            );
        }
        let closed = state.ensure_callable(Service::Learner).expect_err("closed");
        assert_eq!(closed, LrsError::PlannedMaintenance { until: ends_at });
    }
}
