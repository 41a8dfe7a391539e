//! Logging: JSON lines on standard error (`docs/LOGGING.md`). `log_lines.rs` makes the lines, `log_writer.rs` writes them.

use std::panic::PanicHookInfo;

use tracing::subscriber::set_global_default;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use super::log_lines::LogLines;
use super::log_writer::LogWriter;
use super::trace_context::TraceExporter;

/// Targets that are silent by default. The HTTP library logs an error for each request that is not well-formed: anyone can send them, so
/// they are counted (`lrs_gateway_malformed_requests_total`).
const QUIET_TARGETS: &str = "actix_http::h1::dispatcher=off";

/// Installs the log subscriber, the panic hook and the trace exporter for the whole process. Traces are sent through the proxy that
/// `proxy` returns, if any; it is called only if traces are exported.
///
/// `RUST_LOG` sets the level, also per module: `info,lrs_gateway::lrs=debug`. Targets that `RUST_LOG` does not name use the default
/// level; so do all targets if `RUST_LOG` is invalid. Must be called outside an async runtime: the trace exporter has a blocking client.
pub fn init(default_level: &str, proxy: impl FnOnce() -> Option<reqwest::Proxy>) -> TraceExporter {
    let directives = std::env::var("RUST_LOG").unwrap_or_default();
    let (filter, filter_error) = match EnvFilter::try_new(format!("{default_level},{QUIET_TARGETS},{directives}")) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(format!("{default_level},{QUIET_TARGETS}")), Some(error.to_string())),
    };
    let writer = LogWriter::of_process();
    let logs = LogLines::new(move |line: &[u8]| writer.write(line));
    let (exporter, exporter_error) = match TraceExporter::from_environment(proxy) {
        Ok(exporter) => (exporter, None),
        Err(error) => (TraceExporter::disabled(), Some(error)),
    };
    let installed = match exporter.layer() {
        // Traces have spans that the filter leaves out of the log, so the filter is a part of the log then. That costs more for each span.
        Some(traces) => set_global_default(tracing_subscriber::registry().with(logs.with_filter(filter)).with(traces)),
        None => set_global_default(tracing_subscriber::registry().with(filter).with(logs)),
    };
    if installed.is_ok() {
        std::panic::set_hook(Box::new(log_panic));
        exporter.activate();
    }
    if let Some(error) = filter_error {
        tracing::error!(error, "RUST_LOG is invalid: all targets use the default level");
    }
    if let Some(error) = exporter_error {
        tracing::error!(error, "traces disabled: OTEL_EXPORTER_OTLP_ENDPOINT cannot be used");
    }
    exporter
}

/// Logs the location of a panic. The message is not logged: it may quote a value.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    tracing::error!(place, "panic");
}
