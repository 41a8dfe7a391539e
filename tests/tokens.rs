//! Who is let in, as whom, and who is not.

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

fn search() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

/// An LRS that finds nobody, and counts.
fn lrs() -> FakeServer {
    FakeServer::with_response(soap(
        200,
        "<n:FindLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/findmsg\"><ResponseCode>WSRC0001</ResponseCode></n:FindLearnerResponse>",
    ))
}

/// A token put together by hand.
fn forged(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode(signature))
}

fn seconds_from_now(seconds: i64) -> i64 {
    jiff::Timestamp::now().as_second() + seconds
}

#[tokio::test]
async fn without_a_token_nothing_is_said_about_one() {
    let peer = lrs();
    let gateway = TestGateway::to(&peer.url());
    for header in [None, Some("Basic am86ZG9l"), Some("Bearer"), Some("")] {
        let answer = gateway.caller().with_authorization(header).post(FIND, &search()).await;
        answer.problem(401, "missing_token");
        assert_eq!(answer.header("www-authenticate"), "Bearer", "{header:?}");
    }
    assert!(peer.received().is_empty());
}

#[tokio::test]
async fn tokens_that_are_not_good_are_refused_with_the_reason() {
    let peer = lrs();
    let gateway = TestGateway::to(&peer.url());
    let good = token(json!({}));
    let (signed, _) = good.rsplit_once('.').expect("three parts");
    let (_, payload) = signed.split_once('.').expect("three parts");
    let none = json!({"alg": "none", "typ": "JWT"});
    let critical = {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "crit": ["exp"]}).to_string());
        let message = format!("{header}.{payload}");
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &EncodingKey::from_secret(SECRET), jsonwebtoken::Algorithm::HS256);
        format!("{message}.{}", signature.expect("signs"))
    };
    for (token, reason) in [
        (token(json!({"exp": seconds_from_now(-31)})), "expired"),
        (token(json!({"nbf": seconds_from_now(120)})), "not valid yet"),
        (token(json!({"aud": "somebody-else"})), "another audience"),
        (token(json!({"iss": "https://evil.example/"})), "issuer is not trusted"),
        (token(json!({"iss": ["https://idp.example.ac.uk/"]})), "well-formed"),
        (token(json!({"exp": null})), "lacks one of the claims"),
        (token(json!({"aud": null})), "lacks one of the claims"),
        (token(json!({"iss": null})), "well-formed"),
        (forged(&none, &claims(json!({})), b""), "well-formed"),
        (forged(&json!({"alg": "None"}), &claims(json!({})), b""), "well-formed"),
        (format!("{signed}."), "signature is invalid"),
        (sign_token(b"another secret", claims(json!({})).as_object().expect("claims")).expect("signs"), "signature is invalid"),
        (forged(&json!({"alg": "HS512"}), &claims(json!({})), b"x"), "signature algorithm"),
        (critical, "critical header"),
        ("not a token".to_owned(), "well-formed"),
        ("a.b.c".to_owned(), "well-formed"),
        ("..".to_owned(), "well-formed"),
        (good.repeat(2), "well-formed"),
    ] {
        let answer = gateway.caller().with_token(&token).post(FIND, &search()).await;
        let problem = answer.problem(401, "invalid_token");
        assert!(problem["detail"].as_str().expect("text").contains(reason), "{reason}: {problem}");
        assert!(answer.header("www-authenticate").starts_with("Bearer error=\"invalid_token\""), "{answer:?}");
    }
    assert!(peer.received().is_empty(), "nothing reaches LRS");
    gateway.caller().with_token(&good).post(FIND, &search()).await.expect_success();
}

#[tokio::test]
async fn clocks_may_differ_by_half_a_minute() {
    let peer = lrs();
    let gateway = TestGateway::to(&peer.url());
    let caller = gateway.caller().with_claims(json!({"exp": seconds_from_now(-10), "nbf": seconds_from_now(10)}));
    caller.post(FIND, &search()).await.expect_success();
}

/// A gateway that trusts one public key, and what its owner signs with.
fn with_public_key(algorithm: &str, kind: &'static SignatureAlgorithm) -> (KeyPair, Issuer) {
    let pair = KeyPair::generate_for(kind).expect("a key");
    let algorithms = [Algorithm::parse(algorithm).expect("known")];
    let key = IssuerKey::from_public_pem(pair.public_key_pem().as_bytes(), &algorithms).expect(algorithm);
    (pair, Issuer::new(ISSUER, AUDIENCE, &algorithms, key, claim_names()))
}

fn signed(algorithm: jsonwebtoken::Algorithm, key: &EncodingKey, changes: Value) -> String {
    jsonwebtoken::encode(&Header::new(algorithm), &claims(changes), key).expect("signs")
}

#[tokio::test]
async fn every_public_key_algorithm_is_verified_and_none_of_the_others_accepted_in_its_place() {
    type ReadKey = fn(&[u8]) -> jsonwebtoken::errors::Result<EncodingKey>;
    let peer = lrs();
    let kinds: [(&str, jsonwebtoken::Algorithm, &'static SignatureAlgorithm, ReadKey); 4] = [
        ("RS256", jsonwebtoken::Algorithm::RS256, &rcgen::PKCS_RSA_SHA256, EncodingKey::from_rsa_pem),
        ("PS256", jsonwebtoken::Algorithm::PS256, &rcgen::PKCS_RSA_SHA256, EncodingKey::from_rsa_pem),
        ("ES256", jsonwebtoken::Algorithm::ES256, &rcgen::PKCS_ECDSA_P256_SHA256, EncodingKey::from_ec_pem),
        ("EdDSA", jsonwebtoken::Algorithm::EdDSA, &rcgen::PKCS_ED25519, EncodingKey::from_ed_pem),
    ];
    for (name, algorithm, kind, read) in kinds {
        let (pair, issuer) = with_public_key(name, kind);
        let gateway = TestGateway::with(&peer.url(), Options { issuers: vec![issuer], ..Options::default() });
        let key = read(pair.serialize_pem().as_bytes()).expect(name);
        gateway.caller().with_token(&signed(algorithm, &key, json!({}))).post(FIND, &search()).await.expect_success();

        // Another key of the same kind.
        let (stranger, _) = with_public_key(name, kind);
        let forged = signed(algorithm, &read(stranger.serialize_pem().as_bytes()).expect(name), json!({}));
        gateway.caller().with_token(&forged).post(FIND, &search()).await.problem(401, "invalid_token");

        // The public key used as a shared secret: the classic.
        for public in [pair.public_key_pem().into_bytes(), pair.public_key_raw().to_vec()] {
            let confused = signed(jsonwebtoken::Algorithm::HS256, &EncodingKey::from_secret(&public), json!({}));
            gateway.caller().with_token(&confused).post(FIND, &search()).await.problem(401, "invalid_token");
        }

        // The same key with an algorithm that was not configured.
        if name == "RS256" {
            let other = signed(jsonwebtoken::Algorithm::PS256, &key, json!({}));
            gateway.caller().with_token(&other).post(FIND, &search()).await.problem(401, "invalid_token");
        }
    }
}

#[tokio::test]
async fn each_issuer_vouches_with_its_own_key_only() {
    let peer = lrs();
    let (pair, public) = with_public_key("ES256", &rcgen::PKCS_ECDSA_P256_SHA256);
    let other = Issuer::new(
        "https://second.example/",
        AUDIENCE,
        &[Algorithm::HS256],
        IssuerKey::from_hmac_secret(b"the second issuer's secret, long enough").expect("long enough"),
        claim_names(),
    );
    let gateway = TestGateway::with(&peer.url(), Options { issuers: vec![public, other], ..Options::default() });
    let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).expect("a key");
    let first = signed(jsonwebtoken::Algorithm::ES256, &key, json!({}));
    gateway.caller().with_token(&first).post(FIND, &search()).await.expect_success();
    let in_the_others_name = signed(jsonwebtoken::Algorithm::ES256, &key, json!({"iss": "https://second.example/"}));
    gateway.caller().with_token(&in_the_others_name).post(FIND, &search()).await.problem(401, "invalid_token");
}

#[tokio::test]
async fn a_caller_needs_the_scope() {
    let peer = lrs();
    let gateway = TestGateway::to(&peer.url());
    for scope in [json!("learners:write learners:readx"), json!(""), json!(null), json!(["openid"]), json!({"learners:read": true})] {
        let answer = gateway.caller().with_claims(json!({"scope": scope})).post(FIND, &search()).await;
        let problem = answer.problem(403, "insufficient_scope");
        assert!(problem["detail"].as_str().expect("text").contains("learners:read"));
        assert_eq!(answer.header("www-authenticate"), "Bearer error=\"insufficient_scope\", scope=\"learners:read\"");
    }
    gateway.caller().with_claims(json!({"scope": ["openid", "learners:read"]})).post(FIND, &search()).await.expect_success();
    assert_eq!(peer.received().len(), 1);
}

#[tokio::test]
async fn a_caller_acts_for_one_registered_organisation_with_the_product() {
    let peer = lrs();
    let gateway = TestGateway::to(&peer.url());
    let unknown = json!("10012345");
    for organisation in [unknown, json!(null), json!(["10088881"]), json!(10_088_881), json!("1008888"), json!("")] {
        let answer = gateway.caller().with_claims(json!({"org": organisation})).post(FIND, &search()).await;
        answer.problem(403, "organisation_not_registered");
    }
    let answer = gateway.caller().with_claims(json!({"org": AWARDING})).post(FIND, &search()).await;
    assert!(answer.problem(403, "product_not_enabled")["detail"].as_str().expect("text").contains("uln-management"));
    assert!(peer.received().is_empty(), "nothing reaches LRS");
}

#[tokio::test]
async fn the_person_must_be_named_as_lrs_wants_it() {
    let peer = lrs();
    let gateway = TestGateway::to(&peer.url());
    for user in [json!(""), json!("   "), json!("x".repeat(36)), json!(null), json!(7), json!("bell\u{7}")] {
        let answer = gateway.caller().with_claims(json!({"preferred_username": user})).post(FIND, &search()).await;
        answer.problem(403, "user_name_unusable");
    }
    assert!(peer.received().is_empty(), "nothing reaches LRS");
    gateway.caller().with_claims(json!({"preferred_username": "é".repeat(35)})).post(FIND, &search()).await.expect_success();
}

#[tokio::test]
async fn who_calls_is_asked_before_what_is_wanted() {
    let peer = lrs();
    let gateway = TestGateway::to(&peer.url());
    gateway.caller().with_authorization(None).post_text(FIND, "text/plain", "nonsense").await.problem(401, "missing_token");
}

#[tokio::test]
async fn every_operation_asks_for_the_scope_it_documents() {
    let peer = lrs();
    let gateway = TestGateway::with(&peer.url(), Options { issuers: vec![hmac_issuer()], ..Options::default() });
    let document = gateway.caller().request("GET", "/openapi.json").await.expect_success();
    let mut operations = 0;
    for (path, item) in document["paths"].as_object().expect("paths").iter().filter(|(path, _)| path.starts_with("/v1/")) {
        for (method, operation) in item.as_object().expect("an object") {
            let Some(scope) = operation.pointer("/security/0/bearer/0").and_then(Value::as_str) else {
                assert!(["/v1/lrs/status", "/v1/organisation"].contains(&path.as_str()), "what needs no scope: {path}");
                gateway.caller().with_authorization(None).request(&method.to_uppercase(), path).await.problem(401, "missing_token");
                gateway.caller().with_claims(json!({"scope": ""})).request(&method.to_uppercase(), path).await.expect_success();
                continue;
            };
            let others: Vec<&str> = lrs_gateway::auth::scope::ALL.iter().copied().filter(|other| *other != scope).collect();
            let caller = gateway.caller().with_claims(json!({"scope": others.join(" ")}));
            let answer = caller.request(&method.to_uppercase(), path).await;
            let problem = answer.problem(403, "insufficient_scope");
            assert!(problem["detail"].as_str().expect("text").contains(scope), "{path}: {problem}");
            operations += 1;
        }
    }
    assert!(operations >= 2, "the document lists the operations");
}
