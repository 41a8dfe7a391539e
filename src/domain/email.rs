//! Email addresses as LRS validates them (LRS-CONTRACT 5.1 `MIAPEmail`): narrower than the standards.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use crate::domain::FromLrs;
use crate::schema::{Constraints, InvalidValue, Scalar, personal_value};

const MAX_LENGTH: usize = 254;

/// One or more atoms and domain labels with dots between them, then a last label of letters; or nothing.
const PATTERN: &str = concat!(
    r"^([A-Za-z0-9!#$%'*+\-/=?^_`{|}~]+(\.[A-Za-z0-9!#$%'*+\-/=?^_`{|}~]+)*@",
    r"[A-Za-z0-9][A-Za-z0-9\-]{0,61}[A-Za-z0-9](\.[A-Za-z0-9][A-Za-z0-9\-]{0,61}[A-Za-z0-9])*\.[A-Za-z]{2,6})?$"
);

static REGEX: LazyLock<Regex> = LazyLock::new(|| Regex::new(PATTERN).expect("the pattern is valid"));

/// An email address that LRS accepts, or empty.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress(Box<str>);

personal_value!(EmailAddress);

impl Scalar for EmailAddress {
    const CONSTRAINTS: Constraints = Constraints {
        max_length: Some(MAX_LENGTH),
        pattern: Some(PATTERN),
        ..Constraints::new(
            "LRS accepts only addresses without `&` whose domain labels have at least 2 characters and whose last label has 2 to 6 letters.",
            "zoe.oneill@example.com",
        )
    };

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        if text.len() > MAX_LENGTH {
            return Err(InvalidValue { code: "too_long", detail: format!("must have at most {MAX_LENGTH} characters").into() });
        }
        if REGEX.is_match(text) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidValue::new(
                "invalid_format",
                "must be an email address that LRS accepts: no “&”, at least 2 characters in each domain label, 2 to 6 letters in the last",
            ))
        }
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }
}

impl FromLrs for EmailAddress {
    const ALLOWS_BLANK: bool = true;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn email_address_that_lrs_accepts_is_accepted() {
        for mail in ["", "a@bc.uk", "zoe.o'neill+lrs@mail.example.co.uk", "x_y{z}@ex-ample.museum"] {
            assert!(EmailAddress::parse(mail).is_ok(), "{mail:?}");
        }
    }

    #[test]
    fn email_address_that_lrs_rejects_is_rejected() {
        for mail in [
            "a", "a@b", "a@b.uk", "a&b@bc.uk", ".a@bc.uk", "a..b@bc.uk", "a@bc.travelling", "a@-bc.uk", "a@bc.u", "a b@bc.uk", "ä@bc.uk",
            "a@bc.uk ",
        ] {
            assert!(EmailAddress::parse(mail).is_err(), "{mail:?}");
        }
        assert_eq!(EmailAddress::parse(&format!("{}@bc.uk", "a".repeat(250))).unwrap_err().code, "too_long");
    }
}
