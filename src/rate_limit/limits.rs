//! The limits themselves, and those of an organisation.

use crate::organisations::{LimitOverride, RateOverrides};

/// Names of the limits, in the order of [`Rates`]. The last one applies to searches only.
pub(super) const LIMIT_NAMES: [&str; 3] = ["organisation", "person", "searches"];

pub(super) const SECONDS_PER_MINUTE: u64 = 60;
pub(super) const MICROS_PER_SECOND: u64 = 1_000_000;

/// A rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Calls per minute, on average.
    pub per_minute: u32,
    /// Calls at once, after a pause.
    pub burst: u32,
}

impl Limit {
    /// Returns the emission interval in microseconds: the time between two calls at an even pace.
    pub(super) fn emission_interval(self) -> u64 {
        // The minimum of 1 microsecond applies above 60 million calls per minute.
        (SECONDS_PER_MINUTE * MICROS_PER_SECOND / u64::from(self.per_minute.max(1))).max(1)
    }

    /// Returns one replica's share of the limit.
    pub(super) fn share(self, replicas: u32) -> Self {
        Self { per_minute: (self.per_minute / replicas).max(1), burst: (self.burst / replicas).max(1) }
    }

    fn with_override(self, limit: LimitOverride) -> Self {
        Self { per_minute: limit.per_minute.unwrap_or(self.per_minute), burst: limit.burst.unwrap_or(self.burst) }
    }
}

/// The rate limits of an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Limit of all calls of the organisation.
    pub organisation: Limit,
    /// Limit of each person's calls.
    pub person: Limit,
    /// Limit of each person's searches by demographics.
    pub searches: Limit,
}

impl Rates {
    /// Returns limits that no program reaches, for load tests and fuzzing: a million calls each second.
    pub fn unlimited() -> Self {
        let limit = Limit { per_minute: 60_000_000, burst: 60_000_000 };
        Self { organisation: limit, person: limit, searches: limit }
    }

    /// Returns these limits with an organisation's overrides applied.
    #[must_use]
    pub fn with_overrides(self, overrides: RateOverrides) -> Self {
        Self {
            organisation: self.organisation.with_override(overrides.organisation),
            person: self.person.with_override(overrides.person),
            searches: self.searches.with_override(overrides.searches),
        }
    }
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            organisation: Limit { per_minute: 600, burst: 100 },
            person: Limit { per_minute: 120, burst: 40 },
            searches: Limit { per_minute: 60, burst: 20 },
        }
    }
}
