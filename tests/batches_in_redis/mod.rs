//! Batches in a real Redis: shared by replicas, refused while Redis is down, and cheap while they wait.

mod handover;
mod late_responses;
mod scheduled_visits;
mod slow_lrs;
mod waiting_batches;

use std::time::{Duration, Instant};

use lrs_gateway::batches::BatchSettings;
use serde_json::json;

use crate::support::batch_backend::KEY;
use crate::support::batches::{full_registration, learners, submit};
use crate::support::gateway::{Options, fast_batches};
use crate::support::redis::{TestRedis, queue_key};
use crate::support::{Caller, SimulatedLrs, TestGateway};

const BATCHES: &str = "/v1/registration-batches";

/// Starts a gateway with this Redis.
fn start_replica(lrs_url: &str, redis: &TestRedis) -> TestGateway {
    start_replica_with(lrs_url, redis, fast_batches())
}

/// Starts a gateway with this Redis and these settings of batches.
fn start_replica_with(lrs_url: &str, redis: &TestRedis, batches: BatchSettings) -> TestGateway {
    TestGateway::with(lrs_url, Options { storage: redis.storage(KEY), batches, ..Options::default() })
}

/// Ends the lease of a batch, as if its worker had stopped.
fn lose_lease(redis: &TestRedis, id: &str) {
    let _: i64 = redis.query(&["HDEL", &queue_key("tokens"), id]);
    let _: i64 = redis.query(&["ZADD", &queue_key("leased"), "XX", "0", id]);
}

#[tokio::test]
async fn replicas_share_batches_and_send_each_part_once() {
    let redis = TestRedis::start();
    let lrs = SimulatedLrs::with_instant_jobs();
    let [first, second] = [(); 2].map(|()| start_replica(&lrs.url(), &redis));
    let caller = first.caller();
    let batch = submit(&caller, "registration-batches", &full_registration(&learners(1000))).await;

    let state = second.caller().with_header("Prefer", "wait=30").request("GET", &batch.path).await.expect_success();

    assert_eq!(state["status"], "COMPLETE");
    assert_eq!(second.caller().request("GET", BATCHES).await.expect_success()["batches"][0]["batchId"], batch.id());
    assert_eq!(lrs.simulator.jobs().submissions().len(), 5);
}

/// Asserts that an operation is refused because the store is unavailable, and certainly had no effect.
async fn assert_store_unavailable(caller: &Caller, method: &str, path: &str) {
    let answer = match method {
        "POST" => caller.post(path, &full_registration(&learners(1))).await,
        _ => caller.request(method, path).await,
    };
    let problem = answer.problem(503, "store_unavailable");
    assert!(problem.get("outcomeUnknown").is_none() && problem["retryAfterSeconds"] == 5, "{method} {path}: {problem}");
}

#[tokio::test]
async fn redis_down_batches_are_refused_and_single_calls_are_not() {
    let mut redis = TestRedis::start();
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = start_replica(&lrs.url(), &redis);
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &full_registration(&learners(1))).await;
    batch.wait_for_status("COMPLETE").await;

    redis.kill();

    let results = format!("{}/results", batch.path);
    for (method, path) in
        [("POST", BATCHES), ("GET", BATCHES), ("GET", batch.path.as_str()), ("GET", results.as_str()), ("DELETE", batch.path.as_str())]
    {
        assert_store_unavailable(&caller, method, path).await;
    }
    let search = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});
    assert_eq!(caller.post("/v1/learners/find-by-uln", &search).await.expect_success()["outcome"], "EXACT_MATCH");
}

#[tokio::test]
async fn redis_restarted_batches_are_kept_and_accepted_again() {
    let mut redis = TestRedis::persistent();
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = start_replica(&lrs.url(), &redis);
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &full_registration(&learners(1))).await;
    batch.wait_for_status("COMPLETE").await;
    redis.kill();
    assert_store_unavailable(&caller, "POST", BATCHES).await;

    redis.restart();

    let started_at = Instant::now();
    while caller.request("GET", &batch.path).await.status != 200 {
        assert!(started_at.elapsed() < Duration::from_secs(10), "the gateway does not reconnect");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let list = caller.request("GET", BATCHES).await.expect_success();
    assert_eq!(list["batches"].as_array().map(Vec::len), Some(1), "the refused batch was not accepted");
    let batch = submit(&caller, "registration-batches", &full_registration(&learners(2))).await;
    batch.wait_for_status("COMPLETE").await;
    assert_eq!(lrs.simulator.jobs().submissions().len(), 2);
}
