//! The application's state: the services that handlers use, readiness and gauges.

mod gauges;
pub mod readiness;
pub mod request_memory;

use std::sync::Arc;
use std::time::Duration;

use crate::app::gauges::Gauges;
use crate::app::readiness::{DegradedReason, Readiness};
use crate::app::request_memory::RequestMemory;
use crate::auth::Verifier;
use crate::batches::BatchService;
use crate::batches::worker::BatchWorker;
use crate::idempotency::{IdempotencyStore, ReservationTimes};
use crate::lrs::Lrs;
use crate::observability::metrics;
use crate::organisations::OrganisationRegistry;
use crate::rate_limit::RateLimiter;
use crate::storage::Storage;

/// What a handler gets of the application.
pub type State = Arc<AppState>;

/// The services that handlers use. Clones share them.
#[derive(Debug, Clone)]
pub struct AppState {
    /// Verifies bearer tokens.
    pub verifier: Arc<Verifier>,
    /// The organisations that the gateway acts for.
    pub registry: Arc<OrganisationRegistry>,
    /// Calls LRS.
    pub lrs: Arc<Lrs>,
    /// Accepts and finds batches.
    pub batches: Arc<BatchService>,
    /// Rate limits of organisations and persons.
    pub rate_limits: Arc<RateLimiter>,
    /// Idempotency keys and the answers stored for them.
    pub idempotency: Arc<IdempotencyStore>,
    /// Memory for request bodies.
    pub request_memory: Arc<RequestMemory>,
    /// Whether the gateway takes requests.
    pub readiness: Arc<Readiness>,
    gauges: Arc<Gauges>,
}

impl AppState {
    /// Builds the state from its services.
    pub fn new(
        verifier: Verifier,
        registry: OrganisationRegistry,
        lrs: Lrs,
        batches: BatchService,
        rate_limits: RateLimiter,
        storage: &Storage,
    ) -> Self {
        Self {
            idempotency: Arc::new(IdempotencyStore::new(storage, ReservationTimes::default())),
            request_memory: Arc::default(),
            readiness: Arc::default(),
            gauges: Arc::default(),
            verifier: Arc::new(verifier),
            registry: Arc::new(registry),
            lrs: Arc::new(lrs),
            batches: Arc::new(batches),
            rate_limits: Arc::new(rate_limits),
        }
    }

    /// Sets the memory for request bodies.
    #[must_use]
    pub fn with_request_memory(self, memory: RequestMemory) -> Self {
        Self { request_memory: Arc::new(memory), ..self }
    }

    /// Returns the time that requests get to finish at shutdown: see [`max_request_duration`].
    pub fn max_request_duration(&self) -> Duration {
        max_request_duration(&self.lrs)
    }

    /// Checks whether the gateway can take requests. Returns the reasons for which it refuses a part of them.
    ///
    /// # Errors
    /// Returns the reason if the gateway is not ready.
    pub async fn check_readiness(&self) -> Result<Vec<DegradedReason>, &'static str> {
        self.readiness.check(&self.verifier, &self.lrs, &self.batches).await
    }

    /// Updates the gauges that are read on demand, not counted at the event.
    pub async fn update_gauges(&self) {
        metrics::set_request_memory(self.request_memory.reserved_bytes());
        self.gauges.update(&self.lrs, &self.verifier, &self.registry, &self.batches).await;
        self.readiness.update_gauges(&self.batches).await;
    }

    /// Creates the worker that processes batches.
    pub fn batch_worker(&self) -> BatchWorker {
        let (batches, registry, lrs) = (self.batches.clone(), self.registry.clone(), self.lrs.clone());
        BatchWorker::new(batches, registry, lrs)
    }
}

/// Time that a request may spend in the gateway itself, beside its calls to LRS.
const OWN_ALLOWANCE: Duration = Duration::from_secs(5);

/// Returns the time after which a request should have been answered: the calls to LRS of a request take no longer than two. With the default
/// settings, the wait for a batch (`Prefer: wait`) is shorter. Nothing enforces this time while the gateway runs, and the upload of a
/// large batch can take longer. Shutdown waits for it.
fn max_request_duration(lrs: &Lrs) -> Duration {
    lrs.timeout() * 2 + OWN_ALLOWANCE
}
