//! Writes JSON members into a line. Log lines and audit lines are written for each call, so no value takes a detour.

use serde::Serialize;

/// Writes a member of an object, with a comma after it.
pub fn write_member(line: &mut Vec<u8>, name: &str, value: &(impl Serialize + ?Sized)) {
    write_text(line, name);
    line.push(b':');
    write_value(line, value);
    line.push(b',');
}

/// Writes a member whose value is a text, with a comma after it.
pub fn write_text_member(line: &mut Vec<u8>, name: &str, value: &str) {
    write_text(line, name);
    line.push(b':');
    write_text(line, value);
    line.push(b',');
}

/// Writes a text as a JSON string.
pub fn write_text(line: &mut Vec<u8>, text: &str) {
    // Without a branch for each byte, the compiler compares many bytes at once.
    let needs_escape = text.bytes().fold(false, |found, byte| found | matches!(byte, ..b' ' | b'"' | b'\\'));
    if needs_escape {
        write_value(line, text);
    } else {
        line.reserve(text.len() + 2);
        line.push(b'"');
        line.extend_from_slice(text.as_bytes());
        line.push(b'"');
    }
}

/// Writes a value. A vector takes all bytes, and the values of a line have a JSON form, so this does not fail.
fn write_value(line: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    let _ = serde_json::to_writer(line, value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_as_json_is_read_as_the_same_text(text in any::<String>()) {
            let mut line = Vec::new();
            write_text(&mut line, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&line).expect("JSON"), text);
        }
    }

    #[test]
    fn text_with_each_ascii_character_is_read_as_the_same_text() {
        for character in '\0'..='\u{7f}' {
            for text in [character.to_string(), format!("{}{character}{}", "a".repeat(40), "b".repeat(7))] {
                let mut line = Vec::new();
                write_text(&mut line, &text);
                assert_eq!(serde_json::from_slice::<String>(&line).expect("JSON"), text);
            }
        }
    }
}
