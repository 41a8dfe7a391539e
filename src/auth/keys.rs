//! What issuers sign with: algorithms and keys.

use std::sync::Arc;

use jsonwebtoken::{DecodingKey, EncodingKey, Header};

use crate::auth::claims::Claims;
use crate::auth::jwks::JwksClient;
use crate::schema::{Constraints, InvalidValue, Scalar};

/// A signature algorithm the gateway accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Algorithm(pub(super) jsonwebtoken::Algorithm);

impl Algorithm {
    /// HMAC with SHA-256: for development, and issuers that share a secret with the gateway.
    pub const HS256: Self = Self(jsonwebtoken::Algorithm::HS256);
}

impl Scalar for Algorithm {
    const CONSTRAINTS: Constraints = Constraints::new("A signature algorithm.", "RS256");

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        Ok(Self(match text {
            "RS256" => jsonwebtoken::Algorithm::RS256,
            "PS256" => jsonwebtoken::Algorithm::PS256,
            "ES256" => jsonwebtoken::Algorithm::ES256,
            "EdDSA" => jsonwebtoken::Algorithm::EdDSA,
            "HS256" => jsonwebtoken::Algorithm::HS256,
            _ => return Err(InvalidValue::new("unknown_value", "must be one of RS256, PS256, ES256, EdDSA, HS256")),
        }))
    }

    fn text(&self) -> std::borrow::Cow<'_, str> {
        format!("{:?}", self.0).into()
    }
}

/// What an issuer signs with, as far as the gateway may know it.
#[derive(Clone)]
pub struct IssuerKey(pub(super) Kind);

/// Where the key comes from.
#[derive(Clone)]
pub(super) enum Kind {
    /// It was given to the gateway, and stays.
    Given(DecodingKey),
    /// The issuer publishes it, and changes it when it likes.
    Published(Arc<JwksClient>),
}

impl IssuerKey {
    /// A public key in PEM, for all of these algorithms.
    ///
    /// # Errors
    /// When there is no such key, or it cannot be used with one of the algorithms.
    pub fn from_public_pem(pem: &[u8], algorithms: &[Algorithm]) -> Result<Self, String> {
        if algorithms.contains(&Algorithm::HS256) {
            return Err("HS256 needs hmac_secret_file: a public key is no secret".into());
        }
        if String::from_utf8_lossy(pem).contains("PRIVATE KEY") {
            return Err("holds a private key: give the gateway the public key only".into());
        }
        let key = [DecodingKey::from_rsa_pem, DecodingKey::from_ec_pem, DecodingKey::from_ed_pem]
            .into_iter()
            .find_map(|read| read(pem).ok())
            .ok_or("holds no RSA, EC or Ed25519 public key in PEM")?;
        match algorithms.iter().find(|algorithm| algorithm.0.family() != key.family()) {
            Some(wrong) => Err(format!("holds a key that cannot be used with {}", wrong.text())),
            None => Ok(Self(Kind::Given(key))),
        }
    }

    /// A secret shared with the issuer.
    ///
    /// # Errors
    /// When it is shorter than 32 bytes (RFC 7518, 3.2).
    pub fn from_secret(secret: &[u8]) -> Result<Self, String> {
        if secret.len() < 32 {
            return Err("holds fewer than 32 bytes: make a secret with `openssl rand -hex 32`".into());
        }
        Ok(Self(Kind::Given(DecodingKey::from_secret(secret))))
    }

    /// The keys that the issuer publishes.
    pub fn published(keys: JwksClient) -> Self {
        Self(Kind::Published(Arc::new(keys)))
    }
}

impl std::fmt::Debug for IssuerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[key]")
    }
}

/// Signs a development token with a shared secret.
///
/// # Errors
/// When signing fails.
pub fn mint(secret: &[u8], claims: &Claims) -> Result<String, String> {
    jsonwebtoken::encode(&Header::new(Algorithm::HS256.0), claims, &EncodingKey::from_secret(secret)).map_err(|error| error.to_string())
}
