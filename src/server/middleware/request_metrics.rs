//! Count and duration of requests, by operation and status.

use std::time::Instant;

use actix_web::http::StatusCode;

use crate::observability::metrics;
use crate::server::allowed_methods::{AllowedMethods, NO_OPERATION};

/// Records a request with its operation.
pub fn record(methods: &AllowedMethods, method: &str, route: &str, status: StatusCode, started: Instant) {
    metrics::record_request(methods.operation_id(method, route), status.as_u16(), started.elapsed());
}

/// Records a request whose handler panicked. Its operation is lost with the request.
pub fn record_panic(status: StatusCode, started: Instant) {
    metrics::record_request(NO_OPERATION, status.as_u16(), started.elapsed());
}
