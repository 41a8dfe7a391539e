//! Verification of access tokens from every trusted issuer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::dangerous;
use serde::Deserialize;
use serde_json::Value;

use crate::auth::claims::Claims;
use crate::auth::error::{InvalidToken, TokenError};
use crate::auth::issuer::Issuer;
use crate::auth::jwks::JwksClient;
use crate::auth::principal::Principal;
use crate::auth::token_cache::{CachedToken, TokenCache};

/// Maximum length of a token, in bytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;
const NOT_WELL_FORMED: InvalidToken = InvalidToken("it is not a well-formed JWT");
/// Time after the start in which the gateway is ready only if it has the keys of every issuer.
const STARTUP_KEY_GRACE: Duration = Duration::from_secs(30);

/// The verifier of access tokens.
#[derive(Debug)]
pub struct Verifier {
    issuers: Vec<Issuer>,
    token_cache: TokenCache,
    started_at: Instant,
}

impl Verifier {
    /// Creates a verifier that trusts these issuers.
    pub fn new(issuers: Vec<Issuer>) -> Self {
        Self { issuers, token_cache: TokenCache::default(), started_at: Instant::now() }
    }

    /// Verifies a token, and returns the caller that it names and its issuer.
    ///
    /// # Errors
    /// Returns [`TokenError::Invalid`] if the token is invalid, and [`TokenError::KeysUnavailable`] if the issuer's key set cannot be
    /// fetched.
    pub async fn verify(&self, token: &str) -> Result<(Arc<Principal>, &Issuer), TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(InvalidToken("it is longer than 16 KiB").into());
        }
        let now = jiff::Timestamp::now().as_second();
        let hash = TokenCache::hash(token);
        if let Some(hash) = &hash
            && let Some(cached) = self.token_cache.get(hash, now)
            && let Some(issuer) = self.issuers.get(cached.issuer)
            && issuer.key_set_version() == cached.key_set_version
        {
            return Ok((cached.principal, issuer));
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| NOT_WELL_FORMED)?;
        if has_critical_parameters(token) {
            return Err(InvalidToken("it has a critical header parameter that the gateway does not support").into());
        }
        if !header.typ.as_deref().is_none_or(is_access_token) {
            return Err(InvalidToken("its type is neither JWT nor at+jwt").into());
        }
        let (index, issuer) = self.select_issuer(token)?;
        // On the heap, so that the future of a call whose token is cached stays small.
        let verified = Box::pin(issuer.verify(token, &header)).await?;
        let principal = Arc::new(issuer.principal(&verified.claims));
        if let Some(hash) = hash {
            let cached = CachedToken { principal: Arc::clone(&principal), issuer: index, key_set_version: verified.key_set_version };
            self.token_cache.insert(hash, cached, &verified.claims, now);
        }
        Ok((principal, issuer))
    }

    /// Returns the issuer of a token, and its index. If the issuer stands more than once, the audience decides.
    ///
    /// The unverified claims only select the issuer. No claim is used before the issuer's key has verified the token, and both claims are then
    /// checked again.
    fn select_issuer(&self, token: &str) -> Result<(usize, &Issuer), InvalidToken> {
        let unverified: UnverifiedClaims = dangerous::insecure_decode_claims(token).map_err(|_| NOT_WELL_FORMED)?;
        let mut candidates = self.issuers.iter().enumerate().filter(|(_, issuer)| issuer.name() == unverified.iss);
        let first = candidates.next().ok_or(InvalidToken("its issuer is not trusted"))?;
        let others: Vec<_> = candidates.collect();
        if others.is_empty() {
            return Ok(first);
        }
        let unverified: UnverifiedAudience = dangerous::insecure_decode_claims(token).map_err(|_| NOT_WELL_FORMED)?;
        let mut matching = std::iter::once(first).chain(others).filter(|(_, issuer)| unverified.contains(issuer.audience()));
        match (matching.next(), matching.next()) {
            (Some(issuer), None) => Ok(issuer),
            (Some(_), Some(_)) => Err(InvalidToken("it is for several of the audiences that this gateway distinguishes")),
            // Its verification fails: it also tells whether the signature is valid.
            (None, _) => Ok(first),
        }
    }

    /// Starts the periodic fetch of all key sets on the current runtime. It stops when the runtime ends.
    pub fn refresh_keys_periodically(&self) {
        let mut started: Vec<&Arc<JwksClient>> = Vec::new();
        for client in self.issuers.iter().filter_map(Issuer::jwks) {
            if !started.iter().any(|other| Arc::ptr_eq(other, client)) {
                started.push(client);
                tokio::spawn(Arc::clone(client).refresh_periodically());
            }
        }
    }

    /// Fetches all key sets once. Returns for each its issuer's index and name, and the number of keys that the gateway can use or the
    /// error.
    pub async fn fetch_key_sets(&self) -> Vec<(usize, &str, Result<usize, String>)> {
        let mut results = Vec::new();
        for (index, issuer) in self.issuers.iter().enumerate() {
            if let Some(client) = issuer.jwks() {
                let usable = match client.fetch_now().await.map(|keys| issuer.count_usable_keys(&keys)) {
                    Ok(0) => Err("holds no key for the issuer's algorithms that can be used to verify signatures".into()),
                    result => result,
                };
                results.push((index, issuer.name(), usable));
            }
        }
        results
    }

    /// Returns `true` if tokens can be verified. In the first 30 seconds this requires the keys of every issuer, then of any issuer: the
    /// failure of one issuer must not affect the callers of the others.
    pub fn is_ready(&self) -> bool {
        let has_keys = |issuer: &Issuer| {
            issuer.jwks().is_none_or(|client| client.current().is_some_and(|current| issuer.count_usable_keys(&current.keys) > 0))
        };
        let is_starting = self.started_at.elapsed() < STARTUP_KEY_GRACE;
        if is_starting { self.issuers.iter().all(has_keys) } else { self.issuers.iter().any(has_keys) }
    }

    /// Returns the name of each issuer with a key set, once for each section, and the time since the last successful fetch, or since the start if there is none.
    pub fn key_set_ages(&self) -> impl Iterator<Item = (&str, Duration)> {
        let since_start = self.started_at.elapsed();
        self.issuers.iter().filter_map(move |issuer| Some((issuer.name(), issuer.jwks()?.age().unwrap_or(since_start))))
    }
}

#[derive(Deserialize)]
struct UnverifiedClaims {
    iss: String,
}

#[derive(Deserialize)]
struct UnverifiedAudience {
    #[serde(default)]
    aud: Value,
}

impl UnverifiedAudience {
    fn contains(&self, audience: &str) -> bool {
        match &self.aud {
            Value::Array(list) => list.iter().any(|one| one == audience),
            one => one == audience,
        }
    }
}

/// Returns `true` if the header has `crit` (RFC 7515, 4.1.11). The gateway supports no extension.
fn has_critical_parameters(token: &str) -> bool {
    let header = token.split('.').next().unwrap_or_default();
    URL_SAFE_NO_PAD
        .decode(header)
        .ok()
        .and_then(|json| serde_json::from_slice::<Claims>(&json).ok())
        .is_none_or(|header| header.contains_key("crit"))
}

/// Returns `true` for the type of an access token (RFC 9068, 2.1) and for the unspecific `JWT`. The gateway rejects other JWTs of the
/// issuer, such as logout tokens.
fn is_access_token(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::auth::{Algorithm, ClaimNames, IssuerKey, sign_token};

    #[tokio::test]
    async fn token_signed_with_a_shared_secret_is_verified_once_until_it_expires() {
        let secret = b"the secret that an issuer shares with the gateway";
        let key = IssuerKey::from_hmac_secret(secret).expect("a long secret");
        let issuer = Issuer::new("https://idp.example", "lrs-gateway", &[Algorithm::HS256], key, ClaimNames::default());
        let verifier = Verifier::new(vec![issuer]);
        let now = jiff::Timestamp::now().as_second();
        // Without the tolerance for the issuer's clock, the second token has expired.
        for (expires_at, is_cached) in [(now + 3600, true), (now - 10, false)] {
            let claims = json!({"iss": "https://idp.example", "aud": "lrs-gateway", "exp": expires_at, "org": "10012345"});
            let token = sign_token(secret, claims.as_object().expect("claims")).expect("a token");
            let (first, issuer) = verifier.verify(&token).await.expect("a valid token");
            let (second, _) = verifier.verify(&token).await.expect("a valid token");
            assert_eq!((Arc::ptr_eq(&first, &second), issuer.name()), (is_cached, "https://idp.example"));
            let other_signature = format!("{}A", &token[..token.len() - 1]);
            assert!(verifier.verify(&other_signature).await.is_err() || token.ends_with('A'));
        }
    }
}
