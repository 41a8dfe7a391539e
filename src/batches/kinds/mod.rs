//! The three kinds of batch.

pub mod achievement;
mod achievement_error_file;
pub mod registration;
pub mod registration_check;
pub mod verification;
