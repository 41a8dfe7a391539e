//! What is looked at when somebody asks: is the gateway ready, and how is everything that can be measured at this moment.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::auth::Verifier;
use crate::batches::BatchService;
use crate::lrs::{Lrs, Service};
use crate::observability::metrics;
use crate::organisations::{Organisation, OrganisationRegistry};

/// How long the store may take to say that it is there.
const STORE_TIMEOUT: Duration = Duration::from_secs(1);

/// Looks at a gateway.
#[derive(Debug, Default)]
pub struct Readiness {
    draining: AtomicBool,
    /// The organisations whose certificates have been told.
    certified: Mutex<BTreeSet<String>>,
}

impl Readiness {
    /// It is to end soon: nobody shall send it anything new.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Is it to end soon?
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Can it take calls? LRS may be down: that is LRS's state.
    ///
    /// # Errors
    /// Why not.
    pub async fn ready(&self, verifier: &Verifier, jobs: &BatchService) -> Result<(), &'static str> {
        if self.is_draining() {
            return Err("The gateway is about to end.");
        }
        if !verifier.ready() {
            return Err("The keys of an issuer are not there.");
        }
        match tokio::time::timeout(STORE_TIMEOUT, jobs.ping()).await {
            Ok(true) => Ok(()),
            _ => Err("The store cannot be used."),
        }
    }

    /// Measures what is not counted where it happens.
    pub async fn measure(&self, lrs: &Lrs, verifier: &Verifier, registry: &OrganisationRegistry, jobs: &BatchService) {
        for state in lrs.services() {
            let service = match state.service {
                Service::Learner => "learner",
                Service::LearnerR9 => "learning_events",
                Service::External => "achievements",
            };
            metrics::service_state(service, state.status as u8);
        }
        metrics::queue_length(lrs.queued_calls());
        metrics::audit_waiting(lrs.audit().queued_lines());
        for (issuer, age) in verifier.key_ages() {
            metrics::keys_age(issuer, age);
        }
        self.measure_certificates(registry);
        metrics::unusable_organisations(registry.unusable());
        if let Ok(Ok(backlog)) = tokio::time::timeout(STORE_TIMEOUT, jobs.backlog()).await {
            metrics::backlog(backlog.unfinished, backlog.due, backlog.oldest);
        }
    }

    fn measure_certificates(&self, registry: &OrganisationRegistry) {
        let now = registry.snapshot();
        let ends = |organisation: &Organisation| Some(organisation.certificate_validity()?.until.as_second());
        let certified: BTreeSet<String> = now.values().filter(|one| ends(one).is_some()).map(|one| one.ukprn().to_string()).collect();
        for organisation in now.values().filter(|one| ends(one).is_some()) {
            metrics::certificate(organisation.ukprn().as_str(), ends(organisation));
        }
        let mut before = self.certified.lock();
        for gone in before.difference(&certified) {
            metrics::certificate(gone, None);
        }
        *before = certified;
    }
}
