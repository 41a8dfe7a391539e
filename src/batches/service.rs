//! The batch service: accepts, finds and erases batches.
//!
//! More methods of [`BatchService`] are in `listing.rs` (lists of batches), `decision.rs` (decisions of callers), `stored_data.rs` and
//! `lrs_texts.rs` (reading of encrypted data), `job_output.rs` and `results.rs` (LRS's responses to polls, and the results of records).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::batches::batch_kind::BatchKind;
use crate::batches::blob_cipher::BlobCipher;
use crate::batches::encryption_keys::KeyRegistry;
use crate::batches::error::BatchError;
use crate::batches::handover::{AcceptedBatch, Handover};
use crate::batches::lrs_registry::LrsRegistry;
use crate::batches::metadata::BatchMetadata;
use crate::batches::model::{Batch, BatchHeader, BatchId, BlobName, EpochMillis, KindTag, Part};
use crate::batches::partition::Parts;
use crate::batches::repository::memory::MemoryRepository;
use crate::batches::repository::redis::RedisRepository;
use crate::batches::repository::{Backlog, BatchRepository, NewBatch, StoreError, StoreProbe};
use crate::batches::settings::BatchSettings;
use crate::batches::store_clock::StoreClock;
use crate::lrs::maintenance::maintenance_duration;
use crate::organisations::CallContext;
use crate::storage::Storage;

/// Time after which a due batch that no worker has visited counts as lost from the queue, in addition to the lease.
const QUEUE_ENTRY_GRACE: Duration = Duration::from_secs(10 * 60);

/// Delay of the visit that is stored before a finished batch gets work again. Usually the batch is woken earlier.
pub(super) const SCHEDULED_VISIT_DELAY: Duration = Duration::from_secs(60);

/// The batch of an adopted job.
#[derive(Debug)]
pub struct TrackedBatch {
    /// The batch.
    pub batch: Batch,
    /// `false` if the job was tracked before.
    pub is_new: bool,
}

/// Accepts, finds and erases batches. The worker processes them.
#[derive(Debug)]
pub struct BatchService {
    pub(super) repository: Arc<dyn BatchRepository>,
    pub(super) cipher: BlobCipher,
    pub(super) key_registry: KeyRegistry,
    lrs_registry: LrsRegistry,
    settings: BatchSettings,
    store_clock: StoreClock,
    /// Batches for this replica's worker.
    pub(super) handover: Handover,
    /// Wakes this replica's worker.
    pub(super) new_work: Notify,
}

impl BatchService {
    /// Creates a service with this repository, and the keys and the LRS of this storage.
    pub fn new(repository: Arc<dyn BatchRepository>, storage: &Storage, settings: BatchSettings) -> Self {
        let key_registry = KeyRegistry::new(Arc::clone(&repository), Arc::clone(&storage.key_ring));
        let lrs_registry = LrsRegistry::new(Arc::clone(&repository), storage.lrs.clone());
        let cipher = BlobCipher::new(Arc::clone(&storage.key_ring));
        let (store_clock, handover, new_work) = (StoreClock::default(), Handover::default(), Notify::new());
        Self { repository, cipher, key_registry, lrs_registry, settings, store_clock, handover, new_work }
    }

    /// Creates a service with a repository in Redis, if configured, or else in memory.
    pub fn with_storage(storage: &Storage, settings: BatchSettings) -> Self {
        let repository: Arc<dyn BatchRepository> = match &storage.redis {
            Some(redis) => Arc::new(RedisRepository::new(Arc::clone(redis), &storage.lrs)),
            None => Arc::new(MemoryRepository::default()),
        };
        Self::new(repository, storage, settings)
    }

    /// Returns the limits and intervals.
    pub const fn settings(&self) -> &BatchSettings {
        &self.settings
    }

    /// Verifies that the store can be used and that every encryption key in use is known. Registers the primary key.
    ///
    /// # Errors
    /// Returns [`BatchError::Store`] if the store fails, and [`BatchError::Cipher`] with
    /// [`CipherError::UnknownKey`](crate::storage::encryption::CipherError::UnknownKey) if a key in use is not in the key ring.
    pub async fn verify_encryption_keys(&self) -> Result<(), BatchError> {
        self.key_registry.verify(|now| self.latest_expiry(now)).await
    }

    /// Does the same as [`Self::verify_encryption_keys`] without writing anything.
    ///
    /// # Errors
    /// The same as [`Self::verify_encryption_keys`].
    pub async fn inspect_encryption_keys(&self) -> Result<(), BatchError> {
        self.key_registry.verify_without_registering().await.map(|_| ())
    }

    /// Returns the other LRSs that batches in the store belong to. The gateway leaves those batches alone.
    ///
    /// # Errors
    /// Returns [`BatchError::Store`] if the store fails.
    pub async fn other_lrs(&self) -> Result<Vec<String>, BatchError> {
        self.lrs_registry.others().await
    }

    /// Returns `true` if the batch was accepted for the LRS that this gateway calls.
    pub(super) fn is_own(&self, batch: &Batch) -> bool {
        batch.header.is_for(self.lrs_registry.lrs())
    }

    /// Returns `true` if the store responds.
    pub async fn ping(&self) -> bool {
        self.repository.now().await.is_ok()
    }

    /// Looks whether the store takes writes.
    ///
    /// # Errors
    /// Returns [`BatchError::Store`] if the store does not respond.
    pub async fn probe_store(&self) -> Result<StoreProbe, BatchError> {
        Ok(self.repository.probe().await?)
    }

    /// Checks that the store keeps what it confirms, or that the operator accepts that it does not. The store is asked at most once a minute,
    /// and after each reconnection.
    ///
    /// # Errors
    /// Returns [`StoreError::NotDurable`] in [`BatchError::Store`] if not, and [`BatchError::Store`] if the store fails.
    pub async fn ensure_durable(&self) -> Result<(), BatchError> {
        Ok(self.repository.ensure_durable().await?)
    }

    /// Returns the numbers of unfinished and claimable batches of all replicas.
    ///
    /// # Errors
    /// Returns [`BatchError::Store`] if the store fails.
    pub async fn backlog(&self) -> Result<Backlog, BatchError> {
        Ok(self.repository.backlog().await?)
    }

    /// Accepts a batch under this id. The batch is stored when this returns. Accepting the same id again creates no second batch.
    ///
    /// # Errors
    /// Returns [`BatchError`]. After [`StoreError::ReplyLost`] the batch may have been accepted; after any other error it was not. Returns
    /// [`BatchError::Gone`] if the batch was accepted before, and was erased or has expired.
    pub async fn submit<K: BatchKind>(
        &self,
        id: BatchId,
        context: &CallContext,
        metadata: &BatchMetadata,
        records: Parts<K>,
    ) -> Result<Batch, BatchError> {
        self.ensure_durable().await?;
        let now = self.prepare().await?;
        let (mut parts, mut blobs, mut first_position, mut records_of_only_part) = (Vec::new(), Vec::new(), 0, None);
        for (number, part) in (1..).zip(records.into_parts()) {
            records_of_only_part = part.packed;
            parts.push(Part::waiting(first_position, part.record_count, now));
            first_position += part.record_count;
            blobs.push(self.cipher.encrypt_compressed(id, BlobName::Records(number), part.records)?);
            blobs.push(self.cipher.encrypt_compressed(id, BlobName::Fingerprints(number), part.fingerprints)?);
        }
        let header = BatchHeader::new(K::KIND, context.organisation.ukprn(), parts.len(), now).repeatable(K::is_repeatable(metadata));
        let header = header.accepted_for(self.lrs_registry.lrs());
        let batch = Batch { id, header, parts, expires_at: self.latest_expiry(now) };
        if let (1, Some(records)) = (batch.parts.len(), records_of_only_part) {
            // Before the batch is accepted: a worker may claim it at the same moment.
            self.handover.offer(AcceptedBatch { batch: batch.clone(), metadata: metadata.clone(), records }, std::time::Instant::now());
        }
        let accepted = self.accept(batch, metadata, blobs).await;
        if accepted.is_err() {
            self.handover.take(id, std::time::Instant::now());
        }
        accepted
    }

    /// Adopts a job that was submitted outside the gateway. A job that the organisation tracks already keeps its batch.
    ///
    /// # Errors
    /// The same as [`Self::submit`].
    pub async fn track<K: BatchKind>(&self, context: &CallContext, job_id: i64) -> Result<TrackedBatch, BatchError> {
        self.ensure_durable().await?;
        let now = self.prepare().await?;
        let header = BatchHeader::new(K::KIND, context.organisation.ukprn(), 1, now).adopted().accepted_for(self.lrs_registry.lrs());
        let mut new = Batch { id: BatchId::new(), header, parts: vec![Part::adopted(job_id, now)], expires_at: self.latest_expiry(now) };
        loop {
            let batch = Batch { id: self.repository.register_job(&new).await.map_err(nothing_accepted)?, ..new.clone() };
            if batch.id != new.id {
                // In this order: another request may accept the batch meanwhile. Then it must not count as erased.
                let was_accepted = self.repository.was_accepted(batch.id).await.map_err(nothing_accepted)?;
                if let Some(existing) = self.find(K::KIND, context, batch.id).await.map_err(nothing_accepted)? {
                    return Ok(TrackedBatch { batch: existing, is_new: false });
                }
                if was_accepted {
                    // It was erased or has expired since it was registered.
                    self.repository.unregister_job(&batch).await.map_err(nothing_accepted)?;
                    continue;
                }
            }
            // Another request may be creating the registered batch, or may have failed to. Both requests create the same batch.
            match self.accept(batch.clone(), &BatchMetadata::submitted_by(context), Vec::new()).await {
                // The other request's batch was erased already.
                Err(BatchError::Gone) => {
                    self.repository.unregister_job(&batch).await.map_err(nothing_accepted)?;
                    new.id = BatchId::new();
                }
                accepted => return Ok(TrackedBatch { batch: accepted?, is_new: true }),
            }
        }
    }

    /// Returns `true` if the batch was accepted lately, even if it was erased or has expired.
    ///
    /// # Errors
    /// Returns [`BatchError::Store`] if the store fails.
    pub async fn was_accepted(&self, id: BatchId) -> Result<bool, BatchError> {
        Ok(self.repository.was_accepted(id).await?)
    }

    /// Returns a batch of the caller's organisation; `None` if there is none with this kind and id.
    ///
    /// # Errors
    /// Returns [`BatchError`] if the store fails or an encryption key is missing.
    pub async fn find(&self, kind: KindTag, context: &CallContext, id: BatchId) -> Result<Option<Batch>, BatchError> {
        self.verify_encryption_keys().await?;
        let batch = self.repository.load(id).await?;
        let is_visible =
            |batch: &Batch| batch.header.kind == kind && batch.header.belongs_to(context.organisation.ukprn()) && self.is_own(batch);
        let batch = batch.filter(is_visible);
        if let Some(lost) = batch.as_ref().filter(|batch| self.is_queue_entry_lost(batch)) {
            // It may only wait in a long queue. Then it keeps its place there.
            self.repository.enqueue_if_lost(lost.id).await?;
        }
        Ok(batch)
    }

    /// Waits until a batch is finished or awaits a decision, but at most for `timeout`. Returns its latest state.
    ///
    /// # Errors
    /// Returns [`BatchError::Store`] if the store fails.
    pub async fn wait(&self, mut batch: Batch, timeout: Duration) -> Result<Batch, BatchError> {
        const MIN_INTERVAL: Duration = Duration::from_millis(50);
        const MAX_INTERVAL: Duration = Duration::from_secs(1);
        let deadline = Instant::now() + timeout;
        let mut interval = MIN_INTERVAL;
        while batch.next_due_at().is_some() && Instant::now() < deadline {
            tokio::time::sleep_until((Instant::now() + interval).min(deadline)).await;
            interval = (interval * 2).min(MAX_INTERVAL);
            match self.repository.load(batch.id).await? {
                Some(current) => batch = current,
                None => break,
            }
        }
        Ok(batch)
    }

    /// Erases a batch and all its stored data. LRS keeps what it has received.
    ///
    /// # Errors
    /// Returns [`BatchError::Store`] if the store fails.
    pub async fn erase(&self, batch: &Batch) -> Result<(), BatchError> {
        self.handover.take(batch.id, std::time::Instant::now());
        self.repository.erase(batch).await?;
        tracing::info!(batch = %batch.id, "batch erased");
        Ok(())
    }

    /// Prepares a write: verifies the encryption keys, registers the primary key, and returns the current time.
    ///
    /// Preparation changes no batch. So if it fails, the caller's request certainly had no effect.
    pub(super) async fn prepare(&self) -> Result<EpochMillis, BatchError> {
        let prepared = async {
            self.verify_encryption_keys().await?;
            let now = self.store_clock.now(&*self.repository).await?;
            self.key_registry.register_until(self.latest_expiry(now)).await?;
            self.lrs_registry.register_until(self.latest_expiry(now)).await?;
            Ok(now)
        };
        prepared.await.map_err(nothing_accepted::<BatchError>)
    }

    /// Returns the expiry time for a batch that starts now, if it does not finish earlier.
    pub(super) fn latest_expiry(&self, now: EpochMillis) -> EpochMillis {
        let BatchSettings { submission_timeout, result_timeout, retention, ref maintenance, .. } = self.settings;
        // Announced maintenance does not count towards the timeouts, and all of it may come before the batch finishes.
        let maintenance = maintenance_duration(&maintenance.windows(), now.timestamp(), jiff::Timestamp::MAX);
        now.after(submission_timeout).after(result_timeout).after(retention).after(maintenance)
    }

    /// Extends the expiry of an unfinished batch that would expire before its parts can finish: a part was resubmitted, or a slow worker has
    /// stored late that LRS created a job.
    pub(super) async fn extend_expiry(&self, batch: &Batch, now: EpochMillis) -> Result<(), BatchError> {
        if let Some(needed) = self.required_expiry(batch) {
            self.key_registry.extend_all(now, needed).await?;
            self.repository.set_expiry(batch, needed).await?;
        }
        Ok(())
    }

    /// Returns the expiry that an unfinished batch needs, if it is later than the one that it has.
    pub(super) fn required_expiry(&self, batch: &Batch) -> Option<EpochMillis> {
        let unsettled = batch.parts.iter().filter(|part| !part.is_settled());
        let needed = unsettled.map(|part| self.latest_expiry(part.tracking_started_at)).max();
        needed.filter(|needed| batch.expires_at < *needed)
    }

    async fn accept(&self, batch: Batch, metadata: &BatchMetadata, mut blobs: Vec<(BlobName, Vec<u8>)>) -> Result<Batch, BatchError> {
        let json = serde_json::to_vec(metadata).map_err(|_| BatchError::Malformed("metadata"))?;
        blobs.push(self.cipher.encrypt(batch.id, BlobName::Metadata, &json)?);
        let new = NewBatch { batch, blobs };
        if !self.repository.create(&new).await? {
            return Err(BatchError::Gone);
        }
        let Batch { id, header, .. } = &new.batch;
        tracing::info!(batch = %id, kind = header.kind.name(), parts = header.part_count, tracked = header.adopted, "batch accepted");
        self.new_work.notify_one();
        Ok(new.batch)
    }

    /// Returns `true` if the batch has been due for so long that its queue entry may be lost.
    fn is_queue_entry_lost(&self, batch: &Batch) -> bool {
        batch.next_due_at().is_some_and(|due_at| EpochMillis::now().since(due_at) > QUEUE_ENTRY_GRACE + self.settings.lease)
    }
}

/// Returns the error of a step that accepts no batch: even if its reply was lost, the caller's request had no effect.
fn nothing_accepted<E: Into<BatchError>>(error: E) -> BatchError {
    match error.into() {
        BatchError::Store(StoreError::ReplyLost(reason)) => StoreError::Unavailable(reason).into(),
        error => error,
    }
}
