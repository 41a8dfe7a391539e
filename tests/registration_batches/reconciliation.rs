//! Reconciliation: after the response to a registration is lost, a `CHECK` job of the same records shows what LRS has. No learner is registered
//! by it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lrs_gateway::batches::BatchSettings;
use serde_json::{Value, json};

use super::{output_learner, register};
use crate::support::batch_backend::{BatchBackend, KEY, test_each_backend};
use crate::support::batches::{batch_output_response, check_counters, learners, submit_batch_response};
use crate::support::fake_server::Reply;
use crate::support::gateway::{Options, fast_batches};
use crate::support::{FakeServer, SimulatedLrs, TestGateway};

test_each_backend!(reconciliation_is_continued_by_another_gateway);

#[tokio::test]
async fn lost_response_to_an_executed_registration_completes_the_part_with_its_ulns() {
    let lrs = SimulatedLrs::with_instant_jobs();
    lrs.simulator.lose_answers("SubmitBatch", 2);
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();

    let batch = register(&caller, &learners(600)).await;
    let state = batch.wait_for_status("COMPLETE").await;

    let reconciled: Vec<&Value> =
        state["parts"].as_array().expect("parts").iter().filter(|part| part["reconciliation"].is_object()).collect();
    assert_eq!(reconciled.len(), 2, "{state}");
    for part in reconciled {
        assert_eq!((&part["reconciliation"]["registered"], part.get("reason")), (&json!(200), None), "{part}");
        assert_eq!((part.get("lrsJobId"), part["sentAt"].is_string()), (None, true), "the registration's job is unknown: {part}");
    }
    assert_eq!(state["progress"], json!({"submitted": 600, "returned": 600, "failed": 0}));
    let results = batch.results().await;
    assert!(results.iter().all(|row| row["outcome"] == "ULN_RETURNED" && row["uln"].is_string()), "{results:?}");
    assert_eq!((lrs.registration_jobs("FUL").len(), lrs.registration_jobs("CHK").len()), (3, 2));
}

#[tokio::test]
async fn lost_response_to_a_partly_executed_registration_shows_which_learners_are_registered() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    // Two of five learners are registered already. LRS never receives the registration of the others.
    let mut all = learners(5);
    let registered = register(&caller, &[all[1].clone(), all[3].clone()]).await;
    registered.wait_for_status("COMPLETE").await;
    all[4]["uln"] = json!("3000000126");
    lrs.lose_requests("SubmitBatch", 1);

    let batch = register(&caller, &all).await;
    let state = batch.wait_for_status("PAUSED").await;

    let part = &state["parts"][0];
    assert_eq!((&part["status"], &part["reason"]), (&json!("UNCONFIRMED"), &json!("ANSWER_LOST")));
    let reconciliation = &part["reconciliation"];
    assert_eq!(reconciliation["registered"], 2, "{part}");
    assert_eq!(reconciliation["notRegisteredPositions"], json!([0, 2]), "{part}");
    assert_eq!(reconciliation["unclearPositions"], json!([4]), "the record was sent with a ULN: {part}");
    assert_eq!(lrs.registration_jobs("FUL").len(), 1, "only the two learners");
    assert!(batch.results().await.is_empty());
}

/// An LRS that closes the connection of every registration, accepts `CHECK` jobs as job 8, and responds to each poll with these learners.
fn lrs_with_check_output(children: &str) -> FakeServer {
    let output = batch_output_response(&format!("<ResponseCode>WSRC0009</ResponseCode>{children}"));
    let accepted = submit_batch_response("<ResponseCode>WSRC0007</ResponseCode><JobID>8</JobID>");
    FakeServer::start(move |request| {
        if request.body.contains("GetSubmitBatchOutput") {
            Reply::Bytes(output.clone())
        } else if request.body.contains(">FUL<") {
            Reply::ThenClose(Vec::new())
        } else {
            Reply::Bytes(accepted.clone())
        }
    })
}

#[tokio::test]
async fn check_job_with_an_exception_or_a_possible_match_does_not_complete_the_part() {
    let row = |code: &str, uln: &str| {
        format!(
            "<Learner><ULN>{uln}</ULN><MISIdentifier>STU-0</MISIdentifier><GivenName>Zebaaaaa</GivenName><FamilyName>Quillfeather</FamilyName>\
             <DateOfBirth>1990-09-17</DateOfBirth><ReturnCode>{code}</ReturnCode></Learner>"
        )
    };
    let found = |row: String| check_counters(1, 0) + &row;
    for (children, is_complete) in [
        (found(row("RC001", "3000000126")), true),
        (found(row("RC008", "3000000126")), false),
        (found(row("RC012", "3000000126")), false),
        (found(row("RC001", "")), false),
        (found(row("RC001", "3000000127")), false),
        (found(row("RC001", "3000000126").replace("Zebaaaaa", "Another")), false),
        (check_counters(1, 1) + &row("RC001", "3000000126"), false),
        (check_counters(0, 0) + &row("RC001", "3000000126"), false),
        (row("RC001", "3000000126"), false),
        (String::new(), false),
    ] {
        let lrs = lrs_with_check_output(&children);
        let gateway = TestGateway::to(&lrs.url());
        let caller = gateway.caller();
        let batch = register(&caller, &learners(1)).await;
        let state = batch.wait_for_status(if is_complete { "COMPLETE" } else { "PAUSED" }).await;
        assert_eq!(state["parts"][0]["reconciliation"]["lrsJobId"], "8", "{children}: {state}");
        let registrations = lrs.received().iter().filter(|request| request.body.contains(">FUL<")).count();
        assert_eq!(registrations, 1, "{children}");
    }
}

#[tokio::test]
async fn check_job_is_sent_after_the_pause_and_again_until_lrs_accepts_it() {
    let lrs = SimulatedLrs::with_instant_jobs();
    lrs.simulator.lose_answers("SubmitBatch", 3);
    lrs.simulator.lose_answers("GetSubmitBatchOutput", 2);
    let pause = Duration::from_millis(700);
    let batches = BatchSettings { reconciliation_delay: pause, ..fast_batches() };
    let gateway = TestGateway::with(&lrs.url(), Options { batches, ..Options::default() });
    let caller = gateway.caller();
    let started_at = std::time::Instant::now();

    let batch = register(&caller, &learners(2)).await;
    let state = batch.wait_for_state("reconciling", |state| state["parts"][0]["status"] == "RECONCILING").await;
    assert_eq!((&state["status"], &state["parts"][0]["reason"]), (&json!("PROCESSING"), &json!("ANSWER_LOST")));
    assert!(state["retryAfterSeconds"].is_u64(), "{state}");
    batch.decide(1, "resubmit").await.problem(409, "part_not_awaiting_decision");
    batch.wait_for_status("COMPLETE").await;

    assert!(started_at.elapsed() >= pause.mul_f64(0.8), "{:?}", started_at.elapsed());
    assert_eq!((lrs.registration_jobs("FUL").len(), lrs.registration_jobs("CHK").len()), (1, 3), "two of three answers are lost");
}

/// The state `RECONCILING` is stored: a gateway that starts later goes on with it.
async fn reconciliation_is_continued_by_another_gateway(backend: BatchBackend) {
    let lrs = SimulatedLrs::with_instant_jobs();
    lrs.simulator.lose_answers("SubmitBatch", 1);
    let batches = BatchSettings { reconciliation_delay: Duration::from_secs(2), ..fast_batches() };
    let first = TestGateway::with(&lrs.url(), Options { batches, ..backend.options(KEY) });
    let caller = first.caller();
    let batch = register(&caller, &learners(2)).await;
    batch.wait_for_state("reconciling", |state| state["parts"][0]["status"] == "RECONCILING").await;
    let path = batch.path.clone();
    drop(first);

    let second = TestGateway::with(&lrs.url(), backend.options(KEY));
    let state = second.caller().with_header("Prefer", "wait=30").request("GET", &path).await.expect_success();

    assert_eq!(state["status"], "COMPLETE", "{state}");
    assert_eq!((lrs.registration_jobs("FUL").len(), lrs.registration_jobs("CHK").len()), (1, 1));
}

#[tokio::test]
async fn undocumented_error_of_a_registration_is_reconciled_too() {
    let requests = AtomicUsize::new(0);
    let fault = crate::support::fake_server::soap(
        500,
        "<s:Fault xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><faultcode>s:Server</faultcode><faultstring>x</faultstring><detail>\
         <e:MIAPAPIException xmlns:e=\"http://api.lrs.miap.gov.uk/exceptions\"><ErrorCode>WSEC4711</ErrorCode></e:MIAPAPIException></detail></s:Fault>",
    );
    let output = batch_output_response("<ResponseCode>WSRC0009</ResponseCode>");
    let accepted = submit_batch_response("<ResponseCode>WSRC0007</ResponseCode><JobID>8</JobID>");
    let lrs = FakeServer::start(move |request| {
        let is_first = requests.fetch_add(1, Ordering::SeqCst) == 0;
        let is_poll = request.body.contains("GetSubmitBatchOutput");
        Reply::Bytes(if is_first {
            fault.clone()
        } else if is_poll {
            output.clone()
        } else {
            accepted.clone()
        })
    });
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let batch = register(&caller, &learners(1)).await;

    let part = &batch.wait_for_status("PAUSED").await["parts"][0];

    assert_eq!((&part["reason"], &part["lrsCode"]), (&json!("LRS_REJECTED_REQUEST"), &json!("WSEC4711")));
    assert_eq!(part["reconciliation"]["unclearPositions"], json!([0]), "LRS returned no row: {part}");
}

#[tokio::test]
async fn accepted_registration_without_a_job_number_is_reconciled() {
    let learner = output_learner("STU-0", "Zebaaaaa", "3000000126", "");
    let output = batch_output_response(&format!("<ResponseCode>WSRC0009</ResponseCode>{}{learner}", check_counters(1, 0)));
    let lrs = FakeServer::start(move |request| {
        Reply::Bytes(if request.body.contains("GetSubmitBatchOutput") {
            output.clone()
        } else {
            let job = if request.body.contains(">FUL<") { 0 } else { 8 };
            submit_batch_response(&format!("<ResponseCode>WSRC0007</ResponseCode><JobID>{job}</JobID>"))
        })
    });
    let batches = BatchSettings { reconciliation_delay: Duration::from_millis(500), ..fast_batches() };
    let gateway = TestGateway::with(&lrs.url(), Options { batches, ..Options::default() });
    let caller = gateway.caller();
    let batch = register(&caller, &learners(1)).await;

    let state = batch.wait_for_state("reconciling", |state| state["parts"][0]["status"] == "RECONCILING").await;
    assert_eq!((&state["parts"][0]["reason"], &state["parts"][0]["lrsCode"]), (&json!("LRS_BAD_RESPONSE"), &json!("WSRC0007")));
    let state = batch.wait_for_status("COMPLETE").await;

    let part = &state["parts"][0];
    assert_eq!((part.get("reason"), part.get("lrsCode")), (None, None), "the code belongs to the lost response: {part}");
    assert_eq!(lrs.received().iter().filter(|request| request.body.contains(">FUL<")).count(), 1);
}
