//! Bad input to what registers, updates, obtains, verifies and reads records: every mistake is told, and nothing is sent to LRS.

use serde_json::{Value, json};

use crate::support::caller::Answer;
use crate::support::gateway::Options;
use crate::support::scripted_lrs::ScriptedLrs;

const REGISTER: &str = "/v1/learners/register";
const UPDATE: &str = "/v1/learners/update";
const OBTAIN: &str = "/v1/learners/obtain-uln";
const VERIFY: &str = "/v1/learners/verify";
const LEARNING_EVENTS: &str = "/v1/learning-events/search";

/// A gateway before an LRS that must not be asked.
struct Untouched(ScriptedLrs);

impl Untouched {
    fn new() -> Self {
        Self(ScriptedLrs::new(Options::default(), []))
    }

    /// Sends a body that must be refused with this status and these errors, in this order.
    async fn refuses(&self, path: &str, body: &Value, status: u16, errors: &[(&str, &str)]) -> Answer {
        let answer = self.0.post_asking(0, path, body).await;
        let errors: Vec<_> = errors.iter().map(|(pointer, code)| ((*pointer).to_owned(), (*code).to_owned())).collect();
        assert_eq!((answer.status, answer.errors()), (status, errors), "{path}: {}", answer.text);
        let problem = answer.json();
        let code = problem["code"].as_str().expect("a code");
        let kinds = if status == 422 { &["validation_failed"][..] } else { &["malformed_request", "unknown_field"] };
        assert!(kinds.contains(&code) && problem["retryable"] == json!(false), "{problem}");
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

/// The body of each operation that takes a whole learner.
fn bodies(learner: &Value) -> [(&'static str, Value); 3] {
    [
        (REGISTER, json!({"learner": learner})),
        (UPDATE, json!({"uln": "3000000126", "versionNumber": 3, "learner": learner})),
        (OBTAIN, json!({"learner": learner})),
    ]
}

fn search() -> Value {
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

/// How long a field may be.
const LONGEST: [(&str, usize); 17] = [
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

/// This many characters, none of them ASCII where that is allowed.
fn text_of(field: &str, length: usize) -> String {
    match field {
        "emailAddress" => format!("{}@mail.example.com", "m".repeat(length - 17)),
        _ => "ŵ".repeat(length),
    }
}

#[tokio::test]
async fn every_length_is_checked_to_the_character() {
    let lrs = Untouched::new();
    let mut longest = learner();
    for (field, most) in LONGEST {
        for (path, body) in bodies(&learner_with(field, text_of(field, most + 1))) {
            lrs.refuses(path, &body, 422, &[(&format!("/learner/{field}"), "too_long")]).await;
        }
        longest[field] = json!(text_of(field, most));
    }
    // One field too many shows that none of the others is: the longest texts are good.
    for (path, body) in bodies(&with(longest, "gender", json!("M"))) {
        lrs.refuses(path, &body, 422, &[("/learner/gender", "unknown_value")]).await;
    }
}

#[tokio::test]
async fn every_rule_of_a_learners_fields_is_checked() {
    let lrs = Untouched::new();
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
        for (path, body) in bodies(&learner_with(field, value)) {
            let answer = lrs.refuses(path, &body, 422, &[(&format!("/learner/{field}"), code)]).await;
            assert!(value.len() < 8 || !answer.text.contains(value), "the value is not repeated: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn every_required_field_must_be_there() {
    let lrs = Untouched::new();
    let required = ["givenName", "familyName", "lastKnownPostCode", "dateOfBirth", "gender", "verificationType", "abilityToShare"];
    for field in required {
        for (path, body) in bodies(&without(learner(), field)) {
            lrs.refuses(path, &body, 422, &[(&format!("/learner/{field}"), "required")]).await;
        }
    }
    let pointers = required.map(|field| format!("/learner/{field}"));
    let errors: Vec<_> = pointers.iter().map(|pointer| (pointer.as_str(), "required")).collect();
    for (path, body) in bodies(&json!({})) {
        lrs.refuses(path, &body, 422, &errors).await;
    }
}

#[tokio::test]
async fn other_proofs_of_identity_must_be_described() {
    let lrs = Untouched::new();
    let missing = ("/learner/otherVerificationDescription", "required");
    let other = learner_with("verificationType", "OTHER");
    for learner in [
        other.clone(),
        with(other.clone(), "otherVerificationDescription", json!("")),
        with(other.clone(), "otherVerificationDescription", json!(" \t\u{a0}")),
    ] {
        for (path, body) in bodies(&learner) {
            lrs.refuses(path, &body, 422, &[missing]).await;
        }
        // Also beside other mistakes, and told once.
        for (path, body) in bodies(&without(with(learner, "gender", json!("X")), "givenName")) {
            lrs.refuses(path, &body, 422, &[("/learner/gender", "unknown_value"), ("/learner/givenName", "required"), missing]).await;
        }
    }
    // A description that is wrong in itself is there.
    let too_long = with(other.clone(), "otherVerificationDescription", json!("x".repeat(256)));
    let null = with(other, "otherVerificationDescription", Value::Null);
    for ((path, too_long), (_, null)) in bodies(&too_long).into_iter().zip(bodies(&null)) {
        lrs.refuses(path, &too_long, 422, &[("/learner/otherVerificationDescription", "too_long")]).await;
        lrs.refuses(path, &null, 400, &[("/learner/otherVerificationDescription", "null_not_allowed")]).await;
    }
    // Without a usable kind of proof nobody knows whether it must be described.
    for (path, body) in bodies(&learner_with("verificationType", "other")) {
        lrs.refuses(path, &body, 422, &[("/learner/verificationType", "unknown_value")]).await;
    }
}

#[tokio::test]
async fn unknown_fields_are_told_with_their_place() {
    let lrs = Untouched::new();
    for field in ["colour", "GivenName", "given_name", "uln", "versionNumber", "tierLevel", "linkedUlns", "createdDate"] {
        for (path, body) in bodies(&learner_with(field, "x")) {
            let answer = lrs.refuses(path, &body, 400, &[(&format!("/learner/{field}"), "unknown_field")]).await;
            answer.problem(400, "unknown_field");
        }
    }
    for (path, body) in bodies(&learner()) {
        lrs.refuses(path, &with(body.clone(), "findType", json!("FULL")), 400, &[("/findType", "unknown_field")]).await;
        // What looks like a person is not repeated.
        let personal = with(body, "Taliesin Pryderi 2006-01-31", json!(1));
        assert!(!lrs.refuses(path, &personal, 400, &[("", "unknown_field")]).await.text.contains("Pryderi"));
    }
    lrs.refuses(REGISTER, &json!({"learner": learner(), "uln": "3000000126"}), 400, &[("/uln", "unknown_field")]).await;
    lrs.refuses(OBTAIN, &json!({"learner": learner(), "versionNumber": 1}), 400, &[("/versionNumber", "unknown_field")]).await;
}

#[tokio::test]
async fn a_learner_must_be_an_object() {
    let lrs = Untouched::new();
    for (path, body) in bodies(&learner()) {
        lrs.refuses(path, &without(body.clone(), "learner"), 422, &[("/learner", "required")]).await;
        lrs.refuses(path, &with(body.clone(), "learner", Value::Null), 400, &[("/learner", "null_not_allowed")]).await;
        for wrong in [json!([learner()]), json!([]), json!("Taliesin"), json!(1), json!(1.5), json!(true)] {
            lrs.refuses(path, &with(body.clone(), "learner", wrong), 400, &[("/learner", "wrong_type")]).await;
        }
    }
    for (path, flat) in [(REGISTER, learner()), (OBTAIN, learner())] {
        let answer = lrs.0.post_asking(0, path, &flat).await;
        answer.problem(400, "unknown_field");
        assert_eq!(answer.errors().last(), Some(&("/learner".to_owned(), "required".to_owned())));
    }
}

#[tokio::test]
async fn a_dozen_wrong_fields_are_a_dozen_errors_at_once() {
    let lrs = Untouched::new();
    let wrong = [
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
    for (field, value, _) in &wrong {
        learner[field] = json!(value);
    }
    for (path, body) in bodies(&learner) {
        let answer = lrs.0.post_asking(0, path, &body).await;
        let mut expected: Vec<_> = wrong.iter().map(|(field, _, code)| (format!("/learner/{field}"), (*code).to_owned())).collect();
        let mut errors = answer.errors();
        expected.sort();
        errors.sort();
        assert_eq!((answer.status, errors), (422, expected), "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn an_update_needs_a_uln_and_a_version() {
    let lrs = Untouched::new();
    let [_, (_, good), _] = bodies(&learner());
    for (field, value, status, code) in [
        ("uln", json!("3000000127"), 422, "check_digit"),
        ("uln", json!("9999999999"), 422, "check_digit"),
        ("uln", json!(" 3000000126"), 422, "invalid_format"),
        ("uln", json!(3_000_000_126_u64), 400, "wrong_type"),
        ("uln", Value::Null, 400, "null_not_allowed"),
        ("versionNumber", json!("3"), 400, "wrong_type"),
        ("versionNumber", json!(3.0), 400, "wrong_type"),
        ("versionNumber", json!(2.5), 400, "wrong_type"),
        ("versionNumber", json!(true), 400, "wrong_type"),
        ("versionNumber", json!([3]), 400, "wrong_type"),
        ("versionNumber", Value::Null, 400, "null_not_allowed"),
        ("versionNumber", json!(2_147_483_648_u64), 422, "out_of_range"),
        ("versionNumber", json!(-2_147_483_649_i64), 422, "out_of_range"),
        ("versionNumber", json!(u64::MAX), 422, "out_of_range"),
    ] {
        lrs.refuses(UPDATE, &with(good.clone(), field, value), status, &[(&format!("/{field}"), code)]).await;
    }
    lrs.refuses(UPDATE, &json!({"learner": learner()}), 422, &[("/uln", "required"), ("/versionNumber", "required")]).await;
}

#[tokio::test]
async fn the_particulars_to_verify_and_to_read_a_record_by_are_checked() {
    let lrs = Untouched::new();
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
            lrs.refuses(path, &with(search(), field, value), status, &[(&format!("/{field}"), code)]).await;
        }
        let required = [("/uln", "required"), ("/givenName", "required"), ("/familyName", "required")];
        lrs.refuses(path, &json!({}), 422, &required).await;
        lrs.refuses(path, &json!([search()]), 400, &[("", "wrong_type")]).await;
        lrs.refuses(path, &Value::Null, 400, &[("", "null_not_allowed")]).await;
    }
}

#[tokio::test]
async fn a_record_is_read_in_full_or_in_brief() {
    let lrs = Untouched::new();
    for (value, status, code) in [
        (json!("full"), 422, "unknown_value"),
        (json!("CHECK"), 422, "unknown_value"),
        (json!(""), 422, "unknown_value"),
        (Value::Null, 400, "null_not_allowed"),
        (json!(1), 400, "wrong_type"),
    ] {
        lrs.refuses(LEARNING_EVENTS, &with(search(), "getType", value), status, &[("/getType", code)]).await;
    }
    lrs.refuses(VERIFY, &with(search(), "getType", json!("FULL")), 400, &[("/getType", "unknown_field")]).await;
}
