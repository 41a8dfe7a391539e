//! Forms in TOML files, and what is wrong with them in words.

use std::path::Path;

use toml::{Table, Value};

use crate::schema::FieldError;
use crate::schema::deserialize::{FromDocument, from_toml};

/// Reads a file.
///
/// # Errors
/// Every problem, naming the file and the place.
pub fn from_file<T: FromDocument>(path: &Path) -> Result<T, Vec<String>> {
    from_table(path, table(path)?)
}

/// Reads the text of a file that has been read already.
///
/// # Errors
/// The same.
pub fn from_text<T: FromDocument>(path: &Path, text: &str) -> Result<T, Vec<String>> {
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
    text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let (above, beside) = before.rsplit_once('\n').map_or((0, before), |(above, beside)| (above.matches('\n').count() + 1, beside));
        let (line, column) = (above + 1, beside.chars().count() + 1);
        vec![format!("{}: not well-formed TOML at line {line}, column {column}: {}", path.display(), error.message())]
    })
}

/// Reads a table that came from this file.
///
/// # Errors
/// Every problem, naming the file and the place.
pub fn from_table<T: FromDocument>(path: &Path, table: Table) -> Result<T, Vec<String>> {
    from_toml(table).map_err(|mistakes| in_words(path, &mistakes))
}

/// The same, and what is there without whatever is wrong, if that is enough: so that what is wrong with it otherwise can be told as well.
pub fn as_far_as_possible<T: FromDocument>(path: &Path, mut table: Table) -> (Option<T>, Vec<String>) {
    match from_toml(table.clone()) {
        Ok(value) => (Some(value), Vec::new()),
        Err(mistakes) => {
            for mistake in &mistakes {
                take_out(&mut table, &mistake.pointer);
            }
            (from_toml(table).ok(), in_words(path, &mistakes))
        }
    }
}

fn in_words(path: &Path, mistakes: &[FieldError]) -> Vec<String> {
    let said = mistakes.iter().map(|mistake| {
        let place = mistake.pointer.trim_start_matches('/').replace('/', ".");
        let colon = if place.is_empty() { "" } else { ": " };
        format!("{}: {place}{colon}{}", path.display(), mistake.detail)
    });
    said.collect()
}

fn take_out(table: &mut Table, pointer: &str) {
    let mut steps: Vec<&str> = pointer.split('/').skip(1).collect();
    let Some(last) = steps.pop() else { return };
    let mut within = steps.into_iter();
    let Some(first) = within.next() else {
        table.remove(last);
        return;
    };
    let Some(first) = table.get_mut(first) else { return };
    let found = within.try_fold(first, |value, step| match value {
        Value::Table(table) => table.get_mut(step),
        Value::Array(items) => step.parse().ok().and_then(|at: usize| items.get_mut(at)),
        _ => None,
    });
    if let Some(Value::Table(table)) = found {
        table.remove(last);
    }
}
