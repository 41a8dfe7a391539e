//! Parts that certainly did not reach LRS wait until LRS accepts them, for every type of job. Lost responses of a `CHECK` do not leave the part
//! to a person either.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::batches::{batch_output_response, learners, submit, submit_batch_response};
use crate::support::fake_server::{ReceivedRequest, Reply, http};
use crate::support::gateway::{Options, fast_batches};
use crate::support::{FakeServer, TestGateway};

/// Number of submissions that LRS does not accept: more than a person would be patient for.
const REFUSALS: usize = 12;

fn is_submission(request: &ReceivedRequest) -> bool {
    !request.body.contains("GetSubmitBatchOutput")
}

/// An LRS that replies so to the first submissions, and then accepts and completes jobs with a result for `STU-0`.
fn lrs_that_recovers(refusals: usize, refuse: impl Fn() -> Reply + Send + Sync + 'static) -> FakeServer {
    let submissions = AtomicUsize::new(0);
    let output = batch_output_response(
        "<ResponseCode>WSRC0009</ResponseCode><Learner><ULN>3000000126</ULN><MISIdentifier>STU-0</MISIdentifier>\
         <GivenName>Zebaaaaa</GivenName><FamilyName>Quillfeather</FamilyName><DateOfBirth>1990-09-17</DateOfBirth></Learner>",
    );
    FakeServer::start(move |request| {
        if !is_submission(request) {
            return Reply::Bytes(output.clone());
        }
        if submissions.fetch_add(1, Ordering::SeqCst) < refusals {
            return refuse();
        }
        Reply::Bytes(submit_batch_response("<ResponseCode>WSRC0007</ResponseCode><JobID>7</JobID>"))
    })
}

fn batch(job_type: &str) -> Value {
    json!({"jobType": job_type, "learners": learners(1)})
}

fn moved() -> Vec<u8> {
    b"HTTP/1.1 308 Permanent Redirect\r\nLocation: https://lrs.example/\r\nContent-Length: 0\r\n\r\n".to_vec()
}

#[tokio::test]
async fn part_that_did_not_reach_lrs_is_sent_until_lrs_accepts_it() {
    for (name, reason, refusal) in [
        ("429", "LRS_UNAVAILABLE", http(429, "text/plain", b"slow down")),
        ("503", "LRS_UNAVAILABLE", http(503, "text/html", b"<html>Service Unavailable</html>")),
        ("maintenance", "LRS_MAINTENANCE", http(200, "text/html", b"<html>Down for maintenance</html>")),
        ("moved", "LRS_MOVED", moved()),
        ("firewall", "LRS_ACCESS_BLOCKED", http(403, "text/html", b"<html>The requested URL was rejected</html>")),
    ] {
        for job_type in ["FULL", "CHECK"] {
            let reply = refusal.clone();
            let lrs = lrs_that_recovers(REFUSALS, move || Reply::Bytes(reply.clone()));
            let gateway = TestGateway::to(&lrs.url());
            let caller = gateway.caller();
            let batch = submit(&caller, "registration-batches", &batch(job_type)).await;

            let waiting = batch.wait_for_state("a reason", |state| state["parts"][0]["reason"].is_string()).await;
            let part = &waiting["parts"][0];
            assert_eq!((&part["status"], &part["reason"]), (&json!("WAITING"), &json!(reason)), "{name}, {job_type}");
            assert!(part.get("sentAt").is_none(), "LRS does not have it: {part}");
            let part = &batch.wait_for_status("COMPLETE").await["parts"][0];

            assert_eq!((&part["lrsJobId"], part.get("reason")), (&json!("7"), None), "{name}, {job_type}");
            let submissions = lrs.received().iter().filter(|request| is_submission(request)).count();
            assert_eq!(submissions, REFUSALS + 1, "{name}, {job_type}: no CHECK job is needed");
        }
    }
}

#[tokio::test]
async fn part_is_sent_again_after_the_time_that_lrs_asks_for() {
    let reply = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n";
    let lrs = lrs_that_recovers(1, || Reply::Bytes(reply.to_vec()));
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let started_at = Instant::now();

    submit(&caller, "registration-batches", &batch("FULL")).await.wait_for_status("COMPLETE").await;

    assert!(started_at.elapsed() >= Duration::from_secs(2), "{:?}", started_at.elapsed());
}

#[tokio::test]
async fn check_whose_responses_are_lost_many_times_is_sent_again_at_a_limited_rate() {
    let lrs = lrs_that_recovers(REFUSALS, || Reply::ThenClose(Vec::new()));
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let started_at = Instant::now();
    let batch = submit(&caller, "registration-batches", &batch("CHECK")).await;

    let part = &batch.wait_for_status("COMPLETE").await["parts"][0];

    assert_eq!(part["lrsJobId"], "7");
    // Delays double from 20 ms up to four poll intervals: nine of the twelve have 400 ms, and each varies by up to a sixth.
    assert!(started_at.elapsed() >= Duration::from_millis(2_400), "{:?}", started_at.elapsed());
}

#[tokio::test]
async fn part_that_cannot_be_sent_in_time_fails_and_can_be_resubmitted() {
    let mut batches = fast_batches();
    batches.submission_timeout = Duration::from_millis(700);
    let lrs = lrs_that_recovers(usize::MAX, || Reply::Bytes(http(503, "text/html", b"<html></html>")));
    let gateway = TestGateway::with(&lrs.url(), Options { batches, ..Options::default() });
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &batch("FULL")).await;

    let part = &batch.wait_for_status("FAILED").await["parts"][0];
    assert_eq!((&part["reason"], part.get("lrsJobId")), (&json!("SUBMISSION_TIMED_OUT"), None));
    assert_eq!(batch.results().await[0]["outcome"], "NOT_PROCESSED");

    let before = lrs.received().len();
    assert_eq!(batch.decide(1, "resubmit").await.status, 202);
    batch.wait_for_status("FAILED").await;
    assert!(lrs.received().len() > before, "the part is sent again");
}
