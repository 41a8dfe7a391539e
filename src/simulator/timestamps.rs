//! Times and dates in the formats of LRS's responses. All are UTC.

use jiff::Timestamp;

use crate::domain::{Date, Extensible, LocalDateTime, XmlDateTime};

/// Returns a time in the format of the learner service.
pub fn local_date_time(timestamp: Timestamp) -> Extensible<LocalDateTime> {
    Extensible::from_lrs(&timestamp.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// Returns the current time in the format of the learner service.
pub fn current_local_date_time() -> Extensible<LocalDateTime> {
    local_date_time(Timestamp::now())
}

/// Returns the current time with `T` and `Z`, in seconds.
pub fn current_utc_time() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Returns a time in the format of the R9 service and the external service.
pub fn xml_date_time(timestamp: Timestamp) -> Extensible<XmlDateTime> {
    Extensible::from_lrs(&timestamp.strftime("%Y-%m-%dT%H:%M:%S").to_string())
}

/// Returns the current date.
pub fn current_date() -> Extensible<Date> {
    Extensible::from_lrs(&Timestamp::now().strftime("%Y-%m-%d").to_string())
}
