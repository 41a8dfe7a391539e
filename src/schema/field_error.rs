//! One rejected field of a document.

use std::borrow::Cow;

use serde::Serialize;

use crate::schema::Answer;
use crate::schema::openapi::{PropertySchema, SchemaOrRef};

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
    /// Your identifier of the record that has the error, in a batch. Absent if the record has none, or if the identifier itself has an error.
    #[answer(example = "STU-17")]
    pub mis_identifier: Option<RecordIdentifier>,
}

/// The caller's identifier of a record. It may be personal data: `{:?}` prints `[personal]`.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct RecordIdentifier(String);

impl RecordIdentifier {
    /// Returns an identifier; `None` if it is blank.
    pub fn new(text: &str) -> Option<Self> {
        (!text.trim().is_empty()).then(|| Self(text.to_owned()))
    }
}

impl std::fmt::Debug for RecordIdentifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[personal]")
    }
}

impl PropertySchema for RecordIdentifier {
    fn schema() -> SchemaOrRef {
        String::schema()
    }
}

impl FieldError {
    /// Creates an error about the field at a pointer.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into(), mis_identifier: None }
    }
}
