//! Where batches are kept: one trait, in memory ([`memory`]) or in Redis ([`redis`]), tested by the same tests.
//!
//! A store knows nothing of what it keeps: blobs are sealed before they come here. What it promises:
//!
//! * A batch is there as a whole or not at all ([`Store::create`]).
//! * A part changes only from the state its changer has seen ([`Store::change`]), so a late worker overwrites nothing.
//! * A batch that is due is given to one worker at a time, for as long as its lease lasts ([`Store::claim`]).
//! * Everything leaves by itself: nothing is kept beyond the batch's time.

pub mod memory;
pub mod redis;

use std::collections::HashMap;
use std::time::Duration;

use crate::batches::model::{Batch, BatchHeader, BatchId, EpochMillis, KindTag, Part, PartBlob};
use crate::domain::Ukprn;
pub use crate::storage::{BoxFuture, StoreError};

/// How long a batch that was stored may take to be accepted.
const UNACCEPTED_FOR: Duration = Duration::from_secs(60);

/// A batch to be kept.
#[derive(Debug)]
pub struct NewBatch {
    /// The batch.
    pub batch: Batch,
    /// Its sealed blobs.
    pub blobs: Vec<(PartBlob, Vec<u8>)>,
}

/// How a part is to change.
#[derive(Debug, Default)]
pub struct Blobs {
    /// Blobs to put.
    pub put: Vec<(PartBlob, Vec<u8>)>,
    /// Blobs to erase.
    pub erase: Vec<PartBlob>,
}

/// A batch, given to a worker for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Which.
    pub id: BatchId,
    /// What only its holder knows.
    pub token: u64,
}

/// What a claim brought.
#[derive(Debug)]
pub struct Claim {
    /// What the store's clock says.
    pub now: EpochMillis,
    /// The batches that are due, leased.
    pub leases: Vec<Lease>,
    /// When the next one will be, as far as is known now.
    pub next: Option<EpochMillis>,
}

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// How many batches are not over: due now or later, or leased.
    pub unfinished: usize,
    /// How many of them are due now, and nobody has leased them.
    pub due: usize,
    /// For how long the first of these has been due.
    pub oldest: Duration,
}

/// Where batches are kept.
pub trait BatchRepository: Send + Sync + std::fmt::Debug {
    /// What the clock says that every replica goes by.
    fn now(&self) -> BoxFuture<'_, EpochMillis>;

    /// Keeps a batch, lists it and makes it due. Until this is done nobody sees the batch and nothing of it is sent; if it is not done,
    /// what was kept on the way leaves within minutes.
    fn create<'a>(&'a self, new: &'a NewBatch) -> BoxFuture<'a, ()>;

    /// A batch.
    fn load(&self, id: BatchId) -> BoxFuture<'_, Option<Batch>>;

    /// One of its blobs.
    fn blob(&self, id: BatchId, blob: PartBlob) -> BoxFuture<'_, Option<Vec<u8>>>;

    /// Changes a part, and blobs with it, if it is as the changer has seen it. `false`: it is not, or the batch is gone.
    fn change<'a>(&'a self, id: BatchId, number: u32, seen: &'a Part, part: &'a Part, blobs: &'a Blobs) -> BoxFuture<'a, bool>;

    /// Erases a batch and everything it has.
    fn erase<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, ()>;

    /// Sets when a batch and everything it has is erased.
    fn extend_expiry<'a>(&'a self, batch: &'a Batch, moment: EpochMillis) -> BoxFuture<'a, ()>;

    /// An organisation's batches, newest first, from the one after `after`. Some of them may be gone.
    fn list<'a>(&'a self, organisation: &'a Ukprn, kind: KindTag, after: Option<BatchId>, most: usize) -> BoxFuture<'a, Vec<BatchId>>;

    /// Leases batches that are due.
    fn claim(&self, lease: Duration, most: usize) -> BoxFuture<'_, Claim>;

    /// What there is to do.
    fn backlog(&self) -> BoxFuture<'_, Backlog>;

    /// Makes a lease last for this long from now. `false`: it is over, and perhaps somebody else's.
    fn renew(&self, lease: Lease, length: Duration) -> BoxFuture<'_, bool>;

    /// Gives a batch back, to be due at a moment or not at all. If it was woken meanwhile, it is due at once.
    fn release(&self, lease: Lease, due: Option<EpochMillis>) -> BoxFuture<'_, ()>;

    /// Gives back a batch that is not there: expired, erased, or never accepted.
    fn forget(&self, lease: Lease) -> BoxFuture<'_, ()>;

    /// Makes a batch due at once.
    fn wake(&self, id: BatchId) -> BoxFuture<'_, ()>;

    /// Small things that all replicas share, by their names.
    fn shared(&self) -> BoxFuture<'_, HashMap<String, Vec<u8>>>;

    /// Shares a small thing under this name.
    fn share<'a>(&'a self, name: &'a str, value: &'a [u8]) -> BoxFuture<'a, ()>;
}

/// A part as it is kept: two parts are the same if their texts are.
fn text_of(part: &Part) -> Result<String, StoreError> {
    serde_json::to_string(part).map_err(|error| StoreError::Unreadable(error.to_string()))
}

fn part_of(text: &str) -> Result<Part, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Unreadable(format!("a part: {error}")))
}

fn header_of(text: &str) -> Result<BatchHeader, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Unreadable(format!("a batch: {error}")))
}
