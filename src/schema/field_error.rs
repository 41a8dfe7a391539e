//! One rejected field of a document.

use std::borrow::Cow;

use crate::schema::Answer;

/// A rejected field of the request.
#[derive(Debug, Clone, PartialEq, Eq, Answer)]
pub struct FieldError {
    /// JSON Pointer (RFC 6901) to the field in the request body. Empty for the whole body.
    #[answer(example = "/learner/dateOfBirth")]
    pub pointer: String,
    /// Machine-readable reason, stable: `required`, `too_long`, `check_digit`, …
    #[answer(example = "wrong_type")]
    pub code: &'static str,
    /// Human-readable reason: what is wrong and what is allowed.
    #[answer(example = "must be a string")]
    pub detail: Cow<'static, str>,
}
