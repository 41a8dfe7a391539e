//! Storage of batches: one trait, implemented in memory ([`memory`]) and in Redis ([`redis`]). Both pass the same tests.
//!
//! A repository does not interpret blobs: they are encrypted before they are stored. Every repository guarantees:
//!
//! * A batch is created as a whole or not at all ([`BatchRepository::create`]).
//! * A part changes only if it still is as the caller last read it ([`BatchRepository::update_part`]), so a late worker overwrites
//!   nothing.
//! * A due batch is leased to one worker at a time, until its lease expires ([`BatchRepository::claim`]).
//! * Every stored item has an expiry: nothing outlives its batch.

mod keys;
pub mod memory;
mod memory_queue;
pub mod redis;
mod redis_queue;
mod time_queue;

use std::collections::HashMap;
use std::time::Duration;

use crate::batches::model::{Batch, BatchId, BlobName, EpochMillis, KindTag, Part, Rank};
use crate::domain::Ukprn;
use crate::idempotency::KEY_LIFETIME;
pub use crate::storage::{BoxFuture, StoreError, StoreProbe};

/// Time for which a repository knows that a batch was accepted. Longer than a caller can repeat the submission with its idempotency key: the key is
/// older than the batch.
pub const ACCEPTANCE_MARK_LIFETIME: Duration = KEY_LIFETIME;

/// Storage of batches.
pub trait BatchRepository: Send + Sync + std::fmt::Debug {
    /// Fails with [`StoreError::NotDurable`] if the repository can lose what it confirms, and the operator does not accept that. An inspection
    /// is repeated at most once a minute.
    fn ensure_durable(&self) -> BoxFuture<'_, ()>;

    /// Returns the current time by the clock that all replicas use.
    fn now(&self) -> BoxFuture<'_, EpochMillis>;

    /// Looks whether the store takes writes: writes a small value that expires.
    fn probe(&self) -> BoxFuture<'_, StoreProbe>;

    /// Stores a batch, lists it and makes it due.
    ///
    /// Until that is complete, no caller sees the batch and no part is sent. If it fails, the incomplete data expires within minutes.
    ///
    /// A batch that exists already stays as it is. Returns `false`, and stores nothing, if the batch [was accepted](Self::was_accepted) before and is
    /// gone: it was erased or has expired.
    fn create<'a>(&'a self, new: &'a NewBatch) -> BoxFuture<'a, bool>;

    /// Returns a batch.
    fn load(&self, id: BatchId) -> BoxFuture<'_, Option<Batch>>;

    /// Returns a blob of a batch.
    fn load_blob(&self, id: BatchId, blob: BlobName) -> BoxFuture<'_, Option<Vec<u8>>>;

    /// Changes a part and its blobs. Returns `false`, and changes nothing, if the part is not as expected or the batch is gone.
    fn update_part<'a>(&'a self, id: BatchId, update: PartUpdate<'a>) -> BoxFuture<'a, bool>;

    /// Returns `true` if the batch was accepted, or erased, within [`ACCEPTANCE_MARK_LIFETIME`], even if it does not exist any more.
    fn was_accepted(&self, id: BatchId) -> BoxFuture<'_, bool>;

    /// Registers the batch of an adopted job as the one that tracks the job until it expires, unless another batch is registered for the same
    /// organisation and kind. Returns the registered batch, which may not be created yet, or not exist any more.
    fn register_job<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, BatchId>;

    /// Ends the registration of this batch by [`Self::register_job`], if it is registered.
    fn unregister_job<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, ()>;

    /// Deletes a batch with its blobs and the registration of its job.
    fn erase<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, ()>;

    /// Sets the time at which a batch, its blobs and the registration of its job expire.
    fn set_expiry<'a>(&'a self, batch: &'a Batch, expires_at: EpochMillis) -> BoxFuture<'a, ()>;

    /// Returns up to `limit` ids of an organisation's batches, newest first, starting after `after`. Some of the batches may be gone.
    fn list_ids<'a>(&'a self, organisation: &'a Ukprn, kind: KindTag, after: Option<BatchId>, limit: usize) -> BoxFuture<'a, Vec<BatchId>>;

    /// Leases due batches for `lease_duration`, up to these limits.
    ///
    /// The organisations have their turns one after the other. Every second batch of an organisation is one of the lowest [rank](Rank), and
    /// every other one is the batch that has been due longest.
    fn claim<'a>(&'a self, lease_duration: Duration, limits: &'a ClaimLimits) -> BoxFuture<'a, Claim>;

    /// Returns the numbers of unfinished and claimable batches.
    fn backlog(&self) -> BoxFuture<'_, Backlog>;

    /// Extends a lease to `lease_duration` from now. Returns `false` if the lease has expired; another worker may hold the batch.
    fn renew(&self, lease: Lease, lease_duration: Duration) -> BoxFuture<'_, bool>;

    /// Ends a lease and sets the batch's next due time; `None` if it needs no further visit. The batch keeps its place.
    ///
    /// A batch that was woken during the lease is due immediately, and one that was [scheduled](Self::schedule) earlier keeps that time.
    /// Returns `true` if the batch is due now: it was woken, or its next due time has come.
    fn release(&self, lease: Lease, due_at: Option<EpochMillis>) -> BoxFuture<'_, bool>;

    /// Does the same as [`Self::release`], and moves the batch to another place.
    fn release_to<'a>(&'a self, lease: Lease, due_at: EpochMillis, place: &'a Place) -> BoxFuture<'a, bool>;

    /// Ends the lease of a batch whose LRS is unknown and whose organisation is not known here: a gateway of another LRS can claim it from then
    /// on. A repository that has no batches of earlier versions defers it.
    fn release_to_any_lrs(&self, lease: Lease, due_at: EpochMillis) -> BoxFuture<'_, bool> {
        self.release(lease, Some(due_at))
    }

    /// Ends the lease of a batch that does not exist: it has expired, was erased, or was never accepted.
    fn release_missing(&self, lease: Lease) -> BoxFuture<'_, bool>;

    /// Makes a batch due at this time, unless it is due earlier. If it is leased then, it is due at the end of the lease.
    ///
    /// Call this before a write that gives a finished batch work again: if the process stops before it can [wake](Self::wake) the batch, a
    /// worker finds the work nevertheless.
    fn schedule(&self, id: BatchId, due_at: EpochMillis) -> BoxFuture<'_, ()>;

    /// Makes a batch due immediately, or at the end of its current lease. It has the [first rank](Rank::FIRST) then.
    fn wake(&self, id: BatchId) -> BoxFuture<'_, ()>;

    /// Makes a batch due immediately if it is not in the queue, neither waiting nor leased. Otherwise changes nothing.
    fn enqueue_if_lost(&self, id: BatchId) -> BoxFuture<'_, ()>;

    /// Returns the small values that all replicas share, by name.
    fn load_shared(&self) -> BoxFuture<'_, HashMap<String, Vec<u8>>>;

    /// Stores a small value for all replicas.
    fn store_shared<'a>(&'a self, name: &'a str, value: &'a [u8]) -> BoxFuture<'a, ()>;
}

/// A batch to be stored.
#[derive(Debug)]
pub struct NewBatch {
    /// The batch.
    pub batch: Batch,
    /// Its encrypted blobs.
    pub blobs: Vec<(BlobName, Vec<u8>)>,
}

/// A change of one part.
#[derive(Debug, Clone, Copy)]
pub struct PartUpdate<'a> {
    /// Number of the part, from 1.
    pub number: u32,
    /// The part as the caller last read it.
    pub expected: &'a Part,
    /// The part after the change.
    pub updated: &'a Part,
    /// Blobs that change with the part.
    pub blobs: &'a BlobChanges,
}

/// Blobs that change with a part.
#[derive(Debug, Default)]
pub struct BlobChanges {
    /// Encrypted blobs to write.
    pub put: Vec<(BlobName, Vec<u8>)>,
    /// Blobs to delete.
    pub delete: Vec<BlobName>,
}

/// The exclusive right of a worker to a batch, for a limited time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The batch.
    pub id: BatchId,
    /// Fencing token: only the holder of the current lease knows it.
    pub token: u64,
}

/// Where a batch waits for its visits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The batch's organisation.
    pub organisation: Ukprn,
    /// Its rank among the batches of the organisation.
    pub rank: Rank,
}

impl Place {
    /// Returns the place of a new batch; `None` if its organisation is invalid. An adopted job has nothing to send, but is new to its caller.
    pub fn of_new(batch: &Batch) -> Option<Self> {
        batch.header.organisation().map(|organisation| Self { organisation, rank: Rank::of_sending(batch.parts.len().max(1)) })
    }
}

/// How many batches a worker can take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimLimits {
    /// Maximum number of batches.
    pub batches: usize,
    /// Maximum number of batches of one organisation.
    pub batches_per_organisation: usize,
    /// Organisations with another maximum: the worker visits some of their batches already.
    pub exceptions: Vec<(Ukprn, usize)>,
}

/// The result of a claim.
#[derive(Debug)]
pub struct Claim {
    /// Current time by the repository's clock.
    pub now: EpochMillis,
    /// The leased batches.
    pub batches: Vec<ClaimedBatch>,
    /// Time at which the next batch that the worker could take becomes due, or the next lease ends, as far as it is known now. Not later than
    /// `now` if due batches were left only because the worker takes no more.
    pub next: Option<EpochMillis>,
    /// Organisations that have due batches beyond their limit.
    pub contended: Vec<Ukprn>,
}

/// A batch that a claim has leased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedBatch {
    /// The lease.
    pub lease: Lease,
    /// Its organisation; `None` if an earlier version has queued the batch, or a finished batch was woken.
    pub organisation: Option<Ukprn>,
}

/// Numbers of unfinished and claimable batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Number of unfinished batches: due now, due later, or leased.
    pub unfinished: usize,
    /// Number of batches that are due now and not leased.
    pub claimable: usize,
    /// The longest time for which an organisation has had claimable batches and no worker has claimed one of them.
    pub oldest_claimable_age: Duration,
}
