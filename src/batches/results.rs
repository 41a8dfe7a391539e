//! Results of a batch's records, from the stored fingerprints and LRS's stored responses.

use crate::batches::batch_kind::BatchKind;
use crate::batches::blob_cipher::BlobCipher;
use crate::batches::error::BatchError;
use crate::batches::job_output::parse_output;
use crate::batches::model::{Batch, BatchId, BlobName, OutcomeCounts, PartState};
use crate::batches::result_matching::RecordResult;
use crate::batches::service::BatchService;
use crate::batches::stored_data::read_fingerprints;

impl BatchService {
    /// Returns the results of a part's records, in their order; `None` if the part is neither complete nor failed.
    ///
    /// # Errors
    /// Returns [`BatchError`] if the store fails or the stored data cannot be read.
    pub async fn record_results<K: BatchKind>(
        &self,
        batch: &Batch,
        number: u32,
    ) -> Result<Option<Vec<RecordResult<K::Result>>>, BatchError> {
        let Some(part) = batch.part(number).filter(|part| matches!(part.state, PartState::Complete | PartState::Failed)) else {
            return Ok(None);
        };
        let (first_position, is_adopted) = (part.first_position, batch.header.adopted);
        let fingerprints = self.encrypted_blob(batch.id, BlobName::Fingerprints(number)).await?;
        let output = self.encrypted_blob(batch.id, BlobName::JobOutput(number)).await?;
        let read = move |cipher: &BlobCipher| {
            let stored = fingerprints.map(|encrypted| encrypted.decrypt(cipher)).transpose()?;
            let fingerprints = stored.map(|stored| read_fingerprints(&stored)).transpose()?;
            // Only an adopted job has none. For any other part, results could not be matched to records.
            if fingerprints.is_none() && !is_adopted {
                return Err(BatchError::Malformed("part without fingerprints"));
            }
            Ok(match output {
                Some(encrypted) => {
                    K::match_output(parse_output::<K>(&encrypted.decrypt(cipher)?)?, first_position, fingerprints.as_deref())
                }
                None => (first_position..)
                    .zip(&fingerprints.unwrap_or_default())
                    .map(|(position, fingerprint)| RecordResult::without_result(position, fingerprint))
                    .collect(),
            })
        };
        self.spawn_blocking_if_large(part.record_count, read).await.map(Some)
    }

    /// Counts the outcomes of a part's records in LRS's response; `None` if the fingerprints are missing or cannot be read.
    ///
    /// # Errors
    /// Returns [`BatchError`] if the store fails.
    pub(super) async fn count_outcomes<K: BatchKind>(
        &self,
        id: BatchId,
        number: u32,
        record_count: u32,
        output: K::Output,
    ) -> Result<Option<OutcomeCounts>, BatchError> {
        let Some(fingerprints) = self.encrypted_blob(id, BlobName::Fingerprints(number)).await? else { return Ok(None) };
        let count = move |cipher: &BlobCipher| {
            let sent = fingerprints.decrypt(cipher).ok().and_then(|stored| read_fingerprints(&stored).ok());
            Ok(sent.map(|sent| K::count_outcomes(&K::match_output(output, 0, Some(&sent)))))
        };
        self.spawn_blocking_if_large(record_count, count).await
    }
}
