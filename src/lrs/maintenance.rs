//! When LRS is known to be closed: the windows of its published maintenance schedule (FACTS 5.2), as operators write them down.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;

use crate::domain::london;
use crate::schema::{Constraints, InvalidValue, Scalar};

/// A time in which LRS is closed.
#[derive(Debug, Clone)]
pub struct MaintenanceWindow {
    /// Its beginning.
    pub starts_at: Timestamp,
    /// Its end, which is not in it.
    pub ends_at: Timestamp,
    /// What callers are told about it.
    pub note: Option<String>,
}

impl MaintenanceWindow {
    /// Is it in this window?
    pub fn has(&self, moment: Timestamp) -> bool {
        self.starts_at <= moment && moment < self.ends_at
    }

    /// Of these windows the one that lasts longest of those it is in now.
    pub fn now(windows: &[Self], moment: Timestamp) -> Option<&Self> {
        windows.iter().filter(|window| window.has(moment)).max_by_key(|window| window.ends_at)
    }
}

/// For how long of this time it is in one of these windows.
pub fn maintenance_between(windows: &[MaintenanceWindow], from: Timestamp, until: Timestamp) -> Duration {
    let mut within: Vec<_> = windows.iter().map(|window| (window.starts_at.max(from), window.ends_at.min(until))).collect();
    within.sort();
    let (mut closed, mut counted) = (Duration::ZERO, from);
    for (begins, ends) in within {
        // Windows may overlap.
        let begins = begins.max(counted);
        if begins < ends {
            closed += Duration::try_from(ends.duration_since(begins)).unwrap_or_default();
            counted = ends;
        }
    }
    closed
}

/// How long it is until then; nothing if it is over.
pub fn time_until(moment: Timestamp) -> Duration {
    moment.duration_since(Timestamp::now()).try_into().unwrap_or_default()
}

/// A moment as operators write it: RFC 3339, or London's time without an offset, as LRS publishes it.
#[derive(Debug, Clone, Copy)]
pub struct WindowBoundary(pub Timestamp);

impl Scalar for WindowBoundary {
    const CONSTRAINTS: Constraints = Constraints::new("A moment: RFC 3339, or London's time.", "2026-12-24T08:00:00");

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        const NEITHER: InvalidValue =
            InvalidValue::new("invalid_format", "must be a moment such as 2026-12-24T08:00:00 (London's time) or 2026-12-24T08:00:00Z");
        if let Ok(moment) = text.parse() {
            return Ok(Self(moment));
        }
        let local: DateTime = text.parse().map_err(|_| NEITHER)?;
        local.to_zoned(london()).map(|zoned| Self(zoned.timestamp())).map_err(|_| NEITHER)
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        WindowBoundary::parse(text).expect(text).0
    }

    #[test]
    fn times_without_an_offset_are_londons() {
        for (text, utc) in [
            ("2026-12-24T08:00:00", "2026-12-24T08:00:00Z"),
            ("2026-06-24T08:00:00", "2026-06-24T07:00:00Z"),
            ("2026-06-24T08:00:00Z", "2026-06-24T08:00:00Z"),
            ("2026-06-24T08:00:00+02:00", "2026-06-24T06:00:00Z"),
        ] {
            assert_eq!(moment(text).to_string(), utc, "{text}");
        }
        for text in ["", "tomorrow", "2026-13-24T08:00:00", "08:00"] {
            assert!(WindowBoundary::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_window_has_its_beginning_but_not_its_end() {
        let window = |from, until| MaintenanceWindow { starts_at: moment(from), ends_at: moment(until), note: None };
        let windows = [window("2026-12-24T08:00:00", "2026-12-24T12:00:00"), window("2026-12-24T09:00:00", "2026-12-24T10:00:00")];
        let rest =
            |text| MaintenanceWindow::now(&windows, moment(text)).map(|window| window.ends_at.duration_since(moment(text)).as_secs());
        assert_eq!(rest("2026-12-24T07:59:59"), None);
        assert_eq!(rest("2026-12-24T08:00:00"), Some(4 * 60 * 60));
        assert_eq!(rest("2026-12-24T09:30:00"), Some(9000), "windows may overlap");
        assert_eq!(rest("2026-12-24T11:59:59"), Some(1));
        assert_eq!(rest("2026-12-24T12:00:00"), None);
        let closed = |from, until| maintenance_between(&windows, moment(from), moment(until)).as_secs() / 60;
        assert_eq!(closed("2026-12-24T00:00:00", "2026-12-25T00:00:00"), 4 * 60, "what overlaps counts once");
        assert_eq!(closed("2026-12-24T09:30:00", "2026-12-24T11:00:00"), 90);
        assert_eq!(closed("2026-12-24T12:00:00", "2026-12-25T00:00:00"), 0);
    }
}
