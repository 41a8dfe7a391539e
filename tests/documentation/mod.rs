//! The documentation agrees with the code. The tests generate the tables of the pages, and require that the pages contain them. `make docs`
//! writes the tables: it runs the tests whose names contain `page_has` with the variable [`UPDATE`].

mod alerts;
mod capacity;
mod collections;
mod commands;
mod field_errors;
mod field_mapping;
mod limits;
mod lrs_codes;
mod reference;
mod request_memory;
mod sandbox;
mod settings;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use lrs_gateway::config::GatewayParts;
use lrs_gateway::domain::Product;
use lrs_gateway::problem::CATALOGUE;
use lrs_gateway::schema::CodeList as _;
use lrs_gateway::server::openapi::document_3_1;
use lrs_gateway::simulator::SimulatorSettings;
use serde_json::{Value, json};

use crate::support::{SimulatedLrs, TestGateway};

/// The environment variable with which the tests write the generated parts of pages instead of comparing them.
const UPDATE: &str = "UPDATE_DOCS";

/// Returns the path of a file of the repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Reads a file of the repository.
fn page(name: &str) -> String {
    std::fs::read_to_string(path(name)).expect(name)
}

/// Returns the part of a page that follows a marker.
fn after<'p>(page: &'p str, marker: &str) -> &'p str {
    page.split_once(marker).unwrap_or_else(|| panic!("the page has no {marker}")).1
}

/// The end of a generated part that is not at the end of its page.
const END: &str = "<!-- end -->";

/// Asserts that the generated part of a page is this text. It starts after the marker. With [`UPDATE`], writes it instead.
fn assert_generated(name: &str, marker: &str, expected: &str) {
    let page = page(name);
    let from_start = after(&page, &format!("<!-- {marker} -->\n"));
    let (actual, end) = from_start.split_at(from_start.find(END).unwrap_or(from_start.len()));
    if std::env::var_os(UPDATE).is_some() {
        let start = &page[..page.len() - from_start.len()];
        std::fs::write(path(name), format!("{start}{expected}{end}")).expect(name);
    } else if actual != expected {
        let line = expected.lines().zip(actual.lines().chain([""])).find(|(expected, actual)| expected != actual);
        let line = line.map_or("the end of the generated part", |(expected, _)| expected);
        panic!("{name} differs from the code: run `make docs`. The first difference is: {line}");
    }
}

#[test]
fn problems_page_has_the_catalogue() {
    let mut table = String::from("\n| code | status | retryable | what happened | what to do |\n|---|---|---|---|---|\n");
    for entry in CATALOGUE {
        let retryable = if entry.retryable { "yes" } else { "no" };
        writeln!(table, "| `{}` | {} | {retryable} | {} | {} |", entry.code, entry.status, entry.title, entry.advice).expect("text");
    }
    assert_generated("docs/PROBLEMS.md", "catalogue", &table);
}

#[test]
fn authentication_page_has_the_product_and_the_operations_of_every_scope() {
    let document: Value = serde_json::from_str(&document_3_1()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let operations: Vec<&Value> = paths.values().flat_map(|item| item.as_object().expect("an object").values()).collect();
    let mut table = String::from("\n| scope | product | operations |\n|---|---|---|\n");
    let of_ulns = ("learners:read", Product::RetrieveUlns);
    for (scope, product) in lrs_gateway::auth::scope::PRODUCTS.iter().chain([&of_ulns]) {
        // The scope of finding learners has two products.
        let of_product = |operation: &&&Value| (operation["operationId"] == "retrieveUlns") == (*product == Product::RetrieveUlns);
        let has_scope = |operation: &&&Value| operation.pointer("/security/0/bearer/0") == Some(&json!(scope));
        let with_scope = operations.iter().filter(has_scope).filter(of_product);
        let names: Vec<String> = with_scope.map(|operation| format!("`{}`", operation["operationId"].as_str().expect("a name"))).collect();
        writeln!(table, "| `{scope}` | `{}` | {} |", product.word(), names.join(", ")).expect("text");
    }
    assert_generated("docs/AUTHENTICATION.md", "scopes", &table);
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
fn readme_has_at_most_120_lines() {
    let lines = page("README.md").lines().count();
    assert!(lines <= 120, "{lines} lines: move what is longer into docs/");
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

/// Returns the names of all pages.
fn pages() -> impl Iterator<Item = String> {
    let markdown = ["docs", "docs/guides"].into_iter().flat_map(|directory| {
        let entries = std::fs::read_dir(path(directory)).expect(directory);
        entries.map(move |entry| format!("{directory}/{}", entry.expect("an entry").file_name().display()))
    });
    let is_page = |name: &String| Path::new(name).extension().is_some_and(|extension| extension == "md");
    markdown.filter(is_page).chain(["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(str::to_owned))
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
