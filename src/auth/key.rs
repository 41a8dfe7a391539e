//! The key that verifies an issuer's tokens.

use std::fmt;
use std::sync::Arc;

use jsonwebtoken::DecodingKey;

use crate::auth::algorithm::Algorithm;
use crate::auth::jwks::JwksClient;
use crate::schema::Scalar as _;

/// Minimum length of an HMAC secret, in bytes (RFC 7518, 3.2).
const MIN_SECRET_BYTES: usize = 32;

/// The key, or the set of keys, that verifies an issuer's tokens.
#[derive(Clone)]
pub struct IssuerKey(pub(super) KeySource);

/// The source of a key.
#[derive(Clone)]
pub(super) enum KeySource {
    /// A configured key. It never changes.
    Configured(DecodingKey),
    /// A JSON Web Key Set. The issuer may change it at any time.
    Jwks(Arc<JwksClient>),
}

impl IssuerKey {
    /// Reads a public key in PEM that is for all of these algorithms.
    ///
    /// # Errors
    /// Returns a message if the PEM holds no public key, or a key that does not work with one of the algorithms.
    pub fn from_public_pem(pem: &[u8], algorithms: &[Algorithm]) -> Result<Self, String> {
        if algorithms.contains(&Algorithm::HS256) {
            return Err("HS256 needs hmac_secret_file: a public key is not a secret".into());
        }
        if String::from_utf8_lossy(pem).contains("PRIVATE KEY") {
            return Err("holds a private key: give the gateway only the public key".into());
        }
        let key = [DecodingKey::from_rsa_pem, DecodingKey::from_ec_pem, DecodingKey::from_ed_pem]
            .into_iter()
            .find_map(|read| read(pem).ok())
            .ok_or("holds no RSA, EC or Ed25519 public key in PEM")?;
        match algorithms.iter().find(|algorithm| algorithm.0.family() != key.family()) {
            Some(mismatch) => Err(format!("holds a key that does not work with {}", mismatch.text())),
            None => Ok(Self(KeySource::Configured(key))),
        }
    }

    /// Creates the key of an issuer that shares a secret with the gateway.
    ///
    /// # Errors
    /// Returns a message if the secret is shorter than 32 bytes.
    pub fn from_hmac_secret(secret: &[u8]) -> Result<Self, String> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(format!("holds fewer than {MIN_SECRET_BYTES} bytes: create a secret with `openssl rand -hex 32`"));
        }
        Ok(Self(KeySource::Configured(DecodingKey::from_secret(secret))))
    }

    /// Creates the key of an issuer that publishes a key set.
    pub fn from_jwks(client: JwksClient) -> Self {
        Self(KeySource::Jwks(Arc::new(client)))
    }
}

/// Omits the key, which can be a secret.
impl fmt::Debug for IssuerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}
