//! Headers that tell browsers and caches how to treat a response.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};

/// Content security policy of the API. Responses are data: a browser that shows one as a page loads and runs nothing for it.
const API_CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Content security policy of the documentation. Its pages load their own scripts, styles and images, and call the gateway. Nothing is inline.
const DOCS_CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// HSTS for one year, for this host only: the gateway does not decide for the other hosts of its domain.
const ONE_YEAR_HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Paths of public content, which caches may store. Everything else can be personal.
const PUBLIC_PATHS: [&str; 2] = ["/docs", "/openapi"];

/// Security headers of the response to one request.
pub struct SecurityHeaders {
    content_security_policy: HeaderValue,
    is_tls: bool,
    is_public: bool,
}

impl SecurityHeaders {
    /// Returns the headers for the response to this request.
    pub fn for_request(request: &ServiceRequest, is_tls: bool) -> Self {
        // As routes match it: decoded.
        let path = request.match_info().as_str();
        let is_home = path == "/";
        Self {
            content_security_policy: if is_home || path.starts_with("/docs/") {
                DOCS_CONTENT_SECURITY_POLICY
            } else {
                API_CONTENT_SECURITY_POLICY
            },
            is_tls,
            is_public: is_home || PUBLIC_PATHS.iter().any(|public| path.starts_with(public)),
        }
    }

    /// Adds the headers to a response.
    pub fn apply(self, headers: &mut HeaderMap) {
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(CONTENT_SECURITY_POLICY, self.content_security_policy);
        if self.is_tls {
            headers.insert(STRICT_TRANSPORT_SECURITY, ONE_YEAR_HSTS);
        }
        if !self.is_public {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
}
