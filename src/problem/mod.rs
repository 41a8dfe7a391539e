//! Problems: the answers to calls that failed (RFC 9457).
//!
//! Every error a caller can receive has a code in the [`CATALOGUE`]. A problem states the code, whether a retry can help and what to
//! do. It never contains a stack trace or personal data. Details for operators go into [`Problem::cause`]; `server` logs them once, at
//! the end of the request.

mod catalogue;
mod example;
mod mapping;
mod type_uri;

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT_ENCODING, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

pub use catalogue::{CATALOGUE, CatalogueEntry, Code};
pub use type_uri::TypeUris;

use crate::lrs::response_codes::LrsCode;
use crate::schema::deserialize::TOO_MANY_ERRORS;
use crate::schema::openapi::{PropertySchema, SchemaOrRef, bounded_integer_schema};
use crate::schema::{Answer, FieldError};

/// Problem details (RFC 9457). They contain no personal data.
#[derive(Debug, Clone, Answer)]
#[answer(name = "Problem")]
pub struct ProblemBody {
    /// URI that identifies the type of problem: the address of a page that explains it, or a URN. It ends with `code`, which programs use.
    #[answer(example = "urn:lrs-gateway:problem:malformed_request")]
    pub r#type: String,
    /// Summary of the type of problem.
    #[answer(example = "Malformed request")]
    pub title: String,
    /// HTTP status.
    #[answer(example = 400)]
    pub status: ProblemStatus,
    /// Explanation of this occurrence and the action to take.
    #[answer(example = "1 error to correct. Nothing was sent to LRS.")]
    pub detail: String,
    /// URI that identifies this occurrence.
    #[answer(example = "urn:uuid:01a206e9-1f29-728e-8c05-c7b61af44332")]
    pub instance: String,
    /// Type of problem for programs.
    pub code: Code,
    /// Identifier of the request in the operator's logs. The header `Gateway-Request-Id` has the same value.
    #[answer(example = "01a206e9-1f29-728e-8c05-c7b61af44332")]
    pub request_id: String,
    /// `true` if the same request, unchanged, can succeed later.
    #[answer(example = false)]
    pub retryable: bool,
    /// Time to wait before a retry, in seconds.
    #[answer(example = 30)]
    pub retry_after_seconds: Option<u32>,
    /// Every field that has an error.
    pub errors: Option<Vec<FieldError>>,
    /// `true` if LRS may have carried out the request although its response was lost. Check the outcome before you retry: otherwise
    /// the request may be carried out twice.
    #[answer(example = true)]
    pub outcome_unknown: Option<bool>,
    /// Error that LRS returned, if it returned one.
    pub lrs: Option<LrsErrorBody>,
}

/// The HTTP status of a problem.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ProblemStatus(u16);

impl PropertySchema for ProblemStatus {
    fn schema() -> SchemaOrRef {
        bounded_integer_schema(100, 599)
    }
}

/// Error returned by LRS.
#[derive(Debug, Clone, Answer)]
#[answer(name = "LrsError")]
pub struct LrsErrorBody {
    /// Code as returned by LRS.
    #[answer(example = "WSEC0001")]
    pub code: String,
    /// Meaning of the code. LRS's own text is omitted because it may quote personal data.
    #[answer(example = "the message does not conform to LRS's schema, or contains a value that LRS prohibits")]
    pub description: String,
}

/// A problem before it becomes a response.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    detail: Option<String>,
    retry_after_seconds: Option<u64>,
    errors: Vec<FieldError>,
    lrs: Option<LrsCode>,
    outcome_unknown: bool,
    challenge: Option<String>,
    /// Whether the response lists the codings that a body may have.
    lists_codings: bool,
    /// Details for operators, who find them in the log. They contain no personal data.
    pub cause: Option<String>,
}

/// Maximum retry time in a problem: 68 years, because the field is a signed number of 32 bits for generated clients.
const MAX_RETRY_SECONDS: u32 = i32::MAX.unsigned_abs();
/// Retry time if a dependency of the gateway is unavailable, such as the store or an issuer's keys.
const SHORT_RETRY_SECONDS: u64 = 5;

impl Problem {
    /// Creates a problem with this code.
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            detail: None,
            retry_after_seconds: None,
            errors: Vec::new(),
            lrs: None,
            outcome_unknown: false,
            challenge: None,
            lists_codings: false,
            cause: None,
        }
    }

    /// Creates the problem of a body with these errors. Errors of form outrank errors of content.
    pub fn from_field_errors(errors: Vec<FieldError>) -> Self {
        let has_any = |codes: &[&str]| errors.iter().any(|error| codes.contains(&error.code));
        let code = if has_any(&["malformed_json", "not_utf8", "wrong_type", "null_not_allowed", "duplicate_field"]) {
            Code::MalformedRequest
        } else if has_any(&["unknown_field"]) {
            Code::UnknownField
        } else {
            Code::ValidationFailed
        };
        let count = errors.len();
        let detail = match errors.last() {
            Some(last) if last.code == TOO_MANY_ERRORS => format!("{}. Nothing was sent to LRS.", last.detail),
            _ => format!("{count} {} to correct. Nothing was sent to LRS.", if count == 1 { "error" } else { "errors" }),
        };
        Self { errors, ..Self::new(code).detail(detail) }
    }

    /// Creates the problem of a body with one error.
    pub fn from_field_error(pointer: &str, code: &'static str, detail: String) -> Self {
        Self::from_field_errors(vec![FieldError::new(pointer, code, detail)])
    }

    /// Creates the problem for an HTTP status that the framework set.
    pub fn from_status(status: StatusCode) -> Self {
        Self::new(Code::from_status(status))
    }

    /// Sets the explanation of this occurrence. It replaces the advice of the catalogue.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Sets the errors of fields.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// Sets the details for operators.
    #[must_use]
    pub fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// Sets the `WWW-Authenticate` header of a 401 or 403 (RFC 6750).
    #[must_use]
    pub fn challenge(mut self, challenge: String) -> Self {
        self.challenge = Some(challenge);
        self
    }

    /// Adds the header `Accept-Encoding`: the coding of a body that is accepted (RFC 9110, 15.5.16).
    #[must_use]
    pub const fn with_accepted_coding(mut self) -> Self {
        self.lists_codings = true;
        self
    }

    /// Sets the time to wait before a retry.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// Moves the retry, if the problem invites to one, to this time at the earliest.
    pub fn postpone_retry(&mut self, seconds: u64) {
        self.retry_after_seconds = self.retry_after_seconds.map(|planned| planned.max(seconds));
    }

    /// Sets the time to wait before a retry to a few seconds.
    #[must_use]
    pub const fn retry_soon(self) -> Self {
        self.retry_after(SHORT_RETRY_SECONDS)
    }

    /// States that the request may have been carried out, and removes the invitation to retry.
    #[must_use]
    pub fn outcome_unknown(mut self, detail: &str) -> Self {
        self.outcome_unknown = true;
        self.retry_after_seconds = None;
        self.detail(detail)
    }

    /// Returns `true` if the request may have been carried out.
    pub const fn is_outcome_unknown(&self) -> bool {
        self.outcome_unknown
    }

    /// Returns the code.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Builds the response to the request with this id.
    pub fn response(&self, request_id: &str, types: &TypeUris) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((CONTENT_TYPE, "application/problem+json"));
        if let Some(seconds) = self.retry_after_seconds {
            response.insert_header((RETRY_AFTER, seconds));
        }
        if let Some(challenge) = &self.challenge {
            response.insert_header((WWW_AUTHENTICATE, challenge.as_str()));
        }
        if self.code == Code::NotAcceptable {
            response.insert_header((VARY, "Accept"));
        }
        if self.lists_codings {
            response.insert_header((ACCEPT_ENCODING, "gzip"));
        }
        response.body(serde_json::to_vec(&self.body(request_id, types)).unwrap_or_default())
    }

    /// Builds the body of the response to the request with this id.
    pub fn body(&self, request_id: &str, types: &TypeUris) -> ProblemBody {
        let entry = self.code.entry();
        let lrs = self.lrs.as_ref().and_then(|code| {
            let description = code.entry().map_or("LRS has not published the meaning of this code", |entry| entry.meaning);
            Some(LrsErrorBody { code: code.loggable()?.to_owned(), description: description.to_owned() })
        });
        ProblemBody {
            r#type: types.uri(entry),
            title: entry.title.to_owned(),
            status: ProblemStatus(entry.status),
            detail: self.detail.clone().unwrap_or_else(|| entry.advice.to_owned()),
            instance: format!("urn:uuid:{request_id}"),
            code: self.code,
            request_id: request_id.to_owned(),
            retryable: entry.retryable && !self.outcome_unknown,
            outcome_unknown: self.outcome_unknown.then_some(true),
            retry_after_seconds: self
                .retry_after_seconds
                .map(|seconds| u32::try_from(seconds).map_or(MAX_RETRY_SECONDS, |s| s.min(MAX_RETRY_SECONDS))),
            errors: (!self.errors.is_empty()).then(|| self.errors.clone()),
            lrs,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.entry().code)
    }
}

/// Handlers return problems as errors. `server` builds the responses because only it has the request id.
impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.entry().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.status_code());
        response.extensions_mut().insert(self.clone());
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_errors_of_form_outrank_errors_of_content() {
        let error = |code| FieldError::new("", code, "");
        let code = |codes: &[&'static str]| Problem::from_field_errors(codes.iter().map(|code| error(code)).collect()).code();
        assert_eq!(code(&["too_long"]), Code::ValidationFailed);
        assert_eq!(code(&["too_long", "unknown_field"]), Code::UnknownField);
        assert_eq!(code(&["unknown_field", "wrong_type"]), Code::MalformedRequest);
    }
}
