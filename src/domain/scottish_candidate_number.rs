//! Scottish Candidate Numbers (LRS-CONTRACT 5.1).

use std::borrow::Cow;

use crate::domain::FromLrs;
use crate::schema::{Constraints, InvalidValue, Scalar, personal_value};

/// A Scottish Candidate Number: nine digits, or empty.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ScottishCandidateNumber(Box<str>);

personal_value!(ScottishCandidateNumber);

impl Scalar for ScottishCandidateNumber {
    const CONSTRAINTS: Constraints =
        Constraints { pattern: Some("^([0-9]{9})?$"), ..Constraints::new("Nine digits, or empty.", "123456789") };

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        if text.is_empty() || (text.len() == 9 && text.bytes().all(|byte| byte.is_ascii_digit())) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidValue::new("invalid_format", "must be nine digits, or empty"))
        }
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }
}

impl FromLrs for ScottishCandidateNumber {
    const ALLOWS_BLANK: bool = true;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scottish_candidate_number_of_nine_digits_or_empty_is_accepted() {
        assert!(ScottishCandidateNumber::parse("").is_ok());
        assert!(ScottishCandidateNumber::parse("012345678").is_ok());
        for wrong in ["12345678", "1234567890", "12345678x", " 12345678", "١٢٣٤٥٦٧٨٩"] {
            assert!(ScottishCandidateNumber::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
