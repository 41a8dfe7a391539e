//! What callers see: one file per resource, with its requests, answers and handlers.
//!
//! A handler takes a `Caller<Scope>` and a `Body<Request>`, calls LRS, and says what the outcome means. Everything that can
//! go wrong before or after is a [`crate::problem::Problem`].

mod body;
pub mod health;
pub mod learners;
mod outcome;

pub use body::Body;
