//! `RateLimit` and `RateLimit-Policy` headers.

use actix_web::HttpMessage as _;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::HeaderName;

use crate::auth::RateLimitHeaders;
use crate::problem::Problem;

/// The limits that were applied, and what is left of them (draft-ietf-httpapi-ratelimit-headers).
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Adds the headers to the response of a request that was counted against rate limits.
pub fn apply<B>(response: &mut ServiceResponse<B>) {
    let Some(RateLimitHeaders { policy, limit, .. }) = response.request().extensions_mut().remove() else { return };
    response.headers_mut().insert(RATE_LIMIT_POLICY, policy);
    response.headers_mut().insert(RATE_LIMIT, limit);
}

/// Postpones the retry to which a problem invites until the rate limits allow it, so that `Retry-After` never contradicts `RateLimit`.
pub fn postpone_retry<B>(response: &ServiceResponse<B>, problem: &mut Problem) {
    let extensions = response.request().extensions();
    if let Some(seconds) = extensions.get::<RateLimitHeaders>().and_then(|headers| headers.seconds_until_next_call) {
        problem.postpone_retry(seconds);
    }
}
