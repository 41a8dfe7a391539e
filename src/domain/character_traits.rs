//! What the bytes of a text say about its characters, so that few texts need a look at each character.

/// The traits of a text: what at least one of its characters is or may be. Each is a bit.
#[derive(Debug, Clone, Copy)]
pub struct CharacterTraits(u8);

const VISIBLE: u8 = 1;
const SPACE: u8 = 1 << 1;
const LOOK_ALIKE: u8 = 1 << 2;
const DENORMALISED: u8 = 1 << 3;
const FORBIDDEN: u8 = 1 << 4;

/// The traits that each byte stands for.
const OF_BYTE: [u8; 256] = {
    let mut traits = [0; 256];
    let mut byte = u8::MIN;
    loop {
        traits[byte as usize] = of_byte(byte);
        if byte == u8::MAX {
            break traits;
        }
        byte += 1;
    }
};

/// Returns the traits of an ASCII character, or of all characters whose UTF-8 starts with this byte.
const fn of_byte(byte: u8) -> u8 {
    match byte {
        b' ' => SPACE,
        b'`' => VISIBLE | LOOK_ALIKE,
        // White space; U+0080 to U+00BF, with the no-break space, accents and the soft hyphen; U+0280 to U+02FF, with modifier letters.
        b'\t' | b'\n' | b'\r' | 0xC2 | 0xCA | 0xCB => LOOK_ALIKE,
        0..b' ' => LOOK_ALIKE | FORBIDDEN,
        // Other characters up to U+027F.
        b'!'..=b'~' | 0xC0..=0xC9 => VISIBLE,
        // A control character that XML allows, and all bytes of a character but the first.
        0x7F..=0xBF => 0,
        // From U+0300, the first character that combines with another. The other white space and punctuation starts with four of the bytes.
        0xE1..=0xE3 => DENORMALISED | LOOK_ALIKE,
        0xEF => DENORMALISED | LOOK_ALIKE | FORBIDDEN,
        0xCC.. => DENORMALISED,
    }
}

impl CharacterTraits {
    /// Returns the traits of a text.
    pub fn of(text: &str) -> Self {
        Self(text.bytes().fold(0, |traits, byte| traits | OF_BYTE[usize::from(byte)]))
    }

    const fn has(self, trait_: u8) -> bool {
        self.0 & trait_ != 0
    }

    /// Returns `true` only if there is a character other than white space.
    pub const fn has_visible(self) -> bool {
        self.has(VISIBLE)
    }

    /// Returns `true` if there is a space (U+0020).
    pub const fn has_space(self) -> bool {
        self.has(SPACE)
    }

    /// Returns `false` only if no character looks like another one, and none is white space other than U+0020.
    pub const fn may_look_alike(self) -> bool {
        self.has(LOOK_ALIKE)
    }

    /// Returns `false` only if the text is in Unicode's normal form C.
    pub const fn may_be_denormalised(self) -> bool {
        self.has(DENORMALISED)
    }

    /// Returns `false` only if XML allows all characters.
    pub const fn may_be_forbidden(self) -> bool {
        self.has(FORBIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use unicode_normalization::char::canonical_combining_class;
    use unicode_normalization::{IsNormalized, is_nfc_quick};

    use super::*;
    use crate::xml::is_xml_char;

    #[test]
    fn trait_that_a_text_cannot_have_is_one_that_none_of_its_characters_has() {
        let mut buffer = [0; 4];
        for character in '\0'..=char::MAX {
            let traits = CharacterTraits::of(character.encode_utf8(&mut buffer));
            assert!(!traits.has_visible() || !character.is_whitespace(), "{character:?}");
            assert_eq!(traits.has_space(), character == ' ', "{character:?}");
            assert!(traits.may_look_alike() || character == ' ' || !character.is_whitespace(), "{character:?}");
            assert!(traits.may_be_forbidden() || is_xml_char(character), "{character:?}");
            // Neither alone nor beside others: such a character does not combine.
            let is_normalised = is_nfc_quick([character].into_iter()) == IsNormalized::Yes && canonical_combining_class(character) == 0;
            assert!(traits.may_be_denormalised() || is_normalised, "{character:?}");
        }
    }

    #[test]
    fn usual_texts_need_no_look_at_each_character() {
        for text in ["Ana", "O'Neill", "1 High Street", "Ó Súilleabháin", "Llŷn", "Màiri", "Zoë"] {
            let traits = CharacterTraits::of(text);
            assert!(
                traits.has_visible() && !traits.may_look_alike() && !traits.may_be_denormalised() && !traits.may_be_forbidden(),
                "{text}"
            );
        }
    }
}
