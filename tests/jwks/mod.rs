//! Tokens whose keys the issuer publishes as a JSON Web Key Set (JWKS): which key verifies a token. The submodules test the rotation of
//! keys ([`rotation`]), when the gateway fetches the set ([`refresh`]), forged tokens ([`forged_tokens`]) and settings ([`settings`]).

mod forged_tokens;
mod refresh;
mod rotation;
mod settings;

use std::time::Duration;

use jsonwebtoken::{Algorithm, Header};
use lrs_gateway::auth::Issuer;
use serde_json::json;

use crate::support::caller::Answer;
use crate::support::gateway::Options;
use crate::support::identity_provider::{SigningKey, issuer};
use crate::support::{IdentityProvider, TestGateway};

/// An operation that requires a token, but no scope.
const STATUS: &str = "/v1/lrs/status";
/// The cooldown of [`IdentityProvider::settings`].
const COOLDOWN: Duration = Duration::from_millis(100);
/// The reason for a token whose key is not published.
const UNKNOWN_KEY: &str = "its key is not in the issuer's key set";
const SECOND_ISSUER: &str = "https://second.example/";

/// A gateway that trusts the keys of this provider.
fn gateway(provider: &IdentityProvider) -> TestGateway {
    gateway_with_issuers(vec![provider.issuer()])
}

fn gateway_with_issuers(issuers: Vec<Issuer>) -> TestGateway {
    TestGateway::with("http://127.0.0.1:1", Options { issuers, ..Options::default() })
}

async fn get_status(gateway: &TestGateway, token: &str) -> Answer {
    gateway.caller().with_token(token).request("GET", STATUS).await
}

#[track_caller]
fn assert_rejected(answer: &Answer, reason: &str) {
    let problem = answer.problem(401, "invalid_token");
    assert!(problem["detail"].as_str().expect("text").contains(reason), "{reason}: {problem}");
}

/// Waits until the gateway may fetch the set again. Nothing that a test could observe happens at that time.
async fn wait_for_cooldown() {
    tokio::time::sleep(COOLDOWN).await;
}

#[tokio::test]
async fn jwks_key_named_by_kid_verifies_tokens_of_every_algorithm() {
    let algorithms = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];
    let keys = algorithms.map(|algorithm| SigningKey::with_algorithm(&format!("{algorithm:?}"), algorithm));
    let provider = IdentityProvider::publishing(&keys.iter().collect::<Vec<_>>());
    let gateway = gateway(&provider);
    for key in &keys {
        get_status(&gateway, &key.token(json!({}))).await.expect_success();
        let attacker = SigningKey::with_algorithm(key.jwk["kid"].as_str().expect("a key id"), key.header().alg);
        assert_rejected(&get_status(&gateway, &attacker.token(json!({}))).await, "signature is invalid");
        assert_rejected(&get_status(&gateway, &key.token(json!({"aud": "others"}))).await, "another audience");
    }
    assert!(provider.fetches() <= 2, "the set fetched at startup has every key, but there were {} fetches", provider.fetches());
}

#[tokio::test]
async fn jwks_token_without_kid_is_verified_if_exactly_one_key_matches() {
    let (first, second) = (SigningKey::new("1"), SigningKey::new("2"));
    let other_algorithm = SigningKey::with_algorithm("3", Algorithm::EdDSA);
    let without_kid = |key: &SigningKey| key.token_with_header(&Header { kid: None, ..key.header() }, json!({}));
    let provider = IdentityProvider::publishing(&[&first, &other_algorithm]);
    let gateway = gateway(&provider);
    get_status(&gateway, &without_kid(&first)).await.expect_success();

    provider.publish(&[&second, &other_algorithm]);
    wait_for_cooldown().await;
    get_status(&gateway, &without_kid(&second)).await.expect_success();
    assert_rejected(&get_status(&gateway, &without_kid(&first)).await, "signature is invalid");

    provider.publish(&[&first, &second]);
    wait_for_cooldown().await;
    get_status(&gateway, &first.token(json!({}))).await.expect_success();
    assert_rejected(&get_status(&gateway, &without_kid(&first)).await, "more than one of the issuer's keys");
}

#[tokio::test]
async fn jwks_key_of_one_issuer_does_not_verify_tokens_of_another() {
    let (first_key, second_key) = (SigningKey::new("1"), SigningKey::new("2"));
    let second_key_with_first_kid = SigningKey::new("1");
    let first_provider = IdentityProvider::publishing(&[&first_key]);
    let second_provider = IdentityProvider::publishing(&[&second_key, &second_key_with_first_kid]);
    let gateway = gateway_with_issuers(vec![first_provider.issuer(), issuer(SECOND_ISSUER, second_provider.settings())]);
    let of_second_issuer = |key: &SigningKey| key.token(json!({"iss": SECOND_ISSUER}));

    get_status(&gateway, &first_key.token(json!({}))).await.expect_success();
    get_status(&gateway, &of_second_issuer(&second_key)).await.expect_success();
    get_status(&gateway, &of_second_issuer(&second_key_with_first_kid)).await.expect_success();

    assert_rejected(&get_status(&gateway, &second_key.token(json!({}))).await, UNKNOWN_KEY);
    assert_rejected(&get_status(&gateway, &second_key_with_first_kid.token(json!({}))).await, "signature is invalid");
    assert_rejected(&get_status(&gateway, &of_second_issuer(&first_key)).await, "signature is invalid");
}
