//! Traces: what a caller has begun is continued, LRS is told, and a collector gets it.

use crate::support::FakeServer;
use crate::support::fake_server::http;
use crate::support::program::{ConfigDirectory, ServingProgram, caller_of};
use crate::support::scripted_lrs::{ANSWER, search};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn a_trace_goes_through_the_gateway_to_lrs_and_to_the_collector() {
    let collector = FakeServer::with_response(http(200, "application/x-protobuf", b""));
    let lrs = FakeServer::with_response(http(200, "text/xml; charset=utf-8", ANSWER.as_bytes()));
    let setup = ConfigDirectory::new(&lrs.url());
    let ServingProgram { mut program, api, .. } = ServingProgram::with(&setup, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())]);
    let caller = caller_of(&api, "10088881");
    caller.post("/v1/learners/find-by-uln", &search()).await.expect_success();
    caller.with_header("traceparent", PARENT).post("/v1/learners/find-by-uln", &search()).await.expect_success();

    let sent = lrs.received();
    let [own, continued] = [&sent[0], &sent[1]].map(|request| request.header("traceparent").to_owned());
    assert!(own.starts_with("00-") && !own.contains(TRACE), "one of its own: {own}");
    assert!(continued.starts_with(&format!("00-{TRACE}-")) && continued != PARENT, "the caller's, with a span of the gateway: {continued}");
    let logged = program.wait_for("request");
    assert_eq!(logged["span"]["trace_id"].as_str().map(str::len), Some(32), "{logged}");
    let logged = program.wait_for("request");
    assert_eq!(logged["span"]["trace_id"], TRACE, "{logged}");
    program.terminate();
    let (ended_well, log) = program.end();
    assert!(ended_well, "{log}");

    let exported = collector.received();
    assert!(!exported.is_empty(), "what is left is sent at the end");
    let text: String = exported.iter().map(|request| request.body.as_str()).collect();
    for told in ["lrs-gateway", "POST /v1/learners/find-by-uln", "http.route", "learnerByULN", "lrs.outcome", "ANSWERED"] {
        assert!(text.contains(told), "{told}");
    }
    assert!(exported.iter().all(|request| request.head.starts_with("POST /v1/traces ")));
    for private in ["3000000126", "Quillfeather", "Zebedee", "demo-password-01", "j.bloggs"] {
        assert!(!text.contains(private), "{private}");
    }
}

#[tokio::test]
async fn what_fails_is_marked_as_failed() {
    let collector = FakeServer::with_response(http(200, "application/x-protobuf", b""));
    let lrs = FakeServer::with_response(http(200, "text/xml; charset=utf-8", b"nonsense"));
    let setup = ConfigDirectory::new(&lrs.url());
    let ServingProgram { mut program, api, .. } = ServingProgram::with(&setup, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())]);
    caller_of(&api, "10088881").post("/v1/learners/find-by-uln", &search()).await.problem(502, "lrs_bad_response");
    program.wait_for("request");
    program.terminate();
    program.end();
    let text: String = collector.received().iter().map(|request| request.body.as_str()).collect();
    assert_eq!(text.matches("error.type").count(), 2, "the request and the call");
    assert!(text.contains("BAD_RESPONSE") && text.contains("502"));
}

#[tokio::test]
async fn a_collector_that_is_away_disturbs_nobody() {
    let lrs = FakeServer::with_response(http(200, "text/xml; charset=utf-8", ANSWER.as_bytes()));
    let setup = ConfigDirectory::new(&lrs.url());
    let ServingProgram { program, api, .. } = ServingProgram::with(&setup, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")]);
    caller_of(&api, "10088881").post("/v1/learners/find-by-uln", &search()).await.expect_success();
    program.terminate();
    let (ended_well, log) = program.end();
    assert!(ended_well, "{log}");
}
