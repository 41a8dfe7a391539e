//! Batch resources: registrations, verifications and achievements.
//!
//! A resource declares its own requests, its result answers and the operation that submits a batch. It implements
//! [`BatchResource`](resource::BatchResource), and gets all other routes from [`batch_routes!`](routes), which call the shared
//! [`operations`] and [`results`].

pub mod achievement;
mod answers;
mod operations;
pub mod registration;
mod requests;
mod resource;
mod results;
mod routes;
pub mod verification;
