use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::{FIND, search};
use crate::support::Caller;
use crate::support::program::{TestProgram, run, stderr};

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

/// Loads the variables of a file in a shell, and returns what a script then prints.
fn run_with_variables(env_file: &Path, script: &str) -> String {
    let output = Command::new("sh").args(["-euc", &format!(". \"$0\"; {script}")]).arg(env_file).output().expect("a shell");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test]
async fn demo_env_file_has_the_content_of_the_token_file_as_shell_variables() {
    let directory = tempfile::tempdir().expect("a directory");
    // A name that a shell would split and expand.
    let env_file = directory.path().join("it's $HOME.env");
    let (demo, access) = start_demo(&["--env-file", &env_file.display().to_string()]);
    for (variable, field) in [
        ("GATEWAY", "gateway"),
        ("TOKEN", "learningProvider"),
        ("AWARDING_TOKEN", "awardingOrganisation"),
        ("SIMULATOR", "lrs"),
        ("CONTROL", "lrsControl"),
    ] {
        assert_eq!(run_with_variables(&env_file, &format!("printf %s \"${variable}\"")), text(&access, field));
    }

    // The command that the demonstration prints loads the file.
    let load = demo.output.iter().find_map(|line| line.split_once("variables of another shell:  ").map(|(_, command)| command.to_owned()));
    let script = format!("{}; printf %s \"$GATEWAY\"", load.expect("the command is printed"));
    let output = Command::new("sh").args(["-euc", &script]).output().expect("a shell");
    assert_eq!(String::from_utf8(output.stdout).expect("text"), text(&access, "gateway"));
}

#[cfg(unix)]
#[test]
fn demo_files_that_others_could_read_are_restricted_to_their_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().expect("a directory");
    for name in ["existing.env", "new.env"] {
        let env_file = directory.path().join(name);
        if name == "existing.env" {
            std::fs::write(&env_file, "TOKEN='of an earlier demonstration, longer than the new content'\n".repeat(50)).expect("a file");
            std::fs::set_permissions(&env_file, std::fs::Permissions::from_mode(0o644)).expect("permissions");
        }
        let (_demo, access) = start_demo(&["--env-file", &env_file.display().to_string()]);
        assert_eq!(std::fs::metadata(&env_file).expect("the file").permissions().mode() & 0o777, 0o600, "{name}");
        assert_eq!(run_with_variables(&env_file, "printf %s \"$TOKEN\""), text(&access, "learningProvider"));
    }
}

#[test]
fn demo_env_file_that_cannot_be_written_is_an_error_with_its_path() {
    let output = run(&["demo", "--listen", "127.0.0.1:0", "--env-file", "/does/not/exist/demo.env"]);
    assert!(!output.status.success() && stderr(&output).contains("/does/not/exist/demo.env: "), "{}", stderr(&output));
}

#[test]
fn demo_address_in_use_is_an_error_that_names_the_option() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = other.local_addr().expect("an address").to_string();
    let output = run(&["demo", "--listen", &address]);
    let error = stderr(&output);
    assert!(!output.status.success() && error.contains(&address) && error.contains("--listen"), "{error}");
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
