//! Lists with a minimum and a maximum length.

use serde::{Deserializer, Serialize};

use crate::schema::InvalidValue;
use crate::schema::deserialize::{DeserializeContext, FromDocument, Outline};
use crate::schema::openapi::{PropertySchema, SchemaOrRef, Schemas, bounded_array_schema};

/// A list of `MIN` to `MAX` items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct List<T, const MIN: usize, const MAX: usize>(Vec<T>);

impl<T, const MIN: usize, const MAX: usize> List<T, MIN, MAX> {
    /// Returns a list; `None` if the number of items is out of bounds.
    pub fn new(items: Vec<T>) -> Option<Self> {
        (MIN..=MAX).contains(&items.len()).then_some(Self(items))
    }

    /// Returns the items.
    pub fn items(&self) -> &[T] {
        &self.0
    }
}

impl<T: FromDocument, const MIN: usize, const MAX: usize> FromDocument for List<T, MIN, MAX> {
    fn read<'de, D: Deserializer<'de>>(input: D, context: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        let Some(items) = Vec::read(input, context)? else { return Ok(None) };
        let count = items.len();
        let list = Self::new(items);
        if list.is_none() {
            let code = if count < MIN { "too_few" } else { "too_many" };
            context.add_error(InvalidValue { code, detail: format!("must have {MIN} to {MAX} items, has {count}").into() });
        }
        Ok(list)
    }

    fn outline(outline: &mut Outline) {
        outline.add_items(T::outline);
    }
}

impl<T: PropertySchema, const MIN: usize, const MAX: usize> PropertySchema for List<T, MIN, MAX> {
    fn schema() -> SchemaOrRef {
        bounded_array_schema::<T>(MIN, MAX)
    }

    fn collect(schemas: &mut Schemas) {
        T::collect(schemas);
    }
}
