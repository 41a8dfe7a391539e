//! Batches that a replica has accepted and hands over to its own worker.

use lrs_gateway::batches::BatchSettings;
use serde_json::{Value, json};

use super::slow_lrs::SlowLrs;
use super::start_replica_with;
use crate::support::batches::{SubmittedBatch, full_registration, learners, submit};
use crate::support::gateway::fast_batches;
use crate::support::redis::TestRedis;
use crate::support::{Caller, TestGateway};

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
