//! The header `Retry-After` of a response (RFC 9110, 10.2.3).

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Maximum time that is taken over from the header. A longer one is probably an error, and plans change.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// Minimum time that is taken over from the header, also for a date in the past.
const MIN_RETRY_AFTER: Duration = Duration::from_secs(1);

/// The forms of an HTTP date (RFC 9110, 5.6.7). The last two are obsolete, but must be accepted.
const DATE_FORMATS: [&str; 3] = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// Parses the header: a number of seconds or a date. Returns a time from a second to a day; `None` if the value is neither.
pub fn parse_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let duration = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        value.parse().map_or(MAX_RETRY_AFTER, Duration::from_secs)
    } else {
        let date = DATE_FORMATS.iter().find_map(|format| DateTime::strptime(format, value).ok())?;
        let date = date.to_zoned(TimeZone::UTC).ok()?.timestamp();
        Duration::try_from(date.duration_since(now)).unwrap_or_default()
    };
    Some(duration.clamp(MIN_RETRY_AFTER, MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_seconds_and_dates_are_parsed_and_bounded() {
        let now: Timestamp = "1994-11-06T08:47:37Z".parse().expect("a timestamp");
        let seconds = |value| parse_retry_after(value, now).map(|duration| duration.as_secs());
        for (value, expected) in [
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("0", Some(1)),
            ("999999999999999999999999", Some(86_400)),
            ("604800", Some(86_400)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(120)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(120)),
            ("Sun Nov  6 08:49:37 1994", Some(120)),
            ("Sat, 05 Nov 1994 08:49:37 GMT", Some(1)),
            ("Mon, 06 Nov 2094 08:49:37 GMT", None),
            ("Sat, 06 Nov 2094 08:49:37 GMT", Some(86_400)),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(seconds(value), expected, "{value:?}");
        }
    }
}
