//! Tokens that were verified a moment ago: verifying an RSA signature takes forty times as long as knowing the token again.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use parking_lot::Mutex;
use serde_json::Value;

use crate::auth::claims::Claims;

/// Most tokens that are remembered.
const MOST: usize = 10_000;
/// Longest token that is remembered, in bytes: with [`MOST`] it bounds the memory.
const LONGEST: usize = 4 * 1024;

/// What a token is known by. The token itself is kept nowhere.
pub type TokenHash = [u8; 32];

/// A token that was verified.
#[derive(Clone)]
pub struct Entry {
    /// Its claims.
    pub claims: Arc<Claims>,
    /// Which issuer vouches for it.
    pub issuer: usize,
    /// With which edition of the issuer's keys it was verified. It says nothing under another.
    pub edition: u64,
}

/// The tokens.
#[derive(Default)]
pub struct TokenCache(Mutex<HashMap<TokenHash, (Entry, Validity)>>);

impl std::fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[personal]")
    }
}

/// From when to when a token is good, in seconds since 1970. The leeway for clocks is not in it: whoever needs that is verified anew.
#[derive(Debug, Clone, Copy)]
struct Validity {
    from: i64,
    until: i64,
}

impl Validity {
    /// Of these claims, if they say it in whole numbers.
    fn of(claims: &Claims) -> Option<Self> {
        let from = claims.get("nbf").map_or(Some(i64::MIN), Value::as_i64)?;
        Some(Self { from, until: claims.get("exp")?.as_i64()? })
    }

    const fn has(self, now: i64) -> bool {
        self.from <= now && now < self.until
    }
}

impl TokenCache {
    /// What this token is known by, unless it is too long to be remembered.
    pub fn hash(token: &str) -> Option<TokenHash> {
        (token.len() <= LONGEST).then(|| digest(&SHA256, token.as_bytes()).as_ref().try_into().ok())?
    }

    /// A token that was verified and is still good by its own dates. Whether the issuer's keys are still those is for the caller to see.
    pub fn find(&self, token: &TokenHash, now: i64) -> Option<Entry> {
        let tokens = self.0.lock();
        tokens.get(token).filter(|(_, validity)| validity.has(now)).map(|(entry, _)| entry.clone())
    }

    /// Remembers a token that was just verified, if it is good now without leeway.
    pub fn keep(&self, token: TokenHash, entry: Entry, now: i64) {
        let Some(validity) = Validity::of(&entry.claims).filter(|validity| validity.has(now)) else { return };
        let mut tokens = self.0.lock();
        if tokens.len() >= MOST && !tokens.contains_key(&token) {
            tokens.retain(|_, (_, validity)| validity.has(now));
            if tokens.len() >= MOST {
                tokens.clear();
            }
        }
        tokens.insert(token, (entry, validity));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(claims: &Value) -> Entry {
        Entry { claims: Arc::new(claims.as_object().expect("claims").clone()), issuer: 0, edition: 1 }
    }

    fn hash(number: usize) -> TokenHash {
        TokenCache::hash(&number.to_string()).expect("short")
    }

    #[test]
    fn a_token_is_remembered_while_it_is_good() {
        let remembered = TokenCache::default();
        remembered.keep(hash(1), entry(&json!({"exp": 200, "nbf": 50})), 100);
        let found = |now| remembered.find(&hash(1), now).is_some();
        assert!(found(50) && found(199));
        assert!(!found(49) && !found(200), "the clock may go back, too");
        assert!(remembered.find(&hash(2), 100).is_none());
    }

    #[test]
    fn what_is_good_only_with_leeway_or_says_it_oddly_is_not_remembered() {
        let remembered = TokenCache::default();
        for claims in [
            json!({"exp": 100}),
            json!({"exp": 200, "nbf": 101}),
            json!({"exp": 200.5}),
            json!({"exp": "200"}),
            json!({"nbf": null, "exp": 200}),
            json!({}),
        ] {
            remembered.keep(hash(1), entry(&claims), 100);
            assert!(remembered.find(&hash(1), 100).is_none(), "{claims}");
        }
        assert!(TokenCache::hash(&"x".repeat(LONGEST + 1)).is_none());
    }

    #[test]
    fn the_number_of_tokens_is_bounded() {
        let remembered = TokenCache::default();
        let count = || remembered.0.lock().len();
        for number in 0..MOST {
            remembered.keep(hash(number), entry(&json!({"exp": if number < 7 { 2000 } else { 200 }})), 100);
        }
        assert_eq!(count(), MOST);
        remembered.keep(hash(MOST), entry(&json!({"exp": 2000})), 1000);
        assert_eq!(count(), 8, "those whose time is over make room");
        for number in 0..MOST {
            remembered.keep(hash(MOST + number), entry(&json!({"exp": 2000})), 1000);
            assert!(count() <= MOST);
        }
        assert!(remembered.find(&hash(MOST + MOST - 1), 1000).is_some(), "the newest is there");
    }
}
