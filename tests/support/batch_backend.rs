//! The two places where batches are stored, memory and Redis, each shared by gateways and the test that observes them.

use std::sync::Arc;
use std::time::Duration;

use lrs_gateway::batches::metadata::BatchMetadata;
use lrs_gateway::batches::model::{Batch, BatchHeader, BatchId, BlobName, EpochMillis, KindTag, Part};
use lrs_gateway::batches::repository::memory::MemoryRepository;
use lrs_gateway::batches::repository::{BatchRepository, Claim, ClaimLimits, NewBatch};
use lrs_gateway::domain::{Ukprn, UserName};
use lrs_gateway::schema::Scalar as _;
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
        self.repository.claim(Duration::ZERO, &claim_limits(0)).await.expect("the repository responds")
    }
}

/// Returns limits of a claim: this number of batches, of whichever organisations.
pub fn claim_limits(batches: usize) -> ClaimLimits {
    ClaimLimits { batches, batches_per_organisation: batches, exceptions: Vec::new() }
}

/// Returns a batch that is not stored yet: an adopted registration job whose next poll is due at this time.
pub fn adopted_job(organisation: &str, job: i64, now: EpochMillis, due_at: EpochMillis) -> NewBatch {
    let organisation = Ukprn::parse(organisation).expect("the UKPRN is valid");
    let header = BatchHeader::new(KindTag::Registration, &organisation, 1, now).adopted().accepted_for(&lrs_identity());
    let parts = vec![Part { due_at, ..Part::adopted(job, now) }];
    // Later than any expiry that the gateway sets: its first visit changes nothing.
    let batch = Batch { id: BatchId::new(), header, parts, expires_at: now.after(Duration::from_secs(60 * 24 * 60 * 60)) };
    let metadata = BatchMetadata {
        user: UserName::parse("j.bloggs").expect("the user name is valid"),
        job_type: None,
        notify_email: None,
        submission_type: None,
        request_id: None,
        issuer: None,
        client: None,
    };
    let json = serde_json::to_vec(&metadata).expect("metadata is JSON");
    let context = format!("{}:{}", batch.id, BlobName::Metadata);
    let encrypted = key_ring(KEY).encrypt(&context, &json).expect("metadata is encrypted");
    NewBatch { batch, blobs: vec![(BlobName::Metadata, encrypted)] }
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
