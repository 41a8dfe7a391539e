//! What generated clients rely on in the OpenAPI documents: enumerations, the order of properties, and descriptions for callers.

use std::collections::{BTreeMap, BTreeSet};

use lrs_gateway::domain::LearnerDetails;
use lrs_gateway::problem::CATALOGUE;
use lrs_gateway::server::openapi::{document_3_0, document_3_1};
use lrs_gateway::xml::XmlRecord;
use serde_json::{Value, json};

use crate::support::schema::violations;

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// Every reference in a part of the document.
fn references(node: &Value) -> Vec<&str> {
    match node {
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Object(object) => {
            object.get("$ref").and_then(Value::as_str).into_iter().chain(object.values().flat_map(references)).collect()
        }
        _ => Vec::new(),
    }
}

/// The components that a part of each operation refers to, directly or through other components.
fn components_of<'d>(document: &'d Value, part: &str) -> BTreeMap<&'d str, &'d Value> {
    let items = document["paths"].as_object().expect("paths").values();
    let operations = items.flat_map(|item| item.as_object().expect("an object").values());
    let mut open: Vec<&str> = operations.flat_map(|operation| references(&operation[part])).collect();
    let mut found = BTreeMap::new();
    while let Some(reference) = open.pop() {
        let component = document.pointer(reference.trim_start_matches('#')).expect("a component");
        if found.insert(reference, component).is_none() {
            open.extend(references(component));
        }
    }
    found
}

#[test]
fn enumerations_are_components_closed_in_requests_and_open_in_answers() {
    for text in [document_3_1(), document_3_0()] {
        let document = parse(&text);
        let (mut requests, answers) = (components_of(&document, "requestBody"), components_of(&document, "responses"));
        requests.extend(components_of(&document, "parameters"));
        let closed = requests.values().filter(|schema| schema["enum"].is_array()).count();
        let open = answers.values().filter(|schema| schema["x-extensible-enum"].is_array()).count();
        assert!(closed >= 8 && open >= 20, "{closed} closed, {open} open");
        assert_eq!(closed, text.matches("\"enum\":").count(), "every list is a component of requests");
        assert_eq!(open, text.matches("\"x-extensible-enum\":").count(), "every list is a component of answers");
        for (name, schema) in requests {
            assert!(schema["x-extensible-enum"].is_null(), "{name} is open");
        }
        for (name, schema) in answers {
            assert!(schema["enum"].is_null(), "{name} is closed");
        }
    }
}

#[test]
fn properties_are_in_the_order_of_the_declaration() {
    let declared: Vec<&str> = LearnerDetails::FIELDS.iter().map(|(_, field)| *field).collect();
    for text in [document_3_1(), document_3_0()] {
        let document = parse(&text);
        let properties = document["components"]["schemas"]["LearnerDetails"]["properties"].as_object().expect("properties");
        assert_eq!(properties.keys().collect::<Vec<_>>(), declared);
    }
}

#[test]
fn descriptions_are_for_callers() {
    for internal in ["LRS-CONTRACT", "[`", "::"] {
        assert!(!document_3_1().contains(internal), "{internal}");
    }
}

/// Adds the examples in a part of the document, each with its schema and its place.
fn collect_examples<'d>(node: &'d Value, place: &str, found: &mut Vec<(String, &'d Value, &'d Value)>) {
    match node {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect_examples(item, &format!("{place}/{index}"), found);
            }
        }
        Value::Object(object) => {
            // A schema has a list of examples. A media type, a parameter and a header have a schema beside their examples.
            if let Some(Value::Array(examples)) = object.get("examples") {
                found.extend(examples.iter().map(|example| (place.to_owned(), node, example)));
            }
            if let Some(schema) = object.get("schema") {
                found.extend(object.get("example").map(|example| (place.to_owned(), schema, example)));
                let named = object.get("examples").and_then(Value::as_object).into_iter().flatten();
                found.extend(named.map(|(name, example)| (format!("{place}/{name}"), schema, &example["value"])));
            }
            for (key, child) in object {
                if !["example", "examples", "default", "enum"].contains(&key.as_str()) {
                    collect_examples(child, &format!("{place}/{key}"), found);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn examples_are_valid() {
    let document = parse(&document_3_1());
    let mut examples = Vec::new();
    collect_examples(&document, "", &mut examples);
    assert!(examples.len() > 250, "{}", examples.len());
    for (place, schema, example) in examples {
        let found = violations(&document, schema, example);
        assert!(found.is_empty(), "{place}: {found:?}");
        let lines = schema["x-ndjson-line"].as_object().map(|_| example.as_str().expect("NDJSON is a text").lines());
        for line in lines.into_iter().flatten() {
            let found = violations(&document, &schema["x-ndjson-line"], &parse(line));
            assert!(found.is_empty(), "{place}: {found:?}");
        }
    }
}

/// Every operation with its method and path.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let items = document["paths"].as_object().expect("paths").iter();
    items
        .flat_map(|(path, item)| item.as_object().expect("an item").iter().map(move |(method, it)| (method.as_str(), path.as_str(), it)))
        .collect()
}

#[test]
fn successful_answers_and_request_bodies_with_json_have_examples() {
    let document = parse(&document_3_1());
    for (method, path, operation) in operations(&document) {
        let responses = operation["responses"].as_object().expect("responses").iter();
        let successful = responses.filter(|(status, _)| status.starts_with('2')).map(|(_, response)| response);
        for content in successful.chain([&operation["requestBody"]]).filter_map(|part| part["content"].as_object()).flatten() {
            assert!(content.1.get("example").or(content.1.get("examples")).is_some(), "{method} {path}: {}", content.0);
        }
    }
}

#[test]
fn successful_answers_have_one_media_type() {
    let document = parse(&document_3_1());
    for (method, path, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().expect("responses") {
            let count = response["content"].as_object().map_or(0, serde_json::Map::len);
            let expected = usize::from(response.get("$ref").is_none() && status != "204");
            assert_eq!(count, expected, "{method} {path}: {status}");
        }
    }
}

#[test]
fn problem_responses_list_the_codes_of_their_status_with_an_example_each() {
    let document = parse(&document_3_1());
    let mut listed = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        for (status, response) in
            operation["responses"].as_object().expect("responses").iter().filter(|(status, _)| status.as_str() >= "400")
        {
            let response = response["$ref"].as_str().map_or(response, |name| document.pointer(&name[1..]).expect("a component"));
            let codes: Vec<&str> = response["x-problem-codes"].as_array().expect("codes").iter().filter_map(Value::as_str).collect();
            let examples = response["content"]["application/problem+json"]["examples"].as_object().expect("examples");
            assert!(!codes.is_empty() && codes.len() == examples.len(), "{method} {path}: {status}");
            for code in codes {
                let entry = CATALOGUE.iter().find(|entry| entry.code == code).expect("a code of the catalogue");
                let description = response["description"].as_str().expect("a description");
                assert_eq!((entry.status.to_string().as_str(), examples[code]["value"]["code"].as_str()), (status.as_str(), Some(code)));
                assert!([code, entry.title, entry.advice].iter().all(|text| description.contains(text)), "{method} {path}: {code}");
                listed.insert(code);
            }
        }
    }
    let unlisted: Vec<&str> = CATALOGUE.iter().map(|entry| entry.code).filter(|code| !listed.contains(code)).collect();
    assert_eq!(unlisted, ["method_not_allowed"], "a path without the method has no operation");
}

#[test]
fn links_lead_from_a_new_batch_to_its_operations() {
    let document = parse(&document_3_1());
    for kind in ["Registration", "Verification", "Achievement"] {
        let resource = format!("/v1/{}-batches", kind.to_lowercase());
        let targets = [("get", ""), ("get", "Results"), ("get", "ResultsAsNdjson"), ("get", "ResultsAsCsv"), ("erase", "")];
        let mut expected: Vec<String> = targets.iter().map(|(verb, what)| format!("{verb}{kind}Batch{what}")).collect();
        expected.sort();
        for path in [resource.clone(), format!("{resource}/track")] {
            let links = document["paths"][&path]["post"]["responses"]["202"]["links"].as_object().expect("links");
            assert_eq!(links.keys().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>(), "{path}");
            for (id, link) in links {
                assert_eq!((&link["operationId"], &link["parameters"]["batchId"]), (&json!(id), &json!("$response.body#/batchId")));
            }
        }
        let links = document["paths"][&resource]["get"]["responses"]["200"]["links"].as_object().expect("links");
        assert_eq!(links.keys().collect::<Vec<_>>(), [&format!("get{kind}Batch")]);
    }
}

#[test]
fn operations_name_scope_product_and_lrs_operation() {
    let document = parse(&document_3_1());
    let last_line = |path: &str, method: &str| {
        let description = document["paths"][path][method]["description"].as_str().expect("a description");
        description.lines().last().expect("a line").to_owned()
    };
    for (path, method, expected) in [
        ("/v1/learners/find-by-uln", "post", "Scope: `learners:read`. Product: `uln-management`. LRS operation: `learnerByULN`."),
        (
            "/v1/learners/obtain-uln",
            "post",
            "Scope: `learners:write`. Product: `uln-management`. LRS operations: `learnerByDemographics`, `registerSingleLearner`.",
        ),
        (
            "/v1/verification-batches",
            "post",
            "Scope: `verification-batches`. Product: `verification-batches`. LRS operations: `submitVerifyBatch`, `getVerifyBatchOutput`.",
        ),
        (
            "/v1/achievement-batches/{batchId}/results",
            "get",
            "Scope: `achievement-batches`. Product: `achievement-batches`. LRS operation: none.",
        ),
        ("/v1/achievement-batches", "get", "Scope: `achievement-batches`. Product: `achievement-batches`. LRS operation: none."),
        ("/v1/lrs/status", "get", "Scope: none. Product: none. LRS operation: none."),
        ("/health/live", "get", "Scope: none. Product: none. LRS operation: none."),
    ] {
        assert_eq!(last_line(path, method), expected, "{path}");
    }
    for (method, path, operation) in operations(&document) {
        let description = operation["description"].as_str().expect("a description");
        assert_eq!(description.matches("Scope:").count(), 1, "{method} {path}: {description}");
    }
}
