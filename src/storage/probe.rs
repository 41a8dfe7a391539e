//! Whether Redis takes writes.

use std::time::Duration;

use redis::{Cmd, RedisError};

use super::connection::RedisHandle;
use super::error::StoreError;
use super::redis::Redis;

/// Time after which the value that a probe has written expires.
const PROBE_EXPIRY: Duration = Duration::from_secs(60);

/// What a probe has found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreProbe {
    /// Why the store refuses writes; `None` if it takes them.
    pub refusal: Option<WriteRefusal>,
    /// Number of values that the store has removed to make room since it was started; `None` if it does not say.
    pub evicted_keys: Option<u64>,
}

/// Why Redis refuses writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteRefusal {
    /// The server is a replica.
    ReadOnly,
    /// The memory limit is reached, and Redis removes nothing (`noeviction`).
    Full,
    /// Redis cannot write its files.
    NotPersisting,
    /// Too few replicas are connected (`min-replicas-to-write`).
    TooFewReplicas,
    /// Another error code.
    Other,
}

impl WriteRefusal {
    fn from_code(code: &str) -> Self {
        match code {
            "READONLY" => Self::ReadOnly,
            "OOM" => Self::Full,
            "MISCONF" => Self::NotPersisting,
            "NOREPLICAS" => Self::TooFewReplicas,
            _ => Self::Other,
        }
    }
}

impl Redis {
    /// Writes a small value that expires, and reads the number of evicted keys where the login may (`INFO`).
    ///
    /// # Errors
    /// Returns [`StoreError`] if Redis does not respond.
    pub async fn probe(&self) -> Result<StoreProbe, StoreError> {
        let (generation, mut handle) = self.handle().await?;
        let refusal = match self.connection.reply(generation, write_command(self.prefix()).query_async::<()>(&mut handle)).await {
            Ok(()) => None,
            Err(error) => {
                let reason = self.record_failure(generation, &error).await;
                Some(refusal(&error).ok_or(StoreError::ReplyLost(reason))?)
            }
        };
        Ok(StoreProbe { refusal, evicted_keys: self.connection.reply(generation, evicted_keys(&mut handle)).await })
    }
}

fn write_command(prefix: &str) -> Cmd {
    let mut command = redis::cmd("SET");
    command.arg(format!("{prefix}:probe")).arg(1).arg("EX").arg(PROBE_EXPIRY.as_secs());
    command
}

/// Returns why Redis has refused a write; `None` if it has not responded.
fn refusal(error: &RedisError) -> Option<WriteRefusal> {
    error.code().filter(|_| !error.is_io_error()).map(WriteRefusal::from_code)
}

/// Returns the number of evicted keys. A cluster has one for each server: it is left out.
async fn evicted_keys(handle: &mut RedisHandle) -> Option<u64> {
    if matches!(handle, RedisHandle::Cluster(_)) {
        return None;
    }
    let statistics: String = redis::cmd("INFO").arg("stats").query_async(handle).await.ok()?;
    statistics.lines().find_map(|line| line.strip_prefix("evicted_keys:"))?.trim().parse().ok()
}
