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

impl LimitState {
    fn remaining_calls(self) -> u64 {
        Bucket::new(self.reset, self.limit).remaining_calls(0)
    }

    /// Returns the seconds until the limit allows the next call; `None` if it allows one now.
    fn seconds_until_next_call(self) -> Option<u64> {
        let wait = Bucket::new(self.reset, self.limit).wait(0)?;
        Some(wait.div_ceil(MICROS_PER_SECOND))
    }
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

    /// Returns the seconds until every limit allows a call again; `None` if they allow one now.
    pub fn seconds_until_next_call(&self) -> Option<u64> {
        self.states.iter().flatten().filter_map(|state| state.seconds_until_next_call()).max()
    }

    /// Returns the value of the `RateLimit-Policy` header (draft-ietf-httpapi-ratelimit-headers-11, section 3).
    pub fn policy_header(&self) -> String {
        self.header_list(|text, state| write!(text, ";q={};w={SECONDS_PER_MINUTE}", state.limit.per_minute))
    }

    /// Returns the value of the `RateLimit` header (same draft, section 4): remaining calls, and seconds until the full burst is available.
    /// For a limit without remaining calls, the seconds are those until the next call, as in `Retry-After`.
    pub fn header(&self) -> String {
        self.header_list(|text, state| {
            let seconds = state.seconds_until_next_call().unwrap_or_else(|| state.reset.div_ceil(MICROS_PER_SECOND));
            write!(text, ";r={};t={seconds}", state.remaining_calls())
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

    #[test]
    fn rate_limit_header_of_exhausted_limit_has_seconds_until_next_call() {
        let limit = |per_minute, burst| Limit { per_minute, burst };
        let counted = [(limit(60, 5), 5_000_000), (limit(1, 2), 180_000_000), (limit(60, 5), 4_000_000)];
        let decision = RateLimitDecision::new(counted, Some(Wait { micros: 120_000_000, index: 1 }));
        assert_eq!(decision.header(), "\"organisation\";r=0;t=1, \"person\";r=0;t=120, \"searches\";r=1;t=4");
        assert_eq!((decision.seconds_until_next_call(), decision.exceeded.map(|limit| limit.retry_after_seconds)), (Some(120), Some(120)));
        assert_eq!(RateLimitDecision::new([(limit(60, 5), 4_000_000)], None).seconds_until_next_call(), None);
    }
}
