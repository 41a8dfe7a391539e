//! How often callers may call ([`rate`]).

pub mod rate;

pub use rate::{Limit, OwnRates, RateLimits, Rates};
