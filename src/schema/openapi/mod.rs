//! JSON Schemas for the OpenAPI document, derived from the declarations of scalars, code lists and records.
//!
//! What client generators make of a keyword decides whether a schema has it:
//!
//! * No `pattern` beside a `format`: generated clients apply it to the value that they have parsed, or to its text in the language's own notation.
//!   A `pattern` is anchored, because some languages match the whole text, and means the same in every engine: no lookaround, no `\d` or `\w`.
//! * No `additionalProperties: true` in answers: generated classes in Java, C# and Kotlin then have a map beside their properties or inherit from
//!   one, and types in TypeScript accept misspelt names. Without the keyword, JSON Schema allows additional properties as well. openapi-generator
//!   reads it so with `disallowAdditionalPropertiesIfNotPresent=false`: without this option, its default client in Java rejects them.
//! * No `default`: generated clients treat a property that has it as always present. The description states the default.
//! * Integers are `int32` where they can be: for `int64`, some languages have a type of its own that cannot be calculated with.

mod code_list;
mod component;
mod conditions;
mod object;
mod property;

pub use component::{SchemaOrRef, Schemas};
pub use conditions::{NOT_BLANK, expand_conditions, remove_conditions};
pub use object::{Property, collect_schema, object_schema, schema_reference};
pub use property::{
    PropertySchema, bounded_array_schema, bounded_integer_schema, collect_extensible_string, extensible_string_schema,
    non_empty_array_schema,
};
pub use utoipa::{PartialSchema, ToSchema};
