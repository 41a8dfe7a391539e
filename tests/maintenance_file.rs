//! The file of maintenance windows: a change takes effect while the gateway runs, for single calls, the status and batches. An error changes
//! nothing.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::SimulatedLrs;
use crate::support::batches::{full_registration, learners, submit};
use crate::support::caller::{Answer, Caller};
use crate::support::program::{ConfigDirectory, ServingProgram, caller_of, run, stderr};

const FIND: &str = "/v1/learners/find-by-uln";
const NOTE: &str = "Quarterly maintenance";
const FILE_ERROR: &str = "maintenance file cannot be used: maintenance windows unchanged";

/// A window that lasts for another hour, as TOML.
fn current_window() -> String {
    let now = Timestamp::now();
    let (starts_at, ends_at) = (now - SignedDuration::from_mins(1), now + SignedDuration::from_hours(1));
    format!("[[maintenance]]\nstarts_at = \"{starts_at}\"\nends_at = \"{ends_at}\"\nnote = \"{NOTE}\"\n")
}

/// Returns a configuration with this content of the file of maintenance windows.
fn configuration(lrs: &SimulatedLrs, windows: &str) -> ConfigDirectory {
    let directory = ConfigDirectory::new(&lrs.url());
    directory.add_lrs_settings("maintenance_file = \"windows.toml\"");
    directory.write("windows.toml", windows);
    // The test reads the state of a batch many times.
    let limits = ["organisation", "person", "searches"].map(|limit| format!("{limit}_per_minute = 1000000\n{limit}_burst = 100000\n"));
    // A part that waits for the end of a window is looked at again after this interval, because announcements can change.
    let batches = "[batches]\ninitial_poll_interval_seconds = 1\nmax_poll_interval_seconds = 1\n";
    directory.configure(|config| format!("{config}\n[limits]\n{}{batches}", limits.concat()));
    let organisation = "organisations/10088881.toml";
    let text = std::fs::read_to_string(directory.path(organisation)).expect("the file exists");
    directory.write(organisation, &text.replace("[\"uln-management\"]", "[\"uln-management\", \"registration-batches\"]"));
    directory
}

/// Replaces the file at once, so that the gateway cannot read half of it.
fn replace_windows(directory: &ConfigDirectory, windows: &str) {
    directory.write("windows.new", windows);
    std::fs::rename(directory.path("windows.new"), directory.path("windows.toml")).expect("the file is replaced");
}

async fn find(caller: &Caller) -> Answer {
    caller.post(FIND, &json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})).await
}

/// Calls until the answer has this status.
async fn wait_for_status(caller: &Caller, status: u16) -> Answer {
    let started_at = Instant::now();
    loop {
        let answer = find(caller).await;
        if answer.status == status {
            return answer;
        }
        assert!(started_at.elapsed() < Duration::from_secs(20), "the change takes too long: {}", answer.text);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Returns a timestamp of an answer.
fn timestamp(object: &Value, name: &str) -> Timestamp {
    object[name].as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{name} is not a timestamp: {object}"))
}

async fn lrs_status(caller: &Caller) -> Value {
    caller.request("GET", "/v1/lrs/status").await.expect_success()
}

#[tokio::test]
async fn maintenance_file_changed_takes_effect_for_calls_status_and_batches_and_an_error_changes_nothing() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let directory = configuration(&lrs, "");
    let mut serving = ServingProgram::start(&directory);
    let caller = caller_of(&serving.api, "10088881");
    find(&caller).await.expect_success();

    replace_windows(&directory, &current_window());
    assert_eq!(serving.program.wait_for_log("maintenance windows changed")["windows"], 1);
    find(&caller).await.problem(503, "lrs_maintenance");
    let status = lrs_status(&caller).await;
    assert_eq!((&status["status"], &status["services"][0]["note"]), (&json!("MAINTENANCE"), &json!(NOTE)), "{status}");
    let batch = submit(&caller, "registration-batches", &full_registration(&learners(1))).await;
    let waiting = batch.wait_for_state("a reason", |state| state["parts"][0].get("reason").is_some()).await;
    assert_eq!(waiting["parts"][0]["reason"], "LRS_MAINTENANCE", "{waiting}");
    let lifetime = timestamp(&waiting, "expiresAt").duration_since(timestamp(&waiting, "createdAt"));
    assert!(lifetime > SignedDuration::from_hours(10 * 24) + SignedDuration::from_mins(50), "the window extends the lifetime: {waiting}");

    replace_windows(&directory, "[[maintenance]]\nstarts_at = \"tomorrow\"\n");
    let event = serving.program.wait_for_log(FILE_ERROR);
    assert!(event["error"].as_str().is_some_and(|error| error.contains("maintenance.0.starts_at")), "{event}");
    find(&caller).await.problem(503, "lrs_maintenance");

    replace_windows(&directory, "");
    wait_for_status(&caller, 200).await;
    assert_eq!(lrs_status(&caller).await["status"], "AVAILABLE");
    batch.wait_for_status("COMPLETE").await;
}

#[tokio::test]
async fn maintenance_file_adds_its_windows_to_those_of_the_configuration() {
    let lrs = SimulatedLrs::start();
    let directory = configuration(&lrs, "");
    directory.add_lrs_settings(&current_window().replace("[[maintenance]]", "[[lrs.maintenance]]"));
    let mut serving = ServingProgram::start(&directory);
    let caller = caller_of(&serving.api, "10088881");
    find(&caller).await.problem(503, "lrs_maintenance");
    replace_windows(&directory, "# no window\n");
    assert_eq!(serving.program.wait_for_log("maintenance windows changed")["windows"], 0);
    find(&caller).await.problem(503, "lrs_maintenance");
}

#[test]
fn maintenance_file_with_an_error_stops_the_start_and_is_reported_by_check_config() {
    let lrs = SimulatedLrs::start();
    let reversed = "[[maintenance]]\nstarts_at = \"2026-12-27T08:00:00\"\nends_at = \"2026-12-24T18:00:00\"\n";
    for (windows, error) in [
        ("[[maintenance]\n", "windows.toml: not well-formed TOML"),
        ("[[maintenance]]\nstarts_at = \"2026-12-24T18:00:00\"\n", "windows.toml: maintenance.0.ends_at: "),
        ("[[windows]]\n", "windows.toml: windows: unknown field"),
        (reversed, "windows.toml: maintenance.0.ends_at: must be after starts_at"),
    ] {
        let directory = configuration(&lrs, windows);
        for command in ["check-config", "serve"] {
            let output = run(&[command, "--config", &directory.config_path()]);
            let errors = stderr(&output);
            assert!(!output.status.success() && errors.contains("lrs.maintenance_file: ") && errors.contains(error), "{windows}: {errors}");
        }
    }
    let directory = configuration(&lrs, "");
    std::fs::remove_file(directory.path("windows.toml")).expect("the file is removed");
    let errors = stderr(&run(&["check-config", "--config", &directory.config_path()]));
    assert!(errors.contains("windows.toml: cannot be read"), "{errors}");
}
