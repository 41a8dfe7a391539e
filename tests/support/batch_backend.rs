//! The two places where batches are stored, memory and Redis, each shared by gateways and the test that observes them.

use std::sync::Arc;
use std::time::Duration;

use lrs_gateway::batches::repository::memory::MemoryRepository;
use lrs_gateway::batches::repository::{BatchRepository, Claim};
use lrs_gateway::storage::Storage;
use lrs_gateway::storage::encryption::KeyRing;

use super::gateway::Options;
use super::redis::{TestRedis, lrs_identity};

/// An encryption key.
pub const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// Another encryption key.
pub const OTHER_KEY: &str = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// A batch repository that a test shares with gateways.
pub struct BatchBackend {
    pub repository: Arc<dyn BatchRepository>,
    redis: Option<TestRedis>,
}

impl BatchBackend {
    /// Creates an empty repository in memory.
    pub fn in_memory() -> Self {
        Self { repository: Arc::new(MemoryRepository::default()), redis: None }
    }

    /// Starts a Redis with an empty repository.
    pub fn in_redis() -> Self {
        let redis = TestRedis::start();
        Self { repository: redis.repository(), redis: Some(redis) }
    }

    /// Returns the options of a gateway with this repository and these encryption keys.
    pub fn options(&self, key_file: &str) -> Options {
        match &self.redis {
            Some(redis) => Options { storage: redis.storage(key_file), ..Options::default() },
            None => Options {
                storage: Storage { redis: None, key_ring: Arc::new(key_ring(key_file)), lrs: lrs_identity() },
                batch_repository: Some(Arc::clone(&self.repository)),
                ..Options::default()
            },
        }
    }

    /// Reads the time at which the next batch becomes due or the next lease ends. Leases no batch.
    pub async fn peek_queue(&self) -> Claim {
        self.repository.claim(Duration::ZERO, 0).await.expect("the repository responds")
    }
}

/// Parses encryption keys.
pub fn key_ring(key_file: &str) -> KeyRing {
    KeyRing::parse(key_file.as_bytes()).expect("the keys are valid")
}

/// Declares two tests for each of these functions: one passes it a [`BatchBackend`] in memory, the other one in Redis.
macro_rules! test_each_backend {
    ($($test:ident),+ $(,)?) => {
        mod in_memory {
            $(#[tokio::test]
            async fn $test() {
                super::$test($crate::support::batch_backend::BatchBackend::in_memory()).await;
            })+
        }

        mod in_redis {
            $(#[tokio::test]
            async fn $test() {
                super::$test($crate::support::batch_backend::BatchBackend::in_redis()).await;
            })+
        }
    };
}
pub(crate) use test_each_backend;
