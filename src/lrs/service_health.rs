//! The health of LRS's services as observed by this process: results of recent calls, and announced maintenance.
//!
//! The gateway never calls LRS only to determine its health.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::domain::Ukprn;
use crate::lrs::circuit_breaker::{BreakerPermit, CallResult, CircuitBreaker, CircuitBreakerSettings, StateChange};
use crate::lrs::error::LrsError;
use crate::lrs::maintenance::{MaintenanceSchedule, MaintenanceWindow};
use crate::lrs::operation::Service;
use crate::schema::CodeList;

/// Time after a failed call during which its service is degraded.
const DEGRADED_DURATION: Duration = Duration::from_secs(60);
/// Time after a response about maintenance during which LRS is assumed to be under maintenance.
pub const ASSUMED_MAINTENANCE_DURATION: Duration = Duration::from_secs(300);

/// All services, in the order of their declaration.
const SERVICES: [Service; 3] = [Service::Learner, Service::LearnerR9, Service::External];

/// Availability of an LRS service. Each value is worse than the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, CodeList)]
#[code_list(name = "LrsAvailability")]
pub enum ServiceStatus {
    /// There is no known problem.
    Available,
    /// Some recent calls failed.
    Degraded,
    /// LRS reports maintenance, or maintenance is announced.
    Maintenance,
    /// LRS does not respond. Calls fail immediately until it responds again.
    Unavailable,
}

/// The observed state of a service.
#[derive(Debug, Clone)]
pub struct ServiceState {
    /// The service.
    pub service: Service,
    /// Its status.
    pub status: ServiceStatus,
    /// The start of the status, as far as this process knows.
    pub since: Timestamp,
    /// The announced end of the status.
    pub until: Option<Timestamp>,
    /// The operator's note about the announced maintenance.
    pub note: Option<String>,
}

/// The observed health of all services.
#[derive(Debug)]
pub struct ServiceHealth {
    maintenance: MaintenanceSchedule,
    services: [Mutex<ServiceTracker>; 3],
    clock_origin: ClockOrigin,
}

impl ServiceHealth {
    /// Creates the initial state: only announced maintenance is known.
    pub fn new(settings: CircuitBreakerSettings, maintenance: MaintenanceSchedule) -> Self {
        let clock_origin = ClockOrigin { instant: Instant::now(), timestamp: Timestamp::now() };
        let services = SERVICES.map(|_| Mutex::new(ServiceTracker::new(settings, clock_origin.instant)));
        Self { maintenance, services, clock_origin }
    }

    /// Verifies that a call is possible now, before it waits in a queue.
    ///
    /// # Errors
    /// Returns [`LrsError::PlannedMaintenance`] within a maintenance window, and [`LrsError::CircuitOpen`] if the circuit breaker permits
    /// no call.
    pub fn ensure_callable(&self, service: Service) -> Result<(), LrsError> {
        if let Some(window) = MaintenanceWindow::current(&self.maintenance.windows(), Timestamp::now()) {
            return Err(LrsError::PlannedMaintenance { ends_at: window.ends_at });
        }
        let retry_after = self.tracker(service).breaker.retry_after(Instant::now());
        retry_after.map_or(Ok(()), |retry_after| Err(LrsError::CircuitOpen { retry_after }))
    }

    /// Acquires the circuit breaker's permit for a call. Report the call's result with [`ServiceHealth::record_result`].
    ///
    /// # Errors
    /// Returns [`LrsError::CircuitOpen`] if the circuit breaker does not permit the call.
    pub fn acquire_breaker_permit(&self, service: Service, organisation: &Ukprn) -> Result<BreakerPermit, LrsError> {
        let permit = self.tracker(service).breaker.try_acquire(organisation, Instant::now());
        permit.map_err(|retry_after| LrsError::CircuitOpen { retry_after })
    }

    /// Records the result of a call; `None` is a call without error.
    pub fn record_result(&self, service: Service, permit: &BreakerPermit, organisation: &Ukprn, error: Option<&LrsError>) {
        let mut tracker = self.tracker(service);
        let change = tracker.record_result(permit, organisation, error, Instant::now());
        let is_new_address = tracker.record_address(error);
        drop(tracker);
        if let (true, Some(LrsError::Moved { status, origin })) = (is_new_address, error) {
            tracing::error!(?service, status, origin, "LRS has moved: the configured address is out of date");
        }
        match change {
            Some(StateChange::Opened) => {
                tracing::warn!(?service, "circuit breaker opened: LRS does not respond, calls fail immediately");
            }
            Some(StateChange::Closed) => tracing::info!(?service, "circuit breaker closed: LRS responds again"),
            None => {}
        }
    }

    /// Returns the state of each service. An announced maintenance window applies to all of them.
    pub fn service_states(&self) -> [ServiceState; 3] {
        let now = Timestamp::now();
        let windows = self.maintenance.windows();
        if let Some(window) = MaintenanceWindow::current(&windows, now) {
            return SERVICES.map(|service| ServiceState {
                service,
                status: ServiceStatus::Maintenance,
                since: window.starts_at,
                until: Some(window.ends_at),
                note: window.note.clone(),
            });
        }
        // Services became available again at the end of the last window, or later.
        let last_window_end = windows.iter().map(|window| window.ends_at).filter(|ends_at| *ends_at <= now).max();
        SERVICES.map(|service| {
            let (status, since) = self.tracker(service).status(Instant::now());
            let mut since = self.clock_origin.timestamp_of(since);
            if status == ServiceStatus::Available {
                since = last_window_end.map_or(since, |ends_at| ends_at.max(since));
            }
            ServiceState { service, status, since, until: None, note: None }
        })
    }

    fn tracker(&self, service: Service) -> MutexGuard<'_, ServiceTracker> {
        self.services[service as usize].lock()
    }
}

/// The same point in time on the monotonic clock and on the wall clock.
#[derive(Debug)]
struct ClockOrigin {
    instant: Instant,
    timestamp: Timestamp,
}

impl ClockOrigin {
    fn timestamp_of(&self, instant: Instant) -> Timestamp {
        self.timestamp + SignedDuration::try_from(instant.duration_since(self.instant)).unwrap_or_default()
    }
}

/// The circuit breaker of a service, and the periods with problems.
#[derive(Debug)]
struct ServiceTracker {
    breaker: CircuitBreaker,
    started_at: Instant,
    degraded: Option<Period>,
    maintenance: Option<Period>,
    /// The last redirect to another address, until LRS responds.
    moved: Option<LrsError>,
}

impl ServiceTracker {
    fn new(settings: CircuitBreakerSettings, now: Instant) -> Self {
        Self { breaker: CircuitBreaker::new(settings), started_at: now, degraded: None, maintenance: None, moved: None }
    }

    fn record_result(
        &mut self,
        permit: &BreakerPermit,
        organisation: &Ukprn,
        error: Option<&LrsError>,
        now: Instant,
    ) -> Option<StateChange> {
        let result = CallResult::of(error);
        match (result, error) {
            (_, Some(LrsError::Maintenance(_) | LrsError::IntermediaryMaintenance { .. })) => {
                Period::start_or_extend(&mut self.maintenance, now, now + ASSUMED_MAINTENANCE_DURATION);
            }
            (CallResult::NoResponse, _) | (_, Some(LrsError::Moved { .. } | LrsError::AccessBlocked { .. })) => {
                Period::start_or_extend(&mut self.degraded, now, now + DEGRADED_DURATION);
            }
            (CallResult::Responded, _) => Period::end(&mut self.maintenance, now),
            (CallResult::Ignored, _) => {}
        }
        self.breaker.record_result(permit, organisation, result, now)
    }

    /// Records that LRS has moved, or that it responds. Returns `true` if it has moved to an address that was not reported before.
    fn record_address(&mut self, error: Option<&LrsError>) -> bool {
        match error {
            Some(moved @ LrsError::Moved { .. }) => self.moved.replace(moved.clone()).as_ref() != Some(moved),
            error => {
                if CallResult::of(error) == CallResult::Responded {
                    self.moved = None;
                }
                false
            }
        }
    }

    /// Returns the status and its start.
    fn status(&self, now: Instant) -> (ServiceStatus, Instant) {
        let current = |period: Option<Period>| period.filter(|period| now < period.until).map(|period| period.since);
        if let Some(since) = self.breaker.opened_at() {
            return (ServiceStatus::Unavailable, since);
        }
        if let Some(since) = current(self.maintenance) {
            return (ServiceStatus::Maintenance, since);
        }
        if let Some(since) = current(self.degraded) {
            // If the service was unavailable in the meantime, it is degraded since the circuit breaker closed.
            return (ServiceStatus::Degraded, self.breaker.closed_at().map_or(since, |closed_at| closed_at.max(since)));
        }
        let ends = [self.maintenance, self.degraded].map(|period| period.map(|period| period.until));
        let since = ends.into_iter().flatten().chain(self.breaker.closed_at()).fold(self.started_at, Instant::max);
        (ServiceStatus::Available, since)
    }
}

/// A period with a problem. While the period lasts, its end lies in the future.
#[derive(Debug, Clone, Copy)]
struct Period {
    since: Instant,
    until: Instant,
}

impl Period {
    /// Starts the period, or extends it until `until`.
    fn start_or_extend(period: &mut Option<Self>, now: Instant, until: Instant) {
        let since = period.filter(|period| now < period.until).map_or(now, |period| period.since);
        *period = Some(Self { since, until });
    }

    /// Ends the period now, unless it has ended before.
    fn end(period: &mut Option<Self>, now: Instant) {
        if let Some(period) = period {
            period.until = period.until.min(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lrs::http_client::connect_failure::ConnectFailure;
    use crate::schema::Scalar as _;

    const SECOND: Duration = Duration::from_secs(1);

    /// A tracker whose clock is given in seconds since its start.
    struct Fixture {
        tracker: ServiceTracker,
        started_at: Instant,
    }

    impl Fixture {
        fn new() -> Self {
            let started_at = Instant::now();
            let settings = CircuitBreakerSettings { failure_threshold: 3, ..CircuitBreakerSettings::default() };
            Self { tracker: ServiceTracker::new(settings, started_at), started_at }
        }

        fn call_at(&mut self, second: u32, error: Option<&LrsError>) {
            let (now, organisation) = (self.started_at + SECOND * second, Ukprn::parse("10000001").expect("a UKPRN"));
            let permit = self.tracker.breaker.try_acquire(&organisation, now).expect("a permit");
            self.tracker.record_result(&permit, &organisation, error, now);
        }

        fn status_at(&self, second: u32) -> (ServiceStatus, u64) {
            let (status, since) = self.tracker.status(self.started_at + SECOND * second);
            (status, since.duration_since(self.started_at).as_secs())
        }
    }

    #[test]
    fn service_status_follows_recent_calls() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.status_at(5), (ServiceStatus::Available, 0));
        fixture.call_at(10, Some(&LrsError::Timeout));
        fixture.call_at(20, None);
        assert_eq!(fixture.status_at(30), (ServiceStatus::Degraded, 10));
        fixture.call_at(40, Some(&LrsError::Timeout));
        assert_eq!(fixture.status_at(90), (ServiceStatus::Degraded, 10));
        assert_eq!(fixture.status_at(100), (ServiceStatus::Available, 100));
        for second in [200, 202] {
            fixture.call_at(second, Some(&LrsError::Unreachable(ConnectFailure::Refused)));
        }
        assert_eq!(fixture.status_at(205), (ServiceStatus::Unavailable, 202));
        fixture.call_at(210, None);
        assert_eq!(fixture.status_at(211), (ServiceStatus::Degraded, 210), "the circuit breaker has just closed");
        assert_eq!(fixture.status_at(300), (ServiceStatus::Available, 262));
    }

    #[test]
    fn service_status_maintenance_ends_with_response_or_after_assumed_duration() {
        let mut fixture = Fixture::new();
        fixture.call_at(10, Some(&LrsError::Maintenance(None)));
        let page = LrsError::IntermediaryMaintenance { status: 503, retry_after: None, may_be_executed: true };
        fixture.call_at(20, Some(&page));
        assert_eq!(fixture.status_at(300), (ServiceStatus::Maintenance, 10));
        fixture.call_at(310, None);
        assert_eq!(fixture.status_at(310), (ServiceStatus::Available, 310));
        fixture.call_at(400, Some(&LrsError::Maintenance(None)));
        assert_eq!(fixture.status_at(701), (ServiceStatus::Available, 700));
    }

    #[test]
    fn service_state_within_maintenance_window_is_maintenance() {
        let now = Timestamp::now();
        let note = Some("yearly maintenance".to_owned());
        let (starts_at, ends_at) = (now - SignedDuration::from_secs(60), now + SignedDuration::from_secs(60));
        let window = MaintenanceWindow { starts_at, ends_at, note: note.clone() };
        let health = ServiceHealth::new(CircuitBreakerSettings::default(), vec![window].into());
        for state in health.service_states() {
            assert_eq!(
                (state.status, state.since, state.until, &state.note),
                (ServiceStatus::Maintenance, starts_at, Some(ends_at), &note)
            );
        }
        let error = health.ensure_callable(Service::Learner).expect_err("maintenance");
        assert_eq!(error, LrsError::PlannedMaintenance { ends_at });
    }
}
