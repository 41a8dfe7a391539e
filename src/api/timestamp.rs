//! Timestamps in answers.

use serde::{Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};

use crate::batches::model::EpochMillis;
use crate::schema::openapi::PropertySchema;

/// A timestamp in the format of RFC 3339, with milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Timestamp(pub EpochMillis);

impl From<jiff::Timestamp> for Timestamp {
    fn from(timestamp: jiff::Timestamp) -> Self {
        Self(EpochMillis(timestamp.as_millisecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl PropertySchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
        let example = [serde_json::Value::from("2026-09-01T08:15:30.250Z")];
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).examples(example).into()
    }
}
