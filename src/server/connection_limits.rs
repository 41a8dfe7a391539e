//! Connections: how many there may be, and how long a client may take.
//!
//! The framework bounds the TLS handshake, the headers of a connection's first request, and the pause between two requests; bodies are
//! bounded where they are read (`api::body`). Two things it leaves open are bounded here, by ending the connection: a later request that
//! begins and never comes to its end, and an answer that nobody takes.

use std::any::Any;
use std::error::Error;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest};
use actix_web::web::Bytes;
use parking_lot::{Mutex, MutexGuard};
use socket2::{SockRef, Socket};

use crate::tls;

/// What a server grants its clients.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// For a TLS handshake.
    pub handshake: Duration,
    /// For the headers of a request.
    pub headers: Duration,
    /// Between two requests.
    pub keep_alive: Duration,
    /// For taking each [`PIECE`] of an answer.
    pub piece: Duration,
    /// Most connections at once. More wait until there is room.
    pub connections: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            headers: Duration::from_secs(10),
            // Longer than load balancers keep idle connections, so that they are the ones to close them.
            keep_alive: Duration::from_secs(75),
            piece: Duration::from_secs(30),
            connections: 2_000,
        }
    }
}

/// Handshakes that a worker works at together. Connections beyond wait, so that few cannot keep all others out.
pub const MAX_CONCURRENT_HANDSHAKES: usize = 256;

/// How much of an answer is handed over at a time.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// Shorter answers go into the buffers of a connection at once: how long they stay there is bounded as the pause between requests is.
const SHORT: u64 = 16 * 1024;

/// How often it is looked who takes too long.
const REAPER_INTERVAL: Duration = Duration::from_millis(500);

/// A connection that can be ended.
#[derive(Debug)]
struct Connection {
    socket: Socket,
    bounds: ConnectionLimits,
    /// When it is ended; never while it is the gateway that somebody waits for.
    due: Mutex<Option<Instant>>,
}

impl Connection {
    fn due(&self) -> MutexGuard<'_, Option<Instant>> {
        self.due.lock()
    }

    /// Nothing is wanted of the client now.
    fn wait(&self) {
        *self.due() = None;
    }

    /// The client is to take something.
    fn give(&self) {
        *self.due() = Some(Instant::now() + self.bounds.piece);
    }

    /// The next request may come.
    fn rest(&self) {
        *self.due() = Some(Instant::now() + self.bounds.keep_alive + self.bounds.headers);
    }

    /// Ends it if it is time to.
    fn end_if_due(&self, now: Instant) {
        if self.due().take_if(|due| *due <= now).is_some() {
            tracing::info!("a connection is ended: the client took too long to send a request or to take an answer");
            // Without time to linger, what the client did not take is not kept for it any longer. Whoever works at the connection finds
            // it closed.
            let _ = self.socket.set_linger(Some(Duration::ZERO));
            let _ = self.socket.shutdown(Shutdown::Both);
        }
    }
}

/// Every connection of a server.
#[derive(Debug)]
pub struct Connections {
    bounds: ConnectionLimits,
    open: Mutex<Vec<Weak<Connection>>>,
}

impl Connections {
    /// Those of a server with these bounds; they are looked after for as long as it is there. Must be called within a runtime.
    pub fn new(bounds: ConnectionLimits) -> Arc<Self> {
        let connections = Arc::new(Self { bounds, open: Mutex::default() });
        let watched = Arc::downgrade(&connections);
        actix_web::rt::spawn(async move {
            loop {
                tokio::time::sleep(REAPER_INTERVAL).await;
                let Some(connections) = watched.upgrade() else { return };
                connections.look(Instant::now());
            }
        });
        connections
    }

    fn open(&self) -> MutexGuard<'_, Vec<Weak<Connection>>> {
        self.open.lock()
    }

    fn look(&self, now: Instant) {
        self.open().retain(|connection| connection.upgrade().inspect(|connection| connection.end_if_due(now)).is_some());
    }

    /// Remembers a new connection, with or without TLS, for its requests and to look after.
    pub fn remember(&self, connection: &dyn Any, data: &mut Extensions) {
        let Some(socket) = tls::tcp_of(connection) else { return };
        match SockRef::from(socket).try_clone() {
            Ok(socket) => {
                let connection = Arc::new(Connection { socket, bounds: self.bounds, due: Mutex::new(None) });
                connection.rest();
                self.open().push(Arc::downgrade(&connection));
                data.insert(connection);
            }
            Err(error) => tracing::warn!(%error, "a connection cannot be looked after: are there enough file descriptors?"),
        }
    }
}

/// Somebody waits for the answer to a request; dropped, for the next one.
#[derive(Debug)]
pub struct ActiveRequest(Option<Arc<Connection>>);

impl ActiveRequest {
    /// A request has come.
    pub fn with(request: &ServiceRequest) -> Self {
        let connection = request.conn_data::<Arc<Connection>>().cloned();
        if let Some(connection) = &connection {
            connection.wait();
        }
        Self(connection)
    }

    /// A body that its client must take in time. It is handed over in pieces, so that no more of it lies in buffers.
    pub fn body(self, body: BoxBody) -> BoxBody {
        match body.size() {
            BodySize::None => body,
            BodySize::Sized(length) if length <= SHORT => body,
            _ => BoxBody::new(ChunkedBody { body, rest: Bytes::new(), busy: self }),
        }
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        if let Some(connection) = &self.0 {
            connection.rest();
        }
    }
}

/// A body, handed over piece by piece.
struct ChunkedBody {
    body: BoxBody,
    rest: Bytes,
    busy: ActiveRequest,
}

impl MessageBody for ChunkedBody {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            if let Some(connection) = &this.busy.0 {
                connection.wait();
            }
            match ready!(Pin::new(&mut this.body).poll_next(context)) {
                Some(Ok(bytes)) => this.rest = bytes,
                end => return Poll::Ready(end),
            }
        }
        if let Some(connection) = &this.busy.0 {
            connection.give();
        }
        Poll::Ready(Some(Ok(this.rest.split_to(CHUNK_BYTES.min(this.rest.len())))))
    }
}
