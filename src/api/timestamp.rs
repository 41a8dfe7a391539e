//! Timestamps in answers.

use serde::{Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};

use crate::batches::model::{EpochMillis, JobTime};
use crate::domain::{Extensible, LocalDateTime};
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

/// A time that LRS stated about a job: a timestamp, or LRS's text if it is not in a documented notation.
#[derive(Debug, Clone)]
pub struct JobTimestamp(pub JobTime);

impl Serialize for JobTimestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            JobTime::Known(time) => serializer.collect_str(time),
            JobTime::Verbatim(text) => serializer.serialize_str(text.plain().unwrap_or_default()),
        }
    }
}

impl PropertySchema for JobTimestamp {
    fn schema() -> RefOr<Schema> {
        Extensible::<LocalDateTime>::schema()
    }
}
