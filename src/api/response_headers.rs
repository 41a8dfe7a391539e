//! The headers of answers in the OpenAPI document. Each is a component with one meaning.

use utoipa::openapi::header::Header;

use crate::api::description::{header, integer, text};

/// Returns the header with the address of a new batch.
pub fn location() -> Header {
    let meaning = "Address of the batch, as a reference that is relative to the address of the request (RFC 9110, 10.2.2). Absolute if the \
        operator has set the gateway's address.";
    header(text(), meaning)
}

/// Returns the header with the time to wait.
pub fn retry_after() -> Header {
    let meaning = "Seconds to wait before the next request: before you read a batch again, or before you repeat a request that failed. The same \
        number as `retryAfterSeconds`.";
    header(integer(0), meaning)
}

/// Returns the header with the preference that was applied.
pub fn preference_applied() -> Header {
    header(text(), "Preference of `Prefer` that the gateway applied (RFC 7240).")
}

/// Returns the header with the caller's id of the request.
pub fn x_request_id() -> Header {
    let meaning = "Identifies the request in the operator's logs: the `X-Request-Id` of the request if it has 1 to 128 letters, digits, or \
        characters of `-_.:/+=~`, otherwise the same as `Gateway-Request-Id`.";
    header(text(), meaning)
}

/// Returns the header with the gateway's own id of the request.
pub fn gateway_request_id() -> Header {
    header(text(), "The gateway's own id of the request: the `requestId` of problems and of the audit trail.")
}

/// Returns the header with the state of the rate limits.
pub fn rate_limit() -> Header {
    header(text(), "What is left of each rate limit (draft-ietf-httpapi-ratelimit-headers-11).")
}

/// Returns the header with the rate limits.
pub fn rate_limit_policy() -> Header {
    header(text(), "The rate limits (draft-ietf-httpapi-ratelimit-headers-11).")
}

/// Returns the header of a 401 or 403.
pub fn www_authenticate() -> Header {
    header(text(), "What the token lacks (RFC 6750).")
}

/// Returns the header of a 415 about the coding of the body.
pub fn accept_encoding() -> Header {
    header(text(), "Codings that a body may have. Only if its `Content-Encoding` is at fault.")
}

/// Returns the header with the coding of an answer.
pub fn content_encoding() -> Header {
    header(text(), "`gzip` if the answer is compressed: only if `Accept-Encoding` prefers it, and not if the answer is small.")
}

/// Returns the header with the names of the headers that select an answer.
pub fn vary() -> Header {
    header(text(), "Headers of the request on which the answer depends.")
}
