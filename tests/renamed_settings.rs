//! Settings with an old name are refused, and the problem names the new one.

use lrs_gateway::config::{RENAMED_SETTINGS, RenamedSetting};

use crate::support::program::{ConfigDirectory, run, run_with, stderr};

const MAINTENANCE: &str = "\n[[lrs.maintenance]]\nstarts_at = \"2026-12-24T18:00:00\"\nends_at = \"2026-12-27T08:00:00\"\n";

/// A setting's place in the file: its section, with the first item of a list.
fn section(setting: &RenamedSetting) -> String {
    setting.section.replace('*', "0")
}

/// A valid value of a setting: every number may be 1.
fn value(setting: &RenamedSetting) -> &'static str {
    match setting.old_key {
        "from" => "2026-12-24T18:00:00",
        "until" => "2026-12-27T08:00:00",
        _ => "1",
    }
}

/// The lines of a file that give each setting its value, under the name that `key` chooses.
fn settings(key: impl Fn(&RenamedSetting) -> &'static str) -> String {
    let in_section = |name: &str| {
        let settings = RENAMED_SETTINGS.iter().filter(|setting| setting.section == name);
        settings.map(|setting| format!("{} = \"{}\"\n", key(setting), value(setting))).collect::<String>()
    };
    let sections = ["[batches]\n", &in_section("batches"), "[limits]\n", &in_section("limits")].concat();
    format!("{}[[lrs.maintenance]]\n{}{sections}", in_section("lrs"), in_section("lrs.maintenance.*"))
}

fn check_config(settings: &str) -> (bool, String) {
    let setup = ConfigDirectory::new("http://127.0.0.1:1");
    setup.lrs(settings);
    let output = run(&["check-config", "--config", &setup.config()]);
    (output.status.success(), stderr(&output))
}

#[test]
fn renamed_settings_old_names_in_the_file_are_problems_that_name_the_new_ones() {
    let (accepted, problems) = check_config(&settings(|setting| setting.old_key));
    assert!(!accepted);
    for setting in &RENAMED_SETTINGS {
        let (section, RenamedSetting { old_key, new_key, .. }) = (section(setting), setting);
        let problem = format!("gateway.toml: {section}.{old_key}: was renamed: use {section}.{new_key}\n");
        assert!(problems.contains(&problem), "{problem}: {problems}");
    }
    assert_eq!(problems.lines().count(), RENAMED_SETTINGS.len(), "one problem for each old name: {problems}");
}

#[test]
fn renamed_settings_new_names_in_the_file_are_accepted() {
    let (accepted, problems) = check_config(&settings(|setting| setting.new_key));
    assert!(accepted, "{problems}");
}

#[test]
fn renamed_settings_value_under_an_old_name_is_checked_too() {
    let (_, problems) = check_config("calls_at_once = 0");
    assert!(problems.contains("lrs.calls_at_once: was renamed"), "{problems}");
    assert!(problems.contains("lrs.max_concurrent_calls: must be at least 1"), "{problems}");
}

#[test]
fn renamed_settings_old_and_new_variables_only_old_ones_are_problems() {
    let setup = ConfigDirectory::new("http://127.0.0.1:1");
    setup.lrs(MAINTENANCE);
    let variable = |setting: &RenamedSetting, key: &str| {
        let path = format!("{}.{key}", section(setting)).replace('.', "__");
        format!("LRS_GATEWAY__{}", path.to_ascii_uppercase())
    };
    let check = |key: fn(&RenamedSetting) -> &'static str| {
        let variables: Vec<(String, &str)> =
            RENAMED_SETTINGS.iter().map(|setting| (variable(setting, key(setting)), value(setting))).collect();
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let output = run_with(&["check-config", "--config", &setup.config()], &variables);
        (output.status.success(), stderr(&output))
    };
    let (accepted, problems) = check(|setting| setting.old_key);
    assert!(!accepted);
    for setting in &RENAMED_SETTINGS {
        let (old, new) = (variable(setting, setting.old_key), variable(setting, setting.new_key));
        assert!(problems.contains(&format!("error: {old}: was renamed: use {new}\n")), "{old}: {problems}");
    }
    assert_eq!(problems.lines().count(), RENAMED_SETTINGS.len(), "one problem for each old name: {problems}");

    let (accepted, problems) = check(|setting| setting.new_key);
    assert!(accepted, "{problems}");
}
