//! The socket of a client connection.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::rt::net::{ActixStream, Ready, TcpStream};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::server::connections::connection::{Closing, Connection};
use crate::server::connections::open::Registration;

/// The socket of an open connection. Any thread can close it through its [`Connection`].
#[derive(Debug)]
pub struct ClientSocket {
    io: TcpStream,
    connection: Arc<Connection>,
    _registration: Registration,
}

impl ClientSocket {
    /// Takes the socket of a connection that has been registered.
    pub(super) fn new(io: TcpStream, connection: Arc<Connection>, registration: Registration) -> Self {
        // An answer is sent in pieces. With Nagle's algorithm, the last piece would wait for an acknowledgement, which clients delay.
        let _ = io.set_nodelay(true);
        Self { io, connection, _registration: registration }
    }

    /// Returns the state of the connection.
    pub(super) const fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Returns the address of the client, or of a proxy.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.io.peer_addr().ok()
    }

    /// Looks whether the client has sent or closed, without reading it.
    pub(super) fn poll_peek(&self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.ensure_open(context)?;
        self.io.poll_peek(context, &mut ReadBuf::new(&mut [0; 1]))
    }

    fn ensure_open(&self, context: &Context<'_>) -> io::Result<()> {
        if self.connection.poll_closed(context) { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

impl Drop for ClientSocket {
    fn drop(&mut self) {
        if self.connection.closed() == Some(Closing::Discard) {
            // With a linger time of zero, the system discards the bytes that the client did not take.
            let _ = SockRef::from(&self.io).set_linger(Some(Duration::ZERO));
        }
    }
}

impl AsyncRead for ClientSocket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.ensure_open(context)?;
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl AsyncWrite for ClientSocket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.ensure_open(context)?;
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.ensure_open(context)?;
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ensure_open(context)?;
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

impl ActixStream for ClientSocket {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_read_ready(&self.io, context)
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_write_ready(&self.io, context)
    }
}

/// A stream over a client's socket, with or without TLS.
pub trait ClientStream: AsyncRead + AsyncWrite + Unpin {
    /// `true` if the stream can hold bytes that have been read from the socket.
    const HOLDS_BYTES: bool;

    /// Returns the socket.
    fn socket(&self) -> &ClientSocket;
}

impl ClientStream for ClientSocket {
    const HOLDS_BYTES: bool = false;

    fn socket(&self) -> &ClientSocket {
        self
    }
}

impl ClientStream for TlsStream<ClientSocket> {
    const HOLDS_BYTES: bool = true;

    fn socket(&self) -> &ClientSocket {
        self.get_ref().0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::connection_limits::ConnectionLimits;
    use crate::server::connections::open::{Added, OpenConnections};

    #[actix_web::test]
    async fn client_socket_sends_the_last_piece_of_an_answer_without_waiting_for_an_acknowledgement() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (_client, (io, _)) = (client.expect("a connection"), accepted.expect("a connection"));
        let open = Arc::new(OpenConnections::new("test", ConnectionLimits::default()));
        let Added::Open { connection, registration, .. } = open.add(None) else { panic!("no connection is open") };
        assert!(ClientSocket::new(io, connection, registration).io.nodelay().expect("an option"));
    }
}
