//! Listening sockets.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::server::connection_limits::SEND_BUFFER_BYTES;

/// Number of connections that the system holds until they are accepted.
const BACKLOG: i32 = 1024;

/// Binds addresses.
///
/// # Errors
/// Returns the I/O error, with the address, if an address cannot be bound.
pub fn listen(addresses: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
    let listeners = addresses
        .iter()
        .map(|address| bind(*address, addresses).map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}"))));
    listeners.collect()
}

fn bind(address: SocketAddr, all: &[SocketAddr]) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted gateway gets its port at once. On Windows the option would give the port to several processes.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    // Connections inherit the size. Without it, the system grows the buffer to megabytes for a client that reads nothing.
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    if address.is_ipv6() {
        // `[::]` takes IPv4 connections too, whatever the system's default is, unless the same port is bound for IPv4 as well.
        socket.set_only_v6(all.iter().any(|other| other.is_ipv4() && other.port() == address.port()))?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
