//! How often callers may call ([`rate`]), and how many calls there may be at once ([`queue`]).

pub mod queue;
pub mod rate;

pub use queue::{Queue, QueueSettings, Work};
pub use rate::{Limit, OwnRates, RateLimits, Rates};
