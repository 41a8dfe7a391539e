//! Readiness of the gateway.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::auth::Verifier;
use crate::batches::BatchService;

/// Timeout of a store operation within a readiness check or an update of the gauges.
pub(super) const STORE_TIMEOUT: Duration = Duration::from_secs(1);

/// Readiness of the gateway.
#[derive(Debug, Default)]
pub struct Readiness {
    draining: AtomicBool,
}

impl Readiness {
    /// Makes the gateway unready, so that load balancers stop sending requests before it shuts down.
    pub fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Returns `true` if the gateway is about to shut down.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Checks whether the gateway can take requests. The state of LRS does not count: the gateway can answer while LRS is down.
    ///
    /// # Errors
    /// Returns the reason, a sentence for callers, if the gateway is not ready.
    pub async fn check(&self, verifier: &Verifier, batches: &BatchService) -> Result<(), &'static str> {
        if self.is_draining() {
            return Err("The gateway is shutting down.");
        }
        if !verifier.is_ready() {
            return Err("The keys of a token issuer are not available.");
        }
        match tokio::time::timeout(STORE_TIMEOUT, batches.ping()).await {
            Ok(true) => Ok(()),
            _ => Err("The store is not available."),
        }
    }
}
