//! Partitioning: splits the records of a request into parts of the size that LRS accepts.
//!
//! Records are read one by one: each is validated, compressed into its part and dropped. So a request of any size needs little more
//! memory than its own bytes.

use std::io::Write as _;
use std::marker::PhantomData;

use serde::{Deserializer, Serialize};

use crate::batches::batch_kind::BatchKind;
use crate::schema::InvalidValue;
use crate::schema::deserialize::{DeserializeContext, FromDocument, for_each_item};
use crate::schema::openapi::{PropertySchema, SchemaOrRef, Schemas, non_empty_array_schema};
use crate::storage::encryption::Compressor;

/// The records of a request, at least one, partitioned and compressed.
pub struct Parts<K> {
    parts: Vec<CompressedPart>,
    kind: PhantomData<fn() -> K>,
}

/// One part: records plus fingerprints, compressed.
pub struct CompressedPart {
    /// Number of records.
    pub record_count: u32,
    /// JSON list of the records, compressed.
    pub compressed_records: Vec<u8>,
    /// JSON list of their fingerprints, compressed.
    pub compressed_fingerprints: Vec<u8>,
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
        if !for_each_item(input, context, |record: K::Record| partitioner.add(&record))? {
            return Ok(None);
        }
        let parts = partitioner.finish();
        if parts.is_empty() {
            context.add_error(InvalidValue::new("too_few", "must have at least 1 item"));
            return Ok(None);
        }
        Ok(Some(Self { parts, kind: PhantomData }))
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
    finished: Vec<CompressedPart>,
    current: Option<PartWriter>,
    kind: PhantomData<fn() -> K>,
}

impl<K: BatchKind> Partitioner<K> {
    const fn new() -> Self {
        Self { finished: Vec::new(), current: None, kind: PhantomData }
    }

    fn add(&mut self, record: &K::Record) {
        let part = self.current.get_or_insert_with(PartWriter::new);
        part.records.add(record);
        part.fingerprints.add(&K::fingerprint(record));
        part.record_count += 1;
        if part.record_count as usize >= K::MAX_RECORDS_PER_JOB {
            self.finish_part();
        }
    }

    fn finish_part(&mut self) {
        self.finished.extend(self.current.take().map(PartWriter::finish));
    }

    fn finish(mut self) -> Vec<CompressedPart> {
        self.finish_part();
        self.finished
    }
}

/// A part that is being written.
struct PartWriter {
    record_count: u32,
    records: JsonListWriter,
    fingerprints: JsonListWriter,
}

impl PartWriter {
    fn new() -> Self {
        Self { record_count: 0, records: JsonListWriter::new(), fingerprints: JsonListWriter::new() }
    }

    fn finish(self) -> CompressedPart {
        CompressedPart {
            record_count: self.record_count,
            compressed_records: self.records.finish(),
            compressed_fingerprints: self.fingerprints.finish(),
        }
    }
}

/// A JSON list that is compressed while it is written.
struct JsonListWriter {
    compressor: Compressor,
    item: Vec<u8>,
    is_empty: bool,
}

impl JsonListWriter {
    fn new() -> Self {
        Self { compressor: Compressor::new(), item: Vec::new(), is_empty: true }
    }

    /// Appends an item. Results are ignored because writing to memory does not fail.
    fn add(&mut self, item: &impl Serialize) {
        self.item.clear();
        self.item.push(if self.is_empty { b'[' } else { b',' });
        self.is_empty = false;
        let _ = serde_json::to_writer(&mut self.item, item);
        let _ = self.compressor.write_all(&self.item);
    }

    fn finish(mut self) -> Vec<u8> {
        let _ = self.compressor.write_all(if self.is_empty { b"[]" } else { b"]" });
        self.compressor.finish()
    }
}
