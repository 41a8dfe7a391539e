//! When a call is made once more: after it did not get through, if it does no harm, if there is time, and not in an outage.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::lrs::error::LrsError;

/// Most retries of a call, if nobody says otherwise.
pub const DEFAULT_MAX_RETRIES: u32 = 2;
/// The first wait is at most this; each is at most twice the one before.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// May a call that failed so be made again at once, if it does no harm? Only if there was no answer: what LRS has said, it would
/// say again.
pub const fn is_connection_failure(failure: &LrsError) -> bool {
    matches!(failure, LrsError::Unreachable | LrsError::ConnectionLost)
}

/// How long to wait before this retry, counted from 0: any time up to the limit, so that those who failed together do not come back
/// together.
pub fn backoff(retry: u32) -> Duration {
    (FIRST_WAIT * 2_u32.saturating_pow(retry.min(8))).mul_f64(fastrand::f64())
}

/// A tenth of a retry: what each call pays in.
const PART: u32 = 1;
/// What a retry costs.
const RETRY: u32 = 10;
/// A few retries that are always there, and how fast they come back.
const RESERVE: u32 = 5 * RETRY;
const BACK_AFTER: Duration = Duration::from_secs(2);
/// What can be saved up. Much more would be a second wave in an outage.
const MOST: u32 = 20 * RETRY;

/// How many retries there may be: a tenth of the calls, and a few. In an outage, retries would multiply what LRS has to bear.
#[derive(Debug)]
pub struct RetryBudget(Mutex<Balance>);

#[derive(Debug)]
struct Balance {
    parts: u32,
    filled: Option<Instant>,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self(Mutex::new(Balance { parts: RESERVE, filled: None }))
    }
}

impl RetryBudget {
    /// There is a call.
    pub fn deposit(&self) {
        let mut purse = self.0.lock();
        purse.parts = (purse.parts + PART).min(MOST);
    }

    /// Takes a retry, if there is one.
    pub fn try_withdraw(&self, now: Instant) -> bool {
        let mut purse = self.0.lock();
        purse.fill_up(now);
        match purse.parts.checked_sub(RETRY) {
            Some(rest) => {
                purse.parts = rest;
                true
            }
            None => false,
        }
    }
}

impl Balance {
    /// Puts back into the reserve what time has brought.
    fn fill_up(&mut self, now: Instant) {
        let filled = *self.filled.get_or_insert(now);
        let back = u32::try_from(now.duration_since(filled).as_secs() / BACK_AFTER.as_secs()).unwrap_or(u32::MAX);
        if self.parts < RESERVE {
            self.parts = self.parts.saturating_add(back.saturating_mul(RETRY)).min(RESERVE);
        }
        self.filled = Some(filled + BACK_AFTER * back);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_not_multiplied() {
        let (budget, now) = (RetryBudget::default(), Instant::now());
        let mut retries = 0;
        for _ in 0..1000 {
            budget.deposit();
            retries += (0..2).filter(|_| budget.try_withdraw(now)).count();
        }
        assert!((95..=106).contains(&retries), "{retries} retries of 1000 calls");
    }

    #[test]
    fn what_is_saved_up_has_a_limit() {
        let (budget, now) = (RetryBudget::default(), Instant::now());
        (0..100_000).for_each(|_| budget.deposit());
        assert_eq!((0..1000).filter(|_| budget.try_withdraw(now)).count(), 20);
    }

    #[test]
    fn there_are_always_a_few_again() {
        let (budget, mut now) = (RetryBudget::default(), Instant::now());
        assert_eq!((0..100).filter(|_| budget.try_withdraw(now)).count(), 5);
        now += Duration::from_secs(3);
        assert_eq!((0..100).filter(|_| budget.try_withdraw(now)).count(), 1);
        now += Duration::from_secs(1);
        assert_eq!((0..100).filter(|_| budget.try_withdraw(now)).count(), 1, "time that was left over is not lost");
        now += Duration::from_secs(1000);
        assert_eq!((0..100).filter(|_| budget.try_withdraw(now)).count(), 5);
    }

    #[test]
    fn waits_differ_and_grow() {
        for (retry, most) in [(0, 100), (1, 200), (2, 400)] {
            let waits: Vec<Duration> = (0..200).map(|_| backoff(retry)).collect();
            assert!(waits.iter().all(|wait| *wait <= Duration::from_millis(most)));
            assert!(waits.iter().max() > waits.iter().min(), "{waits:?}");
        }
    }

    #[test]
    fn an_answer_is_not_asked_for_twice() {
        assert!(is_connection_failure(&LrsError::Unreachable) && is_connection_failure(&LrsError::ConnectionLost));
        for failure in [LrsError::Timeout, LrsError::ServiceFailed(None), LrsError::Maintenance(None), LrsError::TooLarge] {
            assert!(!is_connection_failure(&failure), "{failure:?}");
        }
    }
}
