//! Free text with a length (FACTS 2.0 `MIAPName`, `MIAPNameNonEmpty`, `MIAPSchoolName`).

use std::borrow::Cow;

use crate::schema::{Constraints, InvalidValue, Scalar, is_xml_char, personal_value};

/// Text of `MIN` to `MAX` characters that XML can carry; with a `MIN`, not all of it blank.
///
/// Characters are Unicode code points, as XML Schema counts them. Nothing is trimmed or folded: LRS decides what matches.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BoundedText<const MIN: usize, const MAX: usize>(Box<str>);

/// A given or family name that must be there: 1 to 35 characters, any that XML can carry.
pub type Name = BoundedText<1, 35>;
/// A name, title or place that may be empty: up to 35 characters.
pub type OptionalName = BoundedText<0, 35>;
/// A school's name: up to 254 characters.
pub type SchoolName = BoundedText<0, 254>;
/// A line of an address: up to 50 characters.
pub type AddressLine = BoundedText<0, 50>;
/// A nationality: up to three characters.
pub type Nationality = BoundedText<0, 3>;
/// Notes on a learner: up to 4,000 characters.
pub type Notes = BoundedText<0, 4000>;
/// The person behind a call, as LRS is told: 1 to 35 characters.
pub type UserName = BoundedText<1, 35>;

personal_value!(generic [const MIN: usize, const MAX: usize] BoundedText<MIN, MAX>);

impl<const MIN: usize, const MAX: usize> BoundedText<MIN, MAX> {
    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MIN: usize, const MAX: usize> Scalar for BoundedText<MIN, MAX> {
    const CONSTRAINTS: Constraints = Constraints {
        min_length: if MIN > 0 { Some(MIN) } else { None },
        max_length: Some(MAX),
        pattern: if MIN > 0 { Some(r"\S") } else { None },
        ..Constraints::new("Any characters that XML can carry.", "Zoë")
    };

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let length = text.chars().count();
        if length > MAX {
            let detail = format!("must have at most {MAX} characters, has {length}");
            return Err(InvalidValue { code: "too_long", detail: detail.into() });
        }
        if MIN > 0 && text.trim().is_empty() {
            return Err(InvalidValue::new("blank", "must not be empty or only spaces"));
        }
        if length < MIN {
            let detail = format!("must have at least {MIN} characters, has {length}");
            return Err(InvalidValue { code: "too_short", detail: detail.into() });
        }
        if let Some(c) = text.chars().find(|&c| !is_xml_char(c)) {
            let detail = format!("U+{:04X} cannot be sent to LRS: XML has no way to carry it", u32::from(c));
            return Err(InvalidValue { code: "invalid_character", detail: detail.into() });
        }
        Ok(Self(text.into()))
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_people_have_are_accepted() {
        for name in ["Li", "O", "Zoë O'Neill-Siân", "Ó Súilleabháin", "محمد", "김", "N'Golo", "Smith & Sons <\"North\">", "x\ty"]
        {
            assert_eq!(Name::parse(name).expect(name).as_str(), name);
        }
    }

    #[test]
    fn length_counts_characters_not_bytes() {
        assert!(Name::parse(&"é".repeat(35)).is_ok());
        assert_eq!(Name::parse(&"é".repeat(36)).unwrap_err().code, "too_long");
        assert!(SchoolName::parse(&"s".repeat(254)).is_ok());
        assert!(SchoolName::parse(&"s".repeat(255)).is_err());
    }

    #[test]
    fn blank_names_are_refused_and_optional_ones_not() {
        for blank in ["", " ", "\t \n", "\u{A0}"] {
            assert_eq!(Name::parse(blank).unwrap_err().code, "blank", "{blank:?}");
            assert!(OptionalName::parse(blank).is_ok());
        }
    }

    #[test]
    fn characters_xml_cannot_carry_are_named() {
        for (text, name) in [("A\u{1}", "U+0001"), ("\0b", "U+0000"), ("\u{FFFE}b", "U+FFFE"), ("\u{1B}[0m", "U+001B")] {
            let invalid = Name::parse(text).unwrap_err();
            assert_eq!(invalid.code, "invalid_character");
            assert!(invalid.detail.contains(name), "{}", invalid.detail);
        }
    }
}
