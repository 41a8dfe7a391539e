//! Repeated writes whose first outcome is unknown: the gateway asks LRS what was executed before it writes again.

use lrs_gateway::simulator::Fault;
use serde_json::json;

use super::{FIND, Fixture, OBTAIN, REGISTER, UPDATE, is_replayed, nia};
use crate::support::caller::Answer;

fn assert_outcome_unknown(answer: &Answer) {
    let problem = answer.problem(504, "lrs_timeout");
    assert_eq!((&problem["outcomeUnknown"], &problem["retryable"]), (&json!(true), &json!(false)), "{problem}");
}

#[tokio::test]
async fn idempotency_key_registration_executed_but_response_lost_is_found_and_not_repeated() {
    let fixture = Fixture::new();
    fixture.search().await;
    let learners_before = fixture.lrs.simulator.register().len();
    fixture.inject_fault(Fault::ResetAfter, "RegisterLearner");
    assert_outcome_unknown(&fixture.caller_with_key().post(REGISTER, &nia()).await);

    let retried = fixture.caller_with_key().post(REGISTER, &nia()).await;
    assert_eq!((retried.status, is_replayed(&retried)), (201, false), "{}", retried.text);
    let result = retried.json();
    assert_eq!((&result["outcome"], &result["lrsCode"]), (&json!("REGISTERED"), &json!("WSRC0004")), "{result}");
    assert_eq!(fixture.lrs.simulator.register().len(), learners_before + 1);
    assert_eq!(fixture.registrations_received_and_executed(), (1, 1));
    let uln = result["uln"].as_str().expect("the result has a ULN");
    let search = json!({"uln": uln, "givenName": "Niamh-Rose", "familyName": "Thistlewood"});
    assert_eq!(fixture.gateway.caller().post(FIND, &search).await.expect_success()["outcome"], "EXACT_MATCH");

    let replayed = fixture.caller_with_key().post(REGISTER, &nia()).await;
    assert_eq!((is_replayed(&replayed), replayed.text), (true, retried.text));
}

#[tokio::test]
async fn idempotency_key_registration_not_executed_and_response_lost_is_repeated() {
    let fixture = Fixture::new();
    fixture.search().await;
    fixture.inject_fault(Fault::ResetBefore, "RegisterLearner");
    assert_outcome_unknown(&fixture.caller_with_key().post(REGISTER, &nia()).await);
    let retried = fixture.caller_with_key().post(REGISTER, &nia()).await.json();
    assert_eq!((&retried["outcome"], &retried["lrsCode"]), (&json!("REGISTERED"), &json!("WSRC0005")), "{retried}");
    assert_eq!(fixture.registrations_received_and_executed(), (2, 1));
}

#[tokio::test]
async fn idempotency_key_search_of_retry_fails_outcome_stays_unknown_and_nothing_is_repeated() {
    let fixture = Fixture::new();
    fixture.search().await;
    fixture.inject_fault(Fault::ResetAfter, "RegisterLearner");
    assert_outcome_unknown(&fixture.caller_with_key().post(REGISTER, &nia()).await);
    for _ in 0..2 {
        fixture.inject_fault(Fault::MaintenancePage, "FindLearnerByDemographics");
        fixture.caller_with_key().post(REGISTER, &nia()).await.problem(503, "lrs_maintenance");
    }
    assert_eq!(fixture.caller_with_key().post(REGISTER, &nia()).await.json()["lrsCode"], "WSRC0004");
    assert_eq!(fixture.registrations_received_and_executed(), (1, 1));
}

#[tokio::test]
async fn idempotency_key_search_of_retry_finds_candidates_returns_learner_not_registered() {
    let fixture = Fixture::new();
    // Two learners of the simulator match Sam, so LRS registers no third one.
    let mut sam = nia();
    for (field, value) in [("givenName", "Sam"), ("familyName", "Taylor"), ("dateOfBirth", "2004-06-01"), ("gender", "NOT_KNOWN")] {
        sam["learner"][field] = json!(value);
    }
    fixture.inject_fault(Fault::ResetBefore, "RegisterLearner");
    assert_outcome_unknown(&fixture.caller_with_key().post(REGISTER, &sam).await);
    let problem = fixture.caller_with_key().post(REGISTER, &sam).await.problem(409, "learner_not_registered");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("candidates")), "{problem}");
    assert_eq!(fixture.registrations_received_and_executed(), (1, 0));
}

#[tokio::test]
async fn idempotency_key_obtain_uln_response_lost_returns_the_registered_uln() {
    let fixture = Fixture::new();
    fixture.inject_fault(Fault::ResetAfter, "RegisterLearner");
    assert_outcome_unknown(&fixture.caller_with_key().post(OBTAIN, &nia()).await);
    let retried = fixture.caller_with_key().post(OBTAIN, &nia()).await.expect_success();
    assert_eq!(retried["outcome"], "EXISTING", "{retried}");
    let replayed = fixture.caller_with_key().post(OBTAIN, &nia()).await;
    assert_eq!((is_replayed(&replayed), replayed.json()), (true, retried));
    assert_eq!(fixture.registrations_received_and_executed(), (1, 1));
}

#[tokio::test]
async fn idempotency_key_update_response_lost_is_distinguished_from_update_of_another_caller() {
    let fixture = Fixture::new();
    let search = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});
    let found = fixture.gateway.caller().post(FIND, &search).await.expect_success()["learners"][0].clone();
    let mut update = json!({"uln": "3000000126", "versionNumber": found["versionNumber"], "learner": {
        "givenName": "Ana", "familyName": "O'Neill", "dateOfBirth": found["dateOfBirth"], "gender": found["gender"],
        "lastKnownPostCode": "ZZ9 9ZZ", "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE", "notes": "",
    }});

    // The update was executed: the record is as it was sent.
    fixture.inject_fault(Fault::ResetAfter, "UpdateLearner");
    assert_outcome_unknown(&fixture.caller_with_key().post(UPDATE, &update).await);
    let retried = fixture.caller_with_key().post(UPDATE, &update).await.expect_success();
    assert_eq!((&retried["outcome"], &retried["lrsCode"]), (&json!("UPDATED"), &json!("WSRC0013")), "{retried}");

    // Another update of the old version was not executed: the record has the values of the first one.
    update["learner"]["lastKnownPostCode"] = json!("ZZ8 8ZZ");
    let caller_with_other_key = fixture.gateway.caller().with_header("Idempotency-Key", "another");
    fixture.inject_fault(Fault::ResetBefore, "UpdateLearner");
    assert_outcome_unknown(&caller_with_other_key.post(UPDATE, &update).await);
    caller_with_other_key.post(UPDATE, &update).await.problem(409, "stale_version");
}
