//! Batch resources: registrations, verifications and achievements.
//!
//! A resource declares its own requests, its result answers and the handler that submits a batch. It implements
//! [`BatchResource`](resource::BatchResource); all other [`handlers`] are generic functions over it.

pub mod achievement;
mod answers;
mod examples;
pub mod handlers;
mod operations;
pub mod registration;
mod requests;
mod resource;
mod results;
pub mod verification;
mod work;
