//! Requests that all batch resources share.

use std::borrow::Cow;

use crate::schema::{Constraints, InvalidValue, Request, Scalar};

/// LRS job to track.
#[derive(Debug, Request)]
pub struct TrackedJob {
    /// Number of the LRS job, as shown by the LRS portal or another system.
    pub lrs_job_id: LrsJobId,
}

/// The number of an LRS job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LrsJobId(pub(super) i64);

impl Scalar for LrsJobId {
    const CONSTRAINTS: Constraints =
        Constraints { pattern: Some("^[1-9][0-9]{0,18}$"), max_length: Some(19), ..Constraints::new("A number, as a string.", "900123") };

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let is_number = (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        let number = is_number.then(|| text.parse().ok()).flatten();
        number.map(Self).ok_or(InvalidValue::new(
            "invalid_format",
            "must be a number of up to 19 digits (9223372036854775807 at most), in quotation marks",
        ))
    }

    fn text(&self) -> Cow<'_, str> {
        self.0.to_string().into()
    }
}
