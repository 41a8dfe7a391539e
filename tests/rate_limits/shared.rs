//! Rate limits that replicas share through Redis, and their operation without Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use lrs_gateway::domain::Product;
use lrs_gateway::organisations::{LimitOverride, RateOverrides};
use lrs_gateway::rate_limit::{Limit, RateLimiter, Rates};
use lrs_gateway::storage::Storage;
use serde_json::json;

use super::{ENCRYPTION_KEY, FIND, burst_of, by_uln};
use crate::support::caller::{Answer, PROVIDER};
use crate::support::gateway::{AWARDING, Options, organisation, unlimited};
use crate::support::redis::{TestRedis, redis_client};
use crate::support::simulator::settings_for_both_organisations;
use crate::support::stalling_proxy::StallingProxy;
use crate::support::{Caller, SimulatedLrs, TestGateway, wait_until};

/// UKPRN of an organisation whose calls only show how a replica counts.
const PROBING: &str = "10088883";

/// Returns organisations that can search for learners: the provider, the awarding organisation, and the probing organisation.
fn organisations() -> Vec<lrs_gateway::organisations::Organisation> {
    [(PROVIDER, "demo-password-01"), (AWARDING, "demo-password-02"), (PROBING, "demo-password-03")]
        .map(|(ukprn, password)| organisation(ukprn, password, &[Product::UlnManagement]))
        .into()
}

/// Starts two replicas that expect each other. Only the limit of organisations can be reached: its burst.
fn start_two_replicas(lrs: &SimulatedLrs, redis: &TestRedis, burst: u32) -> [TestGateway; 2] {
    [(), ()].map(|()| {
        let rates = Rates { organisation: burst_of(burst), ..unlimited() };
        let storage = redis.storage(ENCRYPTION_KEY);
        TestGateway::with(
            &lrs.url(),
            Options { rates, expected_replicas: 2, organisations: organisations(), storage, ..Options::default() },
        )
    })
}

/// Returns the remaining calls of the organisation's limit after this answer.
fn remaining_calls_of_organisation(answer: &Answer) -> u32 {
    let header = answer.header("ratelimit");
    let remaining = header.split_once("\"organisation\";r=").and_then(|(_, rest)| rest.split_once(';'));
    remaining.and_then(|(number, _)| number.parse().ok()).unwrap_or_else(|| panic!("no limit of the organisation: {header}"))
}

/// How a replica counts calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counting {
    /// In Redis, together with the other replica: the probing organisation has more than half of the burst left.
    Shared,
    /// In memory, against its share: half of the burst.
    Local,
}

/// Waits until a replica counts in this way. The organisation's limit must be `burst`, for two replicas.
async fn wait_for_counting(replica: &TestGateway, burst: u32, expected: Counting) {
    let probe = replica.caller().with_claims(json!({"org": PROBING}));
    let started_at = Instant::now();
    loop {
        // An invalid call is counted too, and needs no LRS.
        let remaining = remaining_calls_of_organisation(&probe.post(FIND, &json!({})).await);
        let counting = if remaining >= burst / 2 { Counting::Shared } else { Counting::Local };
        if counting == expected {
            return;
        }
        assert!(started_at.elapsed() < Duration::from_secs(10), "timed out waiting for {expected:?} counting");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Returns the number of scripts that Redis has run.
fn script_count(redis: &TestRedis) -> u64 {
    let stats: String = redis.query(&["INFO", "commandstats"]);
    let count = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls=")).expect("a script was run");
    count.split(',').next().and_then(|number| number.parse().ok()).expect("the count is a number")
}

#[tokio::test]
async fn rate_limit_of_three_replicas_is_shared_in_one_round_trip_without_user_names() {
    const CALLS: usize = 300;
    let (redis, lrs) = (TestRedis::start(), SimulatedLrs::start());
    let rates = Rates { organisation: Limit { per_minute: 60, burst: 100 }, ..unlimited() };
    let replica = || TestGateway::with(&lrs.url(), Options { rates, storage: redis.storage(ENCRYPTION_KEY), ..Options::default() });
    let replicas = [replica(), replica(), replica()];
    let callers = replicas.each_ref().map(TestGateway::caller);
    for caller in &callers {
        // After these three calls, Redis has the script.
        assert_eq!(caller.post(FIND, &by_uln()).await.status, 200);
    }

    let started_at = Instant::now();
    let scripts_before = script_count(&redis);
    let body = by_uln();
    let calls = futures_util::stream::iter(0..CALLS).map(|number| callers[number % 3].post(FIND, &body));
    let allowed = calls.buffer_unordered(24).filter(|answer| std::future::ready(answer.status == 200)).count().await;

    let refilled = usize::try_from(started_at.elapsed().as_secs()).expect("the number is small") + 1;
    assert!((97..=97 + refilled).contains(&allowed), "{allowed} of {CALLS} allowed in {:?}", started_at.elapsed());
    // Batch workers run some scripts too.
    let scripts = script_count(&redis) - scripts_before;
    assert!((CALLS as u64..CALLS as u64 + 100).contains(&scripts), "{scripts} scripts for {CALLS} calls");
    assert!(!redis.dump().windows(8).any(|window| window == b"j.bloggs"), "Redis contains no user name");
}

#[tokio::test]
async fn rate_limit_without_redis_is_divided_by_replicas_and_with_redis_shared_again() {
    const BURST: u32 = 10;
    let (mut redis, lrs) = (TestRedis::start(), SimulatedLrs::start());
    let replicas = start_two_replicas(&lrs, &redis, BURST);
    let allowed_calls = async |replica: &TestGateway| {
        let caller = replica.caller();
        let body = by_uln();
        let calls = futures_util::stream::iter(0..12).then(|_| caller.post(FIND, &body));
        calls.filter(|answer| std::future::ready(answer.status == 200)).count().await
    };

    redis.kill();
    assert_eq!((allowed_calls(&replicas[0]).await, allowed_calls(&replicas[1]).await), (5, 5), "each replica allows its share");

    redis.restart();
    for replica in &replicas {
        wait_for_counting(replica, BURST, Counting::Shared).await;
    }
    let (first, second) = (allowed_calls(&replicas[0]).await, allowed_calls(&replicas[1]).await);
    assert_eq!(first + second, 10, "both replicas share the limit");
}

#[tokio::test]
async fn rate_limit_calls_alone_reopen_a_stalled_connection() {
    let redis = TestRedis::start();
    let proxy = StallingProxy::start(redis.port());
    let storage = Storage { redis: Some(redis_client(&proxy.redis_url(), None)), ..redis.storage(ENCRYPTION_KEY) };
    let limiter = RateLimiter::new(unlimited(), 2, &storage);
    let keys = limiter.keys(PROVIDER, "https://issuer.example", "j.bloggs");
    let count = async || limiter.count(&keys, false, RateOverrides::default()).await;
    count().await;
    proxy.stall_connections();
    let (scripts, connections) = (script_count(&redis), proxy.accepted());
    // Each call waits for a quarter of a second; two without a reply show that the connection is broken.
    for _ in 0..4 {
        count().await;
    }
    assert_eq!(proxy.accepted(), connections + 1);
    assert!(script_count(&redis) > scripts, "calls are counted in Redis again");
}

/// Calls that go on until they are stopped.
#[derive(Default)]
struct Load {
    is_stopped: AtomicBool,
    answers: AtomicUsize,
}

impl Load {
    /// Makes calls and returns how many were allowed. Each answer must be 200 or 429.
    async fn count_allowed_calls(self: Arc<Self>, caller: Caller) -> usize {
        let mut allowed = 0;
        while !self.is_stopped.load(Ordering::SeqCst) {
            let answer = caller.post(FIND, &by_uln()).await;
            match answer.status {
                200 => allowed += 1,
                _ => drop(answer.problem(429, "rate_limited")),
            }
            self.answers.fetch_add(1, Ordering::SeqCst);
        }
        allowed
    }

    /// Waits for this many more answers.
    async fn wait_for_answers(&self, count: usize) {
        let answers = || self.answers.load(Ordering::SeqCst);
        let expected = answers() + count;
        wait_until(|| answers() >= expected, || format!("{expected} answers, there are {}", answers())).await;
    }

    fn stop(&self) {
        self.is_stopped.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rate_limit_redis_restarted_under_load_causes_no_other_answers_than_allowed_and_limited() {
    const BURST: u32 = 60;
    let (mut redis, lrs) = (TestRedis::start(), SimulatedLrs::with(&settings_for_both_organisations()));
    let replicas = start_two_replicas(&lrs, &redis, BURST);

    let load = Arc::new(Load::default());
    let calls: Vec<_> = (0..4).map(|number| tokio::spawn(Arc::clone(&load).count_allowed_calls(replicas[number % 2].caller()))).collect();
    // More calls than the burst, so that the limit is reached.
    load.wait_for_answers(100).await;
    for _ in 0..2 {
        redis.kill();
        for replica in &replicas {
            wait_for_counting(replica, BURST, Counting::Local).await;
        }
        load.wait_for_answers(100).await;
        redis.restart();
        for replica in &replicas {
            wait_for_counting(replica, BURST, Counting::Shared).await;
        }
        load.wait_for_answers(100).await;
    }
    load.stop();
    let mut allowed = 0;
    for call in calls {
        allowed += call.await.expect("every answer is 200 or 429");
    }
    // Redis lost its counts twice. In the meantime, each replica allowed its share once.
    let max_allowed = BURST as usize * 4;
    assert!((BURST as usize..=max_allowed + 4).contains(&allowed), "{allowed} allowed");

    // The limit of an organisation without earlier calls is shared.
    let callers = replicas.each_ref().map(|replica| replica.caller().with_claims(json!({"org": AWARDING})));
    let body = by_uln();
    let calls = futures_util::stream::iter(0..150).map(|number| callers[number % 2].post(FIND, &body));
    let statuses: Vec<u16> = calls.buffer_unordered(8).map(|answer| answer.status).collect().await;
    let allowed = statuses.iter().filter(|status| **status != 429).count();
    assert!((BURST as usize..=BURST as usize + 1).contains(&allowed), "{allowed} allowed");
}

#[tokio::test]
async fn rate_limit_reached_by_one_organisation_does_not_slow_down_another() {
    let (redis, lrs) = (TestRedis::start(), SimulatedLrs::with(&settings_for_both_organisations()));
    let products = [Product::UlnManagement];
    let overrides = RateOverrides { organisation: LimitOverride { per_minute: None, burst: Some(1) }, ..RateOverrides::default() };
    let organisations = vec![
        organisation(PROVIDER, "demo-password-01", &products).with_rate_overrides(overrides),
        organisation(AWARDING, "demo-password-02", &products),
    ];
    let rates = Rates { organisation: Limit { per_minute: 1, burst: 10_000 }, ..unlimited() };
    let gateway =
        TestGateway::with(&lrs.url(), Options { organisations, rates, storage: redis.storage(ENCRYPTION_KEY), ..Options::default() });
    let unlimited_caller = gateway.caller().with_claims(json!({"org": AWARDING}));
    let body = by_uln();
    let median_duration = async || {
        let mut durations = Vec::new();
        for _ in 0..50 {
            let started_at = Instant::now();
            assert_eq!(unlimited_caller.post(FIND, &body).await.status, 200);
            durations.push(started_at.elapsed());
        }
        durations.sort_unstable();
        durations[durations.len() / 2]
    };

    let without_load = median_duration().await;
    let load = Arc::new(Load::default());
    let calls: Vec<_> = (0..8).map(|_| tokio::spawn(Arc::clone(&load).count_allowed_calls(gateway.caller()))).collect();
    let under_load = median_duration().await;
    load.stop();
    for call in calls {
        call.await.expect("every answer is 200 or 429");
    }
    // Gateway, LRS and all callers share one machine, so some delay is unavoidable.
    assert!(under_load < without_load * 10 + Duration::from_millis(50), "{without_load:?} without load, {under_load:?} under load");
}
