//! When the gateway fetches the key set, and which answers callers get while it cannot be fetched.

use std::time::{Duration, Instant};

use jsonwebtoken::Header;
use lrs_gateway::auth::{JwksSettings, TokenError, Verifier};
use serde_json::json;

use super::{COOLDOWN, STATUS, UNKNOWN_KEY, assert_rejected, gateway, gateway_with_issuers, get_status, wait_for_cooldown};
use crate::support::caller::ISSUER;
use crate::support::fake_server::http;
use crate::support::identity_provider::{SigningKey, issuer, key_set_json};
use crate::support::{IdentityProvider, TestGateway, wait_until};

const FIND: &str = "/v1/learners/find-by-uln";
const REGISTRATION_BATCHES: &str = "/v1/registration-batches";

fn gateway_with_settings(settings: JwksSettings) -> TestGateway {
    gateway_with_issuers(vec![issuer(ISSUER, settings)])
}

/// The number of cooldowns that have passed completely.
fn cooldowns_since(start: Instant, cooldown: Duration) -> usize {
    usize::try_from(start.elapsed().as_millis() / cooldown.as_millis()).expect("a small number")
}

#[tokio::test]
async fn jwks_unknown_kids_cause_one_fetch_per_cooldown() {
    let key = SigningKey::new("1");
    let provider = IdentityProvider::publishing(&[&key]);
    let cooldown = Duration::from_millis(400);
    let gateway = gateway_with_settings(JwksSettings { cooldown, ..provider.settings() });
    get_status(&gateway, &key.token(json!({}))).await.expect_success();
    let (fetches_before, started_at) = (provider.fetches(), Instant::now());
    let callers: Vec<_> = (0..4)
        .map(|number| {
            let (mut caller, attacker) = (gateway.caller(), SigningKey::new("x"));
            tokio::spawn(async move {
                let mut calls = 0;
                while started_at.elapsed() < Duration::from_secs(1) {
                    let kid = Some(format!("{number}-{calls}"));
                    caller = caller.with_token(&attacker.token_with_header(&Header { kid, ..attacker.header() }, json!({})));
                    assert_rejected(&caller.request("GET", STATUS).await, UNKNOWN_KEY);
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    let mut calls = 0;
    for caller in callers {
        calls += caller.await.expect("every token is rejected");
    }
    let max_fetches = 1 + cooldowns_since(started_at, cooldown);
    let fetches = provider.fetches() - fetches_before;
    assert!((1..=max_fetches).contains(&fetches), "{fetches} fetches for {calls} calls, expected at most {max_fetches}");
    assert!(calls > 50, "{calls} calls are no load");
}

#[tokio::test]
async fn jwks_concurrent_tokens_with_new_key_cause_one_fetch() {
    let (old, new) = (SigningKey::new("old"), SigningKey::new("new"));
    let provider = IdentityProvider::publishing(&[&old]);
    let gateway = gateway(&provider);
    get_status(&gateway, &old.token(json!({}))).await.expect_success();
    provider.publish_slowly(Duration::from_millis(300), &[&old, &new]);
    wait_for_cooldown().await;
    let fetches_before = provider.fetches();
    let calls = (0..50).map(|number| {
        let caller = gateway.caller().with_token(&new.token(json!({"jti": number})));
        async move { caller.request("GET", STATUS).await }
    });
    for answer in futures_util::future::join_all(calls).await {
        answer.expect_success();
    }
    assert_eq!(provider.fetches() - fetches_before, 1);
}

#[tokio::test]
async fn jwks_fetch_fails_last_valid_set_stays_in_use() {
    let (known, new) = (SigningKey::new("1"), SigningKey::new("2"));
    let provider = IdentityProvider::publishing(&[&known]);
    let verifier = Verifier::new(vec![issuer(ISSUER, JwksSettings { timeout: Duration::from_millis(200), ..provider.settings() })]);
    verifier.fetch_key_sets().await;
    let redirect_target = IdentityProvider::publishing(&[&new]);
    for (response, expected_problem) in unusable_responses(&new, &redirect_target.url()) {
        response.map_or_else(|| provider.stop_responding(), |bytes| provider.respond_with(bytes));
        let [(0, ISSUER, Err(problem))] = &verifier.fetch_key_sets().await[..] else {
            panic!("{expected_problem}: the response must not be accepted")
        };
        assert!(problem.contains(expected_problem), "{expected_problem}: {problem}");
        verifier.verify(&known.token(json!({}))).await.expect(expected_problem);
        // The issuer may have published the key of this token: the gateway cannot know.
        let unknown = verifier.verify(&new.token(json!({}))).await.map(|_| ());
        assert_eq!(unknown, Err(TokenError::KeysUnavailable), "{expected_problem}");
        assert!(verifier.is_ready(), "{expected_problem}");
    }
    assert_eq!(redirect_target.fetches(), 0, "the gateway followed a redirect");

    provider.publish(&[&new]);
    wait_for_cooldown().await;
    verifier.verify(&new.token(json!({}))).await.expect("the next fetch succeeds");
    assert!(verifier.verify(&known.token(json!({}))).await.is_err(), "the new set replaces the old one");
    let ages: Vec<_> = verifier.key_set_ages().collect();
    assert!(matches!(ages[..], [(ISSUER, age)] if age < Duration::from_secs(5)), "{ages:?}");
}

/// Responses that the gateway must not accept as the set of this key, and the problem of each; `None` for no response.
fn unusable_responses(key: &SigningKey, redirect_url: &str) -> [(Option<Vec<u8>>, &'static str); 9] {
    let set = key_set_json(&[key]);
    let redirect = format!("HTTP/1.1 302 X\r\nLocation: {redirect_url}\r\nContent-Length: {}\r\n\r\n", set.len()).into_bytes();
    let too_large = [set.as_slice(), " ".repeat(256 * 1024).as_bytes()].concat();
    [
        (Some(http(500, "text/plain", b"")), "status 500"),
        (Some(http(404, "application/json", &set)), "status 404"),
        (Some([redirect, set].concat()), "redirects"),
        (Some(http(200, "application/json", &too_large)), "larger than 256 KiB"),
        (Some(http(200, "application/json", &key_set_json(&vec![key; 101]))), "more than 100 keys"),
        (Some(http(200, "text/html", b"<html>")), "not a JSON Web Key Set"),
        (Some(http(200, "application/json", b"{\"keys\": [")), "not a JSON Web Key Set"),
        (Some(b"HTTP/1.1 200 X\r\nContent-Length: 9999\r\n\r\n{\"keys\":".to_vec()), "does not respond in time"),
        (None, "does not respond in time"),
    ]
}

#[tokio::test]
async fn jwks_never_fetched_returns_issuer_unavailable_with_one_fetch_per_cooldown() {
    let (key, cooldown) = (SigningKey::new("1"), Duration::from_millis(300));
    let provider = IdentityProvider::responding_with(http(503, "text/plain", b"later"));
    let gateway = gateway_with_settings(JwksSettings { cooldown, ..provider.settings() });
    let (fetches_before, started_at) = (provider.fetches(), Instant::now());
    for _ in 0..20 {
        let answer = get_status(&gateway, &key.token(json!({}))).await;
        assert_eq!(answer.problem(503, "issuer_unavailable")["retryable"], true);
        assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
    }
    let max_fetches = 2 + cooldowns_since(started_at, cooldown);
    let fetches = provider.fetches() - fetches_before;
    assert!(fetches <= max_fetches, "{fetches} fetches, expected at most {max_fetches}");
    get_status(&gateway, "nonsense").await.problem(401, "invalid_token");
}

#[tokio::test]
async fn jwks_never_fetched_becomes_ready_once_the_provider_publishes() {
    let (key, cooldown) = (SigningKey::new("1"), Duration::from_millis(300));
    let provider = IdentityProvider::responding_with(http(503, "text/plain", b"later"));
    let settings = JwksSettings { cooldown, ..provider.settings() };
    let gateway = gateway_with_settings(settings.clone());
    get_status(&gateway, &key.token(json!({}))).await.problem(503, "issuer_unavailable");
    let verifier = Verifier::new(vec![issuer(ISSUER, settings)]);
    verifier.refresh_keys_periodically();
    assert!(!verifier.is_ready());

    provider.publish(&[&key]);
    wait_until(|| verifier.is_ready(), || "the verifier is ready".to_owned()).await;
    wait_for_success(&gateway, &key.token(json!({}))).await;
}

/// Calls until the gateway has fetched the key of this token.
async fn wait_for_success(gateway: &TestGateway, token: &str) {
    let started_at = Instant::now();
    loop {
        let answer = get_status(gateway, token).await;
        if answer.status == 200 {
            return;
        }
        assert!(started_at.elapsed() < Duration::from_secs(10), "the gateway did not fetch the key: {}", answer.text);
    }
}

#[tokio::test]
async fn jwks_slow_fetch_returns_issuer_unavailable_after_max_wait_and_continues() {
    let (known, new) = (SigningKey::new("1"), SigningKey::new("2"));
    let provider = IdentityProvider::publishing(&[&known]);
    let gateway = gateway_with_settings(JwksSettings { max_wait: Duration::from_millis(100), ..provider.settings() });
    get_status(&gateway, &known.token(json!({}))).await.expect_success();
    wait_for_cooldown().await;
    let fetches_before = provider.fetches();
    provider.publish_slowly(Duration::from_millis(500), &[&known, &new]);

    get_status(&gateway, &new.token(json!({}))).await.problem(503, "issuer_unavailable");
    get_status(&gateway, &known.token(json!({"jti": "2"}))).await.expect_success();
    // The fetch continues without its caller. Calls that find it in progress wait for it and do not start another.
    provider.wait_for_fetches(fetches_before + 1).await;
    wait_for_success(&gateway, &new.token(json!({}))).await;
    assert_eq!(provider.fetches(), fetches_before + 1);
}

#[tokio::test]
async fn jwks_unknown_key_is_rejected_before_the_request_is_validated() {
    let (known, unknown) = (SigningKey::new("1"), SigningKey::new("2"));
    let provider = IdentityProvider::publishing(&[&known]);
    let gateway = gateway(&provider);
    get_status(&gateway, &known.token(json!({}))).await.expect_success();
    // The verification waits for a fetch while the other extractors could already reject the request.
    provider.publish_slowly(COOLDOWN * 2, &[&known]);
    let caller = |key: &SigningKey| gateway.caller().with_token(&key.token(json!({})));

    wait_for_cooldown().await;
    assert_rejected(&caller(&unknown).post_text(FIND, "application/json", "nonsense").await, UNKNOWN_KEY);
    wait_for_cooldown().await;
    assert_rejected(&caller(&unknown).post_text(FIND, "text/plain", "nonsense").await, UNKNOWN_KEY);
    wait_for_cooldown().await;
    assert_rejected(&caller(&unknown).request("GET", &format!("{REGISTRATION_BATCHES}/no-batch")).await, UNKNOWN_KEY);
    wait_for_cooldown().await;
    assert_rejected(&caller(&unknown).request("GET", &format!("{REGISTRATION_BATCHES}?colour=1")).await, UNKNOWN_KEY);
    wait_for_cooldown().await;
    assert_rejected(&caller(&unknown).with_header("Idempotency-Key", "").post(FIND, &json!({})).await, UNKNOWN_KEY);

    caller(&known).post_text(FIND, "application/json", "nonsense").await.problem(400, "malformed_request");
}
