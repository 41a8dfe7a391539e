//! Texts that look alike: other characters in the place of an apostrophe, a hyphen or a space. People do not see the difference. Whether LRS
//! regards such texts as equal is not public.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use crate::domain::character_traits::CharacterTraits;
use crate::schema::Hint;

const TYPOGRAPHIC_APOSTROPHE: Hint = Hint {
    code: "typographic_apostrophe",
    detail: "has an apostrophe other than U+0027, such as U+2019; LRS may regard the text as different from the one with U+0027: search for \
             that text too before you register the learner",
};
const TYPOGRAPHIC_HYPHEN: Hint = Hint {
    code: "typographic_hyphen",
    detail: "has a hyphen or dash other than U+002D, such as U+2011 or U+2013; LRS may regard the text as different from the one with U+002D: \
             search for that text too before you register the learner",
};
const UNUSUAL_SPACE: Hint = Hint {
    code: "unusual_space",
    detail: "has white space other than U+0020, such as the no-break space U+00A0; LRS may regard the text as different from the one with \
             U+0020: search for that text too before you register the learner",
};
const REPEATED_SPACE: Hint = Hint {
    code: "repeated_space",
    detail: "has several spaces in a row; LRS may regard the text as different from the one with a single space: search for that text too \
             before you register the learner",
};
const SURROUNDING_SPACE: Hint = Hint {
    code: "surrounding_space",
    detail: "begins or ends with a space; LRS may regard the text as different from the one without it: search for that text too before you \
             register the learner",
};
const INVISIBLE_CHARACTER: Hint = Hint {
    code: "invisible_character",
    detail: "has an invisible character, such as the soft hyphen U+00AD or the zero-width space U+200B; LRS may regard the text as different \
             from the one without it: search for that text too before you register the learner",
};

/// Returns the text in Unicode's normal form C, in which an accented letter is one character wherever Unicode has one. Both forms are the same
/// text, but programs that compare characters do not see that.
pub fn normalised(text: &str) -> Cow<'_, str> {
    // Nearly every text is in this form already, and the quick check decides that.
    if is_nfc_quick(text.chars()) == IsNormalized::Yes { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) }
}

/// Returns what in the text looks like something else, each hint once.
pub fn hints(text: &str) -> Vec<&'static Hint> {
    let mut hints = Vec::new();
    let mut add = |hint| {
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    };
    for character in text.chars() {
        if let Some((_, hint)) = plain_character(character) {
            add(hint);
        }
    }
    let inner = text.trim();
    if inner.chars().zip(inner.chars().skip(1)).any(|(one, next)| one.is_whitespace() && next.is_whitespace()) {
        add(&REPEATED_SPACE);
    }
    if inner.len() < text.len() {
        add(&SURROUNDING_SPACE);
    }
    hints
}

/// Returns the text as a person would type it on a keyboard, with plain apostrophes, hyphens and single spaces.
pub fn plain(text: &str) -> Cow<'_, str> {
    if is_plain(text, CharacterTraits::of(text)) {
        return normalised(text);
    }
    let replaced: String =
        text.chars().filter_map(|character| plain_character(character).map_or(Some(character), |(plain, _)| plain)).collect();
    let words: Vec<&str> = replaced.split_whitespace().collect();
    Cow::Owned(normalised(&words.join(" ")).into_owned())
}

/// Returns `true` for most texts, and only for those without [`hints`]: no character looks like another one, and each space is between two
/// other characters.
pub fn is_plain(text: &str, traits: CharacterTraits) -> bool {
    let has_usual_spaces = || !text.starts_with(' ') && !text.ends_with(' ') && !text.as_bytes().windows(2).any(|pair| pair == b"  ");
    !traits.may_look_alike() && (!traits.has_space() || has_usual_spaces())
}

/// Returns the plain character in place of one that looks like it; without a character for one that is invisible.
const fn plain_character(character: char) -> Option<(Option<char>, &'static Hint)> {
    match character {
        // Acute and grave accent, modifier letters, quotation marks, prime, full-width apostrophe.
        '\u{60}' | '\u{B4}' | '\u{2B9}' | '\u{2BB}' | '\u{2BC}' | '\u{2BD}' | '\u{2C8}' | '\u{2018}' | '\u{2019}' | '\u{201A}'
        | '\u{201B}' | '\u{2032}' | '\u{FF07}' => Some((Some('\''), &TYPOGRAPHIC_APOSTROPHE)),
        // Hyphens, dashes, minus sign, full-width hyphen.
        '\u{2010}'..='\u{2015}' | '\u{2043}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' | '\u{FF0D}' => Some((Some('-'), &TYPOGRAPHIC_HYPHEN)),
        // Joiners (U+200C, U+200D) are letters' parts in some scripts, and stay.
        '\u{AD}' | '\u{200B}' | '\u{2060}' | '\u{FEFF}' => Some((None, &INVISIBLE_CHARACTER)),
        ' ' => None,
        _ if character.is_whitespace() => Some((Some(' '), &UNUSUAL_SPACE)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn codes(text: &str) -> Vec<&'static str> {
        hints(text).iter().map(|hint| hint.code).collect()
    }

    #[test]
    fn plain_text_has_no_hint_and_stays_as_it_is() {
        for text in ["", "O'Neill", "Ó Súilleabháin", "Mary Ann", "Rees-Jones", "김", "می\u{200C}خواهم"] {
            assert_eq!((codes(text), plain(text).as_ref()), (Vec::new(), text));
        }
    }

    #[test]
    fn text_that_looks_like_another_has_hints_and_a_plain_form() {
        for (text, plain_text, expected) in [
            ("O\u{2019}Neill", "O'Neill", &["typographic_apostrophe"][..]),
            ("O\u{2BC}Neill", "O'Neill", &["typographic_apostrophe"]),
            ("O`Neill", "O'Neill", &["typographic_apostrophe"]),
            ("Mary\u{A0}Ann", "Mary Ann", &["unusual_space"]),
            ("Mary\u{202F} Ann", "Mary Ann", &["unusual_space", "repeated_space"]),
            ("Mary  Ann", "Mary Ann", &["repeated_space"]),
            (" Ana ", "Ana", &["surrounding_space"]),
            ("Rees\u{2013}Jones", "Rees-Jones", &["typographic_hyphen"]),
            ("An\u{AD}a", "Ana", &["invisible_character"]),
            ("Zoë\tD\u{2018}Arcy", "Zoë D'Arcy", &["unusual_space", "typographic_apostrophe"]),
        ] {
            assert_eq!((codes(text), plain(text).as_ref()), (expected.to_vec(), plain_text), "{text:?}");
        }
    }

    #[test]
    fn character_that_looks_like_another_has_that_trait() {
        let mut buffer = [0; 4];
        for character in '\0'..=char::MAX {
            let may_look_alike = CharacterTraits::of(character.encode_utf8(&mut buffer)).may_look_alike();
            assert!(may_look_alike || plain_character(character).is_none(), "{character:?}");
        }
    }

    #[test]
    fn text_is_plain_only_if_it_has_no_hint() {
        let character = prop_oneof![Just(' '), Just('\t'), Just('\u{A0}'), Just('`'), prop::char::range('a', 'd'), any::<char>()];
        let config = ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() };
        proptest!(config, |(characters in prop::collection::vec(character, 0..6))| {
            let text = String::from_iter(characters);
            prop_assert!(!is_plain(&text, CharacterTraits::of(&text)) || hints(&text).is_empty(), "{:?}", text);
        });
    }

    #[test]
    fn normal_form_of_decomposed_text_is_composed() {
        assert_eq!(normalised("Zoe\u{308} Nu\u{301}n\u{303}ez"), "Zo\u{EB} N\u{FA}\u{F1}ez");
        assert!(matches!(normalised("Zo\u{EB}"), Cow::Borrowed(_)));
    }
}
