//! UK postcodes as LRS validates them (LRS-CONTRACT 5.1 `MIAPPostCode`).

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use crate::domain::FromLrs;
use crate::schema::{Constraints, InvalidValue, Scalar, personal_value};

const MAX_LENGTH: usize = 9;

const PATTERN: &str = "^([A-Za-z]{1,2}[0-9Rr][0-9A-Za-z]? ?[0-9][ABD-HJLNP-UW-Zabd-hjlnp-uw-z]{2}|[Bb][Ff][Pp][Oo] ?[0-9]{1,4}) {0,4}$";

static REGEX: LazyLock<Regex> = LazyLock::new(|| Regex::new(PATTERN).expect("the pattern is valid"));

/// A UK postcode in upper or lower case, with or without the space. Includes `ZZ99 9ZZ` (unknown or overseas) and BFPO numbers.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Postcode(Box<str>);

personal_value!(Postcode);

impl Postcode {
    /// Returns the postcode as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for Postcode {
    const CONSTRAINTS: Constraints = Constraints {
        max_length: Some(MAX_LENGTH),
        pattern: Some(PATTERN),
        ..Constraints::new("UK postcode; `ZZ99 9ZZ` for unknown or overseas.", "ZZ99 9ZZ")
    };

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        if text.len() <= MAX_LENGTH && REGEX.is_match(text) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidValue::new("invalid_format", "must be a UK postcode such as “CV4 9EE”, or “ZZ99 9ZZ” if unknown or overseas"))
        }
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }
}

impl FromLrs for Postcode {
    const ALLOWS_BLANK: bool = true;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postcode_that_lrs_accepts_is_accepted() {
        for code in
            ["CV4 9EE", "CV49EE", "cv4 9ee", "M1 1AE", "EC1A 1BB", "W1A 0AX", "ZZ99 9ZZ", "GIR 0AA", "BFPO 1", "bfpo1234", "AB1 2DE  "]
        {
            assert!(Postcode::parse(code).is_ok(), "{code:?}");
        }
    }

    #[test]
    fn postcode_that_lrs_rejects_is_rejected() {
        for code in [
            "", " CV4 9EE", "CV4  9EE", "D02 X285", "12345", "CV4 9EC", "CV4 9EV", "BFPO 12345", "EC1A 1BB  ", "CV4 9E", "CV4-9EE",
            "٣V4 9EE",
        ] {
            assert!(Postcode::parse(code).is_err(), "{code:?}");
        }
    }
}
