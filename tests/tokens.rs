//! Authentication and authorisation with access tokens: which tokens the gateway accepts, for which operations, and how it rejects others.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use lrs_gateway::auth::{Algorithm, Issuer, IssuerKey, sign_token};
use lrs_gateway::schema::Scalar as _;
use rcgen::{KeyPair, SignatureAlgorithm};
use serde_json::{Value, json};

use crate::support::caller::{AUDIENCE, ISSUER, SECRET, claims, token};
use crate::support::fake_server::soap;
use crate::support::gateway::{AWARDING, Options, claim_names, hmac_issuer};
use crate::support::{FakeServer, TestGateway};

const FIND: &str = "/v1/learners/find-by-uln";
const SECOND_ISSUER: &str = "https://second.example/";

fn search() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

/// An LRS that finds no learner, and counts its calls.
fn lrs() -> FakeServer {
    FakeServer::with_response(soap(
        200,
        "<n:FindLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/findmsg\"><ResponseCode>WSRC0001</ResponseCode></n:FindLearnerResponse>",
    ))
}

/// A token with this signature, which does not have to be valid.
fn unverified_token(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode(signature))
}

fn seconds_from_now(seconds: i64) -> i64 {
    jiff::Timestamp::now().as_second() + seconds
}

#[tokio::test]
async fn token_missing_returns_missing_token_without_error_parameter() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    for header in [None, Some("Basic am86ZG9l"), Some("Bearer"), Some("")] {
        let answer = gateway.caller().with_authorization(header).post(FIND, &search()).await;
        answer.problem(401, "missing_token");
        assert_eq!(answer.header("www-authenticate"), "Bearer", "{header:?}");
    }
    assert!(lrs.received().is_empty(), "the gateway called LRS");
}

#[tokio::test]
async fn token_missing_takes_precedence_over_invalid_body() {
    let gateway = TestGateway::to(&lrs().url());
    gateway.caller().with_authorization(None).post_text(FIND, "text/plain", "nonsense").await.problem(401, "missing_token");
}

#[tokio::test]
async fn token_invalid_returns_invalid_token_with_reason() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let valid = token(json!({}));
    let (signed, _) = valid.rsplit_once('.').expect("three parts");
    let (_, payload) = signed.split_once('.').expect("three parts");
    let alg_none = json!({"alg": "none", "typ": "JWT"});
    let with_critical_header = {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "crit": ["exp"]}).to_string());
        let message = format!("{header}.{payload}");
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &EncodingKey::from_secret(SECRET), jsonwebtoken::Algorithm::HS256);
        format!("{message}.{}", signature.expect("a signature"))
    };
    let with_other_secret = sign_token(b"another secret", claims(json!({})).as_object().expect("claims")).expect("a token");
    for (token, reason) in [
        (token(json!({"exp": seconds_from_now(-31)})), "expired"),
        (token(json!({"nbf": seconds_from_now(120)})), "not valid yet"),
        (token(json!({"aud": "another-service"})), "another audience"),
        (token(json!({"iss": "https://evil.example/"})), "issuer is not trusted"),
        (token(json!({"iss": ["https://idp.example.ac.uk/"]})), "well-formed"),
        (token(json!({"exp": null})), "lacks one of the claims"),
        (token(json!({"aud": null})), "lacks one of the claims"),
        (token(json!({"iss": null})), "well-formed"),
        (unverified_token(&alg_none, &claims(json!({})), b""), "well-formed"),
        (unverified_token(&json!({"alg": "None"}), &claims(json!({})), b""), "well-formed"),
        (format!("{signed}."), "signature is invalid"),
        (with_other_secret, "signature is invalid"),
        (unverified_token(&json!({"alg": "HS512"}), &claims(json!({})), b"x"), "signature algorithm"),
        (with_critical_header, "critical header"),
        ("not a token".to_owned(), "well-formed"),
        ("a.b.c".to_owned(), "well-formed"),
        ("..".to_owned(), "well-formed"),
        (valid.repeat(2), "well-formed"),
    ] {
        let answer = gateway.caller().with_token(&token).post(FIND, &search()).await;
        let problem = answer.problem(401, "invalid_token");
        assert!(problem["detail"].as_str().expect("text").contains(reason), "{reason}: {problem}");
        assert!(answer.header("www-authenticate").starts_with("Bearer error=\"invalid_token\""), "{answer:?}");
    }
    assert!(lrs.received().is_empty(), "the gateway called LRS");
    gateway.caller().with_token(&valid).post(FIND, &search()).await.expect_success();
}

#[tokio::test]
async fn token_times_within_clock_tolerance_are_accepted() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller().with_claims(json!({"exp": seconds_from_now(-10), "nbf": seconds_from_now(10)}));
    caller.post(FIND, &search()).await.expect_success();
}

/// The key pair of an issuer whose public key is configured.
struct Signer {
    algorithm: jsonwebtoken::Algorithm,
    kind: &'static SignatureAlgorithm,
    pair: KeyPair,
}

impl Signer {
    fn new(algorithm: jsonwebtoken::Algorithm) -> Self {
        use jsonwebtoken::Algorithm::{ES256, EdDSA};
        let kind = match algorithm {
            ES256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            EdDSA => &rcgen::PKCS_ED25519,
            _ => &rcgen::PKCS_RSA_SHA256,
        };
        Self { algorithm, kind, pair: KeyPair::generate_for(kind).expect("a key") }
    }

    /// The issuer that the gateway trusts: it has this public key, and no other algorithm.
    fn issuer(&self) -> Issuer {
        let algorithms = [Algorithm::parse(&format!("{:?}", self.algorithm)).expect("an algorithm that the gateway supports")];
        let key = IssuerKey::from_public_pem(self.pair.public_key_pem().as_bytes(), &algorithms).expect("a public key");
        Issuer::new(ISSUER, AUDIENCE, &algorithms, key, claim_names())
    }

    fn gateway(&self, lrs: &FakeServer) -> TestGateway {
        TestGateway::with(&lrs.url(), Options { issuers: vec![self.issuer()], ..Options::default() })
    }

    fn token(&self, changes: Value) -> String {
        self.token_with_algorithm(self.algorithm, changes)
    }

    fn token_with_algorithm(&self, algorithm: jsonwebtoken::Algorithm, changes: Value) -> String {
        use jsonwebtoken::Algorithm::{ES256, EdDSA};
        let pem = self.pair.serialize_pem();
        let key = match self.algorithm {
            ES256 => EncodingKey::from_ec_pem(pem.as_bytes()),
            EdDSA => EncodingKey::from_ed_pem(pem.as_bytes()),
            _ => EncodingKey::from_rsa_pem(pem.as_bytes()),
        };
        signed(algorithm, &key.expect("a private key"), changes)
    }
}

/// One signer for each algorithm with a public key. RSA keys take long to generate, so the tests share them.
static SIGNERS: LazyLock<[Signer; 4]> = LazyLock::new(|| {
    use jsonwebtoken::Algorithm::{ES256, EdDSA, PS256, RS256};
    [RS256, PS256, ES256, EdDSA].map(Signer::new)
});

fn signed(algorithm: jsonwebtoken::Algorithm, key: &EncodingKey, changes: Value) -> String {
    jsonwebtoken::encode(&Header::new(algorithm), &claims(changes), key).expect("a token")
}

async fn assert_invalid_token(gateway: &TestGateway, token: &str) {
    gateway.caller().with_token(token).post(FIND, &search()).await.problem(401, "invalid_token");
}

#[tokio::test]
async fn public_key_token_signed_with_configured_key_is_accepted() {
    let lrs = lrs();
    for signer in &*SIGNERS {
        signer.gateway(&lrs).caller().with_token(&signer.token(json!({}))).post(FIND, &search()).await.expect_success();
    }
}

#[tokio::test]
async fn public_key_token_signed_with_other_key_returns_invalid_token() {
    let lrs = lrs();
    for signer in &*SIGNERS {
        let attacker = Signer { pair: KeyPair::generate_for(signer.kind).expect("a key"), ..*signer };
        assert_invalid_token(&signer.gateway(&lrs), &attacker.token(json!({}))).await;
    }
}

#[tokio::test]
async fn public_key_used_as_hmac_secret_returns_invalid_token() {
    let lrs = lrs();
    for signer in &*SIGNERS {
        let gateway = signer.gateway(&lrs);
        for public_key in [signer.pair.public_key_pem().into_bytes(), signer.pair.public_key_raw().to_vec()] {
            let key = EncodingKey::from_secret(&public_key);
            assert_invalid_token(&gateway, &signed(jsonwebtoken::Algorithm::HS256, &key, json!({}))).await;
        }
    }
}

#[tokio::test]
async fn public_key_token_with_unconfigured_algorithm_returns_invalid_token() {
    let [rs256, ..] = &*SIGNERS;
    let token = rs256.token_with_algorithm(jsonwebtoken::Algorithm::PS256, json!({}));
    assert_invalid_token(&rs256.gateway(&lrs()), &token).await;
}

#[tokio::test]
async fn issuer_key_of_another_issuer_returns_invalid_token() {
    let lrs = lrs();
    let [_, _, es256, _] = &*SIGNERS;
    let second = Issuer::new(
        SECOND_ISSUER,
        AUDIENCE,
        &[Algorithm::HS256],
        IssuerKey::from_hmac_secret(b"the second issuer's secret, long enough").expect("at least 32 bytes"),
        claim_names(),
    );
    let gateway = TestGateway::with(&lrs.url(), Options { issuers: vec![es256.issuer(), second], ..Options::default() });
    gateway.caller().with_token(&es256.token(json!({}))).post(FIND, &search()).await.expect_success();
    assert_invalid_token(&gateway, &es256.token(json!({"iss": SECOND_ISSUER}))).await;
}

#[tokio::test]
async fn scope_missing_returns_insufficient_scope() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    for scope in [json!("learners:write learners:readx"), json!(""), json!(null), json!(["openid"]), json!({"learners:read": true})] {
        let answer = gateway.caller().with_claims(json!({"scope": scope})).post(FIND, &search()).await;
        let problem = answer.problem(403, "insufficient_scope");
        assert!(problem["detail"].as_str().expect("text").contains("learners:read"), "{problem}");
        assert_eq!(answer.header("www-authenticate"), "Bearer error=\"insufficient_scope\", scope=\"learners:read\"");
    }
    assert!(lrs.received().is_empty(), "the gateway called LRS");
}

#[tokio::test]
async fn scope_in_a_list_is_accepted() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    gateway.caller().with_claims(json!({"scope": ["openid", "learners:read"]})).post(FIND, &search()).await.expect_success();
    assert_eq!(lrs.received().len(), 1);
}

#[tokio::test]
async fn organisation_claim_invalid_or_unregistered_returns_organisation_not_registered() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let unregistered = json!("10012345");
    for organisation in [unregistered, json!(null), json!(["10088881", "10012345"]), json!(10_012_345), json!("1008888"), json!("")] {
        let answer = gateway.caller().with_claims(json!({"org": organisation})).post(FIND, &search()).await;
        answer.problem(403, "organisation_not_registered");
    }
    assert!(lrs.received().is_empty(), "the gateway called LRS");
}

#[tokio::test]
async fn organisation_without_product_returns_product_not_enabled() {
    let lrs = lrs();
    let answer = TestGateway::to(&lrs.url()).caller().with_claims(json!({"org": AWARDING})).post(FIND, &search()).await;
    assert!(answer.problem(403, "product_not_enabled")["detail"].as_str().expect("text").contains("uln-management"));
    assert!(lrs.received().is_empty(), "the gateway called LRS");
}

#[tokio::test]
async fn user_claim_not_accepted_by_lrs_returns_user_name_unusable() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    for user in [json!(""), json!("   "), json!("x".repeat(36)), json!(null), json!(7), json!("bell\u{7}")] {
        let answer = gateway.caller().with_claims(json!({"preferred_username": user})).post(FIND, &search()).await;
        answer.problem(403, "user_name_unusable");
    }
    assert!(lrs.received().is_empty(), "the gateway called LRS");
}

#[tokio::test]
async fn user_claim_of_maximum_length_in_characters_is_accepted() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller().with_claims(json!({"preferred_username": "é".repeat(35)}));
    caller.post(FIND, &search()).await.expect_success();
}

#[tokio::test]
async fn scope_documented_for_each_operation_is_the_scope_that_it_requires() {
    const UNSCOPED: [&str; 2] = ["/v1/lrs/status", "/v1/organisation"];
    let lrs = lrs();
    let gateway = TestGateway::with(&lrs.url(), Options { issuers: vec![hmac_issuer()], ..Options::default() });
    let document = gateway.caller().request("GET", "/openapi.json").await.expect_success();
    let mut scoped_operations = 0;
    for (path, item) in document["paths"].as_object().expect("paths").iter().filter(|(path, _)| path.starts_with("/v1/")) {
        for (method, operation) in item.as_object().expect("an object") {
            let method = method.to_uppercase();
            let with_scopes = |scopes: &str| gateway.caller().with_claims(json!({"scope": scopes}));
            let Some(scope) = operation.pointer("/security/0/bearer/0").and_then(Value::as_str) else {
                assert!(UNSCOPED.contains(&path.as_str()), "no documented scope: {path}");
                gateway.caller().with_authorization(None).request(&method, path).await.problem(401, "missing_token");
                with_scopes("").request(&method, path).await.expect_success();
                continue;
            };
            let other_scopes: Vec<&str> = lrs_gateway::auth::scope::ALL.iter().copied().filter(|other| *other != scope).collect();
            let problem = with_scopes(&other_scopes.join(" ")).request(&method, path).await.problem(403, "insufficient_scope");
            assert!(problem["detail"].as_str().expect("text").contains(scope), "{path}: {problem}");
            let answer = with_scopes(scope).request(&method, path).await;
            assert!(!answer.text.contains("insufficient_scope"), "{path} requires more than {scope}: {}", answer.text);
            scoped_operations += 1;
        }
    }
    assert!(scoped_operations > 30, "the document lists {scoped_operations} operations with a scope");
}

#[tokio::test]
async fn health_and_documents_without_token_return_success() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let anonymous = gateway.caller().with_authorization(None);
    assert_eq!(anonymous.request("GET", "/health/live").await.expect_success(), json!({"status": "ALIVE"}));
    assert_eq!(anonymous.request("GET", "/health/ready").await.expect_success(), json!({"status": "READY"}));
    assert_eq!(anonymous.request("GET", "/openapi.json").await.expect_success()["openapi"], "3.1.0");
    assert_eq!(anonymous.request("GET", "/openapi-3.0.json").await.expect_success()["openapi"], "3.0.3");
    assert!(lrs.received().is_empty(), "the gateway called LRS");
}

#[tokio::test]
async fn docs_page_without_token_loads_nothing_from_other_servers() {
    let gateway = TestGateway::to(&lrs().url());
    let page = gateway.caller().with_authorization(None).request("GET", "/docs").await;
    assert_eq!((page.status, page.text.contains("<html lang=\"en-GB\">")), (200, true), "/docs redirects to the documentation");
    let resources: Vec<&str> = page.text.lines().filter(|line| line.starts_with("<link") || line.starts_with("<script")).collect();
    assert!(resources.len() > 2, "{}", page.text);
    for line in resources {
        assert!(!line.contains("://"), "a resource of another server: {line}");
    }
}

/// Returns a token with these claims as JSON text, in addition to those that make it valid.
fn token_with_claims_text(text: &str) -> String {
    let usual = claims(json!({"org": null, "preferred_username": null})).to_string();
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", part(r#"{"alg":"HS256","typ":"JWT"}"#), part(&usual.replacen('{', &format!("{{{text},"), 1)));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &EncodingKey::from_secret(SECRET), jsonwebtoken::Algorithm::HS256);
    format!("{message}.{}", signature.expect("the token is signed"))
}

#[tokio::test]
async fn token_with_a_claim_twice_is_refused() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let post = async |text: &str| gateway.caller().with_token(&token_with_claims_text(text)).post(FIND, &search()).await;
    post(r#""org":"10088881","preferred_username":"j.bloggs""#).await.expect_success();
    for twice in [
        r#""org":"10088882","org":"10088881","preferred_username":"j.bloggs""#,
        r#""org":"10088881","preferred_username":"j.bloggs","realm":{"org":"10088881","org":"10088882"}"#,
        r#""org":"10088881","preferred_username":"j.bloggs","preferred_username":"j.bloggs""#,
    ] {
        let problem = post(twice).await.problem(401, "invalid_token");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("a claim more than once")), "{problem}");
    }
    assert_eq!(lrs.received().len(), 1);
}

#[tokio::test]
async fn token_organisation_may_be_a_number_or_a_list_of_one() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    for one in [json!("10088881"), json!(10_088_881), json!(["10088881"]), json!([10_088_881])] {
        gateway.caller().with_claims(json!({"org": one})).post(FIND, &search()).await.expect_success();
    }
    for other in [json!([]), json!(["10088881", "10088882"]), json!({"ukprn": "10088881"}), json!(10_088_881.5)] {
        gateway.caller().with_claims(json!({"org": other})).post(FIND, &search()).await.problem(403, "organisation_not_registered");
    }
}

#[tokio::test]
async fn user_name_with_control_bidirectional_or_only_invisible_characters_is_refused_and_not_quoted() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    for name in ["j.bloggs\u{202E}", "\u{2066}j.bloggs\u{2069}", "j.bloggs\n", "j\u{9F}bloggs", "\u{200B}", "\u{3164}\u{FEFF}"] {
        let answer = gateway.caller().with_claims(json!({"preferred_username": name})).post(FIND, &search()).await;
        answer.problem(403, "user_name_unusable");
        assert!(answer.text.contains("preferred_username") && !answer.text.contains("bloggs"), "{}", answer.text);
    }
    assert!(lrs.received().is_empty(), "the gateway called LRS");
}
