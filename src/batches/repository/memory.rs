//! Batches in memory: for one process, until it ends.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use crate::batches::model::{Batch, BatchId, EpochMillis, KindTag, Part, PartBlob};
use crate::batches::repository::{Backlog, BatchRepository, Blobs, BoxFuture, Claim, Lease, NewBatch};
use crate::domain::Ukprn;

/// Batches in memory.
#[derive(Debug, Default)]
pub struct MemoryRepository(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    batches: BTreeMap<BatchId, StoredBatch>,
    /// When each batch is due, and the same the other way round.
    due: Queue,
    leased: Queue,
    woken: HashSet<BatchId>,
    tokens: HashMap<BatchId, u64>,
    shared: HashMap<String, Vec<u8>>,
}

struct StoredBatch {
    batch: Batch,
    blobs: HashMap<PartBlob, Vec<u8>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} batches]", self.batches.len())
    }
}

/// Batches in the order of a moment each has.
#[derive(Default)]
struct Queue {
    moments: HashMap<BatchId, EpochMillis>,
    order: BTreeSet<(EpochMillis, BatchId)>,
}

impl Queue {
    fn put(&mut self, id: BatchId, moment: EpochMillis) {
        self.remove(id);
        self.moments.insert(id, moment);
        self.order.insert((moment, id));
    }

    fn remove(&mut self, id: BatchId) -> Option<EpochMillis> {
        let moment = self.moments.remove(&id)?;
        self.order.remove(&(moment, id));
        Some(moment)
    }

    fn next(&self) -> Option<EpochMillis> {
        self.order.first().map(|(moment, _)| *moment)
    }

    fn take_due(&mut self, now: EpochMillis, most: usize) -> Vec<BatchId> {
        let due: Vec<BatchId> = self.order.iter().take_while(|(moment, _)| *moment <= now).take(most).map(|(_, id)| *id).collect();
        for id in &due {
            self.remove(*id);
        }
        due
    }
}

impl Inner {
    fn now() -> EpochMillis {
        EpochMillis(jiff::Timestamp::now().as_millisecond())
    }

    /// Forgets what is past its time.
    fn sweep(&mut self) {
        let now = Self::now();
        let gone: Vec<BatchId> = self.batches.values().filter(|kept| kept.batch.expires <= now).map(|kept| kept.batch.id).collect();
        for id in gone {
            self.forget(id);
        }
    }

    /// Is the lease still its holder's?
    fn holds(&self, lease: Lease) -> bool {
        self.leased.moments.contains_key(&lease.id) && self.tokens.get(&lease.id) == Some(&lease.token)
    }

    fn forget(&mut self, id: BatchId) {
        self.batches.remove(&id);
        self.tokens.remove(&id);
        self.due.remove(id);
        self.leased.remove(id);
        self.woken.remove(&id);
    }
}

impl MemoryRepository {
    fn shelves(&self) -> MutexGuard<'_, Inner> {
        self.0.lock()
    }

    /// Everything that is kept, in its bytes.
    pub fn dump(&self) -> Vec<u8> {
        let shelves = self.shelves();
        let of_batch = |kept: &StoredBatch| {
            let mut bytes = format!("{:?}", kept.batch).into_bytes();
            kept.blobs.values().for_each(|blob| bytes.extend_from_slice(blob));
            bytes
        };
        shelves.batches.values().flat_map(of_batch).collect()
    }
}

/// What is done at once.
fn done<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    Box::pin(std::future::ready(Ok(value)))
}

impl BatchRepository for MemoryRepository {
    fn now(&self) -> BoxFuture<'_, EpochMillis> {
        done(Inner::now())
    }

    fn create<'a>(&'a self, NewBatch { batch, blobs }: &'a NewBatch) -> BoxFuture<'a, ()> {
        let mut shelves = self.shelves();
        shelves.sweep();
        let now = Inner::now();
        shelves.batches.insert(batch.id, StoredBatch { batch: batch.clone(), blobs: blobs.iter().cloned().collect() });
        shelves.due.put(batch.id, now);
        done(())
    }

    fn load(&self, id: BatchId) -> BoxFuture<'_, Option<Batch>> {
        let mut shelves = self.shelves();
        let now = Inner::now();
        if shelves.batches.get(&id).is_some_and(|kept| kept.batch.expires <= now) {
            shelves.forget(id);
        }
        done(shelves.batches.get(&id).map(|kept| kept.batch.clone()))
    }

    fn blob(&self, id: BatchId, blob: PartBlob) -> BoxFuture<'_, Option<Vec<u8>>> {
        done(self.shelves().batches.get(&id).and_then(|kept| kept.blobs.get(&blob)).cloned())
    }

    fn change<'a>(&'a self, id: BatchId, number: u32, seen: &'a Part, part: &'a Part, blobs: &'a Blobs) -> BoxFuture<'a, bool> {
        let mut shelves = self.shelves();
        let Some(kept) = shelves.batches.get_mut(&id) else { return done(false) };
        let there = usize::try_from(number).ok().and_then(|number| kept.batch.parts.get_mut(number.checked_sub(1)?));
        let Some(there) = there else { return done(false) };
        if *there == *part {
            return done(true);
        }
        if *there != *seen {
            return done(false);
        }
        *there = part.clone();
        blobs.erase.iter().for_each(|blob| drop(kept.blobs.remove(blob)));
        kept.blobs.extend(blobs.put.iter().cloned());
        done(true)
    }

    fn erase<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, ()> {
        self.shelves().forget(batch.id);
        done(())
    }

    fn extend_expiry<'a>(&'a self, batch: &'a Batch, moment: EpochMillis) -> BoxFuture<'a, ()> {
        if let Some(kept) = self.shelves().batches.get_mut(&batch.id) {
            kept.batch.expires = moment;
        }
        done(())
    }

    fn list<'a>(&'a self, organisation: &'a Ukprn, kind: KindTag, after: Option<BatchId>, most: usize) -> BoxFuture<'a, Vec<BatchId>> {
        let mut shelves = self.shelves();
        shelves.sweep();
        let before = |id: &BatchId| after.is_none_or(|after| *id < after);
        let theirs = |kept: &&StoredBatch| kept.batch.header.kind == kind && kept.batch.header.belongs_to(organisation);
        done(shelves.batches.values().rev().filter(theirs).map(|kept| kept.batch.id).filter(before).take(most).collect())
    }

    fn claim(&self, lease: Duration, most: usize) -> BoxFuture<'_, Claim> {
        let mut shelves = self.shelves();
        shelves.sweep();
        let now = Inner::now();
        for id in shelves.leased.take_due(now, usize::MAX) {
            shelves.due.put(id, now);
        }
        let due = shelves.due.take_due(now, most);
        let token = fastrand::u64(..);
        for id in &due {
            shelves.leased.put(*id, now.after(lease));
            shelves.tokens.insert(*id, token);
        }
        let leases = due.into_iter().map(|id| Lease { id, token }).collect();
        let next = [shelves.due.next(), shelves.leased.next()].into_iter().flatten().min();
        done(Claim { now, leases, next })
    }

    fn backlog(&self) -> BoxFuture<'_, Backlog> {
        let shelves = self.shelves();
        let now = Inner::now();
        let due = || shelves.due.order.iter().take_while(|(moment, _)| *moment <= now);
        let first = due().map(|(moment, _)| *moment).find(|moment| moment.0 > 0);
        let unfinished = shelves.due.order.len() + shelves.leased.order.len();
        done(Backlog { unfinished, due: due().count(), oldest: first.map_or(Duration::ZERO, |first| now.since(first)) })
    }

    fn renew(&self, lease: Lease, length: Duration) -> BoxFuture<'_, bool> {
        let mut shelves = self.shelves();
        let ours = shelves.holds(lease);
        if ours {
            let until = Inner::now().after(length);
            shelves.leased.put(lease.id, until);
        }
        done(ours)
    }

    fn release(&self, lease: Lease, due: Option<EpochMillis>) -> BoxFuture<'_, ()> {
        let mut shelves = self.shelves();
        if shelves.holds(lease) {
            shelves.leased.remove(lease.id);
            shelves.tokens.remove(&lease.id);
            let now = Inner::now();
            let due = if shelves.woken.remove(&lease.id) { Some(now) } else { due };
            if let Some(due) = due {
                shelves.due.put(lease.id, due);
            }
        }
        done(())
    }

    fn forget(&self, lease: Lease) -> BoxFuture<'_, ()> {
        self.release(lease, None)
    }

    fn wake(&self, id: BatchId) -> BoxFuture<'_, ()> {
        let mut shelves = self.shelves();
        if shelves.leased.moments.contains_key(&id) {
            shelves.woken.insert(id);
        } else {
            let now = Inner::now();
            shelves.due.put(id, now);
        }
        done(())
    }

    fn shared(&self) -> BoxFuture<'_, HashMap<String, Vec<u8>>> {
        done(self.shelves().shared.clone())
    }

    fn share<'a>(&'a self, name: &'a str, value: &'a [u8]) -> BoxFuture<'a, ()> {
        self.shelves().shared.insert(name.to_owned(), value.to_vec());
        done(())
    }
}
