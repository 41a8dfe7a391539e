//! Headers of every response, whether a handler answered, failed or panicked.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderMap, HeaderValue};

use crate::server::cors::{Cors, CorsHeaders};
use crate::server::middleware::request_id::{OWN_REQUEST_ID, REQUEST_ID};
use crate::server::middleware::security_headers::SecurityHeaders;
use crate::server::middleware::trace::{ClientIds, TRACE_PARENT};

/// Headers of the response to one request. They depend on the request alone, which the handler consumes.
pub struct ResponseHeaders {
    request_id: Option<HeaderValue>,
    own_request_id: Option<HeaderValue>,
    trace_parent: Option<HeaderValue>,
    security: SecurityHeaders,
    cors: CorsHeaders,
}

impl ResponseHeaders {
    /// Returns the headers for the response to this request.
    pub fn for_request(request: &ServiceRequest, request_id: &str, client: ClientIds<'_>, cors: &Cors, is_tls: bool) -> Self {
        let own_request_id = HeaderValue::from_str(request_id).ok();
        Self {
            request_id: client.request_id.map_or_else(|| own_request_id.clone(), |id| HeaderValue::from_str(id).ok()),
            own_request_id,
            trace_parent: client.trace_parent.and_then(|parent| HeaderValue::from_str(parent.header).ok()),
            security: SecurityHeaders::for_request(request, is_tls),
            cors: CorsHeaders::for_request(request, cors),
        }
    }

    /// Adds the headers to a response.
    pub fn apply(self, headers: &mut HeaderMap) {
        if let Some(request_id) = self.request_id {
            headers.insert(REQUEST_ID, request_id);
        }
        if let Some(own_request_id) = self.own_request_id {
            headers.insert(OWN_REQUEST_ID, own_request_id);
        }
        if let Some(trace_parent) = self.trace_parent {
            headers.insert(TRACE_PARENT, trace_parent);
        }
        self.security.apply(headers);
        self.cors.apply(headers);
    }
}
