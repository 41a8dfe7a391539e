//! Times as LRS writes them: local times of London, without an offset (LRS-CONTRACT 5.4).

use std::borrow::Cow;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::domain::FromLrs;
use crate::schema::{Constraints, InvalidValue, Scalar, personal_value};

/// A local time of London, which LRS writes as `YYYY-MM-DD HH:MM:SS`. JSON has it as RFC 3339, with London's offset at that time.
///
/// When the clocks go back, a repeated time is taken to be its first occurrence. When they go forward, a skipped time is moved one hour
/// forward.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LocalDateTime(DateTime);

personal_value!(LocalDateTime);

/// A local time of London that LRS writes as `xs:dateTime`: `YYYY-MM-DDTHH:MM:SS`, with or without fractions and an offset (LRS-CONTRACT 5.4).
/// Without an offset it is London time.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct XmlDateTime(LocalDateTime);

personal_value!(XmlDateTime);

/// A time in one of LRS's notations.
pub trait LrsTime: FromLrs {
    /// Returns the point in time; `None` if it is out of range.
    fn timestamp(&self) -> Option<jiff::Timestamp>;
}

impl LrsTime for LocalDateTime {
    fn timestamp(&self) -> Option<jiff::Timestamp> {
        self.0.to_zoned(london_time_zone()).ok().map(|zoned| zoned.timestamp())
    }
}

impl LrsTime for XmlDateTime {
    fn timestamp(&self) -> Option<jiff::Timestamp> {
        self.0.timestamp()
    }
}

/// Returns LRS's time zone.
pub fn london_time_zone() -> TimeZone {
    // The time zone database is compiled into the program, so the lookup cannot fail. UTC would be wrong by one hour at most.
    TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC)
}

impl Scalar for LocalDateTime {
    const CONSTRAINTS: Constraints =
        Constraints { format: Some("date-time"), ..Constraints::new("Date and time (RFC 3339).", "2019-09-30T10:10:07+01:00") };

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let timestamp: jiff::Timestamp =
            text.parse().map_err(|_| InvalidValue::new("invalid_format", "must be a date and time with an offset (RFC 3339)"))?;
        Ok(Self(timestamp.to_zoned(london_time_zone()).datetime()))
    }

    fn text(&self) -> Cow<'_, str> {
        let zoned = self.0.to_zoned(london_time_zone());
        Cow::Owned(zoned.map_or_else(|_| self.0.to_string(), |zoned| zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()))
    }
}

impl FromLrs for LocalDateTime {
    fn from_lrs(text: &str) -> Option<Self> {
        let has_format = text.len() == 19 && text.as_bytes()[10] == b' ';
        has_format.then(|| DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()).flatten().map(Self)
    }

    fn to_lrs(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.strftime("%Y-%m-%d %H:%M:%S").to_string())
    }
}

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
        if let Ok(with_offset) = LocalDateTime::parse(text) {
            return Some(Self(with_offset));
        }
        text.parse().ok().map(|local| Self(LocalDateTime(local)))
    }

    fn to_lrs(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.0.strftime("%Y-%m-%dT%H:%M:%S").to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_date_time_in_summer_and_winter_has_the_offset_of_its_day() {
        for (lrs, json) in [
            ("2019-09-30 10:10:07", "2019-09-30T10:10:07+01:00"),
            ("2019-12-30 10:10:07", "2019-12-30T10:10:07+00:00"),
            ("2024-03-31 00:59:59", "2024-03-31T00:59:59+00:00"),
            ("2024-03-31 02:00:00", "2024-03-31T02:00:00+01:00"),
            ("2024-10-27 01:30:00", "2024-10-27T01:30:00+01:00"), // occurs twice
            ("1970-01-01 12:00:00", "1970-01-01T12:00:00+01:00"), // British Standard Time
        ] {
            let time = LocalDateTime::from_lrs(lrs).expect(lrs);
            assert_eq!((time.text().as_ref(), time.to_lrs().as_ref()), (json, lrs));
            assert!(LocalDateTime::parse(json).is_ok_and(|parsed| parsed == time), "{json}");
        }
    }

    #[test]
    fn xml_date_time_with_or_without_fractions_and_offset_is_read() {
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
        assert_eq!(XmlDateTime::from_lrs("2025-07-02T11:05:00").expect("a time").to_lrs(), "2025-07-02T11:05:00");
    }

    #[test]
    fn local_date_time_in_another_notation_is_rejected() {
        for text in ["", "2019-09-30", "2019-09-30T10:10:07", "2019-02-29 10:10:07", "2019-09-30 25:00:00", "30/09/2019 10:10:07"] {
            assert!(LocalDateTime::from_lrs(text).is_none(), "{text}");
        }
    }
}
