//! Problems: what a caller is told when a call brought no answer (RFC 9457).
//!
//! There is one catalogue, [`CATALOGUE`]. Whatever goes wrong, the caller gets one of its codes, whether trying again can
//! help, and what to do; never a stack trace, never personal data. What operators need to know beyond that travels
//! beside the answer in [`Problem::cause`] and is logged once, where the request ends (`server`).

mod catalogue;
mod mapping;
pub mod responses;

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};

pub use catalogue::{CATALOGUE, Code, Row};

use crate::lrs::codes::LrsCode;
use crate::schema::deserialize::TOO_MANY;
use crate::schema::{FieldError, answer};

answer! {
    /// What went wrong (RFC 9457). There is no personal data in it.
    #[derive(Debug, Clone)]
    pub struct ProblemBody {
        /// Identifies the kind of problem; as stable as `code`.
        pub r#type: String,
        /// The kind of problem in words.
        pub title: String,
        /// HTTP status.
        pub status: u16,
        /// What happened this time, and what to do about it.
        pub detail: String,
        /// Identifies this occurrence.
        pub instance: String,
        /// The kind of problem for programs: one of a closed list.
        pub code: Code,
        /// Identifies the request in the operator's logs; also in the header `X-Request-Id`.
        pub request_id: String,
        /// Can the same request succeed later without being changed?
        pub retryable: bool,
        /// How long to wait before that, in seconds.
        pub retry_after_seconds: Option<u64>,
        /// Every field that is wrong.
        pub errors: Option<Vec<FieldError>>,
        /// `true` when LRS may have done what it was asked to, though its answer did not come through: find out before you
        /// try again, or it may be done twice.
        pub outcome_unknown: Option<bool>,
        /// What LRS said, when it said something.
        pub lrs: Option<LrsErrorBody>,
    }
}

answer! {
    /// LRS's own code.
    #[derive(Debug, Clone)]
    pub struct LrsErrorBody as "LrsError" {
        /// As LRS wrote it.
        pub code: String,
        /// What it means. LRS's own words are left out: they may quote personal data.
        pub description: String,
    }
}

/// A problem on its way to the caller.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    detail: Option<String>,
    retry_after_seconds: Option<u64>,
    errors: Vec<FieldError>,
    lrs: Option<LrsCode>,
    outcome_unknown: bool,
    challenge: Option<String>,
    /// What operators are told beside it. Nothing personal here either.
    pub cause: Option<String>,
}

/// How long callers are asked to wait for what the gateway itself needs: its store, the issuers' keys.
const SOON_SECONDS: u64 = 5;

impl Problem {
    /// A problem of this kind.
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            detail: None,
            retry_after_seconds: None,
            errors: Vec::new(),
            lrs: None,
            outcome_unknown: false,
            challenge: None,
            cause: None,
        }
    }

    /// Says what happened this time.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Tells operators more than callers.
    #[must_use]
    pub fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// The `WWW-Authenticate` header of a 401 or 403 (RFC 6750).
    #[must_use]
    pub fn challenge(mut self, challenge: String) -> Self {
        self.challenge = Some(challenge);
        self
    }

    /// A body that cannot be used. Faults of form outrank faults of content.
    pub fn of_mistakes(mistakes: Vec<FieldError>) -> Self {
        let any = |codes: &[&str]| mistakes.iter().any(|mistake| codes.contains(&mistake.code));
        let code = if any(&["malformed_json", "wrong_type", "null_not_allowed", "duplicate_field"]) {
            Code::MalformedRequest
        } else if any(&["unknown_field"]) {
            Code::UnknownField
        } else {
            Code::ValidationFailed
        };
        let count = mistakes.len();
        let detail = match mistakes.last() {
            Some(last) if last.code == TOO_MANY => format!("{}. Nothing was sent to LRS.", last.detail),
            _ => format!("{count} {} to correct. Nothing was sent to LRS.", if count == 1 { "mistake" } else { "mistakes" }),
        };
        Self { errors: mistakes, ..Self::new(code).detail(detail) }
    }

    /// A body with this one mistake.
    pub fn of_mistake(pointer: &str, code: &'static str, detail: String) -> Self {
        Self::of_mistakes(vec![FieldError { pointer: pointer.to_owned(), code, detail: detail.into() }])
    }

    /// Worth trying again after so many seconds.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// Worth trying again in a few seconds.
    #[must_use]
    pub const fn retry_soon(self) -> Self {
        self.retry_after(SOON_SECONDS)
    }

    /// It may have been done all the same. Nobody is invited to do it again.
    #[must_use]
    pub fn outcome_unknown(mut self, detail: &str) -> Self {
        self.outcome_unknown = true;
        self.retry_after_seconds = None;
        self.detail(detail)
    }

    /// The problem a response without one of ours amounts to.
    pub fn of_status(status: StatusCode) -> Self {
        Self::new(Code::of_status(status))
    }

    /// May it have been done all the same?
    pub const fn is_outcome_unknown(&self) -> bool {
        self.outcome_unknown
    }

    /// Its kind.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The response, for the request with this id.
    pub fn response(&self, request_id: &str) -> HttpResponse {
        let row = self.code.row();
        let status = StatusCode::from_u16(row.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        response.insert_header((CONTENT_TYPE, "application/problem+json"));
        if let Some(seconds) = self.retry_after_seconds {
            response.insert_header((RETRY_AFTER, seconds));
        }
        if let Some(challenge) = &self.challenge {
            response.insert_header((WWW_AUTHENTICATE, challenge.as_str()));
        }
        response.body(serde_json::to_vec(&self.body(request_id)).unwrap_or_default())
    }

    /// What the caller is told, for the request with this id.
    pub fn body(&self, request_id: &str) -> ProblemBody {
        let row = self.code.row();
        let lrs = self.lrs.as_ref().and_then(|code| {
            let description = code.entry().map_or("LRS has not published what this code means", |entry| entry.meaning);
            Some(LrsErrorBody { code: code.printable()?.to_owned(), description: description.to_owned() })
        });
        ProblemBody {
            r#type: type_uri(row),
            title: row.title.to_owned(),
            status: row.status,
            detail: self.detail.clone().unwrap_or_else(|| row.advice.to_owned()),
            instance: format!("urn:uuid:{request_id}"),
            code: self.code,
            request_id: request_id.to_owned(),
            retryable: row.retryable && !self.outcome_unknown,
            outcome_unknown: self.outcome_unknown.then_some(true),
            retry_after_seconds: self.retry_after_seconds,
            errors: (!self.errors.is_empty()).then(|| self.errors.clone()),
            lrs,
        }
    }
}

/// The `type` of a row: a name, not an address (RFC 9457, 3.1.1).
pub fn type_uri(row: &Row) -> String {
    format!("urn:lrs-gateway:problem:{}", row.code)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.row().code)
    }
}

/// Handlers return problems as errors; `server` turns them into responses, where the request id is known.
impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.row().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
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
    fn faults_of_form_outrank_faults_of_content() {
        let mistake = |code| FieldError { pointer: String::new(), code, detail: "".into() };
        let code = |codes: &[&'static str]| Problem::of_mistakes(codes.iter().map(|code| mistake(code)).collect()).code();
        assert_eq!(code(&["too_long"]), Code::ValidationFailed);
        assert_eq!(code(&["too_long", "unknown_field"]), Code::UnknownField);
        assert_eq!(code(&["unknown_field", "wrong_type"]), Code::MalformedRequest);
    }
}
