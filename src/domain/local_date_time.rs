//! Times as LRS writes them: local times of London, without an offset (LRS-CONTRACT 5.4).

use std::borrow::Cow;
use std::sync::LazyLock;

use jiff::Zoned;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use crate::domain::FromLrs;
use crate::domain::date::{decimal, is_in_year_1, year_month_day};
use crate::schema::{Constraints, InvalidValue, Scalar, personal_value};

/// A time as LRS states it: a local time of London, `YYYY-MM-DD HH:MM:SS`. The gateway also reads it with `T`, a fraction and an offset. JSON has
/// it as RFC 3339, with London's offset at that time.
///
/// When the clocks go back, a repeated time without an offset is taken to be its first occurrence. When they go forward, a skipped time is
/// moved one hour forward.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LocalDateTime {
    local: DateTime,
    /// London's offset at that time.
    offset: Offset,
}

personal_value!(LocalDateTime);

/// The same, for elements that LRS's schema declares as `xs:dateTime`: LRS writes `YYYY-MM-DDTHH:MM:SS` (LRS-CONTRACT 5.4).
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
        self.offset.to_timestamp(self.local).ok()
    }
}

impl LrsTime for XmlDateTime {
    fn timestamp(&self) -> Option<jiff::Timestamp> {
        self.0.timestamp()
    }
}

// The time zone database is compiled into the program, so the lookup cannot fail. UTC would be wrong by one hour at most.
static LONDON: LazyLock<TimeZone> = LazyLock::new(|| TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC));

/// Returns LRS's time zone.
pub fn london_time_zone() -> TimeZone {
    LONDON.clone()
}

impl LocalDateTime {
    /// Reads any of the notations; `None` for another text, and for a time that is too far away to have an offset.
    fn read(text: &str) -> Option<Self> {
        Self::read_usual(text).or_else(|| Self::read_any(text))
    }

    /// Reads the notation that LRS nearly always uses, a few times faster. `None` also for a local time that is skipped or repeated.
    fn read_usual(text: &str) -> Option<Self> {
        let [date @ .., b' ' | b'T', h1, h2, b':', m1, m2, b':', s1, s2] = text.as_bytes() else { return None };
        let (year, month, day) = year_month_day(date)?;
        let two_digits = |one: &u8, two: &u8| decimal(&[*one, *two])?.try_into().ok();
        let local = DateTime::new(year, month, day, two_digits(h1, h2)?, two_digits(m1, m2)?, two_digits(s1, s2)?, 0).ok()?;
        let AmbiguousOffset::Unambiguous { offset } = LONDON.to_ambiguous_timestamp(local).offset() else { return None };
        let time = Self { local, offset };
        time.timestamp().map(|_| time)
    }

    fn read_any(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let has_form = text.is_ascii() && bytes.len() >= 19 && matches!(bytes[10], b' ' | b'T') && bytes[13] == b':' && bytes[16] == b':';
        if !has_form || text.contains('[') {
            return None;
        }
        if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
            return Some(Self::in_london(&timestamp.to_zoned(london_time_zone())));
        }
        let local: DateTime = text.parse().ok()?;
        local.to_zoned(london_time_zone()).ok().map(|zoned| Self::in_london(&zoned))
    }

    /// Returns the text in JSON of nearly every time, a few times faster: one without a fraction, in Greenwich Mean Time or British Summer Time.
    fn usual_text(&self) -> Option<String> {
        let offset = match self.offset.seconds() {
            0 => "+00:00",
            3600 => "+01:00",
            _ => return None,
        };
        let year = u8::try_from(self.local.year() / 100).ok().filter(|_| self.local.subsec_nanosecond() == 0)?;
        let [month, day, hour, minute, second] =
            [self.local.month(), self.local.day(), self.local.hour(), self.local.minute(), self.local.second()].map(i8::unsigned_abs);
        let year_of_century = u8::try_from(self.local.year() % 100).ok()?;
        let mut text = String::with_capacity("YYYY-MM-DDTHH:MM:SS+00:00".len());
        for (number, separator) in
            [(year, ""), (year_of_century, "-"), (month, "-"), (day, "T"), (hour, ":"), (minute, ":"), (second, offset)]
        {
            text.push(char::from(b'0' + number / 10));
            text.push(char::from(b'0' + number % 10));
            text.push_str(separator);
        }
        Some(text)
    }

    /// Returns the text in JSON of any time.
    fn any_text(&self) -> String {
        let has_whole_minutes = self.offset.seconds() % 60 == 0;
        let zoned = if has_whole_minutes { self.zoned() } else { self.zoned().with_time_zone(TimeZone::UTC) };
        zoned.strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string()
    }

    fn in_london(zoned: &Zoned) -> Self {
        Self { local: zoned.datetime(), offset: zoned.offset() }
    }

    /// Returns the local time, with `separator` between date and time. It has its offset if the local time alone stands for another time.
    fn lrs_text(&self, separator: char) -> String {
        let is_implied = self.local.to_zoned(london_time_zone()).is_ok_and(|zoned| zoned.offset() == self.offset);
        let offset = if is_implied { String::new() } else { self.zoned().strftime("%:z").to_string() };
        format!("{}{separator}{}{offset}", self.local.strftime("%Y-%m-%d"), self.local.strftime("%H:%M:%S%.f"))
    }

    /// Returns the time with its offset.
    fn zoned(&self) -> Zoned {
        // Every value was made from a time that is in range.
        self.timestamp().unwrap_or_default().to_zoned(TimeZone::fixed(self.offset))
    }
}

impl Scalar for LocalDateTime {
    const CONSTRAINTS: Constraints =
        Constraints { format: Some("date-time"), ..Constraints::new("RFC 3339, with the offset of London.", "2019-09-30T10:10:07+01:00") };

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let timestamp: jiff::Timestamp =
            text.parse().map_err(|_| InvalidValue::new("invalid_format", "must be a date and time with an offset (RFC 3339)"))?;
        Ok(Self::in_london(&timestamp.to_zoned(london_time_zone())))
    }

    /// RFC 3339 knows no seconds in offsets, which London had until 1847. Such a time is in UTC.
    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(self.usual_text().unwrap_or_else(|| self.any_text()))
    }
}

impl FromLrs for LocalDateTime {
    fn from_lrs(text: &str) -> Option<Self> {
        Self::read(text)
    }

    fn to_lrs(&self) -> Cow<'_, str> {
        Cow::Owned(self.lrs_text(' '))
    }

    fn means_no_value(text: &str) -> bool {
        is_in_year_1(text)
    }
}

impl Scalar for XmlDateTime {
    const CONSTRAINTS: Constraints = LocalDateTime::CONSTRAINTS;

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        LocalDateTime::parse(text).map(Self)
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.text().into_owned())
    }
}

impl FromLrs for XmlDateTime {
    fn from_lrs(text: &str) -> Option<Self> {
        LocalDateTime::read(text).map(Self)
    }

    fn to_lrs(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.lrs_text('T'))
    }

    fn means_no_value(text: &str) -> bool {
        is_in_year_1(text)
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
            ("2016-11-04 08:15:30.127", "2016-11-04T08:15:30.127+00:00"),
        ] {
            let time = LocalDateTime::from_lrs(lrs).expect(lrs);
            assert_eq!((time.text().as_ref(), time.to_lrs().as_ref()), (json, lrs));
            assert!(LocalDateTime::parse(json).is_ok_and(|parsed| parsed == time), "{json}");
        }
    }

    #[test]
    fn time_in_every_notation_is_read_by_both_types() {
        for (lrs, json) in [
            ("2025-07-02T11:05:00", "2025-07-02T11:05:00+01:00"),
            ("2025-07-02 11:05:00", "2025-07-02T11:05:00+01:00"),
            ("2025-07-02T11:05:00.1234567", "2025-07-02T11:05:00.1234567+01:00"),
            ("2025-07-02 11:05:00.5", "2025-07-02T11:05:00.5+01:00"),
            ("2025-07-02T10:05:00Z", "2025-07-02T11:05:00+01:00"),
            ("2025-07-02 10:05:00.25Z", "2025-07-02T11:05:00.25+01:00"),
            ("2025-12-02T11:05:00+01:00", "2025-12-02T10:05:00+00:00"),
            ("2024-10-27T01:30:00+00:00", "2024-10-27T01:30:00+00:00"), // the second occurrence
        ] {
            assert_eq!(XmlDateTime::from_lrs(lrs).expect(lrs).text(), json, "{lrs}");
            let time = LocalDateTime::from_lrs(lrs).expect(lrs);
            assert_eq!(time.text(), json, "{lrs}");
            let stored = LocalDateTime::from_lrs(&time.to_lrs()).expect("a time is read back");
            assert!(stored == time, "{lrs}: {}", time.to_lrs());
        }
        assert_eq!(XmlDateTime::from_lrs("2025-07-02 11:05:00").expect("a time").to_lrs(), "2025-07-02T11:05:00");
    }

    #[test]
    fn time_in_the_usual_notation_is_read_and_written_like_any_other() {
        let times = ["00:00:00", "00:59:59", "01:00:00", "01:30:00", "02:00:00", "12:34:56", "23:59:59", "23:59:60", "24:00:00"];
        for year in (0..=9999).step_by(7).chain([1847, 1916, 1968, 1971, 2024, 9999]) {
            for date in ["01-01", "02-29", "03-31", "06-15", "10-27", "12-31", "13-01"] {
                for time in times {
                    let text = format!("{year:04}-{date} {time}");
                    let read = LocalDateTime::read(&text);
                    assert!(read == LocalDateTime::read_any(&text), "{text}");
                    assert_eq!(read.map(|time| time.text().into_owned()), read.map(|time| time.any_text()), "{text}");
                }
            }
        }
    }

    #[test]
    fn time_before_1848_has_no_offset_with_seconds() {
        for (lrs, json) in [
            ("1840-06-01 10:00:00", "1840-06-01T10:01:15+00:00"),
            ("1753-01-01T00:00:00", "1753-01-01T00:01:15+00:00"),
            ("1899-12-30 00:00:00", "1899-12-30T00:00:00+00:00"),
        ] {
            let time = LocalDateTime::from_lrs(lrs).expect(lrs);
            assert_eq!(time.text(), json);
            assert_eq!(time.to_lrs(), lrs.replace('T', " "));
        }
    }

    #[test]
    fn time_in_another_notation_is_rejected() {
        for text in [
            "",
            "2019-09-30",
            "2019-02-29 10:10:07",
            "2019-09-30 25:00:00",
            "30/09/2019 10:10:07",
            "2019-09-30 10:10",
            "2019-09-30T10:10:07[Europe/London]",
            "2019-09-30 10:10:07 GMT",
            "9999-12-31T23:59:59",
        ] {
            assert!(LocalDateTime::from_lrs(text).is_none() && XmlDateTime::from_lrs(text).is_none(), "{text}");
        }
    }
}
