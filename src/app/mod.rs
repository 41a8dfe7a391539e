//! The gateway: the parts that handlers work with.

pub mod health;

use std::time::Duration;

use actix_web::web::Data;

use crate::app::health::Readiness;
use crate::auth::Verifier;
use crate::batches::BatchService;
use crate::batches::worker::BatchWorker;
use crate::idempotency::IdempotencyStore;
use crate::lrs::Lrs;
use crate::organisations::OrganisationRegistry;
use crate::rate_limit::RateLimits;
use crate::storage::Storage;

/// What the handlers work with.
#[derive(Debug, Clone)]
pub struct AppState {
    /// Whose tokens are accepted.
    pub verifier: Data<Verifier>,
    /// Whom the gateway acts for.
    pub registry: Data<OrganisationRegistry>,
    /// Where their calls go.
    pub lrs: Data<Lrs>,
    /// Their batches.
    pub batches: Data<BatchService>,
    /// How often they may call.
    pub rate_limits: Data<RateLimits>,
    /// What they want done once.
    pub idempotency: Data<IdempotencyStore>,
    /// How it is.
    pub readiness: Data<Readiness>,
}

impl AppState {
    /// A gateway of these parts.
    pub fn new(
        verifier: Verifier,
        registry: OrganisationRegistry,
        lrs: Lrs,
        jobs: BatchService,
        limits: RateLimits,
        storage: &Storage,
    ) -> Self {
        // Should the store take its time as well.
        let longest = longest_request(&lrs) + Duration::from_secs(15);
        Self {
            idempotency: Data::new(IdempotencyStore::new(storage, longest)),
            readiness: Data::default(),
            verifier: Data::new(verifier),
            registry: Data::new(registry),
            lrs: Data::new(lrs),
            batches: Data::new(jobs),
            rate_limits: Data::new(limits),
        }
    }

    /// How long it takes at most until everything that callers have asked for is answered.
    pub fn longest_request(&self) -> Duration {
        longest_request(&self.lrs)
    }

    /// Can it take calls?
    ///
    /// # Errors
    /// Why not.
    pub async fn ready(&self) -> Result<(), &'static str> {
        self.readiness.ready(&self.verifier, &self.batches).await
    }

    /// Measures what is not counted where it happens.
    pub async fn measure(&self) {
        self.readiness.measure(&self.lrs, &self.verifier, &self.registry, &self.batches).await;
    }

    /// The engine that works at its batches.
    pub fn batch_worker(&self) -> BatchWorker {
        let (jobs, registry, lrs) = (self.batches.clone(), self.registry.clone(), self.lrs.clone());
        BatchWorker::new(jobs.into_inner(), registry.into_inner(), lrs.into_inner())
    }
}

/// Nothing takes more than two calls to LRS, and a little of our own time.
fn longest_request(lrs: &Lrs) -> Duration {
    lrs.timeout() * 2 + Duration::from_secs(5)
}
