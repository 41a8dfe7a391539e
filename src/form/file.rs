//! Forms in TOML files, and what is wrong with them in words.

use std::path::Path;

use toml::Table;

use super::read::{Input, Mistake, from_toml};

/// Reads a file.
///
/// # Errors
/// Every problem, naming the file and the place.
pub fn from_file<T: Input>(path: &Path) -> Result<T, Vec<String>> {
    from_table(path, table(path)?)
}

/// Reads the text of a file that has been read already.
///
/// # Errors
/// The same.
pub fn from_text<T: Input>(path: &Path, text: &str) -> Result<T, Vec<String>> {
    from_table(path, as_table(path, text)?)
}

/// Reads a file as a table, before it becomes anything.
///
/// # Errors
/// When it cannot be read or is not TOML.
pub fn table(path: &Path) -> Result<Table, Vec<String>> {
    let at = |problem: String| vec![format!("{}: {problem}", path.display())];
    let text = std::fs::read_to_string(path).map_err(|error| at(format!("cannot be read: {error}")))?;
    as_table(path, &text)
}

fn as_table(path: &Path, text: &str) -> Result<Table, Vec<String>> {
    text.parse().map_err(|error: toml::de::Error| vec![format!("{}: not well-formed TOML: {}", path.display(), error.message())])
}

/// Reads a table that came from this file.
///
/// # Errors
/// Every problem, naming the file and the place.
pub fn from_table<T: Input>(path: &Path, table: Table) -> Result<T, Vec<String>> {
    let in_words = |mistake: &Mistake| {
        let place = mistake.pointer.trim_start_matches('/').replace('/', ".");
        let colon = if place.is_empty() { "" } else { ": " };
        format!("{}: {place}{colon}{}", path.display(), mistake.detail)
    };
    from_toml(table).map_err(|mistakes| mistakes.iter().map(in_words).collect())
}
