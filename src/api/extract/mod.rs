//! Extractors: the arguments that handlers take from a request.

pub mod batch_list;
pub mod body;
pub mod idempotency;
pub mod pagination;
pub mod path;
pub mod prefer;

pub use body::Body;
