//! The part of JSON Schema (draft 2020-12) that the OpenAPI document uses: enough to hold a value against a schema.

use regex::bytes::{Regex, RegexBuilder};
use serde_json::{Map, Value};

/// Compiles a pattern as RE2 does: without lookaround and references. Letters of other alphabets are bytes that no class of ASCII matches.
pub fn regex(pattern: &str) -> Regex {
    let built = RegexBuilder::new(pattern).unicode(false).build();
    built.unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

/// Returns `true` if the value satisfies the schema of a document.
///
/// # Panics
/// Panics if the schema has a keyword that this function does not know.
pub fn is_valid(document: &Value, schema: &Value, value: &Value) -> bool {
    let keywords = schema.as_object().expect("a schema is an object");
    keywords.iter().all(|(keyword, expected)| satisfies(document, keywords, (keyword, expected), value))
}

fn satisfies(document: &Value, schema: &Map<String, Value>, (keyword, expected): (&str, &Value), value: &Value) -> bool {
    let holds = |schema: &Value| is_valid(document, schema, value);
    match keyword {
        "description" | "examples" | "x-extensible-enum" | "then" => true,
        "$ref" => holds(document.pointer(expected.as_str().expect("a text").trim_start_matches('#')).expect("a component")),
        "type" => has_type(expected.as_str().expect("one type"), value),
        "enum" => expected.as_array().expect("a list").contains(value),
        "const" => expected == value,
        "allOf" => expected.as_array().expect("a list").iter().all(holds),
        "if" => !holds(expected) || holds(&schema["then"]),
        // The format of a number is a hint for generators. The bounds are keywords of their own.
        "format" => value.as_str().is_none_or(|text| has_format(expected.as_str().expect("a text"), text)),
        "pattern" => value.as_str().is_none_or(|text| regex(expected.as_str().expect("a text")).is_match(text.as_bytes())),
        "minLength" => value.as_str().is_none_or(|text| text.chars().count() >= number(expected)),
        "maxLength" => value.as_str().is_none_or(|text| text.chars().count() <= number(expected)),
        "minimum" => value.as_i64().is_none_or(|number| number >= expected.as_i64().expect("a number")),
        "maximum" => value.as_i64().is_none_or(|number| number <= expected.as_i64().expect("a number")),
        "minItems" => value.as_array().is_none_or(|items| items.len() >= number(expected)),
        "maxItems" => value.as_array().is_none_or(|items| items.len() <= number(expected)),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| is_valid(document, expected, item))),
        "required" => value.as_object().is_none_or(|object| {
            let names = expected.as_array().expect("a list").iter();
            names.map(|name| name.as_str().expect("a name")).all(|name| object.contains_key(name))
        }),
        "properties" => value.as_object().is_none_or(|object| {
            let properties = expected.as_object().expect("an object").iter();
            let present = properties.filter_map(|(name, schema)| Some((schema, object.get(name)?)));
            present.into_iter().all(|(schema, value)| is_valid(document, schema, value))
        }),
        "additionalProperties" => value.as_object().is_none_or(|object| {
            let declared = schema.get("properties").and_then(Value::as_object);
            let mut others = object.iter().filter(|(name, _)| declared.is_none_or(|declared| !declared.contains_key(*name)));
            match expected {
                Value::Bool(is_allowed) => *is_allowed || others.next().is_none(),
                schema => others.all(|(_, value)| is_valid(document, schema, value)),
            }
        }),
        other => panic!("a schema has the keyword {other}, which the tests do not know"),
    }
}

fn number(value: &Value) -> usize {
    value.as_u64().and_then(|number| number.try_into().ok()).expect("a length")
}

fn has_type(name: &str, value: &Value) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type of the document"),
    }
}

fn has_format(name: &str, text: &str) -> bool {
    match name {
        "date" => text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        other => panic!("{other} is no format of the document"),
    }
}
