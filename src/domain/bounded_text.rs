//! Free text with a maximum length (LRS-CONTRACT 5.1 `MIAPName`, `MIAPNameNonEmpty`, `MIAPSchoolName`).

use std::borrow::Cow;

use crate::domain::{FromLrs, look_alike};
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
        pattern: if MIN > 0 { Some(r"\S") } else { None },
        ..Constraints::new("Any characters that XML allows.", "Zoë")
    };

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        // Nearly every text is printable ASCII: it is normalised, its bytes are its characters, and XML allows all of them.
        let is_printable_ascii = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let normalised = if VERBATIM || is_printable_ascii { Cow::Borrowed(text) } else { look_alike::normalised(text) };
        let text = normalised.as_ref();
        let length = if is_printable_ascii { text.len() } else { text.chars().count() };
        if length > MAX {
            let detail = format!("must have at most {MAX} characters, has {length}");
            return Err(InvalidValue { code: "too_long", detail: detail.into() });
        }
        if MIN > 0 && text.trim().is_empty() {
            return Err(InvalidValue::new("blank", "must not be empty or only white space"));
        }
        if length < MIN {
            let detail = format!("must have at least {MIN} characters, has {length}");
            return Err(InvalidValue { code: "too_short", detail: detail.into() });
        }
        let forbidden = if is_printable_ascii { None } else { text.chars().find(|&c| !is_xml_char(c)) };
        if let Some(c) = forbidden {
            let detail = format!("must not contain the character U+{:04X}, which XML does not allow; remove it", u32::from(c));
            return Err(InvalidValue { code: "invalid_character", detail: detail.into() });
        }
        Ok(Self(text.into()))
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }

    /// Returns hints about names and places, which LRS may compare. Notes and descriptions are prose.
    fn hints(&self) -> Vec<&'static Hint> {
        const MIN_PROSE_LENGTH: usize = 255;
        if VERBATIM || MAX >= MIN_PROSE_LENGTH { Vec::new() } else { look_alike::hints(&self.0) }
    }
}

impl<const MIN: usize, const MAX: usize, const VERBATIM: bool> FromLrs for BoundedText<MIN, MAX, VERBATIM> {
    const ALLOWS_BLANK: bool = true;
}

#[cfg(test)]
mod tests {
    use super::*;

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
