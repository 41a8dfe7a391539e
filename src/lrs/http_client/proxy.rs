//! A forward proxy, through which connections are made.

use std::fmt;
use std::sync::Arc;

use hyper::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use reqwest::{NoProxy, Url};

/// The hosts of this machine.
const THIS_MACHINE: &str = "localhost,127.0.0.0/8,::1";

/// A forward proxy with its login. `Debug` does not print it, because its URL contains the password.
#[derive(Clone)]
pub struct ForwardProxy {
    url: Url,
    bypass: String,
}

/// Decides which connections go through the proxy: those to `https` addresses, except to some hosts.
#[derive(Clone)]
pub struct ProxyRule(Arc<Matcher>);

impl ForwardProxy {
    /// Creates a proxy with this URL, in which the login is part of the address. Hosts in `bypass` and their subdomains are called directly.
    ///
    /// # Errors
    /// Returns a text if the URL cannot be used.
    pub fn new(url: Url, bypass: &[String]) -> Result<Self, String> {
        // The HTTP library would connect directly.
        if url.as_str().parse::<Uri>().is_err() {
            return Err("is not the address of a proxy".to_owned());
        }
        Ok(Self { url, bypass: bypass.join(",") })
    }

    /// Returns the rule for connections to LRS: all `https` but those to the hosts that are called directly. Messages without TLS contain the
    /// organisation's password in plain text, so they never go through a proxy.
    pub fn for_lrs(&self) -> ProxyRule {
        ProxyRule::new(&self.url, &self.bypass)
    }

    /// Returns the rule for connections to issuers. Only `https` addresses of other machines are outside: the rest is in the operator's own
    /// network.
    pub fn for_issuers(&self) -> ProxyRule {
        ProxyRule::new(&self.url, &self.other_machines())
    }

    /// Returns the proxy for the collector of traces, with the same rule as for issuers.
    ///
    /// # Errors
    /// Returns a text if the URL cannot be used.
    pub fn for_traces(&self) -> Result<reqwest::Proxy, String> {
        let proxy = reqwest::Proxy::https(self.url.clone()).map_err(|_| "is not the address of a proxy".to_owned())?;
        Ok(proxy.no_proxy(NoProxy::from_string(&self.other_machines())))
    }

    fn other_machines(&self) -> String {
        format!("{THIS_MACHINE},{}", self.bypass)
    }
}

impl ProxyRule {
    fn new(proxy: &Url, bypass: &str) -> Self {
        Self(Arc::new(Matcher::builder().https(proxy.as_str()).no(bypass).build()))
    }

    /// Returns the address and the login of the proxy if a connection to this server goes through it.
    pub(super) fn intercept(&self, server: &Uri) -> Option<Intercept> {
        self.0.intercept(server)
    }
}

impl fmt::Debug for ForwardProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForwardProxy")
    }
}

impl fmt::Debug for ProxyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyRule")
    }
}
