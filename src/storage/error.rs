//! Errors of the store.

use redis::RedisError;

/// Reason why a store operation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached, or it rejected the operation. The operation had no effect.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// The connection broke before the reply arrived. The operation may have taken effect.
    #[error("store reply lost: {0}")]
    ReplyLost(String),
    /// The store can lose what it confirms, and that is not accepted. The operation was not attempted.
    #[error("store not durable: {0}")]
    NotDurable(String),
    /// Stored data cannot be parsed.
    #[error("store contains unreadable data: {0}")]
    Malformed(String),
}

/// Describes an error of the Redis client by its kind and code. Its detail is left out: it may quote the command or the login.
pub fn describe_redis_error(error: &RedisError) -> String {
    let kind = error.kind();
    error.code().map_or_else(|| format!("{kind:?}"), |code| format!("{kind:?} ({code})"))
}
