//! The characters that XML 1.0 allows, and numeric references to characters.

/// The character that stands for one that XML does not allow.
pub const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Returns `true` if XML 1.0 allows this character (production `Char`).
pub const fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{1_0000}'..='\u{10_FFFF}')
}

/// Returns `true` if the text has only characters that XML allows and that are no line ends in need of conversion. `false` does not mean that it
/// has another one.
pub fn has_only_plain_characters(text: &str) -> bool {
    /// The number of bytes that are looked at before the result is.
    const BLOCK_BYTES: usize = 512;
    // The characters that XML does not allow are control characters, and U+FFFE and U+FFFF, whose first byte in UTF-8 is 0xEF. Surrogates
    // cannot occur. Without a branch for each byte, the compiler makes vector instructions of it.
    let is_plain = |byte: u8| !matches!(byte, 0..=0x08 | 0x0B..=0x1F | 0xEF);
    text.as_bytes().chunks(BLOCK_BYTES).all(|block| block.iter().fold(true, |all, byte| all & is_plain(*byte)))
}

/// Returns `true` if the text has only characters that XML allows and that need no escape. `false` does not mean that it has another one. Most texts
/// are so short that a table is faster than vector instructions.
pub fn is_written_as_it_is(text: &str) -> bool {
    const IS_OTHER: [bool; 256] = {
        let mut is_other = [false; 256];
        let mut byte = 0;
        while byte < b' ' {
            is_other[byte as usize] = byte != b'\t' && byte != b'\n';
            byte += 1;
        }
        is_other[b'<' as usize] = true;
        is_other[b'>' as usize] = true;
        is_other[b'&' as usize] = true;
        is_other[0xEF] = true; // first byte of U+FFFE and U+FFFF, as above
        is_other
    };
    !text.bytes().fold(false, |any, byte| any | IS_OTHER[usize::from(byte)])
}

/// Returns the number of a numeric reference, such as `65` or `x41`; `None` if the text is not a number. Very large numbers are equal.
pub fn referenced_number(text: &str) -> Option<u32> {
    let (digits, radix) = text.strip_prefix('x').map_or((text, 10), |digits| (digits, 16));
    let is_number = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    is_number.then(|| u32::from_str_radix(digits, radix).unwrap_or(u32::MAX))
}

/// Returns the character with this number; `None` if there is none, or if XML does not allow it.
pub fn xml_char(number: u32) -> Option<char> {
    char::from_u32(number).filter(|c| is_xml_char(*c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric_reference_is_a_character_a_forbidden_character_or_no_number() {
        for (text, expected) in [
            ("65", Some(Some('A'))),
            ("x41", Some(Some('A'))),
            ("x1F600", Some(Some('\u{1F600}'))),
            ("x9", Some(Some('\t'))),
            ("x1f", Some(None)),
            ("0", Some(None)),
            ("xD800", Some(None)),
            ("xFFFE", Some(None)),
            ("x110000", Some(None)),
            ("99999999999999999999", Some(None)),
            ("", None),
            ("x", None),
            ("X41", None),
            ("+65", None),
            ("6F", None),
            ("-1", None),
        ] {
            assert_eq!(referenced_number(text).map(xml_char), expected, "{text}");
        }
    }
}
