//! Idempotency keys: their format, their scope, and their use while the first request is in progress.

use std::time::Duration;

use lrs_gateway::domain::Product;
use lrs_gateway::simulator::{Fault, FaultStep};
use serde_json::{Value, json};

use super::{Fixture, KEY, OBTAIN, REGISTER, is_replayed, nia};
use crate::support::caller::PROVIDER;
use crate::support::gateway::{AWARDING, Options, organisation};
use crate::support::wait_until;

#[tokio::test]
async fn idempotency_key_in_use_is_not_executed_again_and_work_continues_after_disconnect() {
    let fixture = Fixture::with(Options { timeout: Duration::from_secs(10), ..Options::default() });
    fixture.search().await;
    let latency = FaultStep::new(Fault::Latency).for_operation("RegisterLearner").times(1).with_milliseconds(800);
    fixture.lrs.simulator.inject_faults(vec![latency]);
    let caller = fixture.caller_with_key();
    let registration = nia();

    // The caller disconnects while LRS executes the registration.
    let first_caller = fixture.caller_with_key();
    let first_call = tokio::spawn(async move { first_caller.post(REGISTER, &nia()).await });
    wait_until(|| fixture.registrations_received_and_executed().0 == 1, || "the registration at LRS".into()).await;
    first_call.abort();
    assert!(first_call.await.is_err_and(|error| error.is_cancelled()), "LRS responds later");

    let problem = caller.post(REGISTER, &registration).await.problem(409, "idempotency_key_in_use");
    assert_eq!((&problem["retryable"], problem["retryAfterSeconds"].is_u64()), (&json!(true), true));
    let mut other_registration = nia();
    other_registration["learner"]["givenName"] = json!("Nora");
    caller.post(REGISTER, &other_registration).await.problem(422, "idempotency_key_reused");

    let answer = loop {
        let answer = caller.post(REGISTER, &registration).await;
        if answer.status != 409 {
            break answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((answer.status, is_replayed(&answer)), (201, true), "{}", answer.text);
    assert_eq!(fixture.registrations_received_and_executed(), (1, 1));
}

#[tokio::test]
async fn idempotency_key_scope_is_organisation_client_and_operation() {
    let products = &[Product::UlnManagement];
    let organisations = vec![organisation(PROVIDER, "demo-password-01", products), organisation(AWARDING, "demo-password-02", products)];
    let fixture = Fixture::with(Options { organisations, ..Options::default() });
    let is_replayed_with = async |claims: Value, path: &str| {
        let caller = fixture.caller_with_key().with_claims(claims);
        is_replayed(&caller.post(path, &nia()).await)
    };
    let claims = json!({"azp": "front-desk", "jti": "1"});

    assert!(!is_replayed_with(claims.clone(), OBTAIN).await, "the first request");
    assert!(is_replayed_with(claims.clone(), OBTAIN).await, "the same request");
    assert!(is_replayed_with(json!({"azp": "front-desk", "jti": "2"}), OBTAIN).await, "another token");
    assert!(is_replayed_with(json!({"azp": "front-desk", "preferred_username": "a.nother"}), OBTAIN).await, "another user");

    assert!(!is_replayed_with(json!({"azp": "nightly-script"}), OBTAIN).await, "another client");
    assert!(!is_replayed_with(json!({"azp": "front-desk", "org": AWARDING}), OBTAIN).await, "another organisation");
    assert!(!is_replayed_with(claims, REGISTER).await, "another operation");
    let without_key = fixture.gateway.caller().with_claims(json!({"azp": "front-desk"})).post(OBTAIN, &nia()).await;
    assert!(!is_replayed(&without_key), "without a key");
}

#[tokio::test]
async fn idempotency_key_malformed_returns_malformed_request_and_sends_nothing() {
    let fixture = Fixture::new();
    let too_long: &'static str = "k".repeat(256).leak();
    let too_long_in_quotation_marks: &'static str = format!("\"{}\"", "k".repeat(254)).leak();
    for key in ["", " ", "\"\"", "clé", too_long, too_long_in_quotation_marks] {
        let caller = fixture.gateway.caller().with_header("Idempotency-Key", key);
        let problem = caller.post(OBTAIN, &nia()).await.problem(400, "malformed_request");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("Idempotency-Key")), "{problem}");
    }
    assert_eq!(fixture.lrs.simulator.request_count("FindLearnerByDemographics"), 0);
}

#[tokio::test]
async fn idempotency_key_in_quotation_marks_is_the_same_key() {
    let fixture = Fixture::new();
    fixture.caller_with_key().post(OBTAIN, &nia()).await;
    let quoted_key: &'static str = format!("\"{KEY}\"").leak();
    let caller = fixture.gateway.caller().with_header("Idempotency-Key", quoted_key);
    assert!(is_replayed(&caller.post(OBTAIN, &nia()).await));
}
