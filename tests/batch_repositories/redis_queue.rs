//! The queue in Redis: the rules that its keys keep, and the queue of the last version.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use lrs_gateway::batches::model::{BatchId, EpochMillis, Rank};
use lrs_gateway::batches::repository::{BatchRepository as _, ClaimLimits, Lease, Place};

use super::{LEASE, claim_leases, claim_one, create, create_of, ukprn};
use crate::support::redis::{TestRedis, queue_key};

/// Returns the ids of the batches that are waiting or leased.
fn queued_ids(redis: &TestRedis) -> BTreeSet<String> {
    ["scheduled", "leased"].iter().flat_map(|name| redis.query::<Vec<String>>(&["ZRANGE", &queue_key(name), "0", "-1"])).collect()
}

#[tokio::test]
async fn queue_of_the_last_version_is_taken_over_in_steps() {
    const MAX_STEP: usize = 100;
    let redis = TestRedis::start();
    let repository = redis.repository();
    let held_batch = create(&*repository).await;
    let held = claim_one(&*repository).await;
    let mut ids: Vec<String> = (0..250).map(|_| BatchId::new().to_string()).collect();
    for id in &ids {
        let _: i64 = redis.query(&["ZADD", &queue_key("due"), "0", id]);
    }
    let later = (EpochMillis::now().0 + 3_600_000).to_string();
    let _: i64 = redis.query(&["ZADD", &queue_key("due"), &later, "of-another-time", "0", &held_batch.id.to_string()]);

    let mut taken_over = Vec::new();
    loop {
        let leases = claim_leases(&*repository).await;
        assert!(leases.len() <= MAX_STEP);
        if leases.is_empty() {
            break;
        }
        taken_over.extend(leases.iter().map(|lease| lease.id.to_string()));
    }
    taken_over.sort();
    ids.sort();
    assert_eq!(taken_over, ids, "each batch is leased once, and the leased one not again");
    assert_eq!(redis.query::<Vec<String>>(&["ZRANGE", &queue_key("due"), "0", "-1"]), ["of-another-time"], "it is not due yet");

    let much_later = repository.now().await.expect("the repository has a clock").after(LEASE);
    repository.release(held, Some(much_later)).await.expect("the lease is released");
    assert_eq!(claim_one(&*repository).await.id, held_batch.id, "its entry in the other queue has woken it");
}

#[tokio::test]
async fn due_batches_are_claimed_after_the_clock_has_gone_back() {
    let redis = TestRedis::start();
    let repository = redis.repository();
    for organisation in ["10055551", "10055551", "10055551", "10055552"] {
        create_of(&*repository, organisation).await;
    }
    // This is the state after claims of each organisation, and a clock that has then gone back by ten minutes.
    let ahead = EpochMillis::now().after(Duration::from_secs(600)).0.to_string();
    let _: i64 = redis.query(&["ZADD", &queue_key("organisations"), &ahead, "10055551", &ahead, "10055552"]);
    tokio::time::sleep(Duration::from_millis(2)).await;
    let backlog = repository.backlog().await.expect("the repository responds");
    assert_eq!(backlog.claimable, 4);
    assert!((Duration::from_millis(1)..LEASE).contains(&backlog.oldest_claimable_age), "{backlog:?}");

    // Each claim corrects the turn of one organisation.
    let mut claimed = [claim_leases(&*repository).await.len(), claim_leases(&*repository).await.len()];
    claimed.sort_unstable();
    assert_eq!(claimed, [1, 3]);
}

#[tokio::test]
async fn batch_in_an_earlier_queue_is_not_lost() {
    let redis = TestRedis::start();
    let repository = redis.repository();
    let later = EpochMillis::now().after(LEASE).0.to_string();
    for key in [queue_key("due"), "test:{queue}:due".to_owned(), "test:{queue}:leased".to_owned()] {
        let id = BatchId::new();
        let _: i64 = redis.query(&["ZADD", &key, &later, &id.to_string()]);
        repository.enqueue_if_lost(id).await.expect("the repository responds");
        assert!(claim_leases(&*repository).await.is_empty(), "{key}");
    }
}

/// Whatever happens, in whatever order: the queue has each unfinished batch, once, and no batch is leased twice.
#[tokio::test]
async fn queue_keeps_each_unfinished_batch_whatever_happens() {
    let redis = TestRedis::start();
    let repository = redis.repository();
    let organisations = ["10055551", "10055552"];
    let mut batches = Vec::new();
    for index in 0..12 {
        batches.push(create_of(&*repository, organisations[index % 2]).await);
    }
    let mut unfinished: BTreeSet<BatchId> = batches.iter().map(|batch| batch.id).collect();
    let mut leases: Vec<Lease> = Vec::new();
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    for step in 0..600 {
        let now = repository.now().await.expect("the repository has a clock");
        let time = [EpochMillis(now.0 - 50), now, now.after(Duration::from_millis(3)), now.after(LEASE)][random.usize(..4)];
        let batch = &batches[random.usize(..batches.len())];
        match random.u8(..8) {
            0..=2 => {
                let exceptions = vec![(ukprn(organisations[random.usize(..2)]), random.usize(..3))];
                let limits = ClaimLimits { batches: random.usize(..4), batches_per_organisation: 2, exceptions };
                let duration = [LEASE, LEASE, Duration::from_millis(2)][random.usize(..3)];
                let claim = repository.claim(duration, &limits).await.expect("the repository responds");
                for lease in claim.batches.iter().map(|claimed| claimed.lease) {
                    if let Some(index) = leases.iter().position(|held| held.id == lease.id) {
                        let expired = leases.swap_remove(index);
                        let renewed = repository.renew(expired, LEASE).await;
                        assert_eq!(renewed, Ok(false), "two valid leases of a batch: seed {seed}, step {step}");
                    }
                    leases.push(lease);
                }
            }
            3 if !leases.is_empty() => {
                let lease = leases.swap_remove(random.usize(..leases.len()));
                let place = Place { organisation: ukprn(organisations[random.usize(..2)]), rank: Rank::of_sending(random.usize(..40)) };
                repository.release_to(lease, time, &place).await.expect("the lease is released");
            }
            4 if !leases.is_empty() => {
                let lease = leases.swap_remove(random.usize(..leases.len()));
                repository.release(lease, Some(time)).await.expect("the lease is released");
            }
            5 if !leases.is_empty() => {
                let lease = leases.swap_remove(random.usize(..leases.len()));
                let is_held = repository.renew(lease, LEASE).await == Ok(true);
                repository.release(lease, None).await.expect("the lease is released");
                let is_queued = queued_ids(&redis).contains(&lease.id.to_string());
                assert!(is_held || is_queued || !unfinished.contains(&lease.id), "the end of an expired lease: seed {seed}, step {step}");
                if !is_queued {
                    unfinished.remove(&lease.id);
                }
            }
            6 => {
                repository.wake(batch.id).await.expect("the batch is woken");
                unfinished.insert(batch.id);
            }
            _ => {
                repository.schedule(batch.id, time).await.expect("the batch is scheduled");
                unfinished.insert(batch.id);
            }
        }
        assert_queue_is_consistent(&redis, &unfinished, &format!("seed {seed}, step {step}"));
    }
}

/// Asserts the rules of the queue.
fn assert_queue_is_consistent(redis: &TestRedis, unfinished: &BTreeSet<BatchId>, place: &str) {
    let queued = queued_ids(redis);
    assert_eq!(queued, unfinished.iter().map(ToString::to_string).collect(), "{place}");
    let with_scores = |name| redis.query::<Vec<(String, f64)>>(&["ZRANGE", &queue_key(name), "0", "-1", "WITHSCORES"]);
    let places: HashMap<String, String> = redis.query(&["HGETALL", &queue_key("places")]);
    let mut expected: Vec<String> = with_scores("scheduled")
        .iter()
        .map(|(id, due_at)| format!("{}:{due_at:013.0}:{id}", places.get(id).map_or(":0", String::as_str)))
        .collect();
    expected.sort();
    let lines: Vec<String> = redis.query(&["ZRANGE", &queue_key("lines"), "0", "-1"]);
    assert_eq!(lines, expected, "{place}");
    let turns: HashMap<String, f64> = with_scores("organisations").into_iter().collect();
    let time: (f64, f64) = redis.query(&["TIME"]);
    let now = time.0.mul_add(1000.0, time.1 / 1000.0);
    for line in &lines {
        let [organisation, _, due_at, _] = line.split(':').collect::<Vec<_>>()[..] else { panic!("{line}: {place}") };
        let due_at: f64 = due_at.parse().expect("a time");
        let turn = turns.get(organisation).unwrap_or_else(|| panic!("{organisation} has no turn: {place}"));
        assert!(*turn <= due_at.max(now), "the turn comes after the batch is due: {place}");
    }
    assert!(places.len() <= queued.len(), "places are left: {places:?}, {place}");
}
