//! Servers, callers and fake peers for the tests. All of them bind free ports of the loopback interface and stop when they are dropped.

pub mod batch_backend;
pub mod batches;
pub mod caller;
pub mod certificates;
pub mod contract;
pub mod documented;
pub mod expected_problems;
pub mod fake_server;
pub mod fields;
pub mod forward_proxy;
pub mod gateway;
pub mod identity_provider;
pub mod program;
pub mod redis;
pub mod renegotiating_server;
pub mod reply_cutting_proxy;
pub mod schema;
pub mod scripted_lrs;
pub mod simulator;
pub mod stalling_proxy;
pub mod tcp_proxy;
pub mod xml_events;

pub use caller::Caller;
pub use fake_server::FakeServer;
pub use gateway::TestGateway;
pub use identity_provider::IdentityProvider;
pub use simulator::SimulatedLrs;

use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use actix_web::dev::{Server, ServerHandle};
use tokio::runtime::LocalOptions;

/// Any free port of the loopback interface.
pub const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Returns the builder of an HTTP client that uses no proxy. No test may depend on another one that has installed the cryptography library.
pub fn http_client_builder() -> reqwest::ClientBuilder {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder().no_proxy()
}

/// Waits until a condition holds, for up to 20 seconds. `description` completes "timed out waiting for".
pub async fn wait_until(condition: impl Fn() -> bool, description: impl Fn() -> String) {
    let started_at = Instant::now();
    while !condition() {
        assert!(started_at.elapsed() < Duration::from_secs(20), "timed out waiting for {}", description());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A server that runs in its own thread.
pub struct RunningServer {
    pub address: SocketAddr,
    handle: ServerHandle,
}

impl RunningServer {
    /// Runs the server that `bind` returns.
    pub fn start(bind: impl FnOnce() -> std::io::Result<(SocketAddr, Server)> + Send + 'static) -> Self {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            // As the program does.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            runtime.expect("the runtime is created").block_on(async {
                let (address, server) = bind().expect("a port is free");
                sender.send((address, server.handle())).expect("the test waits for the address");
                server.await.expect("the server stops without an error");
            });
        });
        let (address, handle) = receiver.recv().expect("the server starts");
        Self { address, handle }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        // Creating the future requests the stop. Awaiting it is not necessary.
        drop(self.handle.stop(false));
    }
}
