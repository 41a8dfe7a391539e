//! Readiness of the gateway.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::auth::Verifier;
use crate::batches::{BatchError, BatchService};
use crate::lrs::Lrs;
use crate::observability::metrics;
use crate::schema::CodeList;
use crate::storage::{StoreError, StoreProbe, WriteRefusal};

/// Timeout of a store operation within a readiness check or an update of the gauges.
pub(super) const STORE_TIMEOUT: Duration = Duration::from_secs(1);

/// Minimum time between two probes of the store. Anyone can ask for the readiness, so a request must not mean a write.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);

/// Time after an eviction for which the store counts as evicting.
const EVICTION_MEMORY: Duration = Duration::from_secs(10 * 60);

/// Reason for which a gateway that is ready refuses a part of the calls, or can lose stored data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
pub enum DegradedReason {
    /// Redis is a read-only replica. Batches and writes with an `Idempotency-Key` are refused.
    StoreReadOnly,
    /// Redis has reached its memory limit. Batches and writes with an `Idempotency-Key` are refused.
    StoreFull,
    /// Redis cannot write its files and refuses writes. Batches and writes with an `Idempotency-Key` are refused.
    StoreNotPersisting,
    /// Redis has too few replicas and refuses writes. Batches and writes with an `Idempotency-Key` are refused.
    StoreWithoutReplicas,
    /// Redis refuses writes for another reason. Batches and writes with an `Idempotency-Key` are refused.
    StoreRefusesWrites,
    /// Redis can lose what it confirms, and `store.accept_volatile` does not allow that. Batches and writes with an `Idempotency-Key` are
    /// refused.
    StoreNotDurable,
    /// Redis has removed data in the last ten minutes to make room. It may have been data of batches or idempotency keys.
    StoreEvicting,
}

impl From<WriteRefusal> for DegradedReason {
    fn from(refusal: WriteRefusal) -> Self {
        match refusal {
            WriteRefusal::ReadOnly => Self::StoreReadOnly,
            WriteRefusal::Full => Self::StoreFull,
            WriteRefusal::NotPersisting => Self::StoreNotPersisting,
            WriteRefusal::TooFewReplicas => Self::StoreWithoutReplicas,
            WriteRefusal::Other => Self::StoreRefusesWrites,
        }
    }
}

/// Readiness of the gateway.
#[derive(Debug, Default)]
pub struct Readiness {
    draining: AtomicBool,
    /// The last probe of the store. The lock is held during a probe, so that there is only one at a time.
    store: Mutex<StoreState>,
}

/// What the last probes of the store have found.
#[derive(Debug, Default)]
struct StoreState {
    probed_at: Option<Instant>,
    refusal: Option<WriteRefusal>,
    is_not_durable: bool,
    evicted_keys: Option<u64>,
    evicted_at: Option<Instant>,
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

    /// Checks whether the gateway can take requests. The state of LRS does not count: the gateway can answer while LRS is down. Returns the
    /// reasons for which it refuses a part of the requests.
    ///
    /// # Errors
    /// Returns the reason, a sentence for callers, if the gateway is not ready.
    pub async fn check(&self, verifier: &Verifier, lrs: &Lrs, batches: &BatchService) -> Result<Vec<DegradedReason>, &'static str> {
        if self.is_draining() {
            return Err("The gateway is shutting down.");
        }
        if !verifier.is_ready() {
            return Err("The keys of a token issuer are not available.");
        }
        if !lrs.audit().records_writes() {
            return Err("The audit trail cannot be written, so every call is refused.");
        }
        let store = async { if batches.ping().await { self.degraded_reasons(batches).await } else { None } };
        match tokio::time::timeout(STORE_TIMEOUT, store).await {
            Ok(Some(reasons)) => Ok(reasons),
            _ => Err("The store is not available."),
        }
    }

    /// Updates the gauges of the reasons. They stay as they are if the store does not respond.
    pub(super) async fn update_gauges(&self, batches: &BatchService) {
        if let Ok(Some(reasons)) = tokio::time::timeout(STORE_TIMEOUT, self.degraded_reasons(batches)).await {
            for reason in DegradedReason::ALL {
                metrics::set_degraded(reason.word(), reasons.contains(reason));
            }
        }
    }

    /// Returns the reasons for which the gateway is degraded, by a probe of the last seconds; `None` if the store does not respond.
    async fn degraded_reasons(&self, batches: &BatchService) -> Option<Vec<DegradedReason>> {
        let mut state = self.store.lock().await;
        if state.probed_at.is_none_or(|probed_at| probed_at.elapsed() >= PROBE_INTERVAL) {
            let probe = batches.probe_store().await.ok()?;
            let is_not_durable = match batches.ensure_durable().await {
                Ok(()) => false,
                Err(BatchError::Store(StoreError::NotDurable(_))) => true,
                Err(_) => return None,
            };
            state.update(probe, is_not_durable);
        }
        Some(state.reasons())
    }
}

impl StoreState {
    /// Records the result of a probe, and logs a change.
    fn update(&mut self, probe: StoreProbe, is_not_durable: bool) {
        let before = self.reasons();
        let now = Instant::now();
        // A smaller number is that of a server that was restarted.
        if self.evicted_keys.zip(probe.evicted_keys).is_some_and(|(before, after)| after > before) {
            self.evicted_at = Some(now);
        }
        (self.probed_at, self.refusal, self.is_not_durable) = (Some(now), probe.refusal, is_not_durable);
        self.evicted_keys = probe.evicted_keys.or(self.evicted_keys);
        let after = self.reasons();
        if before != after {
            let reasons: Vec<&str> = after.iter().map(|reason| reason.word()).collect();
            if reasons.is_empty() {
                tracing::info!("store no longer degraded");
            } else {
                tracing::error!(reasons = reasons.join(","), "store degraded: batches and idempotent writes are refused, or can be lost");
            }
        }
    }

    fn reasons(&self) -> Vec<DegradedReason> {
        let is_evicting = self.evicted_at.is_some_and(|evicted_at| evicted_at.elapsed() < EVICTION_MEMORY);
        let not_durable = self.is_not_durable.then_some(DegradedReason::StoreNotDurable);
        let evicting = is_evicting.then_some(DegradedReason::StoreEvicting);
        self.refusal.map(DegradedReason::from).into_iter().chain(not_durable).chain(evicting).collect()
    }
}
