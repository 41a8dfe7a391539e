//! Settings: tables that were parsed from TOML.

use super::context::{DeserializeContext, NamingConvention};
use super::from_document::FromDocument;
use crate::schema::FieldError;

/// Reads a record from a TOML table.
///
/// # Errors
/// Returns every field error, in the order of the document.
pub fn from_toml<T: FromDocument>(table: toml::Table) -> Result<T, Vec<FieldError>> {
    let (record, errors) = from_toml_partial(table);
    record.filter(|_| errors.is_empty()).ok_or(errors)
}

/// Reads a record from a TOML table. Returns the record if each of its fields can be used, even if the table has other errors, such as
/// unknown keys and fields that contradict each other. Returns all errors too.
pub fn from_toml_partial<T: FromDocument>(table: toml::Table) -> (Option<T>, Vec<FieldError>) {
    let mut context = DeserializeContext::new(NamingConvention::Settings, T::outline);
    match T::read(toml::Value::Table(table), &mut context) {
        Ok(record) => (record, context.into_errors()),
        Err(error) => (None, vec![FieldError::new("", "malformed", error.to_string())]),
    }
}
