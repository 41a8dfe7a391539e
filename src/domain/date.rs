//! Calendar dates (LRS-CONTRACT 5.1 `MIAPDate`). Only existing dates are accepted; LRS's own pattern accepts `1900-02-29`.

use std::borrow::Cow;

use crate::domain::FromLrs;
use crate::schema::{Constraints, InvalidValue, Scalar, personal_value};

/// An existing date, `YYYY-MM-DD`, in the years 1800 to 2099. Its text has the order of the calendar.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date([u8; 10]);

personal_value!(Date);

impl Scalar for Date {
    const CONSTRAINTS: Constraints =
        Constraints { format: Some("date"), ..Constraints::new("A date in the years 1800 to 2099.", "2003-04-05") };

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        const INVALID_FORMAT: InvalidValue = InvalidValue::new("invalid_format", "must be a date as YYYY-MM-DD");
        let text = <[u8; 10]>::try_from(text.as_bytes()).map_err(|_| INVALID_FORMAT)?;
        let (year, month, day) = year_month_day(&text).ok_or(INVALID_FORMAT)?;
        if !(1800..=2099).contains(&year) {
            return Err(InvalidValue::new("out_of_range", "must be a date in the years 1800 to 2099"));
        }
        jiff::civil::Date::new(year, month, day)
            .map(|_| Self(text))
            .map_err(|_| InvalidValue::new("not_a_date", "must be a date that is in the calendar"))
    }

    fn text(&self) -> Cow<'_, str> {
        // The bytes are ASCII digits and hyphens.
        Cow::Borrowed(std::str::from_utf8(&self.0).unwrap_or_default())
    }
}

/// Splits `YYYY-MM-DD` into its numbers. Accepts ASCII digits only and no other characters.
pub(super) fn year_month_day(text: &[u8]) -> Option<(i16, i8, i8)> {
    let [year @ .., b'-', m1, m2, b'-', d1, d2] = text else { return None };
    let year = <&[u8; 4]>::try_from(year).ok()?;
    Some((decimal(year)?, decimal(&[*m1, *m2])?.try_into().ok()?, decimal(&[*d1, *d2])?.try_into().ok()?))
}

/// Returns the number that up to four ASCII digits stand for.
pub(super) fn decimal(digits: &[u8]) -> Option<i16> {
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i16::from(digit - b'0')))
}

/// Returns `true` for a date or time in the year 1: programs on .NET write it if they have no value.
pub(super) fn is_in_year_1(text: &str) -> bool {
    text.trim_start().starts_with("0001-")
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

    #[test]
    fn date_is_accepted_if_the_calendar_has_it() {
        for (month, day) in (0..=99_i8).flat_map(|month| (0..=99_i8).map(move |day| (month, day))) {
            for year in [1900, 2004] {
                let is_accepted = Date::parse(&format!("{year}-{month:02}-{day:02}")).is_ok();
                assert_eq!(is_accepted, jiff::civil::Date::new(year, month, day).is_ok(), "{year}-{month}-{day}");
            }
        }
        for year in 0..=9999 {
            assert_eq!(Date::parse(&format!("{year:04}-01-01")).is_ok(), (1800..=2099).contains(&year), "{year}");
        }
    }

    #[test]
    fn dates_have_the_order_of_the_calendar() {
        let [first, second, third] = ["1999-12-31", "2000-01-09", "2000-01-10"].map(|text| Date::parse(text).expect(text));
        assert!(first < second && second < third);
    }
}
