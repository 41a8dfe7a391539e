//! Paths and methods: which requests reach an operation, and what the others get.

use serde_json::Value;

use crate::support::TestGateway;
use crate::support::caller::Caller;

const BATCH: &str = "/v1/registration-batches/018f0000-0000-7000-8000-000000000000";

async fn answer(caller: &Caller, method: &str, path: &str) -> (u16, String, String) {
    let answer = caller.request(method, path).await;
    let problem: Value = serde_json::from_str(&answer.text).unwrap_or_default();
    (answer.status, problem["code"].as_str().unwrap_or_default().to_owned(), answer.header("allow").to_owned())
}

#[tokio::test]
async fn route_with_parameters_is_found_or_refused_as_one_without() {
    let gateway = TestGateway::to("http://127.0.0.1:9");
    let caller = gateway.caller();
    for (method, path, status, code, allow) in [
        ("GET", BATCH, 404, "batch_not_found", ""),
        ("DELETE", BATCH, 404, "batch_not_found", ""),
        ("GET", &format!("{BATCH}/results"), 404, "batch_not_found", ""),
        ("POST", &format!("{BATCH}/parts/0/discard"), 404, "not_found", ""),
        ("GET", &format!("{BATCH}/results.ndjson"), 404, "batch_not_found", ""),
        ("GET", &format!("{BATCH}/results.csv"), 404, "batch_not_found", ""),
        ("GET", &format!("{BATCH}/results.xml"), 404, "not_found", ""),
        ("GET", &format!("{BATCH}/resultsxcsv"), 404, "not_found", ""),
        ("POST", &format!("{BATCH}/parts/1/discard"), 404, "batch_not_found", ""),
        // Also the path of an operation with another method is the path of a batch.
        ("GET", "/v1/registration-batches/track", 404, "batch_not_found", ""),
        ("POST", BATCH, 405, "method_not_allowed", "DELETE, GET, HEAD"),
        ("DELETE", &format!("{BATCH}/results"), 405, "method_not_allowed", "GET, HEAD"),
        ("POST", &format!("{BATCH}/results.csv"), 405, "method_not_allowed", "GET, HEAD"),
        ("PUT", "/v1/registration-batches", 405, "method_not_allowed", "GET, HEAD, POST"),
        ("GET", "/v1/learners/find-by-uln", 405, "method_not_allowed", "POST"),
        ("GET", &format!("{BATCH}/other"), 404, "not_found", ""),
        ("GET", &format!("{BATCH}/results/1"), 404, "not_found", ""),
        ("GET", "/v1/registration-batches/", 404, "not_found", ""),
        ("GET", "/v1/registration-batchesx/1", 404, "not_found", ""),
        ("GET", "/v1", 404, "not_found", ""),
    ] {
        let expected = (status, code.to_owned(), allow.to_owned());
        assert_eq!(answer(&caller, method, path).await, expected, "{method} {path}");
    }
}
