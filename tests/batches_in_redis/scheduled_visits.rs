//! The visits of batches whose process stops between two writes, or whose parts a worker cannot change.

use std::time::{Duration, Instant};

use lrs_gateway::batches::BatchSettings;
use lrs_gateway::batches::model::BatchId;
use lrs_gateway::batches::repository::BatchRepository as _;
use lrs_gateway::storage::Storage;
use serde_json::{Value, json};

use super::slow_lrs::SlowLrs;
use super::{lose_lease, start_replica, start_replica_with};
use crate::support::batch_backend::KEY;
use crate::support::batches::{batch_output_response, full_registration, learners, submit, submit_batch_response};
use crate::support::fake_server::Reply;
use crate::support::gateway::{Options, fast_batches};
use crate::support::redis::{TestRedis, queue_key, redis_client};
use crate::support::reply_cutting_proxy::ReplyCuttingProxy;
use crate::support::{FakeServer, SimulatedLrs, TestGateway, wait_until};

/// Starts a gateway that loses Redis with the write of a part whose stored JSON, old and new, has all of these texts. Redis executes that
/// write.
fn start_replica_that_stops_after(
    part_texts: &'static [&'static str],
    lrs_url: &str,
    redis: &TestRedis,
    batches: BatchSettings,
) -> (TestGateway, ReplyCuttingProxy) {
    let proxy = ReplyCuttingProxy::start(redis.port(), |request| {
        let request = String::from_utf8_lossy(request);
        part_texts.iter().all(|text| request.contains(text))
    });
    let storage = Storage { redis: Some(redis_client(&proxy.redis_url(), None)), ..redis.storage(KEY) };
    (TestGateway::with(lrs_url, Options { storage, batches, ..Options::default() }), proxy)
}

/// An LRS that accepts every registration and never completes it.
fn lrs_without_results() -> FakeServer {
    FakeServer::start(|request| {
        Reply::Bytes(if request.body.contains("GetSubmitBatchOutput") {
            batch_output_response("<ResponseCode>WSRC0008</ResponseCode>")
        } else {
            submit_batch_response("<ResponseCode>WSRC0007</ResponseCode><JobID>700</JobID>")
        })
    })
}

/// Waits until no batch has an entry in the queue.
async fn wait_for_empty_queue(redis: &TestRedis) {
    let entries = || ["scheduled", "leased"].map(|name| redis.query::<i64>(&["ZCARD", &queue_key(name)]));
    wait_until(|| entries() == [0, 0], || format!("the queue has entries: {:?}", entries())).await;
}

/// Returns the time until the next visit of a batch that is not leased; `None` if it has none.
fn until_next_visit(redis: &TestRedis, id: &str) -> Option<Duration> {
    let time: (u64, u64) = redis.query(&["TIME"]);
    let due_at: Option<f64> = redis.query(&["ZSCORE", &queue_key("scheduled"), id]);
    due_at.map(|due_at| Duration::from_secs_f64(due_at / 1000.0).saturating_sub(Duration::from_micros(time.0 * 1_000_000 + time.1)))
}

/// Makes a batch due now.
async fn wake(redis: &TestRedis, id: &str) {
    let id = BatchId::parse(id).expect("the id is valid");
    redis.repository().wake(id).await.expect("the batch is woken");
}

/// Asserts that a batch has a visit within a minute, and makes it due now.
async fn assert_scheduled(redis: &TestRedis, id: &str) {
    let until_visit = until_next_visit(redis, id).expect("the batch has an entry in the queue");
    assert!(until_visit > Duration::from_secs(20) && until_visit <= Duration::from_secs(60), "{until_visit:?}");
    wake(redis, id).await;
}

fn stored_part(redis: &TestRedis, id: &str) -> Value {
    let part: String = redis.query(&["HGET", &format!("test:{{{id}}}"), "1"]);
    serde_json::from_str(&part).expect("a part is JSON")
}

#[tokio::test]
async fn resubmitted_part_of_a_finished_batch_is_sent_although_the_process_stops() {
    let (redis, lrs) = (TestRedis::start(), lrs_without_results());
    let batches = BatchSettings { result_timeout: Duration::from_millis(300), ..fast_batches() };
    let (gateway, _proxy) = start_replica_that_stops_after(&["\"other_user\":true"], &lrs.url(), &redis, batches);
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &full_registration(&learners(1))).await;
    batch.wait_for_status("FAILED").await;
    wait_for_empty_queue(&redis).await;

    batch.decide(1, "resubmit").await.problem(503, "store_unavailable");

    assert_eq!(stored_part(&redis, batch.id())["state"], "WAITING", "the decision was stored, and the batch not woken");
    assert_scheduled(&redis, batch.id()).await;
    let other_replica = start_replica(&lrs.url(), &redis);
    let path = batch.path.clone();
    let other_caller = other_replica.caller();
    let started_at = Instant::now();
    while other_caller.request("GET", &path).await.expect_success()["status"] != "PROCESSING" {
        assert!(started_at.elapsed() < Duration::from_secs(10), "the part is not sent");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(lrs.received().iter().filter(|request| request.body.contains(">FUL<")).count(), 2);
}

#[tokio::test]
async fn late_job_of_a_finished_batch_is_polled_although_the_process_stops() {
    let (redis, lrs) = (TestRedis::start(), SlowLrs::start(""));
    let (gateway, _proxy) = start_replica_that_stops_after(&["\"DISCARDED\"", "\"job\":77,"], &lrs.server.url(), &redis, fast_batches());
    let caller = gateway.caller();
    let submitted = submit(&caller, "registration-batches", &full_registration(&learners(1))).await;
    lrs.submission_received.notified().await;
    lose_lease(&redis, submitted.id());
    let other_replica = start_replica(&lrs.server.url(), &redis);
    submitted.wait_for_status("PAUSED").await;
    assert_eq!(submitted.decide(1, "discard").await.status, 202);
    wait_for_empty_queue(&redis).await;

    lrs.allow_response.send(200).expect("LRS waits");
    wait_until(|| stored_part(&redis, submitted.id())["job"] == 77, || stored_part(&redis, submitted.id()).to_string()).await;

    assert_scheduled(&redis, submitted.id()).await;
    let other_caller = other_replica.caller().with_header("Prefer", "wait=30");
    let state = other_caller.request("GET", &submitted.path).await.expect_success();
    assert_eq!((&state["status"], &state["parts"][0]["lrsJobId"]), (&json!("COMPLETE"), &json!("77")));
}

#[tokio::test]
async fn part_with_fields_of_a_later_version_is_visited_once_a_minute() {
    let (redis, lrs) = (TestRedis::start(), lrs_without_results());
    let first = start_replica(&lrs.url(), &redis);
    let caller = first.caller();
    let batch = submit(&caller, "registration-batches", &full_registration(&learners(1))).await;
    batch.wait_for_status("PROCESSING").await;
    let id = batch.id().to_owned();
    drop(first);
    let mut part = stored_part(&redis, &id);
    part["field_of_a_later_version"] = json!(1);
    let _: i64 = redis.query(&["HSET", &format!("test:{{{id}}}"), "1", &part.to_string()]);
    let polls_before = lrs.received().len();

    let _second = start_replica_with(&lrs.url(), &redis, fast_batches());
    let is_deferred = || until_next_visit(&redis, &id).is_some_and(|time| time > Duration::from_secs(30));
    wait_until(is_deferred, || format!("next visit in {:?}", until_next_visit(&redis, &id))).await;

    assert_eq!(lrs.received().len() - polls_before, 1);
    assert_eq!(stored_part(&redis, &id), part, "it is not overwritten");
}

#[tokio::test]
async fn finished_batch_that_is_visited_again_is_not_concluded_again() {
    let redis = TestRedis::start();
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = start_replica(&lrs.url(), &redis);
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &full_registration(&learners(1))).await;
    batch.wait_for_status("COMPLETE").await;
    wait_for_empty_queue(&redis).await;
    let expiry = || redis.query::<String>(&["HGET", &format!("test:{{{}}}", batch.id()), "expires"]);
    let before = expiry();
    wake(&redis, batch.id()).await;
    wait_for_empty_queue(&redis).await;
    assert_eq!(expiry(), before);
}
