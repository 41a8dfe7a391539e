//! LRS's responses to polls, stored encrypted.

use crate::batches::batch_kind::BatchKind;
use crate::batches::error::BatchError;
use crate::batches::model::{Batch, BatchId, BlobName};
use crate::batches::service::BatchService;
use crate::lrs::soap::{read_body, write_envelope};
use crate::storage::compression::Compressed;
use crate::xml::{XmlRecord as _, decode};

impl BatchService {
    /// Returns LRS's last response to a poll of a part; `None` if there is none.
    ///
    /// # Errors
    /// Returns [`BatchError`] if the store fails or the stored data cannot be read.
    pub async fn job_output<K: BatchKind>(&self, batch: &Batch, number: u32) -> Result<Option<K::Output>, BatchError> {
        let Some(encrypted) = self.encrypted_blob(batch.id, BlobName::JobOutput(number)).await? else { return Ok(None) };
        parse_output::<K>(&encrypted.decrypt(&self.cipher)?).map(Some)
    }

    /// Encrypts LRS's response to a poll. It is stored as XML, in LRS's own format.
    pub(super) fn encrypt_output<K: BatchKind>(
        &self,
        id: BatchId,
        number: u32,
        output: &K::Output,
    ) -> Result<(BlobName, Vec<u8>), BatchError> {
        let xml = write_envelope(|writer| writer.element("Output", "xmlns:a=\"urn:lrs-gateway:kept\"", |writer| output.write(writer)));
        let xml = xml.map_err(|_| BatchError::Malformed("LRS response"))?;
        Ok(self.cipher.encrypt_compressed(id, BlobName::JobOutput(number), Compressed::lz4(xml.as_bytes()))?)
    }
}

/// Parses a stored response.
pub(super) fn parse_output<K: BatchKind>(xml: &[u8]) -> Result<K::Output, BatchError> {
    let parse = || read_body(decode(xml)?, |reader, _| K::Output::read(reader));
    parse().map_err(|_| BatchError::Malformed("LRS response"))
}
