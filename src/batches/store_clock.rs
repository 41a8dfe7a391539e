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
