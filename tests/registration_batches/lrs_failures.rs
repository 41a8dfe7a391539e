//! LRS rejects a part, is unavailable, or returns unexpected results.

use std::sync::Mutex;

use lrs_gateway::domain::Product;
use serde_json::json;

use super::{lrs_with_output, output_learner, register};
use crate::support::batches::{batch_output_response, learners, mis_identifiers, submit_batch_response};
use crate::support::caller::PROVIDER;
use crate::support::fake_server::{Reply, http};
use crate::support::gateway::{Options, organisation};
use crate::support::{FakeServer, SimulatedLrs, TestGateway};

#[tokio::test]
async fn rejected_part_fails_with_the_lrs_code() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let organisations = vec![organisation(PROVIDER, "another-password", &[Product::RegistrationBatches])];
    let gateway = TestGateway::with(&lrs.url(), Options { organisations, ..Options::default() });
    let caller = gateway.caller();
    let batch = register(&caller, &learners(2)).await;

    let state = batch.wait_for_status("FAILED").await;

    let part = &state["parts"][0];
    assert_eq!((&part["reason"], &part["lrsCode"]), (&json!("LRS_CREDENTIALS_REJECTED"), &json!("WSEC0005")));
    assert_eq!(state["progress"], json!({"submitted": 0, "returned": 0, "failed": 2}));
    let results = batch.results().await;
    assert_eq!(mis_identifiers(&results), ["STU-0", "STU-1"]);
    assert!(results.iter().all(|row| row["outcome"] == "NOT_PROCESSED" && row["lrsCode"] == "WSEC0005"), "{results:?}");
}

#[tokio::test]
async fn part_is_sent_again_after_lrs_maintenance() {
    // The last reply is sent first.
    let replies = Mutex::new(vec![
        Reply::Bytes(submit_batch_response("<ResponseCode>WSRC0007</ResponseCode><JobID>7</JobID>")),
        Reply::Bytes(http(200, "text/html", b"<html>Down for maintenance</html>")),
    ]);
    let learner = output_learner("STU-0", "ZEBAAAAA", "3000000126", "<ReturnCode>RC001</ReturnCode>");
    let output = batch_output_response(&format!("<ResponseCode>WSRC0009</ResponseCode>{learner}"));
    let lrs = FakeServer::start(move |_| replies.lock().expect("no thread panicked").pop().unwrap_or_else(|| Reply::Bytes(output.clone())));
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let batch = register(&caller, &learners(1)).await;

    let state = batch.wait_for_status("COMPLETE").await;

    assert_eq!(state["parts"][0]["lrsJobId"], "7");
    let submissions = lrs.received().iter().filter(|request| request.body.contains("SubmitBatch ")).count();
    assert_eq!(submissions, 2, "one during maintenance and one after it");
    assert_eq!(batch.results().await[0]["uln"], "3000000126", "a result without a public meaning, with a ULN");
}

#[tokio::test]
async fn part_waits_while_lrs_is_unreachable() {
    let unreachable = FakeServer::with_response(Vec::new()).url();
    let gateway = TestGateway::to(&unreachable);
    let caller = gateway.caller();
    let batch = register(&caller, &learners(1)).await;

    let state = batch.wait_for_state("a reason", |state| state["parts"][0]["reason"].is_string()).await;

    let part = &state["parts"][0];
    let expected = (&json!("SUBMITTING"), &json!("WAITING"), &json!("LRS_UNAVAILABLE"));
    assert_eq!((&state["status"], &part["status"], &part["reason"]), expected);
}

#[tokio::test]
async fn result_that_matches_no_record_is_returned_without_a_position() {
    let code = "<ReturnCode>RC001</ReturnCode>";
    let rows =
        [output_learner("UNKNOWN", "Stranger", "3000000258", code), output_learner("STU-0", "Zebaaaaa", "3000000126", code)].concat();
    let lrs =
        lrs_with_output("<ResponseCode>WSRC0007</ResponseCode><JobID>7</JobID>", &format!("<ResponseCode>WSRC0009</ResponseCode>{rows}"));
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let batch = register(&caller, &learners(2)).await;
    batch.wait_for_status("COMPLETE").await;

    let results = batch.results().await;

    assert_eq!(results.len(), 3);
    assert_eq!((&results[0]["position"], &results[0]["uln"]), (&json!(0), &json!("3000000126")));
    assert_eq!((&results[1]["position"], &results[1]["outcome"], results[1].get("uln")), (&json!(1), &json!("NO_RESULT"), None));
    assert_eq!((results[2].get("position"), &results[2]["learner"]["givenName"]), (None, &json!("Stranger")), "no result is lost");
}

#[tokio::test]
async fn output_without_codes_completes_the_part_when_it_has_every_record() {
    let learner = output_learner("STU-0", "Zebaaaaa", "3000000126", "");
    // The job has no end time. So its progress follows from the number of results only.
    let job = "<JobStatus>In Progress</JobStatus><JobStartedDateTime>2026-07-01 10:00:00</JobStartedDateTime><JobFinishedDateTime/>";
    let lrs = lrs_with_output("<JobID>7</JobID>", &format!("{job}{learner}"));
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let batch = register(&caller, &learners(1)).await;

    let part = &batch.wait_for_status("COMPLETE").await["parts"][0];

    assert_eq!((&part["lrsJobId"], part.get("lrsCode")), (&json!("7"), None));
    let job = (&part["jobStatus"], &part["jobStartedDateTime"], part.get("jobFinishedDateTime"));
    assert_eq!(job, (&json!("In Progress"), &json!("2026-07-01T09:00:00.000Z"), None));
    let row = &batch.results().await[0];
    assert_eq!((&row["outcome"], &row["uln"], row.get("lrsCode")), (&json!("ULN_RETURNED"), &json!("3000000126"), None));
}
