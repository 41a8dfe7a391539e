//! Unique Learner Numbers (LRS-CONTRACT 5.1 `MIAPULN`, 5.3).

use std::borrow::Cow;

use crate::domain::FromLrs;
use crate::schema::{Constraints, InvalidValue, Scalar, personal_value};

/// LRS's placeholder for a learner without a ULN. Its check digit is wrong too, but it has an error text of its own.
const NO_ULN: &str = "9999999999";

/// A Unique Learner Number: ten digits, the first not zero, the last a check digit.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Uln([u8; 10]);

personal_value!(Uln);

impl Uln {
    /// Returns the ten digits.
    pub fn as_str(&self) -> &str {
        // The bytes are ASCII digits.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Returns the ULN that starts with these nine digits; `None` if there is none, as for one prefix in eleven.
    pub fn from_prefix(prefix: u32) -> Option<Self> {
        if !(100_000_000..=999_999_999).contains(&prefix) {
            return None;
        }
        let digits = prefix.to_string();
        let check = check_digit(digits.as_bytes())?;
        Self::parse(&format!("{digits}{check}")).ok()
    }
}

/// Computes the check digit: the nine digits are weighted 10 to 2, and the sum modulo 11 is subtracted from 10.
/// `None`: no ULN has these digits.
fn check_digit(first_nine: &[u8]) -> Option<u32> {
    let sum: u32 = first_nine.iter().zip((2..=10).rev()).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    match sum % 11 {
        0 => None,
        remainder => Some(10 - remainder),
    }
}

impl Scalar for Uln {
    const CONSTRAINTS: Constraints = Constraints {
        pattern: Some("^[1-9][0-9]{9}$"),
        min_length: Some(10),
        max_length: Some(10),
        ..Constraints::new("Ten digits, the last a check digit.", "3000000126")
    };

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let digits = <[u8; 10]>::try_from(text.as_bytes()).ok().filter(|digits| digits.iter().all(u8::is_ascii_digit) && digits[0] != b'0');
        let Some(digits) = digits else {
            return Err(InvalidValue::new("invalid_format", "must be ten digits, the first not 0"));
        };
        if text == NO_ULN {
            let detail = "must not be 9999999999, which means “no ULN”; leave the learner out, or search by demographics";
            return Err(InvalidValue::new("check_digit", detail));
        }
        if check_digit(&digits[..9]) != Some(u32::from(digits[9] - b'0')) {
            return Err(InvalidValue::new("check_digit", "has a wrong check digit; look for a mistyped digit"));
        }
        Ok(Self(digits))
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.as_str())
    }
}

impl FromLrs for Uln {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uln_with_the_right_check_digit_is_accepted() {
        for uln in ["3000000126", "3000000258", "4444599390", "1026893096", "6936002314"] {
            assert_eq!(Uln::parse(uln).expect(uln).as_str(), uln);
        }
    }

    #[test]
    fn uln_with_any_other_last_digit_is_rejected() {
        for last in 0..10 {
            let uln = format!("300000012{last}");
            assert_eq!(Uln::parse(&uln).is_ok(), last == 6, "{uln}");
        }
    }

    #[test]
    fn uln_in_a_wrong_format_is_rejected() {
        for uln in ["", "300000012", "30000001266", "0300000126", "300000012a", " 3000000126", "3000000126 ", "٣000000126", "9999999999"] {
            assert!(Uln::parse(uln).is_err(), "{uln:?}");
        }
    }

    #[test]
    fn uln_prefix_with_remainder_zero_has_no_uln() {
        let without = (100_000_000..100_000_200).filter(|&prefix| Uln::from_prefix(prefix).is_none()).count();
        assert!((10..30).contains(&without), "about one in eleven, not {without} of 200");
        let uln = Uln::from_prefix(300_000_012).expect("has a ULN");
        assert_eq!(uln.as_str(), "3000000126");
        assert!(Uln::from_prefix(12).is_none());
    }

    #[test]
    fn uln_debug_output_hides_the_digits() {
        assert_eq!(format!("{:?}", Uln::parse("3000000126")), "Ok([personal])");
    }
}
