//! Jobs that were submitted outside the gateway, for example in LRS's portal, and adopted with `track`.

use std::time::Duration;

use lrs_gateway::batches::BatchSettings;
use serde_json::json;

use super::{BATCHES, submissions};
use crate::support::batch_backend::KEY;
use crate::support::batches::{batch_output_response, expect_accepted};
use crate::support::caller::Answer;
use crate::support::fake_server::Reply;
use crate::support::gateway::{Options, fast_batches};
use crate::support::redis::TestRedis;
use crate::support::{Caller, FakeServer, SimulatedLrs, TestGateway, wait_until};

async fn track(caller: &Caller, job_id: &str) -> Answer {
    caller.post(&format!("{BATCHES}/track"), &json!({"lrsJobId": job_id})).await
}

#[tokio::test]
async fn adopted_portal_job_completes_with_its_results() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();

    let batch = expect_accepted(&caller, &track(&caller, "800001").await);
    let state = batch.wait_for_status("COMPLETE").await;

    let results = batch.results().await;
    assert_eq!(state["records"], results.len());
    assert!(!results.is_empty() && results.iter().all(|row| row["learner"]["givenName"].is_string()), "{results:?}");
    assert_eq!(results[0]["position"], 0);
    assert!(submissions(&lrs).is_empty());
}

#[tokio::test]
async fn job_tracked_twice_returns_the_first_batch() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let first = expect_accepted(&caller, &track(&caller, "800001").await);

    for _ in 0..2 {
        let again = track(&caller, "800001").await;
        assert_eq!((again.expect_success()["batchId"].as_str(), again.location()), (Some(first.id()), first.path.clone()));
        first.wait_for_status("COMPLETE").await;
    }
    assert_ne!(expect_accepted(&caller, &track(&caller, "123").await).id(), first.id(), "another job");
    let list = caller.request("GET", BATCHES).await.expect_success();
    assert_eq!(list["batches"].as_array().map(Vec::len), Some(2), "{list}");

    assert_eq!(caller.request("DELETE", &first.path).await.status, 204);
    let after_erasure = expect_accepted(&caller, &track(&caller, "800001").await);
    assert_ne!(after_erasure.id(), first.id());
    after_erasure.wait_for_status("COMPLETE").await;
}

#[tokio::test]
async fn job_tracked_at_the_same_time_at_several_replicas_is_one_batch() {
    let (redis, lrs) = (TestRedis::start(), SimulatedLrs::with_instant_jobs());
    let replica =
        |()| TestGateway::with(&lrs.url(), Options { storage: redis.storage(KEY), batches: fast_batches(), ..Options::default() });
    let replicas = [(); 3].map(replica);
    let callers: Vec<Caller> = replicas.iter().cycle().take(24).map(TestGateway::caller).collect();

    for (tracked, job_id) in (800_001..800_006).enumerate() {
        let job_id = job_id.to_string();
        let answers = futures_util::future::join_all(callers.iter().map(|caller| track(caller, &job_id))).await;

        let first = answers[0].json()["batchId"].clone();
        for answer in &answers {
            assert!(matches!(answer.status, 200 | 202) && answer.json()["batchId"] == first, "{}", answer.text);
        }
        let list = callers[0].request("GET", BATCHES).await.expect_success();
        assert_eq!(list["batches"].as_array().map(Vec::len), Some(tracked + 1), "{list}");
    }
}

#[tokio::test]
async fn adopted_job_that_lrs_does_not_know_fails() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();

    let batch = expect_accepted(&caller, &track(&caller, "123").await);
    let state = batch.wait_for_status("FAILED").await;

    assert_eq!((&state["parts"][0]["reason"], &state["parts"][0]["lrsCode"]), (&json!("JOB_UNKNOWN"), &json!("WSRC0018")));
    assert!(submissions(&lrs).is_empty());
}

#[tokio::test]
async fn invalid_job_id_is_rejected() {
    let gateway = TestGateway::to("http://127.0.0.1:1");
    let caller = gateway.caller();
    for invalid in ["", "0", "12x", "-1", "9223372036854775808"] {
        track(&caller, invalid).await.problem(422, "validation_failed");
    }
}

#[tokio::test]
async fn adopted_job_without_codes_completes_at_its_end_time() {
    // The number of records of an adopted job is unknown, so results alone do not show that it is done.
    let output = |finished: &str| {
        batch_output_response(&format!(
            "<JobStatus>In Progress</JobStatus><JobStartedDateTime>2026-07-01 10:00:00</JobStartedDateTime>\
             <JobFinishedDateTime>{finished}</JobFinishedDateTime>\
             <Learner><MISIdentifier>STU-0</MISIdentifier><GivenName>Zebaaaaa</GivenName><FamilyName>Quillfeather</FamilyName>\
             <DateOfBirth>1990-09-17</DateOfBirth><ULN>3000000126</ULN></Learner>"
        ))
    };
    let polls = std::sync::atomic::AtomicUsize::new(0);
    let lrs = FakeServer::start(move |_| {
        let is_finished = polls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) >= 2;
        Reply::Bytes(output(if is_finished { "2026-07-01 10:05:00" } else { "" }))
    });
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();

    let batch = expect_accepted(&caller, &track(&caller, "7").await);
    let state = batch.wait_for_status("COMPLETE").await;

    assert_eq!(lrs.received().len(), 3, "polled until the job has an end time");
    assert_eq!((&state["records"], &state["parts"][0]["jobFinishedDateTime"]), (&json!(1), &json!("2026-07-01T09:05:00.000Z")));
    let csv = caller.request("GET", &format!("{}/results.csv", batch.path)).await.text;
    let [header, row] = [0, 1].map(|index| csv.lines().nth(index).expect("a header and a row").split(',').collect::<Vec<_>>());
    let uln = header.iter().position(|name| *name == "learnerUln").expect("the column exists");
    assert_eq!(row[uln], "3000000126", "{csv}");
}

#[tokio::test]
async fn adopted_job_without_end_time_completes_when_its_results_stay_the_same() {
    let row = |number: usize| format!("<Learner><MISIdentifier>STU-{number}</MISIdentifier><GivenName>Zeb</GivenName></Learner>");
    let polls = std::sync::atomic::AtomicUsize::new(0);
    // LRS adds rows during the first polls.
    let lrs = FakeServer::start(move |_| {
        let poll = polls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let rows: String = (0..(poll + 1).min(5)).map(row).collect();
        Reply::Bytes(batch_output_response(&format!("<JobStatus>In Progress</JobStatus>{rows}")))
    });
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let started_at = std::time::Instant::now();

    let batch = expect_accepted(&caller, &track(&caller, "7").await);
    let state = batch.wait_for_status("COMPLETE").await;

    assert!(started_at.elapsed() >= fast_batches().unfinished_job_grace, "{:?}", started_at.elapsed());
    assert_eq!((&state["records"], batch.results().await.len()), (&json!(5), 5));
}

#[tokio::test]
async fn adopted_job_that_lrs_says_is_not_complete_is_not_taken_as_done() {
    let lrs = FakeServer::start(|_| {
        let row = "<Learner><MISIdentifier>STU-0</MISIdentifier><GivenName>Zeb</GivenName></Learner>";
        Reply::Bytes(batch_output_response(&format!("<ResponseCode>WSRC0008</ResponseCode>{row}")))
    });
    let batches = BatchSettings { unfinished_job_grace: Duration::from_millis(100), ..fast_batches() };
    let gateway = TestGateway::with(&lrs.url(), Options { batches, ..Options::default() });
    let caller = gateway.caller();

    let batch = expect_accepted(&caller, &track(&caller, "7").await);
    wait_until(|| lrs.received().len() >= 12, || format!("{} polls", lrs.received().len())).await;

    assert_eq!(batch.state().await["status"], "PROCESSING");
}
