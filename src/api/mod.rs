//! The HTTP API: one file per resource, with its answers and handlers. The requests are records of the domain.
//!
//! A handler takes a `Caller<Scope>` and a `Body<Request>`, calls LRS, and states the outcome. Every error before or after that is a
//! [`crate::problem::Problem`].

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
