//! The user name in a token, which LRS receives and shows to people.

use crate::domain::UserName;
use crate::schema::{InvalidValue, Scalar as _};

/// Parses the user name of a token. People compare it with other names in LRS's records, so it must look like what it is.
///
/// # Errors
/// Returns an error that does not quote the name, if LRS does not accept it, if it has a control or bidirectional character, or if it has only
/// invisible characters.
pub fn parse_user_name(text: &str) -> Result<UserName, InvalidValue> {
    if let Some(character) = text.chars().find(|&character| character.is_control() || is_bidirectional(character)) {
        let number = u32::from(character);
        let detail = format!("must not contain the character U+{number:04X}, which is a control or bidirectional character; remove it");
        return Err(InvalidValue { code: "invalid_character", detail: detail.into() });
    }
    if !text.is_empty() && text.chars().all(is_invisible) {
        return Err(InvalidValue::new("blank", "must not have only invisible characters"));
    }
    UserName::parse(text)
}

/// Returns `true` for the characters that change the direction or the lines of a text (Unicode Annex 9, 2; `Bidi_Control`).
const fn is_bidirectional(character: char) -> bool {
    matches!(character, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Returns `true` for white space, and for what is displayed as nothing (Unicode's `Default_Ignorable_Code_Point`, and the empty braille
/// pattern).
const fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '\u{AD}' | '\u{34F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}'
                | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
                | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
                | '\u{E0000}'..='\u{E0FFF}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_name_in_any_script_is_accepted() {
        for name in ["j.bloggs", "Zo\u{EB} O'Neill", "محمد", "p.o\u{2019}neill@college.example", "می\u{200C}خواهم", "x\u{AD}y"] {
            assert_eq!(parse_user_name(name).map(|name| name.as_str().to_owned()).ok().as_deref(), Some(name));
        }
    }

    #[test]
    fn user_name_with_a_control_or_bidirectional_character_is_refused_and_not_quoted() {
        for (name, character) in [
            ("ana\u{202E}lliw", "U+202E"),
            ("ana\u{2066}", "U+2066"),
            ("ana\n", "U+000A"),
            ("\u{85}ana", "U+0085"),
            ("ana\u{200F}", "U+200F"),
        ] {
            let detail = parse_user_name(name).expect_err(name).detail;
            assert!(detail.contains(character) && !detail.contains("ana"), "{detail}");
        }
    }

    #[test]
    fn user_name_of_only_invisible_characters_is_refused() {
        for name in ["\u{200B}", "\u{AD}\u{2060} ", "\u{3164}", "\u{2800}\u{FE0F}", "\u{E0041}"] {
            assert_eq!(parse_user_name(name).expect_err("invisible").code, "blank");
        }
    }
}
