//! The gateway: the parts that handlers work with.

pub mod health;

use std::time::Duration;

use actix_web::web::Data;

use crate::app::health::Observed;
use crate::auth::Verifier;
use crate::batches::Jobs;
use crate::batches::worker::Engine;
use crate::idempotency::Idempotency;
use crate::lrs::Lrs;
use crate::organisations::Registry;
use crate::rate_limit::RateLimits;
use crate::storage::Storage;

/// What the handlers work with.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// Whose tokens are accepted.
    pub verifier: Data<Verifier>,
    /// Whom the gateway acts for.
    pub registry: Data<Registry>,
    /// Where their calls go.
    pub lrs: Data<Lrs>,
    /// Their batches.
    pub jobs: Data<Jobs>,
    /// How often they may call.
    pub limits: Data<RateLimits>,
    /// What they want done once.
    pub once: Data<Idempotency>,
    /// How it is.
    pub observed: Data<Observed>,
}

impl Gateway {
    /// A gateway of these parts.
    pub fn new(verifier: Verifier, registry: Registry, lrs: Lrs, jobs: Jobs, limits: RateLimits, storage: &Storage) -> Self {
        // Should the store take its time as well.
        let longest = longest_request(&lrs) + Duration::from_secs(15);
        Self {
            once: Data::new(Idempotency::new(storage, longest)),
            observed: Data::default(),
            verifier: Data::new(verifier),
            registry: Data::new(registry),
            lrs: Data::new(lrs),
            jobs: Data::new(jobs),
            limits: Data::new(limits),
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
        self.observed.ready(&self.verifier, &self.jobs).await
    }

    /// Measures what is not counted where it happens.
    pub async fn measure(&self) {
        self.observed.measure(&self.lrs, &self.verifier, &self.registry, &self.jobs).await;
    }

    /// The engine that works at its batches.
    pub fn engine(&self) -> Engine {
        let (jobs, registry, lrs) = (self.jobs.clone(), self.registry.clone(), self.lrs.clone());
        Engine::new(jobs.into_inner(), registry.into_inner(), lrs.into_inner())
    }
}

/// Nothing takes more than two calls to LRS, and a little of our own time.
fn longest_request(lrs: &Lrs) -> Duration {
    lrs.timeout() * 2 + Duration::from_secs(5)
}
