//! The idempotency store: the same rules in memory and in Redis.

use std::time::{Duration, Instant};

use aws_lc_rs::digest::{Digest, SHA256, digest};
use lrs_gateway::idempotency::{Acquisition, Completion, IdempotencyStore, IdempotentRequest, Reservation, ReservationTimes};
use lrs_gateway::storage::{LrsIdentity, Storage};

use super::ENCRYPTION_KEY;
use crate::support::caller::PROVIDER;
use crate::support::redis::{TestRedis, redis_client};
use crate::support::stalling_proxy::StallingProxy;

/// A lease that no test outlasts.
const LONG_LEASE: Duration = Duration::from_secs(60);

/// Returns times with this lease.
fn times(lease: Duration) -> ReservationTimes {
    ReservationTimes { lease, renewal_interval: Duration::from_millis(50), takeover_delay: Duration::from_millis(150) }
}

/// Returns a store in memory and a store in Redis.
fn stores(redis: &TestRedis, lease: Duration) -> [IdempotencyStore; 2] {
    let in_memory = Storage::in_memory().expect("the system has random numbers");
    [in_memory, redis.storage(ENCRYPTION_KEY)].map(|storage| IdempotencyStore::new(&storage, times(lease)))
}

fn digest_of(body: &str) -> Digest {
    digest(&SHA256, body.as_bytes())
}

fn request<'a>(key: &'a str, body: &'a str) -> IdempotentRequest<'a> {
    let (issuer, client) = ("https://idp.example", "desk");
    IdempotentRequest { organisation: PROVIDER, issuer, client, operation: "x", key, body_digest: Some(digest_of(body)) }
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
    for store in stores(&redis, LONG_LEASE) {
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
async fn idempotency_key_reservation_validity_ends_with_the_lease_and_for_good_with_a_takeover() {
    let redis = TestRedis::start();
    for store in stores(&redis, Duration::from_millis(300)) {
        let first = acquire(&store).await;
        assert!(first.validity.holds(), "{store:?}");
        let started_at = Instant::now();
        // An expired lease is not taken over at once, in memory neither.
        let second = acquire_after_timeout(&store).await;
        assert!(started_at.elapsed() > Duration::from_millis(400), "not before the takeover delay: {store:?}");
        assert!(!first.validity.holds() && second.validity.holds(), "{store:?}");
        for (reservation, holds) in [(&first, false), (&second, true)] {
            let renewals = tokio::time::timeout(Duration::from_millis(150), store.renew_periodically(reservation));
            assert!(renewals.await.is_err() && reservation.validity.holds() == holds, "{store:?}");
        }
    }
}

#[tokio::test]
async fn idempotency_key_outcome_unknown_is_retried_with_same_work_id() {
    let redis = TestRedis::start();
    for store in stores(&redis, LONG_LEASE) {
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
    for store in stores(&redis, LONG_LEASE) {
        let first = acquire(&store).await;
        complete(&store, &first, Completion::OutcomeUnknown).await;
        let retry = acquire(&store).await;
        complete(&store, &retry, Completion::Answered(b"an answer".to_vec())).await;
        assert!(matches!(try_acquire(&store, "body").await, Acquisition::Completed { answer, .. } if answer == b"an answer"), "{store:?}");
        assert!(matches!(try_acquire(&store, "other").await, Acquisition::BodyMismatch), "{store:?}");
    }
}

#[tokio::test]
async fn idempotency_key_not_executed_is_forgotten() {
    let redis = TestRedis::start();
    for store in stores(&redis, LONG_LEASE) {
        let first = acquire(&store).await;
        complete(&store, &first, Completion::NotExecuted).await;
        let second = acquire(&store).await;
        assert!(!second.is_retry && second.work_id != first.work_id, "{store:?}");
    }
}

#[tokio::test]
async fn idempotency_key_answered_before_key_rotation_returns_answer_after_it() {
    let redis = TestRedis::start();
    let before = IdempotencyStore::new(&redis.storage(ENCRYPTION_KEY), times(LONG_LEASE));
    let reservation = acquire(&before).await;
    complete(&before, &reservation, Completion::Answered(b"an answer".to_vec())).await;

    let rotated_keys = format!("{}\n{ENCRYPTION_KEY}", "08".repeat(32));
    let after = IdempotencyStore::new(&redis.storage(&rotated_keys), times(LONG_LEASE));
    assert!(matches!(try_acquire(&after, "body").await, Acquisition::Completed { answer, .. } if answer == b"an answer"));

    // New answers are encrypted with the new key.
    let Ok(Acquisition::Acquired(reservation)) = after.acquire(request("new", "body")).await else { panic!("the key is new") };
    complete(&after, &reservation, Completion::Answered(b"a new answer".to_vec())).await;
    assert!(matches!(before.acquire(request("new", "body")).await, Ok(Acquisition::Acquired(_))), "the old key does not find them");
    assert!(redis.keys().iter().filter(|key| key.contains(":once:")).count() >= 2);
}

#[tokio::test]
async fn idempotency_key_of_another_lrs_is_another_key_and_entry_of_an_earlier_version_is_found() {
    let redis = TestRedis::start();
    let store_for = |lrs: &str| {
        let storage = Storage { lrs: LrsIdentity::new(lrs), ..redis.storage(ENCRYPTION_KEY) };
        IdempotencyStore::new(&storage, times(LONG_LEASE))
    };
    let [live, test] = ["https://lrs.example", "https://test.lrs.example"].map(store_for);
    let reservation = acquire(&live).await;
    complete(&live, &reservation, Completion::Answered(b"an answer".to_vec())).await;
    assert!(matches!(try_acquire(&live, "body").await, Acquisition::Completed { answer, .. } if answer == b"an answer"));
    assert!(matches!(try_acquire(&test, "body").await, Acquisition::Acquired(_)), "the other LRS has not got the request");

    // An earlier version named entries without the LRS.
    let identity = serde_json::to_string(&[PROVIDER, "https://idp.example", "desk", "x", "earlier"]).expect("JSON");
    let keys = redis.storage(ENCRYPTION_KEY).key_ring;
    let body = keys.pseudonym(&lrs_gateway::storage::encryption::to_hex(digest_of("body").as_ref()));
    let entry = format!("test:once:{{{PROVIDER}}}:{}", keys.pseudonym(&identity));
    let until = "99999999999999";
    let _: i64 = redis.query(&["HSET", &entry, "fingerprint", &body, "state", "first", "until", until, "token", "t", "work", "w"]);
    let found = live.acquire(request("earlier", "body")).await.expect("the store is available");
    assert!(matches!(found, Acquisition::InProgress), "{found:?}");
    let found = live.acquire(request("earlier", "another body")).await.expect("the store is available");
    assert!(matches!(found, Acquisition::BodyMismatch), "{found:?}");
}

#[tokio::test]
async fn idempotency_key_renewed_stays_in_progress_and_expired_lease_that_is_renewed_is_not_taken_over() {
    let redis = TestRedis::start();
    for store in stores(&redis, Duration::from_millis(300)) {
        let reservation = acquire(&store).await;
        let renewed = async {
            tokio::select! {
                never = store.renew_periodically(&reservation) => match never {},
                () = tokio::time::sleep(Duration::from_millis(900)) => {}
            }
        };
        let taken = async {
            let started_at = Instant::now();
            while started_at.elapsed() < Duration::from_millis(800) {
                assert!(matches!(try_acquire(&store, "body").await, Acquisition::InProgress), "{store:?}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::join!(renewed, taken);
    }
    // The store was unavailable for longer than the lease. Then the holder's renewals come back.
    let store = IdempotencyStore::new(&redis.storage(ENCRYPTION_KEY), times(Duration::from_millis(300)));
    let Ok(Acquisition::Acquired(reservation)) = store.acquire(request("outage", "body")).await else { panic!("the key is new") };
    tokio::time::sleep(Duration::from_millis(400)).await;
    let retry = tokio::select! {
        biased;
        never = store.renew_periodically(&reservation) => match never {},
        retry = store.acquire(request("outage", "body")) => retry,
    };
    assert!(matches!(retry, Ok(Acquisition::InProgress)), "{retry:?}");
}

#[tokio::test]
async fn idempotency_key_renewal_alone_reopens_a_stalled_connection_within_the_lease() {
    let redis = TestRedis::start();
    let proxy = StallingProxy::start(redis.port());
    let storage = Storage { redis: Some(redis_client(&proxy.redis_url(), None)), ..redis.storage(ENCRYPTION_KEY) };
    let renewal_interval = Duration::from_millis(600);
    let times = ReservationTimes { lease: Duration::from_secs(4), renewal_interval, takeover_delay: Duration::from_millis(150) };
    let lease = times.lease;
    let store = IdempotencyStore::new(&storage, times);
    let reservation = acquire(&store).await;
    proxy.stall_connections();
    let connections = proxy.accepted();
    let renewals = tokio::time::timeout(lease + renewal_interval, store.renew_periodically(&reservation));
    assert!(renewals.await.is_err());
    assert!(reservation.validity.holds(), "the reservation was renewed on a new connection");
    assert_eq!(proxy.accepted(), connections + 1);
}
