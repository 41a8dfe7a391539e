//! Traces: the gateway continues the caller's trace, sends it to LRS, and exports it to a collector.

use crate::support::FakeServer;
use crate::support::fake_server::http;
use crate::support::program::{ConfigDirectory, ServingProgram, TestProgram, caller_of};
use crate::support::scripted_lrs::{RESPONSE, search};

const UKPRN: &str = "10088881";
const FIND: &str = "/v1/learners/find-by-uln";
const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Starts a collector of traces.
fn start_collector() -> FakeServer {
    FakeServer::with_response(http(200, "application/x-protobuf", b""))
}

/// Starts an LRS that responds to every request with this document.
fn start_lrs(document: &str) -> FakeServer {
    FakeServer::with_response(http(200, "text/xml; charset=utf-8", document.as_bytes()))
}

/// Starts a gateway that exports its traces to a collector.
fn start_gateway(lrs: &FakeServer, collector_url: &str) -> ServingProgram {
    ServingProgram::with(&ConfigDirectory::new(&lrs.url()), &[("OTEL_EXPORTER_OTLP_ENDPOINT", collector_url)])
}

/// Stops the gateway, which exports its last traces first.
fn stop(program: TestProgram) {
    program.terminate();
    let (is_success, log) = program.wait_for_exit();
    assert!(is_success, "{log}");
}

/// Returns everything that was exported, as text.
fn exported_text(collector: &FakeServer) -> String {
    collector.received().iter().map(|request| request.body.as_str()).collect()
}

#[tokio::test]
async fn trace_of_caller_is_sent_to_lrs_logged_and_exported_without_personal_data() {
    let (collector, lrs) = (start_collector(), start_lrs(RESPONSE));
    let ServingProgram { mut program, api, .. } = start_gateway(&lrs, &collector.url());
    let caller = caller_of(&api, UKPRN);
    caller.post(FIND, &search()).await.expect_success();
    caller.with_header("traceparent", TRACEPARENT).post(FIND, &search()).await.expect_success();

    let requests = lrs.received();
    let [new_trace, continued_trace] = [&requests[0], &requests[1]].map(|request| request.header("traceparent").to_owned());
    assert!(new_trace.starts_with("00-") && !new_trace.contains(TRACE_ID), "a new trace: {new_trace}");
    assert!(
        continued_trace.starts_with(&format!("00-{TRACE_ID}-")) && continued_trace != TRACEPARENT,
        "the caller's trace, with a span of the gateway: {continued_trace}"
    );
    let event = program.wait_for_log("request");
    assert_eq!(event["span"]["trace_id"].as_str().map(str::len), Some(32), "{event}");
    let event = program.wait_for_log("request");
    assert_eq!(event["span"]["trace_id"], TRACE_ID, "{event}");

    stop(program);
    let exports = collector.received();
    assert!(!exports.is_empty(), "the last traces are exported before the exit");
    assert!(exports.iter().all(|request| request.head.starts_with("POST /v1/traces ")));
    let text = exported_text(&collector);
    for expected in ["lrs-gateway", "POST /v1/learners/find-by-uln", "http.route", "learnerByULN", "lrs.outcome", "ANSWERED"] {
        assert!(text.contains(expected), "{expected}");
    }
    for private in ["3000000126", "Quillfeather", "Zebedee", "demo-password-01", "j.bloggs"] {
        assert!(!text.contains(private), "{private}");
    }
}

#[tokio::test]
async fn trace_of_failed_call_is_marked_as_error() {
    let (collector, lrs) = (start_collector(), start_lrs("nonsense"));
    let ServingProgram { mut program, api, .. } = start_gateway(&lrs, &collector.url());
    caller_of(&api, UKPRN).post(FIND, &search()).await.problem(502, "lrs_bad_response");
    program.wait_for_log("request");
    stop(program);
    let text = exported_text(&collector);
    assert_eq!(text.matches("error.type").count(), 2, "the spans of the request and of the call");
    assert!(text.contains("BAD_RESPONSE") && text.contains("502"));
}

#[tokio::test]
async fn trace_collector_unreachable_does_not_affect_calls_or_shutdown() {
    let lrs = start_lrs(RESPONSE);
    let ServingProgram { program, api, .. } = start_gateway(&lrs, "http://127.0.0.1:1");
    caller_of(&api, UKPRN).post(FIND, &search()).await.expect_success();
    stop(program);
}
