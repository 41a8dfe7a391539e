//! Verification batches through the gateway.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::batches::{accepted, mis_identifiers, statuses, submit};
use crate::support::fake_server::{Reply, soap};
use crate::support::{FakeServer, SimulatedLrs, TestGateway};

fn lrs() -> SimulatedLrs {
    let lrs = SimulatedLrs::start();
    lrs.simulator.set_job_duration(Duration::ZERO);
    lrs
}

/// Ana under her own name, `count` times, each record with a name of its own.
fn ana(count: usize) -> Vec<Value> {
    let learner =
        |number| json!({"misIdentifier": format!("CAND-{number}"), "uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});
    (0..count).map(learner).collect()
}

#[tokio::test]
async fn learners_are_verified_each_by_its_own_values() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let mut learners = ana(203);
    learners[1] = json!({"uln": "3000000126", "givenName": "Anna", "familyName": "O'Neill", "dateOfBirth": "2003-04-05"});
    learners[200] = json!({"misIdentifier": "nobody", "uln": "3000000258", "givenName": "Ana", "familyName": "O'Neill"});
    learners[201] = json!({"misIdentifier": "other", "uln": "3000000126", "givenName": "Bob", "familyName": "Smith", "gender": "MALE"});
    let body = json!({"learners": learners, "notifyEmail": "results@mail.example.com"});
    let batch = submit(&caller, "verification-batches", &body).await;
    let state = batch.wait_for_status("COMPLETE").await;
    assert_eq!(statuses(&state), ["COMPLETE", "COMPLETE"]);
    let results = batch.results().await;
    assert_eq!(mis_identifiers(&results), mis_identifiers(&learners));
    for (position, row) in results.iter().enumerate() {
        let expected = match position {
            1 => ("SIMILAR_MATCH", "WSVRC003"),
            200 => ("ULN_NOT_FOUND", "WSVRC006"),
            201 => ("NO_MATCH", "WSVRC005"),
            _ => ("MATCH", "WSVRC001"),
        };
        assert_eq!((row["outcome"].as_str(), row["lrsCode"].as_str()), (Some(expected.0), Some(expected.1)), "{row}");
        assert_eq!(row["position"], position);
        assert_eq!(row["verification"]["searchedUln"], learners[position]["uln"], "{row}");
    }
    assert_eq!(results[1]["verification"]["failures"], json!([{"flag": "VRF1", "field": "givenName", "comparedWith": "givenName"}]));
    let table = gateway.caller().with_header("Accept", "text/csv").request("GET", &format!("{}/results", batch.path)).await;
    let second = table.text.split("\r\n").nth(2).expect("a row");
    assert!(second.starts_with("1,,SIMILAR_MATCH,WSVRC003,,VRF1,3000000126,O'Neill,Anna,2003-04-05,"), "{second}");
}

#[tokio::test]
async fn verifying_is_done_again_by_itself_when_an_answer_is_lost() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    lrs.simulator.lose_answers("SubmitVerifyBatch", 2);
    lrs.simulator.lose_answers("GetVerifyBatchOutput", 3);
    let batch = submit(&caller, "verification-batches", &json!({"learners": ana(2)})).await;
    batch.wait_for_status("COMPLETE").await;
    assert_eq!(lrs.simulator.jobs().submissions().len(), 3);
    assert_eq!(batch.results().await.len(), 2);
}

#[tokio::test]
async fn a_job_of_the_portal_is_followed() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let batch = accepted(&caller, &caller.post("/v1/verification-batches/track", &json!({"lrsJobId": "800002"})).await);
    let state = batch.wait_for_status("COMPLETE").await;
    let results = batch.results().await;
    assert_eq!(state["records"], results.len());
    assert!(!results.is_empty() && results.iter().all(|row| row["verification"]["searchedUln"].is_string()), "{results:?}");
}

#[tokio::test]
async fn a_learner_without_uln_or_with_a_wrong_one_is_a_mistake() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let mut learners = ana(3);
    learners[1]["uln"] = json!("3000000127");
    learners[2].as_object_mut().expect("an object").remove("uln");
    let answer =
        gateway.caller().post("/v1/verification-batches", &json!({"learners": learners, "notifyEmail": "a&b@mail.example.com"})).await;
    answer.problem(422, "validation_failed");
    let expected = [("/learners/1/uln", "check_digit"), ("/learners/2/uln", "required"), ("/notifyEmail", "invalid_format")];
    assert_eq!(answer.errors(), expected.map(|(at, code)| (at.to_owned(), code.to_owned())));
    assert!(lrs.simulator.jobs().submissions().is_empty());
}

#[tokio::test]
async fn an_lrs_that_gives_no_codes_is_understood_by_what_it_gives() {
    let submitted = soap(
        200,
        "<n:SubmitVerifyBatchResponse xmlns:n=\"http://api.lrs.miap.gov.uk/vldmsg\"><JobID>7</JobID></n:SubmitVerifyBatchResponse>",
    );
    let rows = "<VerifiedLearner><MISIdentifier>STU-0</MISIdentifier><SearchedULN>3000000126</SearchedULN></VerifiedLearner>";
    let done = soap(
        200,
        &format!(
            "<n:GetVerifyBatchOutputResponse xmlns:n=\"http://api.lrs.miap.gov.uk/vldmsg\">\
             <JobFinishedDateTime>2026-07-01 10:05:00</JobFinishedDateTime>{rows}</n:GetVerifyBatchOutputResponse>"
        ),
    );
    let peer = FakeServer::start(move |request| {
        Reply::Bytes(if request.body.contains("GetVerifyBatchOutput") { done.clone() } else { submitted.clone() })
    });
    let gateway = TestGateway::to(&peer.url());
    let caller = gateway.caller();
    let learners = json!({"learners": [{"misIdentifier": "STU-0", "uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"}]});
    let batch = submit(&caller, "verification-batches", &learners).await;
    assert_eq!(batch.wait_for_status("COMPLETE").await["parts"][0]["lrsJobId"], "7");
    let row = &batch.results().await[0];
    assert_eq!((&row["misIdentifier"], &row["outcome"], row.get("lrsCode")), (&json!("STU-0"), &json!("OTHER"), None));
    assert_eq!(peer.received().iter().filter(|request| request.body.contains("SubmitVerifyBatch ")).count(), 1, "the job was not lost");
}
