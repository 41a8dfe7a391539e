//! What batches cost that wait: for their time, or for a turn of their organisation.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use lrs_gateway::batches::BatchSettings;
use lrs_gateway::batches::repository::BatchRepository;
use lrs_gateway::batches::repository::redis::RedisRepository;

use crate::support::batch_backend::{KEY, adopted_job, claim_limits};
use crate::support::batches::batch_output_response;
use crate::support::caller::PROVIDER;
use crate::support::fake_server::Reply;
use crate::support::gateway::{Options, fast_batches};
use crate::support::redis::{TestRedis, queue_key};
use crate::support::{FakeServer, TestGateway, wait_until};

/// Stores unfinished jobs of an organisation that are due now.
async fn create_due_batches(repository: &Arc<RedisRepository>, organisation: &str, count: usize) {
    let now = repository.now().await.expect("Redis has a clock");
    let create = |_| {
        let (new, repository) = (adopted_job(organisation, 900_001, now, now), Arc::clone(repository));
        async move { repository.create(&new).await }
    };
    let created = futures_util::stream::iter(0..count).map(create).buffer_unordered(64);
    assert!(created.all(|created| std::future::ready(created.is_ok())).await);
}

/// Postpones every due batch by an hour.
async fn postpone(repository: &Arc<RedisRepository>) {
    loop {
        let claim = repository.claim(Duration::from_secs(60), &claim_limits(500)).await.expect("Redis responds");
        if claim.batches.is_empty() {
            return;
        }
        let later = claim.now.after(Duration::from_secs(3600));
        let released =
            futures_util::stream::iter(claim.batches).map(|claimed| repository.release(claimed.lease, Some(later))).buffer_unordered(64);
        assert!(released.all(|released| std::future::ready(released.is_ok())).await);
    }
}

#[tokio::test]
async fn waiting_batches_cost_redis_few_commands() {
    const MAX_COMMANDS_PER_SECOND: u64 = 8; // Those of scripts and of this test included.
    let redis = TestRedis::start();
    let repository = redis.repository();
    create_due_batches(&repository, PROVIDER, 10_000).await;
    postpone(&repository).await;
    let batches = BatchSettings { idle_poll_interval: BatchSettings::default().idle_poll_interval, ..fast_batches() };
    let _gateway = TestGateway::with("http://127.0.0.1:1", Options { storage: redis.storage(KEY), batches, ..Options::default() });

    let (commands_before, started_at) = (redis.command_count(), Instant::now());
    tokio::time::sleep(Duration::from_secs(4)).await; // Two polls of an idle worker: a rate can be measured only over time.
    let commands = redis.command_count() - commands_before;

    let max_commands = MAX_COMMANDS_PER_SECOND * (started_at.elapsed().as_secs() + 1);
    assert!(commands < max_commands, "{commands} commands in {:?}", started_at.elapsed());
}

#[tokio::test]
async fn due_batches_of_an_organisation_that_is_not_registered_cost_redis_few_commands() {
    const MAX_COMMANDS_PER_SECOND: u64 = 100; // There are ten claims a second with these settings.
    let redis = TestRedis::start();
    let repository = redis.repository();
    create_due_batches(&repository, "10055551", 1000).await;
    let turn = || redis.query::<f64>(&["ZSCORE", &queue_key("organisations"), "10055551"]);
    let first_turn = turn();
    let _gateway = TestGateway::with("http://127.0.0.1:1", Options { storage: redis.storage(KEY), ..Options::default() });
    wait_until(|| turn() > first_turn, || "the worker has looked at no batch".to_owned()).await;

    let (commands_before, started_at) = (redis.command_count(), Instant::now());
    tokio::time::sleep(Duration::from_secs(2)).await; // A rate can be measured only over time.
    let commands = redis.command_count() - commands_before;

    let max_commands = MAX_COMMANDS_PER_SECOND * (started_at.elapsed().as_secs() + 1);
    assert!(commands < max_commands, "{commands} commands in {:?}", started_at.elapsed());
    assert_eq!(repository.backlog().await.expect("Redis responds").claimable, 1000);
}

/// What a gateway does in a few seconds.
#[derive(Debug)]
struct Work {
    calls_per_second: f64,
    commands_per_second: f64,
}

/// Measures a gateway that polls due batches of one organisation, as many at a time as the organisation may have, at an LRS that takes its time.
async fn measure_polls(due_batches: usize) -> Work {
    let redis = TestRedis::start();
    create_due_batches(&redis.repository(), PROVIDER, due_batches).await;
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let lrs = FakeServer::start(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(60));
        Reply::Bytes(batch_output_response("<ResponseCode>WSRC0008</ResponseCode>"))
    });
    // With one visit at a time, each claim takes one batch. With several, a claim takes as many as have just ended.
    let idle_poll_interval = BatchSettings::default().idle_poll_interval;
    let batches = BatchSettings { idle_poll_interval, max_concurrent_parts_per_organisation: 1, ..fast_batches() };
    let gateway = TestGateway::with(&lrs.url(), Options { storage: redis.storage(KEY), batches, ..Options::default() });
    while calls.load(Ordering::Relaxed) < 10 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (calls_before, commands_before, started_at) = (calls.load(Ordering::Relaxed), redis.command_count(), Instant::now());
    tokio::time::sleep(Duration::from_secs(3)).await; // A rate can be measured only over time.
    let seconds = started_at.elapsed().as_secs_f64();
    let per_second = |count: u64| f64::from(u32::try_from(count).expect("a small number")) / seconds;
    let work = Work {
        calls_per_second: per_second(calls.load(Ordering::Relaxed) - calls_before),
        commands_per_second: per_second(redis.command_count() - commands_before),
    };
    drop(gateway);
    work
}

#[tokio::test]
async fn due_batches_of_an_organisation_at_its_limit_cost_what_few_batches_cost() {
    const MAX_FURTHER_COMMANDS_PER_SECOND: f64 = 50.0;
    let few = measure_polls(10).await;
    let many = measure_polls(10_000).await;
    let useful_commands = few.commands_per_second / few.calls_per_second * many.calls_per_second;
    assert!(many.commands_per_second - useful_commands < MAX_FURTHER_COMMANDS_PER_SECOND, "{few:?} {many:?}");
    assert!(many.calls_per_second > few.calls_per_second * 0.8, "{few:?} {many:?}");
}
