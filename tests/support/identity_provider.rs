//! An identity provider that publishes its keys, and does with them what a test wants.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use lrs_gateway::auth::{Issuer, IssuerKey, JwksClient, JwksSettings};
use lrs_gateway::lrs::http_client::HttpClientFactory;
use lrs_gateway::schema::Scalar as _;
use rcgen::KeyPair;
use serde_json::{Value, json};

use super::FakeServer;
use super::caller::{AUDIENCE, ISSUER, claims};
use super::fake_server::{Reply, http};
use super::gateway::claim_names;

/// A key that signs tokens.
pub struct SigningKey {
    pair: KeyPair,
    algorithm: Algorithm,
    signs: EncodingKey,
    /// How it is published.
    pub jwk: Value,
}

impl SigningKey {
    /// A new key for ES256, the quickest to make.
    pub fn new(kid: &str) -> Self {
        Self::of(kid, Algorithm::ES256)
    }

    /// A new key for this algorithm.
    pub fn of(kid: &str, algorithm: Algorithm) -> Self {
        let (make, read): (_, fn(&[u8]) -> _) = match algorithm {
            Algorithm::RS256 | Algorithm::PS256 => (&rcgen::PKCS_RSA_SHA256, EncodingKey::from_rsa_pem),
            Algorithm::ES256 => (&rcgen::PKCS_ECDSA_P256_SHA256, EncodingKey::from_ec_pem),
            _ => (&rcgen::PKCS_ED25519, EncodingKey::from_ed_pem),
        };
        let pair = KeyPair::generate_for(make).expect("a key");
        let signs = read(pair.serialize_pem().as_bytes()).expect("a key");
        let mut jwk = if algorithm == Algorithm::EdDSA {
            json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": URL_SAFE_NO_PAD.encode(pair.public_key_raw())})
        } else {
            serde_json::to_value(Jwk::from_encoding_key(&signs, algorithm).expect("a public key")).expect("JSON")
        };
        (jwk["kid"], jwk["use"]) = (json!(kid), json!("sig"));
        Self { pair, algorithm, signs, jwk }
    }

    /// Its public half, in PEM.
    pub fn public_pem(&self) -> String {
        self.pair.public_key_pem()
    }

    /// The header of its tokens.
    pub fn header(&self) -> Header {
        Header { kid: self.jwk["kid"].as_str().map(str::to_owned), ..Header::new(self.algorithm) }
    }

    /// A token with these changes to the usual claims.
    pub fn token(&self, changes: Value) -> String {
        self.token_under(&self.header(), changes)
    }

    /// A token with another header.
    pub fn token_under(&self, header: &Header, changes: Value) -> String {
        jsonwebtoken::encode(header, &claims(changes), &self.signs).expect("signs")
    }

    /// What everybody may know of it, in every form it is found in.
    pub fn public_bytes(&self) -> [Vec<u8>; 4] {
        let pem = self.pair.public_key_pem();
        [pem.trim().as_bytes().to_vec(), pem.into_bytes(), self.pair.public_key_raw().to_vec(), self.jwk.to_string().into_bytes()]
    }
}

/// What the provider does when it is asked for its keys.
#[derive(Clone)]
enum Mood {
    Answers(Vec<u8>),
    IsSlow(Duration, Vec<u8>),
    SaysNothing,
}

/// The provider, listening.
pub struct IdentityProvider {
    peer: FakeServer,
    mood: Arc<Mutex<Mood>>,
}

impl IdentityProvider {
    /// One that publishes these keys.
    pub fn publishing(keys: &[&SigningKey]) -> Self {
        Self::answering(http(200, "application/json", &set_of(keys)))
    }

    /// One that answers with these bytes.
    pub fn answering(bytes: Vec<u8>) -> Self {
        let mood = Arc::new(Mutex::new(Mood::Answers(bytes)));
        let present = Arc::clone(&mood);
        let peer = FakeServer::start(move |_| {
            let mood = present.lock().expect("no panic").clone();
            match mood {
                Mood::Answers(bytes) => Reply::Bytes(bytes),
                Mood::IsSlow(time, bytes) => {
                    std::thread::sleep(time);
                    Reply::Bytes(bytes)
                }
                Mood::SaysNothing => Reply::ThenSilence(Vec::new()),
            }
        });
        Self { peer, mood }
    }

    /// From now on it publishes these keys.
    pub fn publish(&self, keys: &[&SigningKey]) {
        self.answer(http(200, "application/json", &set_of(keys)));
    }

    /// From now on it publishes these keys, but takes its time.
    pub fn publish_slowly(&self, time: Duration, keys: &[&SigningKey]) {
        *self.mood.lock().expect("no panic") = Mood::IsSlow(time, http(200, "application/json", &set_of(keys)));
    }

    /// From now on it answers with these bytes.
    pub fn answer(&self, bytes: Vec<u8>) {
        *self.mood.lock().expect("no panic") = Mood::Answers(bytes);
    }

    /// From now on it takes connections and says nothing.
    pub fn say_nothing(&self) {
        *self.mood.lock().expect("no panic") = Mood::SaysNothing;
    }

    /// How often its keys were fetched.
    pub fn fetches(&self) -> usize {
        self.peer.received().len()
    }

    /// Waits until its keys have been fetched so often.
    pub async fn wait_for_fetches(&self, count: usize) {
        wait_until(|| self.fetches() >= count).await;
    }

    /// Waits until whoever fetches its keys in the background has those that it publishes now. Fetches follow one another: of three, the
    /// second began after this was asked, and is over when the third is seen.
    pub async fn wait_until_known(&self) {
        self.wait_for_fetches(self.fetches() + 3).await;
    }

    /// Where its keys are.
    pub fn url(&self) -> String {
        format!("{}/jwks", self.peer.url())
    }

    /// Where they are, with paces at which tests need not wait, but without fetches in the background.
    pub fn settings(&self) -> JwksSettings {
        JwksSettings {
            refresh_interval: Duration::from_secs(3600),
            cooldown: Duration::from_millis(100),
            timeout: Duration::from_secs(1),
            ..JwksSettings::for_url(self.url().parse().expect("an address"))
        }
    }

    /// The tests' issuer, with this provider's keys.
    pub fn issuer(&self) -> Issuer {
        issuer(ISSUER, self.settings())
    }
}

/// An issuer with a key set, for every algorithm but HS256.
pub fn issuer(name: &str, settings: JwksSettings) -> Issuer {
    let transport = HttpClientFactory::new(None, Duration::from_secs(1)).expect("the web's roots");
    let keys = JwksClient::new(settings, &transport).expect("a client");
    let algorithms = ["RS256", "PS256", "ES256", "EdDSA"].map(|name| lrs_gateway::auth::Algorithm::parse(name).expect("known"));
    Issuer::new(name, AUDIENCE, &algorithms, IssuerKey::from_jwks(keys), claim_names())
}

/// Keys as they are published.
pub fn set_of(keys: &[&SigningKey]) -> Vec<u8> {
    json!({"keys": keys.iter().map(|key| &key.jwk).collect::<Vec<_>>()}).to_string().into_bytes()
}

/// Waits until something is so, which must not take long.
pub async fn wait_until(so: impl Fn() -> bool) {
    let waiting = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it comes to that");
}
