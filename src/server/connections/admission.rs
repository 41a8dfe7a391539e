//! Admission of new connections, and the reaper that closes overdue ones.
//!
//! A connection is idle while no request is being answered on it. When the maximum number of connections is open, the longest idle one is
//! closed for a new one: clients that hold connections and do little with them cannot keep others out. If none is idle, one whose client does
//! not take its answer, or does not send its body, is. If all are busy, new connections wait. A client address has a limit of its own.
//!
//! A closed connection gets no answer: clients open spare connections, and a client that sends its first request on one at that moment
//! would take a 408 for a broken answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::rt::net::TcpStream;
use parking_lot::Mutex;

use crate::observability::metrics::{self, ConnectionEnd};
use crate::server::client_address::{Client, TrustedProxies};
use crate::server::connection_limits::ConnectionLimits;
use crate::server::connections::open::{Added, OpenConnections};
use crate::server::connections::socket::ClientSocket;

/// Interval at which the reaper looks for connections that are past their deadline.
const REAPER_INTERVAL: Duration = Duration::from_millis(500);

/// Minimum interval between two log lines about the same limit.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Admits the connections of a server.
#[derive(Debug)]
pub struct Connections {
    listener: &'static str,
    limits: ConnectionLimits,
    proxies: TrustedProxies,
    open: Arc<OpenConnections>,
    limit_warning: Warning,
    client_warning: Warning,
}

impl Connections {
    /// Starts the reaper. It runs until the returned value is dropped. Must be called within a runtime.
    pub fn new(listener: &'static str, limits: ConnectionLimits, proxies: TrustedProxies) -> Arc<Self> {
        let open = Arc::new(OpenConnections::new(listener, limits));
        let connections =
            Arc::new(Self { listener, limits, proxies, open, limit_warning: Warning::default(), client_warning: Warning::default() });
        let reaped = Arc::downgrade(&connections);
        actix_web::rt::spawn(async move {
            loop {
                tokio::time::sleep(REAPER_INTERVAL).await;
                let Some(connections) = reaped.upgrade() else { return };
                connections.open.close_overdue(Instant::now());
            }
        });
        connections
    }

    /// Admits a connection. Waits while the maximum number of connections is open and none is idle. Returns `None` if its client has too
    /// many connections.
    pub async fn admit(&self, io: TcpStream) -> Option<ClientSocket> {
        let client = io.peer_addr().ok().and_then(|address| self.limited_client(address));
        let added = match self.open.add(client) {
            Added::Full => {
                self.warn_of_limit();
                self.open.room().wait(|| Some(self.open.add(client)).filter(|added| !matches!(added, Added::Full))).await
            }
            added => added,
        };
        match added {
            Added::Open { connection, registration, closed_for_room } => {
                if closed_for_room {
                    self.warn_of_limit();
                }
                Some(ClientSocket::new(io, connection, registration))
            }
            Added::ClientFull | Added::Full => {
                metrics::record_connection_end(self.listener, ConnectionEnd::ClientLimit);
                if self.client_warning.is_due() {
                    let limit = self.limits.max_connections_per_client;
                    tracing::warn!(listener = self.listener, limit, "connections of a client refused: it has too many");
                }
                None
            }
        }
    }

    /// Returns the client whose connections are counted. Those of a trusted proxy are not: its requests are.
    fn limited_client(&self, address: SocketAddr) -> Option<Client> {
        (self.limits.max_connections_per_client > 0 && !self.proxies.contains(address.ip())).then(|| Client::new(address.ip()))
    }

    fn warn_of_limit(&self) {
        if self.limit_warning.is_due() {
            let limit = self.limits.max_connections;
            tracing::warn!(listener = self.listener, limit, "connection limit reached: idle connections are closed for new ones");
        }
    }
}

/// The time of the last log line about a limit.
#[derive(Debug, Default)]
struct Warning(Mutex<Option<Instant>>);

impl Warning {
    /// Returns `true` if a line may be written now.
    fn is_due(&self) -> bool {
        let (mut last, now) = (self.0.lock(), Instant::now());
        let is_due = last.is_none_or(|last| now.duration_since(last) >= WARNING_INTERVAL);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}
