//! Results of a batch: LRS's stored responses, and the results of single records.

use crate::batches::batch_kind::BatchKind;
use crate::batches::blob_cipher::BlobCipher;
use crate::batches::error::BatchError;
use crate::batches::fingerprint::RecordFingerprint;
use crate::batches::model::{Batch, BatchId, PartBlob, PartState};
use crate::batches::result_matching::RecordResult;
use crate::batches::service::BatchService;
use crate::lrs::soap::read::{XmlReader, decode};
use crate::lrs::soap::write::XmlWriter;
use crate::lrs::soap::xml_mapping::XmlRecord as _;

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
        let (first_position, tracked) = (part.first_position, batch.header.tracked);
        let fingerprints = self.encrypted_blob(batch.id, PartBlob::Fingerprints(number)).await?;
        let output = self.encrypted_blob(batch.id, PartBlob::JobOutput(number)).await?;
        let read = move |cipher: &BlobCipher| {
            let json = fingerprints.map(|encrypted| encrypted.decrypt(cipher)).transpose()?;
            let fingerprints: Option<Vec<RecordFingerprint>> =
                json.map(|json| serde_json::from_slice(&json).map_err(|_| BatchError::Unreadable("fingerprints"))).transpose()?;
            // Only a tracked job has none. For any other part, results could not be matched to records.
            if fingerprints.is_none() && !tracked {
                return Err(BatchError::Unreadable("part without fingerprints"));
            }
            Ok(match output {
                Some(encrypted) => {
                    K::record_results(parse_output::<K>(&encrypted.decrypt(cipher)?)?, first_position, fingerprints.as_deref())
                }
                None => (first_position..)
                    .zip(&fingerprints.unwrap_or_default())
                    .map(|(position, fingerprint)| RecordResult::without_result(position, fingerprint))
                    .collect(),
            })
        };
        self.spawn_blocking_if_large(part.record_count, read).await.map(Some)
    }

    /// Returns LRS's last response to a poll of a part; `None` if there is none.
    ///
    /// # Errors
    /// Returns [`BatchError`] if the store fails or the stored data cannot be read.
    pub async fn job_output<K: BatchKind>(&self, batch: &Batch, number: u32) -> Result<Option<K::Output>, BatchError> {
        let Some(encrypted) = self.encrypted_blob(batch.id, PartBlob::JobOutput(number)).await? else { return Ok(None) };
        parse_output::<K>(&encrypted.decrypt(&self.cipher)?).map(Some)
    }

    /// Encrypts LRS's response to a poll. It is stored as XML, in LRS's own format.
    pub(super) fn encrypt_output<K: BatchKind>(
        &self,
        id: BatchId,
        number: u32,
        output: &K::Output,
    ) -> Result<(PartBlob, Vec<u8>), BatchError> {
        let xml = XmlWriter::envelope(|writer| writer.element("Output", "xmlns:a=\"urn:lrs-gateway:kept\"", |writer| output.write(writer)));
        let xml = xml.map_err(|_| BatchError::Unreadable("LRS response"))?;
        Ok(self.cipher.encrypt(id, PartBlob::JobOutput(number), xml.as_bytes())?)
    }
}

fn parse_output<K: BatchKind>(xml: &[u8]) -> Result<K::Output, BatchError> {
    let parse = || {
        let mut reader = XmlReader::new(decode(xml)?)?;
        reader.soap_body(|reader, _| K::Output::read(reader))
    };
    parse().map_err(|_| BatchError::Unreadable("LRS response"))
}
