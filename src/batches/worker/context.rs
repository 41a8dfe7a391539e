//! The services and limits that all visits of a worker use, and the clock of a visit.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::permits::WorkerPermits;
use crate::batches::model::{BatchId, EpochMillis};
use crate::batches::service::BatchService;
use crate::lrs::Lrs;
use crate::organisations::OrganisationRegistry;

/// Maximum number of deferred batches to remember, so that their number does not use up memory.
const MAX_LOGGED_BATCHES: usize = 10_000;

/// The services and limits that all visits of a worker use.
#[derive(Debug)]
pub struct WorkerContext {
    /// The batch service.
    pub service: Arc<BatchService>,
    /// The configured organisations.
    pub registry: Arc<OrganisationRegistry>,
    /// The LRS client.
    pub lrs: Arc<Lrs>,
    /// Limits of concurrency.
    pub permits: WorkerPermits,
    /// Reasons why batches are deferred.
    pub deferrals: DeferralLog,
}

/// The clock of the store, read once and continued by the local clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    store_time: EpochMillis,
    read_at: Instant,
}

impl Clock {
    /// Creates a clock. The store's clock showed `store_time` at the local time `read_at`.
    pub const fn new(store_time: EpochMillis, read_at: Instant) -> Self {
        Self { store_time, read_at }
    }

    /// Returns the current time of the store's clock.
    pub fn now(&self) -> EpochMillis {
        self.store_time.after(self.read_at.elapsed())
    }
}

/// The reasons why batches are deferred, remembered so that each reason is logged once.
#[derive(Debug, Default)]
pub struct DeferralLog(Mutex<HashMap<BatchId, String>>);

impl DeferralLog {
    /// Returns `true` if this reason was not the last one reported for the batch.
    pub fn should_log(&self, id: BatchId, reason: String) -> bool {
        let mut reasons = self.0.lock();
        // Entries of batches that have expired stay until then.
        if reasons.len() >= MAX_LOGGED_BATCHES {
            reasons.clear();
        }
        reasons.insert(id, reason.clone()) != Some(reason)
    }

    /// Forgets a batch that is no longer deferred.
    pub fn clear(&self, id: BatchId) {
        self.0.lock().remove(&id);
    }
}
