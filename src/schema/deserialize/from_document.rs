//! The trait of everything that can be read from a document.

use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer};

use super::context::DeserializeContext;
use super::outline::Outline;

/// A value that can be read from a document.
pub trait FromDocument: Sized {
    /// Reads one value. Returns `None` if it cannot be used; `context` then holds the errors.
    ///
    /// # Errors
    /// Returns an error if the document is not well-formed.
    fn read<'de, D: Deserializer<'de>>(input: D, context: &mut DeserializeContext) -> Result<Option<Self>, D::Error>;

    /// Returns the value of a field that the document does not contain; `None` if the field is required.
    fn absent() -> Option<Self> {
        None
    }

    /// Adds the objects that such a value has to the outline of its document.
    fn outline(_outline: &mut Outline) {}
}

/// An optional field.
impl<T: FromDocument> FromDocument for Option<T> {
    fn read<'de, D: Deserializer<'de>>(input: D, context: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        Ok(T::read(input, context)?.map(Some))
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn outline(outline: &mut Outline) {
        T::outline(outline);
    }
}

/// Reads a `T` where serde expects a seed: as the value of an object's entry or the item of a list.
pub(super) struct Seed<'a, T>(&'a mut DeserializeContext, PhantomData<T>);

impl<'a, T> Seed<'a, T> {
    pub(super) const fn new(context: &'a mut DeserializeContext) -> Self {
        Self(context, PhantomData)
    }
}

impl<'de, T: FromDocument> DeserializeSeed<'de> for Seed<'_, T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        T::read(input, self.0)
    }
}
