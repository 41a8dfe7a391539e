//! Published keys (RFC 7517): what is taken from a key set, and which of its keys a token is verified with.

use std::num::NonZeroU8;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Most keys of a set.
const MOST_KEYS: usize = 100;
/// Fewest and most bits of an RSA key: what RFC 7518 (3.3) asks for, and what the cryptography takes.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The keys of a set that can verify tokens.
#[derive(Debug, PartialEq, Eq)]
pub struct Jwks(Vec<PublishedKey>);

/// Why no key of a set is the one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySelectionError {
    /// There is none of that name; one may have been published since.
    Unknown,
    /// There is, but it is not for the token's algorithm.
    OtherAlgorithm,
    /// There are several, and nobody could say which one vouches for the token.
    Several,
}

impl Jwks {
    /// Reads a key set. Keys that cannot verify tokens are left out: those for encryption, secrets, those of unknown kinds, weak ones,
    /// and those whose private half is published beside them.
    ///
    /// # Errors
    /// When it is no key set, or a very large one.
    pub fn read(json: &[u8]) -> Result<Self, &'static str> {
        let KeySetBody { keys } = serde_json::from_slice(json).map_err(|_| "is not a JSON Web Key Set")?;
        if keys.len() > MOST_KEYS {
            return Err("has more than 100 keys");
        }
        let published = keys.len();
        // Each by itself: what is wrong with one key must not take the others away (RFC 7517, 5).
        let keys: Vec<_> = keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok()?.usable()).collect();
        tracing::debug!(published, usable = keys.len(), "a key set was read");
        Ok(Self(keys))
    }

    /// Is there none that can be used?
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are for at least one of these algorithms.
    pub fn count(&self, algorithms: &[Algorithm]) -> usize {
        self.0.iter().filter(|key| algorithms.iter().any(|algorithm| key.is_for(*algorithm))).count()
    }

    /// The key of this name, or of any name when the token gives none. It must be the only one for this algorithm: of two keys that are
    /// equally good, neither is.
    ///
    /// # Errors
    /// [`NoKey`]
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&DecodingKey, KeySelectionError> {
        let named = || self.0.iter().filter(|key| kid.is_none() || key.jwk.kid.as_deref() == kid);
        let mut fitting = named().filter(|key| key.is_for(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(&key.verifies),
            (Some(_), Some(_)) => Err(KeySelectionError::Several),
            (None, _) if kid.is_some() && named().next().is_some() => Err(KeySelectionError::OtherAlgorithm),
            (None, _) => Err(KeySelectionError::Unknown),
        }
    }
}

#[derive(Debug)]
struct PublishedKey {
    jwk: Jwk,
    verifies: DecodingKey,
    /// The only algorithm it is for, if the set says so.
    only: Option<Algorithm>,
}

/// Keys are the same if the set says the same of them.
impl PartialEq for PublishedKey {
    fn eq(&self, other: &Self) -> bool {
        self.jwk == other.jwk
    }
}

impl Eq for PublishedKey {}

impl PublishedKey {
    fn is_for(&self, algorithm: Algorithm) -> bool {
        self.verifies.family() == algorithm.family() && self.only.is_none_or(|only| only == algorithm)
    }
}

#[derive(Deserialize)]
struct KeySetBody {
    keys: Vec<serde_json::Value>,
}

/// A key as it is published, as far as it matters here. Certificates (`x5c`, `x5u`) do not: the set vouches for its keys.
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

impl Jwk {
    fn usable(self) -> Option<PublishedKey> {
        let verifies = self.r#use.as_ref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
        if !verifies || self.d.is_some() {
            return None;
        }
        // One that the gateway does not know is in nobody's list of algorithms: such a key verifies nothing.
        let only = self.alg.as_deref().map(|name| name.parse::<Algorithm>().ok()).map_or(Some(None), |known| known.map(Some))?;
        let verifies = self.key()?;
        if only.is_some_and(|only| only.family() != verifies.family()) || verifies.family() == AlgorithmFamily::Hmac {
            return None;
        }
        Some(PublishedKey { jwk: self, verifies, only })
    }

    /// Its numbers, if they are those of a key of a kind that the gateway takes.
    fn key(&self) -> Option<DecodingKey> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => {
                let (modulus, exponent) = (number(self.n.as_ref()?)?, number(self.e.as_ref()?)?);
                RSA_BITS.contains(&bits(&modulus)).then(|| DecodingKey::from_rsa_raw_components(&modulus, &exponent))
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (coordinate(self.x.as_ref()?)?, coordinate(self.y.as_ref()?)?);
                // The point, uncompressed (SEC 1, 2.3.3).
                Some(DecodingKey::from_ec_der(&[&[4], x.as_slice(), y.as_slice()].concat()))
            }
            ("OKP", Some("Ed25519")) => Some(DecodingKey::from_ed_der(&coordinate(self.x.as_ref()?)?)),
            _ => None,
        }
    }
}

/// A number without the zeros in front that some write.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    Some(bytes.into_iter().skip_while(|byte| *byte == 0).collect())
}

fn bits(number: &[u8]) -> usize {
    let unused = number.first().copied().and_then(NonZeroU8::new).map_or(0, |first| first.leading_zeros() as usize);
    number.len() * 8 - unused
}

fn coordinate(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == 32)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Any 32 bytes do for Ed25519, and any 256 for RSA: nothing is verified here.
    fn ed(changes: &Value) -> Value {
        laid_over(json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode([7; 32]), "kid": "1"}), changes)
    }

    fn rsa(bytes: usize, changes: &Value) -> Value {
        laid_over(json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode(vec![0xff; bytes]), "e": "AQAB", "kid": "1"}), changes)
    }

    fn laid_over(mut key: Value, changes: &Value) -> Value {
        for (name, value) in changes.as_object().expect("an object") {
            key[name] = value.clone();
        }
        key
    }

    fn keys(keys: &[Value]) -> Jwks {
        Jwks::read(json!({ "keys": keys }).to_string().as_bytes()).expect("a key set")
    }

    #[test]
    fn only_keys_that_verify_signatures_are_taken() {
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
            ed(&json!({"kty": "okp"})),
            ed(&json!({"use": "enc"})),
            ed(&json!({"use": 1})),
            ed(&json!({"key_ops": []})),
            ed(&json!({"key_ops": ["sign"]})),
            ed(&json!({"alg": "ES256"})),
            ed(&json!({"alg": "HS256"})),
            ed(&json!({"alg": "none"})),
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
            assert_eq!(keys(&[bad.clone(), ed(&json!({}))]).0.len(), 1, "it takes no other with it: {bad}");
        }
    }

    #[test]
    fn what_is_no_key_set_is_none() {
        for body in ["", "{}", "[]", "{\"keys\": {}}", "<html>", "{\"keys\": [}"] {
            assert_eq!(Jwks::read(body.as_bytes()), Err("is not a JSON Web Key Set"), "{body}");
        }
        let many = |count: usize| json!({"keys": vec![ed(&json!({})); count]}).to_string();
        assert_eq!(Jwks::read(many(101).as_bytes()), Err("has more than 100 keys"));
        assert!(Jwks::read(many(100).as_bytes()).is_ok());
    }

    #[test]
    fn exactly_one_key_must_fit() {
        let found = |set: &Jwks, kid: Option<&str>, algorithm| set.find(kid, algorithm).map(DecodingKey::family);
        let set = keys(&[ed(&json!({})), rsa(256, &json!({"kid": "2"})), rsa(256, &json!({"kid": "3", "alg": "PS256"}))]);
        assert_eq!(found(&set, Some("1"), Algorithm::EdDSA), Ok(AlgorithmFamily::Ed));
        assert_eq!(found(&set, None, Algorithm::EdDSA), Ok(AlgorithmFamily::Ed), "the only one of its kind");
        assert_eq!(found(&set, None, Algorithm::RS256), Ok(AlgorithmFamily::Rsa), "the other is for PS256 only");
        assert_eq!(found(&set, None, Algorithm::PS256), Err(KeySelectionError::Several));
        assert_eq!(found(&set, Some("3"), Algorithm::RS256), Err(KeySelectionError::OtherAlgorithm));
        assert_eq!(found(&set, Some("1"), Algorithm::HS256), Err(KeySelectionError::OtherAlgorithm));
        assert_eq!(found(&set, Some("4"), Algorithm::RS256), Err(KeySelectionError::Unknown));
        assert_eq!(found(&set, None, Algorithm::ES256), Err(KeySelectionError::Unknown));

        let twice = keys(&[ed(&json!({})), ed(&json!({"x": URL_SAFE_NO_PAD.encode([8; 32])})), rsa(256, &json!({}))]);
        assert_eq!(found(&twice, Some("1"), Algorithm::EdDSA), Err(KeySelectionError::Several), "two of one name: neither");
        assert_eq!(found(&twice, Some("1"), Algorithm::RS256), Ok(AlgorithmFamily::Rsa), "the name may stand at keys of several kinds");
        let unnamed = keys(&[ed(&json!({"kid": null}))]);
        assert_eq!(found(&unnamed, Some("1"), Algorithm::EdDSA), Err(KeySelectionError::Unknown), "a key without a name has no name");
    }
}
