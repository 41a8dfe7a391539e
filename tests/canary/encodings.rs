//! The encodings in which a value could leak.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Minimum length of a Base64 text to search for. A shorter one would occur by chance.
const MIN_BASE64_LENGTH: usize = 8;

/// Returns a text in every encoding from which it could be read: plain, both cases, percent-encoded, as a form, XML, UTF-16, hexadecimal
/// and Base64.
pub fn encodings_of(text: &str) -> Vec<String> {
    let percent = text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    let form = text.replace(' ', "+");
    let xml = text.replace('&', "&amp;").replace('\'', "&apos;");
    let utf16 = text.chars().flat_map(|character| [character, '\0']);
    let hexadecimal: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut encodings = vec![text.to_owned(), percent.collect(), form, xml, utf16.collect(), text.to_lowercase(), text.to_uppercase()];
    encodings.extend([hexadecimal.to_uppercase(), hexadecimal]);
    encodings.extend(base64_parts(text));
    encodings
}

/// Returns the Base64 of a longer text that contains this one: for each of the three alignments, without the characters at both ends, which
/// depend on the surrounding text.
fn base64_parts(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    for preceding_bytes in 0..3 {
        let encoded = STANDARD.encode([vec![b' '; preceding_bytes], text.as_bytes().to_vec()].concat());
        let start = [0, 2, 3][preceding_bytes] + usize::from(preceding_bytes > 0) * 2;
        let end = encoded.trim_end_matches('=').len().saturating_sub(1);
        let part = encoded.get(start..end).unwrap_or_default();
        if part.len() >= MIN_BASE64_LENGTH {
            parts.push(part.to_owned());
            parts.push(part.replace('+', "-").replace('/', "_"));
        }
    }
    parts
}

#[test]
fn canary_encodings_find_a_value_in_base64_at_any_position_and_in_both_cases() {
    for text in ["Canarygiven", "Canary-O'Family", "1997-03-17", super::PASSWORD] {
        let is_found_in = |content: &str| encodings_of(text).iter().any(|encoding| content.contains(encoding));
        for preceding in ["", "a", "ab", "abc", "{\"a\":\""] {
            let content = format!("{preceding}{text}\"}}");
            assert!(is_found_in(&STANDARD.encode(&content)), "{content} in Base64");
            assert!(is_found_in(&base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&content)), "{content} in Base64 for URLs");
            assert!(is_found_in(&content) && is_found_in(&content.to_uppercase()), "{content}");
        }
        assert!(!is_found_in("other content"));
    }
}

#[test]
fn canary_encodings_include_percent_form_xml_utf16_and_hexadecimal() {
    let encodings = encodings_of("Ca-& O'n");
    for expected in
        ["Ca%2D%26%20O%27n", "Ca-&+O'n", "Ca-&amp; O&apos;n", "C\0a\0-\0&\0 \0O\0'\0n\0", "43612d26204f276e", "43612D26204F276E"]
    {
        assert!(encodings.iter().any(|encoding| encoding == expected), "{expected:?} is not in {encodings:?}");
    }
}
