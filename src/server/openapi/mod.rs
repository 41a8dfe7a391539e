//! The OpenAPI document. It is generated from the routes, so that it always matches the code.
//!
//! The document is OpenAPI 3.1. [`v3_0`] converts it for client generators that read 3.0 only.

mod components;
mod links;
mod operation_text;
mod paragraphs;
mod problems;
mod v3_0;

pub use problems::EXAMPLE_REQUEST_ID;
use serde_json::Value;
use utoipa::openapi::{OpenApi, RefOr};

use crate::api::description::Description;
use crate::schema::openapi::{expand_conditions, remove_conditions};
use crate::server::public_url::PublicUrl;
use crate::server::route::{Route, operation_of};
use crate::server::router;

/// Generates the document.
pub fn document() -> OpenApi {
    let mut document = components::document_without_paths();
    let components = document.components.get_or_insert_default();
    let routes = router::api();
    let mut descriptions: Vec<Description> = routes.iter().map(Route::description).collect();
    for (name, response) in problems::add_responses(&mut descriptions) {
        components.responses.insert(name, RefOr::T(response));
    }
    for (route, mut description) in routes.iter().zip(descriptions) {
        operation_text::add_requirements(&mut description);
        let item = document.paths.paths.entry(route.path.to_owned()).or_default();
        *operation_of(item, &route.method) = Some(description.operation);
        components.schemas.extend(description.components.schemas);
        components.parameters.extend(description.components.parameters);
        components.headers.extend(description.components.headers);
    }
    links::add(&mut document);
    document
}

/// Sets the address of the API in a document that the gateway serves: its public address, or the directory of the document.
pub fn set_server(document: &mut OpenApi, public_url: Option<&PublicUrl>) {
    let url = public_url.map_or(".", PublicUrl::as_str);
    for server in document.servers.iter_mut().flatten() {
        url.clone_into(&mut server.url);
    }
}

/// Generates the document as OpenAPI 3.1 in JSON.
pub fn document_3_1() -> String {
    to_json_3_1(&document())
}

/// Generates the document as OpenAPI 3.0 in JSON.
pub fn document_3_0() -> String {
    to_json_3_0(&document())
}

/// Renders a document as OpenAPI 3.1 in JSON.
pub fn to_json_3_1(document: &OpenApi) -> String {
    let mut document = to_value(document);
    expand_conditions(&mut document);
    to_pretty_json(&document)
}

/// Renders a document as OpenAPI 3.0 in JSON.
pub fn to_json_3_0(document: &OpenApi) -> String {
    let mut document = to_value(document);
    remove_conditions(&mut document);
    v3_0::downgrade(&mut document);
    to_pretty_json(&document)
}

fn to_value(document: &OpenApi) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    remove_null_types(&mut document);
    paragraphs::unwrap_paragraphs(&mut document);
    document
}

/// Replaces `["integer", "null"]` by `"integer"`: an optional value is absent, never `null`, also in parameters.
fn remove_null_types(node: &mut Value) {
    match node {
        Value::Array(items) => items.iter_mut().for_each(remove_null_types),
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [name] = &mut types[..] {
                    let name = name.take();
                    object.insert("type".into(), name);
                }
            }
            object.values_mut().for_each(remove_null_types);
        }
        _ => {}
    }
}

fn to_pretty_json(document: &Value) -> String {
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_of_both_versions_resolve() {
        fn walk<'d>(node: &'d Value, found: &mut Vec<&'d str>) {
            match node {
                Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
                Value::Object(object) => {
                    found.extend(object.get("$ref").and_then(Value::as_str));
                    object.values().for_each(|child| walk(child, found));
                }
                _ => {}
            }
        }
        for text in [document_3_1(), document_3_0()] {
            let document: Value = serde_json::from_str(&text).expect("JSON");
            let mut references = Vec::new();
            walk(&document, &mut references);
            assert!(references.len() > 10);
            for reference in references {
                let pointer = reference.strip_prefix('#').expect("a local reference");
                assert!(document.pointer(pointer).is_some(), "{reference}");
            }
        }
    }

    #[test]
    fn parameters_and_headers_are_components_with_one_meaning() {
        let mut components = serde_json::Map::new();
        for route in router::api() {
            let description = route.description();
            let value = serde_json::to_value(&description.operation).expect("JSON");
            let parameters = value["parameters"].as_array().into_iter().flatten();
            let responses = value["responses"].as_object().into_iter().flatten().map(|(_, response)| response);
            let headers = responses.filter_map(|response| response["headers"].as_object()).flat_map(serde_json::Map::values);
            for reference in parameters.chain(headers) {
                assert!(reference["$ref"].is_string(), "{}: {reference}", route.operation_id);
            }
            let described = serde_json::to_value(&description.components).expect("JSON");
            for (name, component) in ["parameters", "headers"].into_iter().filter_map(|kind| described[kind].as_object()).flatten() {
                let known = components.entry(name).or_insert_with(|| component.clone());
                assert_eq!(known, component, "{name}");
            }
        }
        assert!(components.len() >= 12, "{components:?}");
    }

    #[test]
    fn document_3_0_has_no_keyword_of_3_1() {
        let document: Value = serde_json::from_str(&document_3_0()).expect("JSON");
        assert_eq!(document["openapi"], "3.0.3");
        let text = document.to_string();
        for newer in ["\"examples\":[", "\"const\"", "\"type\":[", "\"identifier\"", "\"$defs\"", "\"prefixItems\""] {
            assert!(!text.contains(newer), "{newer}");
        }
    }

    #[test]
    fn schemas_and_properties_have_descriptions() {
        let document: Value = serde_json::from_str(&document_3_1()).expect("JSON");
        let described = |schema: &Value| schema["description"].as_str().is_some_and(|text| text.len() > 3);
        for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
            assert!(described(schema), "{name}");
            for (property, schema) in schema["properties"].as_object().into_iter().flatten() {
                assert!(property.bytes().all(|b| b.is_ascii_alphanumeric()), "{name}.{property}");
                assert!(described(schema), "{name}.{property}");
            }
        }
    }

    #[test]
    fn operations_have_every_required_field() {
        let document: Value = serde_json::from_str(&document_3_1()).expect("JSON");
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("an object") {
                for needed in ["operationId", "summary", "description", "tags", "responses"] {
                    assert!(operation.get(needed).is_some(), "{method} {path}: {needed}");
                }
                if path.starts_with("/v1/") {
                    let scope = operation.pointer("/security/0/bearer/0").is_some();
                    assert_eq!(scope, !["/v1/lrs/status", "/v1/organisation"].contains(&path.as_str()), "{method} {path}: scope");
                    assert!(operation.pointer("/responses/503").is_some(), "{method} {path}: no problems");
                }
            }
        }
    }
}
