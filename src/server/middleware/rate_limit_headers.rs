//! `RateLimit` and `RateLimit-Policy` headers.

use actix_web::HttpMessage as _;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::HeaderName;

use crate::auth::RateLimitHeaders;

/// Adds the headers to the response of a request that was counted against rate limits.
pub fn apply<B>(response: &mut ServiceResponse<B>) {
    let Some(RateLimitHeaders { policy, limit }) = response.request().extensions_mut().remove() else { return };
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("ratelimit-policy"), policy);
    headers.insert(HeaderName::from_static("ratelimit"), limit);
}
