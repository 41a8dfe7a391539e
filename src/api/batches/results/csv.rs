//! Results as CSV (RFC 4180).

use serde::Serialize;
use serde_json::Value;

/// Returns the header row for columns that are given as paths in the JSON of a result.
pub fn header_row(columns: &[String]) -> Vec<u8> {
    csv_line(column_names(columns).into_iter())
}

/// Returns the row of a result.
pub fn row(result: &impl Serialize, columns: &[String]) -> Vec<u8> {
    let value = serde_json::to_value(result).unwrap_or_default();
    csv_line(columns.iter().map(|path| cell(&value, path)))
}

/// Returns the names of the columns: the last name of each path. If another column has that name, the parent's name comes before it.
fn column_names(columns: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for path in columns {
        let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
        let is_taken = names.iter().any(|taken| taken == name);
        names.push(if is_taken { format!("{parent}{}{}", name[..1].to_ascii_uppercase(), &name[1..]) } else { name.to_owned() });
    }
    names
}

/// Returns the text at a path. Items of a list are separated by line breaks.
fn cell(value: &Value, path: &str) -> String {
    let found = path.split('.').fold(value, |value, name| &value[name]);
    match found {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            items.iter().map(|item| item["flag"].as_str().or(item.as_str()).unwrap_or_default()).collect::<Vec<_>>().join("\n")
        }
        other => other.to_string(),
    }
}

fn csv_line(cells: impl Iterator<Item = String>) -> Vec<u8> {
    let quoted = |cell: String| {
        if cell.contains([',', '"', '\r', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
    };
    let mut line = cells.map(quoted).collect::<Vec<_>>().join(",").into_bytes();
    line.extend_from_slice(b"\r\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_cell_with_special_characters_is_quoted() {
        let line = csv_line(["a", "b,c", "d \"e\"", "f\ng", ""].map(str::to_owned).into_iter());
        assert_eq!(String::from_utf8(line).expect("text"), "a,\"b,c\",\"d \"\"e\"\"\",\"f\ng\",\r\n");
    }

    #[test]
    fn csv_column_names_are_unique() {
        let columns = ["position", "uln", "learner.uln", "learner.givenName"].map(str::to_owned);
        assert_eq!(column_names(&columns), ["position", "uln", "learnerUln", "givenName"]);
    }
}
