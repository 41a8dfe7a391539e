//! `RateLimit` and `RateLimit-Policy` headers.

use actix_web::HttpMessage as _;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{HeaderName, HeaderValue};

use crate::auth::RateLimitHeaders;

/// Adds the headers to the response of a request that was counted against rate limits.
pub fn apply<B>(response: &mut ServiceResponse<B>) {
    let Some(RateLimitHeaders { policy, limit }) = response.request().extensions().get::<RateLimitHeaders>().cloned() else { return };
    for (name, value) in [("ratelimit-policy", policy), ("ratelimit", limit)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
}
