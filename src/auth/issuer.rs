//! Issuers, and the verification of their tokens (RFC 7519, 8725, 9068).
//!
//! The issuer's configuration decides which algorithms are allowed, never the token: a public key cannot be used as an HMAC secret, and
//! `alg: none` is not an algorithm. The gateway ignores keys and key URLs in a token (`jwk`, `jku`, `x5c`, `x5u`).

use std::sync::Arc;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, Header, Validation};

use crate::auth::algorithm::Algorithm;
use crate::auth::claims::{ClaimNames, Claims};
use crate::auth::error::{InvalidToken, TokenError};
use crate::auth::jwk::{Jwks, KeySelectionError};
use crate::auth::jwks::{JwksClient, VersionedJwks};
use crate::auth::key::{IssuerKey, KeySource};
use crate::auth::principal::Principal;
use crate::auth::unique_claims::UniqueClaims;
use crate::auth::user_name::UserNameRules;

/// Accepted difference between the clocks of an issuer and the gateway, in seconds.
const LEEWAY_SECONDS: u64 = 30;

/// Version of a configured key, which never changes.
const CONFIGURED_KEY_VERSION: u64 = 0;

/// A trusted identity provider, with the audience of its tokens. One provider can stand for several, with different audiences.
#[derive(Debug, Clone)]
pub struct Issuer {
    name: Arc<str>,
    key: IssuerKey,
    algorithms: Vec<jsonwebtoken::Algorithm>,
    /// The names of the claims that the issuer uses.
    pub claim_names: ClaimNames,
    user_names: UserNameRules,
    audience: String,
    validation: Validation,
}

/// The claims of a verified token, and the version of the key set that verified it.
pub(super) struct VerifiedToken {
    pub(super) claims: Claims,
    pub(super) key_set_version: u64,
}

/// The reason why one version of a key set does not verify a token.
enum VerifyError {
    /// No version can verify the token.
    Invalid(InvalidToken),
    /// A newer version may verify the token.
    KeySetOutdated(InvalidToken),
}

impl Issuer {
    /// Creates an issuer. Its tokens must have this audience.
    pub fn new(name: &str, audience: &str, algorithms: &[Algorithm], key: IssuerKey, claim_names: ClaimNames) -> Self {
        let mut validation = Validation::default();
        validation.set_issuer(&[name]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY_SECONDS;
        let algorithms = algorithms.iter().map(|algorithm| algorithm.0).collect();
        let (name, audience) = (name.into(), audience.to_owned());
        Self { name, key, algorithms, claim_names, user_names: UserNameRules::default(), audience, validation }
    }

    /// Sets how the user names of its tokens are used.
    #[must_use]
    pub fn with_user_names(self, user_names: UserNameRules) -> Self {
        Self { user_names, ..self }
    }

    /// Returns the audience: the `aud` of its tokens.
    pub(super) fn audience(&self) -> &str {
        &self.audience
    }

    /// Returns the name: the `iss` of its tokens.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the client for the key set, if the issuer publishes one.
    pub(super) const fn jwks(&self) -> Option<&Arc<JwksClient>> {
        match &self.key.0 {
            KeySource::Configured(_) => None,
            KeySource::Jwks(client) => Some(client),
        }
    }

    /// Returns the version of the current key set.
    pub(super) fn key_set_version(&self) -> u64 {
        self.jwks().map_or(CONFIGURED_KEY_VERSION, |client| client.version())
    }

    /// Returns the number of keys in this set that fit the issuer's algorithms.
    pub(super) fn count_usable_keys(&self, keys: &Jwks) -> usize {
        keys.count(&self.algorithms)
    }

    /// Returns the caller that the claims of a verified token name.
    pub(super) fn principal(&self, claims: &Claims) -> Principal {
        Principal::new(Arc::clone(&self.name), &self.claim_names, &self.user_names, claims)
    }

    /// Verifies a token. If a newer key set may verify it, fetches the set and tries again.
    pub(super) async fn verify(&self, token: &str, header: &Header) -> Result<VerifiedToken, TokenError> {
        if !self.algorithms.contains(&header.alg) {
            return Err(InvalidToken("its signature algorithm is not allowed for this issuer").into());
        }
        let client = match &self.key.0 {
            KeySource::Configured(key) => {
                let claims = self.decode(token, header, key).map_err(|error| invalid_token(error.kind()))?.into_claims()?;
                return Ok(VerifiedToken { claims, key_set_version: CONFIGURED_KEY_VERSION });
            }
            KeySource::Jwks(client) => client,
        };
        let current = client.current();
        match self.verify_with(current.as_ref(), token, header) {
            Ok(verified) => return Ok(verified),
            Err(VerifyError::Invalid(invalid)) => return Err(invalid.into()),
            Err(VerifyError::KeySetOutdated(_)) => {}
        }
        let is_current = client.refresh_on_demand(current.map_or(0, |current| current.version)).await;
        self.verify_with(client.current().as_ref(), token, header).map_err(|error| match error {
            VerifyError::KeySetOutdated(_) if !is_current => TokenError::KeysUnavailable,
            VerifyError::KeySetOutdated(invalid) | VerifyError::Invalid(invalid) => invalid.into(),
        })
    }

    fn verify_with(&self, key_set: Option<&VersionedJwks>, token: &str, header: &Header) -> Result<VerifiedToken, VerifyError> {
        const UNKNOWN_KEY: InvalidToken = InvalidToken("its key is not in the issuer's key set");
        let Some(VersionedJwks { version, keys }) = key_set else { return Err(VerifyError::KeySetOutdated(UNKNOWN_KEY)) };
        let key = keys.find(header.kid.as_deref(), header.alg).map_err(|error| match error {
            KeySelectionError::Unknown => VerifyError::KeySetOutdated(UNKNOWN_KEY),
            KeySelectionError::AlgorithmMismatch => VerifyError::Invalid(InvalidToken("its signature algorithm does not match its key")),
            KeySelectionError::Ambiguous => VerifyError::Invalid(InvalidToken("more than one of the issuer's keys matches it")),
        })?;
        let claims = self.decode(token, header, key).map_err(|error| match error.kind() {
            // In a set without key ids, a new key shows as an invalid signature under the old key.
            kind @ ErrorKind::InvalidSignature if header.kid.is_none() => VerifyError::KeySetOutdated(invalid_token(kind)),
            kind => VerifyError::Invalid(invalid_token(kind)),
        })?;
        let claims = claims.into_claims().map_err(VerifyError::Invalid)?;
        Ok(VerifiedToken { claims, key_set_version: *version })
    }

    fn decode(&self, token: &str, header: &Header, key: &DecodingKey) -> jsonwebtoken::errors::Result<UniqueClaims> {
        let mut validation = self.validation.clone();
        validation.algorithms = vec![header.alg];
        Ok(jsonwebtoken::decode::<UniqueClaims>(token, key, &validation)?.claims)
    }
}

const fn invalid_token(kind: &ErrorKind) -> InvalidToken {
    InvalidToken(match kind {
        ErrorKind::ExpiredSignature => "it has expired",
        ErrorKind::ImmatureSignature => "it is not valid yet",
        ErrorKind::InvalidAudience => "it is for another audience",
        ErrorKind::InvalidIssuer => "its issuer is not trusted",
        ErrorKind::InvalidSignature => "its signature is invalid",
        ErrorKind::MissingRequiredClaim(_) => "it lacks one of the claims exp, iss and aud",
        _ => "it is not a well-formed JWT",
    })
}
