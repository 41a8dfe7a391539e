//! The three kinds of batch.

pub mod achievement;
pub mod registration;
pub mod verification;
