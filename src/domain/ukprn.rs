//! The identifiers of organisations (LRS-CONTRACT 4.1, 5.1).

use std::borrow::Cow;
use std::fmt;

use crate::domain::FromLrs;
use crate::schema::{Constraints, InvalidValue, Scalar};

/// A UK Provider Reference Number: eight digits. LRS also accepts letters, which the UKPRNs of test organisations have.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ukprn([u8; 8]);

/// LRS's own reference of an organisation: six letters or digits. Awarding organisations submit achievements with it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct OrganisationRef([u8; 6]);

/// Implements an identifier of letters and digits. Organisations are not persons, so `Display` and `Debug` print it.
macro_rules! organisation_identifier {
    ($t:ident, $length:literal, $constraints:expr) => {
        impl $t {
            /// Returns the identifier's text.
            pub fn as_str(&self) -> &str {
                // The bytes are ASCII letters and digits.
                std::str::from_utf8(&self.0).unwrap_or_default()
            }
        }
        impl Scalar for $t {
            const CONSTRAINTS: Constraints = $constraints;

            fn parse(text: &str) -> Result<Self, InvalidValue> {
                match <[u8; $length]>::try_from(text.as_bytes()) {
                    Ok(bytes) if bytes.iter().all(u8::is_ascii_alphanumeric) => Ok(Self(bytes)),
                    _ => Err(InvalidValue::new("invalid_format", concat!("must be ", $length, " letters or digits"))),
                }
            }

            fn text(&self) -> Cow<'_, str> {
                Cow::Borrowed(self.as_str())
            }
        }
        impl serde::Serialize for $t {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
        impl fmt::Display for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl fmt::Debug for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

organisation_identifier!(
    Ukprn,
    8,
    Constraints {
        pattern: Some("^[0-9A-Za-z]{8}$"),
        min_length: Some(8),
        max_length: Some(8),
        ..Constraints::new("UK Provider Reference Number: eight digits. That of a test organisation can have letters.", "10012345")
    }
);
organisation_identifier!(
    OrganisationRef,
    6,
    Constraints {
        pattern: Some("^[0-9A-Za-z]{6}$"),
        min_length: Some(6),
        max_length: Some(6),
        ..Constraints::new("Six letters or digits.", "ABC123")
    }
);

impl FromLrs for Ukprn {}
impl FromLrs for OrganisationRef {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn organisation_identifier_with_letters_and_digits_of_its_length_is_accepted() {
        assert!(Ukprn::parse("10012345").is_ok());
        assert!(Ukprn::parse("TEST0038").is_ok());
        for wrong in ["", "1001234", "100123456", "1001234 ", "1001234é", "../10012"] {
            assert!(Ukprn::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(OrganisationRef::parse("ABC123").is_ok());
        assert!(OrganisationRef::parse("").is_err());
    }
}
