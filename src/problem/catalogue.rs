//! The catalogue of problems: one row per code.

use actix_web::http::StatusCode;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use crate::schema::openapi::{PropertySchema, one_of};

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
    pub(super) fn of_status(status: StatusCode) -> Self {
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

impl PropertySchema for Code {
    fn schema() -> RefOr<Schema> {
        let codes: Vec<&str> = CATALOGUE.iter().map(|row| row.code).collect();
        one_of(&codes)
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
}
