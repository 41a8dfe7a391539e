//! The OpenAPI document: made from the routes, so that it cannot say anything else than the code does.
//!
//! The document is OpenAPI 3.1. [`to_3_0`] rewrites it for client generators that only read 3.0.

use std::collections::BTreeMap;

use actix_web::App;
use serde_json::{Map, Value, json};
use utoipa::ToSchema as _;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContactBuilder, ContentBuilder, HeaderBuilder, InfoBuilder, LicenseBuilder, ObjectBuilder, OpenApi, OpenApiBuilder,
    Ref, Response, ResponseBuilder, schema::Type, tag::TagBuilder,
};
use utoipa_actix_web::AppExt as _;

use crate::problem::responses::{component_name, problem_statuses};
use crate::problem::{CATALOGUE, Problem, ProblemBody, Row};
use crate::schema::openapi::{Schemas, collect};
use crate::server::router;

const DESCRIPTION: &str = "\
A JSON face for the SOAP web services of the Learning Records Service (LRS) of England, Wales and Northern Ireland.

* Every call needs a bearer token that names one organisation and the person behind the call. LRS is called under that \
organisation's own password and client certificate, and told that person's user name.
* Names are LRS's own in `camelCase`; identifiers are strings, dates `YYYY-MM-DD`. What is optional is left out, never `null`. \
Unknown request fields are refused.
* Answers are not errors: no match, several matches, linked learners come as HTTP 200 with an `outcome`, and LRS's own code beside it \
in `lrsCode`, also when nobody has documented it.
* Errors are `application/problem+json` (RFC 9457) with a `code` from a closed list, given here with each status.
* Learners' data stand in request bodies only, never in an address.
* Organisations and people may call so often and no more. `RateLimit-Policy` and `RateLimit` on every answer to a call that was \
counted say how often and what is left (draft-ietf-httpapi-ratelimit-headers-11).";

/// The document.
pub fn document() -> OpenApi {
    let (_, mut document) = App::new().into_utoipa_app().openapi(frame()).configure(router::api).split_for_parts();
    // `configure` merges schemas in; the order of the file should not depend on it.
    if let Some(components) = &mut document.components {
        let sorted: BTreeMap<_, _> = std::mem::take(&mut components.schemas).into_iter().collect();
        components.schemas = sorted.into_iter().collect();
    }
    document
}

/// The document as OpenAPI 3.1, ready to be sent or written.
pub fn document_3_1() -> String {
    in_3_1(&document())
}

/// The document as OpenAPI 3.0.
pub fn document_3_0() -> String {
    in_3_0(&document())
}

/// This document as OpenAPI 3.1.
pub fn in_3_1(document: &OpenApi) -> String {
    pretty(&as_value(document))
}

/// This document as OpenAPI 3.0.
pub fn in_3_0(document: &OpenApi) -> String {
    let mut document = as_value(document);
    to_3_0(&mut document);
    pretty(&document)
}

fn as_value(document: &OpenApi) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    without_null(&mut document);
    document
}

/// Optional means absent, in parameters too: `["integer", "null"]` → `"integer"`.
fn without_null(node: &mut Value) {
    match node {
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|one| one != "null");
                if let [one] = &mut types[..] {
                    let one = one.take();
                    object.insert("type".into(), one);
                }
            }
            object.values_mut().for_each(without_null);
        }
        _ => {}
    }
}

fn pretty(document: &Value) -> String {
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    text.push('\n');
    text
}

/// Everything but paths.
fn frame() -> OpenApi {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("A JWT of a trusted issuer. Its claims name the organisation (a UKPRN), the person, and the scopes."));
    let mut components = ComponentsBuilder::new().security_scheme("bearer", SecurityScheme::Http(bearer.build()));
    let mut schemas: Schemas = Vec::new();
    collect::<ProblemBody>(&mut schemas);
    for (name, schema) in schemas {
        components = components.schema(name, schema);
    }
    for status in problem_statuses() {
        components = components.response(component_name(status), problem_response(status));
    }
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("lrs-gateway")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(DESCRIPTION))
                .license(Some(LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build()))
                .contact(Some(ContactBuilder::new().name(Some("The operator of this gateway")).build()))
                .build(),
        )
        .servers(Some([utoipa::openapi::ServerBuilder::new().url("/").description(Some("This gateway")).build()]))
        .tags(Some([
            TagBuilder::new().name("Learners").description(Some("Find, register, update and verify learners and their ULNs.")).build(),
            TagBuilder::new().name("Registration batches").description(Some("Obtain the ULNs of many learners.")).build(),
            TagBuilder::new().name("Verification batches").description(Some("Verify many learners.")).build(),
            TagBuilder::new().name("Achievement batches").description(Some("Achievements of awarding organisations.")).build(),
            TagBuilder::new().name("Learning events").description(Some("Personal learning records (PLR).")).build(),
            TagBuilder::new().name("Service").description(Some("The gateway itself.")).build(),
        ]))
        .components(Some(components.build()))
        .build()
}

const EXAMPLE_ID: &str = "01a206e9-1f29-728e-8c05-c7b61af44332";

fn problem_response(status: u16) -> Response {
    let rows: Vec<&Row> = CATALOGUE.iter().filter(|row| row.status == status).collect();
    let example = rows.first().and_then(|row| serde_json::to_value(Problem::new(row.kind).body(EXAMPLE_ID)).ok());
    let lines: Vec<String> = rows.iter().map(|row| format!("* `{}`: {}. {}", row.code, row.title, row.advice)).collect();
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let header = |description: &str| HeaderBuilder::new().schema(Some(text())).description(Some(description)).build();
    let mut response = ResponseBuilder::new()
        .description(lines.join("\n"))
        .content(
            "application/problem+json",
            ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemBody::name()))).example(example).build(),
        )
        .header("X-Request-Id", header("Identifies the request in the operator's logs."));
    if matches!(status, 401 | 403) {
        response = response.header("WWW-Authenticate", header("What the token lacks (RFC 6750)."));
    }
    if matches!(status, 429 | 503) {
        response = response.header("Retry-After", header("Seconds to wait before trying again."));
    }
    if status == 429 {
        response = response
            .header("RateLimit", header("What is left of each limit (draft-ietf-httpapi-ratelimit-headers-11)."))
            .header("RateLimit-Policy", header("The limits."));
    }
    response.build()
}

/// Rewrites a 3.1 document as 3.0.3: what 3.0 cannot say is said in its way or left out.
pub fn to_3_0(document: &mut Value) {
    document["openapi"] = json!("3.0.3");
    if let Some(license) = document.pointer_mut("/info/license").and_then(Value::as_object_mut) {
        license.remove("identifier");
    }
    rewrite(document);
    // Scopes may only be listed for OAuth 2 and OpenID Connect in 3.0.
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
            // JSON Schema has a list of examples, 3.0 has one. (Media types and parameters use a map, which stays.)
            if let Some(Value::Array(examples)) = object.get_mut("examples") {
                let first = if examples.is_empty() { Value::Null } else { examples.remove(0) };
                object.remove("examples");
                object.insert("example".into(), first);
            }
            // Beside a reference nothing else is read in 3.0.
            if object.len() > 1
                && object.get("$ref").is_some_and(Value::is_string)
                && let Some(reference) = object.remove("$ref")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
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
    fn the_3_0_document_has_nothing_of_3_1() {
        let document: Value = serde_json::from_str(&document_3_0()).expect("JSON");
        assert_eq!(document["openapi"], "3.0.3");
        let text = document.to_string();
        for newer in ["\"examples\":[", "\"const\"", "\"type\":[", "\"identifier\"", "\"$defs\"", "\"prefixItems\""] {
            assert!(!text.contains(newer), "{newer}");
        }
    }

    #[test]
    fn every_schema_and_property_is_described() {
        let document: Value = serde_json::from_str(&document_3_1()).expect("JSON");
        let described = |schema: &Value| schema["description"].as_str().is_some_and(|text| text.len() > 3);
        for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
            assert!(described(schema), "{name}");
            for (property, schema) in schema["properties"].as_object().expect("properties") {
                assert!(property.bytes().all(|b| b.is_ascii_alphanumeric()), "{name}.{property}");
                assert!(described(schema), "{name}.{property}");
            }
        }
    }

    #[test]
    fn operations_are_complete() {
        let document: Value = serde_json::from_str(&document_3_1()).expect("JSON");
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("an object") {
                for needed in ["operationId", "summary", "description", "tags", "responses"] {
                    assert!(operation.get(needed).is_some(), "{method} {path}: {needed}");
                }
                if path.starts_with("/v1/") {
                    let scope = operation.pointer("/security/0/bearer/0").is_some();
                    assert_eq!(scope, !["/v1/lrs/status", "/v1/organisation"].contains(&path.as_str()), "{method} {path}: scope");
                    assert!(operation.pointer("/responses/503/$ref").is_some(), "{method} {path}: no problems");
                }
            }
        }
    }
}
