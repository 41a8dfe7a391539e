//! The documentation agrees with the code. The tests generate the tables of the pages, and require that the pages contain them.

mod field_errors;
mod field_mapping;
mod lrs_codes;

use std::fmt::Write as _;
use std::path::Path;

use lrs_gateway::config::GatewayParts;
use lrs_gateway::problem::CATALOGUE;
use lrs_gateway::simulator::SimulatorSettings;
use serde_json::{Value, json};

use crate::support::{SimulatedLrs, TestGateway};

/// Reads a file of the repository.
fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name)
}

/// Returns the part of a page that follows a marker.
fn after<'p>(page: &'p str, marker: &str) -> &'p str {
    page.split_once(marker).unwrap_or_else(|| panic!("the page has no {marker}")).1
}

/// Asserts that a page ends with this text, after the marker.
fn assert_ends_with(name: &str, marker: &str, expected: &str) {
    let actual = page(name);
    assert_eq!(after(&actual, &format!("<!-- {marker} -->\n")), expected, "put this after the marker of {name}:\n{expected}");
}

#[test]
fn problems_page_has_the_catalogue() {
    let mut table = String::from("\n| code | status | retryable | what happened | what to do |\n|---|---|---|---|---|\n");
    for entry in CATALOGUE {
        let retryable = if entry.retryable { "yes" } else { "no" };
        writeln!(table, "| `{}` | {} | {retryable} | {} | {} |", entry.code, entry.status, entry.title, entry.advice).expect("text");
    }
    assert_ends_with("docs/PROBLEMS.md", "catalogue", &table);
}

#[test]
fn authentication_page_has_the_product_and_the_operations_of_every_scope() {
    let document: Value = serde_json::from_str(include_str!("../../openapi/openapi.json")).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let operations: Vec<&Value> = paths.values().flat_map(|item| item.as_object().expect("an object").values()).collect();
    let mut table = String::from("\n| scope | product | operations |\n|---|---|---|\n");
    for (scope, product) in lrs_gateway::auth::scope::PRODUCTS {
        let with_scope = operations.iter().filter(|operation| operation.pointer("/security/0/bearer/0") == Some(&json!(scope)));
        let names: Vec<String> = with_scope.map(|operation| format!("`{}`", operation["operationId"].as_str().expect("a name"))).collect();
        writeln!(table, "| `{scope}` | `{}` | {} |", product.name(), names.join(", ")).expect("text");
    }
    assert_ends_with("docs/AUTHENTICATION.md", "scopes", &table);
}

#[tokio::test]
async fn readme_shows_the_answer_to_the_first_call() {
    let lrs = SimulatedLrs::start();
    let search = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});
    let answer = TestGateway::to(&lrs.url()).caller().post("/v1/learners/find-by-uln", &search).await.expect_success();
    let readme = page("README.md");
    let example = after(&readme, "<!-- first-call -->\n```json\n").split_once("```").expect("the end of the example").0;
    assert_eq!(serde_json::from_str::<Value>(example).expect("JSON"), answer);
}

#[test]
fn example_of_simulator_settings_is_valid() {
    let settings = SimulatorSettings::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/simulator.toml"));
    settings.expect("a valid file").build_simulator().expect("a valid register of learners");
}

#[test]
fn example_of_gateway_settings_has_no_error_except_the_operators_files() {
    let parts = GatewayParts::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/gateway.toml")).expect("a valid file");
    let errors = parts.organisation_report.errors;
    assert!(!errors.is_empty(), "the organisation's password and certificate do not exist");
    for error in errors {
        assert!(["10012345.password", "10012345.pem"].iter().any(|file| error.contains(file)), "{error}");
    }
}

/// Settings that are not values of the Helm chart: the chart sets them itself, from secrets or from the configuration of Kubernetes, or the
/// image does not support them.
const NOT_IN_CHART: [&str; 14] = [
    "listen",
    "admin_listen",
    "certificate_file",
    "key_file",
    "ca_certificate_file",
    "redis_url",
    "redis_ca_certificate_file",
    "encryption_key_file",
    "directory",
    "file",
    "tls",
    "create_action",
    "tls_backend",
    "final_type",
];

#[test]
fn helm_chart_has_a_value_for_every_setting() {
    let schema = page("helm/lrs-gateway/values.schema.json");
    let readme = page("README.md");
    let table = after(&readme, "<!-- settings -->\n").split("\n\n").next().expect("a table");
    let cells = table.lines().skip(2).filter_map(|row| row.split('|').nth(1)).flat_map(|cell| cell.split(", "));
    let settings: Vec<&str> = cells.map(|setting| setting.trim().trim_matches('`').rsplit('.').next().unwrap_or_default()).collect();
    assert!(settings.len() > 50, "{} settings", settings.len());
    for setting in settings {
        let is_in_chart = schema.contains(&format!("\"{setting}\""));
        assert!(NOT_IN_CHART.contains(&setting) || is_in_chart, "{setting} is not in the chart's schema");
    }
}

/// Returns the names of all pages.
fn pages() -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")).expect("the directory");
    let docs = entries.map(|entry| format!("docs/{}", entry.expect("an entry").file_name().display()));
    docs.chain(["README.md", "CHANGELOG.md", "SECURITY.md"].map(str::to_owned))
}

#[test]
fn paths_of_source_and_test_files_in_pages_exist() {
    let mut count = 0;
    for name in pages() {
        let page = page(&name);
        // Text within backquotes, of one line.
        let code = page.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
        for path in code.filter(|code| ["src/", "tests/", "benches/"].iter().any(|directory| code.starts_with(directory))) {
            // Patterns such as `src/api/*.rs` are no paths.
            if path.chars().all(|character| character.is_ascii_alphanumeric() || "/_-.".contains(character)) {
                assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists(), "{name}: {path}");
                count += 1;
            }
        }
    }
    assert!(count > 20, "{count} paths");
}

#[test]
fn links_between_pages_lead_to_existing_files_and_headings() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for name in pages() {
        let text = page(&name);
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
        for target in targets.filter(|target| !target.contains("://")) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { root.join(&name) } else { root.join(&name).with_file_name(path) };
            assert!(file.exists(), "{name}: {target}");
            if !anchor.is_empty() {
                let target_page = std::fs::read_to_string(&file).expect("a page");
                assert!(anchors(&target_page).any(|existing| existing == anchor), "{name}: {target}");
            }
            count += 1;
        }
    }
    assert!(count > 50, "{count} links");
}

/// Returns the anchors of a page's headings, as GitHub derives them.
fn anchors(page: &str) -> impl Iterator<Item = String> {
    let headings = page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim().to_lowercase());
    headings.map(|heading| {
        let characters = heading.chars().filter(|&character| character.is_alphanumeric() || " -_".contains(character));
        characters.map(|character| if character == ' ' { '-' } else { character }).collect()
    })
}
