//! The result of counting a call, and the headers that state it.

use std::fmt::Write as _;

use super::gcra::{Bucket, Wait};
use super::limits::{LIMIT_NAMES, Limit, MICROS_PER_SECOND, SECONDS_PER_MINUTE};

/// Length that the headers usually have, in bytes.
const HEADER_BYTES: usize = 96;

/// Result of counting a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimitDecision {
    /// The states of the limits, in the order of their names. `None` for a limit that does not apply to the call.
    states: [Option<LimitState>; LIMIT_NAMES.len()],
    /// The exceeded limit. `None` if the call is allowed.
    pub exceeded: Option<ExceededLimit>,
}

/// A limit that rejects a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExceededLimit {
    /// Name of the limit: `organisation`, `person` or `searches`.
    pub name: &'static str,
    /// Seconds until the limit allows the call.
    pub retry_after_seconds: u64,
}

/// State of a limit after a call was counted or rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LimitState {
    limit: Limit,
    /// Microseconds until the full burst is available.
    reset: u64,
}

impl RateLimitDecision {
    /// Creates the decision from the limits that apply, each with the microseconds until its theoretical arrival time, and from the time
    /// that the call must wait.
    pub(super) fn new(limits: impl IntoIterator<Item = (Limit, u64)>, wait: Option<Wait>) -> Self {
        let mut states = [None; LIMIT_NAMES.len()];
        for (state, (limit, reset)) in states.iter_mut().zip(limits) {
            *state = Some(LimitState { limit, reset });
        }
        let exceeded = wait.and_then(|wait| {
            let retry_after_seconds = wait.micros.div_ceil(MICROS_PER_SECOND).max(1);
            Some(ExceededLimit { name: LIMIT_NAMES.get(wait.index)?, retry_after_seconds })
        });
        Self { states, exceeded }
    }

    /// Returns the value of the `RateLimit-Policy` header (draft-ietf-httpapi-ratelimit-headers-11, section 3).
    pub fn policy_header(&self) -> String {
        self.header_list(|text, state| write!(text, ";q={};w={SECONDS_PER_MINUTE}", state.limit.per_minute))
    }

    /// Returns the value of the `RateLimit` header (same draft, section 4): remaining calls, and seconds until the full burst is available.
    pub fn header(&self) -> String {
        self.header_list(|text, state| {
            let remaining_calls = Bucket::new(state.reset, state.limit).remaining_calls(0);
            write!(text, ";r={remaining_calls};t={}", state.reset.div_ceil(MICROS_PER_SECOND))
        })
    }

    fn header_list(&self, write_parameters: impl Fn(&mut String, &LimitState) -> std::fmt::Result) -> String {
        let mut text = String::with_capacity(HEADER_BYTES);
        for (name, state) in LIMIT_NAMES.iter().zip(self.states.iter().flatten()) {
            text.push_str(if text.is_empty() { "\"" } else { ", \"" });
            text.push_str(name);
            text.push('"');
            let _ = write_parameters(&mut text, state);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::Rates;
    use super::*;

    #[test]
    fn rate_limit_headers_contain_policy_and_remaining_calls() {
        let Rates { organisation, person, searches } = Rates::default();
        let counted = [(organisation, 100_000), (person, 500_000), (searches, 1_000_000)];
        let decision = RateLimitDecision::new(counted, None);
        assert_eq!(decision.policy_header(), "\"organisation\";q=600;w=60, \"person\";q=120;w=60, \"searches\";q=60;w=60");
        assert_eq!(decision.header(), "\"organisation\";r=99;t=1, \"person\";r=39;t=1, \"searches\";r=19;t=1");
        let without_search = RateLimitDecision::new(counted.into_iter().take(2), None);
        assert_eq!(without_search.header(), "\"organisation\";r=99;t=1, \"person\";r=39;t=1");
    }
}
