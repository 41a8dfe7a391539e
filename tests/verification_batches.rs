//! Verification batches through the gateway.

use serde_json::{Value, json};

use crate::support::batches::{expect_accepted, mis_identifiers, part_statuses, submit};
use crate::support::fake_server::{Reply, soap};
use crate::support::{FakeServer, SimulatedLrs, TestGateway};

const BATCHES: &str = "/v1/verification-batches";

/// Returns the learner Ana O'Neill, who is registered, `count` times. The MIS identifiers are `CAND-0`, `CAND-1`, …
fn matching_learners(count: usize) -> Vec<Value> {
    let learner =
        |number| json!({"misIdentifier": format!("CAND-{number}"), "uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});
    (0..count).map(learner).collect()
}

/// Returns learners for two parts, three of whom do not match.
fn learners_of_two_parts() -> Vec<Value> {
    let mut learners = matching_learners(203);
    learners[1] = json!({"uln": "3000000126", "givenName": "Anna", "familyName": "O'Neill", "dateOfBirth": "2003-04-05"});
    learners[200] = json!({"misIdentifier": "unknown", "uln": "3000000258", "givenName": "Ana", "familyName": "O'Neill"});
    learners[201] = json!({"misIdentifier": "other", "uln": "3000000126", "givenName": "Bob", "familyName": "Smith", "gender": "MALE"});
    learners
}

#[tokio::test]
async fn each_learner_has_the_outcome_of_their_own_values() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let learners = learners_of_two_parts();
    let body = json!({"learners": learners, "notifyEmail": "results@mail.example.com"});
    let batch = submit(&caller, "verification-batches", &body).await;

    let state = batch.wait_for_status("COMPLETE").await;

    assert_eq!(part_statuses(&state), ["COMPLETE", "COMPLETE"]);
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
}

#[tokio::test]
async fn csv_results_have_one_row_per_learner_with_failure_flags() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let batch = submit(&caller, "verification-batches", &json!({"learners": learners_of_two_parts()})).await;
    batch.wait_for_status("COMPLETE").await;

    let answer = caller.request("GET", &format!("{}/results.csv", batch.path)).await;

    let lines: Vec<&str> = answer.text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 1 + 203);
    assert!(lines[2].starts_with("1,,SIMILAR_MATCH,WSVRC003,,VRF1,3000000126,O'Neill,Anna,2003-04-05,"), "{}", lines[2]);
}

#[tokio::test]
async fn part_with_lost_responses_is_sent_and_polled_again_automatically() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    lrs.simulator.lose_answers("SubmitVerifyBatch", 2);
    lrs.simulator.lose_answers("GetVerifyBatchOutput", 3);
    let batch = submit(&caller, "verification-batches", &json!({"learners": matching_learners(2)})).await;

    batch.wait_for_status("COMPLETE").await;

    assert_eq!(lrs.simulator.jobs().submissions().len(), 3);
    assert_eq!(batch.results().await.len(), 2);
}

#[tokio::test]
async fn adopted_portal_job_completes_with_its_results() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let answer = caller.post(&format!("{BATCHES}/track"), &json!({"lrsJobId": "800002"})).await;
    let batch = expect_accepted(&caller, &answer);

    let state = batch.wait_for_status("COMPLETE").await;

    let results = batch.results().await;
    assert_eq!(state["records"], results.len());
    assert!(!results.is_empty() && results.iter().all(|row| row["verification"]["searchedUln"].is_string()), "{results:?}");
}

#[tokio::test]
async fn learner_without_a_valid_uln_is_rejected_before_anything_is_sent() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let mut learners = matching_learners(3);
    learners[1]["uln"] = json!("3000000127");
    learners[2].as_object_mut().expect("a learner is an object").remove("uln");

    let answer = gateway.caller().post(BATCHES, &json!({"learners": learners, "notifyEmail": "a&b@mail.example.com"})).await;

    answer.problem(422, "validation_failed");
    let expected = [("/learners/1/uln", "check_digit"), ("/learners/2/uln", "required"), ("/notifyEmail", "invalid_format")];
    assert_eq!(answer.errors(), expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned())));
    assert!(lrs.simulator.jobs().submissions().is_empty());
}

#[tokio::test]
async fn output_without_codes_completes_the_part() {
    let namespace = "http://api.lrs.miap.gov.uk/vldmsg";
    let submitted =
        soap(200, &format!("<n:SubmitVerifyBatchResponse xmlns:n=\"{namespace}\"><JobID>7</JobID></n:SubmitVerifyBatchResponse>"));
    let output = soap(
        200,
        &format!(
            "<n:GetVerifyBatchOutputResponse xmlns:n=\"{namespace}\"><JobFinishedDateTime>2026-07-01 10:05:00</JobFinishedDateTime>\
             <VerifiedLearner><MISIdentifier>STU-0</MISIdentifier><SearchedULN>3000000126</SearchedULN></VerifiedLearner>\
             </n:GetVerifyBatchOutputResponse>"
        ),
    );
    let lrs = FakeServer::start(move |request| {
        Reply::Bytes(if request.body.contains("GetVerifyBatchOutput") { output.clone() } else { submitted.clone() })
    });
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let learners = json!({"learners": [{"misIdentifier": "STU-0", "uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"}]});
    let batch = submit(&caller, "verification-batches", &learners).await;

    let state = batch.wait_for_status("COMPLETE").await;

    assert_eq!(state["parts"][0]["lrsJobId"], "7");
    let row = &batch.results().await[0];
    assert_eq!((&row["misIdentifier"], &row["outcome"], row.get("lrsCode")), (&json!("STU-0"), &json!("OTHER"), None));
    let submissions = lrs.received().iter().filter(|request| request.body.contains("SubmitVerifyBatch ")).count();
    assert_eq!(submissions, 1, "the job id of the first submission is used");
}

#[tokio::test]
async fn job_with_the_status_failed_ends() {
    let namespace = "http://api.lrs.miap.gov.uk/batchmsg";
    for (status, is_failed) in [("Failed", true), (" FAILED ", true), ("Cancelled", true), ("Completed", false)] {
        let lrs = FakeServer::start(move |request| {
            Reply::Bytes(if request.body.contains("GetVerifyBatchOutput") {
                let job = format!("<JobStatus>{status}</JobStatus><JobFinishedDateTime>2026-07-01 10:05:00</JobFinishedDateTime>");
                soap(200, &format!("<n:GetVerifyBatchOutputResponse xmlns:n=\"{namespace}\">{job}</n:GetVerifyBatchOutputResponse>"))
            } else {
                soap(200, &format!("<n:SubmitVerifyBatchResponse xmlns:n=\"{namespace}\"><JobID>7</JobID></n:SubmitVerifyBatchResponse>"))
            })
        });
        let gateway = TestGateway::to(&lrs.url());
        let caller = gateway.caller();
        let batch = submit(&caller, "verification-batches", &json!({"learners": matching_learners(2)})).await;

        let state = batch.wait_for_status(if is_failed { "FAILED" } else { "COMPLETE" }).await;

        let part = &state["parts"][0];
        let reason = if is_failed { json!("JOB_FAILED") } else { Value::Null };
        assert_eq!((&part["jobStatus"], &part["reason"]), (&json!(status.trim()), &reason), "{status}");
    }
}
