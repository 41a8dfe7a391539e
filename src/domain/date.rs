//! Calendar dates (LRS-CONTRACT 5.1 `MIAPDate`). Only existing dates are accepted; LRS's own pattern accepts `1900-02-29`.

use std::borrow::Cow;

use crate::domain::{FromLrs, is_in_year_1};
use crate::schema::{Constraints, InvalidValue, Scalar, personal_value};

/// An existing date, `YYYY-MM-DD`, in the years 1800 to 2099.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date(jiff::civil::Date);

personal_value!(Date);

impl Scalar for Date {
    const CONSTRAINTS: Constraints = Constraints {
        format: Some("date"),
        pattern: Some("^(18|19|20)[0-9]{2}-"),
        ..Constraints::new("A date in the calendar, years 1800 to 2099.", "2003-04-05")
    };

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        const INVALID_FORMAT: InvalidValue = InvalidValue::new("invalid_format", "must be a date as YYYY-MM-DD");
        let (year, month, day) = year_month_day(text).ok_or(INVALID_FORMAT)?;
        if !(1800..=2099).contains(&year) {
            return Err(InvalidValue::new("out_of_range", "must be a date in the years 1800 to 2099"));
        }
        jiff::civil::Date::new(year, month, day)
            .map(Self)
            .map_err(|_| InvalidValue::new("not_a_date", "must be a date that is in the calendar"))
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.to_string())
    }
}

/// Splits `YYYY-MM-DD` into its numbers. Accepts ASCII digits only and no other characters.
fn year_month_day(text: &str) -> Option<(i16, i8, i8)> {
    let has_format = text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| if index == 4 || index == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    if !has_format {
        return None;
    }
    Some((text[..4].parse().ok()?, text[5..7].parse().ok()?, text[8..].parse().ok()?))
}

impl FromLrs for Date {
    fn means_no_value(text: &str) -> bool {
        is_in_year_1(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_in_the_calendar_is_accepted_and_keeps_its_text() {
        for date in ["2003-04-05", "1800-01-01", "2099-12-31", "2024-02-29", "2000-02-29"] {
            assert_eq!(Date::parse(date).expect(date).text(), date);
        }
    }

    #[test]
    fn date_that_is_invalid_is_rejected_with_the_reason() {
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
