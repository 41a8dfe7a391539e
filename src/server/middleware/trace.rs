//! The request's span: it carries the request id into log lines, and is exported as a trace.

use actix_web::dev::ServiceRequest;
use actix_web::http::StatusCode;
use tracing::Span;

use crate::observability::trace_context;

/// Opens the span of a request. Continues the caller's trace if the request belongs to one.
pub fn request_span(request: &ServiceRequest, request_id: &str) -> Span {
    let span = tracing::info_span!("request", request_id = %request_id, trace_id = tracing::field::Empty, otel.kind = "server");
    trace_context::continue_trace(&span, request.headers());
    span
}

/// Adds the request's result to its span, in OpenTelemetry's terms. A 5xx status marks the span as failed.
pub fn finish(span: &Span, method: &'static str, route: &str, status: StatusCode) {
    trace_context::describe_span(span, || {
        let attributes = [
            ("http.request.method", method.into()),
            ("http.route", route.to_owned().into()),
            ("http.response.status_code", i64::from(status.as_u16()).into()),
        ];
        (format!("{method} {route}"), attributes)
    });
    if status.is_server_error() {
        trace_context::record_error(span, status.as_u16().to_string());
    }
}
