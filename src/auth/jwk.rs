//! JSON Web Key Sets (RFC 7517): reading a set, and selecting the key of a token.

use std::num::NonZeroU8;
use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::auth::Algorithm as AcceptedAlgorithm;
use crate::schema::Scalar as _;

/// Maximum number of keys in a set.
const MAX_KEYS: usize = 100;
/// Accepted sizes of RSA keys, in bits: the minimum of RFC 7518 (3.3), and the maximum of the cryptographic library.
const RSA_KEY_BITS: RangeInclusive<usize> = 2048..=8192;

/// The keys of a set that can verify tokens.
#[derive(Debug, PartialEq, Eq)]
pub struct Jwks(Vec<VerificationKey>);

/// The reason why a set has no key for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySelectionError {
    /// No key has the token's key id. It may have been published after the set was fetched.
    Unknown,
    /// The key with the token's key id is for another algorithm.
    AlgorithmMismatch,
    /// More than one key matches the token.
    Ambiguous,
}

impl Jwks {
    /// Parses a key set. Keys that cannot verify tokens are skipped: keys for encryption, secrets, unknown kinds, weak keys, and keys
    /// published with their private half.
    ///
    /// # Errors
    /// Returns a message if the document is not a key set, or has more than 100 keys.
    pub fn parse(json: &[u8]) -> Result<Self, &'static str> {
        const NOT_A_KEY_SET: &str = "is not a JSON Web Key Set";
        // Serde also reads a list as a structure, with the fields by position: `[[]]` as a set without keys.
        if !json.trim_ascii_start().starts_with(b"{") {
            return Err(NOT_A_KEY_SET);
        }
        let KeySetDocument { keys } = serde_json::from_slice(json).map_err(|_| NOT_A_KEY_SET)?;
        if keys.len() > MAX_KEYS {
            return Err("has more than 100 keys");
        }
        let published = keys.len();
        // Each key is parsed on its own, so that one bad key does not invalidate the others (RFC 7517, 5).
        let keys: Vec<_> = keys.into_iter().filter_map(verification_key).collect();
        tracing::debug!(published, usable = keys.len(), "key set parsed");
        Ok(Self(keys))
    }

    /// Returns `true` if the set has no key that can verify tokens.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of keys for at least one of these algorithms.
    pub fn count(&self, algorithms: &[Algorithm]) -> usize {
        self.0.iter().filter(|key| algorithms.iter().any(|algorithm| key.is_for(*algorithm))).count()
    }

    /// Returns the key with this id, or of any id if the token has none. It must be the only match for the algorithm: the gateway does not
    /// choose between keys.
    ///
    /// # Errors
    /// Returns a [`KeySelectionError`] if not exactly one key matches.
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&DecodingKey, KeySelectionError> {
        let with_id = || self.0.iter().filter(|key| kid.is_none() || key.jwk.kid.as_deref() == kid);
        let mut matches = with_id().filter(|key| key.is_for(algorithm));
        match (matches.next(), matches.next()) {
            (Some(key), None) => Ok(&key.key),
            (Some(_), Some(_)) => Err(KeySelectionError::Ambiguous),
            (None, _) if kid.is_some() && with_id().next().is_some() => Err(KeySelectionError::AlgorithmMismatch),
            (None, _) => Err(KeySelectionError::Unknown),
        }
    }
}

/// A key that can verify tokens.
#[derive(Debug)]
struct VerificationKey {
    jwk: Jwk,
    key: DecodingKey,
    /// The only algorithm the key is for, if the set states one.
    algorithm: Option<Algorithm>,
}

/// Keys are equal if their JWKs are.
impl PartialEq for VerificationKey {
    fn eq(&self, other: &Self) -> bool {
        self.jwk == other.jwk
    }
}

impl Eq for VerificationKey {}

impl VerificationKey {
    fn is_for(&self, algorithm: Algorithm) -> bool {
        self.key.family() == algorithm.family() && self.algorithm.is_none_or(|only| only == algorithm)
    }
}

#[derive(Deserialize)]
struct KeySetDocument {
    keys: Vec<serde_json::Value>,
}

/// The parameters of a published key that the gateway uses. It ignores certificates (`x5c`, `x5u`): the set is what it trusts.
#[derive(Debug, PartialEq, Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    /// The private half.
    d: Option<IgnoredAny>,
}

/// Returns a published key if it can verify tokens.
fn verification_key(key: serde_json::Value) -> Option<VerificationKey> {
    if !key.is_object() {
        return None;
    }
    serde_json::from_value::<Jwk>(key).ok()?.into_verification_key()
}

impl Jwk {
    fn into_verification_key(self) -> Option<VerificationKey> {
        let verifies = self.r#use.as_ref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
        if !verifies || self.d.is_some() {
            return None;
        }
        // No issuer is configured with an algorithm that the gateway does not accept, so a key for one verifies nothing.
        let algorithm = match self.alg.as_deref() {
            Some(name) => Some(AcceptedAlgorithm::parse(name).ok()?.0),
            None => None,
        };
        let key = self.decoding_key()?;
        if algorithm.is_some_and(|algorithm| algorithm.family() != key.family()) || key.family() == AlgorithmFamily::Hmac {
            return None;
        }
        Some(VerificationKey { jwk: self, key, algorithm })
    }

    /// Returns the key if it is of a supported kind and its parameters are valid.
    fn decoding_key(&self) -> Option<DecodingKey> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => {
                let (modulus, exponent) = (unsigned_integer(self.n.as_ref()?)?, unsigned_integer(self.e.as_ref()?)?);
                RSA_KEY_BITS.contains(&bit_length(&modulus)).then(|| DecodingKey::from_rsa_raw_components(&modulus, &exponent))
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (coordinate(self.x.as_ref()?)?, coordinate(self.y.as_ref()?)?);
                // An uncompressed point (SEC 1, 2.3.3).
                Some(DecodingKey::from_ec_der(&[&[4], x.as_slice(), y.as_slice()].concat()))
            }
            ("OKP", Some("Ed25519")) => Some(DecodingKey::from_ed_der(&coordinate(self.x.as_ref()?)?)),
            _ => None,
        }
    }
}

/// Decodes an unsigned big-endian integer, without the leading zeros that some issuers write.
fn unsigned_integer(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    Some(bytes.into_iter().skip_while(|byte| *byte == 0).collect())
}

fn bit_length(integer: &[u8]) -> usize {
    let unused_bits = integer.first().copied().and_then(NonZeroU8::new).map_or(0, |first| first.leading_zeros() as usize);
    integer.len() * 8 - unused_bits
}

/// Decodes a coordinate of 32 bytes.
fn coordinate(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == 32)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// An Ed25519 key. Any 32 bytes are valid, and any 256 for RSA: these tests verify no signature.
    fn ed(changes: &Value) -> Value {
        with_changes(json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode([7; 32]), "kid": "1"}), changes)
    }

    fn rsa(bytes: usize, changes: &Value) -> Value {
        with_changes(json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode(vec![0xff; bytes]), "e": "AQAB", "kid": "1"}), changes)
    }

    fn with_changes(mut key: Value, changes: &Value) -> Value {
        for (name, value) in changes.as_object().expect("an object") {
            key[name] = value.clone();
        }
        key
    }

    fn keys(keys: &[Value]) -> Jwks {
        Jwks::parse(json!({ "keys": keys }).to_string().as_bytes()).expect("a key set")
    }

    #[test]
    fn jwks_keys_that_cannot_verify_signatures_are_skipped() {
        for good in [
            ed(&json!({})),
            ed(&json!({"use": "sig", "key_ops": ["sign", "verify"], "alg": "EdDSA"})),
            ed(&json!({"kid": null, "use": null, "alg": null})),
            ed(&json!({"x5c": "nonsense"})),
            rsa(256, &json!({"alg": "PS256"})),
            rsa(512, &json!({})),
        ] {
            assert_eq!(keys(std::slice::from_ref(&good)).0.len(), 1, "{good}");
        }
        for bad in [
            json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode([7; 32]), "kid": "1"}),
            json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode([7; 32]), "alg": "HS256"}),
            json!({"kty": "RSA"}),
            json!({"kid": "1"}),
            json!("key"),
            // The parameters by position, not by name.
            json!(["OKP", "1", null, null, null, "Ed25519", null, null, URL_SAFE_NO_PAD.encode([7; 32]), null, null]),
            ed(&json!({"kty": "okp"})),
            ed(&json!({"use": "enc"})),
            ed(&json!({"use": 1})),
            ed(&json!({"key_ops": []})),
            ed(&json!({"key_ops": ["sign"]})),
            ed(&json!({"alg": "ES256"})),
            ed(&json!({"alg": "HS256"})),
            ed(&json!({"alg": "none"})),
            rsa(256, &json!({"alg": "PS512"})),
            ed(&json!({"crv": "Ed448"})),
            ed(&json!({"x": "AAAA"})),
            ed(&json!({"x": "not base64!"})),
            ed(&json!({"d": "AAAA"})),
            rsa(255, &json!({})),
            rsa(255, &json!({"n": URL_SAFE_NO_PAD.encode([vec![0; 16], vec![0xff; 255]].concat())})),
            rsa(256, &json!({"n": URL_SAFE_NO_PAD.encode([vec![0x7f], vec![0xff; 255]].concat())})),
            rsa(2048, &json!({})),
            rsa(256, &json!({"alg": "RSA-OAEP"})),
            json!({"kty": "EC", "crv": "P-384", "x": URL_SAFE_NO_PAD.encode([7; 48]), "y": URL_SAFE_NO_PAD.encode([7; 48])}),
            json!({"kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode([7; 31]), "y": URL_SAFE_NO_PAD.encode([7; 33])}),
        ] {
            assert_eq!(keys(std::slice::from_ref(&bad)).0.len(), 0, "{bad}");
            assert_eq!(keys(&[bad.clone(), ed(&json!({}))]).0.len(), 1, "other keys stay: {bad}");
        }
    }

    #[test]
    fn jwks_document_invalid_is_rejected() {
        for body in ["", "{}", "[]", "[[]]", "{\"keys\": {}}", "<html>", "{\"keys\": [}"] {
            assert_eq!(Jwks::parse(body.as_bytes()), Err("is not a JSON Web Key Set"), "{body}");
        }
        let many = |count: usize| json!({"keys": vec![ed(&json!({})); count]}).to_string();
        assert_eq!(Jwks::parse(many(101).as_bytes()), Err("has more than 100 keys"));
        assert!(Jwks::parse(many(100).as_bytes()).is_ok());
    }

    #[test]
    fn jwks_key_selection_requires_exactly_one_match() {
        let found = |set: &Jwks, kid: Option<&str>, algorithm| set.find(kid, algorithm).map(DecodingKey::family);
        let set = keys(&[ed(&json!({})), rsa(256, &json!({"kid": "2"})), rsa(256, &json!({"kid": "3", "alg": "PS256"}))]);
        assert_eq!(found(&set, Some("1"), Algorithm::EdDSA), Ok(AlgorithmFamily::Ed));
        assert_eq!(found(&set, None, Algorithm::EdDSA), Ok(AlgorithmFamily::Ed), "the only key of its kind");
        assert_eq!(found(&set, None, Algorithm::RS256), Ok(AlgorithmFamily::Rsa), "the other key is for PS256 only");
        assert_eq!(found(&set, None, Algorithm::PS256), Err(KeySelectionError::Ambiguous));
        assert_eq!(found(&set, Some("3"), Algorithm::RS256), Err(KeySelectionError::AlgorithmMismatch));
        assert_eq!(found(&set, Some("1"), Algorithm::HS256), Err(KeySelectionError::AlgorithmMismatch));
        assert_eq!(found(&set, Some("4"), Algorithm::RS256), Err(KeySelectionError::Unknown));
        assert_eq!(found(&set, None, Algorithm::ES256), Err(KeySelectionError::Unknown));

        let same_id = keys(&[ed(&json!({})), ed(&json!({"x": URL_SAFE_NO_PAD.encode([8; 32])})), rsa(256, &json!({}))]);
        assert_eq!(found(&same_id, Some("1"), Algorithm::EdDSA), Err(KeySelectionError::Ambiguous), "two keys with the same id");
        assert_eq!(found(&same_id, Some("1"), Algorithm::RS256), Ok(AlgorithmFamily::Rsa), "keys of different kinds may share an id");
        let without_id = keys(&[ed(&json!({"kid": null}))]);
        assert_eq!(found(&without_id, Some("1"), Algorithm::EdDSA), Err(KeySelectionError::Unknown), "a key without an id matches no id");
    }
}
