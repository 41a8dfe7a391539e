//! The catalogue of problems: one entry per code.

use actix_web::http::StatusCode;

use crate::schema::CodeList;

/// Declares the catalogue. Each line has: variant, code, status, retryable, title, advice.
macro_rules! catalogue {
    ($($variant:ident $code:literal $status:literal $retryable:literal $title:literal $advice:literal,)+) => {
        /// The type of a problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, CodeList)]
        #[code_list(name = "ProblemCode")]
        pub enum Code {
            $(#[doc = $title] #[code(word = $code)] $variant,)+
        }

        /// Every code with its status and texts, in the order of the variants of [`Code`].
        pub const CATALOGUE: &[CatalogueEntry] = &[
            $(CatalogueEntry {
                variant: Code::$variant,
                code: $code,
                status: $status,
                retryable: $retryable,
                title: $title,
                advice: $advice,
            },)+
        ];
    };
}

/// The status and the texts of one code.
#[derive(Debug, Clone, Copy)]
pub struct CatalogueEntry {
    /// The code in Rust.
    pub variant: Code,
    /// The code in JSON.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// `true` if the same request, unchanged, can succeed later.
    pub retryable: bool,
    /// Summary of the problem. It never changes (RFC 9457, 3.1.3).
    pub title: &'static str,
    /// Action for the caller.
    pub advice: &'static str,
}

catalogue! {
    MalformedRequest "malformed_request" 400 false "Malformed request"
        "Correct the request. If the body is wrong, `errors` locates each error.",
    UnknownField "unknown_field" 400 false "Unknown field in request"
        "Correct or remove the fields listed in `errors`.",
    MissingToken "missing_token" 401 false "Access token missing"
        "Send `Authorization: Bearer <token>`.",
    InvalidToken "invalid_token" 401 false "Access token invalid"
        "Get a new token from your identity provider.",
    InsufficientScope "insufficient_scope" 403 false "Scope missing from access token"
        "Request a token with the scope of the operation.",
    ProductNotEnabled "product_not_enabled" 403 false "Product not enabled for organisation"
        "Ask LRS to enable the product, then ask the operator to add it to the organisation's file.",
    OrganisationNotRegistered "organisation_not_registered" 403 false "Organisation not registered with gateway"
        "Ask the operator to register the organisation named in the token.",
    UserNameUnusable "user_name_unusable" 403 false "User name in token missing or unusable"
        "Issue tokens whose user claim identifies the person and has 1 to 35 characters. For a program without a person, ask the operator to name its client in the configuration.",
    NotFound "not_found" 404 false "Resource not found"
        "Look up the path in `/openapi.json`.",
    UlnNotFound "uln_not_found" 404 false "ULN not found in LRS"
        "Find the learner first, then update the record that was found.",
    BatchNotFound "batch_not_found" 404 false "Batch not found"
        "Look up the batch in the list of batches. Batches expire after their retention period, and can be erased.",
    MethodNotAllowed "method_not_allowed" 405 false "Method not allowed for this path"
        "Use a method listed in the `Allow` header.",
    NotAcceptable "not_acceptable" 406 false "Not acceptable"
        "Accept the media type of the path, or use another path: results are JSON at `results`, NDJSON at `results.ndjson` and CSV at `results.csv`.",
    LearnerNotRegistered "learner_not_registered" 409 false "Learner not registered by LRS"
        "Search by demographics. If the learner is found, use that ULN. If no learner matches, register at once. After possible matches that a \
         person has rejected, wait some minutes between search and registration.",
    RegistrationTooSoon "registration_too_soon" 409 true "Registration too soon after possible matches"
        "Try again after the time in `Retry-After`. Nothing was registered.",
    StaleVersion "stale_version" 409 false "Record changed since it was read"
        "Read the record again, apply your changes to the new version, and send it with its `versionNumber`.",
    PartNotAwaitingDecision "part_not_awaiting_decision" 409 false "Part not awaiting a decision"
        "Read the status of the batch. Only parts with the status `UNCONFIRMED`, and `FAILED` parts that LRS has lost or that could not be sent, can be resubmitted or discarded.",
    BatchErased "batch_erased" 409 false "Batch of this Idempotency-Key erased or expired"
        "Nothing was submitted. Use a new key to submit the records as a new batch.",
    IdempotencyKeyInUse "idempotency_key_in_use" 409 true "Request with this Idempotency-Key in progress"
        "Try again after the time in `Retry-After` to get the answer to that request.",
    BodyTooLarge "body_too_large" 413 false "Request body too large"
        "Send a smaller body.",
    UnsupportedMediaType "unsupported_media_type" 415 false "Request body not JSON"
        "Send JSON in UTF-8 with `Content-Type: application/json`, uncompressed or with `Content-Encoding: gzip`.",
    ValidationFailed "validation_failed" 422 false "Invalid field values"
        "Correct the fields listed in `errors`. Nothing was changed.",
    InsufficientData "insufficient_data" 422 false "Not enough data for LRS"
        "Give more of the optional fields. `errors` lists those that are absent.",
    ShareChangeNotAllowed "share_change_not_allowed" 422 false "Change of ability to share rejected by LRS"
        "Send `abilityToShare` with the value that LRS holds.",
    UlnInvalid "uln_invalid" 422 false "ULN rejected by LRS"
        "Check the ULN.",
    IdempotencyKeyReused "idempotency_key_reused" 422 false "Idempotency-Key used for another request"
        "Send the same body as with the first request, or use a new key for a new request.",
    HeadersTooLarge "headers_too_large" 431 false "Request address and headers too large"
        "Send a shorter address or fewer headers.",
    RateLimited "rate_limited" 429 true "Rate limit exceeded"
        "Try again after the time in `Retry-After`.",
    InternalError "internal_error" 500 true "Internal gateway error"
        "Try again. If the problem persists, give the operator the `requestId`.",
    StoreUnreadable "store_unreadable" 500 false "Stored data unreadable"
        "Give the operator the `requestId`. The data may be encrypted with keys that the gateway no longer has.",
    LrsCredentialsRejected "lrs_credentials_rejected" 502 false "Credentials rejected by LRS"
        "Ask the operator to check the organisation's UKPRN, password, certificate and web service authorisation with LRS.",
    LrsRejectedRequest "lrs_rejected_request" 502 false "Message rejected by LRS"
        "Check the request for values that LRS prohibits, or report the `requestId` to the gateway's maintainers.",
    LrsBadResponse "lrs_bad_response" 502 true "Unusable response from LRS"
        "If `outcomeUnknown` is `true`, repeat the request only with the same `Idempotency-Key`, or find out first what happened. Otherwise try again \
         later. If the problem persists, give the operator the `requestId`.",
    LrsMoved "lrs_moved" 502 true "LRS moved to another address"
        "Nothing was carried out. Give the operator the `requestId`: the address of LRS in the gateway's configuration is out of date.",
    LrsAccessBlocked "lrs_access_blocked" 502 true "Access to LRS blocked by a firewall"
        "Nothing was carried out. Give the operator the `requestId`: a firewall in front of LRS must allow the gateway's address.",
    LrsMaintenance "lrs_maintenance" 503 true "LRS under maintenance or out of hours"
        "Try again after the time in `Retry-After`.",
    LrsUnavailable "lrs_unavailable" 503 true "LRS unavailable"
        "Try again after the time in `Retry-After`.",
    LrsQueueFull "lrs_queue_full" 503 true "Queue for calls to LRS full"
        "Nothing was changed. Try again after the time in `Retry-After`, with fewer concurrent calls.",
    RequestMemoryFull "request_memory_full" 503 true "Memory for request bodies full"
        "Nothing was carried out. Try again after the time in `Retry-After`, with fewer large requests at the same time.",
    AuditUnavailable "audit_unavailable" 503 true "Audit trail not writable"
        "Nothing was changed. Try again after the time in `Retry-After`.",
    NotReady "not_ready" 503 true "Gateway not ready"
        "Call another replica, or try again later.",
    StoreUnavailable "store_unavailable" 503 true "Gateway store unavailable"
        "Try again after the time in `Retry-After`.",
    StoreNotDurable "store_not_durable" 503 true "Gateway store can lose data"
        "Nothing was accepted or executed. Give the operator the `requestId`: Redis is not set up to keep what it stores. Single writes without `Idempotency-Key` are possible.",
    IssuerUnavailable "issuer_unavailable" 503 true "Identity provider's keys unavailable"
        "Try again after the time in `Retry-After`.",
    LrsTimeout "lrs_timeout" 504 true "No response from LRS in time"
        "If `outcomeUnknown` is `true`, repeat the request only with the same `Idempotency-Key`, or find out first what happened. Otherwise try again \
         later.",
}

impl Code {
    /// Returns the catalogue entry of this code.
    pub const fn entry(self) -> &'static CatalogueEntry {
        &CATALOGUE[self as usize]
    }

    /// Returns the most general code for an HTTP status.
    pub(super) fn from_status(status: StatusCode) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalogue_order_equals_order_of_codes() {
        for (index, entry) in CATALOGUE.iter().enumerate() {
            assert_eq!(entry.variant as usize, index, "{}", entry.code);
            assert_eq!(entry.variant.entry().code, entry.code);
            assert!(entry.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", entry.code);
        }
    }
}
