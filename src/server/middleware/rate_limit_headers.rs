//! `RateLimit` and `RateLimit-Policy` headers.

use actix_web::HttpMessage as _;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{HeaderName, HeaderValue, RETRY_AFTER};

use crate::auth::RateLimitHeaders;
use crate::problem::Problem;

/// The limits that were applied, and what is left of them (draft-ietf-httpapi-ratelimit-headers).
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Adds the headers to the response of a request that was counted against rate limits. `Retry-After` is not before an exhausted limit allows a call.
pub fn apply<B>(response: &mut ServiceResponse<B>) {
    let headers = response.request().extensions_mut().remove();
    let Some(RateLimitHeaders { policy, limit, seconds_until_next_call }) = headers else { return };
    // Answers about batches also state when to call again.
    let planned = response.headers().get(RETRY_AFTER).and_then(|seconds| seconds.to_str().ok()?.parse::<u64>().ok());
    if let (Some(planned), Some(seconds)) = (planned, seconds_until_next_call)
        && planned < seconds
    {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
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

#[cfg(test)]
mod tests {
    use actix_web::HttpResponse;
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn retry_after_of_any_answer_is_not_before_an_exhausted_limit_allows_a_call() {
        for (planned, seconds_until_next_call, expected) in
            [(Some(5), Some(60), Some("60")), (Some(90), Some(60), Some("90")), (Some(5), None, Some("5")), (None, Some(60), None)]
        {
            let request = TestRequest::default().to_http_request();
            let value = HeaderValue::from_static("x");
            request.extensions_mut().insert(RateLimitHeaders { policy: value.clone(), limit: value, seconds_until_next_call });
            let mut answer = HttpResponse::Accepted();
            planned.map(|seconds: u64| answer.insert_header((RETRY_AFTER, seconds)));
            let mut response = ServiceResponse::new(request, answer.finish());

            apply(&mut response);

            let header = response.headers().get(RETRY_AFTER).map(|seconds| seconds.to_str().expect("digits"));
            assert_eq!((header, response.headers().contains_key(RATE_LIMIT)), (expected, true));
        }
    }
}
