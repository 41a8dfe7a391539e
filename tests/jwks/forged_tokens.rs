//! Forged tokens. RFC 8725 describes most of the attacks.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::{UNKNOWN_KEY, assert_rejected, gateway, get_status};
use crate::support::caller::claims;
use crate::support::fake_server::http;
use crate::support::identity_provider::{SigningKey, key_set_json};
use crate::support::{IdentityProvider, TestGateway};

/// A shared secret that the issuer published by mistake.
const PUBLISHED_SECRET: &[u8] = b"a secret that was published by mistake, of more than 32 bytes";

/// The keys of the issuer and of the attacker. RSA keys take long to generate, so the tests share them.
static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    issuer: SigningKey::with_algorithm("1", Algorithm::RS256),
    ps256: SigningKey::with_algorithm("ps", Algorithm::PS256),
    encryption: SigningKey::new("enc"),
    attacker: SigningKey::with_algorithm("1", Algorithm::RS256),
    unpublished: SigningKey::new("unpublished"),
});

struct Keys {
    /// The key that the issuer signs with.
    issuer: SigningKey,
    /// A key that the issuer publishes for PS256 only.
    ps256: SigningKey,
    /// A key that the issuer publishes for encryption.
    encryption: SigningKey,
    /// A key of the attacker, with the key id of the issuer's.
    attacker: SigningKey,
    /// A key with a key id that the issuer does not publish.
    unpublished: SigningKey,
}

/// A gateway that trusts the issuer's key set, and a provider of the attacker that publishes the attacker's keys.
struct Fixture {
    gateway: TestGateway,
    attacker_provider: IdentityProvider,
    _provider: IdentityProvider,
}

impl Fixture {
    /// Starts the gateway. Asserts that it accepts a valid token, so that the other tokens are rejected for their own faults.
    async fn start() -> Self {
        let mut set: Value = serde_json::from_slice(&key_set_json(&[&KEYS.issuer, &KEYS.ps256, &KEYS.encryption])).expect("JSON");
        set["keys"][2]["use"] = json!("enc");
        let keys = set["keys"].as_array_mut().expect("keys");
        keys.push(json!({"kty": "oct", "kid": "oct", "k": URL_SAFE_NO_PAD.encode(PUBLISHED_SECRET), "alg": "HS256"}));
        keys.push(json!({"kty": "oct", "kid": "oct-without-alg", "k": URL_SAFE_NO_PAD.encode(PUBLISHED_SECRET)}));
        let provider = IdentityProvider::responding_with(http(200, "application/json", set.to_string().as_bytes()));
        let attacker_provider = IdentityProvider::publishing(&[&KEYS.attacker, &KEYS.unpublished]);
        let fixture = Self { gateway: gateway(&provider), attacker_provider, _provider: provider };
        fixture.assert_accepted(&KEYS.issuer.token(json!({}))).await;
        fixture
    }

    async fn assert_accepted(&self, token: &str) {
        get_status(&self.gateway, token).await.expect_success();
    }

    async fn assert_rejected(&self, token: &str, reason: &str) {
        assert_rejected(&get_status(&self.gateway, token).await, reason);
        // The token cache must not make a difference.
        assert_rejected(&get_status(&self.gateway, token).await, reason);
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let is_unused = std::thread::panicking() || self.attacker_provider.fetches() == 0;
        assert!(is_unused, "the gateway fetched a URL from a token");
    }
}

fn issuer_token(header: &Header) -> String {
    KEYS.issuer.token_with_header(header, json!({}))
}

fn attacker_token(header: &Header) -> String {
    KEYS.attacker.token_with_header(header, json!({}))
}

fn hmac_token(kid: &str, secret: &[u8]) -> String {
    let header = Header { kid: Some(kid.into()), ..Header::new(Algorithm::HS256) };
    jsonwebtoken::encode(&header, &claims(json!({})), &EncodingKey::from_secret(secret)).expect("a token")
}

/// A token with valid claims under any header and signature.
fn unverified_token(header: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(&claims(json!({}))))
}

#[tokio::test]
async fn jwks_token_without_algorithm_is_rejected() {
    let fixture = Fixture::start().await;
    let valid = KEYS.issuer.token(json!({}));
    let signature = valid.rsplit_once('.').expect("three parts").1;
    fixture.assert_rejected(&unverified_token(&json!({"alg": "none", "kid": "1"}), ""), "well-formed").await;
    fixture.assert_rejected(&unverified_token(&json!({"alg": "nOnE", "kid": "1"}), signature), "well-formed").await;
    fixture.assert_rejected(&unverified_token(&json!({"kid": "1"}), signature), "well-formed").await;
}

#[tokio::test]
async fn jwks_token_without_signature_of_its_content_is_rejected() {
    let fixture = Fixture::start().await;
    let other_token = KEYS.issuer.token(json!({"jti": "another token"}));
    let signature = other_token.rsplit_once('.').expect("three parts").1;
    let header = json!({"alg": "RS256", "kid": "1"});
    fixture.assert_rejected(&unverified_token(&header, signature), "signature is invalid").await;
    fixture.assert_rejected(&unverified_token(&header, ""), "signature is invalid").await;
}

#[tokio::test]
async fn jwks_published_bytes_as_hmac_secret_are_rejected() {
    let fixture = Fixture::start().await;
    fixture.assert_rejected(&hmac_token("oct", PUBLISHED_SECRET), "signature algorithm").await;
    fixture.assert_rejected(&hmac_token("oct-without-alg", PUBLISHED_SECRET), "signature algorithm").await;
    for public_key in KEYS.issuer.public_key_encodings() {
        fixture.assert_rejected(&hmac_token("1", &public_key), "signature algorithm").await;
    }
}

#[tokio::test]
async fn jwks_key_embedded_in_token_is_ignored() {
    let fixture = Fixture::start().await;
    let attacker = &KEYS.attacker;
    let jwk: Jwk = serde_json::from_value(attacker.jwk.clone()).expect("a key");
    let with_jwk = attacker_token(&Header { jwk: Some(jwk.clone()), ..attacker.header() });
    fixture.assert_rejected(&with_jwk, "signature is invalid").await;
    let with_jwk_and_kid = attacker_token(&Header { jwk: Some(jwk), kid: Some("evil".into()), ..attacker.header() });
    fixture.assert_rejected(&with_jwk_and_kid, UNKNOWN_KEY).await;
    let with_certificate = attacker_token(&Header { x5c: Some(vec!["AAAA".into()]), ..attacker.header() });
    fixture.assert_rejected(&with_certificate, "signature is invalid").await;
}

#[tokio::test]
async fn jwks_url_in_token_is_not_fetched() {
    let fixture = Fixture::start().await;
    let (attacker, url) = (&KEYS.attacker, fixture.attacker_provider.url());
    let with_key_set_url = attacker_token(&Header { jku: Some(url.clone()), kid: Some("evil".into()), ..attacker.header() });
    fixture.assert_rejected(&with_key_set_url, UNKNOWN_KEY).await;
    let with_certificate_url = attacker_token(&Header { x5u: Some(url.clone()), ..attacker.header() });
    fixture.assert_rejected(&with_certificate_url, "signature is invalid").await;
    fixture.assert_accepted(&issuer_token(&Header { jku: Some(url.clone()), x5u: Some(url), ..KEYS.issuer.header() })).await;
}

#[tokio::test]
async fn jwks_token_signed_with_unpublished_key_is_rejected() {
    let fixture = Fixture::start().await;
    fixture.assert_rejected(&KEYS.unpublished.token(json!({})), UNKNOWN_KEY).await;
    let without_kid = attacker_token(&Header { kid: None, ..KEYS.attacker.header() });
    fixture.assert_rejected(&without_kid, "signature is invalid").await;
}

#[tokio::test]
async fn jwks_token_with_critical_extension_is_rejected() {
    let fixture = Fixture::start().await;
    for extensions in [vec!["b64".into()], Vec::new()] {
        let token = issuer_token(&Header { crit: Some(extensions), ..KEYS.issuer.header() });
        fixture.assert_rejected(&token, "critical header").await;
    }
}

#[tokio::test]
async fn jwks_token_type_other_than_access_token_is_rejected() {
    let fixture = Fixture::start().await;
    let of_type = |typ: Option<&str>| issuer_token(&Header { typ: typ.map(str::to_owned), ..KEYS.issuer.header() });
    for rejected in ["logout+jwt", ""] {
        fixture.assert_rejected(&of_type(Some(rejected)), "neither JWT nor at+jwt").await;
    }
    for accepted in [Some("at+jwt"), Some("AT+JWT"), Some("application/at+jwt"), Some("jwt"), Some("application/JWT"), None] {
        fixture.assert_accepted(&of_type(accepted)).await;
    }
}

#[tokio::test]
async fn jwks_token_algorithm_that_does_not_match_key_is_rejected() {
    let fixture = Fixture::start().await;
    let Keys { issuer, ps256, encryption, .. } = &*KEYS;
    let rs256_with_ps256_key = ps256.token_with_header(&Header { alg: Algorithm::RS256, ..ps256.header() }, json!({}));
    fixture.assert_rejected(&rs256_with_ps256_key, "does not match its key").await;
    let es256_with_kid_of_rsa_key = encryption.token_with_header(&Header { kid: Some("1".into()), ..encryption.header() }, json!({}));
    fixture.assert_rejected(&es256_with_kid_of_rsa_key, "does not match its key").await;
    let not_of_issuer = issuer_token(&Header { alg: Algorithm::RS512, ..issuer.header() });
    fixture.assert_rejected(&not_of_issuer, "not allowed for this issuer").await;
}

#[tokio::test]
async fn jwks_token_signed_with_encryption_key_is_rejected() {
    Fixture::start().await.assert_rejected(&KEYS.encryption.token(json!({})), UNKNOWN_KEY).await;
}

#[tokio::test]
async fn jwks_token_longer_than_16_kib_is_rejected() {
    let token = KEYS.issuer.token(json!({"padding": "x".repeat(16 * 1024)}));
    Fixture::start().await.assert_rejected(&token, "longer than 16 KiB").await;
}
