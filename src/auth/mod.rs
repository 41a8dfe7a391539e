//! Who calls: from a bearer token to a [`Caller`].
//!
//! A token is verified under the key and the algorithms of the issuer it names ([`keys`]), and its claims give the
//! organisation, the person and the scopes ([`claims`]). A handler that takes a `Caller<S>` runs only for callers whose
//! token has scope `S` and whose organisation has the product that goes with it ([`caller`]).

mod caller;
mod claims;
mod keys;
pub mod scope;

pub use caller::{Caller, Client, LimitHeaders, RequestId};
pub use claims::{ClaimNames, Claims};
pub use keys::{Algorithm, Issuer, IssuerKey, Refused, Verifier, mint};
