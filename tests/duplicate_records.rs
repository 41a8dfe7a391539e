//! Warnings about records that a batch has twice.

use serde_json::{Value, json};

use crate::support::batches::{full_registration, learners};
use crate::support::gateway::AWARDING;
use crate::support::{Caller, SimulatedLrs, TestGateway};

const REGISTRATIONS: &str = "/v1/registration-batches";
const VERIFICATIONS: &str = "/v1/verification-batches";
const ACHIEVEMENTS: &str = "/v1/achievement-batches";

/// Submits a batch, and returns the pointers and codes of its warnings.
async fn warnings(caller: &Caller, path: &str, body: &Value) -> Vec<(String, String)> {
    let answer = caller.post(path, body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let state = answer.json();
    let text = |warning: &Value, key: &str| warning[key].as_str().expect("a text").to_owned();
    let list = state["warnings"].as_array().cloned().unwrap_or_default();
    list.iter().map(|warning| (text(warning, "pointer"), text(warning, "code"))).collect()
}

fn expected(warnings: &[(&str, &str)]) -> Vec<(String, String)> {
    warnings.iter().map(|(pointer, code)| ((*pointer).to_owned(), (*code).to_owned())).collect()
}

#[tokio::test]
async fn registration_batch_with_a_record_twice_warns_about_the_second() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let mut learners = learners(300);
    assert!(warnings(&caller, REGISTRATIONS, &full_registration(&learners)).await.is_empty(), "no record is there twice");
    learners[250]["misIdentifier"] = json!(" STU-3 ");
    learners[260]["misIdentifier"] = json!("stu-3");
    for index in [10, 270] {
        learners[index]["uln"] = json!("3000000126");
    }
    for index in [11, 12] {
        learners[index].as_object_mut().expect("an object").remove("misIdentifier");
    }
    let check = json!({"jobType": "CHECK", "learners": learners});
    let duplicates = [("/learners/250/misIdentifier", "duplicate_mis_identifier"), ("/learners/270/uln", "duplicate_uln")];
    assert_eq!(warnings(&caller, REGISTRATIONS, &check).await, expected(&duplicates));
    let answer = caller.post(REGISTRATIONS, &check).await.json();
    let detail = answer["warnings"][0]["detail"].as_str().expect("a detail");
    assert!(detail.contains("position 3") && !detail.contains("STU"), "{detail}");
}

#[tokio::test]
async fn verification_batch_with_a_uln_twice_warns() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let learner = |uln: &str| json!({"uln": uln, "givenName": "Ana", "familyName": "O'Neill"});
    let body = json!({"learners": [learner("3000000126"), learner("3000000258"), learner("3000000126")]});
    assert_eq!(warnings(&gateway.caller(), VERIFICATIONS, &body).await, expected(&[("/learners/2/uln", "duplicate_uln")]));
}

#[tokio::test]
async fn achievement_batch_warns_about_the_same_achievement_and_not_about_the_same_learner() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller().with_claims(json!({"org": AWARDING, "preferred_username": "a.officer"}));
    let achievement = |number: usize, reference: &str, award_date: &str, action: &str| {
        json!({
            "action": action, "actionDate": "2026-07-01", "achievementAwardDate": award_date, "uln": "3000000126", "givenName": "Ana",
            "familyName": "O'Neill", "providerUkprn": "10088881", "unitOrQualificationReferenceNumber": reference,
            "misIdentifier": format!("CAND-{number}")
        })
    };
    let achievements = [
        achievement(0, "600/0001/X", "2026-06-30", "CREATE"),
        achievement(1, "600/0002/X", "2026-06-30", "CREATE"),
        achievement(2, "600/0001/X", "2025-06-30", "CREATE"),
        achievement(3, "600/0001/X", "2026-06-30", "UPDATE"),
        achievement(4, "600/0001/X", "2026-06-30", "CREATE"),
        achievement(1, "600/0003/X", "2026-06-30", "CREATE"),
    ];
    let body = json!({"submissionType": "FINAL", "achievements": achievements});
    let duplicates = [
        ("/achievements/4/unitOrQualificationReferenceNumber", "duplicate_achievement"),
        ("/achievements/5/misIdentifier", "duplicate_mis_identifier"),
    ];
    assert_eq!(warnings(&caller, ACHIEVEMENTS, &body).await, expected(&duplicates));
}

#[tokio::test]
async fn batch_with_many_duplicates_lists_the_first_and_states_their_number() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let mut learners = learners(500);
    for learner in &mut learners {
        learner["misIdentifier"] = json!("STU");
    }
    let answer = gateway.caller().post(REGISTRATIONS, &full_registration(&learners)).await.json();
    let warnings = answer["warnings"].as_array().expect("warnings");
    assert_eq!(warnings.len(), 101);
    assert!(warnings[100]["detail"].as_str().is_some_and(|detail| detail.starts_with("499 fields")), "{}", warnings[100]);
}
