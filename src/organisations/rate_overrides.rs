//! Rate limits of a single organisation.

/// Rate limits that an organisation has in place of the configured ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateOverrides {
    /// Limit of all calls of the organisation.
    pub organisation: LimitOverride,
    /// Limit of each person's calls.
    pub person: LimitOverride,
    /// Limit of each person's searches by demographics.
    pub searches: LimitOverride,
}

/// The numbers of one limit that replace the configured ones. `None` keeps the configured number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LimitOverride {
    /// Calls per minute, on average.
    pub per_minute: Option<u32>,
    /// Calls at once, after a pause.
    pub burst: Option<u32>,
}
