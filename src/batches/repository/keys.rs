//! The Redis keys of batches.
//!
//! The braces of a key put all keys of one batch into the same slot of a cluster, and the keys of the queue into another. So each change of the
//! queue is one script (`queue.lua` and another one), which takes effect as a whole or not at all.
//!
//! # The queue
//!
//! A batch waits for a visit in a *line*. An organisation has one line for each [rank](crate::batches::model::Rank); a line is in the order of
//! due times. A claim serves the organisations in the order of their *turns*, and leaves out those of which the worker can take no batch.
//!
//! | key | type | content |
//! |---|---|---|
//! | `scheduled` | sorted set | id of each waiting batch, by due time |
//! | `lines` | sorted set, in the order of its text | `organisation:rank:due time:id` of each waiting batch |
//! | `places` | hash | `organisation:rank` of each waiting or leased batch, by id; none if only an earlier version knew the batch |
//! | `organisations` | sorted set | each organisation with a waiting batch, by the time of its next turn |
//! | `turns` | hash | organisations whose next turn goes to the batch that has waited longest, and not to one of the lowest rank |
//! | `leased` | sorted set | id of each leased batch, by the end of its lease |
//! | `woken` | set | ids of the batches that were woken during their lease |
//! | `tokens` | hash | the fencing token of each lease, by batch id |
//!
//! Each script keeps these rules:
//!
//! 1. An unfinished batch is in `scheduled` or in `leased`, or in both if it was scheduled during its lease. A claim that finds such a batch
//!    wakes it and leases nothing: a batch has one lease.
//! 2. A batch is in `lines` if, and only if, it is in `scheduled`, with the same time.
//! 3. The turn of an organisation is never later than the time of its first batch, or the last claim of one of its batches if that is later.
//!    So no due batch is hidden from a claim. If Redis's clock has gone back, turns can be later than that: each claim corrects the turn of the
//!    organisation whose batch has been due longest.
//! 4. Only a claim ends an expired lease. The batch is due then, and its old token worthless.
//!
//! A claim reads the first entries of sorted sets and what it leases. So its cost does not depend on how many batches wait.
//!
//! # Queues of earlier versions
//!
//! The last version had one line for all organisations, `due`, and the same `leased`, `woken` and `tokens`. The version before that had one
//! queue for every LRS. Claims take over batches from there as they become due, some at a time. Their organisation is not known yet: they wait
//! under an empty name until a worker has loaded them.

use crate::batches::model::{Batch, BatchHeader, BatchId, BlobName, KindTag};

/// The names of the queue's keys, in the order in which `queue.lua` expects them.
const QUEUE_NAMES: [&str; 8] = ["scheduled", "lines", "places", "organisations", "turns", "leased", "woken", "tokens"];
/// The names of the keys of the queue that was the same for every LRS.
const EARLIER_QUEUE_NAMES: [&str; 4] = ["due", "leased", "woken", "tokens"];

/// Builds the Redis keys of batches. Every key starts with the prefix.
pub struct BatchKeys<'a> {
    /// Prefix of all keys of this installation.
    pub prefix: &'a str,
    /// Hash of the LRS that the queue is for.
    pub lrs_tag: &'a str,
}

impl BatchKeys<'_> {
    /// Returns the key of a batch: a hash of its header, parts, expiry and acceptance.
    pub fn batch(&self, id: BatchId) -> String {
        format!("{}:{{{id}}}", self.prefix)
    }

    /// Returns the key of a blob.
    pub fn blob(&self, id: BatchId, blob: BlobName) -> String {
        format!("{}:{{{id}}}:{blob}", self.prefix)
    }

    /// Returns the key of the mark that a batch was accepted. It outlives a batch that is erased or expires early, and has no data of it.
    pub fn acceptance(&self, id: BatchId) -> String {
        format!("{}:{{{id}}}:accepted", self.prefix)
    }

    /// Returns the key with the id of the batch that tracks an LRS job; `None` if the batch is not of an adopted job. Each change is one script
    /// with this key only.
    pub fn job(&self, batch: &Batch) -> Option<String> {
        let (organisation, job_id) = batch.adopted_job()?;
        Some(format!("{}:job:{}:{organisation}:{}:{job_id}", self.prefix, self.lrs_tag, batch.header.kind.name()))
    }

    /// Returns every key that a batch can have while it exists.
    pub fn all_of(&self, batch: &Batch) -> Vec<String> {
        let blobs = BlobName::all(batch.header.part_count).map(|blob| self.blob(batch.id, blob));
        std::iter::once(self.batch(batch.id)).chain(blobs).collect()
    }

    /// Returns the keys of the queue of the batches for one LRS, in the order of `queue.lua`.
    pub fn queue(&self) -> Vec<String> {
        QUEUE_NAMES.map(|name| self.queue_key(name)).into()
    }

    /// Returns the key `due` of the last version's queue, which was for one LRS.
    pub fn due_of_last_version(&self) -> String {
        self.queue_key("due")
    }

    /// Returns the keys `due`, `leased`, `woken` and `tokens` of the queue before that, which was the same for every LRS.
    pub fn earlier_queue(&self) -> [String; 4] {
        EARLIER_QUEUE_NAMES.map(|name| format!("{}:{{queue}}:{name}", self.prefix))
    }

    fn queue_key(&self, name: &str) -> String {
        format!("{}:{{queue}}:{}:{name}", self.prefix, self.lrs_tag)
    }

    /// Returns the key of an organisation's list of batches.
    pub fn list(&self, organisation: &str, kind: KindTag) -> String {
        format!("{}:list:{organisation}:{}", self.prefix, kind.name())
    }

    /// Returns the key of the list that contains a batch.
    pub fn list_of(&self, header: &BatchHeader) -> String {
        let organisation = header.organisation();
        self.list(organisation.as_ref().map_or("", |ukprn| ukprn.as_str()), header.kind)
    }

    /// Returns the key of the hash of shared values.
    pub fn shared(&self) -> String {
        format!("{}:shared", self.prefix)
    }
}
