//! Issuers of tokens, their keys, and the verification of tokens (RFC 7519, 8725).
//!
//! The key decides which algorithms are allowed, never the token: a public key cannot be used as an HMAC secret, and
//! `alg: none` is no algorithm at all.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, dangerous};
use serde::Deserialize;

use super::claims::{ClaimNames, Claims};
use crate::form::{Invalid, Rule, Value};

/// A signature algorithm the gateway accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Algorithm(jsonwebtoken::Algorithm);

impl Algorithm {
    /// HMAC with SHA-256: for development, and issuers that share a secret with the gateway.
    pub const HS256: Self = Self(jsonwebtoken::Algorithm::HS256);
}

impl Value for Algorithm {
    const RULE: Rule = Rule::new("A signature algorithm.", "RS256");

    fn parse(text: &str) -> Result<Self, Invalid> {
        Ok(Self(match text {
            "RS256" => jsonwebtoken::Algorithm::RS256,
            "PS256" => jsonwebtoken::Algorithm::PS256,
            "ES256" => jsonwebtoken::Algorithm::ES256,
            "EdDSA" => jsonwebtoken::Algorithm::EdDSA,
            "HS256" => jsonwebtoken::Algorithm::HS256,
            _ => return Err(Invalid::new("unknown_value", "must be one of RS256, PS256, ES256, EdDSA, HS256")),
        }))
    }

    fn text(&self) -> std::borrow::Cow<'_, str> {
        format!("{:?}", self.0).into()
    }
}

/// What an issuer signs with, as far as the gateway may know it.
#[derive(Clone)]
pub struct IssuerKey(DecodingKey);

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
            None => Ok(Self(key)),
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
        Ok(Self(DecodingKey::from_secret(secret)))
    }
}

impl std::fmt::Debug for IssuerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[key]")
    }
}

/// An identity provider the gateway trusts.
#[derive(Debug, Clone)]
pub struct Issuer {
    name: String,
    key: IssuerKey,
    algorithms: Vec<jsonwebtoken::Algorithm>,
    /// Where it puts what the gateway needs.
    pub claims: ClaimNames,
    rules: Validation,
}

impl Issuer {
    /// An issuer whose tokens are for this audience.
    pub fn new(name: &str, audience: &str, algorithms: &[Algorithm], key: IssuerKey, claims: ClaimNames) -> Self {
        let mut rules = Validation::default();
        rules.set_issuer(&[name]);
        rules.set_audience(&[audience]);
        rules.set_required_spec_claims(&["exp", "iss", "aud"]);
        rules.validate_nbf = true;
        rules.leeway = 30;
        Self { name: name.to_owned(), key, algorithms: algorithms.iter().map(|algorithm| algorithm.0).collect(), claims, rules }
    }

    /// Its name, the `iss` of its tokens.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn verify(&self, token: &str, header: &Header) -> Result<Claims, Refused> {
        if !self.algorithms.contains(&header.alg) {
            return Err(Refused("its signature algorithm is not one of the issuer's"));
        }
        let mut rules = self.rules.clone();
        rules.algorithms = vec![header.alg];
        let token = jsonwebtoken::decode::<Claims>(token, &self.key.0, &rules).map_err(|error| Refused(reason(error.kind())))?;
        Ok(token.claims)
    }
}

/// Why a token is not accepted, in words for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused(pub &'static str);

const fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ExpiredSignature => "it has expired",
        ErrorKind::ImmatureSignature => "it is not valid yet",
        ErrorKind::InvalidAudience => "it is for another audience",
        ErrorKind::InvalidIssuer => "its issuer is not trusted",
        ErrorKind::InvalidSignature => "its signature is wrong",
        ErrorKind::MissingRequiredClaim(_) => "it lacks one of the claims exp, iss, aud",
        _ => "it is not a well-formed JWT",
    }
}

/// Verifies tokens of every trusted issuer.
#[derive(Debug, Clone)]
pub struct Verifier(Vec<Issuer>);

impl Verifier {
    /// A verifier that trusts these issuers.
    pub const fn new(issuers: Vec<Issuer>) -> Self {
        Self(issuers)
    }

    /// The claims of a token, and the issuer that vouches for them.
    ///
    /// # Errors
    /// [`Refused`], with the reason.
    pub fn verify(&self, token: &str) -> Result<(Claims, &Issuer), Refused> {
        const SHAPE: Refused = Refused("it is not a well-formed JWT");
        let header = jsonwebtoken::decode_header(token).map_err(|_| SHAPE)?;
        if names_critical_extensions(token) {
            return Err(Refused("it has a critical header that is not understood"));
        }
        // Only to choose the key; nothing in it is believed before that key has verified it.
        let unverified: ClaimedIssuer = dangerous::insecure_decode_claims(token).map_err(|_| SHAPE)?;
        let issuer = self.0.iter().find(|issuer| issuer.name == unverified.iss).ok_or(Refused("its issuer is not trusted"))?;
        Ok((issuer.verify(token, &header)?, issuer))
    }
}

#[derive(Deserialize)]
struct ClaimedIssuer {
    iss: String,
}

/// Does the header have `crit` (RFC 7515, 4.1.11)? The gateway understands no extension.
fn names_critical_extensions(token: &str) -> bool {
    use base64::Engine as _;
    let header = token.split('.').next().unwrap_or_default();
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(header)
        .ok()
        .and_then(|json| serde_json::from_slice::<Claims>(&json).ok())
        .is_none_or(|header| header.contains_key("crit"))
}

/// Signs a development token with a shared secret.
///
/// # Errors
/// When signing fails.
pub fn mint(secret: &[u8], claims: &Claims) -> Result<String, String> {
    jsonwebtoken::encode(&Header::new(Algorithm::HS256.0), claims, &EncodingKey::from_secret(secret)).map_err(|error| error.to_string())
}
