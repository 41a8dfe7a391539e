//! Free text with a maximum length (LRS-CONTRACT 5.1 `MIAPName`, `MIAPNameNonEmpty`, `MIAPSchoolName`).

use std::borrow::Cow;

use crate::domain::character_traits::CharacterTraits;
use crate::domain::{FromLrs, look_alike};
use crate::schema::openapi::NOT_BLANK;
use crate::schema::{Constraints, Hint, InvalidValue, Scalar, personal_value};
use crate::xml::is_xml_char;

/// Text of `MIN` to `MAX` characters that XML allows. If `MIN` is not zero, the text must not be blank.
///
/// A character is a Unicode code point, as in XML Schema. The text is in Unicode's normal form C ([`look_alike::normalised`]) unless it is
/// `VERBATIM`, as identifiers are. It is not changed otherwise: LRS decides what matches.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BoundedText<const MIN: usize, const MAX: usize, const VERBATIM: bool = false>(Box<str>);

/// A required given or family name: 1 to 35 characters.
pub type Name = BoundedText<1, 35>;
/// An optional name, title or place: up to 35 characters.
pub type OptionalName = BoundedText<0, 35>;
/// The name of a school: up to 254 characters.
pub type SchoolName = BoundedText<0, 254>;
/// A line of an address: up to 50 characters.
pub type AddressLine = BoundedText<0, 50>;
/// A nationality: up to three characters.
pub type Nationality = BoundedText<0, 3>;
/// Notes about a learner: up to 4,000 characters.
pub type Notes = BoundedText<0, 4000>;
/// The name of the calling user in a message to LRS: 1 to 35 characters.
pub type UserName = BoundedText<1, 35, true>;

personal_value!(generic [const MIN: usize, const MAX: usize, const VERBATIM: bool] BoundedText<MIN, MAX, VERBATIM>);

impl<const MIN: usize, const MAX: usize, const VERBATIM: bool> BoundedText<MIN, MAX, VERBATIM> {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the text with plain apostrophes, hyphens and spaces in place of characters that look like them.
    #[must_use]
    pub fn to_plain(&self) -> Self {
        Self::parse(&look_alike::plain(&self.0)).unwrap_or_else(|_| self.clone())
    }
}

impl<const MIN: usize, const MAX: usize, const VERBATIM: bool> Scalar for BoundedText<MIN, MAX, VERBATIM> {
    const CONSTRAINTS: Constraints = Constraints {
        min_length: if MIN > 0 { Some(MIN) } else { None },
        max_length: Some(MAX),
        pattern: if MIN > 0 { Some(NOT_BLANK) } else { None },
        ..Constraints::new("", "")
    };

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        Self::parse_with_hints(text, &mut |_| {})
    }

    /// Adds hints about names and places, which LRS may compare. Notes and descriptions are prose.
    fn parse_with_hints(text: &str, add_hint: &mut dyn FnMut(&'static Hint)) -> Result<Self, InvalidValue> {
        const MIN_PROSE_LENGTH: usize = 255;
        let traits = CharacterTraits::of(text);
        // Nearly every text. It has at most as many characters as bytes.
        let has_usual_length = text.len() <= MAX && (MIN == 0 || MIN == 1 && traits.has_visible());
        let is_usual = has_usual_length && !traits.may_be_denormalised() && !traits.may_be_forbidden();
        let normalised = if is_usual { Cow::Borrowed(text) } else { check_text(text, MIN, MAX, VERBATIM)? };
        let is_plain = is_usual && look_alike::is_plain(text, traits);
        if !is_plain && !VERBATIM && MAX < MIN_PROSE_LENGTH {
            look_alike::hints(&normalised).into_iter().for_each(add_hint);
        }
        Ok(Self(normalised.into()))
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }
}

/// Normalises a text unless it is verbatim, and checks its length and its characters.
fn check_text(text: &str, min: usize, max: usize, is_verbatim: bool) -> Result<Cow<'_, str>, InvalidValue> {
    let normalised = if is_verbatim { Cow::Borrowed(text) } else { look_alike::normalised(text) };
    let text = normalised.as_ref();
    let length = text.chars().count();
    if length > max {
        let detail = format!("must have at most {max} characters, has {length}");
        return Err(InvalidValue { code: "too_long", detail: detail.into() });
    }
    if min > 0 && text.chars().all(char::is_whitespace) {
        return Err(InvalidValue::new("blank", "must not be empty or only white space"));
    }
    if length < min {
        let detail = format!("must have at least {min} characters, has {length}");
        return Err(InvalidValue { code: "too_short", detail: detail.into() });
    }
    if let Some(c) = text.chars().find(|&c| !is_xml_char(c)) {
        let detail = format!("must not contain the character U+{:04X}, which XML does not allow; remove it", u32::from(c));
        return Err(InvalidValue { code: "invalid_character", detail: detail.into() });
    }
    Ok(normalised)
}

impl<const MIN: usize, const MAX: usize, const VERBATIM: bool> FromLrs for BoundedText<MIN, MAX, VERBATIM> {
    const ALLOWS_BLANK: bool = true;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts whose length is near that of `BoundedText<_, 4>`, with characters of every kind.
    fn short_text() -> impl Strategy<Value = String> {
        let unusual = vec!['\0', '\t', '\u{A0}', '\u{301}', '\u{340}', '\u{212A}', '\u{3000}', '\u{FFFE}', '\u{FFFF}'];
        let character = prop_oneof![
            3 => prop::char::range(' ', '~'),
            1 => prop::char::range('\u{C0}', '\u{17F}'),
            1 => prop::sample::select(unusual),
            1 => any::<char>(),
        ];
        prop::collection::vec(character, 0..7).prop_map(String::from_iter)
    }

    #[test]
    fn usual_text_is_read_as_if_each_character_were_checked() {
        let config = ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() };
        proptest!(config, |(text in short_text())| {
            let required = BoundedText::<1, 4>::parse(&text).map(|value| value.as_str().to_owned());
            prop_assert_eq!(required, check_text(&text, 1, 4, false).map(Cow::into_owned), "{:?}", text);
            let verbatim = BoundedText::<0, 4, true>::parse(&text).map(|value| value.as_str().to_owned());
            prop_assert_eq!(verbatim, check_text(&text, 0, 4, true).map(Cow::into_owned), "{:?}", text);
        });
    }

    #[test]
    fn name_in_any_script_is_accepted() {
        for name in ["Li", "O", "Zoë O'Neill-Siân", "Ó Súilleabháin", "محمد", "김", "N'Golo", "Smith & Sons <\"North\">", "x\ty"]
        {
            assert_eq!(Name::parse(name).expect(name).as_str(), name);
        }
    }

    #[test]
    fn text_length_is_counted_in_characters_not_bytes() {
        assert!(Name::parse(&"é".repeat(35)).is_ok());
        assert_eq!(Name::parse(&"é".repeat(36)).unwrap_err().code, "too_long");
        assert!(SchoolName::parse(&"s".repeat(254)).is_ok());
        assert!(SchoolName::parse(&"s".repeat(255)).is_err());
    }

    #[test]
    fn text_is_normalised_before_it_is_measured_unless_it_is_verbatim() {
        let decomposed = "e\u{301}".repeat(35);
        assert_eq!(Name::parse(&decomposed).expect("35 characters").as_str(), "é".repeat(35));
        assert_eq!(UserName::parse("Zoe\u{308}").expect("a user name").as_str(), "Zoe\u{308}");
    }

    #[test]
    fn blank_text_is_rejected_as_a_name_and_accepted_as_an_optional_name() {
        for blank in ["", " ", "\t \n", "\u{A0}"] {
            assert_eq!(Name::parse(blank).unwrap_err().code, "blank", "{blank:?}");
            assert!(OptionalName::parse(blank).is_ok());
        }
    }

    #[test]
    fn text_with_a_character_that_xml_forbids_is_rejected_and_the_character_named() {
        for (text, name) in [("A\u{1}", "U+0001"), ("\0b", "U+0000"), ("\u{FFFE}b", "U+FFFE"), ("\u{1B}[0m", "U+001B")] {
            let invalid = Name::parse(text).unwrap_err();
            assert_eq!(invalid.code, "invalid_character");
            assert!(invalid.detail.contains(name), "{}", invalid.detail);
        }
    }
}
