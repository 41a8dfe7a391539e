//! Idempotency keys that replicas share through Redis.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{BATCHES, ENCRYPTION_KEY, KEY, OBTAIN, batch, is_replayed, nia};
use crate::support::caller::Caller;
use crate::support::gateway::Options;
use crate::support::redis::TestRedis;
use crate::support::{SimulatedLrs, TestGateway};

fn start_replica(lrs: &SimulatedLrs, redis: &TestRedis) -> TestGateway {
    TestGateway::with(&lrs.url(), Options { storage: redis.storage(ENCRYPTION_KEY), ..Options::default() })
}

fn caller_with_key(gateway: &TestGateway) -> Caller {
    gateway.caller().with_header("Idempotency-Key", KEY)
}

#[tokio::test]
async fn idempotency_key_at_another_replica_replays_answer_and_redis_contains_no_personal_data() {
    let (redis, lrs) = (TestRedis::start(), SimulatedLrs::start());
    let (first_replica, second_replica) = (start_replica(&lrs, &redis), start_replica(&lrs, &redis));

    let first = caller_with_key(&first_replica).post(OBTAIN, &nia()).await;
    let repeated = caller_with_key(&second_replica).post(OBTAIN, &nia()).await;
    assert_eq!((first.status, repeated.status, is_replayed(&repeated)), (201, 201, true), "{}", repeated.text);
    assert_eq!(first.text, repeated.text);
    let accepted = caller_with_key(&first_replica).post(BATCHES, &batch()).await;
    let repeated = caller_with_key(&second_replica).post(BATCHES, &batch()).await;
    assert_eq!((repeated.status, is_replayed(&repeated), repeated.text), (202, true, accepted.text));

    let uln = first.json()["uln"].as_str().expect("the result has a ULN").to_owned();
    let dump = String::from_utf8_lossy(&redis.dump()).into_owned();
    assert!(dump.contains("once:"), "Redis contains the entries of the keys");
    for personal in ["Niamh-Rose", "Thistlewood", "2007-11-30", "ZZ7 7JJ", KEY, "j.bloggs", uln.as_str()] {
        assert!(!dump.contains(personal), "{personal}");
    }
}

#[tokio::test]
async fn idempotency_key_concurrent_requests_at_three_replicas_are_executed_once() {
    let (redis, lrs) = (TestRedis::start(), SimulatedLrs::start());
    let replicas: Vec<TestGateway> = (0..3).map(|_| start_replica(&lrs, &redis)).collect();
    let callers: Vec<Caller> = replicas.iter().cycle().take(30).map(caller_with_key).collect();
    let registration = nia();
    let answers = futures_util::future::join_all(callers.iter().map(|caller| caller.post(OBTAIN, &registration))).await;
    let executed = answers.iter().filter(|answer| answer.status == 201 && !is_replayed(answer)).count();
    assert_eq!(executed, 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.json()["code"] == "idempotency_key_in_use"));
    assert_eq!(lrs.simulator.request_count("RegisterLearner"), 1);
}

#[tokio::test]
async fn idempotency_key_without_redis_returns_store_unavailable_and_writes_without_key_succeed() {
    let (mut redis, lrs) = (TestRedis::start(), SimulatedLrs::start());
    let gateway = start_replica(&lrs, &redis);
    redis.kill();
    let problem = caller_with_key(&gateway).post(OBTAIN, &nia()).await.problem(503, "store_unavailable");
    assert_eq!((&problem["retryable"], problem["retryAfterSeconds"].is_u64()), (&json!(true), true));
    assert_eq!(lrs.simulator.request_count("FindLearnerByDemographics"), 0, "nothing was sent");
    assert_eq!(gateway.caller().post(OBTAIN, &nia()).await.status, 201, "a write without a key does not need Redis");

    redis.restart();
    let started_at = Instant::now();
    let mut answer = caller_with_key(&gateway).post(OBTAIN, &nia()).await;
    while answer.status == 503 {
        assert!(started_at.elapsed() < Duration::from_secs(20), "timed out waiting for the store: {}", answer.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
        answer = caller_with_key(&gateway).post(OBTAIN, &nia()).await;
    }
    assert_eq!(answer.expect_success()["outcome"], "EXISTING");
}
