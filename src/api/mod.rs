//! What callers see: one file per resource, with its answers and handlers. What callers send are records of the domain.
//!
//! A handler takes a `Caller<Scope>` and a `Body<Request>`, calls LRS, and says what the outcome means. Everything that can
//! go wrong before or after is a [`crate::problem::Problem`].

pub mod batches;
mod extract;
pub mod find_learners;
pub mod health;
pub mod learning_events;
pub mod lrs_status;
pub mod obtain_uln;
pub mod organisation;
mod outcome;
pub mod register_learners;
pub mod retrieve_ulns;
mod string_enum;
mod timestamp;
pub mod verify_learners;
