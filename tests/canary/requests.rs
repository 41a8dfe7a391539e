//! Requests about one learner, all of whose values can be recognised.

use serde_json::{Value, json};

use super::ORGANISATION;

/// A learner with a marked value in every field.
pub fn learner() -> Value {
    json!({
        "title": "Canarymr", "givenName": "Canarygiven", "middleOtherName": "Canarymiddle", "familyName": "Canary-O'Family",
        "preferredGivenName": "Canarypreferred", "previousFamilyName": "Canaryprevious", "familyNameAtAge16": "Canarysixteen",
        "schoolAtAge16": "Canary & Finch School", "lastKnownAddressLine1": "7 Canary Wharfside", "lastKnownAddressLine2": "Canary Cottage",
        "lastKnownAddressTown": "Canaryton", "lastKnownAddressCountyOrCity": "Canaryshire", "lastKnownPostCode": "ZZ73 7QX",
        "dateOfAddressCapture": "1998-04-19", "dateOfBirth": "1997-03-17", "placeOfBirth": "Canaryville", "gender": "FEMALE",
        "emailAddress": "canary.bird@mail.example.com", "scottishCandidateNumber": "731973197", "verificationType": "OTHER",
        "otherVerificationDescription": "Canary card 4711", "abilityToShare": "SEEN_SHARE", "notes": "canary sings: note 0815",
    })
}

/// Adds every marked text in a value to `found`.
pub fn collect_marked_texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text)
            if text.to_lowercase().contains("canary") || text.contains("ZZ73") || text.contains("199") || text == "731973197" =>
        {
            found.push(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| collect_marked_texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| collect_marked_texts(field, found)),
        _ => {}
    }
}

/// The required fields of requests about the learner with this ULN.
pub fn identity(uln: &str) -> Value {
    json!({"uln": uln, "givenName": "Canarygiven", "familyName": "Canary-O'Family"})
}

/// A request about one learner.
pub struct LearnerRequest {
    pub path: &'static str,
    pub body: Value,
    /// The operation of LRS that the gateway calls.
    pub operation: &'static str,
}

/// Returns a request of every operation about the learner with this ULN.
pub fn learner_requests(uln: &str) -> Vec<LearnerRequest> {
    let request = |path, body, operation| LearnerRequest { path, body, operation };
    vec![
        request("/v1/learners/find-by-uln", identity(uln), "FindLearnerByULN"),
        request("/v1/learners/find-by-demographics", demographics(), "FindLearnerByDemographics"),
        request("/v1/learners/register", json!({"learner": learner()}), "RegisterLearner"),
        request("/v1/learners/update", json!({"uln": uln, "versionNumber": 1, "learner": learner()}), "UpdateLearner"),
        request("/v1/learners/verify", identity(uln), "VerifyLearner"),
        request("/v1/learners/retrieve-ulns", json!({"ulns": [uln]}), "RetrieveULNs"),
        request("/v1/learning-events/search", identity(uln), "GetLearnerLearningEvents"),
    ]
}

/// The fields of the learner that a search by demographics accepts.
fn demographics() -> Value {
    let fields = [
        "givenName",
        "familyName",
        "dateOfBirth",
        "gender",
        "lastKnownPostCode",
        "previousFamilyName",
        "schoolAtAge16",
        "placeOfBirth",
        "emailAddress",
    ];
    let learner = learner();
    fields.iter().map(|field| ((*field).to_owned(), learner[*field].clone())).collect()
}

/// Returns a batch of each kind with the learner who has this ULN: resource and body.
pub fn batch_requests(uln: &str) -> [(&'static str, Value); 3] {
    let mut registration = learner();
    registration["misIdentifier"] = json!("CANARY-MIS-1");
    let mut verification = identity(uln);
    (verification["misIdentifier"], verification["dateOfBirth"]) = (json!("CANARY-MIS-2"), json!("1997-03-17"));
    let mut achievement = verification.clone();
    for (field, value) in [
        ("action", "CREATE"),
        ("actionDate", "2026-07-01"),
        ("achievementAwardDate", "2026-06-30"),
        ("gender", "FEMALE"),
        ("learnerPostcode", "ZZ73 7QX"),
        ("providerUkprn", ORGANISATION),
        ("unitOrQualificationReferenceNumber", "600/0001/X"),
        ("grade", "Pass"),
        ("misIdentifier", "CANARY-MIS-3"),
    ] {
        achievement[field] = json!(value);
    }
    let notify_email = "canary.notify@mail.example.com";
    [
        ("registration-batches", json!({"jobType": "CHECK", "learners": [registration]})),
        ("verification-batches", json!({"notifyEmail": notify_email, "learners": [verification]})),
        ("achievement-batches", json!({"submissionType": "FINAL", "notifyEmail": notify_email, "achievements": [achievement]})),
    ]
}
