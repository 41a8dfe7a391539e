//! Logs, traces and metrics.

pub mod metrics;
pub mod telemetry;
