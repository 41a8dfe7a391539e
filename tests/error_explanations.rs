//! The explanations of errors: which field an unknown one may mean, what `null` should have been, and whose record has an error.

use serde_json::{Value, json};

use crate::support::batches::{full_registration, learners};
use crate::support::caller::Answer;
use crate::support::gateway::AWARDING;
use crate::support::{Caller, SimulatedLrs, TestGateway};

const FIND: &str = "/v1/learners/find-by-uln";
const REGISTER: &str = "/v1/learners/register";
const REGISTRATIONS: &str = "/v1/registration-batches";
const VERIFICATIONS: &str = "/v1/verification-batches";
const ACHIEVEMENTS: &str = "/v1/achievement-batches";

/// A gateway that must send nothing to its LRS.
struct Fixture {
    lrs: SimulatedLrs,
    gateway: TestGateway,
    caller: Caller,
}

impl Fixture {
    fn start() -> Self {
        let lrs = SimulatedLrs::start();
        let gateway = TestGateway::to(&lrs.url());
        Self { caller: gateway.caller(), lrs, gateway }
    }

    /// Posts an invalid body, and returns the detail of the error at this pointer.
    async fn detail(&self, path: &str, body: &Value, pointer: &str) -> String {
        let answer = self.caller.post(path, body).await;
        let problem = answer.json();
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no errors: {problem}"));
        let error = errors.iter().find(|error| error["pointer"] == pointer).unwrap_or_else(|| panic!("no error at {pointer}: {problem}"));
        error["detail"].as_str().expect("an error has a detail").to_owned()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        assert_eq!(self.lrs.simulator.request_count("FindLearnerByULN") + self.lrs.simulator.request_count("RegisterLearner"), 0);
    }
}

fn search_with(field: &str, value: Value) -> Value {
    let mut body = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});
    body[field] = value;
    body
}

fn registration_with(field: &str, value: Value) -> Value {
    let mut learner = learners(1).remove(0);
    learner.as_object_mut().expect("an object").remove("misIdentifier");
    learner[field] = value;
    json!({"learner": learner})
}

#[tokio::test]
async fn unknown_field_names_the_nearest_field_of_its_object() {
    let fixture = Fixture::start();
    for (field, meant) in [
        ("familyname", "familyName"),
        ("FamilyName", "familyName"),
        ("family_name", "familyName"),
        ("familiyName", "familyName"),
        ("ULN", "uln"),
    ] {
        let detail = fixture.detail(FIND, &search_with(field, json!("Ana")), &format!("/{field}")).await;
        assert_eq!(detail, format!("unknown field; did you mean `{meant}`?"), "{field}");
    }
    for (field, meant) in
        [("LastKnownPostCode", "lastKnownPostCode"), ("postcode", "lastKnownPostCode"), ("abilitytoshare", "abilityToShare")]
    {
        let body = registration_with(field, json!("ZZ7 7JJ"));
        let detail = fixture.detail(REGISTER, &body, &format!("/learner/{field}")).await;
        assert_eq!(detail, format!("unknown field; did you mean `{meant}`?"), "{field}");
    }
}

#[tokio::test]
async fn unknown_field_of_another_object_names_that_object() {
    let fixture = Fixture::start();
    let mut body = registration_with("notes", json!("x"));
    body["familyName"] = json!("Quillfeather");
    body["Given_Name"] = json!("Zeb");
    assert_eq!(fixture.detail(REGISTER, &body, "/familyName").await, "unknown field; it belongs in `/learner`: move it there");
    assert_eq!(
        fixture.detail(REGISTER, &body, "/Given_Name").await,
        "unknown field; did you mean `givenName`, which belongs in `/learner`?"
    );
    let mut learners = learners(2);
    learners[1]["jobType"] = json!("FULL");
    learners[1]["MISIdentifier"] = json!("STU-1");
    let mut batch = full_registration(&learners);
    batch["lastKnownPostCode"] = json!("ZZ7 7JJ");
    assert_eq!(
        fixture.detail(REGISTRATIONS, &batch, "/lastKnownPostCode").await,
        "unknown field; it belongs in each item of `/learners`: move it there"
    );
    assert_eq!(fixture.detail(REGISTRATIONS, &batch, "/learners/1/MISIdentifier").await, "unknown field; did you mean `misIdentifier`?");
    assert_eq!(
        fixture.detail(REGISTRATIONS, &batch, "/learners/1/jobType").await,
        "unknown field; it belongs in the outermost object: move it there"
    );
}

#[tokio::test]
async fn unknown_field_that_is_like_no_other_lists_what_is_allowed() {
    let fixture = Fixture::start();
    let detail = fixture.detail(FIND, &search_with("colour", json!(1)), "/colour").await;
    assert!(detail.starts_with("unknown field; remove it, or use one of the fields that are allowed here: `uln`, "), "{detail}");
    let detail = fixture.detail(REGISTER, &registration_with("colour", json!(1)), "/learner/colour").await;
    assert!(detail.contains(" more") && detail.len() < 300, "a long list is cut: {detail}");
}

#[tokio::test]
async fn unknown_field_with_personal_data_is_explained_without_repeating_it() {
    let fixture = Fixture::start();
    for key in ["Zebedee Quillfeather", "givenName: Zebedee", "3000000126", &format!("givenName{}", "é".repeat(5000))] {
        let answer = fixture.caller.post(FIND, &search_with(key, json!(1))).await;
        assert_eq!(answer.errors(), [(String::new(), "unknown_field".to_owned())]);
        assert!(!answer.text.contains("Zebedee") && !answer.text.contains('é') && answer.text.len() < 1000, "{}", answer.text);
    }
}

#[tokio::test]
async fn null_says_whether_the_field_is_required_or_can_be_left_out() {
    let fixture = Fixture::start();
    let required = "is required and must not be null; give a value";
    let optional = "must not be null; leave the field out if it has no value";
    for (path, body, pointer, expected) in [
        (FIND, search_with("givenName", Value::Null), "/givenName", required),
        (FIND, search_with("findType", Value::Null), "/findType", optional),
        (REGISTER, registration_with("dateOfBirth", Value::Null), "/learner/dateOfBirth", required),
        (REGISTER, registration_with("notes", Value::Null), "/learner/notes", optional),
        (REGISTER, json!({"learner": null}), "/learner", required),
        (VERIFICATIONS, json!({"learners": [null]}), "/learners/0", "must not be null; remove the item from the list"),
        (VERIFICATIONS, json!({"learners": null}), "/learners", required),
    ] {
        assert_eq!(fixture.detail(path, &body, pointer).await, expected, "{path} {pointer}");
    }
}

/// Returns the pointers of a problem's errors with the identifier of the record.
fn identifiers(answer: &Answer) -> Vec<(String, Option<String>)> {
    let problem = answer.json();
    let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no errors: {problem}"));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    errors.iter().map(|error| (text(&error["pointer"]).expect("a pointer"), text(&error["misIdentifier"]))).collect()
}

fn expected(identifiers: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    identifiers.iter().map(|(pointer, identifier)| ((*pointer).to_owned(), identifier.map(str::to_owned))).collect()
}

#[tokio::test]
async fn errors_in_a_batch_carry_the_mis_identifier_of_their_record() {
    let fixture = Fixture::start();
    // In this order: the identifier stands after the error, is itself invalid, is absent, is given twice, and belongs to a valid record.
    let too_long = "x".repeat(129);
    let body = format!(
        r#"{{"jobType":"FULL","colour":1,"learners":[
            {{"givenName":"Zeb","familyName":null,"dateOfBirth":"2003-02-29","misIdentifier":"STU-7","shade":1}},
            {{"misIdentifier":"{too_long}","givenName":"Zeb","familyName":7}},
            {{"givenName":"Zeb"}},
            {{"misIdentifier":"STU-8","misIdentifier":"STU-9","givenName":"Zeb","familyName":"Quillfeather"}},
            {{"misIdentifier":"STU-10","givenName":"Zeb","familyName":"Quillfeather"}},
            {{"misIdentifier":" ","givenName":"Zeb"}}
        ]}}"#
    );
    let answer = fixture.caller.post_text(REGISTRATIONS, "application/json", body).await;
    answer.problem(400, "malformed_request");
    let all = [
        ("/colour", None),
        ("/learners/0/familyName", Some("STU-7")),
        ("/learners/0/dateOfBirth", Some("STU-7")),
        ("/learners/0/shade", Some("STU-7")),
        ("/learners/1/misIdentifier", None),
        ("/learners/1/familyName", None),
        ("/learners/2/familyName", None),
        ("/learners/3/misIdentifier", None),
        ("/learners/5/familyName", None),
    ];
    assert_eq!(identifiers(&answer), expected(&all));

    let verification = json!({"learners": [{"uln": "3000000127", "givenName": "Ana", "familyName": "O'Neill", "misIdentifier": "CAND-1"}]});
    let answer = fixture.caller.post(VERIFICATIONS, &verification).await;
    assert_eq!(identifiers(&answer), expected(&[("/learners/0/uln", Some("CAND-1"))]));
    let awarding = fixture.gateway.caller().with_claims(json!({"org": AWARDING}));
    let answer = awarding.post(ACHIEVEMENTS, &json!({"submissionType": "FINAL", "achievements": [{"misIdentifier": "CAND-2"}]})).await;
    assert!(identifiers(&answer).iter().all(|(_, identifier)| identifier.as_deref() == Some("CAND-2")), "{}", answer.text);
}

#[tokio::test]
async fn error_in_a_single_request_carries_no_mis_identifier() {
    let fixture = Fixture::start();
    let answer = fixture.caller.post(REGISTER, &registration_with("dateOfBirth", json!("2003-02-29"))).await;
    assert_eq!(identifiers(&answer), expected(&[("/learner/dateOfBirth", None)]));
}
