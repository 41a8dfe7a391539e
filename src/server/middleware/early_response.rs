//! Responses that need neither a token nor a handler.

use actix_web::HttpResponse;
use actix_web::dev::ServiceRequest;

use crate::server::cors;
use crate::server::middleware::head_limit;

/// Returns the response to a request that does not reach a handler: its head is too large, or it is a CORS preflight.
pub fn find(request: &ServiceRequest) -> Option<HttpResponse> {
    head_limit::reject(request).or_else(|| cors::preflight_response(request))
}
