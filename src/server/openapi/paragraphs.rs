//! Line breaks in descriptions. Markdown of some viewers keeps those of the source, so that a paragraph must be one line.

use serde_json::Value;

/// Joins the lines of each paragraph and each item of a list, in all descriptions of a document.
pub fn unwrap_paragraphs(node: &mut Value) {
    match node {
        Value::Array(items) => items.iter_mut().for_each(unwrap_paragraphs),
        Value::Object(object) => {
            for (key, child) in object {
                match child {
                    Value::String(text) if key == "description" => *text = unwrapped(text),
                    child => unwrap_paragraphs(child),
                }
            }
        }
        _ => {}
    }
}

fn unwrapped(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    for line in text.lines() {
        let is_continued = !joined.is_empty() && !joined.ends_with('\n') && !line.is_empty() && !is_item(line);
        match (is_continued, joined.is_empty()) {
            (true, _) => joined.push(' '),
            (false, true) => {}
            (false, false) => joined.push('\n'),
        }
        joined.push_str(if is_continued { line.trim_start() } else { line });
    }
    joined
}

/// Returns `true` for the first line of an item: `* ` or `1. `.
fn is_item(line: &str) -> bool {
    let number = line.trim_start_matches(|digit: char| digit.is_ascii_digit());
    line.starts_with("* ") || (number.len() < line.len() && number.starts_with(". "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unwrapped_text_has_line_breaks_only_between_paragraphs_and_items() {
        let text = "One\ntwo.\n\n* Three\n  four.\n* Five.\n\n1. Six\nseven.\n12. Eight.\n\nNine\n2026 was ten.";
        assert_eq!(unwrapped(text), "One two.\n\n* Three four.\n* Five.\n\n1. Six seven.\n12. Eight.\n\nNine 2026 was ten.");
    }
}
