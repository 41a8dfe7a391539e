//! A way to a server that can be cut: what a client has asked is done, and the answer never comes.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::ANY_PORT;

/// A proxy in front of a port of this machine.
pub struct ReplyCuttingProxy {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
}

impl ReplyCuttingProxy {
    /// Passes everything on, until a request is sent that is `the_last`: that one is passed on too, and nothing after it, in either
    /// direction. Nobody gets through any more.
    pub fn start(port: u16, the_last: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(ANY_PORT).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let cut = Arc::new(AtomicBool::new(false));
        let (is_cut, the_last) = (Arc::clone(&cut), Arc::new(the_last));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if is_cut.load(Ordering::SeqCst) {
                    return; // and with it the listener
                }
                let server = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
                let (there, back) = ((client.try_clone(), server.try_clone()), (server, client));
                let (is_cut, the_last) = (Arc::clone(&is_cut), Arc::clone(&the_last));
                let ending = Arc::clone(&is_cut);
                std::thread::spawn(move || pass(back.0, back.1, |_| ending.load(Ordering::SeqCst), false));
                std::thread::spawn(move || {
                    let (Ok(client), Ok(server)) = there else { return };
                    pass(
                        client,
                        server,
                        |request| {
                            let last = the_last(request);
                            is_cut.fetch_or(last, Ordering::SeqCst);
                            last
                        },
                        true,
                    );
                });
            }
        });
        Self { address, cut }
    }

    /// Its address for TLS.
    pub fn tls_url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Its address for Redis.
    pub fn redis_url(&self) -> String {
        format!("redis://{}/0", self.address)
    }
}

impl Drop for ReplyCuttingProxy {
    fn drop(&mut self) {
        self.cut.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address); // wakes the listener
    }
}

/// Passes on what comes, until `ends` says so of a piece; that piece is passed on if it `counts`.
fn pass(mut from: TcpStream, mut to: TcpStream, mut ends: impl FnMut(&[u8]) -> bool, counts: bool) {
    let mut piece = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut piece) {
        let over = ends(&piece[..read]);
        if over && !counts {
            break;
        }
        if to.write_all(&piece[..read]).is_err() || over {
            break;
        }
    }
    // The other direction ends with the next piece.
    let _ = (from.shutdown(Shutdown::Read), to.shutdown(Shutdown::Write));
    if !counts {
        let _ = to.shutdown(Shutdown::Both);
    }
}
