//! Batches in the memory of one process. They are lost when it stops.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use crate::batches::model::{Batch, BatchHeader, BatchId, BlobName, EpochMillis, KindTag};
use crate::batches::repository::memory_queue::MemoryQueue;
use crate::batches::repository::time_queue::TimeQueue;
use crate::batches::repository::{
    ACCEPTANCE_MARK_LIFETIME, Backlog, BatchRepository, BoxFuture, Claim, ClaimLimits, Lease, NewBatch, PartUpdate, Place, StoreProbe,
};
use crate::domain::Ukprn;

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
    batches: HashMap<BatchId, StoredBatch>,
    /// The batches by the time at which they expire.
    expiries: TimeQueue<BatchId>,
    /// The batches of each organisation and kind.
    lists: HashMap<(String, KindTag), BTreeSet<BatchId>>,
    /// The batches that were accepted or erased lately, by the time at which that is forgotten.
    accepted: TimeQueue<BatchId>,
    /// The batch that tracks each adopted job of an organisation and kind.
    jobs: HashMap<(Ukprn, KindTag, i64), BatchId>,
    queue: MemoryQueue,
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
        while let Some(id) = self.expiries.pop_until(EpochMillis::now()) {
            self.delete(id);
        }
        while self.accepted.pop_until(EpochMillis::now()).is_some() {}
    }

    fn mark_accepted(&mut self, id: BatchId) {
        self.accepted.insert(id, EpochMillis::now().after(ACCEPTANCE_MARK_LIFETIME));
    }

    fn unregister_job(&mut self, batch: &Batch) {
        if let Some(job) = job_of(batch)
            && self.jobs.get(&job) == Some(&batch.id)
        {
            self.jobs.remove(&job);
        }
    }

    fn delete(&mut self, id: BatchId) {
        self.expiries.remove(&id);
        self.queue.remove(id, EpochMillis::now());
        if let Some(StoredBatch { batch, .. }) = self.batches.remove(&id) {
            self.unregister_job(&batch);
            let name = list_of(&batch.header);
            if let Some(list) = self.lists.get_mut(&name) {
                list.remove(&id);
                if list.is_empty() {
                    self.lists.remove(&name);
                }
            }
        }
    }
}

/// Returns the name of the list that has a batch.
fn list_of(header: &BatchHeader) -> (String, KindTag) {
    (header.organisation().map(|ukprn| ukprn.to_string()).unwrap_or_default(), header.kind)
}

/// Returns the job that a batch adopted.
fn job_of(batch: &Batch) -> Option<(Ukprn, KindTag, i64)> {
    batch.adopted_job().map(|(organisation, job_id)| (organisation, batch.header.kind, job_id))
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

    fn create<'a>(&'a self, NewBatch { batch, blobs }: &'a NewBatch) -> BoxFuture<'a, bool> {
        let mut inner = self.inner();
        inner.delete_expired();
        let is_stored = inner.batches.contains_key(&batch.id);
        if is_stored || inner.accepted.time(&batch.id).is_some() {
            return ready(is_stored);
        }
        inner.batches.insert(batch.id, StoredBatch { batch: batch.clone(), blobs: blobs.iter().cloned().collect() });
        inner.expiries.insert(batch.id, batch.expires_at);
        inner.mark_accepted(batch.id);
        inner.lists.entry(list_of(&batch.header)).or_default().insert(batch.id);
        inner.queue.put(batch.id, EpochMillis::now(), Place::of_new(batch));
        ready(true)
    }

    fn load(&self, id: BatchId) -> BoxFuture<'_, Option<Batch>> {
        let mut inner = self.inner();
        inner.delete_expired();
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
        let mut inner = self.inner();
        inner.mark_accepted(batch.id);
        inner.unregister_job(batch);
        inner.delete(batch.id);
        ready(())
    }

    fn was_accepted(&self, id: BatchId) -> BoxFuture<'_, bool> {
        let mut inner = self.inner();
        inner.delete_expired();
        ready(inner.accepted.time(&id).is_some())
    }

    fn register_job<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, BatchId> {
        let mut inner = self.inner();
        inner.delete_expired();
        let registered = job_of(batch).map(|job| *inner.jobs.entry(job).or_insert(batch.id));
        ready(registered.unwrap_or(batch.id))
    }

    fn unregister_job<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, ()> {
        self.inner().unregister_job(batch);
        ready(())
    }

    fn set_expiry<'a>(&'a self, batch: &'a Batch, expires_at: EpochMillis) -> BoxFuture<'a, ()> {
        let mut inner = self.inner();
        if let Some(stored) = inner.batches.get_mut(&batch.id) {
            stored.batch.expires_at = expires_at;
            inner.expiries.insert(batch.id, expires_at);
        }
        ready(())
    }

    fn list_ids<'a>(&'a self, organisation: &'a Ukprn, kind: KindTag, after: Option<BatchId>, limit: usize) -> BoxFuture<'a, Vec<BatchId>> {
        let mut inner = self.inner();
        inner.delete_expired();
        let end = after.map_or(Bound::Unbounded, Bound::Excluded);
        let list = inner.lists.get(&(organisation.to_string(), kind)).into_iter();
        ready(list.flat_map(|list| list.range((Bound::Unbounded, end)).rev()).take(limit).copied().collect())
    }

    fn claim<'a>(&'a self, lease_duration: Duration, limits: &'a ClaimLimits) -> BoxFuture<'a, Claim> {
        let mut inner = self.inner();
        inner.delete_expired();
        ready(inner.queue.claim(EpochMillis::now(), lease_duration, limits))
    }

    fn backlog(&self) -> BoxFuture<'_, Backlog> {
        ready(self.inner().queue.backlog(EpochMillis::now()))
    }

    fn renew(&self, lease: Lease, lease_duration: Duration) -> BoxFuture<'_, bool> {
        ready(self.inner().queue.renew(lease, EpochMillis::now().after(lease_duration)))
    }

    fn release(&self, lease: Lease, due_at: Option<EpochMillis>) -> BoxFuture<'_, bool> {
        ready(self.inner().queue.release(lease, due_at, None, EpochMillis::now()))
    }

    fn release_to<'a>(&'a self, lease: Lease, due_at: EpochMillis, place: &'a Place) -> BoxFuture<'a, bool> {
        ready(self.inner().queue.release(lease, Some(due_at), Some(place.clone()), EpochMillis::now()))
    }

    fn release_missing(&self, lease: Lease) -> BoxFuture<'_, bool> {
        self.release(lease, None)
    }

    fn schedule(&self, id: BatchId, due_at: EpochMillis) -> BoxFuture<'_, ()> {
        self.inner().queue.put(id, due_at, None);
        ready(())
    }

    fn wake(&self, id: BatchId) -> BoxFuture<'_, ()> {
        self.inner().queue.wake(id, EpochMillis::now());
        ready(())
    }

    fn enqueue_if_lost(&self, id: BatchId) -> BoxFuture<'_, ()> {
        self.inner().queue.enqueue_if_lost(id, EpochMillis::now());
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
