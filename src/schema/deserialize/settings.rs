//! Settings: tables that were parsed from TOML.

use super::context::{DeserializeContext, NamingConvention};
use super::from_document::FromDocument;
use crate::schema::FieldError;

/// Reads a record from a TOML table.
///
/// # Errors
/// Returns every field error, in the order of the document.
pub fn from_toml<T: FromDocument>(table: toml::Table) -> Result<T, Vec<FieldError>> {
    let mut context = DeserializeContext::new(NamingConvention::Settings);
    match T::read(toml::Value::Table(table), &mut context) {
        Ok(record) => context.finish(record),
        Err(error) => Err(vec![FieldError { pointer: String::new(), code: "malformed", detail: error.to_string().into() }]),
    }
}
