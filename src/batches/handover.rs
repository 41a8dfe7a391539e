//! Batches that this replica has just accepted, handed over to its own worker.
//!
//! The worker needs what the request has just read and stored. From here it takes that without reading, decrypting and unpacking it again. What
//! counts is the stored batch: a worker takes a batch from here only under its lease, and stores the state `sending` before it sends a part. That
//! fails if the stored part is another one, or if the batch is gone or not accepted yet.
//!
//! The handover is small and short. A batch that does not fit, or that no visit has taken within seconds, is read from the store: a full worker
//! takes it later, another replica has taken it, or the process has stopped. So are records that a visit has taken and for which it waits as long
//! for its turn.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::time::timeout;

use crate::batches::metadata::BatchMetadata;
use crate::batches::model::{Batch, BatchId};
use crate::xml::PackedXml;

/// Maximum number of batches. The records of each are at most 64 KiB.
const MAX_BATCHES: usize = 32;
/// Time for which a batch waits here, and its records wait with the visit that has taken it. The worker looks for due batches more often.
pub const LIFETIME: Duration = Duration::from_secs(5);

/// A batch of one part as it was accepted.
#[derive(Debug)]
pub struct AcceptedBatch {
    /// The batch.
    pub batch: Batch,
    /// Its metadata.
    pub metadata: BatchMetadata,
    /// The records of its part.
    pub records: PackedXml,
}

/// The batches that were accepted lately, in the order of their acceptance.
#[derive(Default)]
pub struct Handover(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    batches: VecDeque<(Instant, AcceptedBatch)>,
    is_closed: bool,
}

impl Waiting {
    fn drop_old(&mut self, now: Instant) {
        while self.batches.front().is_some_and(|(offered_at, _)| is_old(*offered_at, now)) {
            self.batches.pop_front();
        }
    }
}

fn is_old(offered_at: Instant, now: Instant) -> bool {
    now.duration_since(offered_at) >= LIFETIME
}

impl std::fmt::Debug for Handover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} batches]", self.0.lock().batches.len())
    }
}

impl Handover {
    /// Offers a batch to the worker, if there is room. It replaces one with the same id, which an earlier attempt to submit it has left.
    pub fn offer(&self, accepted: AcceptedBatch, now: Instant) {
        let mut waiting = self.0.lock();
        waiting.drop_old(now);
        waiting.batches.retain(|(_, earlier)| earlier.batch.id != accepted.batch.id);
        if !waiting.is_closed && waiting.batches.len() < MAX_BATCHES {
            waiting.batches.push_back((now, accepted));
        }
    }

    /// Takes a batch out. Returns it unless it has waited for too long.
    pub fn take(&self, id: BatchId, now: Instant) -> Option<AcceptedBatch> {
        let batches = &mut self.0.lock().batches;
        let index = batches.iter().position(|(_, accepted)| accepted.batch.id == id)?;
        let (offered_at, accepted) = batches.remove(index)?;
        (!is_old(offered_at, now)).then_some(accepted)
    }

    /// Drops the batches that have waited for too long.
    pub fn drop_old(&self, now: Instant) {
        self.0.lock().drop_old(now);
    }

    /// Drops all batches, and takes no other: the worker has stopped.
    pub fn close(&self) {
        *self.0.lock() = Waiting { is_closed: true, ..Waiting::default() };
    }
}

/// The records that a visit has taken from the handover. They are used once.
#[derive(Debug, Default)]
pub struct HandedOverRecords(Mutex<Option<PackedXml>>);

impl HandedOverRecords {
    /// Creates it with these records.
    pub const fn new(records: PackedXml) -> Self {
        Self(Mutex::new(Some(records)))
    }

    /// Takes the records; `None` if they must be read from the store.
    pub fn take(&self) -> Option<PackedXml> {
        self.0.lock().take()
    }

    /// Returns the output of a future. Drops the records if that takes longer than `limit`.
    pub async fn kept_for<T>(&self, limit: Duration, wait: impl Future<Output = T>) -> T {
        let mut wait = pin!(wait);
        let has_records = self.0.lock().is_some();
        if has_records {
            if let Ok(output) = timeout(limit, &mut wait).await {
                return output;
            }
            drop(self.take());
        }
        wait.await
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;
    use crate::batches::model::{BatchHeader, EpochMillis, KindTag, Part};
    use crate::domain::{Ukprn, UserName};
    use crate::schema::Scalar as _;

    fn accepted() -> AcceptedBatch {
        let now = EpochMillis(1_000_000);
        let organisation = Ukprn::parse("10088881").expect("the UKPRN is valid");
        let header = BatchHeader::new(KindTag::Registration, &organisation, 1, now);
        let batch = Batch { id: BatchId::new(), header, parts: vec![Part::waiting(0, 1, now)], expires_at: now };
        let metadata = BatchMetadata {
            user: UserName::parse("j.bloggs").expect("the user name is valid"),
            job_type: None,
            notify_email: None,
            submission_type: None,
            request_id: None,
            issuer: None,
            client: None,
        };
        AcceptedBatch { batch, metadata, records: PackedXml::new(Vec::new()).expect("no records") }
    }

    #[test]
    fn handed_over_batch_is_taken_once() {
        let handover = Handover::default();
        let [first, second] = [(); 2].map(|()| accepted());
        let ids = [first.batch.id, second.batch.id];
        let now = Instant::now();
        handover.offer(first, now);
        handover.offer(second, now);
        assert_eq!(handover.take(ids[1], now).map(|taken| taken.batch.id), Some(ids[1]));
        assert!(handover.take(ids[1], now).is_none());
        assert!(handover.take(ids[0], now).is_some() && handover.take(BatchId::new(), now).is_none());
    }

    #[test]
    fn handed_over_batch_that_is_offered_again_replaces_the_first() {
        let (handover, now) = (Handover::default(), Instant::now());
        let [first, second] = [(); 2].map(|()| accepted());
        let id = first.batch.id;
        handover.offer(first, now);
        handover.offer(AcceptedBatch { batch: Batch { id, ..second.batch }, ..second }, now);
        assert!(handover.take(id, now).is_some());
        assert!(handover.take(id, now).is_none());
    }

    /// Offers one batch more than the handover takes. Returns the ids of all.
    fn fill(handover: &Handover, now: Instant) -> Vec<BatchId> {
        let batches = std::iter::repeat_with(accepted).take(MAX_BATCHES + 1);
        let offer = |accepted: AcceptedBatch| {
            let id = accepted.batch.id;
            handover.offer(accepted, now);
            id
        };
        batches.map(offer).collect()
    }

    #[test]
    fn handover_that_is_full_takes_no_other_batch() {
        let (handover, now) = (Handover::default(), Instant::now());
        let ids = fill(&handover, now);
        assert!(handover.take(ids[MAX_BATCHES], now).is_none());
        assert!(handover.take(ids[0], now).is_some());
    }

    #[test]
    fn handover_full_of_old_batches_takes_another() {
        let (handover, now) = (Handover::default(), Instant::now());
        fill(&handover, now);
        let new = accepted();
        let id = new.batch.id;
        handover.offer(new, now + LIFETIME);
        assert!(handover.take(id, now + LIFETIME).is_some());
    }

    #[test]
    fn handover_that_is_closed_has_no_batches_and_takes_none() {
        let (handover, now) = (Handover::default(), Instant::now());
        let [first, second] = [(); 2].map(|()| accepted());
        let ids = [first.batch.id, second.batch.id];
        handover.offer(first, now);
        handover.close();
        handover.offer(second, now);
        assert!(ids.iter().all(|id| handover.take(*id, now).is_none()));
    }

    #[test]
    fn handed_over_batch_that_is_not_taken_in_time_is_dropped() {
        let (handover, now) = (Handover::default(), Instant::now());
        let [first, second] = [(); 2].map(|()| accepted());
        let id = second.batch.id;
        handover.offer(first, now);
        handover.drop_old(now);
        assert_eq!(format!("{handover:?}"), "[1 batches]");
        handover.drop_old(now + LIFETIME);
        assert_eq!(format!("{handover:?}"), "[0 batches]");
        handover.offer(second, now);
        assert!(handover.take(id, now + LIFETIME).is_none(), "it is too old, although nothing has dropped it");
    }

    #[tokio::test]
    async fn handed_over_records_are_dropped_during_a_long_wait_only() {
        let records = HandedOverRecords::new(accepted().records);
        records.kept_for(LIFETIME, tokio::task::yield_now()).await;
        assert!(records.take().is_some());
        assert!(records.take().is_none(), "they are used once");

        let records = HandedOverRecords::new(accepted().records);
        let until_dropped = poll_fn(|_| if records.0.lock().is_some() { Poll::Pending } else { Poll::Ready(()) });
        timeout(LIFETIME, records.kept_for(Duration::ZERO, until_dropped)).await.expect("the records are dropped");
    }
}
