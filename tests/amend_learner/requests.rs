//! Validation of amendments. Nothing is sent to LRS.

use serde_json::{Value, json};

use super::{AMEND, amendment};
use crate::support::gateway::Options;
use crate::support::scripted_lrs::ScriptedLrs;

async fn errors(body: &Value) -> (u16, Vec<(String, String)>) {
    let answer = ScriptedLrs::new(Options::default(), []).post_expecting_calls(0, AMEND, body).await;
    (answer.status, answer.errors())
}

#[tokio::test]
async fn amend_without_a_field_or_with_contradictory_fields_returns_errors() {
    let identity = json!({"uln": "3000000126", "givenName": "Zebedee", "familyName": "Quillfeather"});
    for (body, expected) in [
        (identity, vec![("/changes", "required")]),
        (amendment(&json!({}), &json!([])), vec![("/changes", "required")]),
        (amendment(&json!({"notes": "New"}), &json!(["title", "notes"])), vec![("/clear/1", "contradictory")]),
        (amendment(&json!({}), &json!(["givenName"])), vec![("/clear/0", "unknown_value")]),
        (amendment(&json!({"title": "", "notes": " "}), &json!([])), vec![("/changes/notes", "blank"), ("/changes/title", "blank")]),
        (
            amendment(&json!({"emailAddress": "", "scottishCandidateNumber": ""}), &json!([])),
            vec![("/changes/emailAddress", "blank"), ("/changes/scottishCandidateNumber", "blank")],
        ),
        (amendment(&json!({"gender": "2"}), &json!([])), vec![("/changes/gender", "unknown_value")]),
        (amendment(&json!({"givenName": " "}), &json!([])), vec![("/changes/givenName", "blank")]),
    ] {
        let (status, mut found) = errors(&body).await;
        found.sort();
        let expected: Vec<_> = expected.into_iter().map(|(pointer, code)| (pointer.to_owned(), code.to_owned())).collect();
        assert_eq!((status, found), (422, expected), "{body}");
    }
}

#[tokio::test]
async fn amend_field_that_lrs_maintains_is_unknown() {
    for field in ["uln", "versionNumber", "createdDate", "learnerStatus"] {
        let (status, errors) = errors(&amendment(&json!({field: "1", "notes": "New"}), &json!([]))).await;
        assert_eq!((status, errors), (400, vec![(format!("/changes/{field}"), "unknown_field".to_owned())]));
    }
}

#[tokio::test]
async fn update_with_a_found_record_sends_only_its_details() {
    let reply = super::updated("WSRC0006");
    let script = ScriptedLrs::new(Options::default(), [reply]);
    let found = json!({
        "createdDate": "2019-09-02", "lastUpdatedDate": "whenever", "uln": "3000000126", "masterSubstituted": "Y", "givenName": "Zebedee",
        "familyName": "Quillfeather", "lastKnownPostCode": "ZZ1 1AA", "dateOfBirth": "2004-11-30", "gender": "MALE",
        "verificationType": "PASSPORT", "tierLevel": "0", "abilityToShare": "SEEN_SHARE", "learnerStatus": "1",
        "linkedUlns": ["3000000258"], "versionNumber": 3, "differences": ["lastKnownPostCode"],
    });

    let update = json!({"uln": "3000000126", "versionNumber": 3, "learner": found});
    script.post("/v1/learners/update", &update).await.expect_success();

    assert_eq!(super::written_record(&script.received()[0].body), Some(super::written(&[], 3)));
}

#[tokio::test]
async fn update_with_the_record_of_another_learner_or_version_returns_errors() {
    let learner = json!({
        "uln": "3000000258", "givenName": "Zebedee", "familyName": "Quillfeather", "lastKnownPostCode": "ZZ1 1AA", "dateOfBirth": "2004-11-30",
        "gender": "MALE", "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE", "versionNumber": 4,
    });
    let script = ScriptedLrs::new(Options::default(), []);

    let update = json!({"uln": "3000000126", "versionNumber": 3, "learner": learner});
    let answer = script.post_expecting_calls(0, "/v1/learners/update", &update).await;

    let expected = ["/learner/uln", "/learner/versionNumber"].map(|pointer| (pointer.to_owned(), "contradictory".to_owned()));
    assert_eq!((answer.status, answer.errors()), (422, expected.to_vec()), "{}", answer.text);
}
