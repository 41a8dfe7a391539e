//! Scenario files: faults that are active from the start of the simulator.

use std::path::Path;

use lrs_gateway::file_watch;
use lrs_gateway::schema::CodeList as _;
use lrs_gateway::schema::toml::from_content;
use lrs_gateway::simulator::{Fault, Scenario, SimulatorSettings};

use super::FaultyLrs;
use crate::support::program;

/// Writes a scenario file and settings that name it, and loads the settings.
fn settings_with_scenario(directory: &Path, scenario: &str) -> SimulatorSettings {
    std::fs::write(directory.join("scenario.toml"), scenario).expect("the scenario is written");
    let file = directory.join("simulator.toml");
    std::fs::write(&file, "scenario_file = \"scenario.toml\"\n").expect("the settings are written");
    SimulatorSettings::load(&file).expect("valid settings")
}

#[tokio::test]
async fn scenario_file_is_active_from_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let scenario = "[[steps]]\nfault = \"unavailable\"\ncount = 1\n\n[[steps]]\nfault = \"out_of_hours\"\ncount = 1\n";

    let faulty_lrs = FaultyLrs::with(&settings_with_scenario(directory.path(), scenario));

    for status in [503, 500] {
        assert_eq!(faulty_lrs.find_by_uln().await.expect("a response").status, status);
    }
    assert!(faulty_lrs.responds_without_fault().await);
}

/// Starts the simulator as a program that must fail, and returns its standard error.
fn stderr_of_failed_start(directory: &Path) -> String {
    let settings_file = directory.join("simulator.toml").display().to_string();
    let output = program::run(&["simulate", "--config", &settings_file, "--listen", "127.0.0.1:0"]);
    assert!(!output.status.success());
    program::stderr(&output)
}

#[test]
fn scenario_file_with_errors_fails_start_and_reports_all_errors() {
    let directory = tempfile::tempdir().expect("a directory");
    let scenario = "[[steps]]\nfault = \"latency\"\n\n[[steps]]\nfault = \"refuse\"\npercent = 0\n";
    settings_with_scenario(directory.path(), scenario).build_simulator().expect_err("two errors");

    let stderr = stderr_of_failed_start(directory.path());

    assert!(stderr.lines().any(|line| line.contains("scenario.toml: steps.0.milliseconds: is required")), "{stderr}");
    assert!(stderr.lines().any(|line| line.contains("scenario.toml: steps.1.percent: must be")), "{stderr}");
}

#[test]
fn scenario_file_missing_fails_start() {
    let directory = tempfile::tempdir().expect("a directory");
    settings_with_scenario(directory.path(), "");
    std::fs::remove_file(directory.path().join("scenario.toml")).expect("the file exists");

    let stderr = stderr_of_failed_start(directory.path());

    assert!(stderr.contains("scenario.toml: cannot be read"), "{stderr}");
}

#[test]
fn scenario_example_has_a_commented_step_for_each_fault() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scenario.toml");

    let Scenario { steps } = from_content(&example, file_watch::read(&example)).expect("a valid scenario");

    let faults: Vec<Fault> = steps.iter().map(|step| step.fault).collect();
    for &fault in Fault::ALL {
        assert!(faults.contains(&fault), "{fault:?}");
    }
    let text = std::fs::read_to_string(example).expect("UTF-8");
    let lines: Vec<_> = text.lines().collect();
    let mut steps = lines.windows(2).filter(|pair| pair[1] == "[[steps]]");
    assert!(steps.all(|pair| pair[0].starts_with("# ")), "every step has a comment");
}
