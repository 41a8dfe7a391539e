//! Commands and scripts on Redis, with one retry where an operation is idempotent.

use redis::{FromRedisValue, RedisResult, Script};

use super::connection::{Connection, RedisHandle};
use super::error::{StoreError, describe_redis_error};
use crate::observability::metrics;

/// A Redis deployment, and the prefix of the gateway's keys in it.
#[derive(Debug)]
pub struct Redis {
    pub(super) connection: Connection,
    prefix: String,
}

impl Redis {
    /// Returns the Redis at a URL: `redis://host:port/db`, `redis-sentinel://host:port,host:port/master/db` or
    /// `redis-cluster://host:port,host:port`. With TLS the scheme begins with `rediss`. A login `user:password@` precedes the hosts. `ca`
    /// contains the root certificates (PEM) to trust instead of those of the public web. The first command opens the connection.
    ///
    /// # Errors
    /// Returns a text without the password if the URL or a certificate is invalid.
    pub fn new(url: &str, ca: Option<Vec<u8>>, prefix: &str) -> Result<Self, String> {
        Ok(Self { connection: Connection::new(url, ca)?, prefix: prefix.to_owned() })
    }

    /// Returns the prefix of all keys.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Runs an idempotent operation. Repeats it once if the connection breaks.
    ///
    /// # Errors
    /// Returns [`StoreError::Unavailable`] if the operation had no effect, [`StoreError::ReplyLost`] if it may have taken effect.
    pub async fn run_with_retry<T, F: Future<Output = RedisResult<T>>>(
        &self,
        operation: impl Fn(RedisHandle) -> F,
    ) -> Result<T, StoreError> {
        match self.run_once(&operation).await {
            // The first attempt may have taken effect, even if the second attempt does not reach Redis.
            Err(StoreError::ReplyLost(_)) => self.run_once(&operation).await.map_err(|error| match error {
                StoreError::Unavailable(reason) => StoreError::ReplyLost(reason),
                error => error,
            }),
            result => result,
        }
    }

    /// Runs an operation without a retry.
    ///
    /// # Errors
    /// Returns [`StoreError::Unavailable`] if the operation had no effect, [`StoreError::ReplyLost`] if it may have taken effect.
    pub async fn run_once<T, F: Future<Output = RedisResult<T>>>(&self, operation: impl Fn(RedisHandle) -> F) -> Result<T, StoreError> {
        let (generation, handle) = self.connection.handle().await.inspect_err(|_| metrics::record_store_error())?;
        let is_cluster = matches!(handle, RedisHandle::Cluster(_));
        match operation(handle).await {
            Ok(output) => Ok(output),
            Err(error) => {
                metrics::record_store_error();
                self.connection.report_failure(generation, &error).await;
                let reason = describe_redis_error(&error);
                // Redis does not execute a command that it rejects with an error code. But the cluster client retries internally and
                // returns only the last error: an earlier attempt may have taken effect.
                let is_rejected = error.code().is_some() && !error.is_io_error() && !is_cluster;
                Err(if is_rejected { StoreError::Unavailable(reason) } else { StoreError::ReplyLost(reason) })
            }
        }
    }

    /// Runs an idempotent script. Repeats it once if the connection breaks.
    ///
    /// # Errors
    /// Returns [`StoreError::Unavailable`] if the script had no effect, [`StoreError::ReplyLost`] if it may have taken effect.
    pub async fn run_script<T: FromRedisValue>(&self, script: &Script, keys: &[String], arguments: &[String]) -> Result<T, StoreError> {
        self.run_with_retry(|handle| invoke_script(handle, script, keys, arguments)).await
    }
}

/// Runs a script on an open connection.
///
/// # Errors
/// Returns the error of the Redis client.
pub async fn invoke_script<T: FromRedisValue>(
    mut handle: RedisHandle,
    script: &Script,
    keys: &[String],
    arguments: &[String],
) -> RedisResult<T> {
    let mut invocation = script.prepare_invoke();
    for key in keys {
        invocation.key(key);
    }
    for argument in arguments {
        invocation.arg(argument);
    }
    invocation.invoke_async(&mut handle).await
}
