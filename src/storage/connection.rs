//! The connections to Redis: one for each runtime, opened by its first command and reopened after it broke.
//!
//! Each thread that serves requests has a runtime of its own. A command needs no other thread, and a thread that stops at shutdown breaks
//! no connection that others use.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::{AsyncConnectionConfig, Cmd, Pipeline, RedisError, RedisFuture, Value};
use tokio::runtime::{self, Handle};
use tokio::sync::Mutex;

use super::error::{StoreError, describe_redis_error};
use super::topology::{CONNECT_TIMEOUT, RESPONSE_TIMEOUT, Topology};

/// Time limit for finding the server and connecting to it.
const OPEN_TIMEOUT: Duration = Duration::from_secs(4);
/// Time for which a failure to connect is returned to callers without a new attempt, so that callers do not queue for a dead host.
const FAILURE_CACHE_DURATION: Duration = Duration::from_millis(250);
/// Time without a reply after which a caller that gives up shows that the connection is broken. The rate limits give up earlier: one slow
/// reply must not close the connection. Two calls in a row without a reply show it.
const STALL_TIME: Duration = Duration::from_millis(500);

/// An open connection. Clones share it.
#[derive(Clone)]
pub enum RedisHandle {
    /// Connection to one server: a single Redis, or the master that Sentinel named.
    Server(MultiplexedConnection),
    /// Connections to a cluster.
    Cluster(ClusterConnection),
}

impl ConnectionLike for RedisHandle {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(&'a mut self, pipeline: &'a Pipeline, offset: usize, count: usize) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        0
    }
}

/// Connections to a Redis deployment.
pub struct Connection {
    opener: Arc<Opener>,
    /// The connection of each runtime that has sent a command.
    slots: parking_lot::Mutex<HashMap<runtime::Id, Arc<Slot>>>,
}

/// Opens connections.
struct Opener {
    topology: Topology,
    /// Hosts and ports, for error texts.
    hosts: String,
    /// Number of connections opened so far, of all runtimes.
    opened: AtomicU64,
}

/// The connection of a runtime.
#[derive(Default)]
struct Slot {
    state: Mutex<State>,
    /// The last generation that did not reply to a caller in time.
    stalled_generation: AtomicU64,
    /// The generation that owes a reply, and the start of the first command since its last reply whose caller gave up.
    silent_since: parking_lot::Mutex<Option<(u64, Instant)>>,
}

#[derive(Default)]
struct State {
    /// The open connection with its generation.
    open: Option<(u64, RedisHandle)>,
    /// Time and reason of the last failure to connect.
    failure: Option<(Instant, String)>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.opener.topology.fmt(f)
    }
}

impl Connection {
    /// Returns a connection that is not opened yet. `ca` contains the root certificates (PEM) to trust instead of those of the public web.
    ///
    /// # Errors
    /// Returns a text without the password if the URL or a certificate is invalid.
    pub fn new(url: &str, ca: Option<Vec<u8>>) -> Result<Self, String> {
        let (topology, hosts) = Topology::parse(url, ca)?;
        Ok(Self::with(topology, hosts))
    }

    fn with(topology: Topology, hosts: String) -> Self {
        Self { opener: Arc::new(Opener { topology, hosts, opened: AtomicU64::new(0) }), slots: parking_lot::Mutex::default() }
    }

    /// Sets the login for the sentinels.
    ///
    /// # Errors
    /// Returns a text if the topology has no sentinels, or the password is empty.
    pub fn with_sentinel_login(self, username: Option<&str>, password: &str) -> Result<Self, String> {
        Ok(Self::with(self.opener.topology.clone().with_sentinel_login(username, password)?, self.opener.hosts.clone()))
    }

    /// Returns the connection of the current runtime.
    fn slot(&self) -> Arc<Slot> {
        Arc::clone(self.slots.lock().entry(Handle::current().id()).or_default())
    }

    /// Returns `true` if it leads to the servers of a cluster.
    pub fn is_cluster(&self) -> bool {
        matches!(self.opener.topology, Topology::Cluster(_))
    }

    /// Returns the open connection of the current runtime, or opens a new one, with its generation.
    ///
    /// # Errors
    /// Returns [`StoreError::Unavailable`] if no connection can be opened in time.
    pub async fn handle(&self) -> Result<(u64, RedisHandle), StoreError> {
        let slot = self.slot();
        let open = slot.usable(&*slot.state.lock().await);
        if let Some(open) = open {
            return Ok(open);
        }
        // A caller with a short timeout must not stop the attempt: then such callers alone could never reopen the connection.
        match tokio::spawn(open_in(slot, Arc::clone(&self.opener))).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            // The task is cancelled only together with its caller, at the end of the runtime.
            Err(_) => std::future::pending().await,
        }
    }

    /// Waits for a reply on the connection of a generation. If the caller gives up, and there was no reply for [`STALL_TIME`] since its command
    /// or an earlier one, the connection counts as broken: its peer may be gone without a trace, and the client's own timeout, which would
    /// show it, is longer than the caller's.
    pub async fn reply<T>(&self, generation: u64, reply: impl Future<Output = T>) -> T {
        let mut guard = StallGuard { slot: self.slot(), generation, started_at: Instant::now(), is_answered: false };
        let output = reply.await;
        guard.is_answered = true;
        output
    }

    /// Closes the connection of a generation if an error shows that it is broken, or that its server is no longer the master. The next
    /// command opens a new connection. A cluster client reconnects automatically.
    pub async fn report_failure(&self, generation: u64, error: &RedisError) {
        let is_broken = error.is_io_error()
            || error.is_connection_dropped()
            || error.is_unrecoverable_error()
            || matches!(error.code(), Some("READONLY" | "LOADING" | "MASTERDOWN"));
        let slot = self.slot();
        let mut state = slot.state.lock().await;
        if is_broken && matches!(&state.open, Some((open, RedisHandle::Server(_))) if *open == generation) {
            state.open = None;
        }
    }
}

impl Slot {
    /// Returns the open connection unless it has stalled. A cluster client reconnects automatically.
    fn usable(&self, state: &State) -> Option<(u64, RedisHandle)> {
        let stalled = self.stalled_generation.load(Ordering::Relaxed);
        state.open.clone().filter(|(generation, handle)| *generation > stalled || matches!(handle, RedisHandle::Cluster(_)))
    }
}

/// Reports a connection as stalled if it is dropped before the reply came, and none came for too long.
struct StallGuard {
    slot: Arc<Slot>,
    generation: u64,
    started_at: Instant,
    is_answered: bool,
}

impl Drop for StallGuard {
    fn drop(&mut self) {
        let mut silent_since = self.slot.silent_since.lock();
        let earlier = silent_since.filter(|(generation, _)| *generation == self.generation);
        if self.is_answered {
            if earlier.is_some() {
                *silent_since = None;
            }
            return;
        }
        let since = earlier.map_or(self.started_at, |(_, started_at)| started_at.min(self.started_at));
        if since.elapsed() >= STALL_TIME {
            self.slot.stalled_generation.fetch_max(self.generation, Ordering::Relaxed);
        }
        // A call that began on an earlier connection says nothing about this one.
        if silent_since.is_none_or(|(generation, _)| generation <= self.generation) {
            *silent_since = Some((self.generation, since));
        }
    }
}

/// Opens the connection of a runtime, unless it is open now or an attempt has failed just before.
///
/// # Errors
/// Returns [`StoreError::Unavailable`] if no connection can be opened in time.
async fn open_in(slot: Arc<Slot>, opener: Arc<Opener>) -> Result<(u64, RedisHandle), StoreError> {
    let mut state = slot.state.lock().await;
    if let Some(open) = slot.usable(&state) {
        return Ok(open);
    }
    if let Some((failed_at, reason)) = &state.failure
        && failed_at.elapsed() < FAILURE_CACHE_DURATION
    {
        return Err(StoreError::Unavailable(reason.clone()));
    }
    match tokio::time::timeout(OPEN_TIMEOUT, connect(opener.topology.clone())).await {
        Ok(Ok(handle)) => {
            let generation = opener.opened.fetch_add(1, Ordering::Relaxed) + 1;
            state.failure = None;
            state.open = Some((generation, handle.clone()));
            Ok((generation, handle))
        }
        failed => {
            let reason = match failed {
                Ok(result) => result.err().unwrap_or_default(),
                Err(_) => "connection timed out".to_owned(),
            };
            let reason = format!("{}: {reason}", opener.hosts);
            state.failure = Some((Instant::now(), reason.clone()));
            Err(StoreError::Unavailable(reason))
        }
    }
}

/// Opens a connection.
///
/// # Errors
/// Returns why that failed. The text says whether a sentinel or Redis itself has refused.
async fn connect(topology: Topology) -> Result<RedisHandle, String> {
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_TIMEOUT)).set_response_timeout(Some(RESPONSE_TIMEOUT));
    let redis_failure = |error| connect_failure_reason(&error);
    Ok(match topology {
        Topology::Single(client) => {
            RedisHandle::Server(client.get_multiplexed_async_connection_with_config(&config).await.map_err(redis_failure)?)
        }
        Topology::Sentinel(settings) => {
            let mut sentinels = settings.client().map_err(redis_failure)?;
            let master = sentinels.async_get_client().await.map_err(|error| sentinel_failure_reason(&error))?;
            RedisHandle::Server(
                master
                    .get_multiplexed_async_connection_with_config(&config)
                    .await
                    .map_err(|error| format!("the master that the sentinels name: {}", connect_failure_reason(&error)))?,
            )
        }
        Topology::Cluster(client) => RedisHandle::Cluster(client.get_async_connection().await.map_err(redis_failure)?),
    })
}

/// Returns why the sentinels did not name a master.
fn sentinel_failure_reason(error: &RedisError) -> String {
    let reason = connect_failure_reason(error);
    let remedy = match error.code() {
        Some("NOAUTH") => ". The sentinels require a login: set store.sentinel_password_file",
        Some("WRONGPASS" | "NOPERM") => ". Check store.sentinel_username and store.sentinel_password_file",
        _ if error.kind() == redis::ErrorKind::AuthenticationFailed => ". Check store.sentinel_username and store.sentinel_password_file",
        _ => "",
    };
    format!("the sentinel: {reason}{remedy}")
}

/// Returns why connecting failed: in full for network errors; by kind and code for errors of the server, which may quote the login.
fn connect_failure_reason(error: &RedisError) -> String {
    if error.is_io_error() { error.to_string() } else { describe_redis_error(error) }
}
