//! Types of the OpenAPI document in words.

use serde_json::Value;

use super::api_document::{ApiDocument, text};
use super::markup::{anchor, code};
use crate::server::docs::markdown::slug;
use crate::server::docs::page::escape;

/// Longest pattern that helps a reader. The description of a field says in words what a longer one means.
const MAX_PATTERN_LENGTH: usize = 40;
/// A text with a character that is not white space.
const NOT_BLANK: &str = r"^[\s\S]*\S[\s\S]*$";

/// Returns the type of a schema as HTML. `enumerations` is the address of the page of enumerations.
pub fn type_in_words(api: ApiDocument<'_>, schema: &Value, enumerations: &str) -> String {
    let resolved = api.resolve(schema);
    if is_enumeration(resolved) {
        let name = text(&schema["$ref"]).rsplit('/').next().unwrap_or_default();
        return format!("a word of {}", anchor(&format!("{enumerations}#{}", slug(name)), &escape(name)));
    }
    let bounds = |minimum: &str, maximum: &str, unit: &str| bounds(&resolved[minimum], &resolved[maximum], unit);
    match text(&resolved["type"]) {
        "string" => join([string_type(resolved).to_owned(), bounds("minLength", "maxLength", " characters"), pattern(resolved)]),
        "integer" => join(["integer".to_owned(), bounds("minimum", "maximum", ""), default(resolved)]),
        "number" => join(["number".to_owned(), bounds("minimum", "maximum", ""), default(resolved)]),
        "boolean" => join(["true or false".to_owned(), String::new(), default(resolved)]),
        "array" => {
            let of = match text(&api.resolve(&resolved["items"])["type"]) {
                "object" => "list of objects".to_owned(),
                _ => format!("list: each is {}", type_in_words(api, &resolved["items"], enumerations)),
            };
            join([of, bounds("minItems", "maxItems", " items"), String::new()])
        }
        "object" if resolved["properties"].is_object() => "object".to_owned(),
        "object" => "object with any names".to_owned(),
        _ => "any".to_owned(),
    }
}

/// Returns `true` for a schema that lists its words.
pub fn is_enumeration(schema: &Value) -> bool {
    schema["enum"].is_array() || schema["x-extensible-enum"].is_array()
}

fn join(parts: [String; 3]) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

fn string_type(schema: &Value) -> &'static str {
    match text(&schema["format"]) {
        "date" => "date, <code>YYYY-MM-DD</code>",
        "date-time" => "time, RFC 3339",
        "uri" | "uri-reference" => "address",
        _ => "text",
    }
}

fn bounds(minimum: &Value, maximum: &Value, unit: &str) -> String {
    match (minimum.as_i64(), maximum.as_i64()) {
        (None, None) => String::new(),
        (Some(minimum), None) => format!("at least {}", counted(minimum, unit)),
        (None, Some(maximum)) => format!("up to {}", counted(maximum, unit)),
        (Some(minimum), Some(maximum)) if minimum == maximum => counted(minimum, unit),
        (Some(minimum), Some(maximum)) => format!("{minimum} to {}", counted(maximum, unit)),
    }
}

fn counted(number: i64, unit: &str) -> String {
    format!("{number}{}", if number == 1 { unit.trim_end_matches('s') } else { unit })
}

fn pattern(schema: &Value) -> String {
    match text(&schema["pattern"]) {
        "" => String::new(),
        NOT_BLANK => "not blank".to_owned(),
        pattern if pattern.len() > MAX_PATTERN_LENGTH => String::new(),
        pattern => format!("pattern {}", code(pattern)),
    }
}

fn default(schema: &Value) -> String {
    schema.get("default").map_or_else(String::new, |value| format!("default {}", code(&value.to_string())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_words_with_their_bounds() {
        let document = json!({"components": {"schemas": {
            "Kind": {"type": "string", "enum": ["A"]},
            "Item": {"type": "object", "properties": {}},
        }}});
        let kind = json!({"$ref": "#/components/schemas/Kind"});
        for (schema, words) in [
            (json!({"type": "string", "minLength": 1, "maxLength": 35, "pattern": NOT_BLANK}), "text, 1 to 35 characters, not blank"),
            (json!({"type": "string", "maxLength": 9, "pattern": "a".repeat(41)}), "text, up to 9 characters"),
            (json!({"type": "string", "minLength": 10, "maxLength": 10, "pattern": "<"}), "text, 10 characters, pattern <code>&lt;</code>"),
            (json!({"type": "string", "format": "date"}), "date, <code>YYYY-MM-DD</code>"),
            (json!({"type": "integer", "minimum": 1, "default": 20}), "integer, at least 1, default <code>20</code>"),
            (kind.clone(), "a word of <a href=\"e#kind\">Kind</a>"),
            (
                json!({"type": "array", "items": kind, "minItems": 1}),
                "list: each is a word of <a href=\"e#kind\">Kind</a>, at least 1 item",
            ),
            (json!({"type": "array", "items": {"$ref": "#/components/schemas/Item"}}), "list of objects"),
        ] {
            assert_eq!(type_in_words(ApiDocument(&document), &schema, "e"), words);
        }
    }
}
