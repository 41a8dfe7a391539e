//! The contract of batch repositories. Every implementation passes the same tests: in memory, and in Redis alone, as a cluster, behind a
//! sentinel, and over TLS.

mod contract;
mod queue_contract;
mod redis;
mod redis_queue;

use std::time::Duration;

use lrs_gateway::batches::model::{Batch, BatchHeader, BatchId, BlobName, EpochMillis, KindTag, Part};
use lrs_gateway::batches::repository::{BatchRepository, Claim, ClaimLimits, ClaimedBatch, Lease, NewBatch};
use lrs_gateway::domain::Ukprn;
use lrs_gateway::schema::Scalar as _;

use crate::support::batch_backend::claim_limits;

const LEASE: Duration = Duration::from_secs(30);

/// Declares each function of [`contract`] as a test in memory and in Redis, and a function that asserts all of them on one repository.
macro_rules! contract_tests {
    ($($test:ident),+ $(,)?) => {
        mod in_memory {
            $(#[tokio::test]
            async fn $test() {
                super::contract::$test(&lrs_gateway::batches::repository::memory::MemoryRepository::default()).await;
            })+
        }

        mod in_redis {
            $(#[tokio::test]
            async fn $test() {
                let redis = crate::support::redis::TestRedis::start();
                super::contract::$test(&*redis.repository()).await;
            })+
        }

        /// Asserts the whole contract on a repository that is expensive to start. The assertions leave the queue empty.
        async fn assert_contract(repository: &dyn BatchRepository) {
            $(contract::$test(repository).await;)+
        }
    };
}

contract_tests!(
    created_batch_is_stored_with_all_blobs_and_due,
    batch_created_again_stays_as_it_is,
    erased_batch_is_not_created_again,
    part_update_needs_the_expected_part,
    part_update_of_a_missing_part_or_batch_changes_nothing,
    due_batch_is_leased_once,
    released_batch_is_due_at_its_next_time,
    release_returns_whether_the_batch_is_due_now,
    backlog_counts_unfinished_and_overdue_batches,
    woken_batch_is_due_immediately,
    lost_batch_is_enqueued_and_a_queued_one_is_left_as_it_is,
    scheduled_batch_is_due_at_that_time_or_earlier,
    expired_lease_is_taken_over,
    organisation_at_its_limit_is_left_out,
    organisations_have_their_turns_one_after_the_other,
    turns_of_an_organisation_alternate_between_the_lowest_rank_and_the_longest_waiting,
    batch_of_unknown_place_waits_until_it_gets_one,
    lists_are_by_organisation_and_kind_and_newest_first,
    lists_start_at_the_time_of_a_batch,
    expired_batch_is_deleted_with_its_blobs,
    acceptance_is_known_after_the_batch_is_gone,
    adopted_job_keeps_its_first_batch_until_that_is_erased,
    registration_of_a_job_expires_with_its_batch,
    shared_values_are_stored_by_name,
);

fn ukprn(text: &str) -> Ukprn {
    Ukprn::parse(text).expect("the UKPRN is valid")
}

/// Returns an id of this time.
fn id_at(time: EpochMillis, number: u128) -> BatchId {
    // The bits of version and variant make it a UUID of version 7.
    let bits = (u128::try_from(time.0).expect("a time after 1970") << 80) | (7 << 76) | (2 << 62) | number;
    BatchId::from_uuid(uuid::Uuid::from_u128(bits))
}

/// Returns a batch of three parts, which is not stored yet.
async fn new_batch(repository: &dyn BatchRepository, kind: KindTag, organisation: &str) -> NewBatch {
    let now = repository.now().await.expect("the repository has a clock");
    let parts: Vec<Part> = (0..3).map(|index| Part::waiting(index * 200, 200, now)).collect();
    let header = BatchHeader::new(kind, &ukprn(organisation), 3, now);
    let batch = Batch { id: BatchId::new(), header, parts, expires_at: now.after(Duration::from_secs(3600)) };
    let blob = |blob: BlobName| (blob, format!("encrypted {blob}").into_bytes());
    let blobs = [BlobName::Metadata, BlobName::Records(1), BlobName::Records(2), BlobName::Records(3), BlobName::Fingerprints(1)].map(blob);
    NewBatch { batch, blobs: blobs.into() }
}

/// Stores a new batch.
async fn create(repository: &dyn BatchRepository) -> Batch {
    create_of(repository, "10088881").await
}

/// Stores a new batch of an organisation.
async fn create_of(repository: &dyn BatchRepository, organisation: &str) -> Batch {
    let new = new_batch(repository, KindTag::Registration, organisation).await;
    repository.create(&new).await.expect("the batch is created");
    new.batch
}

async fn load(repository: &dyn BatchRepository, id: BatchId) -> Batch {
    repository.load(id).await.expect("the repository responds").expect("the batch exists")
}

/// Leases every due batch.
async fn claim(repository: &dyn BatchRepository, lease_duration: Duration) -> Claim {
    repository.claim(lease_duration, &claim_limits(100)).await.expect("the repository responds")
}

/// Leases due batches within these limits, and returns the organisations and ids.
async fn claim_within(
    repository: &dyn BatchRepository,
    batches: usize,
    batches_per_organisation: usize,
    exceptions: &[(&str, usize)],
) -> (Vec<(String, Lease)>, Claim) {
    let exceptions = exceptions.iter().map(|(organisation, limit)| (ukprn(organisation), *limit)).collect();
    let limits = ClaimLimits { batches, batches_per_organisation, exceptions };
    let claim = repository.claim(LEASE, &limits).await.expect("the repository responds");
    let organisation = |claimed: &ClaimedBatch| claimed.organisation.as_ref().map(ToString::to_string).unwrap_or_default();
    (claim.batches.iter().map(|claimed| (organisation(claimed), claimed.lease)).collect(), claim)
}

/// Leases every due batch for [`LEASE`].
async fn claim_leases(repository: &dyn BatchRepository) -> Vec<Lease> {
    claim(repository, LEASE).await.batches.into_iter().map(|claimed| claimed.lease).collect()
}

/// Leases the only due batch.
async fn claim_one(repository: &dyn BatchRepository) -> Lease {
    let leases = claim_leases(repository).await;
    let [lease] = leases[..] else { panic!("exactly one batch is due: {leases:?}") };
    lease
}
