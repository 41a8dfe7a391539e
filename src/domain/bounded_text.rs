//! Free text with a maximum length (LRS-CONTRACT 5.1 `MIAPName`, `MIAPNameNonEmpty`, `MIAPSchoolName`).

use std::borrow::Cow;

use crate::domain::FromLrs;
use crate::schema::{Constraints, InvalidValue, Scalar, personal_value};
use crate::xml::is_xml_char;

/// Text of `MIN` to `MAX` characters that XML allows. If `MIN` is not zero, the text must not be blank.
///
/// A character is a Unicode code point, as in XML Schema. The text is not trimmed or normalised: LRS decides what matches.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BoundedText<const MIN: usize, const MAX: usize>(Box<str>);

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
pub type UserName = BoundedText<1, 35>;

personal_value!(generic [const MIN: usize, const MAX: usize] BoundedText<MIN, MAX>);

impl<const MIN: usize, const MAX: usize> BoundedText<MIN, MAX> {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MIN: usize, const MAX: usize> Scalar for BoundedText<MIN, MAX> {
    const CONSTRAINTS: Constraints = Constraints {
        min_length: if MIN > 0 { Some(MIN) } else { None },
        max_length: Some(MAX),
        pattern: if MIN > 0 { Some(r"\S") } else { None },
        ..Constraints::new("Any characters that XML allows.", "Zoë")
    };

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let length = text.chars().count();
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
        if let Some(c) = text.chars().find(|&c| !is_xml_char(c)) {
            let detail = format!("must not contain the character U+{:04X}, which XML does not allow; remove it", u32::from(c));
            return Err(InvalidValue { code: "invalid_character", detail: detail.into() });
        }
        Ok(Self(text.into()))
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }
}

impl<const MIN: usize, const MAX: usize> FromLrs for BoundedText<MIN, MAX> {
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
