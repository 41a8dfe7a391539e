//! Requests with invalid learner fields, to the operations that register, update, obtain, verify and read: the gateway answers with
//! every error, and sends nothing to LRS.

use serde_json::{Value, json};

use crate::support::caller::Answer;
use crate::support::fields::{assert_same_names, component};
use crate::support::gateway::Options;
use crate::support::scripted_lrs::ScriptedLrs;

const REGISTER: &str = "/v1/learners/register";
const UPDATE: &str = "/v1/learners/update";
const OBTAIN: &str = "/v1/learners/obtain-uln";
const VERIFY: &str = "/v1/learners/verify";
const LEARNING_EVENTS: &str = "/v1/learning-events/search";

/// A gateway in front of an LRS that it must not call.
struct UncalledLrs(ScriptedLrs);

impl UncalledLrs {
    fn new() -> Self {
        Self(ScriptedLrs::new(Options::default(), []))
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.0.post_expecting_calls(0, path, body).await
    }

    /// Sends a body and asserts that the problem has this status and these errors, in this order.
    async fn assert_rejected(&self, path: &str, body: &Value, status: u16, errors: &[(&str, &str)]) -> Answer {
        let answer = self.post(path, body).await;
        let errors: Vec<_> = errors.iter().map(|(pointer, code)| ((*pointer).to_owned(), (*code).to_owned())).collect();
        assert_eq!((answer.status, answer.errors()), (status, errors), "{path}: {}", answer.text);
        let problem = answer.json();
        let code = problem["code"].as_str().expect("a code");
        let codes = if status == 422 { &["validation_failed"][..] } else { &["malformed_request", "unknown_field"] };
        assert!(codes.contains(&code) && problem["retryable"] == json!(false), "{problem}");
        assert!(problem["outcomeUnknown"].is_null() && problem["lrs"].is_null(), "{problem}");
        answer
    }
}

fn learner() -> Value {
    json!({
        "givenName": "Taliesin", "familyName": "Pryderi", "dateOfBirth": "2006-01-31", "gender": "MALE", "lastKnownPostCode": "ZZ2 2BB",
        "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE",
    })
}

fn learner_with(field: &str, value: impl Into<Value>) -> Value {
    let mut learner = learner();
    learner[field] = value.into();
    learner
}

/// The path and the body of each operation whose request contains a learner.
fn requests_with(learner: &Value) -> [(&'static str, Value); 3] {
    [
        (REGISTER, json!({"learner": learner})),
        (UPDATE, json!({"uln": "3000000126", "versionNumber": 3, "learner": learner})),
        (OBTAIN, json!({"learner": learner})),
    ]
}

/// The required fields of the requests that verify a learner or read learning events.
fn identity() -> Value {
    json!({"uln": "3000000126", "givenName": "Taliesin", "familyName": "Pryderi"})
}

fn without(mut object: Value, field: &str) -> Value {
    object.as_object_mut().expect("an object").remove(field);
    object
}

fn with(mut object: Value, field: &str, value: Value) -> Value {
    object[field] = value;
    object
}

/// The maximum lengths of the text fields, in characters.
const MAX_LENGTHS: &[(&str, usize)] = &[
    ("title", 35),
    ("givenName", 35),
    ("middleOtherName", 35),
    ("familyName", 35),
    ("preferredGivenName", 35),
    ("previousFamilyName", 35),
    ("familyNameAtAge16", 35),
    ("placeOfBirth", 35),
    ("lastKnownAddressLine1", 50),
    ("lastKnownAddressLine2", 50),
    ("lastKnownAddressTown", 50),
    ("lastKnownAddressCountyOrCity", 50),
    ("schoolAtAge16", 254),
    ("emailAddress", 254),
    ("otherVerificationDescription", 255),
    ("nationality", 3),
    ("notes", 4000),
];

/// A text of this length in characters. Except in an email address, each character has two bytes, so that a length in bytes would differ.
fn text_of(field: &str, length: usize) -> String {
    match field {
        "emailAddress" => format!("{}@mail.example.com", "m".repeat(length - 17)),
        _ => "ŵ".repeat(length),
    }
}

#[test]
fn learner_fields_with_a_maximum_length_are_those_of_the_openapi_document() {
    let properties = component("LearnerDetails")["properties"].as_object().expect("properties");
    // A longer postcode is invalid in another way: it has a wrong format.
    let documented = properties.iter().filter(|(field, schema)| schema["maxLength"].is_u64() && *field != "lastKnownPostCode");
    let mut documented: Vec<String> = documented.map(|(field, schema)| format!("{field}: {}", schema["maxLength"])).collect();
    let mut listed: Vec<String> = MAX_LENGTHS.iter().map(|(field, length)| format!("{field}: {length}")).collect();
    documented.sort_unstable();
    listed.sort_unstable();
    let [documented, listed] = [&documented, &listed].map(|list| list.iter().map(String::as_str).collect::<Vec<_>>());
    assert_same_names(("MAX_LENGTHS in tests/invalid_learner_fields.rs", &listed), ("LearnerDetails", &documented));
}

#[tokio::test]
async fn learner_field_one_character_too_long_returns_too_long() {
    let lrs = UncalledLrs::new();
    for &(field, max_length) in MAX_LENGTHS {
        for (path, body) in requests_with(&learner_with(field, text_of(field, max_length + 1))) {
            lrs.assert_rejected(path, &body, 422, &[(&format!("/learner/{field}"), "too_long")]).await;
        }
    }
}

#[tokio::test]
async fn learner_fields_of_maximum_length_return_no_error() {
    let lrs = UncalledLrs::new();
    let mut longest = learner();
    for &(field, max_length) in MAX_LENGTHS {
        longest[field] = json!(text_of(field, max_length));
    }
    // One invalid field keeps the request from LRS. The answer lists every error, so the other fields have none.
    for (path, body) in requests_with(&with(longest, "gender", json!("M"))) {
        lrs.assert_rejected(path, &body, 422, &[("/learner/gender", "unknown_value")]).await;
    }
}

#[tokio::test]
async fn learner_field_with_invalid_value_returns_validation_failed() {
    let lrs = UncalledLrs::new();
    for (field, value, code) in [
        ("givenName", "", "blank"),
        ("givenName", "\u{a0}\t", "blank"),
        ("familyName", " ", "blank"),
        ("title", "\u{1}", "invalid_character"),
        ("familyName", "Pry\0deri", "invalid_character"),
        ("lastKnownAddressTown", "\u{1b}[0m", "invalid_character"),
        ("schoolAtAge16", "\u{ffff}", "invalid_character"),
        ("notes", "tab\tand\u{b}not", "invalid_character"),
        ("dateOfBirth", "2005-02-29", "not_a_date"),
        ("dateOfBirth", "1799-12-31", "out_of_range"),
        ("dateOfBirth", "2100-01-01", "out_of_range"),
        ("dateOfBirth", "31/01/2006", "invalid_format"),
        ("dateOfBirth", "2006-01-31T00:00:00Z", "invalid_format"),
        ("dateOfBirth", "", "invalid_format"),
        ("dateOfAddressCapture", "2023-04-31", "not_a_date"),
        ("dateOfAddressCapture", "yesterday", "invalid_format"),
        ("lastKnownPostCode", "D02 X285", "invalid_format"),
        ("lastKnownPostCode", "ZZ2 2BV", "invalid_format"),
        ("lastKnownPostCode", "", "invalid_format"),
        ("gender", "1", "unknown_value"),
        ("gender", "male", "unknown_value"),
        ("verificationType", "8", "unknown_value"),
        ("verificationType", "BIRTH_CERTIFICATE", "unknown_value"),
        ("verificationType", "", "unknown_value"),
        ("abilityToShare", "YES", "unknown_value"),
        ("abilityToShare", "", "unknown_value"),
        ("emailAddress", "taliesin", "invalid_format"),
        ("emailAddress", "t&p@mail.example.com", "invalid_format"),
        ("emailAddress", "t@mail.x.com", "invalid_format"),
        ("emailAddress", "t@mail.travelling", "invalid_format"),
        ("scottishCandidateNumber", "12345678", "invalid_format"),
        ("scottishCandidateNumber", "1234567890", "invalid_format"),
        ("scottishCandidateNumber", "12345678X", "invalid_format"),
        ("scottishCandidateNumber", "123 456 7", "invalid_format"),
    ] {
        for (path, body) in requests_with(&learner_with(field, value)) {
            let answer = lrs.assert_rejected(path, &body, 422, &[(&format!("/learner/{field}"), code)]).await;
            assert!(value.len() < 8 || !answer.text.contains(value), "the problem must not repeat the value: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn learner_without_required_fields_returns_required() {
    let lrs = UncalledLrs::new();
    let required = ["givenName", "familyName", "lastKnownPostCode", "dateOfBirth", "gender", "verificationType", "abilityToShare"];
    for field in required {
        for (path, body) in requests_with(&without(learner(), field)) {
            lrs.assert_rejected(path, &body, 422, &[(&format!("/learner/{field}"), "required")]).await;
        }
    }
    let pointers = required.map(|field| format!("/learner/{field}"));
    let errors: Vec<_> = pointers.iter().map(|pointer| (pointer.as_str(), "required")).collect();
    for (path, body) in requests_with(&json!({})) {
        lrs.assert_rejected(path, &body, 422, &errors).await;
    }
}

const MISSING_DESCRIPTION: (&str, &str) = ("/learner/otherVerificationDescription", "required");

#[tokio::test]
async fn verification_type_other_without_description_returns_required() {
    let lrs = UncalledLrs::new();
    let other = learner_with("verificationType", "OTHER");
    for learner in [
        other.clone(),
        with(other.clone(), "otherVerificationDescription", json!("")),
        with(other, "otherVerificationDescription", json!(" \t\u{a0}")),
    ] {
        for (path, body) in requests_with(&learner) {
            lrs.assert_rejected(path, &body, 422, &[MISSING_DESCRIPTION]).await;
        }
        let with_other_errors = without(with(learner, "gender", json!("X")), "givenName");
        let expected = [("/learner/gender", "unknown_value"), ("/learner/givenName", "required"), MISSING_DESCRIPTION];
        for (path, body) in requests_with(&with_other_errors) {
            lrs.assert_rejected(path, &body, 422, &expected).await;
        }
    }
}

#[tokio::test]
async fn verification_type_other_with_invalid_description_returns_error_of_description_only() {
    let lrs = UncalledLrs::new();
    let other = learner_with("verificationType", "OTHER");
    let too_long = with(other.clone(), "otherVerificationDescription", json!("x".repeat(256)));
    let null = with(other, "otherVerificationDescription", Value::Null);
    for ((path, too_long), (_, null)) in requests_with(&too_long).into_iter().zip(requests_with(&null)) {
        lrs.assert_rejected(path, &too_long, 422, &[("/learner/otherVerificationDescription", "too_long")]).await;
        lrs.assert_rejected(path, &null, 400, &[("/learner/otherVerificationDescription", "null_not_allowed")]).await;
    }
}

#[tokio::test]
async fn verification_type_unknown_does_not_require_description() {
    let lrs = UncalledLrs::new();
    for (path, body) in requests_with(&learner_with("verificationType", "other")) {
        lrs.assert_rejected(path, &body, 422, &[("/learner/verificationType", "unknown_value")]).await;
    }
}

#[tokio::test]
async fn unknown_learner_field_returns_unknown_field_with_pointer() {
    let lrs = UncalledLrs::new();
    let maintained_by_lrs = ["uln", "versionNumber", "tierLevel", "linkedUlns", "createdDate"];
    for field in ["colour", "GivenName", "given_name"].into_iter().chain(maintained_by_lrs) {
        // An update accepts the fields of a found record.
        let is_accepted = |path| path == UPDATE && maintained_by_lrs.contains(&field);
        for (path, body) in requests_with(&learner_with(field, "x")).into_iter().filter(|(path, _)| !is_accepted(*path)) {
            let answer = lrs.assert_rejected(path, &body, 400, &[(&format!("/learner/{field}"), "unknown_field")]).await;
            answer.problem(400, "unknown_field");
        }
    }
}

#[tokio::test]
async fn unknown_request_field_returns_unknown_field_with_pointer() {
    let lrs = UncalledLrs::new();
    for (path, body) in requests_with(&learner()) {
        lrs.assert_rejected(path, &with(body, "findType", json!("FULL")), 400, &[("/findType", "unknown_field")]).await;
    }
    let register = json!({"learner": learner(), "uln": "3000000126"});
    lrs.assert_rejected(REGISTER, &register, 400, &[("/uln", "unknown_field")]).await;
    let obtain = json!({"learner": learner(), "versionNumber": 1});
    lrs.assert_rejected(OBTAIN, &obtain, 400, &[("/versionNumber", "unknown_field")]).await;
}

#[tokio::test]
async fn unknown_field_name_with_personal_data_is_not_repeated() {
    let lrs = UncalledLrs::new();
    for (path, body) in requests_with(&learner()) {
        let personal = with(body, "Taliesin Pryderi 2006-01-31", json!(1));
        let answer = lrs.assert_rejected(path, &personal, 400, &[("", "unknown_field")]).await;
        assert!(!answer.text.contains("Pryderi"), "{}", answer.text);
    }
}

#[tokio::test]
async fn learner_missing_or_not_an_object_returns_error() {
    let lrs = UncalledLrs::new();
    for (path, body) in requests_with(&learner()) {
        lrs.assert_rejected(path, &without(body.clone(), "learner"), 422, &[("/learner", "required")]).await;
        lrs.assert_rejected(path, &with(body.clone(), "learner", Value::Null), 400, &[("/learner", "null_not_allowed")]).await;
        for wrong in [json!([learner()]), json!([]), json!("Taliesin"), json!(1), json!(1.5), json!(true)] {
            lrs.assert_rejected(path, &with(body.clone(), "learner", wrong), 400, &[("/learner", "wrong_type")]).await;
        }
    }
}

#[tokio::test]
async fn learner_fields_outside_learner_return_unknown_field_and_learner_required() {
    let lrs = UncalledLrs::new();
    for path in [REGISTER, OBTAIN] {
        let answer = lrs.post(path, &learner()).await;
        answer.problem(400, "unknown_field");
        assert_eq!(answer.errors().last(), Some(&("/learner".to_owned(), "required".to_owned())), "{path}");
    }
}

#[tokio::test]
async fn several_invalid_learner_fields_return_every_error() {
    let lrs = UncalledLrs::new();
    let invalid = [
        ("title", "x".repeat(36), "too_long"),
        ("givenName", String::new(), "blank"),
        ("familyName", "\0".to_owned(), "invalid_character"),
        ("dateOfBirth", "2005-02-29".to_owned(), "not_a_date"),
        ("dateOfAddressCapture", "1700-01-01".to_owned(), "out_of_range"),
        ("gender", "X".to_owned(), "unknown_value"),
        ("lastKnownPostCode", "nowhere".to_owned(), "invalid_format"),
        ("lastKnownAddressLine1", "x".repeat(51), "too_long"),
        ("emailAddress", "@".to_owned(), "invalid_format"),
        ("nationality", "Welsh".to_owned(), "too_long"),
        ("scottishCandidateNumber", "1".to_owned(), "invalid_format"),
        ("abilityToShare", "MAYBE".to_owned(), "unknown_value"),
    ];
    let mut learner = learner();
    for (field, value, _) in &invalid {
        learner[field] = json!(value);
    }
    for (path, body) in requests_with(&learner) {
        let answer = lrs.post(path, &body).await;
        let mut expected: Vec<_> = invalid.iter().map(|(field, _, code)| (format!("/learner/{field}"), (*code).to_owned())).collect();
        let mut errors = answer.errors();
        expected.sort();
        errors.sort();
        assert_eq!((answer.status, errors), (422, expected), "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn update_with_invalid_uln_or_version_number_returns_error() {
    let lrs = UncalledLrs::new();
    let [_, (_, valid), _] = requests_with(&learner());
    for (field, value, status, code) in [
        ("uln", json!("3000000127"), 422, "check_digit"),
        ("uln", json!("9999999999"), 422, "check_digit"),
        ("uln", json!(" 3000000126"), 422, "invalid_format"),
        ("uln", json!(3_000_000_126_u64), 400, "wrong_type"),
        ("uln", Value::Null, 400, "null_not_allowed"),
        ("versionNumber", json!("3"), 400, "wrong_type"),
        ("versionNumber", json!(2.5), 400, "wrong_type"),
        ("versionNumber", json!(true), 400, "wrong_type"),
        ("versionNumber", json!([3]), 400, "wrong_type"),
        ("versionNumber", Value::Null, 400, "null_not_allowed"),
        ("versionNumber", json!(2_147_483_648_u64), 422, "out_of_range"),
        ("versionNumber", json!(-2_147_483_649_i64), 422, "out_of_range"),
        ("versionNumber", json!(u64::MAX), 422, "out_of_range"),
    ] {
        lrs.assert_rejected(UPDATE, &with(valid.clone(), field, value), status, &[(&format!("/{field}"), code)]).await;
    }
    lrs.assert_rejected(UPDATE, &json!({"learner": learner()}), 422, &[("/uln", "required"), ("/versionNumber", "required")]).await;
}

#[tokio::test]
async fn verify_and_learning_events_with_invalid_field_return_error() {
    let lrs = UncalledLrs::new();
    for path in [VERIFY, LEARNING_EVENTS] {
        for (field, value, status, code) in [
            ("uln", json!("3000000127"), 422, "check_digit"),
            ("uln", json!(""), 422, "invalid_format"),
            ("uln", json!(3_000_000_126_u64), 400, "wrong_type"),
            ("givenName", json!(" "), 422, "blank"),
            ("givenName", json!("ŵ".repeat(36)), 422, "too_long"),
            ("familyName", json!("\u{7}"), 422, "invalid_character"),
            ("dateOfBirth", json!("2006-02-30"), 422, "not_a_date"),
            ("dateOfBirth", json!(""), 422, "invalid_format"),
            ("dateOfBirth", Value::Null, 400, "null_not_allowed"),
            ("gender", json!("2"), 422, "unknown_value"),
            ("gender", json!(""), 422, "unknown_value"),
            ("gender", json!(2), 400, "wrong_type"),
            ("lastKnownPostCode", json!("ZZ2 2BB"), 400, "unknown_field"),
            ("findType", json!("FULL"), 400, "unknown_field"),
        ] {
            lrs.assert_rejected(path, &with(identity(), field, value), status, &[(&format!("/{field}"), code)]).await;
        }
        let required = [("/uln", "required"), ("/givenName", "required"), ("/familyName", "required")];
        lrs.assert_rejected(path, &json!({}), 422, &required).await;
        lrs.assert_rejected(path, &json!([identity()]), 400, &[("", "wrong_type")]).await;
        lrs.assert_rejected(path, &Value::Null, 400, &[("", "null_not_allowed")]).await;
    }
}

#[tokio::test]
async fn learning_events_with_invalid_detail_level_returns_error() {
    let lrs = UncalledLrs::new();
    for (value, status, code) in [
        (json!("full"), 422, "unknown_value"),
        (json!("CHECK"), 422, "unknown_value"),
        (json!(""), 422, "unknown_value"),
        (Value::Null, 400, "null_not_allowed"),
        (json!(1), 400, "wrong_type"),
    ] {
        lrs.assert_rejected(LEARNING_EVENTS, &with(identity(), "detailLevel", value), status, &[("/detailLevel", code)]).await;
    }
}

#[tokio::test]
async fn verify_with_detail_level_returns_unknown_field() {
    let lrs = UncalledLrs::new();
    lrs.assert_rejected(VERIFY, &with(identity(), "detailLevel", json!("FULL")), 400, &[("/detailLevel", "unknown_field")]).await;
}
