//! The errors of batch operations.

use crate::batches::repository::StoreError;
use crate::storage::encryption::CipherError;

/// The reason why a batch operation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Stored data cannot be decrypted.
    #[error("stored batch data cannot be decrypted: {0}")]
    Cipher(#[from] CipherError),
    /// Stored data has an unexpected form. The text names the data.
    #[error("stored batch data is invalid: {0}")]
    Malformed(&'static str),
    /// The batch to accept was accepted before, and was erased or has expired since.
    #[error("the batch was erased or has expired")]
    Gone,
}
