//! What generated clients rely on in the OpenAPI documents: enumerations, the order of properties, and descriptions for callers.

use std::collections::BTreeMap;

use lrs_gateway::domain::LearnerDetails;
use lrs_gateway::server::openapi::{document_3_0, document_3_1};
use lrs_gateway::xml::XmlRecord;
use serde_json::Value;

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
        let (requests, answers) = (components_of(&document, "requestBody"), components_of(&document, "responses"));
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
