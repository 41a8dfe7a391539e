//! JSON Schemas for the OpenAPI document, derived from the declarations of scalars, code lists and records.

mod code_list;
mod component;
mod object;
mod property;

pub use component::{SchemaOrRef, Schemas};
pub use object::{Property, collect_schema, object_schema, schema_reference};
pub use property::{PropertySchema, bounded_array_schema, collect_extensible_string, extensible_string_schema, non_empty_array_schema};
pub use utoipa::{PartialSchema, ToSchema};
