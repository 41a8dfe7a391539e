//! A forward proxy, through which connections are made.

use std::fmt;

use reqwest::{NoProxy, Url};

/// A forward proxy with its login. `Debug` does not print it, because its URL contains the password.
#[derive(Clone)]
pub struct ForwardProxy {
    url: Url,
    bypass: String,
}

impl ForwardProxy {
    /// Creates a proxy with this URL, in which the login is part of the address. Hosts in `bypass` and their subdomains are called directly.
    pub fn new(url: Url, bypass: &[String]) -> Self {
        Self { url, bypass: bypass.join(",") }
    }

    /// Returns the proxy for connections to LRS: all `https` but those to the hosts that are called directly. Messages without TLS contain the
    /// organisation's password in plain text, so they never go through a proxy.
    ///
    /// # Errors
    /// Returns a text if the URL cannot be used.
    pub fn for_lrs(&self) -> Result<reqwest::Proxy, String> {
        self.except_for(&self.bypass)
    }

    /// Returns the proxy for connections to issuers and to the collector of traces. Only `https` addresses of other machines are outside:
    /// the rest is in the operator's own network.
    ///
    /// # Errors
    /// Returns a text if the URL cannot be used.
    pub fn for_other_servers(&self) -> Result<reqwest::Proxy, String> {
        self.except_for(&format!("localhost,127.0.0.0/8,::1,{}", self.bypass))
    }

    /// Returns the proxy for `https` addresses except those of these hosts.
    fn except_for(&self, hosts: &str) -> Result<reqwest::Proxy, String> {
        let proxy = reqwest::Proxy::https(self.url.clone()).map_err(|_| "is not the address of a proxy".to_owned())?;
        Ok(proxy.no_proxy(NoProxy::from_string(hosts)))
    }
}

impl fmt::Debug for ForwardProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForwardProxy")
    }
}
