//! What the documentation says is so. Its tables are made here, and the pages must have them.

mod fields;
mod lrs_codes;

use std::fmt::Write as _;
use std::path::Path;

use lrs_gateway::problem::CATALOGUE;
use serde_json::{Value, json};

use crate::support::{SimulatedLrs, TestGateway};

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name)
}

/// What follows a marker in a page.
fn after<'p>(page: &'p str, marker: &str) -> &'p str {
    page.split_once(marker).unwrap_or_else(|| panic!("no {marker}")).1
}

/// A page must end with this table, under the marker.
fn assert_ends_with(name: &str, marker: &str, table: &str) {
    assert_eq!(after(&page(name), &format!("<!-- {marker} -->\n")), table, "put this under the marker of {name}:\n{table}");
}

#[test]
fn the_page_of_problems_is_the_catalogue() {
    let mut table = String::from("\n| code | status | retryable | what happened | what to do |\n|---|---|---|---|---|\n");
    for row in CATALOGUE {
        let retryable = if row.retryable { "yes" } else { "no" };
        writeln!(table, "| `{}` | {} | {retryable} | {} | {} |", row.code, row.status, row.title, row.advice).expect("text");
    }
    assert_ends_with("docs/PROBLEMS.md", "catalogue", &table);
}

#[test]
fn the_page_of_authentication_ends_with_the_scopes() {
    let document: Value = serde_json::from_str(include_str!("../openapi/openapi.json")).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let operations: Vec<&Value> = paths.values().flat_map(|item| item.as_object().expect("an object").values()).collect();
    let mut table = String::from("\n| scope | operations |\n|---|---|\n");
    for scope in lrs_gateway::auth::scope::ALL {
        let theirs = operations.iter().filter(|operation| operation.pointer("/security/0/bearer/0") == Some(&json!(scope)));
        let names: Vec<String> = theirs.map(|operation| format!("`{}`", operation["operationId"].as_str().expect("a name"))).collect();
        writeln!(table, "| `{scope}` | {} |", names.join(", ")).expect("text");
    }
    assert_ends_with("docs/AUTHENTICATION.md", "scopes", &table);
}

#[tokio::test]
async fn the_readme_shows_the_answer_to_the_first_call() {
    let lrs = SimulatedLrs::start();
    let search = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});
    let answer = TestGateway::to(&lrs.url()).caller().post("/v1/learners/find-by-uln", &search).await.expect_success();
    let readme = page("README.md");
    let shown = after(&readme, "<!-- first-call -->\n```json\n").split_once("```").expect("a fence").0;
    assert_eq!(serde_json::from_str::<Value>(shown).expect("JSON"), answer);
}

#[test]
fn the_examples_are_read_without_a_mistake() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    lrs_gateway::simulator::SimulatorSettings::load(&examples.join("simulator.toml"))
        .expect("a good file")
        .build_simulator()
        .expect("a register");
    // The gateway's example names an organisation's files, which only its operator has: nothing else may be wrong with it.
    let config = lrs_gateway::config::Config::load(&examples.join("gateway.toml")).expect("a good file");
    assert!(!config.organisation_problems.is_empty(), "the organisation's files are not there");
    for problem in config.organisation_problems {
        assert!(["10012345.password", "10012345.pem"].iter().any(|file| problem.contains(file)), "{problem}");
    }
}

#[test]
fn the_chart_knows_every_setting() {
    // What the chart sets itself, from secrets or from what Kubernetes knows, and what its image cannot do.
    const OWN: [&str; 14] = [
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
    let read = |name: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name);
    let schema = read("helm/lrs-gateway/values.schema.json");
    let readme = read("README.md");
    let table = readme.split("<!-- settings -->").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("a table");
    let settings = table.lines().skip(3).filter_map(|row| row.split('|').nth(1)).flat_map(|cell| cell.split(", "));
    let mut count = 0;
    for setting in settings {
        let name = setting.trim().trim_matches('`').rsplit('.').next().unwrap_or_default().to_owned();
        assert!(OWN.contains(&name.as_str()) || schema.contains(&format!("\"{name}\"")), "{name} is not in the chart's schema");
        count += 1;
    }
    assert!(count > 50, "{count} settings");
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs =
        std::fs::read_dir(root.join("docs")).expect("docs").map(|entry| format!("docs/{}", entry.expect("an entry").file_name().display()));
    let mut count = 0;
    for name in docs.chain(["README.md", "CHANGELOG.md", "SECURITY.md"].map(str::to_owned)) {
        let text = page(&name);
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
        for target in targets.filter(|target| !target.contains("://")) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { root.join(&name) } else { root.join(&name).with_file_name(path) };
            assert!(file.exists(), "{name}: {target}");
            if !anchor.is_empty() {
                let there = std::fs::read_to_string(&file).expect("a page");
                assert!(headings(&there).any(|heading| heading == anchor), "{name}: {target}");
            }
            count += 1;
        }
    }
    assert!(count > 50, "{count} links");
}

/// The anchors of a page, as GitHub makes them.
fn headings(page: &str) -> impl Iterator<Item = String> {
    let titles = page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim().to_lowercase());
    titles
        .map(|title| title.chars().filter(|&c| c.is_alphanumeric() || " -_".contains(c)).map(|c| if c == ' ' { '-' } else { c }).collect())
}
