//! Conversion of the document from OpenAPI 3.1 to 3.0.

use serde_json::{Map, Value, json};

/// Rewrites a 3.1 document as 3.0.3. Expresses what 3.0 lacks in 3.0's own way, or leaves it out.
pub fn downgrade(document: &mut Value) {
    document["openapi"] = json!("3.0.3");
    if let Some(license) = document.pointer_mut("/info/license").and_then(Value::as_object_mut) {
        license.shift_remove("identifier");
        license.insert("url".into(), json!("https://opensource.org/license/mit"));
    }
    rewrite(document);
    remove_bearer_scopes(document);
}

/// Removes scopes: 3.0 lists them for OAuth 2 and OpenID Connect only.
fn remove_bearer_scopes(document: &mut Value) {
    for operation in operations(document) {
        for requirement in operation.get_mut("security").and_then(Value::as_array_mut).into_iter().flatten() {
            for scopes in requirement.as_object_mut().into_iter().flat_map(Map::values_mut) {
                *scopes = json!([]);
            }
        }
    }
}

fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    paths.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut).flat_map(Map::values_mut)
}

fn rewrite(node: &mut Value) {
    match node {
        Value::Array(items) => items.iter_mut().for_each(rewrite),
        Value::Object(object) => {
            // A schema of 3.1 has a list of examples, one of 3.0 has a single example. Media types and parameters have a map, which stays.
            if let Some(Value::Array(examples)) = object.get_mut("examples") {
                let first = if examples.is_empty() { Value::Null } else { examples.remove(0) };
                object.shift_remove("examples");
                object.insert("example".into(), first);
            }
            // 3.0 ignores everything beside a reference.
            if object.len() > 1
                && object.get("$ref").is_some_and(Value::is_string)
                && let Some(reference) = object.shift_remove("$ref")
            {
                object.insert("allOf".into(), json!([{ "$ref": reference }]));
            }
            for (key, child) in object.iter_mut() {
                if key != "example" {
                    rewrite(child);
                }
            }
        }
        _ => {}
    }
}
