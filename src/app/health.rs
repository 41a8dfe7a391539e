//! Readiness, and the gauges that are read on demand.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::auth::Verifier;
use crate::batches::BatchService;
use crate::lrs::{Lrs, Service};
use crate::observability::metrics;
use crate::organisations::{Organisation, OrganisationRegistry};

/// Timeout of a store operation within a readiness check or an update of the gauges.
const STORE_TIMEOUT: Duration = Duration::from_secs(1);

/// Readiness of the gateway.
#[derive(Debug, Default)]
pub struct Readiness {
    draining: AtomicBool,
    /// UKPRNs of the organisations that have a certificate gauge.
    certificate_gauges: Mutex<BTreeSet<String>>,
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

    /// Updates the gauges that are read on demand, not counted at the event.
    pub async fn update_gauges(&self, lrs: &Lrs, verifier: &Verifier, registry: &OrganisationRegistry, batches: &BatchService) {
        for state in lrs.service_states() {
            let service = match state.service {
                Service::Learner => "learner",
                Service::LearnerR9 => "learning_events",
                Service::External => "achievements",
            };
            metrics::set_service_state(service, state.status as u8);
        }
        metrics::set_queue_length(lrs.queued_calls());
        metrics::set_audit_queue_length(lrs.audit().queued_lines());
        for (issuer, age) in verifier.key_set_ages() {
            metrics::set_issuer_keys_age(issuer, age);
        }
        self.update_certificate_gauges(registry);
        metrics::set_unusable_organisations(registry.unusable_files());
        if let Ok(Ok(backlog)) = tokio::time::timeout(STORE_TIMEOUT, batches.backlog()).await {
            metrics::set_backlog(backlog.unfinished, backlog.overdue, backlog.oldest_overdue);
        }
    }

    fn update_certificate_gauges(&self, registry: &OrganisationRegistry) {
        let organisations = registry.snapshot();
        let expiry = |organisation: &Organisation| Some(organisation.certificate_validity()?.not_after.as_second());
        let mut current = BTreeSet::new();
        for organisation in organisations.values() {
            if let Some(seconds) = expiry(organisation) {
                metrics::set_certificate_expiry(organisation.ukprn().as_str(), Some(seconds));
                current.insert(organisation.ukprn().to_string());
            }
        }
        let mut previous = self.certificate_gauges.lock();
        for removed in previous.difference(&current) {
            metrics::set_certificate_expiry(removed, None);
        }
        *previous = current;
    }
}
