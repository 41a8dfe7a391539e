//! UK postcodes as LRS validates them (LRS-CONTRACT 5.1 `MIAPPostCode`).

use std::borrow::Cow;

use crate::domain::FromLrs;
use crate::schema::{Constraints, InvalidValue, Scalar, personal_value};

const MAX_LENGTH: usize = 9;

/// The pattern of LRS. [`is_postcode`] accepts the same texts, and is faster.
const PATTERN: &str = "^([A-Za-z]{1,2}[0-9Rr][0-9A-Za-z]? ?[0-9][ABD-HJLNP-UW-Zabd-hjlnp-uw-z]{2}|[Bb][Ff][Pp][Oo] ?[0-9]{1,4}) {0,4}$";

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
        ..Constraints::new("A UK postcode; `ZZ99 9ZZ` for unknown or overseas.", "ZZ99 9ZZ")
    };

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        if text.len() <= MAX_LENGTH && is_postcode(text.as_bytes()) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidValue::new("invalid_format", "must be a UK postcode such as “CV4 9EE”, or “ZZ99 9ZZ” if unknown or overseas"))
        }
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }
}

/// Returns `true` for a postcode of a place or of the forces (BFPO), and up to four spaces.
fn is_postcode(text: &[u8]) -> bool {
    let spaces = text.iter().rev().take_while(|&&byte| byte == b' ').count();
    let code = &text[..text.len() - spaces];
    spaces <= 4 && (is_place(code) || is_forces(code))
}

/// Two parts: the postcode area and district, and the sector and unit.
fn is_place(code: &[u8]) -> bool {
    let Some((outward, [sector, unit @ ..])) = code.split_last_chunk::<3>() else { return false };
    let is_unit = |byte: &u8| byte.is_ascii_alphabetic() && !b"CIKMOV".contains(&byte.to_ascii_uppercase());
    let is_district = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'R' | b'r');
    let is_outward = match *outward.strip_suffix(b" ").unwrap_or(outward) {
        [area, district] => area.is_ascii_alphabetic() && is_district(district),
        [area, second, last] => {
            let is_longer_area = second.is_ascii_alphabetic() && is_district(last);
            let is_longer_district = is_district(second) && last.is_ascii_alphanumeric();
            area.is_ascii_alphabetic() && (is_longer_area || is_longer_district)
        }
        [area, second, district, last] => {
            area.is_ascii_alphabetic() && second.is_ascii_alphabetic() && is_district(district) && last.is_ascii_alphanumeric()
        }
        _ => false,
    };
    is_outward && sector.is_ascii_digit() && unit.iter().all(is_unit)
}

/// `BFPO` and a number of one to four digits.
fn is_forces(code: &[u8]) -> bool {
    let Some((word, number)) = code.split_first_chunk::<4>() else { return false };
    let number = number.strip_prefix(b" ").unwrap_or(number);
    word.eq_ignore_ascii_case(b"BFPO") && (1..=4).contains(&number.len()) && number.iter().all(u8::is_ascii_digit)
}

impl FromLrs for Postcode {
    const ALLOWS_BLANK: bool = true;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    /// Every byte that the pattern mentions, in pieces of which postcodes and texts that are nearly postcodes consist.
    const PIECES: [&str; 24] = [
        "A", "z", "R", "r", "C", "i", "AB", "sw", "Gr", "1", "09", "1A", "2r", "9EE", "1zz", "4Oa", "BFPO", "bfpo", "Bfp", "1234", " ",
        "  ", "-", "é",
    ];

    #[test]
    fn postcode_is_valid_if_the_pattern_of_lrs_matches() {
        let pattern = Regex::new(PATTERN).expect("a pattern");
        let pieces = proptest::collection::vec(prop::sample::select(&PIECES[..]), 0..=6);
        let config = ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() };
        proptest!(config, |(pieces in pieces)| {
            let text = pieces.concat();
            prop_assert_eq!(is_postcode(text.as_bytes()), pattern.is_match(&text), "{}", text);
        });
    }

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
