//! What handlers take from a request.

pub mod batch_request;
pub mod body;
pub mod idempotency;

pub use body::Body;
