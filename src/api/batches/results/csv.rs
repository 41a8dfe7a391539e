//! Results as CSV (RFC 4180).

use std::borrow::Cow;

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
    /// Writes what comes before the first result: the byte order mark, and the header row for columns that are given as paths in the JSON of
    /// a result.
    pub fn write_header(self, text: &mut Vec<u8>, columns: &[String]) {
        if self.has_byte_order_mark {
            text.extend_from_slice(BYTE_ORDER_MARK.as_bytes());
        }
        write_line(text, column_names(columns).iter().map(|name| Cow::Borrowed(&**name)));
    }

    /// Writes the row of a result.
    pub fn write_row(self, text: &mut Vec<u8>, result: &impl Serialize, columns: &[String]) {
        let value = serde_json::to_value(result).unwrap_or_default();
        write_line(text, columns.iter().map(|path| cell(&value, path)).map(|cell| self.escape(cell)));
    }

    fn escape(self, cell: Cow<'_, str>) -> Cow<'_, str> {
        if self.escapes_formulas && cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}").into() } else { cell }
    }
}

/// Returns the names of the columns: the last name of each path. If another column has that name, the parent's name comes before it.
pub fn column_names(columns: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for path in columns {
        let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
        let is_taken = names.iter().any(|taken| taken == name);
        names.push(if is_taken { format!("{parent}{}{}", name[..1].to_ascii_uppercase(), &name[1..]) } else { name.to_owned() });
    }
    names
}

/// Returns the text at a path. Items of a list are separated by line breaks.
fn cell<'v>(value: &'v Value, path: &str) -> Cow<'v, str> {
    let found = path.split('.').fold(value, |value, name| &value[name]);
    match found {
        Value::Null => "".into(),
        Value::String(text) => text.into(),
        Value::Array(items) => {
            let texts = items.iter().map(|item| item["flag"].as_str().or(item.as_str()).unwrap_or_default());
            texts.collect::<Vec<_>>().join("\n").into()
        }
        other => other.to_string().into(),
    }
}

fn write_line<'c>(text: &mut Vec<u8>, cells: impl Iterator<Item = Cow<'c, str>>) {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            text.push(b',');
        }
        if cell.contains([',', '"', '\r', '\n']) {
            text.extend([b"\"", cell.replace('"', "\"\"").as_bytes(), b"\""].concat());
        } else {
            text.extend_from_slice(cell.as_bytes());
        }
    }
    text.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_cell_with_special_characters_is_quoted() {
        let mut line = Vec::new();
        write_line(&mut line, ["a", "b,c", "d \"e\"", "f\ng", ""].map(Cow::Borrowed).into_iter());
        assert_eq!(String::from_utf8(line).expect("text"), "a,\"b,c\",\"d \"\"e\"\"\",\"f\ng\",\r\n");
    }

    #[test]
    fn csv_formulas_are_escaped_only_on_request_and_only_at_the_start_of_a_cell() {
        let result = serde_json::json!({"a": "=1+1", "b": ["-2", "+3"], "c": "\t=1", "d": "\r=1", "e": "1=1", "f": "@A", "g": -1});
        let columns = ["a", "b", "c", "d", "e", "f", "g"].map(str::to_owned);
        let row = |options: CsvOptions| {
            let mut row = Vec::new();
            options.write_row(&mut row, &result, &columns);
            String::from_utf8(row).expect("text")
        };
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
