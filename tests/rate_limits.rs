//! How often callers may call: for an organisation, for a person, for a person's searches; together over all replicas.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use lrs_gateway::domain::Product;
use lrs_gateway::organisations::{LimitOverride, RateOverrides};
use lrs_gateway::rate_limit::{Limit, Rates};
use serde_json::{Value, json};

use crate::support::caller::PROVIDER;
use crate::support::gateway::{AWARDING, Options, organisation, unlimited};
use crate::support::redis::TestRedis;
use crate::support::simulator::for_both_organisations;
use crate::support::{Caller, SimulatedLrs, TestGateway};

const FIND: &str = "/v1/learners/find-by-uln";
const SEARCH: &str = "/v1/learners/find-by-demographics";
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn by_uln() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

fn by_demographics() -> Value {
    json!({"givenName": "Ana", "familyName": "O'Neill", "dateOfBirth": "2003-04-05", "gender": "FEMALE", "lastKnownPostCode": "ZZ99 9ZZ"})
}

/// So many at once, and hardly any more over time.
const fn once(burst: u32) -> Limit {
    Limit { per_minute: 1, burst }
}

#[tokio::test]
async fn who_calls_too_often_is_told_when_to_try_again() {
    let lrs = SimulatedLrs::start();
    let rates = Rates { person: Limit { per_minute: 2, burst: 2 }, ..unlimited() };
    let gateway = TestGateway::with(&lrs.url(), Options { rates, ..Options::default() });
    let caller = gateway.caller();
    let first = caller.post(FIND, &by_uln()).await;
    assert_eq!(first.status, 200);
    assert_eq!(first.header("ratelimit-policy"), "\"organisation\";q=10000000;w=60, \"person\";q=2;w=60");
    assert!(first.header("ratelimit").ends_with("\"person\";r=1;t=30"), "{}", first.header("ratelimit"));
    // A call that is wrong in itself counts too: whoever guesses is counted.
    let wrong = caller.post(FIND, &json!({})).await;
    wrong.problem(422, "validation_failed");
    assert!(wrong.header("ratelimit").contains("\"person\";r=0"), "{}", wrong.header("ratelimit"));

    let refused = caller.post(FIND, &by_uln()).await;
    let problem = refused.problem(429, "rate_limited");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("\"person\"")), "{problem}");
    let wait: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((28..=30).contains(&wait) && problem["retryAfterSeconds"] == wait && problem["retryable"] == true, "{problem}");
    assert!(refused.header("ratelimit").contains("\"person\";r=0"));
    let other = gateway.caller().with_claims(json!({"preferred_username": "another.person"}));
    assert_eq!(other.post(FIND, &by_uln()).await.status, 200, "another person has a limit of their own");
    caller.request("GET", "/v1/registration-batches").await.problem(429, "rate_limited");
    assert_eq!(caller.request("GET", "/health/live").await.status, 200, "only what needs a token is limited");
}

#[tokio::test]
async fn searches_by_demographics_have_a_lower_limit() {
    let lrs = SimulatedLrs::start();
    let rates = Rates { searches: once(2), ..unlimited() };
    let gateway = TestGateway::with(&lrs.url(), Options { rates, ..Options::default() });
    let caller = gateway.caller();
    assert_eq!(caller.post(SEARCH, &by_demographics()).await.status, 200);
    let mut learner = by_demographics();
    (learner["verificationType"], learner["abilityToShare"]) = (json!("PASSPORT"), json!("SEEN_SHARE"));
    let obtained = caller.post("/v1/learners/obtain-uln", &json!({"learner": learner})).await;
    assert_eq!(obtained.status, 200, "it searches too: {}", obtained.text);
    let refused = caller.post(SEARCH, &by_demographics()).await.problem(429, "rate_limited");
    assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains("\"searches\"")), "{refused}");
    assert_eq!(caller.post(FIND, &by_uln()).await.status, 200);
}

#[tokio::test]
async fn an_organisation_can_have_limits_of_its_own_and_takes_nothing_from_others() {
    let lrs = SimulatedLrs::start();
    let product = [Product::UlnManagement];
    let own = RateOverrides { organisation: LimitOverride { per_minute: None, burst: Some(3) }, ..RateOverrides::default() };
    let organisations = vec![
        organisation(PROVIDER, "demo-password-01", &product).with_rate_overrides(own),
        organisation(AWARDING, "demo-password-02", &product),
    ];
    let rates = Rates { organisation: once(1), ..unlimited() };
    let gateway = TestGateway::with(&lrs.url(), Options { organisations, rates, ..Options::default() });
    let statuses = async |ukprn: &str| {
        let caller = gateway.caller().with_claims(json!({"org": ukprn}));
        let body = by_uln();
        let calls = futures_util::stream::iter(0..5).then(|_| caller.post(FIND, &body));
        calls.map(|answer| answer.status == 429).collect::<Vec<_>>().await
    };
    assert_eq!(statuses(PROVIDER).await, [false, false, false, true, true]);
    assert_eq!(statuses(AWARDING).await, [false, true, true, true, true]);
}

#[tokio::test]
async fn a_call_that_is_wrong_in_any_way_is_counted_all_the_same() {
    let (redis, lrs) = (TestRedis::start(), SimulatedLrs::start());
    let rates = Rates { person: once(7), ..unlimited() };
    let gateway = TestGateway::with(&lrs.url(), Options { rates, storage: redis.storage(KEY), ..Options::default() });
    let caller = gateway.caller();
    let (batches, register) = ("/v1/registration-batches", "/v1/learners/register");
    let mut learner = by_demographics();
    (learner["verificationType"], learner["abilityToShare"]) = (json!("PASSPORT"), json!("SEEN_SHARE"));
    let answers = [
        caller.post(FIND, &json!({})).await,
        caller.post_text(FIND, "text/plain", "nonsense").await,
        caller.post_text(FIND, "application/json", "{").await,
        caller.request("GET", &format!("{batches}/no-batch")).await,
        caller.request("GET", &format!("{batches}?colour=1")).await,
        gateway.caller().with_header("Accept", "image/png").request("GET", &format!("{batches}/no-batch/results")).await,
        gateway.caller().with_header("Idempotency-Key", "").post(register, &json!({"learner": learner})).await,
    ];
    let statuses = answers.each_ref().map(|answer| answer.status);
    assert_eq!(statuses, [422, 415, 400, 404, 400, 404, 400]);
    for (left, answer) in (0..7).rev().zip(&answers) {
        assert!(answer.header("ratelimit").contains(&format!("\"person\";r={left};")), "{left}: {}", answer.header("ratelimit"));
    }
    caller.post(FIND, &json!({})).await.problem(429, "rate_limited");
}

#[tokio::test]
async fn replicas_count_together_in_one_round_trip() {
    const CALLS: usize = 300;
    let (redis, lrs) = (TestRedis::start(), SimulatedLrs::start());
    let rates = Rates { organisation: Limit { per_minute: 60, burst: 100 }, ..unlimited() };
    let replica = || TestGateway::with(&lrs.url(), Options { rates, storage: redis.storage(KEY), ..Options::default() });
    let replicas = [replica(), replica(), replica()];
    let callers = replicas.each_ref().map(TestGateway::caller);
    for caller in &callers {
        assert_eq!(caller.post(FIND, &by_uln()).await.status, 200); // they know the script now, and used up three
    }
    let started = Instant::now();
    let before = gcra_calls(&redis);
    let body = by_uln();
    let calls = futures_util::stream::iter(0..CALLS).map(|number| callers[number % 3].post(FIND, &body));
    let admitted = calls.buffer_unordered(24).filter(|answer| std::future::ready(answer.status == 200)).count().await;
    let over_time = usize::try_from(started.elapsed().as_secs()).expect("few") + 1;
    assert!((97..=97 + over_time).contains(&admitted), "{admitted} of {CALLS} admitted in {:?}", started.elapsed());
    // Beside the calls, the engines ask for work now and then.
    let scripts = gcra_calls(&redis) - before;
    assert!((CALLS as u64..CALLS as u64 + 100).contains(&scripts), "{scripts} scripts for {CALLS} calls");
    let everything = redis.dump();
    assert!(!everything.windows(8).any(|window| window == b"j.bloggs"), "people's names are not written anywhere");
}

fn gcra_calls(redis: &TestRedis) -> u64 {
    let stats: String = redis.ask(&["INFO", "commandstats"]);
    let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls=")).expect("a script was run");
    line.split(',').next().and_then(|number| number.parse().ok()).expect("a number")
}

#[tokio::test]
async fn without_redis_every_replica_counts_its_share_and_then_together_again() {
    let (mut redis, lrs) = (TestRedis::start(), SimulatedLrs::start());
    let rates = Rates { organisation: once(10), ..unlimited() };
    let replica =
        || TestGateway::with(&lrs.url(), Options { rates, expected_replicas: 2, storage: redis.storage(KEY), ..Options::default() });
    let replicas = [replica(), replica()];
    let admitted = async |replica: &TestGateway, user: &str| {
        let caller = replica.caller().with_claims(json!({"preferred_username": user}));
        let body = by_uln();
        let calls = futures_util::stream::iter(0..12).then(|_| caller.post(FIND, &body));
        calls.filter(|answer| std::future::ready(answer.status == 200)).count().await
    };
    redis.kill();
    assert_eq!((admitted(&replicas[0], "ana").await, admitted(&replicas[1], "ana").await), (5, 5), "calls go on, a share each");
    redis.restart();
    tokio::time::sleep(Duration::from_millis(300)).await; // a failure to connect is believed for so long
    let (one, other) = (admitted(&replicas[0], "ana").await, admitted(&replicas[1], "ana").await);
    assert_eq!(one + other, 10, "together again");
}

/// How many calls of an organisation are admitted at this gateway, of those that are made until it is over. Nobody is told anything
/// but yes or too often.
async fn admitted_until_over(caller: Caller, over: Arc<AtomicBool>) -> usize {
    let mut admitted = 0;
    while !over.load(Ordering::SeqCst) {
        let answer = caller.post(FIND, &by_uln()).await;
        match answer.status {
            200 => admitted += 1,
            _ => drop(answer.problem(429, "rate_limited")),
        }
    }
    admitted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_that_is_killed_and_comes_back_under_load_is_not_noticed_by_callers() {
    const BURST: u32 = 60;
    let (mut redis, lrs) = (TestRedis::start(), SimulatedLrs::with(&for_both_organisations()));
    let product = [Product::UlnManagement];
    let organisations = || vec![organisation(PROVIDER, "demo-password-01", &product), organisation(AWARDING, "demo-password-02", &product)];
    let rates = Rates { organisation: once(BURST), ..unlimited() };
    let options = |redis: &TestRedis| Options {
        rates,
        expected_replicas: 2,
        organisations: organisations(),
        storage: redis.storage(KEY),
        ..Options::default()
    };
    let replicas = [TestGateway::with(&lrs.url(), options(&redis)), TestGateway::with(&lrs.url(), options(&redis))];

    let over = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..4).map(|number| tokio::spawn(admitted_until_over(replicas[number % 2].caller(), Arc::clone(&over)))).collect();
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        redis.kill();
        tokio::time::sleep(Duration::from_millis(500)).await;
        redis.restart();
    }
    tokio::time::sleep(Duration::from_millis(500)).await; // a failure to connect is believed for a while
    over.store(true, Ordering::SeqCst);
    let mut admitted = 0;
    for calls in load {
        admitted += calls.await.expect("nobody is told anything else");
    }
    // What Redis knew is gone with it, twice; meanwhile each replica had its share, once.
    let most = BURST as usize * 4;
    assert!((BURST as usize..=most + 4).contains(&admitted), "{admitted} admitted");

    // Another organisation, which has called nobody yet, finds that they count together again.
    let callers = replicas.each_ref().map(|replica| replica.caller().with_claims(json!({"org": AWARDING})));
    let body = by_uln();
    let calls = futures_util::stream::iter(0..150).map(|number| callers[number % 2].post(FIND, &body));
    let statuses: Vec<u16> = calls.buffer_unordered(8).map(|answer| answer.status).collect().await;
    let admitted = statuses.iter().filter(|status| **status != 429).count();
    assert!((BURST as usize..=BURST as usize + 1).contains(&admitted), "{admitted} admitted");
}

#[tokio::test]
async fn an_organisation_at_its_limit_does_not_slow_down_another() {
    let (redis, lrs) = (TestRedis::start(), SimulatedLrs::with(&for_both_organisations()));
    let product = [Product::UlnManagement];
    let own = RateOverrides { organisation: LimitOverride { per_minute: None, burst: Some(1) }, ..RateOverrides::default() };
    let organisations = vec![
        organisation(PROVIDER, "demo-password-01", &product).with_rate_overrides(own),
        organisation(AWARDING, "demo-password-02", &product),
    ];
    let rates = Rates { organisation: Limit { per_minute: 1, burst: 10_000 }, ..unlimited() };
    let gateway = TestGateway::with(&lrs.url(), Options { organisations, rates, storage: redis.storage(KEY), ..Options::default() });
    let other = gateway.caller().with_claims(json!({"org": AWARDING}));
    let body = by_uln();
    let median = async || {
        let mut times = Vec::new();
        for _ in 0..50 {
            let begun = Instant::now();
            assert_eq!(other.post(FIND, &body).await.status, 200);
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        times[times.len() / 2]
    };
    let alone = median().await;
    let over = Arc::new(AtomicBool::new(false));
    let crowd: Vec<_> = (0..8).map(|_| tokio::spawn(admitted_until_over(gateway.caller(), Arc::clone(&over)))).collect();
    let beside = median().await;
    over.store(true, Ordering::SeqCst);
    for calls in crowd {
        calls.await.expect("nobody is told anything else");
    }
    // Both share a machine, and in a test the callers' own work as well.
    assert!(beside < alone * 10 + Duration::from_millis(50), "{alone:?} alone, {beside:?} beside a crowd");
}
