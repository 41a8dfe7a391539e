//! Validation of JSON against the schemas of the OpenAPI document: the keywords that the document uses, and no others.

use regex::bytes::{Regex, RegexBuilder};
use serde_json::{Map, Value};

/// Keywords that describe and do not restrict.
const ANNOTATIONS: &[&str] = &["description", "title", "default", "example", "examples", "deprecated", "readOnly", "writeOnly"];

/// Compiles a pattern as RE2 does: without lookaround and references. Letters of other alphabets are bytes that no class of ASCII matches.
pub fn regex(pattern: &str) -> Regex {
    let built = RegexBuilder::new(pattern).unicode(false).build();
    built.unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

/// Returns what is wrong with a value, each with its place.
pub fn violations(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(document, schema, value, "", &mut found);
    found
}

/// Returns `true` if the value satisfies the schema of a document.
pub fn is_valid(document: &Value, schema: &Value, value: &Value) -> bool {
    violations(document, schema, value).is_empty()
}

fn check(document: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let keywords = match schema {
        Value::Bool(true) => return,
        Value::Bool(false) => return found.push(format!("{place}: is not allowed")),
        schema => schema.as_object().expect("a schema is an object"),
    };
    for (keyword, expected) in keywords {
        if !check_keyword(document, keywords, (keyword, expected), value, place, found) {
            found.push(format!("{place}: {value} violates {keyword} {expected}"));
        }
    }
}

/// Returns `false` if the value violates the keyword. Violations inside the value are added to `found`.
fn check_keyword(
    document: &Value,
    schema: &Map<String, Value>,
    (keyword, expected): (&str, &Value),
    value: &Value,
    place: &str,
    found: &mut Vec<String>,
) -> bool {
    let schemas = || expected.as_array().expect("a list of schemas").iter();
    let names = || expected.as_array().expect("a list of names").iter().filter_map(Value::as_str);
    match keyword {
        "$ref" => {
            let reference = expected.as_str().expect("a reference is a text").trim_start_matches('#');
            check(document, document.pointer(reference).expect("the reference resolves"), value, place, found);
            true
        }
        "type" => has_type(expected, value),
        "enum" => expected.as_array().is_some_and(|words| words.contains(value)),
        "const" => expected == value,
        "required" => value.as_object().is_none_or(|object| names().all(|name| object.contains_key(name))),
        "properties" => {
            for (name, property) in expected.as_object().expect("properties") {
                if let Some(value) = value.get(name) {
                    check(document, property, value, &format!("{place}/{name}"), found);
                }
            }
            true
        }
        "additionalProperties" => {
            for (name, value) in value
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(name, _)| schema.get("properties").is_none_or(|known| known.get(name.as_str()).is_none()))
            {
                check(document, expected, value, &format!("{place}/{name}"), found);
            }
            true
        }
        "items" => {
            for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                check(document, expected, value, &format!("{place}/{index}"), found);
            }
            true
        }
        "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= number(expected)),
        "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= number(expected)),
        "minLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 >= number(expected)),
        "maxLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 <= number(expected)),
        "minimum" => value.as_f64().is_none_or(|number| number >= expected.as_f64().expect("a number")),
        "maximum" => value.as_f64().is_none_or(|number| number <= expected.as_f64().expect("a number")),
        "pattern" => {
            let pattern = regex(expected.as_str().expect("a pattern is a text"));
            value.as_str().is_none_or(|text| pattern.is_match(text.as_bytes()))
        }
        "format" => value.as_str().is_none_or(|text| has_format(expected.as_str().unwrap_or_default(), text)),
        "allOf" => {
            schemas().for_each(|schema| check(document, schema, value, place, found));
            true
        }
        "anyOf" => schemas().any(|schema| is_valid(document, schema, value)),
        "oneOf" => schemas().filter(|schema| is_valid(document, schema, value)).count() == 1,
        "not" => !is_valid(document, expected, value),
        "if" => {
            let branch = if is_valid(document, expected, value) { "then" } else { "else" };
            if let Some(branch) = schema.get(branch) {
                check(document, branch, value, place, found);
            }
            true
        }
        "dependentRequired" => expected.as_object().expect("an object").iter().all(|(name, others)| {
            value.get(name).is_none()
                || others.as_array().expect("names").iter().filter_map(Value::as_str).all(|other| value.get(other).is_some())
        }),
        "then" | "else" => true,
        annotation => {
            assert!(annotation.starts_with("x-") || ANNOTATIONS.contains(&annotation), "the keyword {annotation} is known");
            true
        }
    }
}

fn number(expected: &Value) -> u64 {
    expected.as_u64().expect("a bound is a number")
}

fn has_type(expected: &Value, value: &Value) -> bool {
    match expected.as_str().expect("a schema has one type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("the type {other} is known"),
    }
}

fn has_format(format: &str, text: &str) -> bool {
    match format {
        "date" => text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        "uuid" => text.len() == 36 && uuid::Uuid::try_parse(text).is_ok(),
        "email" | "int32" | "int64" | "uri" | "uri-reference" => true,
        other => panic!("the format {other} is known"),
    }
}
