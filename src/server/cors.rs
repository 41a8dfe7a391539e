//! Which web pages of other origins may call the API from a browser (CORS): none, unless they are configured.
//!
//! Tokens are sent by the page, not by the browser, so nothing of this is for credentials that browsers keep.

use std::borrow::Cow;

use actix_web::HttpResponse;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};

use crate::schema::{Constraints, InvalidValue, Scalar};
use crate::server::router::AllowedMethods;

/// An origin as browsers name it: scheme, host, and port unless it is the usual one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Scalar for Origin {
    const CONSTRAINTS: Constraints = Constraints::new("An origin of web pages.", "https://mis.example");

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        const NOT_ONE: InvalidValue = InvalidValue::new(
            "invalid_format",
            "must be one origin as browsers name it, such as https://mis.example: no path, no *, and http for this machine only",
        );
        let url = reqwest::Url::parse(text).map_err(|_| NOT_ONE)?;
        let this_machine = match url.host_str() {
            Some("localhost" | "[::1]") => true,
            host => host.and_then(|host| host.parse::<std::net::IpAddr>().ok()).is_some_and(|ip| ip.is_loopback()),
        };
        let secure = url.scheme() == "https" || url.scheme() == "http" && this_machine;
        if secure && !text.contains('*') && url.origin().ascii_serialization() == text { Ok(Self(text.to_owned())) } else { Err(NOT_ONE) }
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }
}

/// The request headers that callers need.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static("Authorization, Content-Type, Idempotency-Key, Prefer, Accept");
/// The answers' headers that pages may read.
const ANSWER_HEADERS: HeaderValue = HeaderValue::from_static(
    "X-Request-Id, Retry-After, RateLimit, RateLimit-Policy, Location, Idempotency-Replayed, Preference-Applied, Batch-Status",
);
/// How long a browser need not ask again, in seconds.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("3600");

/// The origins that may.
#[derive(Debug, Clone, Default)]
pub struct Cors(Vec<Origin>);

impl Cors {
    /// These origins, and no other.
    pub const fn new(origins: Vec<Origin>) -> Self {
        Self(origins)
    }

    /// The origin of a request, if it is one of these.
    pub fn origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        self.0.iter().any(|allowed| allowed.0.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }

    /// The answer to a browser that asks whether it may call: before there is a token, and for every path that there is.
    pub fn preflight(&self, request: &ServiceRequest, methods: &AllowedMethods) -> Option<HttpResponse> {
        let asks = request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || self.origin(request.headers()).is_none() {
            return None;
        }
        let mut response = HttpResponse::Ok();
        response.insert_header((ACCESS_CONTROL_ALLOW_METHODS, methods.allow_header(request.path())?));
        response.insert_header((ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS));
        response.insert_header((ACCESS_CONTROL_MAX_AGE, ASK_AGAIN));
        // Not an empty answer: those the framework writes without end for a client that sends and does not read.
        Some(response.content_type("text/plain; charset=utf-8").body("Allowed.\n"))
    }

    /// Tells the browser that the page of this origin may read the answer; and caches, that others get another.
    pub fn mark(&self, headers: &mut HeaderMap, origin: Option<HeaderValue>) {
        if !self.0.is_empty() {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(origin) = origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_exact_and_safe() {
        for good in
            ["https://mis.example", "https://mis.example:8443", "http://localhost:5173", "http://127.0.0.1:5173", "http://[::1]:5173"]
        {
            assert_eq!(Origin::parse(good).map(|origin| origin.0).as_deref(), Ok(good));
        }
        for bad in [
            "*",
            "null",
            "",
            "mis.example",
            "http://mis.example",
            "https://mis.example/",
            "https://mis.example:443",
            "https://MIS.example",
            "https://*.mis.example",
            "https://user@mis.example",
            "https://mis.example/path",
            "file:///index.html",
        ] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
    }
}
