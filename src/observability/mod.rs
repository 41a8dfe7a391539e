//! Logs, traces and metrics.

pub mod json_line;
pub mod line_queue;
mod log_lines;
pub mod log_writer;
pub mod logging;
pub mod metrics;
pub mod trace_context;

/// The program's name and version in requests to other servers (RFC 9110, 10.1.5).
pub const USER_AGENT: &str = concat!("lrs-gateway/", env!("CARGO_PKG_VERSION"));
