//! The fields of a body as a table: nested fields have the path to them.

use std::fmt::Write as _;

use serde_json::Value;

use super::api_document::{ApiDocument, entries, text};
use super::markup::{code, table};
use super::types::type_in_words;
use crate::server::docs::markdown::prose;

/// Deepest nesting that is listed. The records of the API have at most four levels.
const MAX_DEPTH: usize = 8;

/// A field, with the path to it from the body: `learner.givenName`, `learners[].uln`.
struct Field<'d> {
    path: String,
    schema: &'d Value,
    requirement: Requirement<'d>,
}

/// Whether a body must have a field.
enum Requirement<'d> {
    Always,
    /// If another field of the same object has this value.
    If(&'d str, &'d Value),
    Never,
}

/// Returns the table of the fields of a body: empty if the body has no fields.
pub fn table_of_fields(api: ApiDocument<'_>, schema: &Value, label: &str, enumerations: &str) -> String {
    let mut fields = Vec::new();
    collect(api, schema, "", 0, &mut fields);
    if fields.is_empty() {
        return String::new();
    }
    let rows = fields.iter().map(|field| {
        let meaning = text(&field.schema["description"]);
        let meaning = if meaning.is_empty() { text(&api.resolve(field.schema)["description"]) } else { meaning };
        let name = format!("{}{}", breakable(&field.path), requirement(&field.requirement));
        [name, format!("<p class=\"type\">{}</p>\n{}", type_in_words(api, field.schema, enumerations), prose(meaning))]
    });
    table(label, ["Field", "Type and meaning"], rows)
}

/// Collects the fields of an object, or of the objects in a list, in depth.
fn collect<'d>(api: ApiDocument<'d>, schema: &'d Value, prefix: &str, depth: usize, fields: &mut Vec<Field<'d>>) {
    let schema = api.resolve(schema);
    let is_required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|required| required == name));
    for (name, property) in entries(&schema["properties"]).filter(|_| depth < MAX_DEPTH) {
        let requirement = match condition(schema, name) {
            _ if is_required(name) => Requirement::Always,
            Some((other, value)) => Requirement::If(other, value),
            None => Requirement::Never,
        };
        let path = format!("{prefix}{name}");
        let resolved = api.resolve(property);
        fields.push(Field { path: path.clone(), schema: property, requirement });
        collect(api, property, &format!("{path}."), depth + 1, fields);
        collect(api, &resolved["items"], &format!("{path}[]."), depth + 1, fields);
    }
}

/// Returns the other field, and its value, that make a field required.
fn condition<'d>(schema: &'d Value, name: &str) -> Option<(&'d str, &'d Value)> {
    let conditions = std::iter::once(schema).chain(schema["allOf"].as_array().into_iter().flatten());
    let mut of_field =
        conditions.filter(|node| node["then"]["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name)));
    let (other, value) = entries(&of_field.next()?["if"]["properties"]).next()?;
    Some((other, &value["const"]))
}

fn requirement(requirement: &Requirement<'_>) -> String {
    match requirement {
        Requirement::Always => " <span class=\"required\">required</span>".to_owned(),
        Requirement::If(other, value) => {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!(" <span class=\"required\">required if {} is {}</span>", code(other), code(&value))
        }
        Requirement::Never => " <span class=\"optional\">optional</span>".to_owned(),
    }
}

/// Returns a path as code that can break after each step. The last step stands out.
fn breakable(path: &str) -> String {
    let mut html = String::from("<code>");
    let (parents, name) = path.rsplit_once('.').map_or(("", path), |(parents, name)| (parents, name));
    for parent in parents.split('.').filter(|parent| !parent.is_empty()) {
        // The writer is a string: it cannot fail. Names of fields have letters, digits and brackets only.
        let _ = write!(html, "<span class=\"parent\">{parent}.</span><wbr>");
    }
    html + name + "</code>"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nested_fields_have_their_path_and_their_conditions() {
        let document = json!({"components": {"schemas": {"Learner": {
            "type": "object",
            "required": ["kind"],
            "properties": {"kind": {"type": "string", "description": "A <kind>."}, "other": {"type": "string"}},
            "if": {"properties": {"kind": {"const": "OTHER"}}},
            "then": {"required": ["other"]},
        }}}});
        let list =
            json!({"type": "object", "properties": {"learners": {"type": "array", "items": {"$ref": "#/components/schemas/Learner"}}}});
        let html = table_of_fields(ApiDocument(&document), &list, "Fields", "e");
        assert!(html.contains("<code>learners</code> <span class=\"optional\">optional</span>"), "{html}");
        assert!(html.contains("learners[].</span><wbr>kind</code> <span class=\"required\">required</span>"), "{html}");
        assert!(html.contains("required if <code>kind</code> is <code>OTHER</code>") && html.contains("A &lt;kind&gt;."), "{html}");
    }
}
