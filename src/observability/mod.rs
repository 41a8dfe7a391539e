//! Logs, traces and metrics.

pub mod logging;
pub mod metrics;
pub mod trace_context;
