//! Reads records from JSON and TOML, and reports all field errors of a document together.
//!
//! A document is read as a stream, straight into scalars. No intermediate tree is built, so large bodies need little memory.
//! A field that cannot be used is recorded with its JSON Pointer, and reading continues. Only text that is not well-formed stops it.

mod canonical;
mod context;
mod exact_integer;
mod field_state;
mod from_document;
mod json;
mod list;
mod map;
mod object;
mod one_or_more;
mod outline;
mod range;
mod required_if;
mod scalar;
mod settings;
mod unknown_field;
mod value;

pub use context::{DeserializeContext, MAX_LISTED_ERRORS, TOO_MANY_ERRORS};
pub use field_state::FieldState;
pub use from_document::FromDocument;
pub use json::{ParsedBody, from_json, from_json_with_digest};
pub use list::for_each_item;
pub use object::{FieldKey, ReadFields, next_key, read_object};
pub use one_or_more::OneOrMore;
pub use outline::{FieldNames, Outline};
pub use range::{Ranged, check_range, range_text};
pub use required_if::require_if;
pub use settings::{from_toml, from_toml_partial};
