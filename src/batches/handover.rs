//! Batches that this replica has just accepted, handed over to its own worker.
//!
//! The worker needs what the request has just read and stored. From here it takes that without reading, decrypting and unpacking it again. What
//! counts is the stored batch: a worker takes a batch from here only under its lease, and stores the state `sending` before it sends a part. That
//! fails if the stored part is another one, or if the batch is gone.
//!
//! The handover is small and short. A batch that does not fit, or that no visit has taken within seconds, is read from the store: a full worker
//! takes it later, another replica has taken it, or the process has stopped.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::batches::metadata::BatchMetadata;
use crate::batches::model::{Batch, BatchId};
use crate::xml::PackedXml;

/// Maximum number of batches. The records of each are at most 64 KiB.
const MAX_BATCHES: usize = 32;
/// Time for which a batch waits here. The worker looks for due batches more often.
const LIFETIME: Duration = Duration::from_secs(5);

/// A batch of one part as it was accepted.
#[derive(Debug)]
pub struct AcceptedBatch {
    /// The batch.
    pub batch: Batch,
    /// Its metadata.
    pub metadata: BatchMetadata,
    /// The records of its part.
    pub records: Arc<PackedXml>,
}

/// The batches that were accepted lately, in the order of their acceptance.
#[derive(Default)]
pub struct Handover(Mutex<VecDeque<(Instant, AcceptedBatch)>>);

impl std::fmt::Debug for Handover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} batches]", self.0.lock().len())
    }
}

impl Handover {
    /// Offers a batch to the worker, if there is room.
    pub fn offer(&self, accepted: AcceptedBatch) {
        let mut batches = self.0.lock();
        if batches.len() < MAX_BATCHES {
            batches.push_back((Instant::now(), accepted));
        }
    }

    /// Takes a batch out.
    pub fn take(&self, id: BatchId) -> Option<AcceptedBatch> {
        let mut batches = self.0.lock();
        let index = batches.iter().position(|(_, accepted)| accepted.batch.id == id)?;
        batches.remove(index).map(|(_, accepted)| accepted)
    }

    /// Drops the batches that have waited for too long.
    pub fn drop_old(&self, now: Instant) {
        let mut batches = self.0.lock();
        while batches.front().is_some_and(|(offered_at, _)| now.duration_since(*offered_at) >= LIFETIME) {
            batches.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
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
        AcceptedBatch { batch, metadata, records: Arc::new(PackedXml::new(Vec::new()).expect("no records")) }
    }

    #[test]
    fn handed_over_batch_is_taken_once() {
        let handover = Handover::default();
        let [first, second] = [(); 2].map(|()| accepted());
        let ids = [first.batch.id, second.batch.id];
        handover.offer(first);
        handover.offer(second);
        assert_eq!(handover.take(ids[1]).map(|taken| taken.batch.id), Some(ids[1]));
        assert!(handover.take(ids[1]).is_none());
        assert!(handover.take(ids[0]).is_some() && handover.take(BatchId::new()).is_none());
    }

    #[test]
    fn handover_that_is_full_takes_no_other_batch() {
        let handover = Handover::default();
        let ids: Vec<BatchId> = std::iter::repeat_with(accepted)
            .take(MAX_BATCHES + 1)
            .map(|accepted| {
                let id = accepted.batch.id;
                handover.offer(accepted);
                id
            })
            .collect();
        assert!(handover.take(ids[MAX_BATCHES]).is_none());
        assert!(handover.take(ids[0]).is_some());
    }

    #[test]
    fn handed_over_batch_that_is_not_taken_in_time_is_dropped() {
        let handover = Handover::default();
        let accepted = accepted();
        let id = accepted.batch.id;
        handover.offer(accepted);
        handover.drop_old(Instant::now());
        assert_eq!(format!("{handover:?}"), "[1 batches]");
        handover.drop_old(Instant::now() + LIFETIME);
        assert!(handover.take(id).is_none());
    }
}
