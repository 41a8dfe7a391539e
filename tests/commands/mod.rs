//! The commands of the program, as operators run them: `serve` and `simulate` here, the others in the submodules.

mod check_config;
mod demo;
mod live;
mod openapi;
mod product_check;
mod token;

use std::path::Path;

use serde_json::{Value, json};

use crate::support::Caller;
use crate::support::program::{ConfigDirectory, ServingProgram, TestProgram, run, stderr};

const FIND: &str = "/v1/learners/find-by-uln";
/// An LRS to which the tests do not connect.
const NO_LRS: &str = "http://127.0.0.1:1";

/// A search for a learner of the simulator.
fn search() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

/// Starts `simulate`. Returns the process and its URL.
fn start_simulator() -> (TestProgram, String) {
    let mut simulator = TestProgram::start(&["simulate", "--listen", "127.0.0.1:0"], &[]);
    let url = simulator.wait_for_log("simulating LRS")["address"].as_str().expect("an address").to_owned();
    (simulator, url)
}

/// Runs `token` for the organisation of this configuration. Returns the token.
fn development_token(directory: &ConfigDirectory, scopes: &[&str]) -> String {
    let config = directory.config_path();
    let arguments = ["token", "--config", &config, "--organisation", "10088881", "--user", "j.bloggs"];
    let scopes = scopes.iter().flat_map(|scope| ["--scope", scope]);
    let output = run(&arguments.into_iter().chain(scopes).collect::<Vec<_>>());
    assert!(output.status.success(), "{}", stderr(&output));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

#[tokio::test]
async fn serve_with_simulator_and_development_token_finds_a_learner() {
    let (_simulator, lrs_url) = start_simulator();
    let directory = ConfigDirectory::new(NO_LRS);
    let gateway = ServingProgram::with(&directory, &[("LRS_GATEWAY__LRS__BASE_URL", &lrs_url)]);
    let token = development_token(&directory, &["learners:read"]);
    let caller = Caller::new(gateway.api).with_token(&token);
    assert_eq!(caller.post(FIND, &search()).await.expect_success()["outcome"], "EXACT_MATCH");
}

#[tokio::test]
async fn serve_admin_address_has_health_but_not_the_api() {
    let directory = ConfigDirectory::new(NO_LRS);
    let gateway = ServingProgram::start(&directory);
    let admin = Caller::new(gateway.admin.clone());
    assert_eq!(admin.request("GET", "/health/ready").await.expect_success(), json!({"status": "READY"}));
    admin.post(FIND, &search()).await.problem(404, "not_found");
}

#[tokio::test]
async fn serve_over_tls_with_unusable_organisation_serves_the_others() {
    let (_simulator, lrs_url) = start_simulator();
    let directory = ConfigDirectory::new(&lrs_url);
    let unusable = "ukprn = \"10088882\"\nname = \"B\"\nproducts = []\npassword_file = \"missing\"\n";
    directory.write("organisations/10088882.toml", unusable);
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    directory.write("server.pem", &certified.cert.pem());
    directory.write("server.key", &certified.signing_key.serialize_pem());
    let tls = "workers = 1\ntls = { certificate_file = \"server.pem\", key_file = \"server.key\" }";
    directory.configure(|config| config.replace("workers = 1", tls));

    let check = run(&["check-config", "--config", &directory.config_path()]);
    assert!(!check.status.success() && stderr(&check).contains("10088882.toml: password_file"), "{}", stderr(&check));

    let mut gateway = TestProgram::start(&["serve", "--config", &directory.config_path()], &[]);
    let event = gateway.wait_for_log("organisation file cannot be used: organisation not loaded, or unchanged");
    assert!(event["error"].as_str().is_some_and(|text| text.contains("10088882.toml")), "{event}");
    let url = format!("https://{}", gateway.wait_for_log("serving")["api"].as_str().expect("an address"));
    let caller = Caller::new(url).trusting(Path::new(&directory.path("server.pem")));
    let caller = caller.with_token(&development_token(&directory, &[]));
    assert_eq!(caller.post(FIND, &search()).await.expect_success()["outcome"], "EXACT_MATCH");
}

#[test]
fn serve_with_invalid_log_level_still_logs() {
    for level in ["", "inof", "lrs_gateway::batches=debug", "a=b=c"] {
        // The start waits for the log line "serving".
        ServingProgram::with(&ConfigDirectory::new(NO_LRS), &[("RUST_LOG", level)]);
    }
}

#[test]
fn simulate_with_invalid_settings_does_not_start() {
    let directory = ConfigDirectory::new(NO_LRS);
    let learner = |uln: &str, settings: &str| {
        format!(
            "[[learners]]\nuln = \"{uln}\"\ngiven_name = \"A\"\nfamily_name = \"B\"\ndate_of_birth = \"2003-04-05\"\ngender = \"MALE\"\nlast_known_post_code = \"ZZ1 1AA\"\n{settings}"
        )
    };
    for (file, error) in [
        (learner("3000000258", "merged_into = \"4444599390\"\n"), "merged_into of learner 1 is not the ULN of a learner"),
        (learner("3000000126", ""), "two learners have the same ULN"),
        ("[[organisations]]\nukprn = \"10012345\"\npassword = \"short\"\nproducts = []\n".to_owned(), "exactly 16 characters"),
        ("colour = 1\n".to_owned(), "unknown field"),
    ] {
        directory.write("simulator.toml", &file);
        let output = run(&["simulate", "--config", &directory.path("simulator.toml").display().to_string(), "--listen", "127.0.0.1:0"]);
        assert!(!output.status.success() && stderr(&output).contains(error), "{error}: {}", stderr(&output));
    }
}
