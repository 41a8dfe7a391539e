//! A proxy that cuts the connection after a certain request: the server executes the request, and the client never gets the reply.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::ANY_PORT;

/// A proxy in front of a port of the loopback interface.
pub struct ReplyCuttingProxy {
    address: SocketAddr,
    is_cut: Arc<AtomicBool>,
}

impl ReplyCuttingProxy {
    /// Starts a proxy that forwards everything up to the first request for which `is_last` returns `true`. It forwards that request too,
    /// then nothing more in either direction, and accepts no more connections.
    pub fn start(port: u16, is_last: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(ANY_PORT).expect("a port is free");
        let address = listener.local_addr().expect("the listener is bound");
        let is_cut = Arc::new(AtomicBool::new(false));
        let (cut, is_last) = (Arc::clone(&is_cut), Arc::new(is_last));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if cut.load(Ordering::SeqCst) {
                    return; // Drops the listener.
                }
                let server = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
                let (Ok(client_writer), Ok(server_writer)) = (client.try_clone(), server.try_clone()) else { continue };
                let cut_of_replies = Arc::clone(&cut);
                std::thread::spawn(move || forward_replies(server, client_writer, &cut_of_replies));
                let (cut, is_last) = (Arc::clone(&cut), Arc::clone(&is_last));
                std::thread::spawn(move || forward_requests(client, server_writer, &*is_last, &cut));
            }
        });
        Self { address, is_cut }
    }

    /// Returns its URL for TLS.
    pub fn tls_url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Returns its URL for Redis.
    pub fn redis_url(&self) -> String {
        format!("redis://{}/0", self.address)
    }
}

impl Drop for ReplyCuttingProxy {
    fn drop(&mut self) {
        self.is_cut.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address); // Wakes the listener, which then stops.
    }
}

/// Forwards requests up to and including the last one.
fn forward_requests(mut client: TcpStream, mut server: TcpStream, is_last: &dyn Fn(&[u8]) -> bool, cut: &AtomicBool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        let request = &buffer[..length];
        let is_last = is_last(request);
        cut.fetch_or(is_last, Ordering::SeqCst);
        if server.write_all(request).is_err() || is_last {
            break;
        }
    }
    // The other direction ends with the next chunk that it reads.
    let _ = (client.shutdown(Shutdown::Read), server.shutdown(Shutdown::Write));
}

/// Forwards replies until the proxy is cut.
fn forward_replies(mut server: TcpStream, mut client: TcpStream, cut: &AtomicBool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = server.read(&mut buffer) {
        if cut.load(Ordering::SeqCst) || client.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = (server.shutdown(Shutdown::Read), client.shutdown(Shutdown::Both));
}
