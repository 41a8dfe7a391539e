//! Batches that a replica has accepted and hands over to its own worker.

use std::time::{Duration, Instant};

use lrs_gateway::batches::BatchSettings;
use lrs_gateway::idempotency::ReservationTimes;
use lrs_gateway::storage::Storage;
use serde_json::{Value, json};

use super::slow_lrs::SlowLrs;
use super::{BATCHES, start_replica, start_replica_with};
use crate::support::batch_backend::KEY;
use crate::support::batches::{SubmittedBatch, expect_accepted, full_registration, learners, submit};
use crate::support::gateway::{Options, fast_batches};
use crate::support::redis::{TestRedis, queue_key, redis_client};
use crate::support::reply_cutting_proxy::ReplyCuttingProxy;
use crate::support::{Caller, SimulatedLrs, TestGateway, wait_until};

/// Starts a replica whose only slot for the organisation is taken: LRS does not respond to the first batch yet.
async fn start_busy_replica(lrs: &SlowLrs, redis: &TestRedis) -> (TestGateway, Caller) {
    let batches = BatchSettings { max_concurrent_parts_per_organisation: 1, ..fast_batches() };
    let gateway = start_replica_with(&lrs.server.url(), redis, batches);
    let caller = gateway.caller();
    submit(&caller, "registration-batches", &full_registration(&learners(1))).await;
    lrs.submission_received.notified().await;
    (gateway, caller)
}

async fn submit_second(caller: &Caller) -> SubmittedBatch<'_> {
    submit(caller, "registration-batches", &full_registration(&learners(2))).await
}

#[tokio::test]
async fn handed_over_batch_is_sent_without_its_stored_records() {
    let (redis, lrs) = (TestRedis::start(), SlowLrs::start(""));
    let (_gateway, caller) = start_busy_replica(&lrs, &redis).await;
    let batch = submit_second(&caller).await;
    let deleted: i64 = redis.query(&["DEL", &format!("test:{{{}}}:records:1", batch.id())]);
    assert_eq!(deleted, 1);

    for _ in 0..2 {
        lrs.allow_response.send(200).expect("LRS waits");
    }

    batch.wait_for_status("COMPLETE").await;
    assert_eq!(lrs.registrations(), 2);
}

#[tokio::test]
async fn handed_over_batch_that_another_replica_has_sent_is_not_sent_again() {
    let (redis, lrs) = (TestRedis::start(), SlowLrs::start(""));
    let (_gateway, caller) = start_busy_replica(&lrs, &redis).await;
    let batch = submit_second(&caller).await;
    let key = format!("test:{{{}}}", batch.id());
    let mut part: Value = serde_json::from_str(&redis.query::<String>(&["HGET", &key, "1"])).expect("a part is JSON");
    assert_eq!(part["state"], "WAITING");
    (part["state"], part["job"]) = (json!("SUBMITTED"), json!(78));
    let _: i64 = redis.query(&["HSET", &key, "1", &part.to_string()]);

    lrs.allow_response.send(200).expect("LRS waits");

    let state = batch.wait_for_status("COMPLETE").await;
    assert_eq!(state["parts"][0]["lrsJobId"], "78");
    assert_eq!(lrs.registrations(), 1, "only the first batch");
}

/// Waits until a visit has leased this batch.
async fn wait_for_visit(redis: &TestRedis, batch: &SubmittedBatch<'_>) {
    let is_leased = || redis.query::<Option<f64>>(&["ZSCORE", &queue_key("leased"), batch.id()]).is_some();
    wait_until(is_leased, || "the batch is not visited".to_owned()).await;
}

#[tokio::test]
async fn handed_over_batch_that_another_replica_erases_before_it_is_sent_is_not_sent() {
    let (redis, lrs) = (TestRedis::start(), SlowLrs::start(""));
    // The only part that the worker may have at a time is that of the first batch. The second batch is visited, and waits.
    let batches = BatchSettings { max_concurrent_parts: 1, ..fast_batches() };
    let gateway = start_replica_with(&lrs.server.url(), &redis, batches);
    let caller = gateway.caller();
    let first = submit(&caller, "registration-batches", &full_registration(&learners(1))).await;
    lrs.submission_received.notified().await;
    let second = submit_second(&caller).await;
    wait_for_visit(&redis, &second).await;
    let other_replica = start_replica(&lrs.server.url(), &redis);

    assert_eq!(other_replica.caller().request("DELETE", &second.path).await.status, 204);
    lrs.allow_response.send(200).expect("LRS waits");

    first.wait_for_status("COMPLETE").await;
    drop((gateway, other_replica));
    assert_eq!(lrs.registrations(), 1, "only the first batch");
}

#[tokio::test]
async fn handed_over_batch_whose_acceptance_got_no_reply_is_sent_once_after_the_submission_is_repeated() {
    let (redis, lrs) = (TestRedis::start(), SimulatedLrs::with_instant_jobs());
    let times = Duration::from_millis;
    let reservation_times = ReservationTimes { lease: times(500), renewal_interval: times(100), takeover_delay: times(300) };
    let start =
        |storage| TestGateway::with(&lrs.url(), Options { storage, reservation_times, batches: fast_batches(), ..Options::default() });
    let other_replica = start(redis.storage(KEY));
    let other_caller = other_replica.caller().with_header("Idempotency-Key", "a-key");
    // Redis has the scripts from now on.
    submit(&other_replica.caller(), "registration-batches", &full_registration(&learners(1))).await.wait_for_status("COMPLETE").await;
    let proxy = ReplyCuttingProxy::start(redis.port(), |request| {
        let request = String::from_utf8_lossy(request);
        request.contains("EVALSHA") && request.contains(":records:1")
    });
    let gateway = start(Storage { redis: Some(redis_client(&proxy.redis_url(), None)), ..redis.storage(KEY) });
    let body = full_registration(&learners(2));

    let first = gateway.caller().with_header("Idempotency-Key", "a-key").post(BATCHES, &body).await;

    assert_eq!(first.problem(503, "store_unavailable")["outcomeUnknown"], true);
    let started_at = Instant::now();
    let mut repeated = other_caller.post(BATCHES, &body).await;
    while repeated.status == 409 {
        assert!(started_at.elapsed() < Duration::from_secs(10), "the reservation does not end: {}", repeated.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
        repeated = other_caller.post(BATCHES, &body).await;
    }
    expect_accepted(&other_caller, &repeated).wait_for_status("COMPLETE").await;
    let list = other_caller.request("GET", BATCHES).await.expect_success();
    assert_eq!(list["batches"].as_array().map(Vec::len), Some(2), "{list}");
    drop((gateway, other_replica));
    assert_eq!(lrs.simulator.jobs().submissions().len(), 2);
}
