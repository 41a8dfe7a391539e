//! Responses that need neither a token nor a handler.

use actix_web::HttpResponse;
use actix_web::dev::ServiceRequest;

use crate::server::allowed_methods::AllowedMethods;
use crate::server::cors::{Cors, preflight_response};
use crate::server::middleware::head_limit;

/// Returns the response to a request that does not reach a handler: its head is too large, or it is a CORS preflight.
pub fn find(request: &ServiceRequest, cors: &Cors, methods: &AllowedMethods) -> Option<HttpResponse> {
    head_limit::reject(request).or_else(|| preflight_response(request, cors, methods))
}
