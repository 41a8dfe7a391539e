//! The registry of the LRSs that batches in a shared store belong to, so that a gateway can say that it leaves other batches alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::batches::error::BatchError;
use crate::batches::model::EpochMillis;
use crate::batches::repository::BatchRepository;
use crate::storage::LrsIdentity;

/// Prefix of the entries' names among the shared values.
const NAME_PREFIX: &str = "lrs:";
/// Minimum time between two writes of the entry.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
/// Length of the expiry at the start of an entry, in bytes: a big-endian number of milliseconds.
const EXPIRY_LENGTH: usize = 8;

/// Registers this gateway's LRS, and finds the others.
#[derive(Debug)]
pub struct LrsRegistry {
    repository: Arc<dyn BatchRepository>,
    lrs: LrsIdentity,
    /// Expiry of the entry when it was last written, in milliseconds.
    registered_until: AtomicI64,
}

impl LrsRegistry {
    /// Creates a registry in this repository.
    pub fn new(repository: Arc<dyn BatchRepository>, lrs: LrsIdentity) -> Self {
        Self { repository, lrs, registered_until: AtomicI64::new(0) }
    }

    /// Returns this gateway's LRS.
    pub const fn lrs(&self) -> &LrsIdentity {
        &self.lrs
    }

    /// Registers that the store has batches for this gateway's LRS until `expires_at`.
    ///
    /// # Errors
    /// Returns [`BatchError::Store`] if the store fails.
    pub async fn register_until(&self, expires_at: EpochMillis) -> Result<(), BatchError> {
        if expires_at >= EpochMillis(self.registered_until.load(Ordering::Relaxed)).after(RENEWAL_INTERVAL) {
            let value = [&expires_at.after(RENEWAL_INTERVAL).0.to_be_bytes()[..], self.lrs.as_str().as_bytes()].concat();
            self.repository.store_shared(&format!("{NAME_PREFIX}{}", self.lrs.tag()), &value).await?;
            self.registered_until.store(expires_at.0, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Returns the other LRSs that batches in the store belong to.
    ///
    /// # Errors
    /// Returns [`BatchError::Store`] if the store fails.
    pub async fn others(&self) -> Result<Vec<String>, BatchError> {
        let now = self.repository.now().await?;
        let mut others = Vec::new();
        for (_, value) in self.repository.load_shared().await?.into_iter().filter(|(name, _)| name.starts_with(NAME_PREFIX)) {
            let Some((expires_at, lrs)) = value.split_first_chunk::<EXPIRY_LENGTH>() else { continue };
            let lrs = String::from_utf8_lossy(lrs);
            if now.0 < i64::from_be_bytes(*expires_at) && lrs != self.lrs.as_str() {
                others.push(lrs.into_owned());
            }
        }
        others.sort();
        Ok(others)
    }
}
