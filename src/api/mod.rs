//! The HTTP API: one file per resource, with its answers and handlers. The requests are records of the domain.
//!
//! A [`handler`] takes the application's state, a `Caller<Scope>` and a `Body<Request>`, calls LRS, and states the outcome. Every error
//! before or after that is a [`crate::problem::Problem`]. The path and the operation id of each handler are in
//! [`crate::server::router`].

#![allow(clippy::missing_errors_doc, reason = "a handler's documentation is its description in the OpenAPI document")]

pub mod accept;
pub mod amend_learner;
pub mod batches;
pub mod content_coding;
pub mod description;
mod extract;
pub mod find_learners;
pub mod handler;
pub mod health;
mod insufficient_data;
pub mod json;
pub mod learning_events;
pub mod lrs_status;
pub mod obtain_uln;
pub mod organisation;
mod outcome;
pub mod register_learners;
pub mod response_headers;
pub mod retrieve_ulns;
mod timestamp;
pub mod verify_learners;
pub mod work;
