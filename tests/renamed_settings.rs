//! Old names of settings are rejected, in the configuration file and as environment variables. The error states the new name.

use std::collections::BTreeSet;

use lrs_gateway::config::{RENAMED_SETTINGS, RenamedSetting};

use crate::support::program::{ConfigDirectory, run, run_with, stderr};

/// A maintenance window with the new names.
const MAINTENANCE: &str = "\n[[lrs.maintenance]]\nstarts_at = \"2026-12-24T18:00:00\"\nends_at = \"2026-12-27T08:00:00\"\n";

/// An issuer, without the settings that were renamed.
const ISSUER: &str =
    "[[auth.issuers]]\nissuer = \"https://idp.example.ac.uk/\"\naudience = \"lrs-gateway\"\nhmac_secret_file = \"secret\"\n";

/// The section of a setting in the file. In a list, it is the section of the first item.
fn section(setting: &RenamedSetting) -> String {
    setting.section.replace('*', "0")
}

/// A valid value of a setting: 1 is valid for all numbers.
fn value(setting: &RenamedSetting) -> &'static str {
    match setting.old_key {
        "from" => "2026-12-24T18:00:00",
        "until" => "2026-12-27T08:00:00",
        _ => "1",
    }
}

/// The lines of a file with every setting, under the name that `key` selects.
fn settings(key: impl Fn(&RenamedSetting) -> &'static str) -> String {
    let in_section = |name: &str| {
        let settings = RENAMED_SETTINGS.iter().filter(|setting| setting.section == name);
        let lines = settings.map(|setting| format!("{} = \"{}\"\n", key(setting), value(setting)));
        // A setting that was renamed twice has two old names.
        lines.collect::<BTreeSet<_>>().into_iter().collect::<String>()
    };
    let sections = ["[batches]\n", &in_section("batches"), "[limits]\n", &in_section("limits")].concat();
    let issuer = in_section("auth.issuers.*");
    format!("{}[[lrs.maintenance]]\n{}{sections}{ISSUER}{issuer}", in_section("lrs"), in_section("lrs.maintenance.*"))
}

/// Runs `check-config` with these settings. Returns whether it succeeded, and the errors.
fn check_config(settings: &str) -> (bool, String) {
    let directory = ConfigDirectory::new("http://127.0.0.1:1");
    if settings.contains(ISSUER) {
        directory.configure(|config| {
            let (before, rest) = config.split_once("[[auth.issuers]]").expect("the configuration has an issuer");
            format!("{before}{}", &rest[rest.find("[lrs]").expect("the section of LRS follows")..])
        });
    }
    directory.add_lrs_settings(settings);
    let output = run(&["check-config", "--config", &directory.config_path()]);
    (output.status.success(), stderr(&output))
}

#[test]
fn renamed_settings_with_old_names_in_file_are_rejected_with_new_names() {
    let (is_valid, errors) = check_config(&settings(|setting| setting.old_key));
    assert!(!is_valid);
    for setting in &RENAMED_SETTINGS {
        let (section, RenamedSetting { old_key, new_key, .. }) = (section(setting), setting);
        let error = format!("gateway.toml: {section}.{old_key}: was renamed: use {section}.{new_key}\n");
        assert!(errors.contains(&error), "{error}: {errors}");
    }
    assert_eq!(errors.lines().count(), RENAMED_SETTINGS.len(), "one error for each old name: {errors}");
}

#[test]
fn renamed_settings_with_new_names_in_file_are_accepted() {
    let (is_valid, errors) = check_config(&settings(|setting| setting.new_key));
    assert!(is_valid, "{errors}");
}

#[test]
fn renamed_settings_with_old_name_and_invalid_value_report_both_errors() {
    let (_, errors) = check_config("calls_at_once = 0");
    assert!(errors.contains("lrs.calls_at_once: was renamed"), "{errors}");
    assert!(errors.contains("lrs.max_concurrent_calls: must be at least 1"), "{errors}");
}

/// The environment variable of a setting, with this key.
fn variable(setting: &RenamedSetting, key: &str) -> String {
    let path = format!("{}.{key}", section(setting)).replace('.', "__");
    format!("LRS_GATEWAY__{}", path.to_ascii_uppercase())
}

/// Runs `check-config` with every setting as an environment variable, under the name that `key` selects.
fn check_config_with_variables(key: fn(&RenamedSetting) -> &'static str) -> (bool, String) {
    let directory = ConfigDirectory::new("http://127.0.0.1:1");
    // Variables can change items of a list, but not add them.
    directory.add_lrs_settings(MAINTENANCE);
    let variables = RENAMED_SETTINGS.map(|setting| (variable(&setting, key(&setting)), value(&setting)));
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let output = run_with(&["check-config", "--config", &directory.config_path()], &variables);
    (output.status.success(), stderr(&output))
}

#[test]
fn renamed_settings_with_old_names_in_variables_are_rejected_with_new_names() {
    let (is_valid, errors) = check_config_with_variables(|setting| setting.old_key);
    assert!(!is_valid);
    for setting in &RENAMED_SETTINGS {
        let (old, new) = (variable(setting, setting.old_key), variable(setting, setting.new_key));
        assert!(errors.contains(&format!("error: {old}: was renamed: use {new}\n")), "{old}: {errors}");
    }
    assert_eq!(errors.lines().count(), RENAMED_SETTINGS.len(), "one error for each old name: {errors}");
}

#[test]
fn renamed_settings_with_new_names_in_variables_are_accepted() {
    let (is_valid, errors) = check_config_with_variables(|setting| setting.new_key);
    assert!(is_valid, "{errors}");
}

#[test]
fn moved_setting_in_file_or_variable_is_rejected_with_its_new_place() {
    let (is_valid, errors) = check_config("language = \"CYM\"");
    assert!(!is_valid);
    assert!(errors.ends_with("gateway.toml: lrs.language: was moved: use language in each organisation's file\n"), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");

    let directory = ConfigDirectory::new("http://127.0.0.1:1");
    let output = run_with(&["check-config", "--config", &directory.config_path()], &[("LRS_GATEWAY__LRS__LANGUAGE", "CYM")]);
    assert!(!output.status.success());
    assert_eq!(stderr(&output), "error: LRS_GATEWAY__LRS__LANGUAGE: was moved: use language in each organisation's file\n");
}
