//! Reading of a batch's encrypted data.

use std::sync::Arc;

use crate::batches::batch_kind::{BatchKind, pack};
use crate::batches::blob_cipher::{BlobCipher, EncryptedBlob};
use crate::batches::error::BatchError;
use crate::batches::fingerprint::{self, RecordFingerprint};
use crate::batches::metadata::BatchMetadata;
use crate::batches::model::{Batch, BatchId, BlobName};
use crate::batches::service::BatchService;
use crate::organisations::{CallContext, Organisation};
use crate::schema::deserialize::from_json;
use crate::xml::PackedXml;

/// Number of records from which decryption and parsing run on the blocking pool.
const OFFLOAD_THRESHOLD: u32 = 1_000;

impl BatchService {
    /// Returns a batch's metadata, or the metadata of a part's resubmission.
    pub(super) async fn metadata(&self, id: BatchId, name: BlobName) -> Result<BatchMetadata, BatchError> {
        self.read_metadata(self.encrypted_blob(id, name).await?)
    }

    /// Reads stored metadata.
    pub(super) fn read_metadata(&self, encrypted: Option<EncryptedBlob>) -> Result<BatchMetadata, BatchError> {
        let encrypted = encrypted.ok_or(BatchError::Malformed("batch without metadata"))?;
        from_json(&encrypted.decrypt(&self.cipher)?).map_err(|_| BatchError::Malformed("metadata"))
    }

    /// Returns the call context for calls about a part: the submitter's, or that of the caller who resubmitted the part.
    pub(super) async fn call_context(
        &self,
        organisation: &Arc<Organisation>,
        batch: &Batch,
        number: u32,
        metadata: &BatchMetadata,
    ) -> Result<CallContext, BatchError> {
        let resubmission;
        let metadata = if batch.part(number).is_some_and(|part| part.resubmitted) {
            resubmission = self.metadata(batch.id, BlobName::ResubmittedBy(number)).await?;
            &resubmission
        } else {
            metadata
        };
        Ok(CallContext {
            organisation: Arc::clone(organisation),
            user: metadata.user.clone(),
            origin: Arc::new(metadata.origin(batch.id, number)),
        })
    }

    /// Returns a part's records; `None` if they are deleted.
    pub(super) async fn records<K: BatchKind>(&self, batch: &Batch, number: u32) -> Result<Option<PackedXml>, BatchError> {
        let Some(encrypted) = self.encrypted_blob(batch.id, BlobName::Records(number)).await? else { return Ok(None) };
        let record_count = batch.part(number).map_or(0, |part| part.record_count);
        let read = move |cipher: &BlobCipher| {
            let records = read_records::<K>(encrypted.decrypt(cipher)?).ok_or(BatchError::Malformed("records"))?;
            if records.record_count() == record_count as usize { Ok(records) } else { Err(BatchError::Malformed("number of records")) }
        };
        self.spawn_blocking_if_large(record_count, read).await.map(Some)
    }

    /// Returns the fingerprints of a part's records; `None` if there are none.
    pub(super) async fn fingerprints(&self, id: BatchId, number: u32) -> Result<Option<Vec<RecordFingerprint>>, BatchError> {
        let Some(encrypted) = self.encrypted_blob(id, BlobName::Fingerprints(number)).await? else { return Ok(None) };
        read_fingerprints(&encrypted.decrypt(&self.cipher)?).map(Some)
    }

    pub(super) async fn encrypted_blob(&self, id: BatchId, name: BlobName) -> Result<Option<EncryptedBlob>, BatchError> {
        let bytes = self.repository.load_blob(id, name).await?;
        Ok(bytes.map(|bytes| EncryptedBlob { id, name, bytes }))
    }

    /// Runs on the blocking pool when the batch is large.
    pub(super) async fn spawn_blocking_if_large<T: Send + 'static>(
        &self,
        record_count: u32,
        work: impl FnOnce(&BlobCipher) -> Result<T, BatchError> + Send + 'static,
    ) -> Result<T, BatchError> {
        if record_count < OFFLOAD_THRESHOLD {
            return work(&self.cipher);
        }
        let cipher = self.cipher.clone();
        tokio::task::spawn_blocking(move || work(&cipher)).await.map_err(|_| BatchError::Malformed("records: the reader panicked"))?
    }
}

/// Reads stored records, also those of an earlier version, which are a list in JSON.
fn read_records<K: BatchKind>(stored: Vec<u8>) -> Option<PackedXml> {
    if !stored.starts_with(b"[") {
        return PackedXml::new(stored);
    }
    let records: Vec<K::Record> = from_json(&stored).ok()?;
    PackedXml::new(pack::<K>(&records).ok()?)
}

/// Reads stored fingerprints.
pub(super) fn read_fingerprints(stored: &[u8]) -> Result<Vec<RecordFingerprint>, BatchError> {
    fingerprint::read_list(stored).ok_or(BatchError::Malformed("fingerprints"))
}
