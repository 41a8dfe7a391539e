//! One rejected field of a document.

use std::borrow::Cow;

use crate::schema::answer;

answer! {
    /// A field that is wrong.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct FieldError {
        /// Where: a JSON Pointer (RFC 6901) into the request body; empty for the whole body.
        pub pointer: String,
        /// What is wrong, for programs: `required`, `too_long`, `check_digit`, …
        pub code: &'static str,
        /// What the field must be.
        pub detail: Cow<'static, str>,
    }
}
