//! One log line for each request.

use std::time::Instant;

use actix_web::http::StatusCode;

use crate::problem::Problem;

/// Target of the log lines, so that `RUST_LOG` and log pipelines can select them.
const TARGET: &str = "lrs_gateway::server";

/// Writes the log line of a request: at level `error` for 500, `warn` for 501 and above, `info` otherwise.
pub fn write(method: &str, route: &str, started: Instant, status: StatusCode, problem: Option<&Problem>) {
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let status = status.as_u16();
    let code = problem.map(|problem| problem.code().entry().code);
    let cause = problem.and_then(|problem| problem.cause.as_deref());
    match status {
        500 => tracing::error!(target: TARGET, method, route, status, duration_ms, code, cause, "request"),
        501.. => tracing::warn!(target: TARGET, method, route, status, duration_ms, code, cause, "request"),
        _ => tracing::info!(target: TARGET, method, route, status, duration_ms, code, cause, "request"),
    }
}
