//! Logs, JSON lines on standard error (`docs/LOGGING.md`), and traces, to an OpenTelemetry collector if there is one.
//!
//! Traces are turned on by OpenTelemetry's own variable, `OTEL_EXPORTER_OTLP_ENDPOINT`, and go there as OTLP over HTTP. A trace that a
//! caller has begun (W3C trace context) is continued, and LRS is told it. Only what this program says itself is in a trace: nothing of
//! its libraries, and nothing personal.

use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::propagation::{Extractor, Injector};
use opentelemetry::trace::{Status, TraceContextExt as _, TraceId, TracerProvider as _};
use opentelemetry::{Value, global};
use opentelemetry_otlp::{WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tracing::{Level, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::tls;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const NAME: &str = "lrs-gateway";

/// Are there traces?
static TRACES: AtomicBool = AtomicBool::new(false);

/// Logging, and the traces that are still to be sent.
#[derive(Debug)]
#[must_use]
pub struct Telemetry(Option<SdkTracerProvider>);

impl Telemetry {
    /// Sends what is left. Not to be called by what serves requests: it waits.
    pub fn end(self) {
        if let Some(Err(error)) = self.0.map(|provider| provider.shutdown()) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Starts logging. `RUST_LOG` sets the level, also per module: `info,lrs_gateway::lrs=debug`. What it says nothing of has the default
/// level: a slip of the pen must not silence everything. Not to be called within a runtime.
pub fn init(default_level: &str) -> Telemetry {
    let wanted = std::env::var("RUST_LOG").unwrap_or_default();
    let filter = EnvFilter::try_new(format!("{default_level},{wanted}")).map_err(|error| error.to_string());
    let (filter, slip) = filter.map_or_else(|slip| (EnvFilter::new(default_level), Some(slip)), |filter| (filter, None));
    let logs = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(std::io::stderr)
        .with_filter(filter);
    let (provider, problem) = match std::env::var(ENDPOINT).ok().filter(|endpoint| !endpoint.is_empty()) {
        None => (None, None),
        Some(endpoint) => exporting(&endpoint).map_or_else(|problem| (None, Some(problem)), |provider| (Some(provider), None)),
    };
    let ours = Targets::new().with_target("lrs_gateway", Level::INFO);
    let traces = provider.as_ref().map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer(NAME)).with_filter(ours));
    if tracing::subscriber::set_global_default(tracing_subscriber::registry().with(logs).with(traces)).is_ok() {
        std::panic::set_hook(Box::new(log_panic));
        TRACES.store(provider.is_some(), Ordering::Relaxed);
    }
    if let Some(problem) = slip {
        tracing::error!(problem, "RUST_LOG cannot be read: everything is logged at the usual level");
    }
    if let Some(problem) = problem {
        tracing::error!(problem, "there are no traces: {ENDPOINT} cannot be used");
    }
    Telemetry(provider)
}

/// Sends traces there, from a thread of its own.
fn exporting(endpoint: &str) -> Result<SdkTracerProvider, String> {
    let config = tls::client_builder(Arc::new(tls::web_authorities()))?.with_no_client_auth();
    let client = reqwest::blocking::Client::builder().no_proxy().tls_backend_preconfigured(config).build();
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(client.map_err(|error| error.to_string())?)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .build()
        .map_err(|error| error.to_string())?;
    global::set_text_map_propagator(TraceContextPropagator::new());
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_service_name(NAME).with_attribute(version).build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

/// Continues the trace that a request belongs to, or begins one, and gives the span's logs its id.
pub fn continue_trace(span: &Span, headers: &actix_web::http::header::HeaderMap) {
    if !TRACES.load(Ordering::Relaxed) {
        return;
    }
    let parent = global::get_text_map_propagator(|propagator| propagator.extract(&Incoming(headers)));
    // A span that is filtered out has no trace.
    if span.set_parent(parent).is_ok() {
        let trace = span.context().span().span_context().trace_id();
        if trace != TraceId::INVALID {
            span.record("trace_id", tracing::field::display(trace));
        }
    }
}

/// The headers that tell others which trace this span belongs to.
pub fn trace_headers(span: &Span) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if TRACES.load(Ordering::Relaxed) {
        global::get_text_map_propagator(|propagator| propagator.inject_context(&span.context(), &mut Outgoing(&mut headers)));
    }
    headers
}

/// Gives a span its name, and says of it what OpenTelemetry's conventions have names for. Logs do not repeat it.
pub fn describe<const N: usize>(span: &Span, said: impl FnOnce() -> (String, [(&'static str, Value); N])) {
    if TRACES.load(Ordering::Relaxed) {
        let (name, attributes) = said();
        span.context().span().update_name(name);
        for (key, value) in attributes {
            span.set_attribute(key, value);
        }
    }
}

/// Marks a span as failed. What it says is of a closed list: nothing personal.
pub fn failed(span: &Span, what: impl Into<Value>) {
    if TRACES.load(Ordering::Relaxed) {
        span.set_attribute("error.type", what);
        span.set_status(Status::error(""));
    }
}

struct Incoming<'h>(&'h actix_web::http::header::HeaderMap);

impl Extractor for Incoming<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        Vec::new()
    }
}

struct Outgoing<'h>(&'h mut HeaderMap);

impl Injector for Outgoing<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (key.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            self.0.insert(name, value);
        }
    }
}

/// Where it panicked, not what it said: a panic's message may quote a value.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    tracing::error!(place, "panic");
}
