//! Lists with a length.

use serde::Deserializer;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use crate::schema::InvalidValue;
use crate::schema::deserialize::{DeserializeContext, FromDocument};
use crate::schema::openapi::{PropertySchema, Schemas};

/// A list of `MIN` to `MAX` items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T, const MIN: usize, const MAX: usize>(Vec<T>);

impl<T, const MIN: usize, const MAX: usize> List<T, MIN, MAX> {
    /// The items.
    pub fn items(&self) -> &[T] {
        &self.0
    }
}

impl<T: FromDocument, const MIN: usize, const MAX: usize> FromDocument for List<T, MIN, MAX> {
    fn read<'de, D: Deserializer<'de>>(input: D, reading: &mut DeserializeContext) -> Result<Option<Self>, D::Error> {
        let Some(items) = Vec::read(input, reading)? else { return Ok(None) };
        if (MIN..=MAX).contains(&items.len()) {
            return Ok(Some(Self(items)));
        }
        let code = if items.len() < MIN { "too_few" } else { "too_many" };
        reading.note(InvalidValue { code, detail: format!("must have {MIN} to {MAX} items, has {}", items.len()).into() });
        Ok(None)
    }
}

impl<T: PropertySchema, const MIN: usize, const MAX: usize> PropertySchema for List<T, MIN, MAX> {
    fn schema() -> RefOr<Schema> {
        let mut schema = Vec::<T>::schema();
        if let RefOr::T(Schema::Array(array)) = &mut schema {
            array.min_items = Some(MIN);
            array.max_items = Some(MAX);
        }
        schema
    }

    fn collect(list: &mut Schemas) {
        T::collect(list);
    }
}
