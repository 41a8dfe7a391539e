//! Email addresses as LRS validates them (LRS-CONTRACT 5.1 `MIAPEmail`): narrower than the standards.

use std::borrow::Cow;

use crate::domain::FromLrs;
use crate::schema::{Constraints, InvalidValue, Scalar, personal_value};

const MAX_LENGTH: usize = 254;

/// The pattern of LRS. [`is_email_address`] accepts the same texts, and is faster.
const PATTERN: &str = concat!(
    r"^([A-Za-z0-9!#$%'*+\-/=?^_`{|}~]+(\.[A-Za-z0-9!#$%'*+\-/=?^_`{|}~]+)*@",
    r"[A-Za-z0-9][A-Za-z0-9\-]{0,61}[A-Za-z0-9](\.[A-Za-z0-9][A-Za-z0-9\-]{0,61}[A-Za-z0-9])*\.[A-Za-z]{2,6})?$"
);

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
            "ana.oneill@example.org",
        )
    };

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        if text.len() > MAX_LENGTH {
            return Err(InvalidValue { code: "too_long", detail: format!("must have at most {MAX_LENGTH} characters").into() });
        }
        if is_email_address(text) {
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

/// Returns `true` for one or more atoms and domain labels with dots between them, then a last label of letters; or for nothing.
fn is_email_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return text.is_empty() };
    let Some((labels, last)) = domain.rsplit_once('.') else { return false };
    let is_last = (2..=6).contains(&last.len()) && last.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_last && parts(local).all(is_atom) && parts(labels).all(is_label)
}

fn parts(text: &str) -> impl Iterator<Item = &[u8]> {
    text.as_bytes().split(|&byte| byte == b'.')
}

fn is_atom(atom: &[u8]) -> bool {
    !atom.is_empty() && atom.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%'*+-/=?^_`{|}~".contains(byte))
}

fn is_label(label: &[u8]) -> bool {
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    (2..=63).contains(&label.len()) && label.iter().all(is_inner) && !label.starts_with(b"-") && !label.ends_with(b"-")
}

impl FromLrs for EmailAddress {
    const ALLOWS_BLANK: bool = true;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    #[test]
    fn email_address_is_valid_if_the_pattern_of_lrs_matches() {
        let pattern = Regex::new(PATTERN).expect("a pattern");
        let [longest, too_long] = [61, 62].map(|length| "x".repeat(length));
        let short = "a Z9 mail uk museum library . @ - b@bc.uk example.com !#$%'*+-/=?^_`{|}~ & é \n";
        let pieces: Vec<String> = short.split(' ').map(str::to_owned).chain([" ".to_owned(), longest, too_long]).collect();
        let pieces = proptest::collection::vec(prop::sample::select(pieces), 0..=8);
        let config = ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() };
        proptest!(config, |(pieces in pieces)| {
            let text = pieces.concat();
            prop_assert_eq!(is_email_address(&text), pattern.is_match(&text), "{}", text);
        });
        for byte in 0..=0x7F_u8 {
            let text = format!("a{0}b@c{0}d.uk", char::from(byte));
            assert_eq!(is_email_address(&text), pattern.is_match(&text), "{text:?}");
        }
    }

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
