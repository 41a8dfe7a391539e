//! Rules for retries: which errors are retried, after which delay, and how many retries there may be.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::lrs::error::LrsError;

/// Default maximum number of retries of a call.
pub const DEFAULT_MAX_RETRIES: u32 = 2;

/// Maximum delay before the first retry. The maximum doubles with each further retry.
const MAX_FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// Budget that each call deposits, in tenths of a retry.
const DEPOSIT_TENTHS: u32 = 1;
/// Cost of a retry, in tenths of a retry.
const RETRY_TENTHS: u32 = 10;
/// Reserve that refills without calls, in tenths of a retry.
const RESERVE_TENTHS: u32 = 5 * RETRY_TENTHS;
/// Time in which the reserve gains one retry.
const RESERVE_REFILL_INTERVAL: Duration = Duration::from_secs(2);
/// Maximum balance, in tenths of a retry. A much larger one would cause a second wave of calls in an outage.
const MAX_BALANCE_TENTHS: u32 = 20 * RETRY_TENTHS;

/// Returns `true` if there was no connection or it was lost, or a server in front of LRS reports LRS as unavailable, so that another attempt
/// can succeed at once. `false` for responses, which LRS would repeat, for a timeout, which has used up the deadline, and if LRS asks for
/// fewer calls.
pub const fn is_connection_failure(error: &LrsError) -> bool {
    matches!(
        error,
        LrsError::Unreachable(_)
            | LrsError::ConnectionLost
            | LrsError::IntermediaryFailed { .. }
            | LrsError::Throttled { status: 503, retry_after: None }
    )
}

/// Returns the delay before a retry, counted from 0. It is random (full jitter), so that calls that failed together are not retried
/// together.
pub fn backoff(retry: u32) -> Duration {
    (MAX_FIRST_BACKOFF * 2_u32.saturating_pow(retry.min(8))).mul_f64(fastrand::f64())
}

/// Limits retries to a tenth of the calls, plus a small reserve. Otherwise retries would multiply the load on LRS in an outage.
#[derive(Debug)]
pub struct RetryBudget(Mutex<Balance>);

#[derive(Debug)]
struct Balance {
    /// The balance in tenths of a retry.
    tenths: u32,
    /// The time up to which the reserve was refilled; `None` before the first withdrawal.
    refilled_until: Option<Instant>,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self(Mutex::new(Balance { tenths: RESERVE_TENTHS, refilled_until: None }))
    }
}

impl RetryBudget {
    /// Adds a call's share to the budget.
    pub fn deposit(&self) {
        let mut balance = self.0.lock();
        balance.tenths = (balance.tenths + DEPOSIT_TENTHS).min(MAX_BALANCE_TENTHS);
    }

    /// Withdraws one retry. Returns `true` if the balance was sufficient.
    pub fn try_withdraw(&self, now: Instant) -> bool {
        let mut balance = self.0.lock();
        balance.refill_reserve(now);
        match balance.tenths.checked_sub(RETRY_TENTHS) {
            Some(remaining) => {
                balance.tenths = remaining;
                true
            }
            None => false,
        }
    }
}

impl Balance {
    /// Refills the reserve by one retry for each interval that has passed.
    fn refill_reserve(&mut self, now: Instant) {
        let refilled_until = *self.refilled_until.get_or_insert(now);
        let intervals = u32::try_from(now.duration_since(refilled_until).as_secs() / RESERVE_REFILL_INTERVAL.as_secs()).unwrap_or(u32::MAX);
        if self.tenths < RESERVE_TENTHS {
            self.tenths = self.tenths.saturating_add(intervals.saturating_mul(RETRY_TENTHS)).min(RESERVE_TENTHS);
        }
        self.refilled_until = Some(refilled_until + RESERVE_REFILL_INTERVAL * intervals);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lrs::http_client::connect_failure::ConnectFailure;

    #[test]
    fn retry_budget_outage_limits_retries_to_tenth_of_calls() {
        let (budget, now) = (RetryBudget::default(), Instant::now());
        let mut retries = 0;
        for _ in 0..1000 {
            budget.deposit();
            retries += (0..2).filter(|_| budget.try_withdraw(now)).count();
        }
        assert!((95..=106).contains(&retries), "{retries} retries of 1000 calls");
    }

    #[test]
    fn retry_budget_many_deposits_stops_at_max_balance() {
        let (budget, now) = (RetryBudget::default(), Instant::now());
        (0..100_000).for_each(|_| budget.deposit());
        assert_eq!((0..1000).filter(|_| budget.try_withdraw(now)).count(), 20);
    }

    #[test]
    fn retry_budget_reserve_refills_with_time() {
        let (budget, mut now) = (RetryBudget::default(), Instant::now());
        assert_eq!((0..100).filter(|_| budget.try_withdraw(now)).count(), 5);
        now += Duration::from_secs(3);
        assert_eq!((0..100).filter(|_| budget.try_withdraw(now)).count(), 1);
        now += Duration::from_secs(1);
        assert_eq!((0..100).filter(|_| budget.try_withdraw(now)).count(), 1, "the rest of the previous interval counts");
        now += Duration::from_secs(1000);
        assert_eq!((0..100).filter(|_| budget.try_withdraw(now)).count(), 5);
    }

    #[test]
    fn backoff_is_random_and_grows() {
        for (retry, max_milliseconds) in [(0, 100), (1, 200), (2, 400)] {
            let delays: Vec<Duration> = (0..200).map(|_| backoff(retry)).collect();
            assert!(delays.iter().all(|delay| *delay <= Duration::from_millis(max_milliseconds)));
            assert!(delays.iter().max() > delays.iter().min(), "{delays:?}");
        }
    }

    #[test]
    fn is_connection_failure_response_or_timeout_returns_false() {
        let throttled = |status, seconds: Option<u64>| LrsError::Throttled { status, retry_after: seconds.map(Duration::from_secs) };
        for error in [
            LrsError::Unreachable(ConnectFailure::Refused),
            LrsError::ConnectionLost,
            LrsError::IntermediaryFailed { status: 502 },
            throttled(503, None),
        ] {
            assert!(is_connection_failure(&error), "{error:?}");
        }
        for error in [throttled(503, Some(1)), throttled(429, None)] {
            assert!(!is_connection_failure(&error), "LRS asks for fewer calls: {error:?}");
        }
        for error in [LrsError::Timeout, LrsError::ServiceFailed(None), LrsError::Maintenance(None), LrsError::ResponseTooLarge] {
            assert!(!is_connection_failure(&error), "{error:?}");
        }
    }
}
