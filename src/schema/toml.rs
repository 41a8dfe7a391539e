//! Reads records from TOML files. Errors are lines for operators: each names the file and the setting.

use std::path::Path;

use toml::{Table, Value};

use crate::schema::FieldError;
use crate::schema::deserialize::{FromDocument, from_toml, from_toml_partial};

/// Reads a record from the content of a file that was read before; `path` is used in errors.
///
/// # Errors
/// Returns every error if the file was not read, is not TOML or has invalid fields.
pub fn from_content<T: FromDocument>(path: &Path, content: Result<Vec<u8>, String>) -> Result<T, Vec<String>> {
    from_table(path, parse_content(path, content)?)
}

/// Parses the content of a file that was read before, or returns why it was not read; `path` is used in errors.
///
/// # Errors
/// Returns one error if the content is not TOML.
pub fn parse_content(path: &Path, content: Result<Vec<u8>, String>) -> Result<Table, Vec<String>> {
    let text = content.and_then(|bytes| String::from_utf8(bytes).map_err(|_| "not well-formed TOML: must be UTF-8".to_owned()));
    parse_table(path, &text.map_err(|error| vec![format!("{}: {error}", path.display())])?)
}

/// Parses the text of a file as a table; `path` is used in errors.
///
/// # Errors
/// Returns one error if the text is not TOML.
fn parse_table(path: &Path, text: &str) -> Result<Table, Vec<String>> {
    text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let (line, column) = (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1);
        vec![format!("{}: not well-formed TOML at line {line}, column {column}: {}", path.display(), error.message())]
    })
}

/// Reads a record from the table of a file; `path` is used in errors.
///
/// # Errors
/// Returns every error if the table has invalid fields.
pub fn from_table<T: FromDocument>(path: &Path, table: Table) -> Result<T, Vec<String>> {
    from_toml(table).map_err(|errors| error_lines(path, &errors))
}

/// Reads a record and leaves out its invalid fields, so that later checks can report further errors in the same run.
///
/// Returns every error, and the record unless a required field is invalid.
pub fn from_table_partial<T: FromDocument>(path: &Path, mut table: Table) -> (Option<T>, Vec<String>) {
    let (record, errors) = from_toml_partial(table.clone());
    let lines = error_lines(path, &errors);
    let without_invalid_fields = || {
        for error in &errors {
            remove_field(&mut table, &error.pointer);
        }
        from_toml_partial(table).0
    };
    (record.or_else(without_invalid_fields), lines)
}

/// Formats errors as `file: setting: detail`, with a dotted key as TOML writes it.
fn error_lines(path: &Path, errors: &[FieldError]) -> Vec<String> {
    let lines = errors.iter().map(|error| {
        let key = error.pointer.trim_start_matches('/').replace('/', ".");
        let separator = if key.is_empty() { "" } else { ": " };
        format!("{}: {key}{separator}{}", path.display(), error.detail)
    });
    lines.collect()
}

/// Removes the field at a JSON Pointer from its table. Items of arrays stay.
fn remove_field(table: &mut Table, pointer: &str) {
    let mut keys: Vec<&str> = pointer.split('/').skip(1).collect();
    let Some(field) = keys.pop() else { return };
    let mut parents = keys.into_iter();
    let Some(first) = parents.next() else {
        table.remove(field);
        return;
    };
    let Some(first) = table.get_mut(first) else { return };
    let parent = parents.try_fold(first, |value, key| match value {
        Value::Table(table) => table.get_mut(key),
        Value::Array(items) => key.parse().ok().and_then(|index: usize| items.get_mut(index)),
        _ => None,
    });
    if let Some(Value::Table(table)) = parent {
        table.remove(field);
    }
}
