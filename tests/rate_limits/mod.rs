//! Rate limits: per organisation, per person, and for each person's searches by demographics.

mod search_operations;
mod shared;

use futures_util::StreamExt as _;
use lrs_gateway::domain::Product;
use lrs_gateway::organisations::{LimitOverride, RateOverrides};
use lrs_gateway::rate_limit::{Limit, Rates};
use serde_json::{Value, json};

use crate::support::caller::PROVIDER;
use crate::support::gateway::{AWARDING, Options, organisation, unlimited};
use crate::support::redis::TestRedis;
use crate::support::{SimulatedLrs, TestGateway};

const FIND: &str = "/v1/learners/find-by-uln";
const SEARCH: &str = "/v1/learners/find-by-demographics";
const ENCRYPTION_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Returns a search by ULN for Ana, a sample learner of the simulator.
fn by_uln() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

/// Returns a search by demographics for the same learner.
fn by_demographics() -> Value {
    json!({"givenName": "Ana", "familyName": "O'Neill", "dateOfBirth": "2003-04-05", "gender": "FEMALE", "lastKnownPostCode": "ZZ99 9ZZ"})
}

/// Returns the registration of the same learner.
fn registration() -> Value {
    let mut learner = by_demographics();
    (learner["verificationType"], learner["abilityToShare"]) = (json!("PASSPORT"), json!("SEEN_SHARE"));
    json!({"learner": learner})
}

/// Returns a limit that allows this many calls and then one per minute.
const fn burst_of(burst: u32) -> Limit {
    Limit { per_minute: 1, burst }
}

#[tokio::test]
async fn rate_limit_of_person_reached_returns_rate_limited_with_retry_after() {
    let lrs = SimulatedLrs::start();
    let rates = Rates { person: Limit { per_minute: 2, burst: 2 }, ..unlimited() };
    let gateway = TestGateway::with(&lrs.url(), Options { rates, ..Options::default() });
    let caller = gateway.caller();

    let first = caller.post(FIND, &by_uln()).await;
    assert_eq!(first.status, 200);
    assert_eq!(first.header("ratelimit-policy"), "\"organisation\";q=10000000;w=60, \"person\";q=2;w=60");
    assert!(first.header("ratelimit").ends_with("\"person\";r=1;t=30"), "{}", first.header("ratelimit"));
    // Invalid calls count too. Otherwise guesses would not be limited.
    let invalid = caller.post(FIND, &json!({})).await;
    invalid.problem(422, "validation_failed");
    assert!(invalid.header("ratelimit").contains("\"person\";r=0"), "{}", invalid.header("ratelimit"));

    let limited = caller.post(FIND, &by_uln()).await;
    let problem = limited.problem(429, "rate_limited");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("\"person\"")), "{problem}");
    let retry_after: u64 = limited.header("retry-after").parse().expect("Retry-After has seconds");
    assert!((28..=30).contains(&retry_after) && problem["retryAfterSeconds"] == retry_after && problem["retryable"] == true, "{problem}");
    assert!(limited.header("ratelimit").ends_with(&format!("\"person\";r=0;t={retry_after}")), "{}", limited.header("ratelimit"));
}

#[tokio::test]
async fn rate_limit_header_and_retry_after_agree_in_memory_and_in_redis() {
    let redis = TestRedis::start();
    for storage in [Options::default().storage, redis.storage(ENCRYPTION_KEY)] {
        let lrs = SimulatedLrs::start();
        let rates = Rates { organisation: Limit { per_minute: 6, burst: 3 }, person: burst_of(2), searches: burst_of(1) };
        let gateway = TestGateway::with(&lrs.url(), Options { storage, rates, ..Options::default() });
        let caller = gateway.caller();
        let [first, second] = [caller.post(SEARCH, &by_demographics()).await, caller.post(SEARCH, &by_demographics()).await];
        // The last call that a limit allows: the next one is due in a minute, the full burst in two.
        assert_eq!((first.status, remaining(&first, "searches")), (200, (0, 60)));
        let retry_after = second.problem(429, "rate_limited")["retryAfterSeconds"].as_u64().expect("seconds");
        assert_eq!((remaining(&second, "searches"), second.header("retry-after")), ((0, retry_after), &*retry_after.to_string()));
        assert_eq!(caller.post(FIND, &by_uln()).await.status, 200);
        let third = caller.post(SEARCH, &by_demographics()).await;
        let retry_after = third.problem(429, "rate_limited")["retryAfterSeconds"].as_u64().expect("seconds");
        let exhausted = [remaining(&third, "searches"), remaining(&third, "person")];
        assert!(exhausted.iter().all(|(calls, _)| *calls == 0), "{exhausted:?}");
        assert_eq!(exhausted.iter().map(|(_, seconds)| *seconds).max(), Some(retry_after), "the longest wait counts");
    }
}

#[tokio::test]
async fn retry_after_of_unavailable_lrs_is_not_before_the_rate_limit_allows_a_call() {
    let gateway =
        TestGateway::with("http://127.0.0.1:1", Options { rates: Rates { person: burst_of(2), ..unlimited() }, ..Options::default() });
    for (calls, seconds) in [(1, 30), (0, 60)] {
        let answer = gateway.caller().post(FIND, &by_uln()).await;
        let retry_after = answer.problem(503, "lrs_unavailable")["retryAfterSeconds"].clone();
        assert_eq!(
            (remaining(&answer, "person").0, retry_after, answer.header("retry-after")),
            (calls, json!(seconds), &*seconds.to_string())
        );
    }
}

/// Returns the remaining calls and the seconds of a limit in the header `RateLimit`.
fn remaining(answer: &crate::support::caller::Answer, limit: &str) -> (u64, u64) {
    let header = answer.header("ratelimit");
    let item = header.split(", ").find_map(|item| item.strip_prefix(&format!("\"{limit}\";r="))).unwrap_or_else(|| panic!("{header}"));
    let (calls, seconds) = item.split_once(";t=").expect("calls and seconds");
    (calls.parse().expect("a number"), seconds.parse().expect("a number"))
}

#[tokio::test]
async fn rate_limit_of_person_applies_to_every_operation_with_a_token_and_not_to_others() {
    let lrs = SimulatedLrs::start();
    let rates = Rates { person: burst_of(1), ..unlimited() };
    let gateway = TestGateway::with(&lrs.url(), Options { rates, ..Options::default() });
    let caller = gateway.caller();
    assert_eq!(caller.post(FIND, &by_uln()).await.status, 200);
    caller.post(FIND, &by_uln()).await.problem(429, "rate_limited");
    let other_person = gateway.caller().with_claims(json!({"preferred_username": "another.person"}));
    assert_eq!(other_person.post(FIND, &by_uln()).await.status, 200, "another person has a separate limit");
    caller.request("GET", "/v1/registration-batches").await.problem(429, "rate_limited");
    assert_eq!(caller.request("GET", "/health/live").await.status, 200, "operations without a token are not limited");
}

#[tokio::test]
async fn rate_limit_of_searches_reached_limits_only_searches() {
    let lrs = SimulatedLrs::start();
    let rates = Rates { searches: burst_of(2), ..unlimited() };
    let gateway = TestGateway::with(&lrs.url(), Options { rates, ..Options::default() });
    let caller = gateway.caller();
    assert_eq!(caller.post(SEARCH, &by_demographics()).await.status, 200);
    let obtained = caller.post("/v1/learners/obtain-uln", &registration()).await;
    assert_eq!(obtained.status, 200, "it counts as a search: {}", obtained.text);
    let limited = caller.post(SEARCH, &by_demographics()).await.problem(429, "rate_limited");
    assert!(limited["detail"].as_str().is_some_and(|detail| detail.contains("\"searches\"")), "{limited}");
    assert_eq!(caller.post(FIND, &by_uln()).await.status, 200);
}

#[tokio::test]
async fn rate_limit_override_of_organisation_applies_to_it_alone() {
    let lrs = SimulatedLrs::start();
    let products = [Product::UlnManagement];
    let overrides = RateOverrides { organisation: LimitOverride { per_minute: None, burst: Some(3) }, ..RateOverrides::default() };
    let organisations = vec![
        organisation(PROVIDER, "demo-password-01", &products).with_rate_overrides(overrides),
        organisation(AWARDING, "demo-password-02", &products),
    ];
    let rates = Rates { organisation: burst_of(1), ..unlimited() };
    let gateway = TestGateway::with(&lrs.url(), Options { organisations, rates, ..Options::default() });
    let are_limited = async |ukprn: &str| {
        let caller = gateway.caller().with_claims(json!({"org": ukprn}));
        let body = by_uln();
        let calls = futures_util::stream::iter(0..5).then(|_| caller.post(FIND, &body));
        calls.map(|answer| answer.status == 429).collect::<Vec<_>>().await
    };
    assert_eq!(are_limited(PROVIDER).await, [false, false, false, true, true]);
    assert_eq!(are_limited(AWARDING).await, [false, true, true, true, true]);
}

#[tokio::test]
async fn rate_limit_counts_every_kind_of_invalid_call() {
    let (redis, lrs) = (TestRedis::start(), SimulatedLrs::start());
    let rates = Rates { person: burst_of(7), ..unlimited() };
    let gateway = TestGateway::with(&lrs.url(), Options { rates, storage: redis.storage(ENCRYPTION_KEY), ..Options::default() });
    let caller = gateway.caller();
    let (batches, register) = ("/v1/registration-batches", "/v1/learners/register");
    let answers = [
        caller.post(FIND, &json!({})).await,
        caller.post_text(FIND, "text/plain", "nonsense").await,
        caller.post_text(FIND, "application/json", "{").await,
        caller.request("GET", &format!("{batches}/no-batch")).await,
        caller.request("GET", &format!("{batches}?colour=1")).await,
        gateway.caller().with_header("Accept", "image/png").request("GET", &format!("{batches}/no-batch/results")).await,
        gateway.caller().with_header("Idempotency-Key", "").post(register, &registration()).await,
    ];
    let statuses = answers.each_ref().map(|answer| answer.status);
    assert_eq!(statuses, [422, 415, 400, 404, 400, 404, 400]);
    for (remaining, answer) in (0..7).rev().zip(&answers) {
        assert!(answer.header("ratelimit").contains(&format!("\"person\";r={remaining};")), "{remaining}: {}", answer.header("ratelimit"));
    }
    caller.post(FIND, &json!({})).await.problem(429, "rate_limited");
}
