//! Requests about one learner, all of whose values can be recognised.

use serde_json::{Value, json};

use super::ORGANISATION;
use crate::support::fields::assert_has_every_field;

const AMEND: &str = "/v1/learners/amend";
const FILE: &str = "tests/canary/requests.rs";

/// Fields that have codes, which cannot be marked.
const CODES: [&str; 3] = ["gender", "verificationType", "abilityToShare"];

/// A learner with a marked value in every field.
pub fn learner() -> Value {
    let learner = json!({
        "title": "Canarymr", "givenName": "Canarygiven", "middleOtherName": "Canarymiddle", "familyName": "Canary-O'Family",
        "preferredGivenName": "Canarypreferred", "previousFamilyName": "Canaryprevious", "familyNameAtAge16": "Canarysixteen",
        "schoolAtAge16": "Canary & Finch School", "lastKnownAddressLine1": "7 Canary Wharfside", "lastKnownAddressLine2": "Canary Cottage",
        "lastKnownAddressTown": "Canaryton", "lastKnownAddressCountyOrCity": "Canaryshire", "lastKnownPostCode": "ZZ73 7QX",
        "dateOfAddressCapture": "1998-04-19", "dateOfBirth": "1997-03-17", "placeOfBirth": "Canaryville", "gender": "FEMALE",
        "emailAddress": "canary.bird@mail.example.com", "nationality": "🐤🐥🐣", "scottishCandidateNumber": "731973197",
        "verificationType": "OTHER", "otherVerificationDescription": "Canary card 4711", "abilityToShare": "SEEN_SHARE",
        "notes": "canary sings: note 0815",
    });
    for (field, value) in learner.as_object().expect("an object") {
        assert!(CODES.contains(&field.as_str()) || is_marked(value.as_str().expect("a text")), "{field} is not marked: {value}");
    }
    learner
}

/// Returns `true` if a text can be recognised in the gateway's output.
fn is_marked(text: &str) -> bool {
    let has_mark = ["ZZ73", "199", "🐤"].iter().any(|mark| text.contains(mark));
    has_mark || text.to_lowercase().contains("canary") || text == "731973197"
}

/// Adds every marked text in a value to `found`.
pub fn collect_marked_texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if is_marked(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect_marked_texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| collect_marked_texts(field, found)),
        _ => {}
    }
}

/// The required fields of requests about the learner with this ULN.
pub fn identity(uln: &str) -> Value {
    json!({"uln": uln, "givenName": "Canarygiven", "familyName": "Canary-O'Family"})
}

/// The fields of requests that verify the learner with this ULN.
fn verification(uln: &str) -> Value {
    with(identity(uln), &[("dateOfBirth", "1997-03-17"), ("gender", "FEMALE")])
}

/// Returns the object with further fields.
fn with(mut object: Value, fields: &[(&str, &str)]) -> Value {
    for (field, value) in fields {
        object[field] = json!(value);
    }
    object
}

/// A request about one learner.
pub struct LearnerRequest {
    pub path: &'static str,
    pub body: Value,
    /// The operation of LRS that the gateway calls.
    pub operation: &'static str,
}

/// Returns a request of every operation about the learner with this ULN. Each has every field that the operation accepts.
pub fn learner_requests(uln: &str) -> Vec<LearnerRequest> {
    let request = |path, body, operation| {
        assert_has_every_field(FILE, path, &body);
        LearnerRequest { path, body, operation }
    };
    vec![
        request("/v1/learners/find-by-uln", with(identity(uln), &[("findType", "FULL")]), "FindLearnerByULN"),
        request("/v1/learners/find-by-demographics", demographics(), "FindLearnerByDemographics"),
        request("/v1/learners/register", json!({"learner": learner()}), "RegisterLearner"),
        request("/v1/learners/update", json!({"uln": uln, "versionNumber": 1, "learner": found_learner(uln)}), "UpdateLearner"),
        LearnerRequest { path: AMEND, body: amendment(uln), operation: "FindLearnerByULN" },
        request("/v1/learners/verify", verification(uln), "VerifyLearner"),
        request("/v1/learners/retrieve-ulns", json!({"ulns": [uln]}), "RetrieveULNs"),
        request("/v1/learning-events/search", with(verification(uln), &[("detailLevel", "FULL")]), "GetLearnerLearningEvents"),
    ]
}

/// The learner with the fields that LRS maintains, as a search finds it.
fn found_learner(uln: &str) -> Value {
    let mut found = learner();
    for (field, value) in [
        ("uln", json!(uln)),
        ("versionNumber", json!(1)),
        ("createdDate", json!("1999-05-21")),
        ("lastUpdatedDate", json!("1999-06-23")),
        ("masterSubstituted", json!("Canary master")),
        ("tierLevel", json!("Canary tier")),
        ("learnerStatus", json!("Canary status")),
        ("linkedUlns", json!(["Canary ULN"])),
        ("differences", json!(["canaryDifference"])),
    ] {
        found[field] = value;
    }
    found
}

/// An amendment with every field.
fn amendment(uln: &str) -> Value {
    let mut amendment = with(identity(uln), &[]);
    amendment["changes"] = learner();
    amendment["clear"] = json!(["notes"]);
    assert_has_every_field(FILE, AMEND, &amendment);
    // A field that is cleared cannot have a new value.
    amendment["changes"].as_object_mut().expect("an object").remove("notes");
    amendment
}

/// The fields of the learner that a search by demographics accepts.
fn demographics() -> Value {
    let fields = [
        "givenName", "familyName", "dateOfBirth", "gender", "lastKnownPostCode", "previousFamilyName", "schoolAtAge16", "placeOfBirth",
        "emailAddress",
    ];
    let learner = learner();
    let search: Value = fields.iter().map(|field| ((*field).to_owned(), learner[*field].clone())).collect();
    with(search, &[("findType", "FULL")])
}

/// Returns a batch of each kind with the learner who has this ULN: resource and body. Each has every field that the operation accepts.
pub fn batch_requests(uln: &str) -> [(&'static str, Value); 3] {
    let registration = with(learner(), &[("uln", uln), ("misIdentifier", "CANARY-MIS-1")]);
    let achievement = with(
        verification(uln),
        &[
            ("action", "CREATE"),
            ("actionDate", "2026-07-01"),
            ("actionReason", "Canary flew"),
            ("achievementAwardDate", "2026-06-30"),
            ("learnerPostcode", "ZZ73 7QX"),
            ("providerUkprn", ORGANISATION),
            ("unitOrQualificationReferenceNumber", "600/0001/X"),
            ("grade", "Pass"),
            ("languageForAssessment", "Canarian"),
            ("misIdentifier", "CANARY-MIS-3"),
        ],
    );
    let verification = with(verification(uln), &[("misIdentifier", "CANARY-MIS-2")]);
    let notify_email = "canary.notify@mail.example.com";
    let requests = [
        ("registration-batches", json!({"jobType": "CHECK", "learners": [registration]})),
        ("verification-batches", json!({"notifyEmail": notify_email, "learners": [verification]})),
        ("achievement-batches", json!({"submissionType": "FINAL", "notifyEmail": notify_email, "achievements": [achievement]})),
    ];
    for (resource, body) in &requests {
        assert_has_every_field(FILE, &format!("/v1/{resource}"), body);
    }
    requests
}
