//! An identity provider that publishes keys (JWKS), or responds slowly, wrongly or not at all.

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
    key_pair: KeyPair,
    algorithm: Algorithm,
    encoding_key: EncodingKey,
    /// The public key as a JWK.
    pub jwk: Value,
}

impl SigningKey {
    /// Creates a key for ES256, the algorithm whose keys are created fastest.
    pub fn new(kid: &str) -> Self {
        Self::with_algorithm(kid, Algorithm::ES256)
    }

    /// Creates a key for this algorithm.
    pub fn with_algorithm(kid: &str, algorithm: Algorithm) -> Self {
        let (key_algorithm, parse_pem): (_, fn(&[u8]) -> _) = match algorithm {
            Algorithm::RS256 | Algorithm::PS256 => (&rcgen::PKCS_RSA_SHA256, EncodingKey::from_rsa_pem),
            Algorithm::ES256 => (&rcgen::PKCS_ECDSA_P256_SHA256, EncodingKey::from_ec_pem),
            _ => (&rcgen::PKCS_ED25519, EncodingKey::from_ed_pem),
        };
        let key_pair = KeyPair::generate_for(key_algorithm).expect("a key is created");
        let encoding_key = parse_pem(key_pair.serialize_pem().as_bytes()).expect("the key is valid");
        let mut jwk = if algorithm == Algorithm::EdDSA {
            json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": URL_SAFE_NO_PAD.encode(key_pair.public_key_raw())})
        } else {
            let jwk = Jwk::from_encoding_key(&encoding_key, algorithm).expect("the key has a public key");
            serde_json::to_value(jwk).expect("a JWK is JSON")
        };
        (jwk["kid"], jwk["use"]) = (json!(kid), json!("sig"));
        Self { key_pair, algorithm, encoding_key, jwk }
    }

    /// Returns the public key in PEM.
    pub fn public_pem(&self) -> String {
        self.key_pair.public_key_pem()
    }

    /// Returns the header of the tokens that the key signs.
    pub fn header(&self) -> Header {
        Header { kid: self.jwk["kid"].as_str().map(str::to_owned), ..Header::new(self.algorithm) }
    }

    /// Returns a token with these changes to the usual claims.
    pub fn token(&self, changes: Value) -> String {
        self.token_with_header(&self.header(), changes)
    }

    /// Returns a token with this header and these changes to the usual claims.
    pub fn token_with_header(&self, header: &Header, changes: Value) -> String {
        jsonwebtoken::encode(header, &claims(changes), &self.encoding_key).expect("the token is signed")
    }

    /// Returns the public key in every common encoding.
    pub fn public_key_encodings(&self) -> [Vec<u8>; 4] {
        let pem = self.key_pair.public_key_pem();
        [pem.trim().as_bytes().to_vec(), pem.into_bytes(), self.key_pair.public_key_raw().to_vec(), self.jwk.to_string().into_bytes()]
    }
}

/// The reaction to a request for the keys.
#[derive(Clone)]
enum Behaviour {
    Respond(Vec<u8>),
    RespondAfter(Duration, Vec<u8>),
    DoNotRespond,
}

/// A running identity provider.
pub struct IdentityProvider {
    server: FakeServer,
    behaviour: Arc<Mutex<Behaviour>>,
}

impl IdentityProvider {
    /// Starts a provider that publishes these keys.
    pub fn publishing(keys: &[&SigningKey]) -> Self {
        Self::responding_with(http(200, "application/json", &key_set_json(keys)))
    }

    /// Starts a provider that responds with these bytes.
    pub fn responding_with(bytes: Vec<u8>) -> Self {
        let behaviour = Arc::new(Mutex::new(Behaviour::Respond(bytes)));
        let current = Arc::clone(&behaviour);
        let server = FakeServer::start(move |_| {
            let behaviour = current.lock().expect("no thread panicked").clone();
            match behaviour {
                Behaviour::Respond(bytes) => Reply::Bytes(bytes),
                Behaviour::RespondAfter(delay, bytes) => {
                    std::thread::sleep(delay);
                    Reply::Bytes(bytes)
                }
                Behaviour::DoNotRespond => Reply::ThenSilence(Vec::new()),
            }
        });
        Self { server, behaviour }
    }

    /// Publishes these keys from now on.
    pub fn publish(&self, keys: &[&SigningKey]) {
        self.respond_with(http(200, "application/json", &key_set_json(keys)));
    }

    /// Publishes these keys from now on, and delays each response.
    pub fn publish_slowly(&self, delay: Duration, keys: &[&SigningKey]) {
        self.set_behaviour(Behaviour::RespondAfter(delay, http(200, "application/json", &key_set_json(keys))));
    }

    /// Responds with these bytes from now on.
    pub fn respond_with(&self, bytes: Vec<u8>) {
        self.set_behaviour(Behaviour::Respond(bytes));
    }

    /// Accepts connections from now on, but does not respond.
    pub fn stop_responding(&self) {
        self.set_behaviour(Behaviour::DoNotRespond);
    }

    fn set_behaviour(&self, behaviour: Behaviour) {
        *self.behaviour.lock().expect("no thread panicked") = behaviour;
    }

    /// Returns the number of requests for the keys.
    pub fn fetches(&self) -> usize {
        self.server.received().len()
    }

    /// Waits until the keys were requested at least `count` times.
    pub async fn wait_for_fetches(&self, count: usize) {
        super::wait_until(|| self.fetches() >= count, || format!("{count} requests for the keys, received {}", self.fetches())).await;
    }

    /// Waits until a client that refreshes its keys periodically has the keys that are published now.
    ///
    /// The client sends its requests one after the other. Of the next three, the second starts after this call and is complete when the
    /// third arrives.
    pub async fn wait_for_refresh(&self) {
        self.wait_for_fetches(self.fetches() + 3).await;
    }

    /// Returns the URL of the keys.
    pub fn url(&self) -> String {
        format!("{}/jwks", self.server.url())
    }

    /// Returns settings for these keys with short intervals, but without periodic refreshes.
    pub fn settings(&self) -> JwksSettings {
        JwksSettings {
            refresh_interval: Duration::from_secs(3600),
            cooldown: Duration::from_millis(100),
            timeout: Duration::from_secs(1),
            ..JwksSettings::for_url(self.url().parse().expect("the URL is valid"))
        }
    }

    /// Returns the tests' issuer with this provider's keys.
    pub fn issuer(&self) -> Issuer {
        issuer(ISSUER, self.settings())
    }
}

/// Returns an issuer with a key set, for every algorithm except HS256.
pub fn issuer(name: &str, settings: JwksSettings) -> Issuer {
    let http_clients = HttpClientFactory::new(None, Duration::from_secs(1)).expect("the web's root certificates are available");
    let keys = JwksClient::new(settings, &http_clients).expect("the client is created");
    let algorithms =
        ["RS256", "PS256", "ES256", "EdDSA"].map(|name| lrs_gateway::auth::Algorithm::parse(name).expect("the algorithm is supported"));
    Issuer::new(name, AUDIENCE, &algorithms, IssuerKey::from_jwks(keys), claim_names())
}

/// Returns these keys as a JSON Web Key Set.
pub fn key_set_json(keys: &[&SigningKey]) -> Vec<u8> {
    json!({"keys": keys.iter().map(|key| &key.jwk).collect::<Vec<_>>()}).to_string().into_bytes()
}
