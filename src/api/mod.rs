//! What callers see: one file per resource, with its answers and handlers. What callers send are records of the domain.
//!
//! A handler takes a `Caller<Scope>` and a `Body<Request>`, calls LRS, and says what the outcome means. Everything that can
//! go wrong before or after is a [`crate::problem::Problem`].

pub mod achievement_batches;
mod at;
mod batch_request;
mod batch_resource;
mod batch_results;
mod batches;
mod body;
pub mod find_learners;
pub mod health;
pub mod learning_events;
pub mod lrs_status;
pub mod obtain_uln;
mod once;
pub mod organisation;
mod outcome;
pub mod register_learners;
pub mod registration_batches;
pub mod retrieve_ulns;
pub mod verification_batches;
pub mod verify_learners;
mod words;

pub use body::Body;
