//! Batches in the memory of one process. They are lost when it stops.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use crate::batches::model::{Batch, BatchId, BlobName, EpochMillis, KindTag};
use crate::batches::repository::{Backlog, BatchRepository, BoxFuture, Claim, Lease, NewBatch, PartUpdate, StoreProbe};
use crate::domain::Ukprn;

/// Due time of a woken batch: before all others.
const WOKEN: EpochMillis = EpochMillis(0);

/// Batches in memory.
#[derive(Debug, Default)]
pub struct MemoryRepository(Mutex<Inner>);

impl MemoryRepository {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock()
    }

    /// Returns everything that is stored, as bytes.
    pub fn dump(&self) -> Vec<u8> {
        let inner = self.inner();
        let bytes_of = |stored: &StoredBatch| {
            let mut bytes = format!("{:?}", stored.batch).into_bytes();
            stored.blobs.values().for_each(|blob| bytes.extend_from_slice(blob));
            bytes
        };
        inner.batches.values().flat_map(bytes_of).collect()
    }
}

#[derive(Default)]
struct Inner {
    batches: BTreeMap<BatchId, StoredBatch>,
    /// Batches that are not leased, by due time.
    due: TimeQueue,
    /// Leased batches, by the end of the lease.
    leased: TimeQueue,
    /// Batches that were woken during their lease.
    woken: HashSet<BatchId>,
    /// Tokens of the leases.
    tokens: HashMap<BatchId, u64>,
    shared: HashMap<String, Vec<u8>>,
}

struct StoredBatch {
    batch: Batch,
    blobs: HashMap<BlobName, Vec<u8>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} batches]", self.batches.len())
    }
}

impl Inner {
    /// Deletes expired batches.
    fn delete_expired(&mut self) {
        let now = EpochMillis::now();
        let expired = self.batches.values().filter(|stored| stored.batch.expires_at <= now).map(|stored| stored.batch.id);
        for id in expired.collect::<Vec<_>>() {
            self.delete(id);
        }
    }

    fn delete(&mut self, id: BatchId) {
        self.batches.remove(&id);
        self.tokens.remove(&id);
        self.due.remove(id);
        self.leased.remove(id);
        self.woken.remove(&id);
    }

    /// Returns `true` if the lease has not expired.
    fn is_held(&self, lease: Lease) -> bool {
        self.leased.contains(lease.id) && self.tokens.get(&lease.id) == Some(&lease.token)
    }
}

/// Batches ordered by a time.
#[derive(Default)]
struct TimeQueue {
    times: HashMap<BatchId, EpochMillis>,
    order: BTreeSet<(EpochMillis, BatchId)>,
}

impl TimeQueue {
    fn insert(&mut self, id: BatchId, time: EpochMillis) {
        self.remove(id);
        self.times.insert(id, time);
        self.order.insert((time, id));
    }

    /// Inserts a batch, unless it is in the queue with an earlier time.
    fn insert_earlier(&mut self, id: BatchId, time: EpochMillis) {
        if self.times.get(&id).is_none_or(|current| time < *current) {
            self.insert(id, time);
        }
    }

    fn remove(&mut self, id: BatchId) {
        if let Some(time) = self.times.remove(&id) {
            self.order.remove(&(time, id));
        }
    }

    fn contains(&self, id: BatchId) -> bool {
        self.times.contains_key(&id)
    }

    fn len(&self) -> usize {
        self.order.len()
    }

    fn first_time(&self) -> Option<EpochMillis> {
        self.order.first().map(|(time, _)| *time)
    }

    /// Returns the times and ids up to `now`, in order.
    fn until(&self, now: EpochMillis) -> impl Iterator<Item = &(EpochMillis, BatchId)> {
        self.order.iter().take_while(move |(time, _)| *time <= now)
    }

    /// Removes and returns up to `limit` batches whose time has come.
    fn take_until(&mut self, now: EpochMillis, limit: usize) -> Vec<BatchId> {
        let taken: Vec<BatchId> = self.until(now).take(limit).map(|(_, id)| *id).collect();
        for id in &taken {
            self.remove(*id);
        }
        taken
    }
}

/// Returns a future that is ready.
fn ready<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    Box::pin(std::future::ready(Ok(value)))
}

impl BatchRepository for MemoryRepository {
    /// The operator has chosen to keep batches in memory by not naming a Redis.
    fn ensure_durable(&self) -> BoxFuture<'_, ()> {
        ready(())
    }

    fn now(&self) -> BoxFuture<'_, EpochMillis> {
        ready(EpochMillis::now())
    }

    fn probe(&self) -> BoxFuture<'_, StoreProbe> {
        ready(StoreProbe::default())
    }

    fn create<'a>(&'a self, NewBatch { batch, blobs }: &'a NewBatch) -> BoxFuture<'a, ()> {
        let mut inner = self.inner();
        inner.delete_expired();
        inner.batches.insert(batch.id, StoredBatch { batch: batch.clone(), blobs: blobs.iter().cloned().collect() });
        inner.due.insert(batch.id, EpochMillis::now());
        ready(())
    }

    fn load(&self, id: BatchId) -> BoxFuture<'_, Option<Batch>> {
        let mut inner = self.inner();
        if inner.batches.get(&id).is_some_and(|stored| stored.batch.expires_at <= EpochMillis::now()) {
            inner.delete(id);
        }
        ready(inner.batches.get(&id).map(|stored| stored.batch.clone()))
    }

    fn load_blob(&self, id: BatchId, blob: BlobName) -> BoxFuture<'_, Option<Vec<u8>>> {
        ready(self.inner().batches.get(&id).and_then(|stored| stored.blobs.get(&blob)).cloned())
    }

    fn update_part<'a>(&'a self, id: BatchId, PartUpdate { number, expected, updated, blobs }: PartUpdate<'a>) -> BoxFuture<'a, bool> {
        let mut inner = self.inner();
        let Some(stored) = inner.batches.get_mut(&id) else { return ready(false) };
        let part = usize::try_from(number).ok().and_then(|number| stored.batch.parts.get_mut(number.checked_sub(1)?));
        let Some(part) = part else { return ready(false) };
        if *part == *updated {
            return ready(true);
        }
        if *part != *expected {
            return ready(false);
        }
        *part = updated.clone();
        blobs.delete.iter().for_each(|blob| drop(stored.blobs.remove(blob)));
        stored.blobs.extend(blobs.put.iter().cloned());
        ready(true)
    }

    fn erase<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, ()> {
        self.inner().delete(batch.id);
        ready(())
    }

    fn set_expiry<'a>(&'a self, batch: &'a Batch, expires_at: EpochMillis) -> BoxFuture<'a, ()> {
        if let Some(stored) = self.inner().batches.get_mut(&batch.id) {
            stored.batch.expires_at = expires_at;
        }
        ready(())
    }

    fn list_ids<'a>(&'a self, organisation: &'a Ukprn, kind: KindTag, after: Option<BatchId>, limit: usize) -> BoxFuture<'a, Vec<BatchId>> {
        let mut inner = self.inner();
        inner.delete_expired();
        let is_listed = |stored: &&StoredBatch| stored.batch.header.kind == kind && stored.batch.header.belongs_to(organisation);
        let end = after.map_or(Bound::Unbounded, Bound::Excluded);
        let newest_first = inner.batches.range((Bound::Unbounded, end)).rev().map(|(_, stored)| stored);
        ready(newest_first.filter(is_listed).map(|stored| stored.batch.id).take(limit).collect())
    }

    fn claim(&self, lease_duration: Duration, limit: usize) -> BoxFuture<'_, Claim> {
        let mut inner = self.inner();
        inner.delete_expired();
        let now = EpochMillis::now();
        for id in inner.leased.take_until(now, usize::MAX) {
            inner.due.insert(id, now);
        }
        let token = fastrand::u64(..);
        // A leased batch that was scheduled is woken instead.
        let (scheduled, ids): (Vec<_>, Vec<_>) = inner.due.take_until(now, limit).into_iter().partition(|id| inner.leased.contains(*id));
        inner.woken.extend(scheduled);
        for id in &ids {
            inner.leased.insert(*id, now.after(lease_duration));
            inner.tokens.insert(*id, token);
        }
        let leases = ids.into_iter().map(|id| Lease { id, token }).collect();
        let next = [inner.due.first_time(), inner.leased.first_time()].into_iter().flatten().min();
        ready(Claim { now, leases, next })
    }

    fn backlog(&self) -> BoxFuture<'_, Backlog> {
        let inner = self.inner();
        let now = EpochMillis::now();
        let oldest = inner.due.until(now).map(|(time, _)| *time).find(|time| time.0 > 0);
        ready(Backlog {
            unfinished: inner.due.len() + inner.leased.len(),
            claimable: inner.due.until(now).count(),
            oldest_claimable_age: oldest.map_or(Duration::ZERO, |oldest| now.since(oldest)),
        })
    }

    fn renew(&self, lease: Lease, lease_duration: Duration) -> BoxFuture<'_, bool> {
        let mut inner = self.inner();
        let is_held = inner.is_held(lease);
        if is_held {
            inner.leased.insert(lease.id, EpochMillis::now().after(lease_duration));
        }
        ready(is_held)
    }

    fn release(&self, lease: Lease, due_at: Option<EpochMillis>) -> BoxFuture<'_, ()> {
        let mut inner = self.inner();
        if inner.is_held(lease) {
            inner.leased.remove(lease.id);
            inner.tokens.remove(&lease.id);
            let due_at = if inner.woken.remove(&lease.id) { Some(WOKEN) } else { due_at };
            if let Some(due_at) = due_at {
                inner.due.insert_earlier(lease.id, due_at);
            }
        }
        ready(())
    }

    fn release_missing(&self, lease: Lease) -> BoxFuture<'_, ()> {
        self.release(lease, None)
    }

    fn schedule(&self, id: BatchId, due_at: EpochMillis) -> BoxFuture<'_, ()> {
        self.inner().due.insert_earlier(id, due_at);
        ready(())
    }

    fn wake(&self, id: BatchId) -> BoxFuture<'_, ()> {
        let mut inner = self.inner();
        if inner.leased.contains(id) {
            inner.woken.insert(id);
        } else {
            inner.due.insert(id, WOKEN);
        }
        ready(())
    }

    fn load_shared(&self) -> BoxFuture<'_, HashMap<String, Vec<u8>>> {
        ready(self.inner().shared.clone())
    }

    fn store_shared<'a>(&'a self, name: &'a str, value: &'a [u8]) -> BoxFuture<'a, ()> {
        self.inner().shared.insert(name.to_owned(), value.to_vec());
        ready(())
    }
}
