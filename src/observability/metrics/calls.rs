//! Count, duration and number in progress of requests and of calls to LRS. The handles of their series are kept, because every request
//! changes them.

use std::sync::OnceLock;
use std::time::Duration;

use ::metrics::{Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::series_table::SeriesTable;

const REQUESTS: &str = "lrs_gateway_requests_total";
const REQUEST_DURATION: &str = "lrs_gateway_request_duration_seconds";
const REQUESTS_IN_FLIGHT: &str = "lrs_gateway_requests_in_flight";
const LRS_CALLS: &str = "lrs_gateway_lrs_calls_total";
const LRS_CALL_DURATION: &str = "lrs_gateway_lrs_call_duration_seconds";
const LRS_CALLS_IN_FLIGHT: &str = "lrs_gateway_lrs_calls_in_flight";

/// The gauges of [`InFlight`]. Empty until the recorder is installed: a handle that is created before it never records anything.
static IN_FLIGHT: OnceLock<InFlightGauges> = OnceLock::new();

struct InFlightGauges {
    requests: Gauge,
    lrs_calls: Gauge,
}

/// The series of calls with the same labels.
struct CallSeries {
    count: Counter,
    duration: Histogram,
}

thread_local! {
    /// The series of requests, by operation and status.
    static REQUEST_SERIES: SeriesTable<(&'static str, u16), CallSeries> = const { SeriesTable::new() };
    /// The series of calls to LRS, by operation, outcome and status.
    static LRS_CALL_SERIES: SeriesTable<[&'static str; 3], CallSeries> = const { SeriesTable::new() };
}

impl CallSeries {
    fn record(&self, duration: Duration) {
        self.count.increment(1);
        self.duration.record(duration.as_secs_f64());
    }
}

/// Describes the metrics, and creates the series without labels. Called when the recorder is installed.
pub(super) fn install() {
    describe_counter!(REQUESTS, "Requests, by operation and HTTP status.");
    describe_histogram!(REQUEST_DURATION, Unit::Seconds, "Duration of requests.");
    describe_gauge!(REQUESTS_IN_FLIGHT, "Requests in progress.");
    describe_counter!(LRS_CALLS, "Calls to LRS, by LRS operation, outcome and HTTP status.");
    describe_histogram!(LRS_CALL_DURATION, Unit::Seconds, "Duration of calls to LRS.");
    describe_gauge!(LRS_CALLS_IN_FLIGHT, "Calls to LRS in progress.");
    let gauges = IN_FLIGHT.get_or_init(|| InFlightGauges { requests: gauge!(REQUESTS_IN_FLIGHT), lrs_calls: gauge!(LRS_CALLS_IN_FLIGHT) });
    gauges.requests.set(0.0);
    gauges.lrs_calls.set(0.0);
}

fn is_installed() -> bool {
    IN_FLIGHT.get().is_some()
}

/// Records an answered request and its duration.
pub fn record_request(operation: &'static str, status: u16, duration: Duration) {
    if is_installed() {
        let create = || CallSeries {
            count: counter!(REQUESTS, "operation" => operation, "status" => status.to_string()),
            duration: histogram!(REQUEST_DURATION, "operation" => operation),
        };
        REQUEST_SERIES.with(|table| table.record((operation, status), create, |series| series.record(duration)));
    }
}

/// Records a finished call to LRS, the HTTP status of its response if there is one, and its duration.
pub fn record_lrs_call(operation: &'static str, outcome: &'static str, status: Option<u16>, duration: Duration) {
    if is_installed() {
        let status = status_label(status);
        let create = || CallSeries {
            count: counter!(LRS_CALLS, "operation" => operation, "outcome" => outcome, "status" => status),
            duration: histogram!(LRS_CALL_DURATION, "operation" => operation),
        };
        LRS_CALL_SERIES.with(|table| table.record([operation, outcome, status], create, |series| series.record(duration)));
    }
}

/// Returns the label of an HTTP status: the status itself if it is one that LRS or a server in front of it is known to send. Others share a
/// label, so that no server can create any number of series.
const fn status_label(status: Option<u16>) -> &'static str {
    match status {
        None => "none",
        Some(200) => "200",
        Some(301) => "301",
        Some(302) => "302",
        Some(303) => "303",
        Some(307) => "307",
        Some(308) => "308",
        Some(400) => "400",
        Some(401) => "401",
        Some(403) => "403",
        Some(404) => "404",
        Some(405) => "405",
        Some(407) => "407",
        Some(408) => "408",
        Some(429) => "429",
        Some(500) => "500",
        Some(502) => "502",
        Some(503) => "503",
        Some(504) => "504",
        Some(_) => "other",
    }
}

/// Guard that counts a request or a call to LRS as in progress until it is dropped.
#[derive(Debug)]
pub struct InFlight(Option<&'static Gauge>);

impl InFlight {
    /// Counts a request.
    pub fn request() -> Self {
        Self::new(|gauges| &gauges.requests)
    }

    /// Counts a call to LRS.
    pub fn call() -> Self {
        Self::new(|gauges| &gauges.lrs_calls)
    }

    fn new(select: impl FnOnce(&InFlightGauges) -> &Gauge) -> Self {
        let gauge = IN_FLIGHT.get().map(select);
        if let Some(gauge) = gauge {
            gauge.increment(1.0);
        }
        Self(gauge)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(gauge) = self.0 {
            gauge.decrement(1.0);
        }
    }
}
