//! Partitioning: splits the records of a request into parts of the size that LRS accepts.
//!
//! Records are read one by one: each is validated, compressed into its part and dropped. So a request of any size needs little more
//! memory than its own bytes.

use std::marker::PhantomData;

use serde::Deserializer;

use crate::batches::batch_kind::BatchKind;
use crate::batches::duplicates::Duplicates;
use crate::batches::fingerprint::{self, RecordFingerprint};
use crate::schema::InvalidValue;
use crate::schema::deserialize::{DeserializeContext, FromDocument, Outline, for_each_item};
use crate::schema::openapi::{PropertySchema, SchemaOrRef, Schemas, non_empty_array_schema};
use crate::storage::compression::{Compressed, Compressor};
use crate::xml::{IllegalCharacter, PackedXml, XmlPacker};

/// The records of a request, at least one, partitioned and compressed.
pub struct Parts<K> {
    parts: Vec<CompressedPart>,
    kind: PhantomData<fn() -> K>,
}

/// One part: records plus fingerprints, compressed.
pub struct CompressedPart {
    /// Number of records.
    pub record_count: u32,
    /// The records as LRS receives them ([`PackedXml`]), compressed.
    pub records: Compressed,
    /// The same without compression, if it is the only part and at most one block of the compression.
    pub packed: Option<PackedXml>,
    /// Their fingerprints, compressed.
    pub fingerprints: Compressed,
}

impl<K: BatchKind> Parts<K> {
    /// Returns the number of records.
    pub fn record_count(&self) -> usize {
        self.parts.iter().map(|part| part.record_count as usize).sum()
    }

    /// Returns the parts.
    pub fn into_parts(self) -> Vec<CompressedPart> {
        self.parts
    }
}

impl<K> std::fmt::Debug for Parts<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} parts]", self.parts.len())
    }
}

impl<K: BatchKind> FromDocument for Parts<K> {
    fn read<'de, D: Deserializer<'de>>(input: D, context: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        let mut partitioner = Partitioner::<K>::new();
        if !for_each_item(input, context, |record: K::Record, context| partitioner.add(&record, context))? {
            return Ok(None);
        }
        let Ok(parts) = partitioner.finish() else {
            context.add_error(InvalidValue::new("invalid_character", "must not contain a character that XML does not allow"));
            return Ok(None);
        };
        if parts.is_empty() {
            context.add_error(InvalidValue::new("too_few", "must have at least 1 item"));
            return Ok(None);
        }
        Ok(Some(Self { parts, kind: PhantomData }))
    }

    fn outline(outline: &mut Outline) {
        outline.add_items(K::Record::outline);
    }
}

impl<K: BatchKind> PropertySchema for Parts<K> {
    fn schema() -> SchemaOrRef {
        non_empty_array_schema::<K::Record>()
    }

    fn collect(schemas: &mut Schemas) {
        K::Record::collect(schemas);
    }
}

/// Distributes records to parts: fills a part, then starts the next.
struct Partitioner<K> {
    finished: Vec<Result<CompressedPart, IllegalCharacter>>,
    current: Option<PartWriter>,
    /// Number of valid records so far. Without an error, it is the position of the next record.
    record_count: u32,
    duplicates: Duplicates,
    kind: PhantomData<fn() -> K>,
}

impl<K: BatchKind> Partitioner<K> {
    fn new() -> Self {
        Self { finished: Vec::new(), current: None, record_count: 0, duplicates: Duplicates::default(), kind: PhantomData }
    }

    fn add(&mut self, record: &K::Record, context: &mut DeserializeContext) {
        let fingerprint = K::fingerprint(record);
        self.duplicates.add(self.record_count, fingerprint.trimmed_identifier(), K::subject(record).as_ref(), context);
        self.record_count = self.record_count.saturating_add(1);
        let part = self.current.get_or_insert_with(PartWriter::new);
        part.add::<K>(record, &fingerprint);
        if part.record_count as usize >= K::MAX_RECORDS_PER_JOB {
            self.finish_part();
        }
    }

    fn finish_part(&mut self) {
        self.finished.extend(self.current.take().map(PartWriter::finish));
        if self.finished.len() > 1 {
            // Many parts without compression would need as much memory as the request.
            self.finished.iter_mut().rev().take(2).flatten().for_each(|part| part.packed = None);
        }
    }

    /// Returns the parts. Valid records have no character that XML does not allow.
    fn finish(mut self) -> Result<Vec<CompressedPart>, IllegalCharacter> {
        self.finish_part();
        self.finished.into_iter().collect()
    }
}

/// A part that is being written.
struct PartWriter {
    record_count: u32,
    packer: XmlPacker,
    records: Compressor,
    fingerprint: Vec<u8>,
    fingerprints: Compressor,
}

impl PartWriter {
    fn new() -> Self {
        let mut fingerprints = Compressor::new();
        fingerprints.add(fingerprint::LIST_START);
        Self { record_count: 0, packer: XmlPacker::default(), records: Compressor::new(), fingerprint: Vec::new(), fingerprints }
    }

    fn add<K: BatchKind>(&mut self, record: &K::Record, fingerprint: &RecordFingerprint) {
        self.records.add(self.packer.add(|writer| K::write_record(record, writer)));
        self.fingerprint.clear();
        fingerprint::append(fingerprint, &mut self.fingerprint);
        self.fingerprints.add(&self.fingerprint);
        self.record_count += 1;
    }

    fn finish(self) -> Result<CompressedPart, IllegalCharacter> {
        let size = self.packer.finish()?;
        let (records, plaintext) = self.records.finish_with_plaintext();
        let packed = plaintext.map(|packed| PackedXml::with_size(packed, size));
        Ok(CompressedPart { record_count: self.record_count, records, packed, fingerprints: self.fingerprints.finish() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::batches::kinds::registration::Registrations;
    use crate::schema::deserialize::from_json;

    #[test]
    fn records_without_compression_are_those_of_the_only_part() {
        let learner = json!({"givenName": "Gwenllian", "familyName": "Maddocks", "dateOfBirth": "2005-07-21", "gender": "FEMALE",
            "lastKnownPostCode": "ZZ7 7JJ", "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE"});
        for (count, expected) in [(1, vec![Some(1)]), (200, vec![Some(200)]), (201, vec![None; 2]), (401, vec![None; 3])] {
            let json = serde_json::to_vec(&vec![&learner; count]).expect("learners are JSON");
            let parts: Parts<Registrations> = from_json(&json).expect("the learners are valid");
            let packed = parts.into_parts().into_iter().map(|part| part.packed.map(|packed| packed.record_count()));
            assert_eq!(packed.collect::<Vec<_>>(), expected, "{count} learners");
        }
    }
}
