//! The storage that replicas share (Redis), or the memory of a single process.
//!
//! Stored in it: batches ([`crate::batches::repository`]), idempotency keys ([`crate::idempotency`]) and rate limits
//! ([`crate::rate_limit`]).

pub mod compression;
mod connection;
pub mod encryption;
mod error;
mod inspection;
mod lrs_identity;
mod probe;
mod redis;
mod topology;

use std::pin::Pin;
use std::sync::Arc;

pub use connection::RedisHandle;
pub use error::StoreError;
pub use inspection::{Finding, Inspection, StoreFault};
pub use lrs_identity::LrsIdentity;
pub use probe::{StoreProbe, WriteRefusal};
pub use redis::{INSPECTION_INTERVAL, Redis, invoke_script};

use encryption::KeyRing;

/// Future of a store operation.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The shared Redis, if there is one, and the key ring for data that is stored in it.
#[derive(Debug, Clone)]
pub struct Storage {
    /// Redis. Without it all data stays in the memory of this process.
    pub redis: Option<Arc<Redis>>,
    /// Keys that encrypt stored data.
    pub key_ring: Arc<KeyRing>,
    /// The LRS that the gateway's data belongs to.
    pub lrs: LrsIdentity,
}

impl Storage {
    /// Returns the storage of a process that shares no data, so that its LRS needs no name.
    ///
    /// # Errors
    /// Returns a text if the operating system provides no random numbers.
    pub fn in_memory() -> Result<Self, String> {
        Ok(Self { redis: None, key_ring: Arc::new(KeyRing::generate()?), lrs: LrsIdentity::new("") })
    }

    /// Returns the name of the backend for log lines.
    pub const fn backend_name(&self) -> &'static str {
        if self.redis.is_some() { "redis" } else { "memory" }
    }
}
