//! The query of a list of batches: `limit`, `cursor`, `submittedAfter` and `submittedBefore`.

use jiff::Timestamp;
use utoipa::openapi::path::ParameterIn;

use crate::api::description::{Description, parameter, timestamp};
use crate::api::extract::pagination::{Pagination, malformed, parse_query};
use crate::api::handler::HeadInput;
use crate::auth::AdmittedRequest;
use crate::batches::model::{BatchId, EpochMillis, SubmissionPeriod};
use crate::problem::Problem;

const AFTER: &str = "submittedAfter";
const BEFORE: &str = "submittedBefore";

/// The batches that a query requests.
#[derive(Debug, Clone, Copy, Default)]
pub struct BatchListQuery {
    /// The page.
    pub pagination: Pagination<BatchId>,
    /// The period of submission.
    pub period: SubmissionPeriod,
}

impl BatchListQuery {
    fn parse(query: &str) -> Result<Self, Problem> {
        let mut parsed = Self::default();
        for (name, value) in parse_query(query)? {
            match name.as_str() {
                AFTER => parsed.period.after = Some(parse_time(AFTER, &value)?),
                BEFORE => parsed.period.before = Some(parse_time(BEFORE, &value)?),
                _ if parsed.pagination.set(&name, &value)? => {}
                _ => {
                    let allowed = format!("Only `limit`, `cursor`, `{AFTER}` and `{BEFORE}` are allowed.");
                    return Err(malformed(format!("The query string has an unknown parameter. {allowed}")));
                }
            }
        }
        let SubmissionPeriod { after, before } = parsed.period;
        if after.zip(before).is_some_and(|(after, before)| before <= after) {
            return Err(malformed(format!("The query parameter `{BEFORE}` must be later than `{AFTER}`.")));
        }
        Ok(parsed)
    }
}

impl HeadInput for BatchListQuery {
    fn describe(description: &mut Description) {
        Pagination::<BatchId>::describe(description);
        let after =
            "Only batches that you submitted, or that the gateway sent to LRS, at this time or later. RFC 3339, with `Z` or an offset.";
        let before = "Only batches that you submitted, or that the gateway sent to LRS, before this time. RFC 3339, with `Z` or an offset.";
        description.add_parameter(AFTER, parameter(AFTER, ParameterIn::Query, timestamp().examples(["2026-07-01T00:00:00Z"]), after));
        description.add_parameter(BEFORE, parameter(BEFORE, ParameterIn::Query, timestamp().examples(["2026-08-01T00:00:00Z"]), before));
    }

    fn from_head(request: &AdmittedRequest) -> Result<Self, Problem> {
        Self::parse(request.head().query_string())
    }
}

/// Parses a time of RFC 3339.
fn parse_time(name: &str, value: &str) -> Result<EpochMillis, Problem> {
    let time = value.parse::<Timestamp>().ok().filter(|_| is_rfc_3339(value));
    time.map(|time| EpochMillis(time.as_millisecond())).ok_or_else(|| {
        malformed(format!(
            "The query parameter `{name}` must be a time with `Z` or an offset, such as `2026-07-01T14:00:00Z`. Encode `+` as `%2B`."
        ))
    })
}

/// Returns `true` if a valid time has the form of RFC 3339. The parser also accepts other forms of ISO 8601.
fn is_rfc_3339(text: &str) -> bool {
    let Some((date, time)) = text.split_once(['T', 't']) else { return false };
    let is_zulu = time.ends_with(['Z', 'z']);
    let Some(zone) = time.find(['Z', 'z', '+', '-']) else { return false };
    let (clock, zone) = time.split_at(zone);
    let seconds = clock.split_once('.').map_or(clock, |(seconds, _)| seconds);
    date.len() == 10 && seconds.len() == 8 && (is_zulu && zone.len() == 1 || zone.len() == 6 && zone.as_bytes()[3] == b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_list_time_must_be_rfc_3339() {
        for valid in ["2026-07-01T14:00:00Z", "2026-07-01T14:00:00.250Z", "2026-07-01T15:00:00+01:00", "2026-07-01t14:00:00z"] {
            assert!(parse_time(AFTER, valid).is_ok(), "{valid}");
        }
        for invalid in [
            "",
            "now",
            "2026-07-01",
            "2026-07-01T14:00:00",
            "2026-07-01 14:00:00Z",
            "2026-07-01T14:00Z",
            "20260701T140000Z",
            "2026-07-01T14:00:00+01",
            "2026-07-01T14:00:00 01:00",
            "2026-02-30T14:00:00Z",
            "2026-07-01T14:00:00+01:00[Europe/London]",
            "1782914400",
        ] {
            assert!(parse_time(AFTER, invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn batch_list_period_must_not_be_empty() {
        let parse = |after: &str, before: &str| BatchListQuery::parse(&format!("submittedAfter={after}&submittedBefore={before}"));
        assert!(parse("2026-07-01T14:00:00Z", "2026-07-01T14:00:01Z").is_ok());
        for before in ["2026-07-01T14:00:00Z", "2026-07-01T13:59:59Z", "2026-07-01T15:00:00%2B01:00"] {
            assert!(parse("2026-07-01T14:00:00Z", before).is_err(), "{before}");
        }
    }
}
