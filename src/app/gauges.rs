//! The gauges that are read on demand, not counted at the event.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use super::readiness::STORE_TIMEOUT;
use crate::auth::Verifier;
use crate::batches::BatchService;
use crate::lrs::{Lrs, Service};
use crate::observability::metrics;
use crate::organisations::{Organisation, OrganisationRegistry};

/// The gauges that are read on demand.
#[derive(Debug, Default)]
pub struct Gauges {
    /// UKPRNs of the organisations that have a certificate gauge.
    with_certificate: Mutex<BTreeSet<String>>,
}

impl Gauges {
    /// Updates all gauges.
    pub async fn update(&self, lrs: &Lrs, verifier: &Verifier, registry: &OrganisationRegistry, batches: &BatchService) {
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
        self.update_certificates(registry);
        metrics::set_unusable_organisations(registry.invalid_files());
        if let Ok(Ok(backlog)) = tokio::time::timeout(STORE_TIMEOUT, batches.backlog()).await {
            metrics::set_backlog(backlog.unfinished, backlog.claimable, backlog.oldest_claimable_age);
        }
    }

    fn update_certificates(&self, registry: &OrganisationRegistry) {
        let organisations = registry.snapshot();
        let expiry = |organisation: &Organisation| Some(organisation.certificate_validity()?.not_after.as_second());
        let mut current = BTreeSet::new();
        for organisation in organisations.values() {
            if let Some(seconds) = expiry(organisation) {
                metrics::set_certificate_expiry(organisation.ukprn().as_str(), Some(seconds));
                current.insert(organisation.ukprn().to_string());
            }
        }
        let mut previous = self.with_certificate.lock();
        for removed in previous.difference(&current) {
            metrics::set_certificate_expiry(removed, None);
        }
        *previous = current;
    }
}
