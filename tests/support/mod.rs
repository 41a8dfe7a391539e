//! Servers, callers and peers for the tests. Everything binds loopback, on free ports, and stops with its owner.

pub mod batches;
pub mod caller;
pub mod certificates;
pub mod contract;
pub mod expected_problems;
pub mod fake_server;
pub mod gateway;
pub mod identity_provider;
pub mod program;
pub mod redis;
pub mod renegotiating_server;
pub mod reply_cutting_proxy;
pub mod scripted_lrs;
pub mod simulator;
pub mod tcp_proxy;

pub use caller::Caller;
pub use fake_server::FakeServer;
pub use gateway::TestGateway;
pub use identity_provider::IdentityProvider;
pub use simulator::SimulatedLrs;

use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use actix_web::dev::{Server, ServerHandle};

/// Any free port of this machine.
pub const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Waits until it is so.
pub async fn wait_until(is_so: impl Fn() -> bool, what: impl Fn() -> String) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(15), "it never comes to this: {}", what());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A server in a thread of its own.
pub struct RunningServer {
    pub address: SocketAddr,
    handle: ServerHandle,
}

impl RunningServer {
    /// Runs what `bind` binds.
    pub fn start(bind: impl FnOnce() -> std::io::Result<(SocketAddr, Server)> + Send + 'static) -> Self {
        let (ready, started) = mpsc::channel();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async {
                let (address, server) = bind().expect("a free port");
                ready.send((address, server.handle())).expect("the test waits");
                server.await.expect("the server ends well");
            });
        });
        let (address, handle) = started.recv().expect("the server starts");
        Self { address, handle }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        // The order is given when the future is made; nobody needs to wait for it.
        drop(self.handle.stop(false));
    }
}
