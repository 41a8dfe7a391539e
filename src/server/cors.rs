//! Cross-origin resource sharing (CORS): which web pages of other origins may call the API from a browser. None by default.
//!
//! Pages send the token themselves, so the browser's own credentials (cookies) are not allowed.

use std::borrow::Cow;

use actix_web::HttpResponse;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};

use crate::schema::{Constraints, InvalidValue, Scalar};
use crate::server::allowed_methods::AllowedMethods;

/// An origin as browsers send it: scheme, host, and the port unless it is the scheme's default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Scalar for Origin {
    const CONSTRAINTS: Constraints = Constraints::new("An origin of web pages.", "https://mis.example");

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        const INVALID: InvalidValue = InvalidValue::new(
            "invalid_format",
            "must be one origin as browsers send it, such as https://mis.example: no path, no *, and http for this machine only",
        );
        let url = reqwest::Url::parse(text).map_err(|_| INVALID)?;
        let is_loopback = match url.host_str() {
            Some("localhost" | "[::1]") => true,
            host => host.and_then(|host| host.parse::<std::net::IpAddr>().ok()).is_some_and(|ip| ip.is_loopback()),
        };
        let is_secure = url.scheme() == "https" || url.scheme() == "http" && is_loopback;
        if is_secure && !text.contains('*') && url.origin().ascii_serialization() == text {
            Ok(Self(text.to_owned()))
        } else {
            Err(INVALID)
        }
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }
}

/// The allowed origins.
#[derive(Debug, Clone, Default)]
pub struct Cors(Vec<Origin>);

impl Cors {
    /// Allows these origins, and no other.
    pub const fn new(origins: Vec<Origin>) -> Self {
        Self(origins)
    }

    /// Returns the origin of a request if it is allowed.
    fn allowed_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        self.0.iter().any(|allowed| allowed.0.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }
}

/// CORS headers of the response to one request.
pub struct CorsHeaders {
    is_enabled: bool,
    allowed_origin: Option<HeaderValue>,
}

impl CorsHeaders {
    /// Returns the headers for the response to this request.
    pub fn for_request(request: &ServiceRequest, cors: &Cors) -> Self {
        Self { is_enabled: !cors.0.is_empty(), allowed_origin: cors.allowed_origin(request.headers()) }
    }

    /// Adds the headers to a response. `Vary` keeps caches from giving one origin's response to another origin.
    pub fn apply(self, headers: &mut HeaderMap) {
        if self.is_enabled {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(origin) = self.allowed_origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
        }
    }
}

/// Request headers that callers need.
const REQUEST_HEADERS: HeaderValue =
    HeaderValue::from_static("Authorization, Content-Type, Content-Encoding, Idempotency-Key, Prefer, Accept, X-Request-Id, Traceparent");

/// Response headers that pages may read.
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static(
    "X-Request-Id, Gateway-Request-Id, Retry-After, RateLimit, RateLimit-Policy, Location, Idempotency-Replayed, Preference-Applied, Batch-Status, Deprecation, Sunset, Link, Traceparent",
);

/// Time for which browsers may cache a preflight response, in seconds.
const PREFLIGHT_MAX_AGE_SECONDS: HeaderValue = HeaderValue::from_static("3600");

/// Returns the response to a preflight request of an allowed origin. Preflight requests have no token. Every path of the server takes them.
pub fn preflight_response(request: &ServiceRequest, cors: &Cors, methods: &AllowedMethods) -> Option<HttpResponse> {
    let is_preflight = request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if !is_preflight || cors.allowed_origin(request.headers()).is_none() {
        return None;
    }
    let mut response = HttpResponse::Ok();
    response.insert_header((ACCESS_CONTROL_ALLOW_METHODS, methods.allow_header(request.path())?));
    response.insert_header((ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS));
    response.insert_header((ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE_SECONDS));
    Some(response.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_inexact_or_insecure_is_refused() {
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
