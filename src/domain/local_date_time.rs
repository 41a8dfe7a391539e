//! Times as LRS writes them: London's clock, without saying so (FACTS 2.9, 6.6).

use std::borrow::Cow;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::domain::FromLrs;
use crate::schema::{Constraints, InvalidValue, Scalar, personal_value};

/// A moment that LRS wrote as `YYYY-MM-DD HH:MM:SS` in London's time. JSON has it as RFC 3339, with the offset of that day.
///
/// In the hour that happens twice in autumn, the first is meant; in the one that does not happen in spring, the one after it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LocalDateTime(DateTime);

personal_value!(LocalDateTime);

/// A time that LRS wrote.
pub trait LrsTime: FromLrs {
    /// The moment it means.
    fn timestamp(&self) -> Option<jiff::Timestamp>;
}

impl LrsTime for LocalDateTime {
    fn timestamp(&self) -> Option<jiff::Timestamp> {
        self.0.to_zoned(london()).ok().map(|zoned| zoned.timestamp())
    }
}

impl LrsTime for XmlDateTime {
    fn timestamp(&self) -> Option<jiff::Timestamp> {
        self.0.timestamp()
    }
}

/// LRS's time zone.
pub fn london() -> TimeZone {
    // The time zones are part of the program, so this cannot fail; UTC would be an hour off at worst.
    TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC)
}

impl Scalar for LocalDateTime {
    const CONSTRAINTS: Constraints =
        Constraints { format: Some("date-time"), ..Constraints::new("A moment, RFC 3339.", "2019-09-30T10:10:07+01:00") };

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let moment: jiff::Timestamp =
            text.parse().map_err(|_| InvalidValue::new("invalid_format", "must be a moment as RFC 3339 has it"))?;
        Ok(Self(moment.to_zoned(london()).datetime()))
    }

    fn text(&self) -> Cow<'_, str> {
        let text =
            self.0.to_zoned(london()).map_or_else(|_| self.0.to_string(), |zoned| zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string());
        Cow::Owned(text)
    }
}

impl FromLrs for LocalDateTime {
    fn from_lrs(text: &str) -> Option<Self> {
        let shaped = text.len() == 19 && text.as_bytes()[10] == b' ';
        shaped.then(|| DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()).flatten().map(Self)
    }

    fn to_lrs(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.strftime("%Y-%m-%d %H:%M:%S").to_string())
    }
}

/// The same moment in the other notation of LRS, `xs:dateTime`: `YYYY-MM-DDTHH:MM:SS`, with or without fractions and an offset
/// (FACTS 2.13). Without an offset it is London's time.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct XmlDateTime(LocalDateTime);

personal_value!(XmlDateTime);

impl Scalar for XmlDateTime {
    const CONSTRAINTS: Constraints = LocalDateTime::CONSTRAINTS;

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        LocalDateTime::parse(text).map(Self)
    }

    fn text(&self) -> Cow<'_, str> {
        self.0.text()
    }
}

impl FromLrs for XmlDateTime {
    fn from_lrs(text: &str) -> Option<Self> {
        if text.as_bytes().get(10) != Some(&b'T') {
            return None;
        }
        if let Ok(moment) = LocalDateTime::parse(text) {
            return Some(Self(moment));
        }
        text.parse().ok().map(|moment| Self(LocalDateTime(moment)))
    }

    fn to_lrs(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.0.strftime("%Y-%m-%dT%H:%M:%S").to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summer_and_winter_have_their_own_offsets() {
        for (lrs, json) in [
            ("2019-09-30 10:10:07", "2019-09-30T10:10:07+01:00"),
            ("2019-12-30 10:10:07", "2019-12-30T10:10:07+00:00"),
            ("2024-03-31 00:59:59", "2024-03-31T00:59:59+00:00"),
            ("2024-03-31 02:00:00", "2024-03-31T02:00:00+01:00"),
            ("2024-10-27 01:30:00", "2024-10-27T01:30:00+01:00"), // happens twice
            ("1970-01-01 12:00:00", "1970-01-01T12:00:00+01:00"), // British Standard Time
        ] {
            let moment = LocalDateTime::from_lrs(lrs).expect(lrs);
            assert_eq!((moment.text().as_ref(), moment.to_lrs().as_ref()), (json, lrs));
            assert!(LocalDateTime::parse(json).is_ok_and(|parsed| parsed == moment), "{json}");
        }
    }

    #[test]
    fn xml_has_its_own_notation_of_the_same_moments() {
        for (lrs, json) in [
            ("2025-07-02T11:05:00", "2025-07-02T11:05:00+01:00"),
            ("2025-07-02T11:05:00.1234567", "2025-07-02T11:05:00+01:00"),
            ("2025-07-02T10:05:00Z", "2025-07-02T11:05:00+01:00"),
            ("2025-12-02T11:05:00+01:00", "2025-12-02T10:05:00+00:00"),
        ] {
            assert_eq!(XmlDateTime::from_lrs(lrs).expect(lrs).text(), json);
        }
        for text in ["", "2025-07-02", "2025-07-02 11:05:00", "2025-07-32T11:05:00"] {
            assert!(XmlDateTime::from_lrs(text).is_none(), "{text}");
        }
        assert_eq!(XmlDateTime::from_lrs("2025-07-02T11:05:00").expect("a moment").to_lrs(), "2025-07-02T11:05:00");
    }

    #[test]
    fn other_texts_are_not_moments() {
        for text in ["", "2019-09-30", "2019-09-30T10:10:07", "2019-02-29 10:10:07", "2019-09-30 25:00:00", "30/09/2019 10:10:07"] {
            assert!(LocalDateTime::from_lrs(text).is_none(), "{text}");
        }
    }
}
