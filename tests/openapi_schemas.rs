//! The schemas of the OpenAPI document, as client generators in many languages read them.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use lrs_gateway::domain::{LearnerRegistration, LearnerUpdate, VerificationType};
use lrs_gateway::schema::deserialize::from_json;
use lrs_gateway::schema::{CodeList as _, CodeTable};
use lrs_gateway::server::openapi::document_3_0;
use serde_json::{Map, Value, json};

use crate::support::fields::{DOCUMENT, component, full_learner};
use crate::support::schema::{is_valid, regex};

/// Properties of one record that mean the same, so that one example fits both.
const SAME_MEANING: [(&str, &str); 5] = [
    ("searchedUln", "uln"),
    ("searchedFamilyName", "familyName"),
    ("searchedGivenName", "givenName"),
    ("searchedDateOfBirth", "dateOfBirth"),
    ("incomingUln", "foundUln"),
];

/// Names that are reserved, or that hide a member which every object has, in C#, Java, Kotlin, TypeScript, Python, Go, PHP, Ruby or Rust.
const RESERVED: &str = "abstract and any array as assert async await base bool boolean break byte case catch char checked class clone const \
    constructor continue copy crate decimal declare def default defer del delegate delete dict display do double dyn echo elif else empty end \
    ensure enum equals eval event except explicit export extends extern fallthrough false final finalize finally fixed float fn for foreach \
    freeze from fun func function getClass getHashCode getType global go goto hash hashCode if impl implements implicit import in include \
    initialize instanceof int interface internal is isset itself json lambda let list lock long loop match memberwiseClone method methods mod \
    module move mut namespace native new next nil none nonlocal not notify notifyAll null object objectId operator or out override package \
    params pass private protected prototype pub public raise range readonly redo ref require rescue retry return sbyte schema sealed select self \
    send short sizeof stackalloc static string struct super switch synchronized tap test then this throw throws toString trait transient true \
    try type typeof uint ulong unchecked undef union unless unsafe unset until unused use ushort using val validate valueOf var virtual void \
    volatile wait when where while with xor yield";

/// Reserved names that stay: every generator writes them in another way, such as `_next` in Ruby.
const RESERVED_BUT_USED: [(&str, &str); 7] = [
    // RFC 9457.
    ("Problem", "type"),
    // The name in LRS's message.
    ("AchievementJob", "type"),
    // Reserved in Ruby only.
    ("AchievementBatchResultPage", "next"),
    ("BatchList", "next"),
    ("LrsServiceStatus", "until"),
    ("RegistrationBatchResultPage", "next"),
    ("VerificationBatchResultPage", "next"),
];

fn schemas() -> &'static Map<String, Value> {
    DOCUMENT["components"]["schemas"].as_object().expect("schemas")
}

/// Every property of every schema, with both names.
fn properties() -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    let of_schema = |schema: &'static Value| schema["properties"].as_object().into_iter().flatten();
    schemas().iter().flat_map(move |(name, schema)| of_schema(schema).map(|(property, schema)| (name.as_str(), property.as_str(), schema)))
}

/// Every object in a document.
fn objects(node: &Value) -> Vec<&Map<String, Value>> {
    match node {
        Value::Array(items) => items.iter().flat_map(objects).collect(),
        Value::Object(object) => iter::once(object).chain(object.values().flat_map(objects)).collect(),
        _ => Vec::new(),
    }
}

/// The components that a part of the document refers to, directly or through other components.
fn reachable(part: &'static Value) -> BTreeMap<&'static str, &'static Value> {
    let mut open = vec![part];
    let mut found = BTreeMap::new();
    while let Some(node) = open.pop() {
        for reference in objects(node).into_iter().filter_map(|object| object.get("$ref")?.as_str()) {
            let component = DOCUMENT.pointer(reference.trim_start_matches('#')).expect("a component");
            if found.insert(reference, component).is_none() {
                open.push(component);
            }
        }
    }
    found
}

/// A part of every operation.
fn parts(name: &'static str) -> impl Iterator<Item = &'static Value> {
    let paths = DOCUMENT["paths"].as_object().expect("paths").values();
    paths.flat_map(|path| path.as_object().expect("an object").values()).map(move |operation| &operation[name])
}

#[test]
fn pattern_stands_beside_no_format() {
    let old: Value = serde_json::from_str(&document_3_0()).expect("JSON");
    for document in [&DOCUMENT, &old] {
        let patterns: Vec<_> = objects(document).into_iter().filter(|object| object.contains_key("pattern")).collect();
        assert!(patterns.len() > 20);
        for schema in patterns {
            assert!(!schema.contains_key("format"), "{schema:?}");
        }
    }
}

#[test]
fn pattern_means_the_same_in_every_language() {
    for schema in objects(&DOCUMENT) {
        let Some(pattern) = schema.get("pattern").and_then(Value::as_str) else { continue };
        // Some languages match the whole text with a pattern, and others search for it.
        assert!(pattern.starts_with('^') && pattern.ends_with('$'), "{pattern} is not anchored");
        // The classes other than \s differ in what they match outside ASCII, and RE2 has no lookaround.
        for different in ["\\d", "\\w", "\\b", "\\p", "\\h", "(?", "&&", "[["] {
            assert!(!pattern.contains(different), "{pattern} has {different}");
        }
        assert!(!pattern.contains(['.']) || pattern.matches('.').count() == pattern.matches("\\.").count(), "{pattern} has a dot");
        drop(regex(pattern));
    }
}

#[test]
fn properties_have_valid_examples() {
    for (schema, property, described) in properties() {
        let example = &described["examples"][0];
        if described["$ref"].is_string() || described["items"]["$ref"].is_string() {
            assert!(example.is_null(), "{schema}.{property}: the component has the example");
        } else {
            assert!(!example.is_null() && *example != "", "{schema}.{property} has no example");
            assert!(is_valid(&DOCUMENT, described, example), "{schema}.{property}: {example}");
        }
    }
    for (name, schema) in schemas().iter().filter(|(_, schema)| schema["type"] != "object") {
        let example = &schema["examples"][0];
        let words = if schema["enum"].is_array() { &schema["enum"] } else { &schema["x-extensible-enum"] };
        assert!(words.as_array().expect("words").contains(example), "{name}: {example}");
    }
}

#[test]
fn examples_of_one_record_differ_if_the_properties_mean_different_things() {
    let mut examples = BTreeMap::new();
    for (schema, property, described) in properties() {
        let Some(example) = described["examples"][0].as_str() else { continue };
        let other = examples.entry((schema, example)).or_insert(property);
        let is_same = |(one, another): &(&str, &str)| [*one, *another] == [*other, property] || [*another, *one] == [*other, property];
        assert!(*other == property || SAME_MEANING.iter().any(is_same), "{schema}: {other} and {property} have the example {example}");
    }
}

#[test]
fn examples_of_a_record_are_a_valid_request() {
    let closed = schemas().iter().filter(|(_, schema)| schema["additionalProperties"] == json!(false));
    let mut count = 0;
    for (name, schema) in closed {
        let example = record(schema);
        assert!(is_valid(&DOCUMENT, schema, &example), "{name}: {example}");
        count += 1;
    }
    assert!(count >= 10, "{count} requests");
}

/// The record of the examples of all properties.
fn record(schema: &Value) -> Value {
    let referred = schema["$ref"].as_str().map(|name| DOCUMENT.pointer(name.trim_start_matches('#')).expect("a component"));
    if let Some(component) = referred {
        return record(component);
    }
    if let Some(properties) = schema["properties"].as_object() {
        return properties.iter().map(|(name, property)| (name.clone(), record(property))).collect::<Map<_, _>>().into();
    }
    if schema["items"]["$ref"].is_string() { json!([record(&schema["items"])]) } else { schema["examples"][0].clone() }
}

#[test]
fn description_required_with_other_proof_by_the_schema_is_required_by_the_gateway() {
    let conditional = schemas().iter().filter(|(_, schema)| !schema["if"].is_null() || !schema["allOf"].is_null());
    assert_eq!(conditional.map(|(name, _)| name).collect::<Vec<_>>(), ["LearnerDetails", "UpdatedLearner"], "a new condition needs a test");
    let CodeTable { entries, .. } = VerificationType::TABLE;
    let types = entries.iter().map(|entry| json!(entry.word)).chain([Value::Null, json!("UNKNOWN")]);
    let descriptions = [Value::Null, json!(""), json!(" \t\n"), json!("Student card"), json!("\u{2003}x "), json!("x".repeat(256))];
    let mut accepted = 0;
    for (verification_type, description) in types.flat_map(|word| descriptions.clone().map(|description| (word.clone(), description))) {
        let mut learner = full_learner();
        for (field, value) in [("verificationType", &verification_type), ("otherVerificationDescription", &description)] {
            learner[field] = value.clone();
        }
        learner.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        let is_valid = |name| is_valid(&DOCUMENT, component(name), &learner);
        let registration = json!({ "learner": learner });
        let is_accepted = from_json::<LearnerRegistration>(registration.to_string().as_bytes()).is_ok();
        assert_eq!(is_valid("LearnerDetails"), is_accepted, "{verification_type} {description}");
        let update = json!({ "uln": "3000000126", "versionNumber": 3, "learner": learner });
        let is_accepted_as_update = from_json::<LearnerUpdate>(update.to_string().as_bytes()).is_ok();
        assert_eq!((is_valid("UpdatedLearner"), is_accepted_as_update), (is_accepted, is_accepted), "{verification_type} {description}");
        accepted += usize::from(is_accepted);
    }
    assert_eq!(accepted, 8 * 5 + 2, "eight other proofs with every description that is not too long, and two descriptions with OTHER");
    for text in [DOCUMENT.to_string(), document_3_0()] {
        assert!(text.contains("Required, and not blank, if `verificationType` is `OTHER`."));
        assert!(!text.contains("x-required-if"));
    }
    assert!(objects(&serde_json::from_str(&document_3_0()).expect("JSON")).iter().all(|object| !object.contains_key("then")));
}

#[test]
fn requests_have_no_other_properties_and_answers_may_have() {
    let components: Vec<_> = parts("requestBody").flat_map(reachable).filter(|(_, schema)| schema["type"] == "object").collect();
    assert!(components.len() > 10);
    for (name, schema) in components {
        assert_eq!(schema["additionalProperties"], json!(false), "{name}");
    }
    let components: Vec<_> = parts("responses").flat_map(reachable).filter(|(_, schema)| schema["type"] == "object").collect();
    assert!(components.len() > 20);
    for (name, schema) in components {
        assert!(schema["additionalProperties"].is_null(), "{name}");
    }
}

#[test]
fn property_name_is_reserved_in_no_language() {
    let reserved: Vec<_> = RESERVED.split_whitespace().collect();
    let used: Vec<_> = properties().map(|(schema, property, _)| (schema, property)).filter(|(_, name)| reserved.contains(name)).collect();
    assert_eq!(used.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(RESERVED_BUT_USED));
    for (schema, property, _) in properties() {
        // In C#, a member cannot have the name of its class.
        assert!(!schema.eq_ignore_ascii_case(property), "{schema}.{property}");
    }
}

#[test]
fn integer_has_fitting_bounds() {
    let (mut long, mut count) = (Vec::new(), 0);
    for (schema, property, described) in properties() {
        let number = if described["type"] == "array" { &described["items"] } else { described };
        if number["type"] != "integer" {
            continue;
        }
        count += 1;
        match number["format"].as_str() {
            Some("int32") => assert!(number["minimum"].is_i64(), "{schema}.{property} has no minimum"),
            _ => long.push((schema, property)),
        }
    }
    assert!(count > 30, "{count} integers");
    // LRS declares it so. A number that is a safe integer in JavaScript, in practice.
    assert_eq!(long, [("LearningEvent", "credits")]);
}

#[test]
fn description_has_line_breaks_only_between_paragraphs_and_items() {
    let old: Value = serde_json::from_str(&document_3_0()).expect("JSON");
    for document in [&DOCUMENT, &old] {
        let texts: Vec<_> = objects(document).into_iter().filter_map(|object| object.get("description")?.as_str()).collect();
        assert!(texts.len() > 500, "{} descriptions", texts.len());
        for text in texts {
            for paragraph in text.split("\n\n") {
                let is_item = |line: &str| line.starts_with("* ") || line.starts_with(|digit: char| digit.is_ascii_digit());
                assert!(paragraph.lines().all(is_item) || !paragraph.contains('\n'), "{text}");
            }
        }
    }
}

#[test]
fn description_of_a_property_does_not_repeat_the_words_of_its_list() {
    for (schema, property, described) in properties() {
        let Some(reference) = described["$ref"].as_str() else { continue };
        let component = DOCUMENT.pointer(reference.trim_start_matches('#')).expect("a component");
        let words = [&component["enum"], &component["x-extensible-enum"]].into_iter().filter_map(Value::as_array).flatten();
        let text = described["description"].as_str().expect("a description");
        let repeated: Vec<_> = words.filter_map(Value::as_str).filter(|word| text.contains(&format!("`{word}`"))).collect();
        assert!(repeated.len() <= 3, "{schema}.{property}: {repeated:?}");
    }
}
