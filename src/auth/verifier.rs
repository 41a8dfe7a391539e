//! Issuers, and the verification of their tokens (RFC 7519, 8725, 9068).
//!
//! The key decides which algorithms are allowed, never the token: a public key cannot be used as an HMAC secret, and
//! `alg: none` is no algorithm at all. Keys and addresses of keys in a token (`jwk`, `jku`, `x5c`, `x5u`) are nobody's word.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{AlgorithmFamily, DecodingKey, Header, Validation, dangerous};
use serde::Deserialize;

use crate::auth::claims::{ClaimNames, Claims};
use crate::auth::jwk::KeySelectionError;
use crate::auth::jwks::{JwksClient, KeySetVersion};
use crate::auth::keys::{Algorithm, IssuerKey, Kind};
use crate::auth::token_cache::{Entry, TokenCache};

/// Longest token, in bytes.
const LONGEST: usize = 16 * 1024;
/// How far the issuers' clocks may be from the gateway's, in seconds.
const LEEWAY: u64 = 30;

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenError {
    /// It is not good.
    Refused(InvalidToken),
    /// Nobody knows: the issuer's keys cannot be fetched.
    KeysUnavailable,
}

/// What is wrong with a token, in words for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidToken(pub &'static str);

impl From<InvalidToken> for TokenError {
    fn from(refused: InvalidToken) -> Self {
        Self::Refused(refused)
    }
}

/// The token is not good under the keys that are known.
enum Miss {
    /// Nor under any others.
    Certain(InvalidToken),
    /// It may be under a key that was published since.
    NewerKey(InvalidToken),
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
        rules.leeway = LEEWAY;
        Self { name: name.to_owned(), key, algorithms: algorithms.iter().map(|algorithm| algorithm.0).collect(), claims, rules }
    }

    /// Its name, the `iss` of its tokens.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The keys it publishes, if it does.
    fn published(&self) -> Option<&Arc<JwksClient>> {
        match &self.key.0 {
            Kind::Given(_) => None,
            Kind::Published(keys) => Some(keys),
        }
    }

    /// The edition of its keys; those that were given to the gateway never change.
    fn edition(&self) -> u64 {
        self.published().map_or(0, |keys| keys.number())
    }

    fn is_asymmetric(&self) -> bool {
        self.algorithms.iter().any(|algorithm| algorithm.family() != AlgorithmFamily::Hmac)
    }

    /// The claims of a token, and the edition of the keys that it was verified with.
    async fn verify(&self, token: &str, header: &Header) -> Result<(Claims, u64), TokenError> {
        if !self.algorithms.contains(&header.alg) {
            return Err(InvalidToken("its signature algorithm is not one of the issuer's").into());
        }
        let keys = match &self.key.0 {
            Kind::Given(key) => return Ok((self.decode(token, header, key).map_err(|error| InvalidToken(reason(error.kind())))?, 0)),
            Kind::Published(keys) => keys,
        };
        let edition = keys.edition();
        match self.verify_with(edition.as_ref(), token, header) {
            Ok(verified) => return Ok(verified),
            Err(Miss::Certain(refused)) => return Err(refused.into()),
            Err(Miss::NewerKey(_)) => {}
        }
        let certain = keys.look_again(edition.map_or(0, |edition| edition.number)).await;
        self.verify_with(keys.edition().as_ref(), token, header).map_err(|miss| match miss {
            Miss::NewerKey(_) if !certain => TokenError::KeysUnavailable,
            Miss::NewerKey(refused) | Miss::Certain(refused) => refused.into(),
        })
    }

    fn verify_with(&self, edition: Option<&KeySetVersion>, token: &str, header: &Header) -> Result<(Claims, u64), Miss> {
        const UNKNOWN: InvalidToken = InvalidToken("its key is not one of the issuer's");
        let Some(KeySetVersion { number, keys }) = edition else { return Err(Miss::NewerKey(UNKNOWN)) };
        let key = keys.find(header.kid.as_deref(), header.alg).map_err(|none| match none {
            KeySelectionError::Unknown => Miss::NewerKey(UNKNOWN),
            KeySelectionError::OtherAlgorithm => Miss::Certain(InvalidToken("its signature algorithm is not that of its key")),
            KeySelectionError::Several => Miss::Certain(InvalidToken("it could be signed with more than one of the issuer's keys")),
        })?;
        let claims = self.decode(token, header, key).map_err(|error| match error.kind() {
            // Without names, a new key looks like a wrong signature under the old one.
            kind @ ErrorKind::InvalidSignature if header.kid.is_none() => Miss::NewerKey(InvalidToken(reason(kind))),
            kind => Miss::Certain(InvalidToken(reason(kind))),
        })?;
        Ok((claims, *number))
    }

    fn decode(&self, token: &str, header: &Header, key: &DecodingKey) -> jsonwebtoken::errors::Result<Claims> {
        let mut rules = self.rules.clone();
        rules.algorithms = vec![header.alg];
        Ok(jsonwebtoken::decode::<Claims>(token, key, &rules)?.claims)
    }
}

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
#[derive(Debug)]
pub struct Verifier {
    issuers: Vec<Issuer>,
    /// A shared secret verifies faster than anything could be looked up.
    remembered: Option<TokenCache>,
    begun: Instant,
}

/// How long a gateway that has just begun waits for the keys of every issuer before it says that it is ready.
const STARTUP_KEY_GRACE: Duration = Duration::from_secs(30);

impl Verifier {
    /// A verifier that trusts these issuers.
    pub fn new(issuers: Vec<Issuer>) -> Self {
        let remembered = issuers.iter().any(Issuer::is_asymmetric).then(TokenCache::default);
        Self { issuers, remembered, begun: Instant::now() }
    }

    /// The claims of a token, and the issuer that vouches for them.
    ///
    /// # Errors
    /// [`Unverified`]
    pub async fn verify(&self, token: &str) -> Result<(Arc<Claims>, &Issuer), TokenError> {
        const SHAPE: InvalidToken = InvalidToken("it is not a well-formed JWT");
        if token.len() > LONGEST {
            return Err(InvalidToken("it is longer than 16 KiB").into());
        }
        let now = jiff::Timestamp::now().as_second();
        let remembered = self.remembered.as_ref().and_then(|remembered| Some((remembered, TokenCache::hash(token)?)));
        if let Some((remembered, hash)) = &remembered
            && let Some(entry) = remembered.find(hash, now)
            && let Some(issuer) = self.issuers.get(entry.issuer)
            && issuer.edition() == entry.edition
        {
            return Ok((entry.claims, issuer));
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| SHAPE)?;
        if names_critical_extensions(token) {
            return Err(InvalidToken("it has a critical header that is not understood").into());
        }
        if !header.typ.as_deref().is_none_or(is_access_token) {
            return Err(InvalidToken("its type is neither JWT nor at+jwt").into());
        }
        // Only to choose the key; nothing in it is believed before that key has verified it.
        let unverified: ClaimedIssuer = dangerous::insecure_decode_claims(token).map_err(|_| SHAPE)?;
        let found = self.issuers.iter().enumerate().find(|(_, issuer)| issuer.name == unverified.iss);
        let (number, issuer) = found.ok_or(InvalidToken("its issuer is not trusted"))?;
        let (claims, edition) = issuer.verify(token, &header).await?;
        let claims = Arc::new(claims);
        if let Some((remembered, hash)) = remembered
            && header.alg.family() != AlgorithmFamily::Hmac
        {
            remembered.keep(hash, Entry { claims: Arc::clone(&claims), issuer: number, edition }, now);
        }
        Ok((claims, issuer))
    }

    /// Fetches the keys that issuers publish, now and again, for as long as the present runtime lasts.
    pub fn refresh_keys_periodically(&self) {
        for keys in self.issuers.iter().filter_map(Issuer::published) {
            tokio::spawn(Arc::clone(keys).refresh_periodically());
        }
    }

    /// Fetches the keys that issuers publish, once: for each its number, its name, and how many of the keys it can use.
    pub async fn fetch_all(&self) -> Vec<(usize, &str, Result<usize, String>)> {
        let mut found = Vec::new();
        for (number, issuer) in self.issuers.iter().enumerate() {
            if let Some(keys) = issuer.published() {
                let usable = match keys.fetch_now().await.map(|keys| keys.count(&issuer.algorithms)) {
                    Ok(0) => Err("holds no key for the issuer's algorithms that can be used to verify signatures".into()),
                    counted => counted,
                };
                found.push((number, issuer.name(), usable));
            }
        }
        found
    }

    /// Can tokens be verified? In its first half minute it waits for the keys of every issuer; then one issuer's trouble is not
    /// everybody's.
    pub fn ready(&self) -> bool {
        let usable = |issuer: &Issuer| {
            issuer.published().is_none_or(|keys| keys.edition().is_some_and(|edition| edition.keys.count(&issuer.algorithms) > 0))
        };
        let waiting = self.begun.elapsed() < STARTUP_KEY_GRACE;
        if waiting { self.issuers.iter().all(usable) } else { self.issuers.iter().any(usable) }
    }

    /// How long ago the keys of each issuer that publishes them were last seen to be its keys; since when the gateway tries, if never.
    pub fn key_ages(&self) -> impl Iterator<Item = (&str, Duration)> {
        let never = self.begun.elapsed();
        self.issuers.iter().filter_map(move |issuer| Some((issuer.name(), issuer.published()?.age().unwrap_or(never))))
    }
}

#[derive(Deserialize)]
struct ClaimedIssuer {
    iss: String,
}

/// Does the header have `crit` (RFC 7515, 4.1.11)? The gateway understands no extension.
fn names_critical_extensions(token: &str) -> bool {
    let header = token.split('.').next().unwrap_or_default();
    URL_SAFE_NO_PAD
        .decode(header)
        .ok()
        .and_then(|json| serde_json::from_slice::<Claims>(&json).ok())
        .is_none_or(|header| header.contains_key("crit"))
}

/// Is this the type of an access token (RFC 9068, 2.1), or one that says nothing? Other JWTs of the issuer, such as those about
/// logging out, are not for here.
fn is_access_token(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt")
}
