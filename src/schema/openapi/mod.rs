//! JSON Schemas for the OpenAPI document, derived from the declarations of scalars and records.

mod object;
mod property;

pub(crate) use object::property_by_reference;
pub use object::{ObjectSchema, PropertyBuilder, collect_schema, object_schema, schema_reference};
pub use property::{
    PropertySchema, SchemaOrRef, Schemas, bounded_array_schema, extensible_string_schema, non_empty_array_schema, string_enum_schema,
};
