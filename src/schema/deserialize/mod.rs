//! Reads records from JSON and TOML, and reports all field errors of a document together.
//!
//! A document is read as a stream, straight into scalars. No intermediate tree is built, so large bodies need little memory.
//! A field that cannot be used is recorded with its JSON Pointer, and reading continues. Only text that is not well-formed stops it.

mod context;
mod field_state;
mod from_document;
mod json;
mod list;
mod scalar;
mod settings;
pub(crate) mod visitor;

pub use context::{DeserializeContext, MAX_LISTED_ERRORS, NamingConvention, TOO_MANY_ERRORS};
pub use field_state::FieldState;
pub use from_document::FromDocument;
pub use json::from_json;
pub use list::for_each_item;
pub use settings::from_toml;
