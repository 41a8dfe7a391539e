//! The HTTP connections of an organisation. A call takes one that is idle or opens one, and returns it after the response.
//!
//! Each thread that serves requests has a runtime of its own, and a connection is used by the runtime only that opened it. So a call needs no
//! other thread, and a connection lives as long as the calls over it: a thread that stops at shutdown breaks nothing of other threads.
//!
//! Connections are replaced when they are old, so that DNS is asked again, and when they lead to a server in LRS's place. Calls in progress
//! complete on theirs.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, Response, Uri};
use parking_lot::Mutex;
use tokio::runtime::{self, Handle};
use tokio::time::Instant;

/// Time after which an idle connection is not used any more: many servers and firewalls close it after 60 seconds.
const IDLE_TIMEOUT: Duration = Duration::from_secs(55);
/// Maximum number of idle connections. The one that is idle for the longest time is closed first.
const MAX_IDLE: usize = 32;

/// An error of any type.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The side of an HTTP connection that sends requests.
pub type RequestSender = SendRequest<Full<Bytes>>;

/// Opens HTTP connections.
pub trait Connect: Send + Sync {
    /// Opens a connection to the server of this address. The current runtime drives it.
    ///
    /// # Errors
    /// Returns why there is no connection.
    fn connect<'c>(&'c self, server: &'c Uri) -> BoxFuture<'c, Result<RequestSender, BoxError>>;
}

/// The reason why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No connection was established, or it was closed before the request was written. Nothing was sent.
    #[error("no connection")]
    Connect(#[source] BoxError),
    /// The connection failed. The request may have been sent.
    #[error("no response")]
    Exchange(#[source] hyper::Error),
}

/// The connections of an organisation, or of another purpose.
pub struct Connections {
    connector: Box<dyn Connect>,
    max_age: Duration,
    /// Only connections of the current generation are used again.
    generation: AtomicU64,
    idle: Arc<Mutex<IdleConnections>>,
}

/// Connections without a call, the one that was used last at the end.
#[derive(Default)]
struct IdleConnections {
    connections: Vec<Connection>,
    /// Alive while a task closes those that expire. It dies with the task, even if the task's runtime ends first.
    watcher: Weak<()>,
}

/// An open connection.
struct Connection {
    sender: RequestSender,
    server: Uri,
    runtime: runtime::Id,
    generation: u64,
    opened_at: Instant,
    used_at: Instant,
}

/// A response with the connection on which its body arrives. If this is dropped before the body was read, the connection is closed.
pub struct Exchange<'c> {
    /// The response.
    pub response: Response<Incoming>,
    connection: Connection,
    connections: &'c Connections,
}

impl Connections {
    /// Creates connections that are used for at most this time after they were opened.
    pub fn new(max_age: Duration, connector: impl Connect + 'static) -> Self {
        Self { connector: Box::new(connector), max_age, generation: AtomicU64::new(0), idle: Arc::default() }
    }

    /// Returns the generation of the connections that a call would use now.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Closes the connections of this generation, unless that has happened before: the next call opens a new connection.
    pub fn close(&self, generation: u64) {
        if self.generation.compare_exchange(generation, generation + 1, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.idle.lock().connections.clear();
        }
    }

    /// Sends a request to the server of this address, once.
    ///
    /// The server may close an idle connection at any time. If it has done so before anything of the request was written, the request is sent
    /// on another connection: that cannot execute it twice.
    ///
    /// # Errors
    /// Returns [`SendError`] if there is no response.
    pub async fn send(&self, server: &Uri, mut request: Request<Full<Bytes>>) -> Result<Exchange<'_>, SendError> {
        let (mut connection, mut is_new) = match self.take(server) {
            Some(connection) => (connection, false),
            None => (self.open(server).await?, true),
        };
        loop {
            let mut error = match connection.sender.try_send_request(request).await {
                Ok(response) => return Ok(Exchange { response, connection, connections: self }),
                Err(error) => error,
            };
            match error.take_message() {
                Some(unsent) if !is_new => request = unsent,
                // hyper hands back only what it has not begun to write.
                Some(_) => return Err(SendError::Connect(error.into_error().into())),
                None => return Err(SendError::Exchange(error.into_error())),
            }
            (connection, is_new) = (self.open(server).await?, true);
        }
    }

    async fn open(&self, server: &Uri) -> Result<Connection, SendError> {
        let generation = self.generation();
        let sender = self.connector.connect(server).await.map_err(SendError::Connect)?;
        let (runtime, now) = (Handle::current().id(), Instant::now());
        Ok(Connection { sender, server: server.clone(), runtime, generation, opened_at: now, used_at: now })
    }

    /// Takes the idle connection of this runtime that was used last. Those that cannot be used are closed.
    fn take(&self, server: &Uri) -> Option<Connection> {
        let runtime = Handle::current().id();
        let mut idle = self.idle.lock();
        loop {
            let is_own = |connection: &Connection| connection.runtime == runtime && connection.server == *server;
            let connection = idle.connections.iter().rposition(is_own).map(|position| idle.connections.remove(position))?;
            // Not ready: the server has closed it, or it sent its last response before it had read the whole request.
            if connection.sender.is_ready() && self.is_usable(&connection) {
                return Some(connection);
            }
        }
    }

    fn is_usable(&self, connection: &Connection) -> bool {
        connection.generation == self.generation() && connection.opened_at.elapsed() < self.max_age && !connection.has_expired()
    }

    /// Keeps a connection for the next call.
    fn put(&self, mut connection: Connection) {
        connection.used_at = Instant::now();
        if !self.is_usable(&connection) {
            return;
        }
        let mut idle = self.idle.lock();
        if idle.connections.len() == MAX_IDLE {
            idle.connections.remove(0);
        }
        idle.connections.push(connection);
        if idle.watcher.strong_count() == 0 {
            let watcher = Arc::new(());
            idle.watcher = Arc::downgrade(&watcher);
            tokio::spawn(watch(Arc::downgrade(&self.idle), watcher));
        }
    }
}

impl Connection {
    fn expires_at(&self) -> Instant {
        self.used_at + IDLE_TIMEOUT
    }

    fn has_expired(&self) -> bool {
        self.expires_at() <= Instant::now()
    }
}

impl IdleConnections {
    /// Closes the connections that have expired. Returns when the next one expires.
    fn close_expired(&mut self) -> Option<Instant> {
        self.connections.retain(|connection| !connection.has_expired());
        self.connections.iter().map(Connection::expires_at).min()
    }
}

/// Closes idle connections when they expire, until there are none.
async fn watch(idle: Weak<Mutex<IdleConnections>>, watcher: Arc<()>) {
    let mut next = Instant::now() + IDLE_TIMEOUT;
    loop {
        tokio::time::sleep_until(next).await;
        let Some(idle) = idle.upgrade() else { return };
        let mut idle = idle.lock();
        let Some(expiry) = idle.close_expired() else {
            // Before the lock is released: the next idle connection needs another watcher.
            drop(watcher);
            return;
        };
        next = expiry;
    }
}

impl Exchange<'_> {
    /// Returns the connection for the next call. The whole body must have been read.
    pub fn complete(self) {
        self.connections.put(self.connection);
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("max_age", &self.max_age).finish_non_exhaustive()
    }
}

impl fmt::Debug for Exchange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("response", &self.response).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use futures_util::future::join;
    use hyper::client::conn::http1::handshake;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::sync::mpsc;

    use super::*;

    /// Opens connections whose other side a test gets.
    struct TestConnector(mpsc::UnboundedSender<DuplexStream>);

    impl Connect for TestConnector {
        fn connect<'c>(&'c self, _: &'c Uri) -> BoxFuture<'c, Result<RequestSender, BoxError>> {
            Box::pin(async {
                let (client, server) = duplex(4096);
                self.0.send(server)?;
                let (sender, connection) = handshake(TokioIo::new(client)).await?;
                tokio::spawn(connection.map(drop));
                Ok(sender)
            })
        }
    }

    /// The connections under test, and the server's side of those that were opened.
    struct Fixture {
        connections: Connections,
        opened: mpsc::UnboundedReceiver<DuplexStream>,
    }

    impl Fixture {
        fn new() -> Self {
            let (sender, opened) = mpsc::unbounded_channel();
            Self { connections: Connections::new(Duration::from_secs(300), TestConnector(sender)), opened }
        }

        /// Sends a request.
        async fn send(&self) -> Result<Exchange<'_>, SendError> {
            self.connections.send(&Uri::from_static("http://lrs.example/"), Request::new(Full::from("a write"))).await
        }

        /// Makes a call over a new connection. Returns the server's side of the connection, which is idle now.
        async fn make_idle_connection(&mut self) -> DuplexStream {
            let (exchange, mut server) = join(self.connections.send(&Uri::from_static("http://lrs.example/"), Request::default()), async {
                let mut server = self.opened.recv().await.expect("a connection is opened");
                answer(&mut server).await;
                server
            })
            .await;
            exchange.expect("a response").complete();
            assert_eq!(self.connections.idle.lock().connections.len(), 1);
            assert!(server.read(&mut [0]).now_or_never().is_none(), "the connection is open");
            server
        }

        fn assert_nothing_opened(&mut self) {
            assert!(self.opened.try_recv().is_err(), "another connection was opened");
        }
    }

    /// Reads a request.
    async fn receive(server: &mut DuplexStream) {
        assert!(server.read(&mut [0; 4096]).await.is_ok_and(|length| length > 0), "a request arrives");
    }

    /// Reads a request and sends an empty response.
    async fn answer(server: &mut DuplexStream) {
        receive(server).await;
        server.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.expect("the connection is open");
    }

    #[tokio::test]
    async fn idle_connection_is_used_again() {
        let mut fixture = Fixture::new();
        let mut server = fixture.make_idle_connection().await;
        let (exchange, ()) = join(fixture.send(), answer(&mut server)).await;
        exchange.expect("a response");
        fixture.assert_nothing_opened();
    }

    #[tokio::test]
    async fn request_is_sent_on_new_connection_if_server_closed_the_idle_one() {
        let mut fixture = Fixture::new();
        // The gateway cannot know it yet: the task that drives the connection did not run since.
        drop(fixture.make_idle_connection().await);
        let (connections, opened) = (&fixture.connections, &mut fixture.opened);
        let (exchange, mut server) = join(connections.send(&Uri::from_static("http://lrs.example/"), Request::default()), async {
            let mut server = opened.recv().await.expect("a connection is opened");
            answer(&mut server).await;
            server
        })
        .await;
        exchange.expect("a response");
        assert!(server.read(&mut [0]).now_or_never().is_none_or(|read| read.is_ok_and(|length| length == 0)), "one request was sent");
        fixture.assert_nothing_opened();
    }

    #[tokio::test]
    async fn request_that_server_may_have_read_is_not_sent_again() {
        let mut fixture = Fixture::new();
        let server = fixture.make_idle_connection().await;
        let (result, ()) = join(fixture.send(), async move {
            let mut server = server;
            receive(&mut server).await;
        })
        .await;
        assert!(matches!(result, Err(SendError::Exchange(_))), "{result:?}");
        fixture.assert_nothing_opened();
    }

    #[tokio::test]
    async fn request_that_a_new_connection_did_not_take_was_not_sent() {
        let mut fixture = Fixture::new();
        let (connections, opened) = (&fixture.connections, &mut fixture.opened);
        let server = Uri::from_static("http://lrs.example/");
        // The server closes the connection before the task that drives it has run.
        let (result, ()) = join(connections.send(&server, Request::new(Full::from("a write"))), async {
            drop(opened.recv().await.expect("a connection is opened"));
        })
        .await;
        assert!(matches!(result, Err(SendError::Connect(_))), "{result:?}");
        fixture.assert_nothing_opened();
    }

    #[tokio::test]
    async fn call_that_is_given_up_closes_its_connection() {
        let mut fixture = Fixture::new();
        let mut server = fixture.make_idle_connection().await;
        tokio::select! {
            _ = fixture.send() => panic!("there is no response"),
            () = receive(&mut server) => {}
        }
        assert!(server.read(&mut [0]).await.is_ok_and(|length| length == 0), "the connection is closed");
        assert!(fixture.connections.idle.lock().connections.is_empty());
    }

    #[tokio::test]
    async fn response_whose_body_is_not_read_closes_its_connection() {
        let mut fixture = Fixture::new();
        let mut server = fixture.make_idle_connection().await;
        let (exchange, ()) = join(fixture.send(), async {
            receive(&mut server).await;
            server.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await.expect("the connection is open");
        })
        .await;
        drop(exchange);
        assert!(server.read(&mut [0]).await.is_ok_and(|length| length == 0), "the connection is closed");
    }

    #[test]
    fn connection_is_used_by_its_own_runtime_only() {
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (first, second, mut fixture) = (runtime(), runtime(), Fixture::new());
        let _server = first.block_on(fixture.make_idle_connection());
        let server = Uri::from_static("http://lrs.example/");
        assert!(second.block_on(async { fixture.connections.take(&server).is_none() }));
        assert!(first.block_on(async { fixture.connections.take(&server).is_some() }));
    }

    #[tokio::test]
    async fn connection_of_another_server_is_not_used() {
        let mut fixture = Fixture::new();
        let _server = fixture.make_idle_connection().await;
        for other in ["https://lrs.example/", "http://lrs.example:81/", "http://other.example/"] {
            assert!(fixture.connections.take(&Uri::from_static(other)).is_none(), "{other}");
        }
    }

    #[tokio::test]
    async fn connection_that_is_idle_for_too_long_is_closed() {
        let mut fixture = Fixture::new();
        let mut server = fixture.make_idle_connection().await;
        let make_older = |connections: &Connections| connections.idle.lock().connections[0].used_at -= IDLE_TIMEOUT / 2;
        make_older(&fixture.connections);
        let next = fixture.connections.idle.lock().close_expired().expect("the connection is kept");
        assert!(next <= Instant::now() + IDLE_TIMEOUT / 2, "the watcher must not sleep for the whole timeout");
        make_older(&fixture.connections);
        assert_eq!(fixture.connections.idle.lock().close_expired(), None);
        assert!(server.read(&mut [0]).await.is_ok_and(|length| length == 0), "the connection is closed");
    }

    #[test]
    fn idle_connections_are_watched_again_after_the_runtime_of_their_watcher_ended() {
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (first, second, mut fixture) = (runtime(), runtime(), Fixture::new());
        let watchers = |fixture: &Fixture| fixture.connections.idle.lock().watcher.strong_count();
        drop(first.block_on(fixture.make_idle_connection()));
        assert_eq!(watchers(&fixture), 1);
        drop(first);
        assert_eq!(watchers(&fixture), 0);
        fixture.connections.close(0);
        let _server = second.block_on(fixture.make_idle_connection());
        assert_eq!(watchers(&fixture), 1);
    }

    #[tokio::test]
    async fn idle_connections_are_at_most_the_maximum() {
        let mut fixture = Fixture::new();
        let mut servers = Vec::new();
        let mut taken = Vec::new();
        for _ in 0..=MAX_IDLE {
            servers.push(fixture.make_idle_connection().await);
            taken.extend(fixture.connections.take(&Uri::from_static("http://lrs.example/")));
        }
        for connection in taken {
            fixture.connections.put(connection);
        }
        assert_eq!(fixture.connections.idle.lock().connections.len(), MAX_IDLE);
        assert!(servers[0].read(&mut [0]).await.is_ok_and(|length| length == 0), "the oldest is closed");
    }
}
