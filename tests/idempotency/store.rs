//! The idempotency store: the same rules in memory and in Redis.

use std::time::{Duration, Instant};

use lrs_gateway::idempotency::{Acquisition, Completion, IdempotencyStore, IdempotentRequest, Reservation};
use lrs_gateway::storage::Storage;

use super::ENCRYPTION_KEY;
use crate::support::caller::PROVIDER;
use crate::support::redis::TestRedis;

/// A reservation timeout that no test reaches.
const LONG_TIMEOUT: Duration = Duration::from_secs(60);

/// Returns a store in memory and a store in Redis.
fn stores(redis: &TestRedis, reservation_timeout: Duration) -> [IdempotencyStore; 2] {
    let in_memory = Storage::in_memory().expect("the system has random numbers");
    [in_memory, redis.storage(ENCRYPTION_KEY)].map(|storage| IdempotencyStore::new(&storage, reservation_timeout))
}

fn request<'a>(key: &'a str, body: &'a str) -> IdempotentRequest<'a> {
    let (issuer, client) = ("https://idp.example", "desk");
    IdempotentRequest { organisation: PROVIDER, issuer, client, operation: "x", key, body_digest: body.as_bytes() }
}

async fn try_acquire(store: &IdempotencyStore, body: &str) -> Acquisition {
    store.acquire(request("key", body)).await.expect("the store is available")
}

/// Acquires a reservation, which must be possible.
async fn acquire(store: &IdempotencyStore) -> Reservation {
    match try_acquire(store, "body").await {
        Acquisition::Acquired(reservation) => reservation,
        other => panic!("{other:?}"),
    }
}

async fn complete(store: &IdempotencyStore, reservation: &Reservation, completion: Completion) {
    store.complete(reservation, completion).await.expect("the store is available");
}

/// Waits until the reservation of an earlier request has timed out, and acquires the next one.
async fn acquire_after_timeout(store: &IdempotencyStore) -> Reservation {
    let started_at = Instant::now();
    loop {
        match try_acquire(store, "body").await {
            Acquisition::Acquired(reservation) => return reservation,
            Acquisition::InProgress => assert!(started_at.elapsed() < Duration::from_secs(10), "the reservation does not time out"),
            other => panic!("{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn idempotency_key_reserved_is_in_progress_and_other_body_is_mismatch() {
    let redis = TestRedis::start();
    for store in stores(&redis, LONG_TIMEOUT) {
        let reservation = acquire(&store).await;
        assert!(!reservation.is_retry);
        assert!(matches!(try_acquire(&store, "body").await, Acquisition::InProgress), "{store:?}");
        assert!(matches!(try_acquire(&store, "other").await, Acquisition::BodyMismatch), "{store:?}");
    }
}

#[tokio::test]
async fn idempotency_key_reservation_timed_out_is_retried_with_same_work_id_and_late_completion_is_ignored() {
    let redis = TestRedis::start();
    for store in stores(&redis, Duration::from_millis(300)) {
        let first = acquire(&store).await;
        let started_at = Instant::now();
        let second = acquire_after_timeout(&store).await;
        assert!(second.is_retry && second.work_id == first.work_id, "{store:?}");
        assert!(started_at.elapsed() > Duration::from_millis(200), "not before the timeout: {store:?}");
        complete(&store, &first, Completion::Answered(b"late".to_vec())).await;
        assert!(matches!(try_acquire(&store, "body").await, Acquisition::InProgress), "{store:?}");
    }
}

#[tokio::test]
async fn idempotency_key_outcome_unknown_is_retried_with_same_work_id() {
    let redis = TestRedis::start();
    for store in stores(&redis, LONG_TIMEOUT) {
        let first = acquire(&store).await;
        complete(&store, &first, Completion::OutcomeUnknown).await;
        let second = acquire(&store).await;
        assert!(second.is_retry && second.work_id == first.work_id, "{store:?}");
        // The outcome of a retry can be unknown too.
        complete(&store, &second, Completion::OutcomeUnknown).await;
        let third = acquire(&store).await;
        assert!(third.is_retry && third.work_id == first.work_id, "{store:?}");
    }
}

#[tokio::test]
async fn idempotency_key_answered_returns_answer_and_other_body_is_mismatch() {
    let redis = TestRedis::start();
    for store in stores(&redis, LONG_TIMEOUT) {
        let first = acquire(&store).await;
        complete(&store, &first, Completion::OutcomeUnknown).await;
        let retry = acquire(&store).await;
        complete(&store, &retry, Completion::Answered(b"an answer".to_vec())).await;
        assert!(matches!(try_acquire(&store, "body").await, Acquisition::Completed(answer) if answer == b"an answer"), "{store:?}");
        assert!(matches!(try_acquire(&store, "other").await, Acquisition::BodyMismatch), "{store:?}");
    }
}

#[tokio::test]
async fn idempotency_key_not_executed_is_forgotten() {
    let redis = TestRedis::start();
    for store in stores(&redis, LONG_TIMEOUT) {
        let first = acquire(&store).await;
        complete(&store, &first, Completion::NotExecuted).await;
        let second = acquire(&store).await;
        assert!(!second.is_retry && second.work_id != first.work_id, "{store:?}");
    }
}

#[tokio::test]
async fn idempotency_key_answered_before_key_rotation_returns_answer_after_it() {
    let redis = TestRedis::start();
    let before = IdempotencyStore::new(&redis.storage(ENCRYPTION_KEY), LONG_TIMEOUT);
    let reservation = acquire(&before).await;
    complete(&before, &reservation, Completion::Answered(b"an answer".to_vec())).await;

    let rotated_keys = format!("{}\n{ENCRYPTION_KEY}", "08".repeat(32));
    let after = IdempotencyStore::new(&redis.storage(&rotated_keys), LONG_TIMEOUT);
    assert!(matches!(try_acquire(&after, "body").await, Acquisition::Completed(answer) if answer == b"an answer"));

    // New answers are encrypted with the new key.
    let Ok(Acquisition::Acquired(reservation)) = after.acquire(request("new", "body")).await else { panic!("the key is new") };
    complete(&after, &reservation, Completion::Answered(b"a new answer".to_vec())).await;
    assert!(matches!(before.acquire(request("new", "body")).await, Ok(Acquisition::Acquired(_))), "the old key does not find them");
    assert!(redis.keys().iter().filter(|key| key.contains(":once:")).count() >= 2);
}
