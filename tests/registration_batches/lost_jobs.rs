//! Jobs that LRS accepted and then lost: the records stay until the results are there, and the caller can send the part again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use lrs_gateway::batches::BatchSettings;
use lrs_gateway::batches::model::{BatchId, BlobName, EpochMillis, Part, PartState, Reconciliation};
use lrs_gateway::batches::repository::{BlobChanges, PartUpdate};
use serde_json::json;

use super::{BATCHES, register};
use crate::support::batch_backend::{BatchBackend, KEY, claim_limits, test_each_backend};
use crate::support::batches::{SubmittedBatch, batch_output_response, check_counters, expect_accepted, learners, submit_batch_response};
use crate::support::fake_server::Reply;
use crate::support::gateway::{Options, fast_batches};
use crate::support::{FakeServer, TestGateway};

test_each_backend!(
    timed_out_part_keeps_its_records_and_is_resubmitted_as_a_new_job,
    unknown_job_keeps_its_records_and_is_resubmitted_as_a_new_job,
    resubmission_without_records_is_rejected,
    discarded_part_that_lrs_lost_leaves_no_records,
    batch_expires_after_both_timeouts_and_the_retention,
    results_that_are_ready_after_the_timeout_complete_the_part,
    discarded_part_of_a_finished_batch_does_not_move_its_expiry,
);

/// An LRS that returns nothing about its jobs until it is back, and then completes every job.
struct ForgetfulLrs {
    server: FakeServer,
    is_back: Arc<AtomicBool>,
}

impl ForgetfulLrs {
    fn start(lost_output: &'static str) -> Self {
        let is_back = Arc::new(AtomicBool::new(false));
        let (seen, jobs) = (Arc::clone(&is_back), AtomicU64::new(700));
        let server = FakeServer::start(move |request| {
            Reply::Bytes(if !request.body.contains("GetSubmitBatchOutput") {
                let job = jobs.fetch_add(1, Ordering::SeqCst);
                submit_batch_response(&format!("<ResponseCode>WSRC0007</ResponseCode><JobID>{job}</JobID>"))
            } else if seen.load(Ordering::SeqCst) {
                let counters = check_counters(1, 0);
                batch_output_response(&format!(
                    "<ResponseCode>WSRC0009</ResponseCode>{counters}<Learner><ULN>3000000126</ULN><MISIdentifier>STU-0</MISIdentifier>\
                     <GivenName>Zebaaaaa</GivenName><FamilyName>Quillfeather</FamilyName><DateOfBirth>1990-09-17</DateOfBirth></Learner>",
                ))
            } else {
                batch_output_response(lost_output)
            })
        });
        Self { server, is_back }
    }

    fn registrations(&self) -> usize {
        self.server.received().iter().filter(|request| request.body.contains(">FUL<")).count()
    }
}

fn batch_id(batch: &SubmittedBatch<'_>) -> BatchId {
    BatchId::parse(batch.id()).expect("the id is valid")
}

async fn has_records(backend: &BatchBackend, batch: &SubmittedBatch<'_>) -> bool {
    backend.repository.load_blob(batch_id(batch), BlobName::Records(1)).await.expect("the repository responds").is_some()
}

async fn timed_out_part_keeps_its_records_and_is_resubmitted_as_a_new_job(backend: BatchBackend) {
    let lrs = ForgetfulLrs::start("<ResponseCode>WSRC0008</ResponseCode>");
    let batches = BatchSettings { result_timeout: Duration::from_millis(800), ..fast_batches() };
    let gateway = TestGateway::with(&lrs.server.url(), Options { batches, ..backend.options(KEY) });
    let caller = gateway.caller();
    let batch = register(&caller, &learners(1)).await;
    batch.wait_for_status("PROCESSING").await;
    assert!(has_records(&backend, &batch).await, "LRS has accepted the part, and may lose it");

    let state = batch.wait_for_status("FAILED").await;
    let part = &state["parts"][0];
    assert_eq!((&part["reason"], &part["lrsJobId"], &part["lrsCode"]), (&json!("TIMED_OUT"), &json!("700"), &json!("WSRC0008")));
    assert!(has_records(&backend, &batch).await);

    lrs.is_back.store(true, Ordering::SeqCst);
    let other_user = gateway.caller().with_claims(json!({"preferred_username": "a.decider"}));
    let decision = other_user.request("POST", &format!("{}/parts/1/resubmit", batch.path)).await;
    assert_eq!(decision.status, 202, "{}", decision.text);
    let state = batch.wait_for_status("COMPLETE").await;

    assert_eq!((&state["parts"][0]["lrsJobId"], lrs.registrations()), (&json!("701"), 2));
    assert!(lrs.server.received().iter().any(|request| request.body.contains("701") && request.body.contains("a.decider")));
    assert_eq!(batch.results().await[0]["uln"], "3000000126");
    assert!(!has_records(&backend, &batch).await);
    batch.decide(1, "resubmit").await.problem(409, "part_not_awaiting_decision");
}

async fn unknown_job_keeps_its_records_and_is_resubmitted_as_a_new_job(backend: BatchBackend) {
    let lrs = ForgetfulLrs::start("<ResponseCode>WSRC0018</ResponseCode>");
    let gateway = TestGateway::with(&lrs.server.url(), backend.options(KEY));
    let caller = gateway.caller();
    let batch = register(&caller, &learners(1)).await;
    batch.wait_for_status("PROCESSING").await;
    // LRS has a quarter of an hour to register a new job. It is over now.
    change_part(&backend, &batch, BlobChanges::default(), |part| {
        part.submitted_at = part.submitted_at.map(|time| EpochMillis(time.0 - 20 * 60 * 1000));
    })
    .await;

    let state = batch.wait_for_status("FAILED").await;
    let part = &state["parts"][0];
    assert_eq!((&part["reason"], &part["lrsJobId"], &part["lrsCode"]), (&json!("JOB_UNKNOWN"), &json!("700"), &json!("WSRC0018")));
    assert!(has_records(&backend, &batch).await);

    lrs.is_back.store(true, Ordering::SeqCst);
    assert_eq!(batch.decide(1, "resubmit").await.status, 202);
    let part = &batch.wait_for_status("COMPLETE").await["parts"][0];
    assert_eq!((&part["lrsJobId"], part.get("reason"), lrs.registrations()), (&json!("701"), None, 2));
}

async fn discarded_part_that_lrs_lost_leaves_no_records(backend: BatchBackend) {
    let lrs = ForgetfulLrs::start("<ResponseCode>WSRC0008</ResponseCode>");
    let batches = BatchSettings { result_timeout: Duration::from_millis(300), ..fast_batches() };
    let gateway = TestGateway::with(&lrs.server.url(), Options { batches, ..backend.options(KEY) });
    let caller = gateway.caller();
    let batch = register(&caller, &learners(1)).await;
    batch.wait_for_status("FAILED").await;
    assert!(has_records(&backend, &batch).await);

    assert_eq!(batch.decide(1, "discard").await.status, 202);

    let part = &batch.state().await["parts"][0];
    assert_eq!((&part["reason"], &part["lrsJobId"]), (&json!("DISCARDED"), &json!("700")));
    assert!(!has_records(&backend, &batch).await);
    for decision in ["resubmit", "discard"] {
        batch.decide(1, decision).await.problem(409, "part_not_awaiting_decision");
    }
}

/// Changes the stored part of a batch, whatever the worker does at the same time.
async fn change_part(backend: &BatchBackend, batch: &SubmittedBatch<'_>, blobs: BlobChanges, change: impl Fn(&mut Part)) {
    loop {
        let stored = backend.repository.load(batch_id(batch)).await.expect("the repository responds").expect("the batch exists");
        let mut changed = stored.parts[0].clone();
        change(&mut changed);
        let update = PartUpdate { number: 1, expected: &stored.parts[0], updated: &changed, blobs: &blobs };
        if backend.repository.update_part(stored.id, update).await == Ok(true) {
            return;
        }
    }
}

async fn resubmission_without_records_is_rejected(backend: BatchBackend) {
    let lrs = ForgetfulLrs::start("<ResponseCode>WSRC0008</ResponseCode>");
    let batches = BatchSettings { result_timeout: Duration::from_millis(300), ..fast_batches() };
    let gateway = TestGateway::with(&lrs.server.url(), Options { batches, ..backend.options(KEY) });
    let caller = gateway.caller();
    let batch = register(&caller, &learners(1)).await;
    batch.wait_for_status("FAILED").await;
    // Earlier versions deleted the records as soon as LRS had accepted them.
    let blobs = BlobChanges { put: Vec::new(), delete: vec![BlobName::Records(1)] };
    change_part(&backend, &batch, blobs, |part| part.send_attempts += 1).await;

    let problem = batch.decide(1, "resubmit").await.problem(409, "part_not_awaiting_decision");

    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("new batch")), "{problem}");
    assert_eq!(lrs.registrations(), 1);
}

#[tokio::test]
async fn job_that_an_adopted_batch_lost_cannot_be_resubmitted() {
    let lrs = ForgetfulLrs::start("<ResponseCode>WSRC0018</ResponseCode>");
    let gateway = TestGateway::to(&lrs.server.url());
    let caller = gateway.caller();
    let batch = expect_accepted(&caller, &caller.post(&format!("{BATCHES}/track"), &json!({"lrsJobId": "7"})).await);
    let state = batch.wait_for_status("FAILED").await;
    assert_eq!(state["parts"][0]["reason"], "JOB_UNKNOWN");
    batch.decide(1, "resubmit").await.problem(409, "part_not_awaiting_decision");
}

/// The batch of a part that is resubmitted late does not expire before the part can finish.
async fn batch_expires_after_both_timeouts_and_the_retention(backend: BatchBackend) {
    let lrs = ForgetfulLrs::start("<ResponseCode>WSRC0008</ResponseCode>");
    let batches = BatchSettings { result_timeout: Duration::from_millis(300), ..fast_batches() };
    let unfinished = batches.submission_timeout + batches.result_timeout + batches.retention;
    let retention = batches.retention;
    let gateway = TestGateway::with(&lrs.server.url(), Options { batches, ..backend.options(KEY) });
    let caller = gateway.caller();
    let batch = register(&caller, &learners(1)).await;
    let lifetime = async || {
        let stored = backend.repository.load(batch_id(&batch)).await.expect("the repository responds").expect("the batch exists");
        let now = backend.repository.now().await.expect("the repository has a clock");
        stored.expires_at.since(now).as_secs_f64().round()
    };
    assert!((lifetime().await - unfinished.as_secs_f64()).abs() < 20.0);
    batch.wait_for_status("FAILED").await;
    let started_at = std::time::Instant::now();
    while (lifetime().await - retention.as_secs_f64()).abs() > 20.0 {
        assert!(started_at.elapsed() < Duration::from_secs(10), "the finished batch has no expiry");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    // The test holds the batch, so that no worker finishes it before its expiry is read.
    loop {
        backend.repository.wake(batch_id(&batch)).await.expect("the repository responds");
        let claim = backend.repository.claim(Duration::from_secs(60), &claim_limits(10)).await.expect("the repository responds");
        if !claim.batches.is_empty() {
            break;
        }
        assert!(started_at.elapsed() < Duration::from_secs(20), "only the gateway gets the batch");
    }
    assert_eq!(batch.decide(1, "resubmit").await.status, 202);
    assert!((lifetime().await - unfinished.as_secs_f64()).abs() < 20.0, "{}", lifetime().await);
}

/// Nothing polls a job for eight days: the gateway is not running, for example. Then LRS's results count, not the timeout.
async fn results_that_are_ready_after_the_timeout_complete_the_part(backend: BatchBackend) {
    const EIGHT_DAYS_MS: i64 = 8 * 24 * 60 * 60 * 1000;
    let long_ago = |time: EpochMillis| EpochMillis(time.0 - EIGHT_DAYS_MS);
    for is_check in [false, true] {
        let lrs = ForgetfulLrs::start("<ResponseCode>WSRC0008</ResponseCode>");
        let gateway = TestGateway::with(&lrs.server.url(), backend.options(KEY));
        let caller = gateway.caller();
        let batch = register(&caller, &learners(1)).await;
        batch.wait_for_status("PROCESSING").await;
        let path = batch.path.clone();
        drop(gateway);
        change_part(&backend, &batch, BlobChanges::default(), |part| {
            part.submitted_at = part.submitted_at.map(long_ago);
            if is_check {
                let (started_at, submitted_at) = (long_ago(part.updated_at), part.submitted_at.take());
                let check = Reconciliation { job_id: part.job_id.take(), submitted_at, ..Reconciliation::starting(started_at) };
                (part.state, part.reconciliation) = (PartState::Reconciling, Some(check));
            }
        })
        .await;
        lrs.is_back.store(true, Ordering::SeqCst);

        let gateway = TestGateway::with(&lrs.server.url(), backend.options(KEY));
        let state = gateway.caller().with_header("Prefer", "wait=30").request("GET", &path).await.expect_success();

        assert_eq!((&state["status"], state["parts"][0].get("reason")), (&json!("COMPLETE"), None), "{state}");
        assert_eq!(lrs.registrations(), 1);
    }
}

async fn discarded_part_of_a_finished_batch_does_not_move_its_expiry(backend: BatchBackend) {
    let lrs = ForgetfulLrs::start("<ResponseCode>WSRC0008</ResponseCode>");
    let batches = BatchSettings { result_timeout: Duration::from_millis(300), ..fast_batches() };
    let gateway = TestGateway::with(&lrs.server.url(), Options { batches, ..backend.options(KEY) });
    let caller = gateway.caller();
    let batch = register(&caller, &learners(1)).await;
    batch.wait_for_status("FAILED").await;
    let started_at = std::time::Instant::now();
    while backend.repository.backlog().await.expect("the repository responds").unfinished > 0 {
        assert!(started_at.elapsed() < Duration::from_secs(10), "the batch is not finished");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let expiry = async || backend.repository.load(batch_id(&batch)).await.expect("the repository responds").map(|stored| stored.expires_at);
    let before = expiry().await;

    assert_eq!(batch.decide(1, "discard").await.status, 202);
    // If the decision had woken the batch, it would be visited before this one.
    register(&caller, &learners(1)).await.wait_for_status("FAILED").await;

    assert_eq!((expiry().await, before.is_some()), (before, true));
}
