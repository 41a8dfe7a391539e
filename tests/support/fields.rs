//! Completeness of the tests' own lists of fields: a test whose list lacks a new field fails and names the field.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use lrs_gateway::server::openapi::document_3_1;
use lrs_gateway::xml::{FieldMapping, XmlRecord};
use serde_json::Value;

/// The OpenAPI document, as the code generates it.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(&document_3_1()).expect("the document is JSON"));

/// A list of names, and where it is.
pub type Names<'n> = (&'n str, &'n [&'n str]);

/// Asserts that two lists have the same names in the same order.
#[track_caller]
pub fn assert_same_names(one: Names<'_>, other: Names<'_>) {
    for ((list, names), (other_list, other_names)) in [(one, other), (other, one)] {
        let missing: Vec<&str> = other_names.iter().filter(|name| !names.contains(name)).copied().collect();
        assert!(missing.is_empty(), "{list} lacks {}, which {other_list} has: add it", missing.join(", "));
    }
    let difference = one.1.iter().zip(other.1).find(|(name, other_name)| name != other_name);
    assert_eq!(difference, None, "the order in {} is not that in {}", one.0, other.0);
}

/// Returns the names of a record's elements.
pub fn element_names<T: XmlRecord>() -> Vec<&'static str> {
    T::FIELDS.iter().map(|(element, _)| *element).collect()
}

/// Returns the elements of a record that none of the messages has.
pub fn missing_elements(messages: &[&str], fields: FieldMapping) -> Vec<&'static str> {
    let is_in_message = |element: &str| {
        let starts = [format!("<{element}>"), format!("<{element} ")];
        messages.iter().any(|message| starts.iter().any(|start| message.contains(start)))
    };
    fields.iter().map(|(element, _)| *element).filter(|element| !is_in_message(element)).collect()
}

/// Asserts that the body of a request has every field of the operation with this path. `file` has the body.
pub fn assert_has_every_field(file: &str, path: &str, body: &Value) {
    let documented = fields_of(schema(&DOCUMENT["paths"][path]["post"], "/requestBody"), "");
    let present = fields_in(body, "");
    let missing: Vec<&str> = documented.difference(&present).map(String::as_str).collect();
    assert!(missing.is_empty(), "the request to {path} in {file} lacks {}: add it", missing.join(", "));
}

/// Returns the learner of the golden registration, which has every field.
pub fn full_learner() -> Value {
    let call: Value = serde_json::from_str(include_str!("../golden/register-full.call.json")).expect("the call is JSON");
    call["learner"].clone()
}

/// Returns a schema of the OpenAPI document.
pub fn component(name: &str) -> &'static Value {
    &DOCUMENT["components"]["schemas"][name]
}

/// Returns the operation with this `operationId`.
pub fn operation(id: &str) -> &'static Value {
    let paths = DOCUMENT["paths"].as_object().expect("paths").values();
    let mut operations = paths.flat_map(|path| [&path["post"], &path["get"]]);
    operations.find(|operation| operation["operationId"] == id).unwrap_or_else(|| panic!("no operation {id}"))
}

/// Returns the schema of a JSON document of an operation: `/requestBody` or `/responses/200`.
pub fn schema<'o>(operation: &'o Value, document: &str) -> &'o Value {
    operation.pointer(&format!("{document}/content/application~1json/schema")).expect("a schema")
}

/// Returns the paths of all fields in a schema that have a text or a number.
pub fn fields_of(schema: &Value, path: &str) -> BTreeSet<String> {
    if let Some(name) = schema["$ref"].as_str() {
        return fields_of(DOCUMENT.pointer(name.trim_start_matches('#')).expect(name), path);
    }
    if schema["items"].is_object() {
        return fields_of(&schema["items"], &format!("{path}[]"));
    }
    let Some(properties) = schema["properties"].as_object() else { return BTreeSet::from([path.to_owned()]) };
    properties.iter().flat_map(|(name, property)| fields_of(property, &join(path, name))).collect()
}

/// Returns the paths of all texts and numbers in a JSON document.
fn fields_in(document: &Value, path: &str) -> BTreeSet<String> {
    match document {
        Value::Object(fields) => fields.iter().flat_map(|(name, value)| fields_in(value, &join(path, name))).collect(),
        Value::Array(items) => items.iter().flat_map(|item| fields_in(item, &format!("{path}[]"))).collect(),
        _ => BTreeSet::from([path.to_owned()]),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
