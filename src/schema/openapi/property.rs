//! The schemas of properties: what each type looks like inside a record.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};

use crate::schema::{Constraints, Scalar};

/// A schema, or a reference to a named schema.
pub type SchemaOrRef = RefOr<Schema>;

/// The named schemas of a document.
pub type Schemas = Vec<(String, SchemaOrRef)>;

/// A type that can be a property of a record.
pub trait PropertySchema {
    /// Whether the property is always present.
    const REQUIRED: bool = true;

    /// Returns the schema to use for the property.
    fn schema() -> SchemaOrRef;

    /// Adds the named schemas that the property's schema refers to.
    fn collect(_schemas: &mut Schemas) {}

    /// Returns `true` if the property is left out of the JSON.
    fn is_absent(&self) -> bool {
        false
    }
}

impl<T: Scalar> PropertySchema for T {
    fn schema() -> SchemaOrRef {
        scalar_schema(&T::CONSTRAINTS).into()
    }
}

impl<T: PropertySchema> PropertySchema for Option<T> {
    const REQUIRED: bool = false;

    fn schema() -> SchemaOrRef {
        T::schema()
    }

    fn collect(schemas: &mut Schemas) {
        T::collect(schemas);
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: PropertySchema> PropertySchema for Vec<T> {
    fn schema() -> SchemaOrRef {
        ArrayBuilder::new().items(T::schema()).into()
    }

    fn collect(schemas: &mut Schemas) {
        T::collect(schemas);
    }
}

macro_rules! any_string {
    ($($t:ty),*) => {$(
        impl PropertySchema for $t {
            fn schema() -> SchemaOrRef {
                ObjectBuilder::new().schema_type(Type::String).into()
            }
        }
    )*};
}
any_string!(String, &'static str, Cow<'static, str>);

macro_rules! integer_with_limits {
    ($($t:ty => $format:ident),*) => {$(
        impl PropertySchema for $t {
            fn schema() -> SchemaOrRef {
                let format = SchemaFormat::KnownFormat(KnownFormat::$format);
                let [min, max] = [<$t>::MIN, <$t>::MAX].map(|limit| isize::try_from(limit).unwrap_or_default());
                ObjectBuilder::new().schema_type(Type::Integer).format(Some(format)).minimum(Some(min)).maximum(Some(max)).into()
            }
        }
    )*};
}
integer_with_limits!(i32 => Int32, u16 => Int32);

macro_rules! integer_without_limits {
    ($($t:ty),*) => {$(
        impl PropertySchema for $t {
            fn schema() -> SchemaOrRef {
                let format = SchemaFormat::KnownFormat(KnownFormat::Int64);
                ObjectBuilder::new().schema_type(Type::Integer).format(Some(format)).into()
            }
        }
    )*};
}
integer_without_limits!(i64, u32, u64);

impl PropertySchema for bool {
    fn schema() -> SchemaOrRef {
        ObjectBuilder::new().schema_type(Type::Boolean).into()
    }
}

/// Returns the schema of an array with a minimum and a maximum length.
pub fn bounded_array_schema<T: PropertySchema>(min_items: usize, max_items: usize) -> SchemaOrRef {
    ArrayBuilder::new().items(T::schema()).min_items(Some(min_items)).max_items(Some(max_items)).into()
}

/// Returns the schema of an array with at least one item.
pub fn non_empty_array_schema<T: PropertySchema>() -> SchemaOrRef {
    ArrayBuilder::new().items(T::schema()).min_items(Some(1)).into()
}

/// Returns the schema of a string with known and unknown values.
///
/// The description lists the known values. An `enum` would break generated clients at the first unknown value.
pub fn extensible_string_schema(constraints: &Constraints) -> SchemaOrRef {
    let mut description = constraints.description.to_owned();
    if !constraints.values.is_empty() {
        let known = constraints.values.join("`, `");
        description = format!("{description} One of `{known}`.");
    }
    description.push_str(" Any other text that LRS sends is passed on unchanged.");
    let example = [serde_json::Value::from(constraints.example)];
    ObjectBuilder::new().schema_type(Type::String).description(Some(description)).examples(example).into()
}

/// Returns the schema of a string with a closed list of values.
pub fn string_enum_schema(values: &[&str]) -> SchemaOrRef {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(values.iter().copied())).into()
}

fn scalar_schema(constraints: &Constraints) -> Schema {
    let mut schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(constraints.description))
        .min_length(constraints.min_length)
        .max_length(constraints.max_length)
        .pattern(constraints.pattern)
        .examples([serde_json::Value::from(constraints.example)]);
    if let Some(format) = constraints.format {
        schema = schema.format(Some(SchemaFormat::Custom(format.to_owned())));
    }
    if !constraints.values.is_empty() {
        schema = schema.enum_values(Some(constraints.values.iter().copied()));
    }
    schema.into()
}
