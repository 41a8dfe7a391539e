//! Name resolution by the operating system, with an error that can be recognised.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use crate::lrs::http_client::connect_failure::{NameNotResolved, lacks_file_descriptor};

/// Resolves names of servers.
pub trait Resolve: Send + Sync {
    /// Returns the addresses of a name. Port 0 stands for the port of the URL.
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// Resolves names as the operating system does.
#[derive(Debug)]
pub(super) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move {
            let lookup = tokio::task::spawn_blocking(move || Ok((name.as_str(), 0).to_socket_addrs()?.collect()));
            lookup.await.map_err(io::Error::other).flatten()
        })
    }
}

/// A resolver in the form that the HTTP library requires.
#[derive(Clone)]
pub(super) struct NameService(pub Arc<dyn Resolve>);

impl Service<Name> for NameService {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = NameNotResolved;
    type Future = BoxFuture<'static, Result<Self::Response, NameNotResolved>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NameNotResolved>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let name = name.as_str().to_owned();
        let addresses = self.0.resolve(name.clone());
        let failure = |error: io::Error| NameNotResolved { name, reason: error.to_string(), shortage: file_descriptor_shortage() };
        Box::pin(async move { addresses.await.map(Vec::into_iter).map_err(failure) })
    }
}

/// Returns the error if there is no file descriptor for another socket.
fn file_descriptor_shortage() -> Option<io::Error> {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).err().filter(lacks_file_descriptor)
}
