//! Maintenance windows: LRS's published maintenance schedule (LRS-CONTRACT 7.5), as operators configure it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use parking_lot::RwLock;

use crate::domain::london_time_zone;
use crate::schema::{Constraints, InvalidValue, Scalar};

/// A period in which LRS is unavailable for planned maintenance.
#[derive(Debug, Clone)]
pub struct MaintenanceWindow {
    /// The start, inclusive.
    pub starts_at: Timestamp,
    /// The end, exclusive.
    pub ends_at: Timestamp,
    /// A note for callers.
    pub note: Option<String>,
}

impl MaintenanceWindow {
    /// Returns `true` if the time is within the window.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.starts_at <= time && time < self.ends_at
    }

    /// Returns the window that contains the current time. If there are several, returns the one that ends last.
    pub fn current(windows: &[Self], now: Timestamp) -> Option<&Self> {
        windows.iter().filter(|window| window.contains(now)).max_by_key(|window| window.ends_at)
    }
}

/// The announced maintenance windows. Clones share them. They may change while the process runs.
#[derive(Debug, Clone, Default)]
pub struct MaintenanceSchedule(Arc<RwLock<Arc<[MaintenanceWindow]>>>);

impl MaintenanceSchedule {
    /// Returns the current windows.
    pub fn windows(&self) -> Arc<[MaintenanceWindow]> {
        Arc::clone(&self.0.read())
    }

    /// Replaces all windows.
    pub fn replace(&self, windows: Vec<MaintenanceWindow>) {
        *self.0.write() = windows.into();
    }
}

impl From<Vec<MaintenanceWindow>> for MaintenanceSchedule {
    fn from(windows: Vec<MaintenanceWindow>) -> Self {
        Self(Arc::new(RwLock::new(windows.into())))
    }
}

/// Returns how much of the period between two times is within maintenance windows.
pub fn maintenance_duration(windows: &[MaintenanceWindow], from: Timestamp, until: Timestamp) -> Duration {
    let mut clipped: Vec<_> = windows.iter().map(|window| (window.starts_at.max(from), window.ends_at.min(until))).collect();
    clipped.sort();
    let (mut total, mut counted_until) = (Duration::ZERO, from);
    for (starts_at, ends_at) in clipped {
        // Windows may overlap: count each time once.
        let starts_at = starts_at.max(counted_until);
        if starts_at < ends_at {
            total += Duration::try_from(ends_at.duration_since(starts_at)).unwrap_or_default();
            counted_until = ends_at;
        }
    }
    total
}

/// Returns the duration from now until a time; zero if the time has passed.
pub fn time_until(time: Timestamp) -> Duration {
    time.duration_since(Timestamp::now()).try_into().unwrap_or_default()
}

/// The start or end of a maintenance window in the configuration: RFC 3339, or London time without an offset, as LRS publishes it.
#[derive(Debug, Clone, Copy)]
pub struct WindowBoundary(pub Timestamp);

impl Scalar for WindowBoundary {
    const CONSTRAINTS: Constraints =
        Constraints::new("A date and time: RFC 3339, or London time without an offset.", "2026-12-24T08:00:00");

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        const INVALID_FORMAT: InvalidValue = InvalidValue::new(
            "invalid_format",
            "must be a date and time such as 2026-12-24T08:00:00 (London time) or 2026-12-24T08:00:00Z",
        );
        if let Ok(timestamp) = text.parse() {
            return Ok(Self(timestamp));
        }
        let local: DateTime = text.parse().map_err(|_| INVALID_FORMAT)?;
        local.to_zoned(london_time_zone()).map(|zoned| Self(zoned.timestamp())).map_err(|_| INVALID_FORMAT)
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timestamp(text: &str) -> Timestamp {
        WindowBoundary::parse(text).expect(text).0
    }

    fn overlapping_windows() -> [MaintenanceWindow; 2] {
        let window = |from, until| MaintenanceWindow { starts_at: timestamp(from), ends_at: timestamp(until), note: None };
        [window("2026-12-24T08:00:00", "2026-12-24T12:00:00"), window("2026-12-24T09:00:00", "2026-12-24T10:00:00")]
    }

    #[test]
    fn window_boundary_without_offset_is_london_time() {
        for (text, utc) in [
            ("2026-12-24T08:00:00", "2026-12-24T08:00:00Z"),
            ("2026-06-24T08:00:00", "2026-06-24T07:00:00Z"),
            ("2026-06-24T08:00:00Z", "2026-06-24T08:00:00Z"),
            ("2026-06-24T08:00:00+02:00", "2026-06-24T06:00:00Z"),
        ] {
            assert_eq!(timestamp(text).to_string(), utc, "{text}");
        }
        for text in ["", "tomorrow", "2026-13-24T08:00:00", "08:00"] {
            assert!(WindowBoundary::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn maintenance_window_contains_start_but_not_end() {
        let windows = overlapping_windows();
        let seconds_left = |text| {
            let now = timestamp(text);
            MaintenanceWindow::current(&windows, now).map(|window| window.ends_at.duration_since(now).as_secs())
        };
        assert_eq!(seconds_left("2026-12-24T07:59:59"), None);
        assert_eq!(seconds_left("2026-12-24T08:00:00"), Some(4 * 60 * 60));
        assert_eq!(seconds_left("2026-12-24T09:30:00"), Some(9000), "windows may overlap");
        assert_eq!(seconds_left("2026-12-24T11:59:59"), Some(1));
        assert_eq!(seconds_left("2026-12-24T12:00:00"), None);
    }

    #[test]
    fn maintenance_duration_overlapping_windows_counts_once() {
        let windows = overlapping_windows();
        let minutes = |from, until| maintenance_duration(&windows, timestamp(from), timestamp(until)).as_secs() / 60;
        assert_eq!(minutes("2026-12-24T00:00:00", "2026-12-25T00:00:00"), 4 * 60, "the overlap counts once");
        assert_eq!(minutes("2026-12-24T09:30:00", "2026-12-24T11:00:00"), 90);
        assert_eq!(minutes("2026-12-24T12:00:00", "2026-12-25T00:00:00"), 0);
    }
}
