//! Cache of verified tokens. A lookup is several times faster than the verification of a signature with a shared secret, and about forty
//! times faster than that of an RSA signature.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use parking_lot::Mutex;
use serde_json::Value;

use crate::auth::claims::Claims;
use crate::auth::principal::Principal;

/// Maximum number of cached tokens.
const MAX_TOKENS: usize = 10_000;
/// Maximum length of a cached token, in bytes. Together with [`MAX_TOKENS`] it limits the memory.
const MAX_TOKEN_BYTES: usize = 4 * 1024;

/// The SHA-256 of a token. The cache does not hold the token itself.
pub type TokenHash = [u8; 32];

/// A verified token.
#[derive(Clone)]
pub struct CachedToken {
    /// The caller that it names.
    pub principal: Arc<Principal>,
    /// Index of its issuer's section. The token's own issuer and audience select it, so it is the same for equal tokens.
    pub issuer: usize,
    /// Version of the issuer's key set that verified it. The verification proves nothing for another version.
    pub key_set_version: u64,
}

/// The cached tokens.
#[derive(Default)]
pub struct TokenCache(Mutex<HashMap<TokenHash, (CachedToken, TokenValidity)>>);

impl TokenCache {
    /// Returns the hash of a token; `None` if the token is too long for the cache.
    pub fn hash(token: &str) -> Option<TokenHash> {
        (token.len() <= MAX_TOKEN_BYTES).then(|| digest(&SHA256, token.as_bytes()).as_ref().try_into().ok())?
    }

    /// Returns a token that is valid now by its own claims. The caller must check the version of the key set.
    pub fn get(&self, token: &TokenHash, now: i64) -> Option<CachedToken> {
        let tokens = self.0.lock();
        tokens.get(token).filter(|(_, validity)| validity.contains(now)).map(|(cached, _)| cached.clone())
    }

    /// Adds a verified token with these claims, if it is valid now without leeway. A full cache first removes the tokens that have expired; if
    /// there are none, it is emptied.
    pub fn insert(&self, token: TokenHash, cached: CachedToken, claims: &Claims, now: i64) {
        let Some(validity) = TokenValidity::of(claims).filter(|validity| validity.contains(now)) else { return };
        let mut tokens = self.0.lock();
        if tokens.len() >= MAX_TOKENS && !tokens.contains_key(&token) {
            tokens.retain(|_, (_, validity)| validity.contains(now));
            if tokens.len() >= MAX_TOKENS {
                tokens.clear();
            }
        }
        tokens.insert(token, (cached, validity));
    }
}

/// Omits the principals, who are persons.
impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[personal]")
    }
}

/// The period in which a token is valid, in Unix seconds. It has no leeway: a token that needs leeway is verified each time.
#[derive(Debug, Clone, Copy)]
struct TokenValidity {
    not_before: i64,
    expires_at: i64,
}

impl TokenValidity {
    /// Reads the period from the claims `nbf` and `exp`; `None` if they are not integers.
    fn of(claims: &Claims) -> Option<Self> {
        let not_before = claims.get("nbf").map_or(Some(i64::MIN), Value::as_i64)?;
        Some(Self { not_before, expires_at: claims.get("exp")?.as_i64()? })
    }

    const fn contains(self, now: i64) -> bool {
        self.not_before <= now && now < self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::auth::claims::ClaimNames;
    use crate::auth::user_name::UserNameRules;

    fn insert(cache: &TokenCache, token: TokenHash, claims: &Value, now: i64) {
        let claims = claims.as_object().expect("claims");
        let principal = Arc::new(Principal::new("https://idp.example".into(), &ClaimNames::default(), &UserNameRules::default(), claims));
        cache.insert(token, CachedToken { principal, issuer: 0, key_set_version: 1 }, claims, now);
    }

    fn hash(number: usize) -> TokenHash {
        TokenCache::hash(&number.to_string()).expect("short")
    }

    #[test]
    fn token_cache_returns_token_only_while_valid() {
        let cache = TokenCache::default();
        insert(&cache, hash(1), &json!({"exp": 200, "nbf": 50}), 100);
        let is_found = |now| cache.get(&hash(1), now).is_some();
        assert!(is_found(50) && is_found(199));
        assert!(!is_found(49) && !is_found(200), "the clock may also go back");
        assert!(cache.get(&hash(2), 100).is_none());
    }

    #[test]
    fn token_cache_token_valid_only_with_leeway_or_with_unusual_times_is_not_inserted() {
        let cache = TokenCache::default();
        for claims in [
            json!({"exp": 100}),
            json!({"exp": 200, "nbf": 101}),
            json!({"exp": 200.5}),
            json!({"exp": "200"}),
            json!({"nbf": null, "exp": 200}),
            json!({}),
        ] {
            insert(&cache, hash(1), &claims, 100);
            assert!(cache.get(&hash(1), 100).is_none(), "{claims}");
        }
        assert!(TokenCache::hash(&"x".repeat(MAX_TOKEN_BYTES + 1)).is_none());
    }

    #[test]
    fn token_cache_size_is_limited() {
        let cache = TokenCache::default();
        let count = || cache.0.lock().len();
        for number in 0..MAX_TOKENS {
            insert(&cache, hash(number), &json!({"exp": if number < 7 { 2000 } else { 200 }}), 100);
        }
        assert_eq!(count(), MAX_TOKENS);
        insert(&cache, hash(MAX_TOKENS), &json!({"exp": 2000}), 1000);
        assert_eq!(count(), 8, "expired tokens are removed");
        for number in 0..MAX_TOKENS {
            insert(&cache, hash(MAX_TOKENS + number), &json!({"exp": 2000}), 1000);
            assert!(count() <= MAX_TOKENS);
        }
        assert!(cache.get(&hash(MAX_TOKENS + MAX_TOKENS - 1), 1000).is_some(), "the newest token is cached");
    }
}
