//! Splitting: any number of records, read one by one, becomes parts of a size that LRS takes.
//!
//! Each record is checked, packed into its part and forgotten, so that a request of any size costs little more than its own bytes.

use std::io::Write as _;
use std::marker::PhantomData;

use serde::{Deserializer, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use crate::batches::batch_kind::BatchKind;
use crate::schema::InvalidValue;
use crate::schema::deserialize::{DeserializeContext, FromDocument, each};
use crate::schema::openapi::{PropertySchema, Schemas};
use crate::storage::encryption::Compressor;

/// Records of a kind, one or more, split and packed.
pub struct Parts<K> {
    parts: Vec<PackedPart>,
    kind: PhantomData<fn() -> K>,
}

/// The records of one part, and what tells them apart, packed.
pub struct PackedPart {
    /// How many there are.
    pub records: u32,
    /// A JSON list of them.
    pub packed_records: Vec<u8>,
    /// A JSON list of their marks.
    pub packed_index: Vec<u8>,
}

impl<K: BatchKind> Parts<K> {
    /// How many records there are.
    pub fn records(&self) -> usize {
        self.parts.iter().map(|part| part.records as usize).sum()
    }

    /// The parts.
    pub fn into_parts(self) -> Vec<PackedPart> {
        self.parts
    }
}

impl<K> std::fmt::Debug for Parts<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} parts]", self.parts.len())
    }
}

impl<K: BatchKind> FromDocument for Parts<K> {
    fn read<'de, D: Deserializer<'de>>(input: D, reading: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        let mut splitter = Splitter::<K>::new();
        if !each(input, reading, |record: K::Record| splitter.add(&record))? {
            return Ok(None);
        }
        let parts = splitter.finish();
        if parts.is_empty() {
            reading.note(InvalidValue::new("too_few", "must have at least 1 item"));
            return Ok(None);
        }
        Ok(Some(Self { parts, kind: PhantomData }))
    }
}

impl<K: BatchKind> PropertySchema for Parts<K> {
    fn schema() -> RefOr<Schema> {
        let mut schema = Vec::<K::Record>::schema();
        if let RefOr::T(Schema::Array(array)) = &mut schema {
            array.min_items = Some(1);
        }
        schema
    }

    fn collect(list: &mut Schemas) {
        K::Record::collect(list);
    }
}

struct Splitter<K> {
    done: Vec<PackedPart>,
    open: Option<(u32, List, List)>,
    kind: PhantomData<fn() -> K>,
}

impl<K: BatchKind> Splitter<K> {
    const fn new() -> Self {
        Self { done: Vec::new(), open: None, kind: PhantomData }
    }

    fn add(&mut self, record: &K::Record) {
        let (count, records, index) = self.open.get_or_insert_with(|| (0, List::new(), List::new()));
        records.add(record);
        index.add(&K::fingerprint(record));
        *count += 1;
        if *count as usize >= K::MAX_RECORDS_PER_JOB {
            self.close();
        }
    }

    fn close(&mut self) {
        if let Some((records, packed, index)) = self.open.take() {
            self.done.push(PackedPart { records, packed_records: packed.finish(), packed_index: index.finish() });
        }
    }

    fn finish(mut self) -> Vec<PackedPart> {
        self.close();
        self.done
    }
}

/// A JSON list being packed.
struct List {
    packing: Compressor,
    item: Vec<u8>,
    empty: bool,
}

impl List {
    fn new() -> Self {
        Self { packing: Compressor::new(), item: Vec::new(), empty: true }
    }

    /// Writing to memory does not fail.
    fn add(&mut self, item: &impl Serialize) {
        self.item.clear();
        self.item.push(if self.empty { b'[' } else { b',' });
        self.empty = false;
        let _ = serde_json::to_writer(&mut self.item, item);
        let _ = self.packing.write_all(&self.item);
    }

    fn finish(mut self) -> Vec<u8> {
        let _ = self.packing.write_all(if self.empty { b"[]" } else { b"]" });
        self.packing.finish()
    }
}
