//! The request's span: it carries the request id into log lines, and is exported as a trace.

use actix_web::dev::ServiceRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderName;
use tracing::Span;

use crate::observability::trace_context;
use crate::server::middleware::request_id;

/// Header of the caller's trace (W3C Trace Context).
pub const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// The trace that a request belongs to.
#[derive(Debug, Clone, Copy)]
pub struct TraceParent<'r> {
    /// The header as the caller sent it.
    pub header: &'r str,
    trace_id: &'r str,
}

impl<'r> TraceParent<'r> {
    /// Returns the caller's trace; `None` if there is no header or more than one, or if it is malformed.
    fn of_client(request: &'r ServiceRequest) -> Option<Self> {
        let mut headers = request.headers().get_all(TRACE_PARENT);
        let header = headers.next().filter(|_| headers.next().is_none())?.to_str().ok()?;
        Self::parse(header)
    }

    /// Parses a header: version, trace id, parent id and flags, in hexadecimal. Later versions may add fields.
    fn parse(header: &'r str) -> Option<Self> {
        let mut fields = header.split('-');
        let mut field = |length: usize| {
            let is_hexadecimal = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            fields.next().filter(|text| text.len() == length && is_hexadecimal(text))
        };
        let (version, trace_id, parent_id, _flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
        let is_set = |id: &str| id.bytes().any(|byte| byte != b'0');
        let is_known =
            version == "00" && fields.next().is_none() || version != "00" && version != "ff" && header.len() <= MAX_TRACE_PARENT_BYTES;
        (is_known && is_set(trace_id) && is_set(parent_id)).then_some(Self { header, trace_id })
    }
}

/// What the caller sent to recognise its request in the gateway's answers and logs.
#[derive(Debug, Clone, Copy)]
pub struct ClientIds<'r> {
    /// The caller's own request id.
    pub request_id: Option<&'r str>,
    /// The caller's trace.
    pub trace_parent: Option<TraceParent<'r>>,
}

impl<'r> ClientIds<'r> {
    /// Reads the headers of a request.
    pub fn of(request: &'r ServiceRequest) -> Self {
        Self { request_id: request_id::of_client(request), trace_parent: TraceParent::of_client(request) }
    }
}

/// Maximum length of a header of a later version, in bytes.
const MAX_TRACE_PARENT_BYTES: usize = 128;

/// Opens the span of a request. Continues the caller's trace if the request belongs to one.
pub fn request_span(request: &ServiceRequest, request_id: &str, client: ClientIds<'_>) -> Span {
    let span = tracing::info_span!(
        "request",
        request_id,
        client_request_id = client.request_id,
        trace_id = client.trace_parent.map(|parent| parent.trace_id),
        otel.kind = "server"
    );
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

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn trace_parent_that_is_malformed_is_ignored() {
        assert_eq!(TraceParent::parse(VALID).map(|parent| parent.trace_id), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert!(TraceParent::parse(&VALID.replacen("00", "cc", 1).replace("-01", "-01-more")).is_some(), "a later version");
        for bad in [
            "",
            &VALID.to_uppercase(),
            &VALID.replacen("00", "ff", 1),
            &format!("{VALID}-more"),
            &VALID[..54],
            &VALID.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &VALID.replace("00f067aa0ba902b7", &"0".repeat(16)),
        ] {
            assert!(TraceParent::parse(bad).is_none(), "{bad}");
        }
    }
}
