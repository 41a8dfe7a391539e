//! Holds answers against the published OpenAPI document: status, code of the problem, headers, and the JSON of successful answers.
//!
//! `OBSERVED_PROBLEMS=FILE` appends a line with the operation and the code of each problem: `tests/openapi-lint/unseen_problems.py` lists
//! the documented ones that no test has seen.

use std::io::Write as _;
use std::sync::LazyLock;

use reqwest::Method;
use serde_json::Value;

use super::caller::Answer;
use super::schema::violations;

/// The published OpenAPI document.
pub static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../openapi/openapi.json")).expect("the document is JSON"));

/// Headers that any answer can have: those of HTTP itself, of security, of browsers' rules for other origins, and the caller's own trace.
const GENERAL_HEADERS: &[&str] = &[
    "cache-control",
    "connection",
    "content-length",
    "content-security-policy",
    "content-type",
    "date",
    "referrer-policy",
    "strict-transport-security",
    "traceparent",
    "transfer-encoding",
    "vary",
    "x-content-type-options",
    "x-frame-options",
];

/// Asserts that an operation documents its answer. An answer of a path or method that is no operation is not documented.
pub fn assert_documented(method: &Method, answer: &Answer) {
    let Some(operation) = operation(method, answer.url.path()) else { return };
    let id = operation["operationId"].as_str().expect("an operation has an id");
    // The admin listener has the health checks only. It answers like this for every other path.
    let is_other_listener = answer.status == 404 && answer.json()["code"] == "not_found";
    if is_other_listener && operation["responses"].get("404").is_none() {
        return;
    }
    let response = resolve(&operation["responses"][answer.status.to_string()]);
    assert!(response.is_object(), "{id} documents the status of {answer:?}");
    for name in answer.headers.keys().map(reqwest::header::HeaderName::as_str) {
        let is_general = GENERAL_HEADERS.contains(&name) || name.starts_with("access-control-");
        let mut documented = response["headers"].as_object().into_iter().flatten();
        assert!(
            is_general || documented.any(|(known, _)| known.eq_ignore_ascii_case(name)),
            "{id} documents the header {name}: {answer:?}"
        );
    }
    if answer.status >= 400 {
        assert_documented_problem(id, response, answer);
    } else if method != Method::HEAD {
        assert_documented_content(id, response, answer);
    }
}

fn assert_documented_problem(id: &str, response: &Value, answer: &Answer) {
    let problem = answer.json();
    let code = &problem["code"];
    let codes = response["x-problem-codes"].as_array().expect("a problem response has codes");
    assert!(codes.contains(code), "{id} documents {code} for {}, not only {codes:?}", answer.status);
    let found = violations(&DOCUMENT, &content_schema(response, "application/problem+json"), &problem);
    assert!(found.is_empty(), "{id}: {found:?}: {problem}");
    if let Some(path) = std::env::var_os("OBSERVED_PROBLEMS") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        let line = format!("{id} {}\n", code.as_str().unwrap_or_default());
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the file of observed problems is written");
    }
}

fn assert_documented_content(id: &str, response: &Value, answer: &Answer) {
    let media_type = answer.header("content-type").split(';').next().unwrap_or_default();
    let contents = response["content"].as_object();
    let types: Vec<&String> = contents.into_iter().flatten().map(|(media_type, _)| media_type).collect();
    assert!(types.len() <= 1, "{id} has one media type for {}", answer.status);
    assert_eq!(types.first().map_or("", |known| known.as_str()), media_type, "{id}");
    if media_type == "application/json" {
        let found = violations(&DOCUMENT, &content_schema(response, media_type), &answer.json());
        assert!(found.is_empty(), "{id}: {found:?}: {}", answer.text);
    }
}

fn content_schema(response: &Value, media_type: &str) -> Value {
    response["content"][media_type]["schema"].clone()
}

/// Returns the operation of a method and path. `HEAD` is the operation of `GET`.
fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let method = if method == Method::HEAD { "get".to_owned() } else { method.as_str().to_lowercase() };
    let paths = DOCUMENT["paths"].as_object().expect("the document has paths");
    let mut matching: Vec<_> = paths.iter().filter(|(pattern, item)| item.get(&method).is_some() && matches(pattern, path)).collect();
    // A path without parameters comes first.
    matching.sort_by_key(|(pattern, _)| pattern.contains('{'));
    matching.first().map(|(_, item)| &item[&method])
}

fn matches(pattern: &str, path: &str) -> bool {
    let (expected, segments): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
    let mut pairs = expected.iter().zip(&segments);
    expected.len() == segments.len()
        && pairs.all(|(expected, segment)| expected == segment || expected.starts_with('{') && !segment.is_empty())
}

fn resolve(node: &'static Value) -> &'static Value {
    match node["$ref"].as_str() {
        Some(reference) => DOCUMENT.pointer(reference.trim_start_matches('#')).expect("the reference resolves"),
        None => node,
    }
}
