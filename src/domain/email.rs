//! E-mail addresses as LRS checks them (FACTS 2.0 `MIAPEmail`): narrower than the standards.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use crate::schema::{Constraints, InvalidValue, Scalar, personal_value};

/// An e-mail address LRS accepts, or empty.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress(Box<str>);

personal_value!(EmailAddress);

/// One atom or label, more of them after dots, a last label of letters; or nothing.
const PATTERN: &str = concat!(
    r"^([A-Za-z0-9!#$%'*+\-/=?^_`{|}~]+(\.[A-Za-z0-9!#$%'*+\-/=?^_`{|}~]+)*@",
    r"[A-Za-z0-9][A-Za-z0-9\-]{0,61}[A-Za-z0-9](\.[A-Za-z0-9][A-Za-z0-9\-]{0,61}[A-Za-z0-9])*\.[A-Za-z]{2,6})?$"
);

static SHAPE: LazyLock<Regex> = LazyLock::new(|| Regex::new(PATTERN).expect("a constant pattern"));

impl Scalar for EmailAddress {
    const CONSTRAINTS: Constraints = Constraints {
        max_length: Some(254),
        pattern: Some(PATTERN),
        ..Constraints::new(
            "E-mail address in the form LRS accepts: no `&`, domain labels of two characters or more, a last label of 2 to 6 letters.",
            "zoe.oneill@example.com",
        )
    };

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        if text.len() > 254 {
            return Err(InvalidValue::new("too_long", "must have at most 254 characters"));
        }
        if SHAPE.is_match(text) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidValue::new(
                "invalid_format",
                "must be an e-mail address LRS accepts: no “&”, domain labels of two characters or more, a last label of 2 to 6 letters",
            ))
        }
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lrs_takes() {
        for mail in ["", "a@bc.uk", "zoe.o'neill+lrs@mail.example.co.uk", "x_y{z}@ex-ample.museum"] {
            assert!(EmailAddress::parse(mail).is_ok(), "{mail:?}");
        }
    }

    #[test]
    fn addresses_lrs_refuses() {
        for mail in [
            "a",
            "a@b",
            "a@b.uk",
            "a&b@bc.uk",
            ".a@bc.uk",
            "a..b@bc.uk",
            "a@bc.travelling",
            "a@-bc.uk",
            "a@bc.u",
            "a b@bc.uk",
            "ä@bc.uk",
            "a@bc.uk ",
        ] {
            assert!(EmailAddress::parse(mail).is_err(), "{mail:?}");
        }
        assert_eq!(EmailAddress::parse(&format!("{}@bc.uk", "a".repeat(250))).unwrap_err().code, "too_long");
    }
}
