//! A wrapper for personal data.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::schema::openapi::{PropertySchema, SchemaOrRef, Schemas};
use crate::xml::{FromXmlText, ToXmlText};

/// Personal data. `{:?}` prints `[personal]`, and there is no `Display`.
///
/// It serialises to the wrapped value, because answers to callers contain it.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Personal<T>(T);

impl<T> Personal<T> {
    /// Wraps a value so that `Debug` does not print it.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the value. It must not be logged.
    pub const fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[personal]")
    }
}

impl<T: Serialize> Serialize for Personal<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// Reads stored data.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Personal<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

impl<T: PropertySchema> PropertySchema for Personal<T> {
    fn schema() -> SchemaOrRef {
        T::schema()
    }

    fn collect(schemas: &mut Schemas) {
        T::collect(schemas);
    }
}

impl<T: ToXmlText> ToXmlText for Personal<T> {
    fn to_xml_text(&self) -> Cow<'_, str> {
        self.0.to_xml_text()
    }
}

impl<T: FromXmlText> FromXmlText for Personal<T> {
    const ALLOWS_BLANK: bool = T::ALLOWS_BLANK;

    fn from_xml_text(text: Cow<'_, str>) -> Option<Self> {
        T::from_xml_text(text).map(Self)
    }
}
