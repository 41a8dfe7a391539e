//! The caller's `X-Request-Id` and `traceparent`: answered and logged. The gateway's own id stays unique.

use serde_json::Value;

use super::UNREACHABLE_LRS;
use crate::support::program::{ConfigDirectory, ServingProgram};

const TRACE_PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn request_id_and_trace_of_the_caller_are_answered_and_logged() {
    let mut gateway = ServingProgram::start(&ConfigDirectory::new(UNREACHABLE_LRS));
    let http = crate::support::http_client_builder().build().expect("a client");
    let mut request = async |id: &str, trace_parent: &str| {
        let request = http.get(format!("{}/v1/organisation", gateway.api)).header("X-Request-Id", id).header("Traceparent", trace_parent);
        let response = request.send().await.expect("an answer");
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().expect("ASCII").to_owned());
        let (answered_id, answered_trace, own_id) =
            (header("x-request-id").expect("an id"), header("traceparent"), header("gateway-request-id"));
        let problem: Value = response.json().await.expect("JSON");
        assert_eq!(problem["requestId"].as_str(), own_id.as_deref());
        (answered_id, answered_trace, own_id.expect("an id"), gateway.program.wait_for_log("request"))
    };

    let mut own_ids = Vec::new();
    for _ in 0..2 {
        let (answered_id, answered_trace, own_id, log) = request("mis-42/7", TRACE_PARENT).await;
        assert_eq!((answered_id.as_str(), answered_trace.as_deref()), ("mis-42/7", Some(TRACE_PARENT)));
        assert_eq!(
            (&log["span"]["client_request_id"], &log["span"]["request_id"]),
            (&Value::from("mis-42/7"), &Value::from(own_id.as_str()))
        );
        assert_eq!(log["span"]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
        own_ids.push(own_id);
    }
    assert_ne!(own_ids[0], own_ids[1]);

    let (answered_id, answered_trace, own_id, log) = request("a id that has spaces", "nonsense").await;
    assert_eq!((&answered_id, answered_trace), (&own_id, None), "an invalid id is replaced");
    assert!(log["span"].get("client_request_id").is_none() && log["span"].get("trace_id").is_none(), "{log}");
}
