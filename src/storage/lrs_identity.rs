//! The LRS that stored data belongs to. Gateways of several environments can share a Redis, and each works on its own data only.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

use super::encryption::to_hex;

/// Number of bytes of the hash in names of keys.
const TAG_BYTES: usize = 6;

/// Identifies an LRS in stored data, usually by its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LrsIdentity(Arc<str>);

impl LrsIdentity {
    /// Returns the identity of the LRS at this address.
    pub fn new(address: &str) -> Self {
        Self(address.trim_end_matches('/').into())
    }

    /// Returns the identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns a short hash of the identity, for names of keys.
    pub fn tag(&self) -> String {
        to_hex(&digest(&SHA256, self.0.as_bytes()).as_ref()[..TAG_BYTES])
    }
}
