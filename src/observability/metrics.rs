//! What operators can measure: Prometheus's text format, on the operators' own port at `/metrics`. Every name is declared here, and
//! described in `docs/METRICS.md`; labels come from closed lists, or from configuration.

use std::time::Duration;

use ::metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of durations, in seconds: from what the gateway takes itself to what LRS may take with a batch.
const BUCKETS: [f64; 12] = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];

/// The same for batches, which LRS may work at for days.
const BATCH_BUCKETS: [f64; 10] =
    [60.0, 300.0, 900.0, 3600.0, 4.0 * 3600.0, 12.0 * 3600.0, 86_400.0, 2.0 * 86_400.0, 4.0 * 86_400.0, 7.0 * 86_400.0];

const UPKEEP: Duration = Duration::from_secs(5);

const BUILD_INFO: &str = "lrs_gateway_build_info";
const REQUESTS: &str = "lrs_gateway_requests_total";
const REQUEST_DURATION: &str = "lrs_gateway_request_duration_seconds";
const REQUESTS_IN_FLIGHT: &str = "lrs_gateway_requests_in_flight";
const CALLS: &str = "lrs_gateway_lrs_calls_total";
const CALL_DURATION: &str = "lrs_gateway_lrs_call_duration_seconds";
const CALLS_IN_FLIGHT: &str = "lrs_gateway_lrs_calls_in_flight";
const QUEUE_LENGTH: &str = "lrs_gateway_lrs_queue_length";
const SERVICE_STATE: &str = "lrs_gateway_lrs_service_state";
const LIMITED: &str = "lrs_gateway_limited_total";
const LIMITS_SHARED: &str = "lrs_gateway_limits_shared";
const PARTS: &str = "lrs_gateway_batch_parts_total";
const BATCH_DURATION: &str = "lrs_gateway_batch_duration_seconds";
const UNFINISHED: &str = "lrs_gateway_batches_unfinished";
const BATCHES_DUE: &str = "lrs_gateway_batches_due";
const OLDEST_DUE: &str = "lrs_gateway_batch_oldest_due_seconds";
const CERTIFICATE_EXPIRY: &str = "lrs_gateway_certificate_expiry_timestamp_seconds";
const UNUSABLE: &str = "lrs_gateway_organisations_unusable";
const KEYS_AGE: &str = "lrs_gateway_issuer_keys_age_seconds";
const STORE_ERRORS: &str = "lrs_gateway_store_errors_total";
const AUDIT_WAITING: &str = "lrs_gateway_audit_waiting";

/// All that has been counted.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Begins to count, in the whole process.
    ///
    /// # Errors
    /// When somebody has begun already.
    pub fn begin() -> Result<Self, String> {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_duration_seconds".into()), &BUCKETS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Full(BATCH_DURATION.into()), &BATCH_BUCKETS));
        let handle = builder.and_then(PrometheusBuilder::install_recorder).map_err(|error| format!("metrics: {error}"))?;
        describe();
        gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        // What has not happened yet is there all the same, as far as its labels are known.
        counter!(STORE_ERRORS).absolute(0);
        gauge!(LIMITS_SHARED).set(1.0);
        gauge!(REQUESTS_IN_FLIGHT).set(0.0);
        gauge!(CALLS_IN_FLIGHT).set(0.0);
        for limit in ["organisation", "person", "searches"] {
            counter!(LIMITED, "limit" => limit).absolute(0);
        }
        Ok(Self(handle))
    }

    /// Sorts what was measured into its buckets now and then, for as long as this is awaited. Nobody may ever ask for it.
    pub async fn keep(self) {
        loop {
            tokio::time::sleep(UPKEEP).await;
            self.0.run_upkeep();
        }
    }

    /// Everything, in Prometheus's text format.
    pub fn text(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}

fn describe() {
    describe_gauge!(BUILD_INFO, "The version that runs.");
    describe_counter!(REQUESTS, "Requests, by operation and HTTP status.");
    describe_histogram!(REQUEST_DURATION, Unit::Seconds, "How long requests took.");
    describe_gauge!(REQUESTS_IN_FLIGHT, "Requests being worked on.");
    describe_counter!(CALLS, "Calls to LRS, by its operation and what became of them.");
    describe_histogram!(CALL_DURATION, Unit::Seconds, "How long calls to LRS took.");
    describe_gauge!(CALLS_IN_FLIGHT, "Calls to LRS being made.");
    describe_gauge!(QUEUE_LENGTH, "Calls that wait for their turn at LRS.");
    describe_gauge!(SERVICE_STATE, "How a service of LRS is: 0 available, 1 degraded, 2 maintenance, 3 unavailable.");
    describe_counter!(LIMITED, "Requests refused by a limit.");
    describe_gauge!(LIMITS_SHARED, "1 if limits are counted as configured, 0 if Redis is in trouble and every replica counts for itself.");
    describe_counter!(PARTS, "Parts of batches that got into a state, by kind of batch.");
    describe_histogram!(BATCH_DURATION, Unit::Seconds, "How long batches took, by how they ended.");
    describe_gauge!(UNFINISHED, "Batches that are not over.");
    describe_gauge!(BATCHES_DUE, "Batches that somebody should be working at now.");
    describe_gauge!(OLDEST_DUE, Unit::Seconds, "For how long the longest of them has waited.");
    describe_gauge!(CERTIFICATE_EXPIRY, Unit::Seconds, "When an organisation's client certificate ends, in seconds since 1970.");
    describe_gauge!(UNUSABLE, "Organisations' files that cannot be used as they are.");
    describe_gauge!(KEYS_AGE, Unit::Seconds, "How long ago an issuer's keys were fetched.");
    describe_counter!(STORE_ERRORS, "What was asked of Redis and failed.");
    describe_gauge!(AUDIT_WAITING, "Lines of the audit trail that wait to be written.");
}

/// A request has been answered.
pub fn request(operation: &str, status: u16, took: Duration) {
    counter!(REQUESTS, "operation" => operation.to_owned(), "status" => status.to_string()).increment(1);
    histogram!(REQUEST_DURATION, "operation" => operation.to_owned()).record(took.as_secs_f64());
}

/// A request is being worked on for as long as this lives.
#[derive(Debug)]
pub struct InFlight(&'static str);

impl InFlight {
    /// A request.
    pub fn request() -> Self {
        Self::of(REQUESTS_IN_FLIGHT)
    }

    /// A call to LRS.
    pub fn call() -> Self {
        Self::of(CALLS_IN_FLIGHT)
    }

    fn of(name: &'static str) -> Self {
        gauge!(name).increment(1.0);
        Self(name)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!(self.0).decrement(1.0);
    }
}

/// A call to LRS has ended.
pub fn call(operation: &'static str, outcome: &'static str, took: Duration) {
    counter!(CALLS, "operation" => operation, "outcome" => outcome).increment(1);
    histogram!(CALL_DURATION, "operation" => operation).record(took.as_secs_f64());
}

/// So many calls wait for their turn.
pub fn queue_length(length: usize) {
    gauge!(QUEUE_LENGTH).set(count(length));
}

/// A request was refused by this limit.
pub fn limited(limit: &'static str) {
    counter!(LIMITED, "limit" => limit).increment(1);
}

/// Are limits counted as they should be?
pub fn limits_shared(shared: bool) {
    gauge!(LIMITS_SHARED).set(if shared { 1.0 } else { 0.0 });
}

/// A part of a batch of this kind has got into this state.
pub fn part(kind: &'static str, state: &'static str) {
    counter!(PARTS, "kind" => kind, "state" => state).increment(1);
}

/// Redis did not do what it was asked to.
pub fn store_error() {
    counter!(STORE_ERRORS).increment(1);
}

/// A batch of this kind has ended like this, so long after it was accepted.
pub fn batch(kind: &'static str, status: &'static str, took: Duration) {
    histogram!(BATCH_DURATION, "kind" => kind, "status" => status).record(took.as_secs_f64());
}

/// So many batches are not over, so many of them are due, the first of these for so long.
pub fn backlog(unfinished: usize, due: usize, oldest: Duration) {
    gauge!(UNFINISHED).set(count(unfinished));
    gauge!(BATCHES_DUE).set(count(due));
    gauge!(OLDEST_DUE).set(oldest.as_secs_f64());
}

/// A service of LRS is so.
pub fn service_state(service: &'static str, state: u8) {
    gauge!(SERVICE_STATE, "service" => service).set(f64::from(state));
}

/// An organisation's certificate ends then. `None`: the organisation is gone, or has none.
pub fn certificate(organisation: &str, ends: Option<i64>) {
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
    let seconds = ends.map_or(f64::NAN, |ends| ends as f64);
    gauge!(CERTIFICATE_EXPIRY, "organisation" => organisation.to_owned()).set(seconds);
}

/// So many organisations' files cannot be used as they are.
pub fn unusable_organisations(files: usize) {
    gauge!(UNUSABLE).set(count(files));
}

/// An issuer's keys were fetched so long ago.
pub fn keys_age(issuer: &str, age: Duration) {
    gauge!(KEYS_AGE, "issuer" => issuer.to_owned()).set(age.as_secs_f64());
}

/// So many lines of the audit trail wait.
pub fn audit_waiting(lines: usize) {
    gauge!(AUDIT_WAITING).set(count(lines));
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
