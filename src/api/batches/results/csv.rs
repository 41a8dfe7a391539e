//! Results as CSV (RFC 4180).

use serde::Serialize;
use serde_json::Value;

/// The byte order mark of UTF-8, by which spreadsheets recognise the encoding.
const BYTE_ORDER_MARK: &str = "\u{FEFF}";

/// How CSV is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CsvOptions {
    /// Whether a cell that spreadsheets would take for a formula gets an apostrophe before it.
    pub escapes_formulas: bool,
    /// Whether the text starts with a byte order mark.
    pub has_byte_order_mark: bool,
}

impl CsvOptions {
    /// Returns what comes before the first result: the byte order mark, and the header row for columns that are given as paths in the JSON of
    /// a result.
    pub fn header(self, columns: &[String]) -> Vec<u8> {
        let mark = if self.has_byte_order_mark { BYTE_ORDER_MARK } else { "" };
        [mark.as_bytes(), &csv_line(column_names(columns).into_iter())].concat()
    }

    /// Returns the row of a result.
    pub fn row(self, result: &impl Serialize, columns: &[String]) -> Vec<u8> {
        let value = serde_json::to_value(result).unwrap_or_default();
        csv_line(columns.iter().map(|path| cell(&value, path)).map(|cell| self.escape(cell)))
    }

    fn escape(self, cell: String) -> String {
        if self.escapes_formulas && cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell }
    }
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
    fn csv_formulas_are_escaped_only_on_request_and_only_at_the_start_of_a_cell() {
        let result = serde_json::json!({"a": "=1+1", "b": ["-2", "+3"], "c": "\t=1", "d": "\r=1", "e": "1=1", "f": "@A", "g": -1});
        let columns = ["a", "b", "c", "d", "e", "f", "g"].map(str::to_owned);
        let row = |options: CsvOptions| String::from_utf8(options.row(&result, &columns)).expect("text");
        assert_eq!(row(CsvOptions::default()), "=1+1,\"-2\n+3\",\t=1,\"\r=1\",1=1,@A,-1\r\n");
        let escaped = CsvOptions { escapes_formulas: true, ..CsvOptions::default() };
        assert_eq!(row(escaped), "'=1+1,\"'-2\n+3\",'\t=1,\"'\r=1\",1=1,'@A,'-1\r\n");
    }

    #[test]
    fn csv_column_names_are_unique() {
        let columns = ["position", "uln", "learner.uln", "learner.givenName"].map(str::to_owned);
        assert_eq!(column_names(&columns), ["position", "uln", "learnerUln", "givenName"]);
    }
}
