//! The schemas of properties: what each type looks like inside a record.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};

use super::code_list::{self, VERBATIM};
use super::component::{SchemaOrRef, Schemas};
use crate::schema::{Constraints, Scalar};

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
        T::CONSTRAINTS.code_table.map_or_else(|| scalar_schema(&T::CONSTRAINTS).into(), |table| code_list::reference(table.name))
    }

    fn collect(schemas: &mut Schemas) {
        schemas.extend(T::CONSTRAINTS.code_table.map(code_list::component));
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
        array::<T>().into()
    }

    fn collect(schemas: &mut Schemas) {
        T::collect(schemas);
    }
}

macro_rules! property_schemas {
    ($($t:ty => $schema:expr,)*) => {$(
        impl PropertySchema for $t {
            fn schema() -> SchemaOrRef {
                $schema.into()
            }
        }
    )*};
}
property_schemas! {
    bool => ObjectBuilder::new().schema_type(Type::Boolean),
    String => ObjectBuilder::new().schema_type(Type::String),
    &'static str => ObjectBuilder::new().schema_type(Type::String),
    Cow<'static, str> => ObjectBuilder::new().schema_type(Type::String),
    i32 => integer(KnownFormat::Int32).minimum(Some(i32::MIN)).maximum(Some(i32::MAX)),
    u32 => integer(KnownFormat::Int32).minimum(Some(0)),
    i64 => integer(KnownFormat::Int64),
}

fn integer(format: KnownFormat) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).format(Some(SchemaFormat::KnownFormat(format)))
}

/// Returns the schema of an integer with a minimum and a maximum.
pub fn bounded_integer_schema(minimum: i32, maximum: i32) -> SchemaOrRef {
    integer(KnownFormat::Int32).minimum(Some(minimum)).maximum(Some(maximum)).into()
}

/// Returns an array whose example has the example of an item.
fn array<T: PropertySchema>() -> ArrayBuilder {
    let items = T::schema();
    let example = match &items {
        RefOr::T(Schema::Object(item)) => item.examples.first().map(|example| serde_json::json!([example])),
        _ => None,
    };
    ArrayBuilder::new().items(items).examples(example)
}

/// Returns the schema of an array with a minimum and a maximum length.
pub fn bounded_array_schema<T: PropertySchema>(min_items: usize, max_items: usize) -> SchemaOrRef {
    array::<T>().min_items(Some(min_items)).max_items(Some(max_items)).into()
}

/// Returns the schema of an array with at least one item.
pub fn non_empty_array_schema<T: PropertySchema>() -> SchemaOrRef {
    array::<T>().min_items(Some(1)).into()
}

/// Returns the schema of a value that LRS sent: one that meets the constraints, or any other text.
pub fn extensible_string_schema(constraints: &Constraints) -> SchemaOrRef {
    if let Some(table) = constraints.code_table {
        return code_list::reference(table.answer_name);
    }
    let description = format!("{} {VERBATIM}", constraints.description);
    ObjectBuilder::new().schema_type(Type::String).description(Some(description)).examples(example(constraints)).into()
}

/// Adds the named schema that [`extensible_string_schema`] refers to, if it does.
pub fn collect_extensible_string(constraints: &Constraints, schemas: &mut Schemas) {
    schemas.extend(constraints.code_table.map(code_list::verbatim_component));
}

fn scalar_schema(constraints: &Constraints) -> Schema {
    let mut schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(constraints.description).filter(|description| !description.is_empty()))
        .min_length(constraints.min_length)
        .max_length(constraints.max_length)
        .pattern(constraints.pattern)
        .examples(example(constraints));
    if let Some(format) = constraints.format {
        schema = schema.format(Some(SchemaFormat::Custom(format.to_owned())));
    }
    schema.into()
}

fn example(constraints: &Constraints) -> Option<serde_json::Value> {
    Some(constraints.example).filter(|example| !example.is_empty()).map(serde_json::Value::from)
}
