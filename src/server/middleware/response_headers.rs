//! Headers of every response, whether a handler answered, failed or panicked.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::server::cors::{Cors, CorsHeaders};
use crate::server::middleware::security_headers::SecurityHeaders;

/// Header of the request id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers of the response to one request. They depend on the request alone, which the handler consumes.
pub struct ResponseHeaders {
    request_id: Option<HeaderValue>,
    security: SecurityHeaders,
    cors: CorsHeaders,
}

impl ResponseHeaders {
    /// Returns the headers for the response to this request.
    pub fn for_request(request: &ServiceRequest, request_id: &str, cors: &Cors) -> Self {
        Self {
            request_id: HeaderValue::from_str(request_id).ok(),
            security: SecurityHeaders::for_request(request),
            cors: CorsHeaders::for_request(request, cors),
        }
    }

    /// Adds the headers to a response.
    pub fn apply(self, headers: &mut HeaderMap) {
        if let Some(request_id) = self.request_id {
            headers.insert(REQUEST_ID, request_id);
        }
        self.security.apply(headers);
        self.cors.apply(headers);
    }
}
