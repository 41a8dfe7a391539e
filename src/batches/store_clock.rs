//! The store's clock for new batches and decisions, so that not each of them has to ask for the time.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::batches::model::EpochMillis;
use crate::batches::repository::{BatchRepository, StoreError};

/// Time for which the local clock continues the store's clock. The two drift apart by far less than a millisecond in it.
const MAX_AGE: Duration = Duration::from_secs(1);

/// The store's clock, as it was read last.
#[derive(Debug, Default)]
pub struct StoreClock(Mutex<Option<(EpochMillis, Instant)>>);

impl StoreClock {
    /// Returns the current time of the store's clock. Reads it at most once a second.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the clock must be read and the store fails.
    pub async fn now(&self, repository: &dyn BatchRepository) -> Result<EpochMillis, StoreError> {
        let last = *self.0.lock();
        if let Some((time, read_at)) = last
            && read_at.elapsed() < MAX_AGE
        {
            return Ok(time.after(read_at.elapsed()));
        }
        let time = repository.now().await?;
        *self.0.lock() = Some((time, Instant::now()));
        Ok(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batches::repository::memory::MemoryRepository;

    /// The time of the last reading, which is none that the repository returns.
    const READ: EpochMillis = EpochMillis(1_000_000);

    #[tokio::test]
    async fn store_clock_continues_the_last_reading_for_a_second_and_then_reads_again() {
        let repository = MemoryRepository::default();
        let read_before = |age| StoreClock(Mutex::new(Some((READ, Instant::now().checked_sub(age).expect("the system runs for longer")))));

        let fresh = read_before(Duration::from_millis(100)).now(&repository).await.expect("the repository has a clock");
        assert!((READ.0 + 100..READ.0 + 1000).contains(&fresh.0), "{fresh:?}");

        for clock in [read_before(MAX_AGE), StoreClock::default()] {
            let start = EpochMillis::now();
            let first = clock.now(&repository).await.expect("the repository has a clock");
            let second = clock.now(&repository).await.expect("the repository has a clock");
            assert!(start <= first && first <= second && second.since(start) < MAX_AGE, "{start:?} {first:?} {second:?}");
        }
    }
}
