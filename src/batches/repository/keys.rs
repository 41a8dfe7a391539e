//! The Redis keys of batches.
//!
//! The braces of a key put all keys of one batch into the same slot of a cluster, and the keys of the queue into another.

use crate::batches::model::{Batch, BatchHeader, BatchId, BlobName, KindTag};

/// The names of a queue's keys.
const QUEUE_NAMES: [&str; 4] = ["due", "leased", "woken", "tokens"];

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

    /// Returns every key that a batch can have.
    pub fn all_of(&self, batch: &Batch) -> Vec<String> {
        let blobs = BlobName::all(batch.header.part_count).map(|blob| self.blob(batch.id, blob));
        std::iter::once(self.batch(batch.id)).chain(blobs).collect()
    }

    /// Returns the keys of the queue of the batches for one LRS: due, leased, woken, tokens.
    ///
    /// `due` and `leased` are sorted sets of batch ids by time, `woken` is the set of batches woken during a lease, and `tokens` is the
    /// hash of the leases' tokens.
    pub fn queue(&self) -> [String; 4] {
        QUEUE_NAMES.map(|name| format!("{}:{{queue}}:{}:{name}", self.prefix, self.lrs_tag))
    }

    /// Returns the keys of the queue of earlier versions, which was the same for every LRS.
    pub fn earlier_queue(&self) -> [String; 4] {
        QUEUE_NAMES.map(|name| format!("{}:{{queue}}:{name}", self.prefix))
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
