//! Count and duration of requests, by operation and status.

use std::time::Instant;

use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;

use crate::observability::metrics;
use crate::server::allowed_methods::{AllowedMethods, NO_OPERATION};

/// Records a request with its operation.
pub fn record<B>(response: &ServiceResponse<B>, method: &str, route: &str, started: Instant) {
    let methods = response.request().app_data::<Data<AllowedMethods>>();
    let operation = methods.map_or(NO_OPERATION, |methods| methods.operation_id(method, route));
    metrics::record_request(operation, response.status().as_u16(), started.elapsed());
}

/// Records a request whose handler panicked. Its operation is lost with the request.
pub fn record_panic(status: StatusCode, started: Instant) {
    metrics::record_request(NO_OPERATION, status.as_u16(), started.elapsed());
}
