//! Limits and timeouts of client connections.
//!
//! `connections` enforces most of them; the framework limits the TLS handshake and the idle time between two requests. Bodies are limited
//! where they are read (`api::extract::body`).

use std::time::Duration;

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
    /// Maximum number of connections. The longest idle one is closed for a new one; if none is idle, new ones wait.
    pub max_connections: usize,
    /// Maximum number of connections of one client address; 0 for no limit.
    pub max_connections_per_client: usize,
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
            max_connections_per_client: 1_000,
        }
    }
}

impl ConnectionLimits {
    /// Returns the number of connections at which a worker of the framework accepts no more. It is above `max_connections`: an idle
    /// connection can be closed only for one that has been accepted. The connections above it wait in the gateway, further ones in the system.
    pub fn accepted_per_worker(&self, workers: usize) -> usize {
        (self.max_connections + (self.max_connections / 8).clamp(16, 256)).div_ceil(workers)
    }
}

/// Number of bytes of an answer for which a client has [`ConnectionLimits::chunk_timeout`].
pub const CHUNK_BYTES: usize = 64 * 1024;

/// Maximum number of bytes of an answer that are handed to the connection at once, and size of the connection's buffer for answers.
pub const PIECE_BYTES: usize = 16 * 1024;

/// Maximum number of bytes that are read from a connection at once.
pub const READ_BYTES: usize = 8 * 1024;

/// Maximum size of the head of a request. The middleware answers smaller ones that are too large (`head_limit`) with a problem.
pub const MAX_HEAD_BYTES: usize = 48 * 1024;

/// Maximum size of a body that is read before the handler asks for it.
pub const READ_AHEAD_BYTES: u64 = 16 * 1024;

/// Number of bytes of a body that are read when the handler asks for more.
pub const WANTED_BODY_BYTES: u64 = 32 * 1024;

/// Size of the system's buffer for what a client has not taken yet. The system doubles it for its own needs.
pub const SEND_BUFFER_BYTES: usize = 64 * 1024;
