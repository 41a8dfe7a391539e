//! Calendar dates (FACTS 2.0 `MIAPDate`): real ones only, where LRS's own pattern lets `1900-02-29` through.

use std::borrow::Cow;

use crate::schema::{Constraints, InvalidValue, Scalar, personal_value};

/// A real date, `YYYY-MM-DD`, in the years 1800 to 2099.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date(jiff::civil::Date);

personal_value!(Date);

impl Scalar for Date {
    const CONSTRAINTS: Constraints = Constraints {
        format: Some("date"),
        pattern: Some("^(18|19|20)[0-9]{2}-"),
        ..Constraints::new("A real date, years 1800 to 2099.", "2003-04-05")
    };

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        const SHAPE: InvalidValue = InvalidValue::new("invalid_format", "must be a date as YYYY-MM-DD");
        let (year, month, day) = split(text).ok_or(SHAPE)?;
        if !(1800..=2099).contains(&year) {
            return Err(InvalidValue::new("out_of_range", "the year must be 1800 to 2099"));
        }
        jiff::civil::Date::new(year, month, day)
            .map(Self)
            .map_err(|_| InvalidValue::new("not_a_date", "there is no such day in the calendar"))
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.to_string())
    }
}

/// `YYYY-MM-DD` in ASCII digits, nothing before, between or after.
fn split(text: &str) -> Option<(i16, i8, i8)> {
    let bytes = text.as_bytes();
    let shaped =
        bytes.len() == 10 && bytes.iter().enumerate().all(|(at, b)| if at == 4 || at == 7 { *b == b'-' } else { b.is_ascii_digit() });
    if !shaped {
        return None;
    }
    Some((text[..4].parse().ok()?, text[5..7].parse().ok()?, text[8..].parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_dates_read_back_as_they_were() {
        for date in ["2003-04-05", "1800-01-01", "2099-12-31", "2024-02-29", "2000-02-29"] {
            assert_eq!(Date::parse(date).expect(date).text(), date);
        }
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        for (text, code) in [
            ("2023-02-29", "not_a_date"),
            ("1900-02-29", "not_a_date"),
            ("2003-13-01", "not_a_date"),
            ("2003-00-10", "not_a_date"),
            ("1799-12-31", "out_of_range"),
            ("2100-01-01", "out_of_range"),
            ("", "invalid_format"),
            ("05/04/2003", "invalid_format"),
            ("2003-4-5", "invalid_format"),
            ("2003-04-05Z", "invalid_format"),
            ("２００３-04-05", "invalid_format"),
            ("20030405", "invalid_format"),
        ] {
            assert_eq!(Date::parse(text).unwrap_err().code, code, "{text:?}");
        }
    }
}
