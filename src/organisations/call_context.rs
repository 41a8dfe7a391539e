//! The organisation, user and client that a call to LRS is made for.

use std::sync::Arc;

use super::organisation::Organisation;
use crate::domain::UserName;

/// The organisation and the user that a call is made for. Every call to LRS names both.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The organisation. The call uses its credentials and connections.
    pub organisation: Arc<Organisation>,
    /// The user name that is sent to LRS.
    pub user: UserName,
    /// Request and client that the call results from.
    pub origin: Arc<CallOrigin>,
}

impl CallContext {
    /// Returns a context with an empty origin.
    pub fn new(organisation: Arc<Organisation>, user: UserName) -> Self {
        Self { organisation, user, origin: Arc::default() }
    }
}

/// The request and the client that a call results from, beside organisation and user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallOrigin {
    /// Id of the request, or of the request that submitted the batch.
    pub request_id: String,
    /// Issuer of the caller's token.
    pub issuer: Arc<str>,
    /// Name of the calling program at the issuer: the claim `azp` or `client_id` (RFC 9068), else `sub`. Empty if the token has none.
    pub client: Arc<str>,
    /// The part of a batch that the call is about.
    pub part: Option<PartReference>,
}

/// Reference to a part of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartReference {
    /// Id of the batch.
    pub batch: String,
    /// Number of the part in the batch.
    pub number: u32,
}
