//! Who calls: from a bearer token to a [`Caller`].
//!
//! A token is verified ([`verifier`]) under the algorithms of the issuer it names and its key: one that was given to the gateway
//! ([`keys`]), or one of those the issuer publishes ([`jwks`] fetches them, [`jwk`] reads them). For a while it is [`remembered`]. Its
//! claims give the organisation, the person and the scopes ([`claims`]). A handler that takes a `Caller<S>` runs only for callers
//! whose token has scope `S` and whose organisation has the product that goes with it ([`caller`]).

mod caller;
mod claims;
mod jwk;
mod jwks;
mod keys;
pub mod scope;
mod token_cache;
mod verifier;

pub use caller::{Caller, ExtractFuture, LimitHeaders, RequestId, after_authentication, authenticated};
pub use claims::{ClaimNames, Claims};
pub use jwks::{JwksClient, JwksSettings};
pub use keys::{Algorithm, IssuerKey, mint};
pub use verifier::{InvalidToken, Issuer, TokenError, Verifier};
