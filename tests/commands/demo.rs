use std::time::Duration;

use serde_json::Value;

use super::{FIND, search};
use crate::support::Caller;
use crate::support::program::TestProgram;

/// Burst of the default rate limit of a person.
const PERSON_BURST: usize = 40;
/// Maximum time until the demonstration prints its address.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Starts `demo` on any free port. Returns the process and its token file.
fn start_demo(options: &[&str]) -> (TestProgram, Value) {
    let directory = tempfile::tempdir().expect("a directory");
    let token_file = directory.path().join("access.json").display().to_string();
    let arguments = [&["demo", "--listen", "127.0.0.1:0", "--token-file", &token_file], options].concat();
    let demo = TestProgram::start(&arguments, &[]);
    let first_line = demo.output.recv_timeout(START_TIMEOUT).expect("the demonstration starts");
    let access: Value = serde_json::from_slice(&std::fs::read(&token_file).expect("the file is written")).expect("JSON");
    assert!(first_line.contains(&format!("gateway at {}, simulated LRS at {}.", text(&access, "gateway"), text(&access, "lrs"))));
    (demo, access)
}

fn text<'a>(access: &'a Value, name: &str) -> &'a str {
    access[name].as_str().unwrap_or_else(|| panic!("{name}: {access}"))
}

#[tokio::test]
async fn demo_token_file_has_addresses_and_tokens_with_which_gateway_and_simulator_can_be_used() {
    let (_demo, access) = start_demo(&[]);
    let caller = |token: &str| Caller::new(text(&access, "gateway").to_owned()).with_token(text(&access, token));
    assert_eq!(caller("learningProvider").request("GET", "/v1/organisation").await.expect_success()["ukprn"], "10088881");
    assert_eq!(caller("awardingOrganisation").request("GET", "/v1/organisation").await.expect_success()["ukprn"], "10088882");

    let scenario = r#"{"steps": [{"fault": "soap_fault", "code": "WSEC0001"}]}"#;
    let scenario_url = format!("{}/scenario", text(&access, "lrsControl"));
    let answer = reqwest::Client::new().put(&scenario_url).body(scenario).send().await.expect("the simulator answers");
    assert!(answer.status().is_success(), "{answer:?}");
    assert!(caller("learningProvider").post(FIND, &search()).await.status >= 500, "the scenario applies to the gateway's calls");
    reqwest::Client::new().delete(&scenario_url).send().await.expect("the simulator answers");
    assert_eq!(caller("learningProvider").post(FIND, &search()).await.expect_success()["outcome"], "EXACT_MATCH");

    let services = reqwest::get(format!("{}/LearnerService.svc", text(&access, "lrs"))).await.expect("the simulator answers");
    assert!(!services.status().is_server_error(), "{services:?}");
}

#[tokio::test]
async fn demo_has_rate_limits_unless_it_is_unlimited() {
    for (options, expected) in [(&[][..], 429), (&["--unlimited"][..], 200)] {
        let (_demo, access) = start_demo(options);
        let caller = Caller::new(text(&access, "gateway").to_owned()).with_token(text(&access, "learningProvider"));
        let requests = (0..2 * PERSON_BURST).map(|_| caller.request("GET", "/v1/organisation"));
        let answers = futures_util::future::join_all(requests).await;
        assert!(answers.iter().all(|answer| [200, expected].contains(&answer.status)), "{answers:?}");
        assert_eq!(answers.iter().any(|answer| answer.status == 429), expected == 429, "{options:?}");
    }
}
