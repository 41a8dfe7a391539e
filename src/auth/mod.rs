//! Authentication: from a bearer token to a [`Caller`].
//!
//! The [`verifier`] checks a token with the algorithms and the key of its [`issuer`]. The [`key`] is either configured or part of a
//! published key set, which [`jwks`] fetches and [`jwk`] parses. The [`claims`] name the organisation, the person or the client (its
//! [`user_name`]) and the scopes: the [`principal`]. The [`token_cache`] holds the principals of verified tokens.
//!
//! A handler with the argument `Caller<S, C>` runs only if the token has [`scope`] `S` and the organisation has the product of that scope.
//! The call counts against the limits of [`rate_limit_class`] `C`. Other arguments are read from an [`AdmittedRequest`], which exists only
//! after that.

mod algorithm;
mod caller;
mod claims;
mod dev_token;
mod error;
mod issuer;
mod jwk;
mod jwks;
mod key;
mod principal;
mod rate_limit_class;
pub mod scope;
mod token_cache;
mod unique_claims;
mod user_name;
mod verifier;

pub use algorithm::Algorithm;
pub use caller::{AdmittedRequest, Caller, IncomingRequest, RateLimitHeaders, RequestId};
pub use claims::{ClaimNames, Claims};
pub use dev_token::sign_token;
pub use error::{InvalidToken, TokenError};
pub use issuer::Issuer;
pub use jwk::{Jwks, KeySelectionError};
pub use jwks::{JwksClient, JwksSettings};
pub use key::IssuerKey;
pub use principal::Principal;
pub use rate_limit_class::{RateLimitClass, Search, Standard};
pub use user_name::{UserNameError, UserNameRules};
pub use verifier::Verifier;
