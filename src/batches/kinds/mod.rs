//! The three kinds of batch.

pub mod achievement;
mod achievement_counters;
mod achievement_error_file;
mod achievement_index;
#[cfg(test)]
mod achievement_tests;
pub mod registration;
pub mod registration_check;
pub mod verification;
