//! What keeps callers apart and safe from themselves: how often they may call ([`rate`]), and that the same request made twice is done
//! once ([`idempotency`]).

pub mod idempotency;
pub mod rate;

pub use rate::{Limit, OwnRates, RateLimits, Rates};
