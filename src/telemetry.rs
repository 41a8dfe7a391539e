//! Logs: JSON lines on standard error. What is in them, and what never is: `docs/LOGGING.md`.

use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;

/// Starts logging. `RUST_LOG` sets the level, also per module: `info,lrs_gateway::lrs=debug`.
pub fn init(default_level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default_level));
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(std::io::stderr)
        .with_env_filter(filter)
        .finish();
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        std::panic::set_hook(Box::new(log_panic));
    }
}

/// Where it panicked, not what it said: a panic's message may quote a value.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    tracing::error!(place, "panic");
}
