//! Name resolution by the operating system, with an error that can be recognised.

use std::net::ToSocketAddrs as _;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::lrs::http_client::connect_failure::NameNotResolved;

/// Resolves names as the operating system does.
#[derive(Debug)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        Box::pin(async move {
            let host = name.clone();
            let lookup = tokio::task::spawn_blocking(move || (host.as_str(), 0).to_socket_addrs()).await;
            let addresses = lookup.map_err(std::io::Error::other).flatten();
            addresses
                .map(|addresses| -> Addrs { Box::new(addresses) })
                .map_err(|error| NameNotResolved { name, reason: error.to_string() }.into())
        })
    }
}
