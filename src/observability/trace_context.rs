//! OpenTelemetry traces: exported as OTLP over HTTP to the collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names; off without it.
//!
//! A trace that a caller has started (W3C Trace Context) is continued, and its context is sent to LRS. Traces contain spans and events
//! of this program only, none of its libraries, and no personal data.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::propagation::{Extractor, Injector};
use opentelemetry::trace::{Status, TraceContextExt as _, TraceId, TracerProvider as _};
use opentelemetry::{Value, global};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tracing::{Level, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use crate::observability::USER_AGENT;
use crate::tls;

/// OpenTelemetry's variable for the collector's base URL.
const ENDPOINT_VARIABLE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Name of the service and of the tracer.
const SERVICE_NAME: &str = "lrs-gateway";

/// `true` while spans are exported.
static ACTIVE: AtomicBool = AtomicBool::new(false);

/// Exporter of spans. Without a collector it does nothing.
#[derive(Debug)]
#[must_use]
pub struct TraceExporter(Option<SdkTracerProvider>);

impl TraceExporter {
    /// Returns an exporter that does nothing.
    pub(super) const fn disabled() -> Self {
        Self(None)
    }

    /// Creates the exporter that `OTEL_EXPORTER_OTLP_ENDPOINT` asks for. It connects through the proxy, if there is one.
    ///
    /// # Errors
    /// Returns a text if the HTTP client or the exporter cannot be built.
    pub(super) fn from_environment(proxy: impl FnOnce() -> Option<reqwest::Proxy>) -> Result<Self, String> {
        let endpoint = std::env::var(ENDPOINT_VARIABLE).ok().filter(|endpoint| !endpoint.is_empty());
        endpoint.map(|endpoint| tracer_provider(&endpoint, proxy())).transpose().map(Self)
    }

    /// Returns the layer that records spans of this program; `None` without a collector.
    pub(super) fn layer<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let own_spans = Targets::new().with_target("lrs_gateway", Level::INFO);
        let tracer = self.0.as_ref()?.tracer(SERVICE_NAME);
        Some(tracing_opentelemetry::layer().with_tracer(tracer).with_filter(own_spans))
    }

    /// Enables the functions of this module if there is a collector.
    pub(super) fn activate(&self) {
        ACTIVE.store(self.0.is_some(), Ordering::Relaxed);
    }

    /// Sends the remaining spans. Blocks: must not be called on a thread that serves requests.
    pub fn shutdown(self) {
        if let Some(Err(error)) = self.0.map(|provider| provider.shutdown()) {
            tracing::warn!(%error, "trace export failed: the last spans were not sent");
        }
    }
}

/// Creates a tracer provider that sends spans to the collector from its own thread.
fn tracer_provider(endpoint: &str, proxy: Option<reqwest::Proxy>) -> Result<SdkTracerProvider, String> {
    let config = tls::client_config_builder(Arc::new(tls::public_root_certificates()))?.with_no_client_auth();
    let builder = reqwest::blocking::Client::builder().user_agent(USER_AGENT).tls_backend_preconfigured(config);
    let client = match proxy {
        None => builder.no_proxy(),
        Some(proxy) => builder.proxy(proxy),
    };
    let client = client.build();
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client.map_err(|error| error.to_string())?)
        // The exporter would send its own name.
        .with_headers(HashMap::from([("User-Agent".to_owned(), USER_AGENT.to_owned())]))
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .build()
        .map_err(|error| error.to_string())?;
    global::set_text_map_propagator(TraceContextPropagator::new());
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_service_name(SERVICE_NAME).with_attribute(version).build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

fn is_active() -> bool {
    ACTIVE.load(Ordering::Relaxed)
}

/// Makes a span continue the trace in a request's headers, or start a new one, and records its trace id for the span's log lines.
pub fn continue_trace(span: &Span, headers: &actix_web::http::header::HeaderMap) {
    if !is_active() {
        return;
    }
    let parent = global::get_text_map_propagator(|propagator| propagator.extract(&RequestHeaders(headers)));
    // A span that is filtered out has no trace.
    if span.set_parent(parent).is_ok() {
        let trace_id = span.context().span().span_context().trace_id();
        if trace_id != TraceId::INVALID {
            span.record("trace_id", tracing::field::display(trace_id));
        }
    }
}

/// Returns the span of a call to another server. If traces are off, it is disabled: a span costs as much as a log line, and only traces show
/// what this one adds.
pub fn call_span() -> Span {
    if is_active() { tracing::info_span!(target: "lrs_gateway::lrs", "call", otel.kind = "client") } else { Span::none() }
}

/// Adds the headers that propagate a span's trace context to another server; none if traces are off.
pub fn add_trace_headers(span: &Span, headers: &mut HeaderMap) {
    if is_active() {
        global::get_text_map_propagator(|propagator| propagator.inject_context(&span.context(), &mut OutgoingHeaders(headers)));
    }
}

/// Sets a span's name and its attributes of OpenTelemetry's semantic conventions. They do not appear in logs. The closure is called
/// only if traces are on.
pub fn describe_span<const N: usize>(span: &Span, name_and_attributes: impl FnOnce() -> (String, [(&'static str, Value); N])) {
    if is_active() {
        let (name, attributes) = name_and_attributes();
        span.context().span().update_name(name);
        for (key, value) in attributes {
            span.set_attribute(key, value);
        }
    }
}

/// Records the HTTP status of a response in its span.
pub fn record_status(span: &Span, status: u16) {
    if is_active() {
        span.set_attribute("http.response.status_code", i64::from(status));
    }
}

/// Marks a span as failed. The error type comes from a closed list, so it contains no personal data.
pub fn record_error(span: &Span, error_type: impl Into<Value>) {
    if is_active() {
        span.set_attribute("error.type", error_type);
        span.set_status(Status::error(""));
    }
}

/// Reads the trace context from a caller's request.
struct RequestHeaders<'h>(&'h actix_web::http::header::HeaderMap);

impl Extractor for RequestHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        Vec::new()
    }
}

/// Writes the trace context into the headers of a call to LRS.
struct OutgoingHeaders<'h>(&'h mut HeaderMap);

impl Injector for OutgoingHeaders<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (key.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            self.0.insert(name, value);
        }
    }
}
