//! Rotation: the issuer publishes a new key, signs with it, and later withdraws the old key.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lrs_gateway::auth::JwksSettings;
use parking_lot::Mutex;
use serde_json::json;
use tokio::task::JoinHandle;

use super::{COOLDOWN, STATUS, UNKNOWN_KEY, assert_rejected, gateway_with_issuers, get_status};
use crate::support::caller::ISSUER;
use crate::support::identity_provider::{SigningKey, issuer};
use crate::support::{Caller, IdentityProvider, TestGateway};

/// A gateway that fetches the keys of this provider periodically, with this interval.
fn refreshing_gateway(provider: &IdentityProvider, refresh_interval: Duration) -> TestGateway {
    gateway_with_issuers(vec![issuer(ISSUER, JwksSettings { refresh_interval, ..provider.settings() })])
}

#[tokio::test]
async fn jwks_withdrawn_key_rejects_tokens_that_were_verified_before() {
    let (old, new) = (SigningKey::new("old"), SigningKey::new("new"));
    let provider = IdentityProvider::publishing(&[&old, &new]);
    let gateway = refreshing_gateway(&provider, Duration::from_millis(50));
    let token = old.token(json!({}));
    for _ in 0..3 {
        get_status(&gateway, &token).await.expect_success();
    }
    provider.publish(&[&new]);
    provider.wait_for_refresh().await;
    assert_rejected(&get_status(&gateway, &token).await, UNKNOWN_KEY);
    get_status(&gateway, &new.token(json!({}))).await.expect_success();
}

#[tokio::test]
async fn jwks_empty_set_rejects_every_token() {
    let key = SigningKey::new("1");
    let provider = IdentityProvider::publishing(&[&key]);
    let gateway = refreshing_gateway(&provider, Duration::from_millis(50));
    get_status(&gateway, &key.token(json!({}))).await.expect_success();
    provider.publish(&[]);
    provider.wait_for_refresh().await;
    assert_rejected(&get_status(&gateway, &key.token(json!({}))).await, UNKNOWN_KEY);
}

/// Four callers call the gateway continuously during four rotations. One test checks all of it, because the load is the condition.
#[tokio::test]
async fn jwks_rotation_under_load_accepts_current_key_and_rejects_withdrawn_key() {
    let first_key = CurrentKey::new(0);
    let provider = IdentityProvider::publishing(&[&first_key.key]);
    let gateway = refreshing_gateway(&provider, Duration::from_millis(250));
    get_status(&gateway, &first_key.token).await.expect_success();
    let load = Load::start(&gateway, first_key);

    for round in 1..=4 {
        let (old_key, old_token) = load.current();
        let mut next = CurrentKey::new(round);
        let new_key = Arc::clone(&next.key);
        provider.publish(&[&old_key, &new_key]);
        next.published_at = Instant::now();
        load.sign_with(next);
        // Longer than the cooldown, so that the callers send tokens of the new key after it has passed.
        tokio::time::sleep(COOLDOWN * 3 / 2).await;
        get_status(&gateway, &old_token).await.expect_success();

        provider.publish(&[&new_key]);
        provider.wait_for_refresh().await;
        assert_rejected(&get_status(&gateway, &old_token).await, UNKNOWN_KEY);
        assert_rejected(&get_status(&gateway, &old_key.token(json!({}))).await, UNKNOWN_KEY);
    }
    let calls = load.stop().await;
    assert!(calls > 200, "{calls} calls are no load");
}

/// The key that the issuer signs with.
struct CurrentKey {
    key: Arc<SigningKey>,
    /// A token that callers use more than once, so that the gateway can cache it.
    token: String,
    published_at: Instant,
}

impl CurrentKey {
    fn new(kid: usize) -> Self {
        let key = Arc::new(SigningKey::new(&kid.to_string()));
        Self { token: key.token(json!({})), key, published_at: Instant::now() }
    }
}

/// Callers that call the gateway continuously with tokens of the current key.
struct Load {
    current: Arc<Mutex<CurrentKey>>,
    is_stopping: Arc<AtomicBool>,
    callers: Vec<JoinHandle<usize>>,
}

impl Load {
    fn start(gateway: &TestGateway, key: CurrentKey) -> Self {
        let (current, is_stopping) = (Arc::new(Mutex::new(key)), Arc::new(AtomicBool::new(false)));
        let callers = (0..4).map(|number| {
            let (current, is_stopping) = (Arc::clone(&current), Arc::clone(&is_stopping));
            tokio::spawn(call_continuously(number, gateway.caller(), current, is_stopping))
        });
        Self { callers: callers.collect(), current, is_stopping }
    }

    fn current(&self) -> (Arc<SigningKey>, String) {
        let current = self.current.lock();
        (Arc::clone(&current.key), current.token.clone())
    }

    fn sign_with(&self, key: CurrentKey) {
        *self.current.lock() = key;
    }

    /// Returns the number of calls.
    async fn stop(self) -> usize {
        self.is_stopping.store(true, Ordering::Relaxed);
        let mut calls = 0;
        for caller in self.callers {
            calls += caller.await.expect("no valid token was rejected after the cooldown");
        }
        calls
    }
}

/// Calls until `is_stopping`. Asserts that a valid token is rejected only while its key is not known yet: before the cooldown has passed.
async fn call_continuously(number: usize, mut caller: Caller, current: Arc<Mutex<CurrentKey>>, is_stopping: Arc<AtomicBool>) -> usize {
    let mut calls = 0;
    while !is_stopping.load(Ordering::Relaxed) {
        let (token, published_at) = {
            let current = current.lock();
            // Every second token is new, so that the gateway cannot have cached it.
            let new_token = || current.key.token(json!({"jti": format!("{number}-{calls}")}));
            (if calls % 2 == 0 { current.token.clone() } else { new_token() }, current.published_at)
        };
        let sent_at = Instant::now();
        caller = caller.with_token(&token);
        let answer = caller.request("GET", STATUS).await;
        calls += 1;
        if answer.status != 200 {
            assert_rejected(&answer, UNKNOWN_KEY);
            let age = sent_at - published_at;
            assert!(age < COOLDOWN, "a valid token was rejected {age:?} after its key was published");
        }
        // Leaves CPU time to the gateway, which runs on the same machine.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    calls
}
