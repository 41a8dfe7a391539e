//! How often callers may call ([`rate`]), how many calls there may be at once ([`queue`]), and that what is asked for twice is done once
//! ([`idempotency`]).

pub mod idempotency;
pub mod queue;
pub mod rate;

pub use idempotency::Idempotency;
pub use queue::{Queue, QueueSettings, Work};
pub use rate::{Limit, OwnRates, RateLimits, Rates};
