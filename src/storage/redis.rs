//! Commands and scripts on Redis, with one retry where an operation is idempotent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{FromRedisValue, RedisError, RedisResult, Script};
use tokio::sync::Mutex;

use super::connection::{Connection, RedisHandle};
use super::error::{StoreError, describe_redis_error};
use super::inspection::{Inspection, StoreFault, inspect};
use crate::observability::metrics;

/// Time after which an inspection is repeated. It is also repeated on each other connection: it may lead to another server, or Redis may
/// have restarted with other settings.
pub const INSPECTION_INTERVAL: Duration = Duration::from_secs(60);

/// A Redis deployment, and the prefix of the gateway's keys in it.
#[derive(Debug)]
pub struct Redis {
    pub(super) connection: Connection,
    prefix: String,
    accept_volatile: bool,
    inspections: Mutex<Inspections>,
}

/// The inspections of the last time.
#[derive(Debug, Default)]
struct Inspections {
    /// Those of the last [`INSPECTION_INTERVAL`], by the generation of their connection.
    recent: HashMap<u64, Inspected>,
    /// The last one of any connection.
    last: Option<Arc<Inspection>>,
}

/// An inspection with its time.
#[derive(Debug)]
struct Inspected {
    at: Instant,
    inspection: Arc<Inspection>,
}

impl Inspected {
    fn is_recent(&self) -> bool {
        self.at.elapsed() < INSPECTION_INTERVAL
    }
}

impl Redis {
    /// Returns the Redis at a URL: `redis://host:port/db`, `redis-sentinel://host:port,host:port/master/db` or
    /// `redis-cluster://host:port,host:port`. With TLS the scheme begins with `rediss`. A login `user:password@` precedes the hosts. `ca`
    /// contains the root certificates (PEM) to trust instead of those of the public web. The first command opens the connection.
    ///
    /// # Errors
    /// Returns a text without the password if the URL or a certificate is invalid.
    pub fn new(url: &str, ca: Option<Vec<u8>>, prefix: &str) -> Result<Self, String> {
        let connection = Connection::new(url, ca)?;
        Ok(Self { connection, prefix: prefix.to_owned(), accept_volatile: false, inspections: Mutex::default() })
    }

    /// Sets the login for the sentinels.
    ///
    /// # Errors
    /// Returns a text if the URL names no sentinels, or the password is empty.
    pub fn with_sentinel_login(self, username: Option<&str>, password: &str) -> Result<Self, String> {
        Ok(Self { connection: self.connection.with_sentinel_login(username, password)?, ..self })
    }

    /// Sets whether a Redis that can lose confirmed data is used for batches and idempotency keys.
    #[must_use]
    pub fn accept_volatile(self, accept_volatile: bool) -> Self {
        Self { accept_volatile, ..self }
    }

    /// Returns `true` if a Redis that can lose confirmed data is used nevertheless.
    pub const fn accepts_volatile(&self) -> bool {
        self.accept_volatile
    }

    /// Inspects Redis, or returns the last inspection over the same connection if it is recent. Logs what has changed.
    ///
    /// # Errors
    /// Returns [`StoreError`] if Redis does not reply.
    pub async fn inspect(&self) -> Result<Arc<Inspection>, StoreError> {
        let (generation, handle) = self.handle().await?;
        let mut inspections = self.inspections.lock().await;
        if let Some(recent) = inspections.recent.get(&generation).filter(|inspected| inspected.is_recent()) {
            return Ok(Arc::clone(&recent.inspection));
        }
        let inspection = match self.connection.reply(generation, inspect(handle)).await {
            Ok(inspection) => Arc::new(inspection),
            Err(error) => return Err(StoreError::Unavailable(self.record_failure(generation, &error).await)),
        };
        inspections.recent.retain(|_, inspected| inspected.is_recent());
        inspections.recent.insert(generation, Inspected { at: Instant::now(), inspection: Arc::clone(&inspection) });
        let last = inspections.last.replace(Arc::clone(&inspection));
        self.log_changes(last.as_deref(), &inspection);
        Ok(inspection)
    }

    /// Checks that Redis keeps what it confirms, as far as that is known and required.
    ///
    /// # Errors
    /// Returns [`StoreError::NotDurable`] if Redis can lose data and that is not accepted, [`StoreError::Unavailable`] if it does not reply.
    pub async fn ensure_durable(&self) -> Result<(), StoreError> {
        let inspection = self.inspect().await?;
        let volatile = inspection.sentences(StoreFault::is_volatile);
        if volatile.is_empty() || self.accept_volatile { Ok(()) } else { Err(StoreError::NotDurable(volatile.join(" "))) }
    }

    fn log_changes(&self, last: Option<&Inspection>, current: &Inspection) {
        let volatile = current.sentences(StoreFault::is_volatile).join(" ");
        let unusable = current.sentences(|fault| !fault.is_volatile()).join(" ");
        let unchecked = current.unchecked.join(" ");
        let changed = |text: &str, of_last: fn(&Inspection) -> String| last.map(of_last).unwrap_or_default() != text;
        if changed(&volatile, |last| last.sentences(StoreFault::is_volatile).join(" ")) {
            if volatile.is_empty() {
                if unchecked.is_empty() {
                    tracing::info!("store durable again");
                } else {
                    tracing::info!(reason = unchecked, "store fault no longer found: store not fully checked");
                }
            } else if self.accept_volatile {
                tracing::warn!(fault = volatile, "store not durable: accepted by store.accept_volatile");
            } else {
                tracing::error!(fault = volatile, "store not durable: batches and idempotency keys are refused");
            }
        }
        if changed(&unusable, |last| last.sentences(|fault| !fault.is_volatile()).join(" ")) {
            if unusable.is_empty() {
                tracing::info!("store takes writes again");
            } else {
                tracing::error!(fault = unusable, "store takes no writes");
            }
        }
        if !unchecked.is_empty() && changed(&unchecked, |last| last.unchecked.join(" ")) {
            tracing::warn!(reason = unchecked, "store not fully checked");
        }
    }

    /// Returns `true` if the keys are spread over the servers of a cluster.
    pub fn is_cluster(&self) -> bool {
        self.connection.is_cluster()
    }

    /// Returns the prefix of all keys.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Opens the connection of the current runtime, so that its first command need not wait for it. A failure is counted; commands report it.
    pub async fn connect(&self) {
        let _ = self.handle().await;
    }

    /// Returns the open connection, or opens a new one, with its generation. Counts a failure.
    ///
    /// # Errors
    /// Returns [`StoreError::Unavailable`] if no connection can be opened in time.
    pub(super) async fn handle(&self) -> Result<(u64, RedisHandle), StoreError> {
        self.connection.handle().await.inspect_err(|_| metrics::record_store_error())
    }

    /// Counts a failed command, and closes its connection if the error shows that it is broken. Returns the reason without data.
    pub(super) async fn record_failure(&self, generation: u64, error: &RedisError) -> String {
        metrics::record_store_error();
        self.connection.report_failure(generation, error).await;
        describe_redis_error(error)
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
            Err(StoreError::ReplyLost(_)) => Box::pin(self.run_once(&operation)).await.map_err(|error| match error {
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
        let (generation, handle) = self.handle().await?;
        let is_cluster = matches!(handle, RedisHandle::Cluster(_));
        // On the heap: a future that is handed on is moved, and takes its size twice.
        match self.connection.reply(generation, Box::pin(operation(handle))).await {
            Ok(output) => Ok(output),
            Err(error) => {
                let reason = self.record_failure(generation, &error).await;
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
