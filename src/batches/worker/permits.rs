//! Permits: limit how many parts a worker processes at the same time.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::batches::settings::BatchSettings;
use crate::domain::Ukprn;

/// Permits of a worker for parts: of all organisations together, and of each organisation.
#[derive(Debug)]
pub struct WorkerPermits {
    parts: Semaphore,
    max_per_organisation: usize,
    by_organisation: Mutex<HashMap<Ukprn, Arc<Semaphore>>>,
}

/// The right to send or poll one part.
#[derive(Debug)]
pub struct PartPermit<'a> {
    _of_organisation: Option<OwnedSemaphorePermit>,
    _of_worker: Option<SemaphorePermit<'a>>,
}

impl WorkerPermits {
    /// Creates the permits for these limits.
    pub fn new(settings: &BatchSettings) -> Self {
        Self {
            parts: Semaphore::new(settings.max_concurrent_parts),
            max_per_organisation: settings.max_concurrent_parts_per_organisation,
            by_organisation: Mutex::default(),
        }
    }

    /// Waits for a permit to send or poll a part of an organisation.
    pub async fn acquire_part(&self, organisation: &Ukprn) -> PartPermit<'_> {
        // The semaphores are never closed, so acquiring cannot fail. Waiting for the organisation's permit first holds up no others.
        let of_organisation = self.of_organisation(organisation).acquire_owned().await.ok();
        PartPermit { _of_organisation: of_organisation, _of_worker: self.parts.acquire().await.ok() }
    }

    fn of_organisation(&self, organisation: &Ukprn) -> Arc<Semaphore> {
        let mut by_organisation = self.by_organisation.lock();
        let permits = by_organisation.entry(organisation.clone());
        Arc::clone(permits.or_insert_with(|| Arc::new(Semaphore::new(self.max_per_organisation))))
    }
}
