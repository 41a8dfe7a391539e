//! The HTTP client of Java, as generated clients use it: over plain HTTP, it offers HTTP/2 with each request.

use std::path::Path;
use std::process::Command;

use crate::support::caller::token;
use crate::support::{SimulatedLrs, TestGateway};
use serde_json::json;

use super::{FIND, search};

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn java_client_that_offers_http_2_loses_no_call() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server/JavaClient.java");
    let url = format!("{}{FIND}", gateway.url());
    let run = Command::new("java").arg(program).args([&url, &token(json!({})), &search().to_string()]).output();
    let Ok(run) = run else {
        eprintln!("SKIPPED: java is not installed, so its client was not tested");
        return;
    };
    let (output, errors) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{output}{errors}");
    assert_eq!(output.trim(), "400 calls, 0 lost, protocol HTTP_1_1", "{errors}");
}
