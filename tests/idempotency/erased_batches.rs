//! Repeated submissions of a batch that was erased or has expired: nothing is submitted again, and no answer pretends that the batch exists.

use std::time::Duration;

use lrs_gateway::batches::BatchSettings;

use super::{BATCHES, ENCRYPTION_KEY, Fixture, KEY, batch, is_replayed};
use crate::support::batches::expect_accepted;
use crate::support::gateway::{Options, fast_batches};
use crate::support::redis::TestRedis;
use crate::support::wait_until;

async fn assert_not_replayed_after_erasure(fixture: &Fixture) {
    let caller = fixture.caller_with_key();
    let accepted = expect_accepted(&caller, &caller.post(BATCHES, &batch()).await);
    assert_eq!(caller.request("DELETE", &accepted.path).await.status, 204);

    for _ in 0..2 {
        let problem = caller.post(BATCHES, &batch()).await.problem(409, "batch_erased");
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(detail.contains("Nothing was submitted") && problem["retryable"] == false, "{problem}");
    }
    let list = fixture.gateway.caller().request("GET", BATCHES).await.expect_success();
    assert_eq!(list["batches"].as_array().map(Vec::len), Some(0), "{list}");
    let with_new_key = fixture.gateway.caller().with_header("Idempotency-Key", "a-new-key").post(BATCHES, &batch()).await;
    assert_eq!((with_new_key.status, is_replayed(&with_new_key)), (202, false), "{}", with_new_key.text);
}

#[tokio::test]
async fn idempotency_key_of_an_erased_batch_returns_batch_erased_in_memory() {
    assert_not_replayed_after_erasure(&Fixture::new()).await;
}

#[tokio::test]
async fn idempotency_key_of_an_erased_batch_returns_batch_erased_in_redis() {
    let redis = TestRedis::start();
    assert_not_replayed_after_erasure(&Fixture::with(Options { storage: redis.storage(ENCRYPTION_KEY), ..Options::default() })).await;
}

#[tokio::test]
async fn idempotency_key_of_an_expired_batch_returns_batch_erased() {
    let batches = BatchSettings { retention: Duration::from_millis(200), ..fast_batches() };
    let lrs = crate::support::SimulatedLrs::with_instant_jobs();
    let gateway = crate::support::TestGateway::with(&lrs.url(), Options { batches, ..Options::default() });
    let caller = gateway.caller().with_header("Idempotency-Key", KEY);
    let accepted = expect_accepted(&caller, &caller.post(BATCHES, &batch()).await);
    let started_at = std::time::Instant::now();
    while caller.request("GET", &accepted.path).await.status != 404 {
        assert!(started_at.elapsed() < Duration::from_secs(20), "the batch does not expire");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    caller.post(BATCHES, &batch()).await.problem(409, "batch_erased");
    wait_until(|| lrs.simulator.jobs().submissions().len() == 1, || "one submission".into()).await;
}
