//! The Redis that replicas share, and what can go wrong with it. What is kept in it: [`crate::batches::repository`], [`crate::limits`].

mod connection;
pub mod encryption;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use ::redis::{FromRedisValue, RedisResult, Script};

pub use connection::RedisHandle;
use connection::{Connection, describe};
use encryption::KeyRing;

use crate::observability::metrics;

/// Why the store did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or refuses. Nothing was done.
    #[error("the store cannot be used: {0}")]
    Unavailable(String),
    /// The connection broke: it may have been done.
    #[error("the store's answer was lost: {0}")]
    AnswerLost(String),
    /// What is there cannot be read.
    #[error("the store holds something that cannot be read: {0}")]
    Unreadable(String),
}

/// What a store will have done.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// What replicas share, if they share anything, and the keys that seal what is put there.
#[derive(Debug, Clone)]
pub struct Storage {
    /// The Redis; without one, everything stays in this process.
    pub redis: Option<Arc<Redis>>,
    /// The keys.
    pub keys: Arc<KeyRing>,
}

impl Storage {
    /// Of a process that shares nothing.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn in_memory() -> Result<Self, String> {
        Ok(Self { redis: None, keys: Arc::new(KeyRing::random()?) })
    }

    /// Its name for people.
    pub const fn name(&self) -> &'static str {
        if self.redis.is_some() { "redis" } else { "memory" }
    }
}

/// A Redis, and what our keys in it begin with.
#[derive(Debug)]
pub struct Redis {
    connection: Connection,
    prefix: String,
}

impl Redis {
    /// The Redis at this address; `ca` are the authorities to trust instead of the web's (PEM). It is connected to when it is first
    /// needed.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn new(url: &str, ca: Option<Vec<u8>>, prefix: &str) -> Result<Self, String> {
        Ok(Self { connection: Connection::new(url, ca)?, prefix: prefix.to_owned() })
    }

    /// What keys begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Does something that can be done twice, and does it twice if the connection breaks.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn run<T, F: Future<Output = RedisResult<T>>>(&self, work: impl Fn(RedisHandle) -> F) -> Result<T, StoreError> {
        match self.run_once(&work).await {
            // The first attempt may have done it, whatever comes of the second.
            Err(StoreError::AnswerLost(_)) => self.run_once(&work).await.map_err(|error| match error {
                StoreError::Unavailable(problem) => StoreError::AnswerLost(problem),
                error => error,
            }),
            done => done,
        }
    }

    /// Does something once.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn run_once<T, F: Future<Output = RedisResult<T>>>(&self, work: impl Fn(RedisHandle) -> F) -> Result<T, StoreError> {
        let (number, open) = self.connection.open().await.inspect_err(|_| metrics::store_error())?;
        let is_cluster = matches!(open, RedisHandle::Cluster(_));
        match work(open).await {
            Ok(done) => Ok(done),
            Err(error) => {
                metrics::store_error();
                self.connection.failed(number, &error).await;
                let problem = describe(Some(&error));
                // A refusal in Redis's own words was not carried out. The client of a cluster tries again by itself, and tells
                // only of the last time.
                let refused = error.code().is_some() && !error.is_io_error() && !is_cluster;
                Err(if refused { StoreError::Unavailable(problem) } else { StoreError::AnswerLost(problem) })
            }
        }
    }

    /// Runs a script that can be run twice.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn script<T: FromRedisValue>(&self, script: &Script, keys: &[String], arguments: &[String]) -> Result<T, StoreError> {
        self.run(|open| invoke(open, script, keys, arguments)).await
    }
}

/// Runs a script over an open connection.
///
/// # Errors
/// Redis's own.
pub async fn invoke<T: FromRedisValue>(mut open: RedisHandle, script: &Script, keys: &[String], arguments: &[String]) -> RedisResult<T> {
    let mut invocation = script.prepare_invoke();
    for key in keys {
        invocation.key(key);
    }
    for argument in arguments {
        invocation.arg(argument);
    }
    invocation.invoke_async(&mut open).await
}
