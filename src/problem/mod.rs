//! Problems: what a caller is told when a call brought no answer (RFC 9457).
//!
//! There is one catalogue, [`CATALOGUE`]. Whatever goes wrong, the caller gets one of its codes, whether trying again can
//! help, and what to do; never a stack trace, never personal data. What operators need to know beyond that travels
//! beside the answer in [`Problem::cause`] and is logged once, where the request ends (`server`).

pub mod responses;

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use crate::lrs::codes::{LrsCode, Refusal};
use crate::lrs::maintenance::time_to;
use crate::lrs::{CLOSED_FOR, CallFailed, Failure};
use crate::schema::answer;
use crate::schema::deserialize::{Mistake, TOO_MANY};
use crate::schema::openapi::{Field, one_of};
use crate::storage::StoreError;

/// Declares the catalogue: variant, code, status, is it worth trying again, title, advice.
macro_rules! catalogue {
    ($($variant:ident $code:literal $status:literal $retryable:literal $title:literal $advice:literal,)+) => {
        /// What can go wrong: a closed list.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $title] $variant,)+
        }

        /// Every code with what is said about it.
        pub const CATALOGUE: &[Row] = &[
            $(Row { kind: Code::$variant, code: $code, status: $status, retryable: $retryable, title: $title, advice: $advice },)+
        ];
    };
}

/// A row of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The program's name for it.
    pub kind: Code,
    /// The caller's name for it.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Can the same request succeed later without being changed?
    pub retryable: bool,
    /// What happened, in a few words that never change.
    pub title: &'static str,
    /// What the caller can do.
    pub advice: &'static str,
}

catalogue! {
    MalformedRequest "malformed_request" 400 false "The request is not well-formed"
        "Correct the request: `errors` says where it is wrong.",
    UnknownField "unknown_field" 400 false "The request has a field that does not exist"
        "Correct or leave out the fields in `errors`.",
    MissingToken "missing_token" 401 false "There is no access token"
        "Send `Authorization: Bearer <token>`.",
    InvalidToken "invalid_token" 401 false "The access token is not valid"
        "Get a new token from your identity provider.",
    InsufficientScope "insufficient_scope" 403 false "The access token lacks a scope"
        "Ask for a token with the scope that `detail` names.",
    ProductNotEnabled "product_not_enabled" 403 false "The organisation does not have this product"
        "Have LRS switch the product on, and list it in the organisation's file.",
    OrganisationNotRegistered "organisation_not_registered" 403 false "The organisation is not registered with this gateway"
        "Have the operator add the organisation that the token names.",
    UserNameUnusable "user_name_unusable" 403 false "The token does not name a person as LRS requires"
        "Issue tokens whose user claim has 1 to 35 characters and identifies the person.",
    NotFound "not_found" 404 false "There is nothing here"
        "Look the path up in `/openapi.json`.",
    UlnNotFound "uln_not_found" 404 false "LRS has no learner with this ULN"
        "Find the learner first, then update the record that was found.",
    BatchNotFound "batch_not_found" 404 false "The organisation has no such batch"
        "Look it up in the list of batches; batches are erased after a time, and on request.",
    MethodNotAllowed "method_not_allowed" 405 false "This path does not take this method"
        "Use a method of the `Allow` header.",
    NotAcceptable "not_acceptable" 406 false "There is nothing of the kind that is accepted"
        "Accept `application/json`, `application/x-ndjson` or `text/csv`.",
    LearnerNotRegistered "learner_not_registered" 409 false "LRS did not register the learner"
        "Search by demographics first: there may be a learner with the same particulars, and LRS registers only after a recent search.",
    StaleVersion "stale_version" 409 false "The record has changed since it was read"
        "Read the record again, make the changes to its new version, and send that with its `versionNumber`.",
    PartNotUnconfirmed "part_not_unconfirmed" 409 false "There is nothing to decide about this part"
        "Read how far the batch is: only parts that are `UNCONFIRMED` can be sent again or discarded.",
    IdempotencyKeyInUse "idempotency_key_in_use" 409 true "A request with this Idempotency-Key is being worked on"
        "Try again after the time in `Retry-After`: you will get its answer.",
    BodyTooLarge "body_too_large" 413 false "The request body is too large"
        "Send less: `detail` names the limit.",
    UnsupportedMediaType "unsupported_media_type" 415 false "The request body is not JSON"
        "Send `Content-Type: application/json`.",
    ValidationFailed "validation_failed" 422 false "The request breaks the rules of one or more fields"
        "Correct the fields in `errors`. Nothing was sent to LRS.",
    InsufficientData "insufficient_data" 422 false "LRS needs to know more of the learner"
        "Give more of the optional fields.",
    ShareChangeNotAllowed "share_change_not_allowed" 422 false "LRS does not allow this change of the ability to share"
        "Leave `abilityToShare` as LRS holds it.",
    UlnInvalid "uln_invalid" 422 false "LRS does not take the ULN for a valid one"
        "Check the ULN.",
    IdempotencyKeyReused "idempotency_key_reused" 422 false "This Idempotency-Key was used for another request"
        "Send the same body as the first time, or a new key with a new request.",
    HeadersTooLarge "headers_too_large" 431 false "The request's address and headers are too large"
        "Send less: `detail` names the limit.",
    RateLimited "rate_limited" 429 true "There have been too many calls"
        "Try again after the time in `Retry-After`; `RateLimit` says how much is left of which limit.",
    InternalError "internal_error" 500 true "The gateway failed"
        "Try again; if it stays, give the operator the `requestId`.",
    StoreUnreadable "store_unreadable" 500 false "What is stored cannot be read"
        "Give the operator the `requestId`: the encryption keys may not be those it was stored with.",
    LrsCredentialsRejected "lrs_credentials_rejected" 502 false "LRS refuses the organisation's credentials"
        "Have the operator check the organisation's UKPRN, password, certificate and web service authorisation with LRS.",
    LrsRejectedRequest "lrs_rejected_request" 502 false "LRS refuses the message"
        "Report it to the gateway's maintainers with the `requestId`, or look for values LRS prohibits.",
    LrsBadResponse "lrs_bad_response" 502 true "LRS's answer cannot be used"
        "Try again later; if it stays, give the operator the `requestId`.",
    LrsMaintenance "lrs_maintenance" 503 true "LRS is closed for maintenance or out of hours"
        "Try again after the time in `Retry-After`.",
    LrsUnavailable "lrs_unavailable" 503 true "LRS cannot be reached"
        "Try again after the time in `Retry-After`.",
    LrsBusy "lrs_busy" 503 true "There are too many calls to LRS at once"
        "Nothing was sent to LRS. Try again after the time in `Retry-After`, with fewer calls at once.",
    AuditUnavailable "audit_unavailable" 503 true "The gateway's audit trail cannot be written"
        "Nothing was sent to LRS. Try again after the time in `Retry-After`.",
    NotReady "not_ready" 503 true "The gateway is not ready to take calls"
        "Call another replica, or try again in a while.",
    StoreUnavailable "store_unavailable" 503 true "The gateway's store cannot be used"
        "Try again after the time in `Retry-After`.",
    IssuerUnavailable "issuer_unavailable" 503 true "The identity provider's keys cannot be fetched"
        "Try again after the time in `Retry-After`.",
    LrsTimeout "lrs_timeout" 504 true "LRS did not answer in time"
        "Try again later.",
}

impl Code {
    /// Its row in the catalogue, which is declared in the order of the variants.
    pub const fn row(self) -> &'static Row {
        &CATALOGUE[self as usize]
    }

    /// The code that says no more than an HTTP status does.
    fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            413 => Self::BodyTooLarge,
            415 => Self::UnsupportedMediaType,
            429 => Self::RateLimited,
            431 => Self::HeadersTooLarge,
            400..=499 => Self::MalformedRequest,
            _ => Self::InternalError,
        }
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.row().code)
    }
}

impl Field for Code {
    fn schema() -> RefOr<Schema> {
        let codes: Vec<&str> = CATALOGUE.iter().map(|row| row.code).collect();
        one_of(&codes)
    }
}

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
        pub lrs: Option<LrsError>,
    }
}

answer! {
    /// A field that is wrong.
    #[derive(Debug, Clone)]
    pub struct FieldError {
        /// Where: a JSON Pointer (RFC 6901) into the request body; empty for the whole body.
        pub pointer: String,
        /// What is wrong, for programs: `required`, `too_long`, `check_digit`, …
        pub code: String,
        /// What the field must be.
        pub detail: String,
    }
}

answer! {
    /// LRS's own code.
    #[derive(Debug, Clone)]
    pub struct LrsError {
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
    errors: Vec<Mistake>,
    lrs: Option<LrsCode>,
    outcome_unknown: bool,
    challenge: Option<String>,
    /// What operators are told beside it. Nothing personal here either.
    pub cause: Option<String>,
}

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
    pub fn of_mistakes(mistakes: Vec<Mistake>) -> Self {
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
        Self::of_mistakes(vec![Mistake { pointer: pointer.to_owned(), code, detail: detail.into() }])
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
        let errors = self.errors.iter().map(|mistake| FieldError {
            pointer: mistake.pointer.clone(),
            code: mistake.code.to_owned(),
            detail: mistake.detail.to_string(),
        });
        let lrs = self.lrs.as_ref().and_then(|code| {
            let description = code.entry().map_or("LRS has not published what this code means", |entry| entry.meaning);
            Some(LrsError { code: code.printable()?.to_owned(), description: description.to_owned() })
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
            errors: (!self.errors.is_empty()).then(|| errors.collect()),
            lrs,
        }
    }
}

/// The `type` of a row: a name, not an address (RFC 9457, 3.1.1).
pub fn type_uri(row: &Row) -> String {
    format!("urn:lrs-gateway:problem:{}", row.code)
}

/// How long callers are asked to wait for what the gateway itself needs: its store, the issuers' keys.
const SOON_SECONDS: u64 = 5;
/// How long callers are asked to wait for LRS, when nobody knows better.
const TRY_AGAIN_SECONDS: u64 = 30;
/// The same for maintenance, which takes longer.
const MAINTENANCE_SECONDS: u64 = CLOSED_FOR.as_secs();
/// The longest they are asked to wait: announcements change.
const LONGEST_SECONDS: u64 = 24 * 60 * 60;

/// Whole seconds in which this time is over.
const fn seconds(time: Duration) -> u64 {
    time.as_secs() + 1
}

impl From<CallFailed> for Problem {
    fn from(CallFailed { failure, outcome_unknown }: CallFailed) -> Self {
        let (code, retry_after_seconds) = match &failure {
            // Who asked for a write will ask whether LRS can be reached least of all.
            Failure::ConnectionLost if outcome_unknown => (Code::LrsTimeout, None),
            Failure::Unreachable | Failure::ConnectionLost => (Code::LrsUnavailable, Some(TRY_AGAIN_SECONDS)),
            Failure::CircuitOpen { wait } => (Code::LrsUnavailable, Some(seconds(*wait))),
            Failure::PlannedMaintenance { until } => (Code::LrsMaintenance, Some(seconds(time_to(*until)).min(LONGEST_SECONDS))),
            Failure::NotAudited => (Code::AuditUnavailable, Some(SOON_SECONDS)),
            // Not everybody at the same moment.
            Failure::Busy => (Code::LrsBusy, Some(fastrand::u64(1..=SOON_SECONDS))),
            Failure::Maintenance(_) | Failure::MaintenanceInFront => (Code::LrsMaintenance, Some(MAINTENANCE_SECONDS)),
            Failure::Timeout => (Code::LrsTimeout, None),
            Failure::CredentialsRejected(_) => (Code::LrsCredentialsRejected, None),
            Failure::RequestRejected(_) | Failure::UnknownError(_) => (Code::LrsRejectedRequest, None),
            Failure::Refused(refusal, _) => (of_refusal(*refusal), None),
            Failure::ServiceFailed(_)
            | Failure::Unreadable(_)
            | Failure::Contradiction(_)
            | Failure::NotAnAnswer { .. }
            | Failure::TooLarge => (Code::LrsBadResponse, None),
            Failure::Unwritable => (Code::InternalError, None),
        };
        let advice = if outcome_unknown { FIND_OUT } else { code.row().advice };
        let detail = format!("{failure}. {advice}");
        let lrs = failure.lrs_code().cloned();
        // Nobody is invited to do twice what may be done: many clients repeat by themselves what has a `Retry-After`.
        let retry_after_seconds = retry_after_seconds.filter(|_| !outcome_unknown);
        Self { retry_after_seconds, lrs, outcome_unknown, ..Self::new(code).detail(detail).cause(format!("{failure:?}")) }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable(_) | StoreError::AnswerLost(_) => Self::new(Code::StoreUnavailable).retry_soon(),
            StoreError::Unreadable(_) => Self::new(Code::StoreUnreadable),
        }
        .cause(error)
    }
}

/// The advice after a write whose answer did not come through.
const FIND_OUT: &str = "LRS may have done it all the same: find the learner to see, before you try again; \
    or try again with the same Idempotency-Key.";

const fn of_refusal(refusal: Refusal) -> Code {
    match refusal {
        Refusal::NotRegistered => Code::LearnerNotRegistered,
        Refusal::StaleVersion => Code::StaleVersion,
        Refusal::UlnNotFound => Code::UlnNotFound,
        Refusal::InsufficientData => Code::InsufficientData,
        Refusal::ShareChange => Code::ShareChangeNotAllowed,
        Refusal::InvalidUln => Code::UlnInvalid,
    }
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
    fn the_catalogue_is_in_the_order_of_the_codes() {
        for (at, row) in CATALOGUE.iter().enumerate() {
            assert_eq!(row.kind as usize, at, "{}", row.code);
            assert_eq!(row.kind.row().code, row.code);
            assert!(row.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", row.code);
        }
    }

    #[test]
    fn faults_of_form_outrank_faults_of_content() {
        let mistake = |code| Mistake { pointer: String::new(), code, detail: "".into() };
        let code = |codes: &[&'static str]| Problem::of_mistakes(codes.iter().map(|code| mistake(code)).collect()).code();
        assert_eq!(code(&["too_long"]), Code::ValidationFailed);
        assert_eq!(code(&["too_long", "unknown_field"]), Code::UnknownField);
        assert_eq!(code(&["unknown_field", "wrong_type"]), Code::MalformedRequest);
    }

    #[test]
    fn every_failure_has_a_problem_that_agrees_with_it() {
        use crate::lrs::soap::read::Unreadable;
        let code = Some(LrsCode::new("WSEC0001"));
        for failure in [
            Failure::Unreachable,
            Failure::ConnectionLost,
            Failure::CircuitOpen { wait: Duration::ZERO },
            Failure::PlannedMaintenance { until: jiff::Timestamp::UNIX_EPOCH },
            Failure::Busy,
            Failure::NotAudited,
            Failure::Timeout,
            Failure::Maintenance(code.clone()),
            Failure::CredentialsRejected(code.clone()),
            Failure::RequestRejected(code.clone()),
            Failure::UnknownError(LrsCode::new("WSEC4711")),
            Failure::ServiceFailed(code),
            Failure::Refused(Refusal::StaleVersion, LrsCode::new("WSRC0013")),
            Failure::Unreadable(Unreadable::Empty),
            Failure::Contradiction("x"),
            Failure::NotAnAnswer { status: 200, what: "x" },
            Failure::TooLarge,
        ] {
            let row = Problem::from(CallFailed { failure: failure.clone(), outcome_unknown: false }).code().row();
            assert_eq!(row.retryable, failure.may_pass(), "{failure:?}");
            assert_eq!((502..=504).contains(&row.status), !matches!(failure, Failure::Refused(..)), "{failure:?}");
        }
    }
}
