//! Limits and timeouts of client connections.
//!
//! The framework limits the TLS handshake and the idle time between two requests. Bodies are limited where they are read
//! (`api::extract::body`). The reaper in this file closes connections whose request does not arrive, or starts and never completes, and
//! connections whose client does not read a response. It sends nothing: clients open spare connections, and a client that sends its first
//! request on one at that moment would take a 408 for a broken answer.

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
use parking_lot::Mutex;
use socket2::{SockRef, Socket};

use crate::tls;

/// Limits and timeouts of a server's client connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Timeout of a TLS handshake.
    pub handshake_timeout: Duration,
    /// Timeout for the headers of a request.
    pub header_timeout: Duration,
    /// Idle time between two requests, after which the connection is closed.
    pub keep_alive: Duration,
    /// Timeout for each chunk ([`CHUNK_BYTES`]) of a response, until the client has taken it.
    pub chunk_timeout: Duration,
    /// Maximum number of connections. Further clients wait until a connection ends.
    pub max_connections: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(5),
            header_timeout: Duration::from_secs(10),
            // Longer than load balancers keep idle connections, so that the load balancer closes them first.
            keep_alive: Duration::from_secs(75),
            chunk_timeout: Duration::from_secs(30),
            max_connections: 2_000,
        }
    }
}

/// Maximum number of TLS handshakes that a worker handles at the same time. Further connections wait. With a small number, a few slow
/// clients could keep all others out.
pub const MAX_CONCURRENT_HANDSHAKES: usize = 256;

/// Maximum size of one chunk of a response body, in bytes.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// Size up to which a body is written without chunks, in bytes. It fits into the connection's buffers; the keep-alive timeout limits how
/// long it stays there.
const MAX_UNCHUNKED_BYTES: u64 = 16 * 1024;

/// Interval at which the reaper looks for connections that are past their deadline.
const REAPER_INTERVAL: Duration = Duration::from_millis(500);

/// The open connections of a server.
#[derive(Debug)]
pub struct Connections {
    limits: ConnectionLimits,
    open: Mutex<Vec<Weak<Connection>>>,
}

impl Connections {
    /// Starts the reaper. It runs until the returned value is dropped. Must be called within a runtime.
    pub fn new(limits: ConnectionLimits) -> Arc<Self> {
        let connections = Arc::new(Self { limits, open: Mutex::default() });
        let reaped = Arc::downgrade(&connections);
        actix_web::rt::spawn(async move {
            loop {
                tokio::time::sleep(REAPER_INTERVAL).await;
                let Some(connections) = reaped.upgrade() else { return };
                connections.close_overdue(Instant::now());
            }
        });
        connections
    }

    /// Registers a new connection with the reaper, and attaches it to the connection's requests. Works with and without TLS.
    pub fn register(&self, connection: &dyn Any, data: &mut Extensions) {
        let Some(socket) = tls::tcp_stream(connection) else { return };
        match SockRef::from(socket).try_clone() {
            Ok(socket) => {
                let deadline = Instant::now() + self.limits.header_timeout;
                let connection = Arc::new(Connection { socket, limits: self.limits, deadline: Mutex::new(Some(deadline)) });
                self.open.lock().push(Arc::downgrade(&connection));
                data.insert(connection);
            }
            Err(error) => {
                tracing::warn!(%error, "connection without timeouts: its socket cannot be cloned. Check the limit of file descriptors");
            }
        }
    }

    fn close_overdue(&self, now: Instant) {
        self.open.lock().retain(|connection| connection.upgrade().inspect(|connection| connection.close_if_overdue(now)).is_some());
    }
}

/// One connection, as the reaper sees it.
#[derive(Debug)]
struct Connection {
    socket: Socket,
    limits: ConnectionLimits,
    /// When the reaper closes the connection. `None` while the client waits for the gateway.
    deadline: Mutex<Option<Instant>>,
}

impl Connection {
    /// Removes the deadline: the client waits for the gateway.
    fn clear_deadline(&self) {
        *self.deadline.lock() = None;
    }

    /// Sets the deadline for the client to take a chunk.
    fn expect_chunk_read(&self) {
        *self.deadline.lock() = Some(Instant::now() + self.limits.chunk_timeout);
    }

    /// Sets the deadline for the client's next request, with all its headers.
    fn expect_request(&self) {
        *self.deadline.lock() = Some(Instant::now() + self.limits.keep_alive + self.limits.header_timeout);
    }

    /// Closes the connection if its deadline has passed.
    fn close_if_overdue(&self, now: Instant) {
        if self.deadline.lock().take_if(|deadline| *deadline <= now).is_some() {
            tracing::info!("connection closed: the client took too long to send a request or to take a response");
            // With a linger time of zero, the system discards the bytes that the client did not take. The task that serves the connection
            // then finds it closed.
            let _ = self.socket.set_linger(Some(Duration::ZERO));
            let _ = self.socket.shutdown(Shutdown::Both);
        }
    }
}

/// A request that is being answered. While it lives, its connection has no deadline; when it is dropped, the connection's next request is
/// due.
#[derive(Debug)]
pub struct ActiveRequest(Option<Arc<Connection>>);

impl ActiveRequest {
    /// Starts the answer to a request.
    pub fn start(request: &ServiceRequest) -> Self {
        let connection = request.conn_data::<Arc<Connection>>().cloned();
        if let Some(connection) = &connection {
            connection.clear_deadline();
        }
        Self(connection)
    }

    /// Limits the time that the client may take for a response body. A large body is handed to the connection in chunks, so that the
    /// buffers never hold more than one chunk.
    pub fn limit_body(self, body: BoxBody) -> BoxBody {
        match body.size() {
            BodySize::None => body,
            BodySize::Sized(length) if length <= MAX_UNCHUNKED_BYTES => body,
            _ => BoxBody::new(ChunkedBody { body, remaining: Bytes::new(), request: self }),
        }
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        if let Some(connection) = &self.0 {
            connection.expect_request();
        }
    }
}

/// A response body that is handed over chunk by chunk.
struct ChunkedBody {
    body: BoxBody,
    /// The rest of the piece that `body` returned last.
    remaining: Bytes,
    request: ActiveRequest,
}

impl MessageBody for ChunkedBody {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        if this.remaining.is_empty() {
            if let Some(connection) = &this.request.0 {
                connection.clear_deadline();
            }
            match ready!(Pin::new(&mut this.body).poll_next(context)) {
                Some(Ok(bytes)) => this.remaining = bytes,
                end => return Poll::Ready(end),
            }
        }
        if let Some(connection) = &this.request.0 {
            connection.expect_chunk_read();
        }
        Poll::Ready(Some(Ok(this.remaining.split_to(CHUNK_BYTES.min(this.remaining.len())))))
    }
}
