//! Keys that issuers publish: found, changed, withdrawn, out of reach, and attacked.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use lrs_gateway::auth::{JwksSettings, TokenError, Verifier};
use serde_json::{Value, json};

use crate::support::caller::{Answer, ISSUER, claims};
use crate::support::fake_server::http;
use crate::support::gateway::Options;
use crate::support::identity_provider::{SigningKey, issuer, set_of, wait_until};
use crate::support::program::{ConfigDirectory, run, stderr};
use crate::support::{ANY_PORT, IdentityProvider, RunningServer, TestGateway};

/// What needs a token and nothing else.
const STATUS: &str = "/v1/lrs/status";
const COOLDOWN: Duration = Duration::from_millis(100);

/// A gateway that trusts the tokens of this provider.
fn gateway(provider: &IdentityProvider) -> TestGateway {
    trusting(vec![provider.issuer()])
}

fn trusting(issuers: Vec<lrs_gateway::auth::Issuer>) -> TestGateway {
    TestGateway::with("http://127.0.0.1:1", Options { issuers, ..Options::default() })
}

async fn call(gateway: &TestGateway, token: &str) -> Answer {
    gateway.caller().with_token(token).request("GET", STATUS).await
}

#[track_caller]
fn assert_refused(answer: &Answer, reason: &str) {
    let problem = answer.problem(401, "invalid_token");
    assert!(problem["detail"].as_str().expect("text").contains(reason), "{reason}: {problem}");
}

const UNKNOWN: &str = "its key is not in the issuer's key set";

#[tokio::test]
async fn a_token_is_verified_with_the_key_it_names() {
    let kinds = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];
    let keys: Vec<SigningKey> = kinds.iter().map(|kind| SigningKey::of(&format!("{kind:?}"), *kind)).collect();
    let provider = IdentityProvider::publishing(&keys.iter().collect::<Vec<_>>());
    let gateway = gateway(&provider);
    for key in &keys {
        call(&gateway, &key.token(json!({}))).await.expect_success();
        let stranger = SigningKey::of(key.jwk["kid"].as_str().expect("a name"), key.header().alg);
        assert_refused(&call(&gateway, &stranger.token(json!({}))).await, "signature is invalid");
        assert_refused(&call(&gateway, &key.token(json!({"aud": "others"}))).await, "another audience");
    }
    assert!(provider.fetches() <= 2, "all of it with the set that was fetched at the start");
}

#[tokio::test]
async fn a_token_that_names_no_key_needs_exactly_one_that_fits() {
    let (first, second) = (SigningKey::new("1"), SigningKey::new("2"));
    let other_kind = SigningKey::of("3", Algorithm::EdDSA);
    let unnamed = |key: &SigningKey| key.token_under(&Header { kid: None, ..key.header() }, json!({}));
    let provider = IdentityProvider::publishing(&[&first, &other_kind]);
    let gateway = gateway(&provider);
    call(&gateway, &unnamed(&first)).await.expect_success();

    provider.publish(&[&second, &other_kind]);
    tokio::time::sleep(COOLDOWN).await;
    call(&gateway, &unnamed(&second)).await.expect_success();
    assert_refused(&call(&gateway, &unnamed(&first)).await, "signature is invalid");

    provider.publish(&[&first, &second]);
    tokio::time::sleep(COOLDOWN).await;
    call(&gateway, &first.token(json!({}))).await.expect_success();
    assert_refused(&call(&gateway, &unnamed(&first)).await, "more than one of the issuer's keys");
}

#[tokio::test]
async fn each_issuer_has_its_own_keys() {
    let (ours, theirs) = (SigningKey::new("1"), SigningKey::new("2"));
    let theirs_named_like_ours = SigningKey::new("1");
    let (our_provider, their_provider) =
        (IdentityProvider::publishing(&[&ours]), IdentityProvider::publishing(&[&theirs, &theirs_named_like_ours]));
    let gateway = trusting(vec![our_provider.issuer(), issuer("https://second.example/", their_provider.settings())]);
    call(&gateway, &ours.token(json!({}))).await.expect_success();
    call(&gateway, &theirs.token(json!({"iss": "https://second.example/"}))).await.expect_success();
    call(&gateway, &theirs_named_like_ours.token(json!({"iss": "https://second.example/"}))).await.expect_success();

    assert_refused(&call(&gateway, &theirs.token(json!({}))).await, UNKNOWN);
    assert_refused(&call(&gateway, &theirs_named_like_ours.token(json!({}))).await, "signature is invalid");
    assert_refused(&call(&gateway, &ours.token(json!({"iss": "https://second.example/"}))).await, "signature is invalid");
}

/// Callers call all the time while the provider rotates: publishes a new key, signs with it, withdraws the old one.
#[tokio::test]
async fn keys_rotate_under_load() {
    struct Current {
        key: Arc<SigningKey>,
        token: String,
        since: Instant,
    }
    let current = |kid: usize| {
        let key = Arc::new(SigningKey::new(&kid.to_string()));
        Current { token: key.token(json!({})), key, since: Instant::now() }
    };
    let first = current(0);
    let provider = IdentityProvider::publishing(&[&first.key]);
    let settings = JwksSettings { refresh_interval: Duration::from_millis(250), ..provider.settings() };
    let gateway = trusting(vec![issuer(ISSUER, settings)]);
    call(&gateway, &first.token).await.expect_success();

    let signing = Arc::new(Mutex::new(first));
    let done = Arc::new(Mutex::new(false));
    let callers: Vec<_> = (0..4)
        .map(|number| {
            let (signing, done, mut caller) = (Arc::clone(&signing), Arc::clone(&done), gateway.caller());
            tokio::spawn(async move {
                let (mut calls, mut too_early) = (0, 0);
                while !*done.lock().expect("no panic") {
                    let (token, since) = {
                        let Current { key, token, since } = &*signing.lock().expect("no panic");
                        // Every other time a token that may be remembered, else one that cannot be.
                        (if calls % 2 == 0 { token.clone() } else { key.token(json!({"jti": format!("{number}-{calls}")})) }, *since)
                    };
                    let began = Instant::now();
                    caller = caller.with_token(&token);
                    let answer = caller.request("GET", STATUS).await;
                    calls += 1;
                    if answer.status != 200 {
                        assert_refused(&answer, UNKNOWN);
                        assert!(began < since + COOLDOWN, "a good token is refused after the cool-down: {:?}", began - since);
                        too_early += 1;
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                (calls, too_early)
            })
        })
        .collect();

    for round in 1..=4 {
        let mut next = current(round);
        let old = Arc::clone(&signing.lock().expect("no panic").key);
        let old_token = signing.lock().expect("no panic").token.clone();
        provider.publish(&[&old, &next.key]);
        next.since = Instant::now();
        let new = Arc::clone(&next.key);
        *signing.lock().expect("no panic") = next;
        tokio::time::sleep(Duration::from_millis(150)).await;
        call(&gateway, &old_token).await.expect_success();

        provider.publish(&[&new]);
        provider.wait_until_known().await;
        assert_refused(&call(&gateway, &old_token).await, UNKNOWN);
        assert_refused(&call(&gateway, &old.token(json!({}))).await, UNKNOWN);
    }
    *done.lock().expect("no panic") = true;
    let mut calls = 0;
    for caller in callers {
        let (made, _) = caller.await.expect("no good token was refused");
        calls += made;
    }
    assert!(calls > 200, "under load: {calls} calls");
}

#[tokio::test]
async fn a_withdrawn_key_is_not_accepted_for_tokens_that_were_verified_before() {
    let (old, new) = (SigningKey::new("old"), SigningKey::new("new"));
    let provider = IdentityProvider::publishing(&[&old, &new]);
    let gateway = trusting(vec![issuer(ISSUER, JwksSettings { refresh_interval: Duration::from_millis(50), ..provider.settings() })]);
    let token = old.token(json!({}));
    for _ in 0..3 {
        call(&gateway, &token).await.expect_success();
    }
    provider.publish(&[&new]);
    provider.wait_until_known().await;
    assert_refused(&call(&gateway, &token).await, UNKNOWN);
    call(&gateway, &new.token(json!({}))).await.expect_success();
    // A set without keys is an answer too: there is none to trust.
    provider.publish(&[]);
    provider.wait_until_known().await;
    assert_refused(&call(&gateway, &new.token(json!({}))).await, UNKNOWN);
}

#[tokio::test]
async fn keys_that_do_not_exist_cost_one_fetch_a_cool_down() {
    let key = SigningKey::new("1");
    let provider = IdentityProvider::publishing(&[&key]);
    let cooldown = Duration::from_millis(400);
    let gateway = trusting(vec![issuer(ISSUER, JwksSettings { cooldown, ..provider.settings() })]);
    call(&gateway, &key.token(json!({}))).await.expect_success();
    let (before, began) = (provider.fetches(), Instant::now());
    let callers: Vec<_> = (0..4)
        .map(|number| {
            let (mut caller, invented) = (gateway.caller(), SigningKey::new("x"));
            tokio::spawn(async move {
                let mut calls = 0;
                while began.elapsed() < Duration::from_secs(1) {
                    let kid = Some(format!("{number}-{calls}"));
                    caller = caller.with_token(&invented.token_under(&Header { kid, ..invented.header() }, json!({})));
                    assert_refused(&caller.request("GET", STATUS).await, UNKNOWN);
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    let mut calls = 0;
    for caller in callers {
        calls += caller.await.expect("refused, every time");
    }
    let most = 1 + usize::try_from(began.elapsed().as_millis() / cooldown.as_millis()).expect("few");
    let fetches = provider.fetches() - before;
    assert!((1..=most).contains(&fetches), "{fetches} fetches for {calls} calls, at most {most}");
    assert!(calls > 50, "a flood: {calls}");
}

#[tokio::test]
async fn fifty_callers_with_a_new_key_cost_one_fetch() {
    let (old, new) = (SigningKey::new("old"), SigningKey::new("new"));
    let provider = IdentityProvider::publishing(&[&old]);
    let gateway = gateway(&provider);
    call(&gateway, &old.token(json!({}))).await.expect_success();
    provider.publish_slowly(Duration::from_millis(300), &[&old, &new]);
    tokio::time::sleep(COOLDOWN).await;
    let before = provider.fetches();
    let calls = (0..50).map(|number| {
        let caller = gateway.caller().with_token(&new.token(json!({"jti": number})));
        async move { caller.request("GET", STATUS).await }
    });
    for answer in futures_util::future::join_all(calls).await {
        answer.expect_success();
    }
    assert_eq!(provider.fetches() - before, 1);
}

#[tokio::test]
async fn the_last_good_keys_go_on_serving_while_the_provider_is_down() {
    let (known, new) = (SigningKey::new("1"), SigningKey::new("2"));
    let provider = IdentityProvider::publishing(&[&known]);
    let verifier = Verifier::new(vec![issuer(ISSUER, JwksSettings { timeout: Duration::from_millis(200), ..provider.settings() })]);
    verifier.fetch_key_sets().await;
    let evil = IdentityProvider::publishing(&[&new]);
    let good_set = set_of(&[&new]);
    let redirect = format!("HTTP/1.1 302 X\r\nLocation: {}\r\nContent-Length: {}\r\n\r\n", evil.url(), good_set.len()).into_bytes();
    let padded = [good_set.as_slice(), " ".repeat(256 * 1024).as_bytes()].concat();
    for (bytes, problem) in [
        (Some(http(500, "text/plain", b"")), "status 500"),
        (Some(http(404, "application/json", &good_set)), "status 404"),
        (Some([redirect, good_set].concat()), "redirects"),
        (Some(http(200, "application/json", &padded)), "larger than 256 KiB"),
        (Some(http(200, "application/json", &set_of(&vec![&new; 101]))), "more than 100 keys"),
        (Some(http(200, "text/html", b"<html>")), "not a JSON Web Key Set"),
        (Some(http(200, "application/json", b"{\"keys\": [")), "not a JSON Web Key Set"),
        (Some(b"HTTP/1.1 200 X\r\nContent-Length: 9999\r\n\r\n{\"keys\":".to_vec()), "does not respond in time"),
        (None, "does not respond in time"),
    ] {
        bytes.map_or_else(|| provider.say_nothing(), |bytes| provider.answer(bytes));
        let [(0, ISSUER, Err(said))] = &verifier.fetch_key_sets().await[..] else { panic!("{problem}: it must not be taken") };
        assert!(said.contains(problem), "{problem}: {said}");
        verifier.verify(&known.token(json!({}))).await.expect(problem);
        // Its key may be right: nobody knows.
        assert_eq!(verifier.verify(&new.token(json!({}))).await.map(|_| ()), Err(TokenError::KeysUnavailable), "{problem}");
        assert!(verifier.is_ready());
    }
    assert_eq!(evil.fetches(), 0, "no redirect is followed");
    provider.publish(&[&new]);
    tokio::time::sleep(COOLDOWN).await;
    verifier.verify(&new.token(json!({}))).await.expect("it has healed");
    assert!(verifier.verify(&known.token(json!({}))).await.is_err());
    let ages: Vec<_> = verifier.key_set_ages().collect();
    assert!(matches!(ages[..], [(ISSUER, age)] if age < Duration::from_secs(5)), "{ages:?}");
}

#[tokio::test]
async fn down_from_the_start_is_the_gateways_trouble_and_heals_by_itself() {
    let key = SigningKey::new("1");
    let provider = IdentityProvider::answering(http(503, "text/plain", b"later"));
    let settings = JwksSettings { cooldown: Duration::from_millis(300), ..provider.settings() };
    let gateway = trusting(vec![issuer(ISSUER, settings.clone())]);
    let (before, began) = (provider.fetches(), Instant::now());
    for _ in 0..20 {
        let answer = call(&gateway, &key.token(json!({}))).await;
        assert_eq!(answer.problem(503, "issuer_unavailable")["retryable"], true);
        assert!(!answer.header("retry-after").is_empty());
    }
    let most = 2 + usize::try_from(began.elapsed().as_millis() / 300).expect("few");
    assert!(provider.fetches() - before <= most, "the cool-down holds for a provider that is down");
    call(&gateway, "nonsense").await.problem(401, "invalid_token");

    let verifier = Verifier::new(vec![issuer(ISSUER, settings)]);
    verifier.refresh_keys_periodically();
    assert!(!verifier.is_ready());
    provider.publish(&[&key]);
    wait_until(|| verifier.is_ready()).await;
    // The gateway's own try may come a little later.
    let waiting = Instant::now();
    while call(&gateway, &key.token(json!({}))).await.status != 200 {
        assert!(waiting.elapsed() < Duration::from_secs(10), "it heals");
    }
}

#[tokio::test]
async fn a_slow_provider_keeps_a_token_waiting_only_so_long() {
    let (known, new) = (SigningKey::new("1"), SigningKey::new("2"));
    let provider = IdentityProvider::publishing(&[&known]);
    let settings = JwksSettings { max_wait: Duration::from_millis(100), ..provider.settings() };
    let gateway = trusting(vec![issuer(ISSUER, settings)]);
    call(&gateway, &known.token(json!({}))).await.expect_success();
    tokio::time::sleep(COOLDOWN).await;
    let before = provider.fetches();
    provider.publish_slowly(Duration::from_millis(500), &[&known, &new]);
    call(&gateway, &new.token(json!({}))).await.problem(503, "issuer_unavailable");
    call(&gateway, &known.token(json!({"jti": "2"}))).await.expect_success();
    // The fetch has gone on without the caller.
    provider.wait_for_fetches(before + 1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let fetches = provider.fetches();
    call(&gateway, &new.token(json!({}))).await.expect_success();
    assert_eq!(provider.fetches(), fetches);
}

#[tokio::test]
async fn a_strangers_body_is_not_looked_at_while_keys_are_fetched() {
    let (known, stranger) = (SigningKey::new("1"), SigningKey::new("2"));
    let provider = IdentityProvider::publishing(&[&known]);
    let gateway = gateway(&provider);
    call(&gateway, &known.token(json!({}))).await.expect_success();
    provider.publish_slowly(Duration::from_millis(200), &[&known]);
    tokio::time::sleep(COOLDOWN).await;
    let find = "/v1/learners/find-by-uln";
    let nonsense = |key: &SigningKey| gateway.caller().with_token(&key.token(json!({})));
    assert_refused(&nonsense(&stranger).post_text(find, "application/json", "nonsense").await, UNKNOWN);
    // Nor is anything else.
    for attempt in 0..4 {
        tokio::time::sleep(COOLDOWN).await;
        let batches = "/v1/registration-batches";
        let answer = match attempt {
            0 => nonsense(&stranger).post_text(find, "text/plain", "nonsense").await,
            1 => nonsense(&stranger).request("GET", &format!("{batches}/no-batch")).await,
            2 => nonsense(&stranger).request("GET", &format!("{batches}?colour=1")).await,
            _ => nonsense(&stranger).with_header("Idempotency-Key", "").post(find, &json!({})).await,
        };
        assert_refused(&answer, UNKNOWN);
    }
    nonsense(&known).post_text(find, "application/json", "nonsense").await.problem(400, "malformed_request");
}

#[tokio::test]
async fn attacks_are_refused() {
    let key = SigningKey::of("1", Algorithm::RS256);
    let (for_ps256_only, for_encryption, retired) =
        (SigningKey::of("ps", Algorithm::PS256), SigningKey::new("enc"), SigningKey::new("retired"));
    let attacker = SigningKey::of("1", Algorithm::RS256);
    let shared = b"a secret that was published by mistake, of more than 32 bytes";
    let mut set: Value = serde_json::from_slice(&set_of(&[&key, &for_ps256_only, &for_encryption])).expect("JSON");
    set["keys"][2]["use"] = json!("enc");
    let keys = set["keys"].as_array_mut().expect("keys");
    keys.push(json!({"kty": "oct", "kid": "oct", "k": URL_SAFE_NO_PAD.encode(shared), "alg": "HS256"}));
    keys.push(json!({"kty": "oct", "kid": "oct-without-alg", "k": URL_SAFE_NO_PAD.encode(shared)}));
    let provider = IdentityProvider::answering(http(200, "application/json", set.to_string().as_bytes()));
    let evil = IdentityProvider::publishing(&[&attacker, &retired]);
    let gateway = gateway(&provider);
    call(&gateway, &key.token(json!({}))).await.expect_success();

    let hmac = |kid: &str, secret: &[u8]| {
        let header = Header { kid: Some(kid.into()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &claims(json!({})), &EncodingKey::from_secret(secret)).expect("signs")
    };
    let by_hand = |header: &Value, signature: &str| {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.{signature}", part(header), part(&claims(json!({}))))
    };
    let good = key.token(json!({}));
    let signature = good.rsplit_once('.').expect("three parts").1;
    let embedded: Jwk = serde_json::from_value(attacker.jwk.clone()).expect("a key");
    let under = |header: Header| attacker.token_under(&header, json!({}));
    let of_key = |header: Header| key.token_under(&header, json!({}));

    let mut attacks = vec![
        ("no algorithm", by_hand(&json!({"alg": "none", "kid": "1"}), ""), "well-formed"),
        ("no algorithm, a signature", by_hand(&json!({"alg": "nOnE", "kid": "1"}), signature), "well-formed"),
        ("no algorithm at all", by_hand(&json!({"kid": "1"}), signature), "well-formed"),
        ("a signature of another token", by_hand(&json!({"alg": "RS256", "kid": "1"}), signature), "signature is invalid"),
        ("no signature", by_hand(&json!({"alg": "RS256", "kid": "1"}), ""), "signature is invalid"),
        ("a published secret", hmac("oct", shared), "signature algorithm"),
        ("a published secret without an algorithm", hmac("oct-without-alg", shared), "signature algorithm"),
        ("an embedded key", under(Header { jwk: Some(embedded.clone()), ..attacker.header() }), "signature is invalid"),
        ("an embedded key of another name", under(Header { jwk: Some(embedded), kid: Some("evil".into()), ..attacker.header() }), UNKNOWN),
        ("a key set of the attacker", under(Header { jku: Some(evil.url()), kid: Some("evil".into()), ..attacker.header() }), UNKNOWN),
        ("a certificate of the attacker", under(Header { x5u: Some(evil.url()), ..attacker.header() }), "signature is invalid"),
        ("an embedded certificate", under(Header { x5c: Some(vec!["AAAA".into()]), ..attacker.header() }), "signature is invalid"),
        ("no name of a key", under(Header { kid: None, ..attacker.header() }), "signature is invalid"),
        ("another issuer's key", retired.token(json!({})), UNKNOWN),
        ("a critical extension", of_key(Header { crit: Some(vec!["b64".into()]), ..key.header() }), "critical header"),
        ("no critical extension", of_key(Header { crit: Some(Vec::new()), ..key.header() }), "critical header"),
        ("a logout token", of_key(Header { typ: Some("logout+jwt".into()), ..key.header() }), "neither JWT nor at+jwt"),
        ("a type of no kind", of_key(Header { typ: Some(String::new()), ..key.header() }), "neither JWT nor at+jwt"),
        (
            "a key for another algorithm",
            for_ps256_only.token_under(&Header { alg: Algorithm::RS256, ..for_ps256_only.header() }, json!({})),
            "does not match its key",
        ),
        (
            "a key of another kind",
            for_encryption.token_under(&Header { kid: Some("1".into()), ..for_encryption.header() }, json!({})),
            "does not match its key",
        ),
        ("a key for encryption", for_encryption.token(json!({})), UNKNOWN),
        ("an algorithm that is not the issuer's", of_key(Header { alg: Algorithm::RS512, ..key.header() }), "not allowed for this issuer"),
        ("a huge token", key.token(json!({"padding": "x".repeat(16 * 1024)})), "longer than 16 KiB"),
    ];
    attacks.extend(key.public_bytes().iter().map(|public| ("the public key as a secret", hmac("1", public), "signature algorithm")));
    for (attack, token, reason) in attacks {
        let answer = call(&gateway, &token).await;
        assert_eq!(answer.status, 401, "{attack}");
        assert_refused(&answer, reason);
        // Not the second time either.
        assert_eq!(call(&gateway, &token).await.status, 401, "{attack}");
    }
    assert_eq!(evil.fetches(), 0, "nobody follows a token's addresses");
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "jwt", "application/JWT"] {
        call(&gateway, &of_key(Header { typ: Some(typ.into()), ..key.header() })).await.expect_success();
    }
    call(&gateway, &of_key(Header { typ: None, ..key.header() })).await.expect_success();
    call(&gateway, &of_key(Header { jku: Some(evil.url()), x5u: Some(evil.url()), ..key.header() })).await.expect_success();
}

/// The configuration of a gateway that trusts the keys at this address.
fn setup(url: &str, more: &str) -> ConfigDirectory {
    let setup = ConfigDirectory::new("http://127.0.0.1:1");
    setup.configure(|config| config.replace("hmac_secret_file = \"secret\"", &format!("jwks_url = \"{url}\"\n{more}")));
    setup
}

#[tokio::test]
async fn check_config_fetches_the_keys() {
    let (es, rs) = (SigningKey::new("1"), SigningKey::of("2", Algorithm::RS256));
    let provider = IdentityProvider::publishing(&[&es, &rs]);
    let check = |algorithms: &str| {
        let setup = setup(&provider.url(), &format!("algorithms = {algorithms}"));
        let output = run(&["check-config", "--config", &setup.config()]);
        (output.status.success(), String::from_utf8(output.stdout.clone()).expect("text") + &stderr(&output))
    };
    let (good, said) = check("[\"ES256\", \"RS256\"]");
    assert!(good && said.contains("issuer https://idp.example.ac.uk/: 2 keys"), "{said}");
    let (good, said) = check("[\"EdDSA\"]");
    assert!(!good && said.contains("auth.issuers.0.jwks_url: holds no key for the issuer's algorithms"), "{said}");
    provider.answer(http(404, "text/plain", b""));
    let (good, said) = check("[\"ES256\"]");
    assert!(!good && said.contains("auth.issuers.0.jwks_url: responds with status 404"), "{said}");
}

#[test]
fn settings_that_would_not_be_safe_are_problems() {
    let good = "algorithms = [\"RS256\"]";
    for (url, more, problem) in [
        ("http://idp.example.ac.uk/jwks", good, "jwks_url: must be https"),
        ("http://127.0.0.1.example.com/jwks", good, "jwks_url: must be https"),
        ("file:///etc/keys", good, "jwks_url: must be https"),
        ("idp.example.ac.uk", good, "jwks_url: must be an address"),
        ("https://me:secret@idp.example.ac.uk/jwks", good, "jwks_url: must not have a user name"),
        ("https://idp.example.ac.uk/jwks", "", "algorithms: is required with jwks_url"),
        (
            "https://idp.example.ac.uk/jwks",
            "algorithms = [\"RS256\", \"HS256\"]",
            "algorithms: HS256 is allowed with hmac_secret_file only",
        ),
        ("https://idp.example.ac.uk/jwks", "algorithms = [\"RS256\"]\npublic_key_file = \"x\"", "exactly one of jwks_url"),
        ("https://idp.example.ac.uk/jwks", "algorithms = [\"RS256\"]\njwks_cooldown_seconds = 0", "jwks_cooldown_seconds: must be 1 to"),
        ("https://idp.example.ac.uk/jwks", "algorithms = [\"RS256\"]\njwks_refresh_seconds = 90000", "jwks_refresh_seconds: must be 1 to"),
        ("https://idp.example.ac.uk/jwks", "algorithms = [\"RS256\"]\njwks_ca_certificate_file = \"x\"", "jwks_ca_certificate_file: "),
    ] {
        let output = run(&["check-config", "--config", &setup(url, more).config()]);
        let said = stderr(&output);
        assert!(!output.status.success() && said.contains("auth.issuers.0.") && said.contains(problem), "{problem}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let setup = ConfigDirectory::new("http://127.0.0.1:1");
    setup.configure(|config| config.replace("hmac_secret_file", "jwks_refresh_seconds = 5\nhmac_secret_file"));
    let said = stderr(&run(&["check-config", "--config", &setup.config()]));
    assert!(said.contains("jwks_refresh_seconds: is allowed with jwks_url only"), "{said}");
}

#[tokio::test]
async fn keys_are_fetched_over_tls_from_whom_is_trusted() {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let files = tempfile::tempdir().expect("a directory");
    let (certificate, key) = (files.path().join("idp.pem"), files.path().join("idp.key"));
    std::fs::write(&certificate, certified.cert.pem()).expect("written");
    std::fs::write(&key, certified.signing_key.serialize_pem()).expect("written");
    let tls = lrs_gateway::tls::server_config(&certificate, &key, None).expect("a server");
    let set = String::from_utf8(set_of(&[&SigningKey::new("1")])).expect("text");
    let provider = RunningServer::start(move || {
        let server = actix_web::HttpServer::new(move || {
            let set = set.clone();
            actix_web::App::new().default_service(actix_web::web::to(move || std::future::ready(set.clone())))
        });
        let server = server.workers(1).disable_signals().bind_rustls_0_23(ANY_PORT, tls)?;
        Ok((server.addrs()[0], server.run()))
    });
    let url = format!("https://{}/jwks", provider.address);
    let check = |more: &str| run(&["check-config", "--config", &setup(&url, &format!("algorithms = [\"ES256\"]\n{more}")).config()]);
    let trusted = check(&format!("jwks_ca_certificate_file = \"{}\"", certificate.display()));
    assert!(trusted.status.success(), "{}", stderr(&trusted));
    let said = stderr(&check(""));
    assert!(said.contains("auth.issuers.0.jwks_url: cannot be reached") && said.contains("UnknownIssuer"), "{said}");
}
