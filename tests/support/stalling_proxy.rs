//! A proxy whose connections can stall: both peers stay connected, and nothing arrives any more, as after a loss of the network.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::ANY_PORT;

/// A proxy in front of a port of the loopback interface. It ends with the process.
pub struct StallingProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Number of connections accepted so far.
    accepted: AtomicUsize,
    /// Number of connections, the first ones, that have stalled.
    stalled: AtomicUsize,
}

impl StallingProxy {
    /// Starts a proxy that forwards everything.
    pub fn start(port: u16) -> Self {
        let listener = TcpListener::bind(ANY_PORT).expect("a port is free");
        let address = listener.local_addr().expect("the listener is bound");
        let shared = Arc::new(Shared::default());
        let of_listener = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let number = of_listener.accepted.fetch_add(1, Ordering::SeqCst);
                let server = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
                let (Ok(client_writer), Ok(server_writer)) = (client.try_clone(), server.try_clone()) else { continue };
                for (from, to) in [(client, server_writer), (server, client_writer)] {
                    let shared = Arc::clone(&of_listener);
                    std::thread::spawn(move || forward(from, to, &shared, number));
                }
            }
        });
        Self { address, shared }
    }

    /// Stalls all connections that are open now. New connections work.
    pub fn stall_connections(&self) {
        self.shared.stalled.store(self.accepted(), Ordering::SeqCst);
    }

    /// Returns the number of connections accepted so far.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Returns its URL for Redis.
    pub fn redis_url(&self) -> String {
        format!("redis://{}/0", self.address)
    }
}

/// Forwards what arrives until the connection ends; drops it once the connection has stalled.
fn forward(mut from: TcpStream, mut to: TcpStream, shared: &Shared, number: usize) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if number >= shared.stalled.load(Ordering::SeqCst) && to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
}
