//! Prometheus metrics, served at `/metrics` on the admin listener. This file declares them, `calls.rs` those of requests and of calls
//! to LRS; `docs/METRICS.md` describes them. Label values come from closed lists, from the configuration, or from a limited number of names.

mod calls;
mod series_table;

use std::time::Duration;

use ::metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

pub use calls::{InFlight, record_lrs_call, record_request};

/// Upper bounds of duration buckets in seconds: from the gateway's own share of a request to the time that LRS may need for a batch call.
const DURATION_BUCKETS_SECONDS: [f64; 12] = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];

/// Upper bounds of batch duration buckets in seconds. LRS may process a batch for days.
const BATCH_BUCKETS_SECONDS: [f64; 10] =
    [60.0, 300.0, 900.0, 3600.0, 4.0 * 3600.0, 12.0 * 3600.0, 86_400.0, 2.0 * 86_400.0, 4.0 * 86_400.0, 7.0 * 86_400.0];

/// Interval at which recorded values are moved into their buckets.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

const BUILD_INFO: &str = "lrs_gateway_build_info";
const CONNECTIONS: &str = "lrs_gateway_connections";
const CONNECTIONS_LIMIT: &str = "lrs_gateway_connections_limit";
const CONNECTIONS_CLOSED: &str = "lrs_gateway_connections_closed_total";
const MALFORMED_REQUESTS: &str = "lrs_gateway_malformed_requests_total";
const REQUEST_MEMORY: &str = "lrs_gateway_request_memory_bytes";
const REQUEST_MEMORY_FULL: &str = "lrs_gateway_request_memory_full_total";
const REPLACED_CHARACTERS: &str = "lrs_gateway_lrs_replaced_characters_total";
const LOST_VALUES: &str = "lrs_gateway_lrs_lost_values_total";
const UNKNOWN_ELEMENTS: &str = "lrs_gateway_lrs_unknown_elements_total";
const QUEUE_LENGTH: &str = "lrs_gateway_lrs_queue_length";
const SERVICE_STATE: &str = "lrs_gateway_lrs_service_state";
const RATE_LIMITED: &str = "lrs_gateway_limited_total";
const LIMITS_SHARED: &str = "lrs_gateway_limits_shared";
const BATCH_PARTS: &str = "lrs_gateway_batch_parts_total";
const BATCH_DURATION: &str = "lrs_gateway_batch_duration_seconds";
const BATCHES_UNFINISHED: &str = "lrs_gateway_batches_unfinished";
const BATCHES_OVERDUE: &str = "lrs_gateway_batches_overdue";
const OLDEST_DUE: &str = "lrs_gateway_batch_oldest_due_seconds";
const CERTIFICATE_EXPIRY: &str = "lrs_gateway_certificate_expiry_timestamp_seconds";
const UNUSABLE_ORGANISATIONS: &str = "lrs_gateway_organisations_unusable";
const ISSUER_KEYS_AGE: &str = "lrs_gateway_issuer_keys_age_seconds";
const STORE_ERRORS: &str = "lrs_gateway_store_errors_total";
const AUDIT_QUEUE_LENGTH: &str = "lrs_gateway_audit_waiting";
const DEGRADED: &str = "lrs_gateway_degraded";
const DROPPED_LOG_LINES: &str = "lrs_gateway_log_lines_dropped_total";

/// Recorder of all metrics of the process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Installs the recorder for the whole process.
    ///
    /// # Errors
    /// Returns a text if a recorder is installed already.
    pub fn install() -> Result<Self, String> {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_duration_seconds".into()), &DURATION_BUCKETS_SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Full(BATCH_DURATION.into()), &BATCH_BUCKETS_SECONDS));
        let handle = builder.and_then(PrometheusBuilder::install_recorder).map_err(|error| format!("metrics: {error}"))?;
        describe();
        gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        // Series whose labels are known exist from the start, so that alerts see 0 and not a missing series.
        counter!(STORE_ERRORS).absolute(0);
        counter!(DROPPED_LOG_LINES).absolute(0);
        gauge!(LIMITS_SHARED).set(1.0);
        calls::install();
        counter!(MALFORMED_REQUESTS).absolute(0);
        for limit in ["organisation", "person", "searches"] {
            counter!(RATE_LIMITED, "limit" => limit).absolute(0);
        }
        for limit in ["organisation", "process"] {
            counter!(REQUEST_MEMORY_FULL, "limit" => limit).absolute(0);
        }
        Ok(Self(handle))
    }

    /// Moves recorded values into their buckets periodically until the future is dropped. Without it, values accumulate if `/metrics` is
    /// never scraped.
    pub async fn run_upkeep(self) {
        loop {
            tokio::time::sleep(UPKEEP_INTERVAL).await;
            self.0.run_upkeep();
        }
    }

    /// Returns all metrics in the Prometheus text format.
    pub fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}

fn describe() {
    describe_gauge!(BUILD_INFO, "Version of the gateway; always 1.");
    describe_gauge!(CONNECTIONS, "Open client connections, by listener.");
    describe_gauge!(CONNECTIONS_LIMIT, "Maximum number of client connections, by listener.");
    describe_counter!(CONNECTIONS_CLOSED, "Client connections that a limit or a timeout has closed or refused, by listener and reason.");
    describe_counter!(MALFORMED_REQUESTS, "Requests that are not well-formed HTTP, or with a head that is far too large.");
    describe_gauge!(REQUEST_MEMORY, Unit::Bytes, "Memory that is reserved for request bodies.");
    describe_counter!(REQUEST_MEMORY_FULL, "Requests refused because there was no memory for their body, by the exceeded limit.");
    describe_counter!(
        REPLACED_CHARACTERS,
        "References to characters that XML forbids in LRS's responses, read as U+FFFD, by LRS operation."
    );
    describe_counter!(LOST_VALUES, "Responses of LRS with a value of the wrong kind, which was left out, by LRS operation and element.");
    describe_counter!(UNKNOWN_ELEMENTS, "Responses of LRS with an element that the gateway does not know, by LRS operation and element.");
    describe_gauge!(QUEUE_LENGTH, "Calls to LRS that wait for a permit.");
    describe_gauge!(SERVICE_STATE, "State of an LRS service: 0 available, 1 degraded, 2 maintenance, 3 unavailable.");
    describe_counter!(RATE_LIMITED, "Requests rejected by a rate limit.");
    describe_gauge!(LIMITS_SHARED, "1 if all replicas share the rate limits, 0 if Redis is unavailable and each replica counts locally.");
    describe_counter!(BATCH_PARTS, "Transitions of batch parts into a state, by kind of batch.");
    describe_histogram!(BATCH_DURATION, Unit::Seconds, "Duration of batches from acceptance to completion, by final status.");
    describe_gauge!(BATCHES_UNFINISHED, "Unfinished batches.");
    describe_gauge!(BATCHES_OVERDUE, "Batches that are due and that no worker has claimed.");
    describe_gauge!(OLDEST_DUE, Unit::Seconds, "Time since the longest-waiting of these batches became due.");
    describe_gauge!(CERTIFICATE_EXPIRY, Unit::Seconds, "Expiry time of an organisation's client certificate, in seconds since 1970.");
    describe_gauge!(UNUSABLE_ORGANISATIONS, "Organisation files with an error.");
    describe_gauge!(ISSUER_KEYS_AGE, Unit::Seconds, "Time since an issuer's keys were last fetched.");
    describe_counter!(STORE_ERRORS, "Failed Redis commands.");
    describe_gauge!(AUDIT_QUEUE_LENGTH, "Audit trail lines that wait to be written.");
    describe_gauge!(DEGRADED, "1 for each reason for which a part of the gateway's calls is refused, else 0.");
    describe_counter!(DROPPED_LOG_LINES, "Log lines that were dropped because standard error was not read or could not be written.");
}

/// Sets the memory that is reserved for request bodies, in bytes.
pub fn set_request_memory(bytes: usize) {
    gauge!(REQUEST_MEMORY).set(as_f64(bytes));
}

/// Records a request that was refused because there was no memory for its body.
pub fn record_memory_full(limit: &'static str) {
    counter!(REQUEST_MEMORY_FULL, "limit" => limit).increment(1);
}

/// Sets the number of open connections of a listener.
pub fn set_connections(listener: &'static str, connections: usize) {
    gauge!(CONNECTIONS, "listener" => listener).set(as_f64(connections));
}

/// Sets the maximum number of connections of a listener. From now on, its counters of closed connections exist.
pub fn set_connection_limit(listener: &'static str, connections: usize) {
    gauge!(CONNECTIONS_LIMIT, "listener" => listener).set(as_f64(connections));
    for end in [ConnectionEnd::Room, ConnectionEnd::ClientLimit, ConnectionEnd::Timeout] {
        counter!(CONNECTIONS_CLOSED, "listener" => listener, "reason" => end.label()).absolute(0);
    }
}

/// The limit that has ended a connection.
#[derive(Debug, Clone, Copy)]
pub enum ConnectionEnd {
    /// The longest idle connection was closed for a new one.
    Room,
    /// A new connection was refused: its client has too many.
    ClientLimit,
    /// The client took too long to send a request or to take an answer.
    Timeout,
}

impl ConnectionEnd {
    const fn label(self) -> &'static str {
        match self {
            Self::Room => "room",
            Self::ClientLimit => "client_limit",
            Self::Timeout => "timeout",
        }
    }
}

/// Records a connection that a limit has ended.
pub fn record_connection_end(listener: &'static str, end: ConnectionEnd) {
    counter!(CONNECTIONS_CLOSED, "listener" => listener, "reason" => end.label()).increment(1);
}

/// Records a request that is not well-formed.
pub fn record_malformed_request() {
    counter!(MALFORMED_REQUESTS).increment(1);
}

/// Records references to characters that XML forbids in a response of LRS.
pub fn record_replaced_characters(operation: &'static str, characters: u64) {
    counter!(REPLACED_CHARACTERS, "operation" => operation).increment(characters);
}

/// Records a response of LRS with a value of the wrong kind.
pub fn record_lost_value(operation: &'static str, element: &'static str) {
    counter!(LOST_VALUES, "operation" => operation, "element" => element).increment(1);
}

/// Records a response of LRS with an element that the gateway does not know. The caller limits the number of names.
pub fn record_unknown_element(operation: &'static str, element: &str) {
    counter!(UNKNOWN_ELEMENTS, "operation" => operation, "element" => element.to_owned()).increment(1);
}

/// Sets the number of calls that wait for a permit.
pub fn set_queue_length(calls: usize) {
    gauge!(QUEUE_LENGTH).set(as_f64(calls));
}

/// Records a request that a rate limit rejected.
pub fn record_rate_limited(limit: &'static str) {
    counter!(RATE_LIMITED, "limit" => limit).increment(1);
}

/// Sets whether all replicas share the rate limits.
pub fn set_limits_shared(shared: bool) {
    gauge!(LIMITS_SHARED).set(if shared { 1.0 } else { 0.0 });
}

/// Records that a part of a batch entered a state.
pub fn record_part_state(kind: &'static str, state: &'static str) {
    counter!(BATCH_PARTS, "kind" => kind, "state" => state).increment(1);
}

/// Records a failed Redis command.
pub fn record_store_error() {
    counter!(STORE_ERRORS).increment(1);
}

/// Records a finished batch and the time since its acceptance.
pub fn record_batch(kind: &'static str, status: &'static str, duration: Duration) {
    histogram!(BATCH_DURATION, "kind" => kind, "status" => status).record(duration.as_secs_f64());
}

/// Sets the number of unfinished batches, the number of those that are due and not claimed, and the time since the oldest became due.
pub fn set_backlog(unfinished: usize, due: usize, oldest_due: Duration) {
    gauge!(BATCHES_UNFINISHED).set(as_f64(unfinished));
    gauge!(BATCHES_OVERDUE).set(as_f64(due));
    gauge!(OLDEST_DUE).set(oldest_due.as_secs_f64());
}

/// Sets the state of an LRS service.
pub fn set_service_state(service: &'static str, state: u8) {
    gauge!(SERVICE_STATE, "service" => service).set(f64::from(state));
}

/// Sets the expiry time of an organisation's client certificate, in seconds since 1970. `None` (not a number) if the organisation was
/// removed or has no certificate.
pub fn set_certificate_expiry(organisation: &str, epoch_seconds: Option<i64>) {
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit into an f64")]
    let value = epoch_seconds.map_or(f64::NAN, |seconds| seconds as f64);
    gauge!(CERTIFICATE_EXPIRY, "organisation" => organisation.to_owned()).set(value);
}

/// Sets the number of organisation files with an error.
pub fn set_unusable_organisations(files: usize) {
    gauge!(UNUSABLE_ORGANISATIONS).set(as_f64(files));
}

/// Sets the time since an issuer's keys were last fetched.
pub fn set_issuer_keys_age(issuer: &str, age: Duration) {
    gauge!(ISSUER_KEYS_AGE, "issuer" => issuer.to_owned()).set(age.as_secs_f64());
}

/// Sets whether the gateway is degraded for a reason.
pub fn set_degraded(reason: &'static str, is_degraded: bool) {
    gauge!(DEGRADED, "reason" => reason).set(if is_degraded { 1.0 } else { 0.0 });
}

/// Records log lines that were dropped.
pub fn record_dropped_log_lines(lines: usize) {
    counter!(DROPPED_LOG_LINES).increment(lines as u64);
}

/// Sets the number of audit trail lines that wait to be written.
pub fn set_audit_queue_length(lines: usize) {
    gauge!(AUDIT_QUEUE_LENGTH).set(as_f64(lines));
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
