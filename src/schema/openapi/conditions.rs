//! Properties that the value of another property makes required: JSON Schema's `if` and `then`.
//!
//! utoipa's schemas have no such keywords. So a schema has its conditions in an extension until the document is JSON: OpenAPI 3.1 gets the
//! keywords, and 3.0, which does not have them, only the descriptions of the properties.

use serde_json::{Map, Value, json};

/// The extension.
pub(super) const REQUIRED_IF: &str = "x-required-if";

/// A text with a character that is not white space. Anchored, because some languages match a pattern with the whole text.
pub const NOT_BLANK: &str = r"^[\s\S]*\S[\s\S]*$";

/// The value of another property that makes a property required.
pub(super) struct Condition {
    pub property: &'static str,
    pub other: &'static str,
    pub value: String,
}

impl Condition {
    /// Returns the condition as the extension has it: a schema with `if` and `then`.
    pub(super) fn to_json(&self) -> Value {
        let Self { property, other, value } = self;
        json!({
            "if": {"properties": {*other: {"const": value}}, "required": [other]},
            "then": {"properties": {*property: {"pattern": NOT_BLANK}}, "required": [property]},
        })
    }
}

/// Replaces the extension in all schemas of a document by the keywords of JSON Schema.
pub fn expand_conditions(node: &mut Value) {
    for_each_extension(node, &|schema, mut conditions| {
        if let [Value::Object(condition)] = &mut conditions[..] {
            schema.append(condition);
        } else {
            schema.insert("allOf".into(), conditions.into());
        }
    });
}

/// Removes the extension from all schemas of a document.
pub fn remove_conditions(node: &mut Value) {
    for_each_extension(node, &|_, _| ());
}

fn for_each_extension(node: &mut Value, replace: &impl Fn(&mut Map<String, Value>, Vec<Value>)) {
    match node {
        Value::Array(items) => items.iter_mut().for_each(|item| for_each_extension(item, replace)),
        Value::Object(object) => {
            if let Some(Value::Array(conditions)) = object.shift_remove(REQUIRED_IF) {
                replace(object, conditions);
            }
            object.values_mut().for_each(|child| for_each_extension(child, replace));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_become_keywords_of_json_schema_or_are_removed() {
        let condition = |property| Condition { property, other: "kind", value: "OTHER".to_owned() }.to_json();
        let document =
            json!({"a": {"type": "object", REQUIRED_IF: [condition("one")]}, "b": [{REQUIRED_IF: [condition("one"), condition("two")]}]});
        let mut expanded = document.clone();
        expand_conditions(&mut expanded);
        assert_eq!(expanded["a"]["if"], json!({"properties": {"kind": {"const": "OTHER"}}, "required": ["kind"]}));
        assert_eq!(expanded["a"]["then"]["required"], json!(["one"]));
        assert_eq!(expanded["b"][0]["allOf"], json!([condition("one"), condition("two")]));
        let mut removed = document;
        remove_conditions(&mut removed);
        assert_eq!(removed, json!({"a": {"type": "object"}, "b": [{}]}));
    }
}
