//! The HTTP connections of an organisation. They are replaced when they are old, so that DNS is asked again, and when they lead to a server in
//! LRS's place.
//!
//! An HTTP client has a pool of connections, and the pool keeps a connection while it is used. Replacing the client closes the idle
//! connections; calls in progress complete on theirs.

use std::fmt;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Builds a client with a pool of its own.
type BuildClient = dyn Fn() -> Result<reqwest::Client, String> + Send + Sync;

/// The connections of an organisation, or of another purpose.
pub struct Connections {
    build: Box<BuildClient>,
    max_age: Duration,
    current: Mutex<Pool>,
}

/// A client and when its first connection may have been opened.
struct Pool {
    client: PooledClient,
    opened_at: Instant,
    is_closed: bool,
}

/// A client for one call, which knows its pool.
#[derive(Debug, Clone)]
pub struct PooledClient {
    /// The HTTP client.
    pub http: reqwest::Client,
    number: u64,
}

impl Connections {
    /// Creates connections that are used for at most this time after they were opened.
    ///
    /// # Errors
    /// Returns a text if no client can be built.
    pub fn new(max_age: Duration, build: impl Fn() -> Result<reqwest::Client, String> + Send + Sync + 'static) -> Result<Self, String> {
        let client = PooledClient { http: build()?, number: 0 };
        let pool = Pool { client, opened_at: Instant::now(), is_closed: false };
        Ok(Self { build: Box::new(build), max_age, current: Mutex::new(pool) })
    }

    /// Returns the client for the next call. If the pool is closed or too old, it is a new one.
    pub fn client(&self) -> PooledClient {
        let mut pool = self.current.lock();
        if !pool.is_closed && pool.opened_at.elapsed() < self.max_age {
            return pool.client.clone();
        }
        match (self.build)() {
            Ok(http) => pool.client = PooledClient { http, number: pool.client.number + 1 },
            // It was built before in the same way.
            Err(error) => tracing::error!(error, "connections not renewed: the HTTP client cannot be built"),
        }
        (pool.opened_at, pool.is_closed) = (Instant::now(), false);
        pool.client.clone()
    }

    /// Closes the pool that a call used, unless it was replaced in the meantime: the next call opens a new connection.
    pub fn close(&self, client: &PooledClient) {
        let mut pool = self.current.lock();
        pool.is_closed |= pool.client.number == client.number;
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("max_age", &self.max_age).finish_non_exhaustive()
    }
}
