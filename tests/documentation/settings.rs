//! The pages of settings have every setting, the Helm chart has a value for it, and the examples name no other.

use std::fmt::Write as _;

use lrs_gateway::config::{ConfigFile, MaintenanceFile};
use lrs_gateway::organisations::OrganisationFile;
use lrs_gateway::schema::{SettingDescription, SettingType, SettingValues};
use lrs_gateway::simulator::SimulatorSettings;
use regex::Regex;
use serde_json::Value;

use super::{assert_generated, page};

/// Returns the settings of a file.
pub(super) fn settings_of<T: SettingType>() -> Vec<SettingDescription> {
    let SettingValues::Section(settings) = T::values() else { panic!("not the type of a file") };
    settings
}

/// Returns the tables of a section and of the sections in it. `path` is the section's path, with a dot at its end.
fn tables(settings: Vec<SettingDescription>, path: &str) -> String {
    let (mut table, mut sections) = (String::new(), String::new());
    for SettingDescription { name, default, values, meaning } in settings {
        let meaning = meaning.replace('\n', " ");
        let mut section = |title: String, settings| {
            let tables = tables(settings, &format!("{path}{name}."));
            write!(sections, "\n### `{title}`\n\n{meaning}\n{tables}").expect("text");
        };
        match values {
            SettingValues::Text(values) => {
                writeln!(table, "| `{name}` | {} | {values} | {meaning} |", with_unit(name, default)).expect("text");
            }
            SettingValues::Section(settings) => section(format!("[{path}{name}]"), settings),
            SettingValues::Sections(settings) => section(format!("[[{path}{name}]]"), settings),
        }
    }
    if !table.is_empty() {
        table.insert_str(0, "\n| setting | default | values | meaning |\n|---|---|---|---|\n");
    }
    table + &sections
}

/// Returns a default with its number in a larger unit, if it is a whole number of that unit.
fn with_unit(name: &str, default: String) -> String {
    const UNITS: [(&str, u64, &str); 3] = [("_seconds", 24 * 60 * 60, "days"), ("_seconds", 60 * 60, "h"), ("_bytes", 1024 * 1024, "MiB")];
    let Ok(number) = default.trim_matches('`').parse::<u64>() else { return default };
    let unit = UNITS.iter().find(|(suffix, size, _)| name.ends_with(suffix) && number >= *size && number.is_multiple_of(*size));
    unit.map_or_else(|| default.clone(), |(_, size, unit)| format!("{default} ({} {unit})", number / size))
}

#[test]
fn settings_page_has_every_setting_of_gateway_and_organisations() {
    let gateway = tables(settings_of::<ConfigFile>(), "");
    let organisation = tables(settings_of::<OrganisationFile>(), "");
    let maintenance = tables(settings_of::<MaintenanceFile>(), "");
    let expected =
        format!("\n## gateway.toml\n{gateway}\n## An organisation's file\n{organisation}\n## A file of maintenance windows\n{maintenance}");
    assert_generated("docs/SETTINGS.md", "settings", &expected);
}

#[test]
fn simulator_page_has_every_setting() {
    assert_generated("docs/SIMULATOR.md", "settings", &tables(settings_of::<SimulatorSettings>(), ""));
}

/// Returns the paths of a section's settings. The name of a list of sections ends with `[]`.
fn paths(settings: Vec<SettingDescription>, path: &str) -> Vec<String> {
    let paths_of_setting = |SettingDescription { name, values, .. }| match values {
        SettingValues::Text(_) => vec![format!("{path}{name}")],
        SettingValues::Section(settings) => paths(settings, &format!("{path}{name}.")),
        SettingValues::Sections(settings) => paths(settings, &format!("{path}{name}[].")),
    };
    settings.into_iter().flat_map(paths_of_setting).collect()
}

/// Settings that are not values of the Helm chart: the chart sets them itself, from secrets or from the configuration of Kubernetes, or the
/// image does not support them.
const NOT_IN_CHART: [&str; 13] = [
    "server.listen",
    "server.admin_listen",
    "server.tls.certificate_file",
    "server.tls.key_file",
    "lrs.ca_certificate_file",
    "lrs.tls_backend",
    "lrs.maintenance_file",
    "store.redis_url",
    "store.redis_ca_certificate_file",
    "store.encryption_key_file",
    "audit.file",
    "audit.key_file",
    "organisations.directory",
];

#[test]
fn helm_chart_has_a_value_for_every_setting() {
    let schema: Value = serde_json::from_str(&page("helm/lrs-gateway/values.schema.json")).expect("JSON");
    let paths = paths(settings_of::<ConfigFile>(), "");
    assert!(paths.len() > 70, "{paths:?}");
    for path in paths {
        let pointer = format!("/properties/config.{path}").replace("[]", "/items").replace('.', "/properties/");
        assert_ne!(schema.pointer(&pointer).is_some(), NOT_IN_CHART.contains(&path.as_str()), "{path}: {pointer} in the chart's schema");
    }
}

/// Returns the bounds of the numbers that a setting accepts, from the text of its page, such as `at least 60` or `from 1 to 86400`.
fn bounds(values: &str) -> Option<[Option<u64>; 2]> {
    let number = |text: &str| text.parse().ok();
    if let Some(minimum) = values.strip_prefix("at least ") {
        return Some([number(minimum), None]);
    }
    if let Some(maximum) = values.strip_prefix("at most ") {
        return Some([Some(0), number(maximum)]);
    }
    let (minimum, maximum) = values.strip_prefix("from ")?.split_once(" to ")?;
    Some([number(minimum), number(maximum)])
}

/// Returns the paths of a section's numbers, as JSON pointers into the chart's schema, with their bounds.
fn bounded_numbers(settings: Vec<SettingDescription>, pointer: &str) -> Vec<(String, [Option<u64>; 2])> {
    let numbers_of_setting = |SettingDescription { name, values, .. }| match values {
        SettingValues::Text(values) => bounds(&values).map(|bounds| (format!("{pointer}/{name}"), bounds)).into_iter().collect(),
        SettingValues::Section(settings) => bounded_numbers(settings, &format!("{pointer}/{name}/properties")),
        SettingValues::Sections(settings) => bounded_numbers(settings, &format!("{pointer}/{name}/items/properties")),
    };
    settings.into_iter().flat_map(numbers_of_setting).collect()
}

#[test]
fn helm_chart_has_the_bounds_of_every_number() {
    let schema: Value = serde_json::from_str(&page("helm/lrs-gateway/values.schema.json")).expect("JSON");
    let numbers = bounded_numbers(settings_of::<ConfigFile>(), "/properties/config/properties");
    assert!(numbers.len() > 30, "{numbers:?}");
    let mut differences = String::new();
    for (pointer, bounds) in numbers {
        let Some(value) = schema.pointer(&pointer) else { continue };
        let in_chart = ["minimum", "maximum"].map(|bound| value[bound].as_u64());
        if in_chart != bounds {
            writeln!(differences, "{pointer}: {in_chart:?} in the chart's schema, {bounds:?} in the program").expect("text");
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn examples_name_existing_settings_only_even_in_comments() {
    let line_pattern = Regex::new(r"(?m)^[# ]*(?:\[+([a-z_.]+)\]+$|([a-z_]+) = )").expect("a pattern");
    let existing = paths(settings_of::<ConfigFile>(), "").join("\n").replace("[]", "") + "\n";
    let mut count = 0;
    for name in ["", "compose/", "deployment/agent/", "deployment/client-site/", "deployment/internet/"] {
        let (text, mut section) = (page(&format!("examples/{name}gateway.toml")), String::new());
        for line in line_pattern.captures_iter(&text) {
            if let Some(header) = line.get(1) {
                header.as_str().clone_into(&mut section);
            } else {
                let path = format!("{section}.{}", &line[2]);
                let is_existing = existing.lines().any(|setting| setting == path || setting.starts_with(&format!("{path}.")));
                assert!(is_existing, "examples/{name}gateway.toml: {path}");
                count += 1;
            }
        }
    }
    assert!(count > 40, "{count} settings");
}
