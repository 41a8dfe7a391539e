//! Objects: the records that a derive declares.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};

use super::context::DeserializeContext;
use super::value::{Accept, read_value};

/// A record that is read from an object. `derive(Request)` and `derive(Settings)` implement it.
pub trait ReadFields: Sized {
    /// Reads the fields. Returns `None` if one cannot be used; `context` then holds the errors.
    ///
    /// # Errors
    /// Returns an error if the document is not well-formed.
    fn read_fields<'de, A: MapAccess<'de>>(entries: A, context: &mut DeserializeContext) -> Result<Option<Self>, A::Error>;
}

/// Reads a record. Any other value than an object is an error.
///
/// # Errors
/// Returns an error if the document is not well-formed.
pub fn read_object<'de, T: ReadFields, D: Deserializer<'de>>(input: D, context: &mut DeserializeContext) -> Result<Option<T>, D::Error> {
    read_value(input, context, Fields(PhantomData))
}

struct Fields<T>(PhantomData<T>);

impl<'de, T: ReadFields> Accept<'de> for Fields<T> {
    type Value = T;
    const EXPECTED: &'static str = "must be an object";

    fn object<A: MapAccess<'de>>(self, entries: A, context: &mut DeserializeContext) -> Result<Option<T>, A::Error> {
        T::read_fields(entries, context)
    }
}

/// The key of an object's entry.
#[derive(Debug)]
pub enum FieldKey {
    /// The position of the field with this name.
    Known(usize),
    /// No field has this name.
    Unknown(String),
}

/// Reads the key of the next entry; `position` finds the field that it names. Only an unknown key is copied.
///
/// # Errors
/// Returns an error if the document is not well-formed.
pub fn next_key<'de, A: MapAccess<'de>>(entries: &mut A, position: fn(&str) -> Option<usize>) -> Result<Option<FieldKey>, A::Error> {
    entries.next_key_seed(KeySeed(position))
}

struct KeySeed(fn(&str) -> Option<usize>);

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = FieldKey;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<FieldKey, D::Error> {
        input.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = FieldKey;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<FieldKey, E> {
        Ok((self.0)(key).map_or_else(|| FieldKey::Unknown(key.to_owned()), FieldKey::Known))
    }
}
