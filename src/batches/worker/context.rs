//! The services and limits that all visits of a worker use, and the clock of a visit.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::permits::WorkerPermits;
use super::visit_limits::VisitLimits;
use crate::batches::model::{BatchId, EpochMillis};
use crate::batches::service::BatchService;
use crate::lrs::Lrs;
use crate::organisations::OrganisationRegistry;

/// Maximum number of batches or parts to remember, so that their number does not use up memory.
const MAX_LOGGED_ITEMS: usize = 10_000;

/// The services and limits that all visits of a worker use.
#[derive(Debug)]
pub struct WorkerContext {
    /// The batch service.
    pub service: Arc<BatchService>,
    /// The configured organisations.
    pub registry: Arc<OrganisationRegistry>,
    /// The LRS client.
    pub lrs: Arc<Lrs>,
    /// Limits of the parts that are processed at the same time.
    pub permits: WorkerPermits,
    /// Limits of the batches that are visited at the same time.
    pub visits: VisitLimits,
    /// Reasons why batches are deferred.
    pub deferrals: ReasonLog<BatchId>,
    /// Reasons why LRS's responses about parts cannot be read.
    pub bad_responses: ReasonLog<(BatchId, u32)>,
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

/// The reasons why batches or parts do not proceed, remembered so that each reason is logged once.
#[derive(Debug)]
pub struct ReasonLog<I>(Mutex<HashMap<I, String>>);

impl<I> Default for ReasonLog<I> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<I: Eq + Hash> ReasonLog<I> {
    /// Returns `true` if this reason was not the last one reported for the item.
    pub fn should_log(&self, item: I, reason: String) -> bool {
        let mut reasons = self.0.lock();
        // Entries of batches that have expired stay until then.
        if reasons.len() >= MAX_LOGGED_ITEMS {
            reasons.clear();
        }
        reasons.insert(item, reason.clone()) != Some(reason)
    }

    /// Forgets an item that proceeds.
    pub fn clear(&self, item: &I) {
        self.0.lock().remove(item);
    }
}
