//! The HTTP clients for connections to LRS and to issuers' key sets.

mod body;
pub mod connect_failure;
mod dns;
#[cfg(feature = "native-tls")]
mod native_tls;
mod proxy;
pub(crate) mod tls_alert;

pub use body::{BodyError, read_body};
pub use proxy::ForwardProxy;

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::Resolve;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use rustls::{ClientConfig, RootCertStore};

use crate::error_chain::error_chain;
use crate::lrs::http_client::dns::SystemResolver;
use crate::observability::USER_AGENT;
use crate::organisations::{ClientCertificate, ConnectionFactory, Connections};
use crate::schema::{Constraints, InvalidValue, Scalar};
use crate::tls;

/// Default time for which a connection is used. After it, DNS is asked again.
pub const DEFAULT_MAX_CONNECTION_AGE: Duration = Duration::from_secs(300);

/// Maximum number of headers of a response. Proxies and firewalls add many.
const MAX_RESPONSE_HEADERS: usize = 512;

/// The TLS implementation for connections to LRS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TlsBackend {
    /// The built-in rustls.
    #[default]
    Rustls,
    /// The system's TLS, OpenSSL on Linux. It supports servers that request a client certificate by TLS 1.2 renegotiation.
    #[cfg(feature = "native-tls")]
    Native,
}

impl Scalar for TlsBackend {
    const CONSTRAINTS: Constraints = Constraints::new("`rustls`, `native`", "rustls");

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "rustls" => Ok(Self::Rustls),
            #[cfg(feature = "native-tls")]
            "native" => Ok(Self::Native),
            #[cfg(not(feature = "native-tls"))]
            "native" => Err(InvalidValue::new(
                "unknown_value",
                "\"native\" is not part of this program: build it with `cargo build --release --features native-tls`",
            )),
            _ => Err(InvalidValue::new("unknown_value", "must be rustls or native")),
        }
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Self::Rustls => "rustls",
            #[cfg(feature = "native-tls")]
            Self::Native => "native",
        })
    }
}

/// Creates HTTP clients with a TLS backend, trusted root certificates and a connect timeout.
#[derive(Clone)]
pub struct HttpClientFactory {
    backend: Backend,
    connect_timeout: Duration,
    max_connection_age: Duration,
    proxy: Option<reqwest::Proxy>,
    resolver: Arc<dyn Resolve>,
}

/// A TLS backend with its trusted root certificates.
#[derive(Clone)]
enum Backend {
    Rustls(Arc<RootCertStore>),
    /// Trusts these root certificates only. `None` trusts those of the system: the public ones of rustls cannot be passed on.
    #[cfg(feature = "native-tls")]
    Native(Option<Vec<::native_tls::Certificate>>),
}

/// The TLS settings of a client, with its client certificate.
enum ClientTls {
    Rustls(Box<ClientConfig>),
    #[cfg(feature = "native-tls")]
    Native(::native_tls::TlsConnector),
}

impl HttpClientFactory {
    /// Creates a factory with rustls. It trusts the root certificates in the PEM file, or the public ones if there is no file.
    ///
    /// # Errors
    /// Returns the file's name and the error if the file cannot be used.
    pub fn new(ca_file: Option<&Path>, connect_timeout: Duration) -> Result<Self, String> {
        Self::with_backend(TlsBackend::Rustls, ca_file, connect_timeout)
    }

    /// Creates a factory with this backend. It trusts the root certificates in the PEM file. If there is no file, it trusts the public
    /// ones with rustls, and those of the system with the native backend.
    ///
    /// # Errors
    /// Returns the file's name and the error if the file cannot be used.
    pub fn with_backend(backend: TlsBackend, ca_file: Option<&Path>, connect_timeout: Duration) -> Result<Self, String> {
        let backend = match backend {
            TlsBackend::Rustls => Backend::Rustls(Arc::new(match ca_file {
                None => tls::public_root_certificates(),
                Some(path) => tls::read_root_certificates(path)?,
            })),
            #[cfg(feature = "native-tls")]
            TlsBackend::Native => Backend::Native(ca_file.map(native_tls::read_root_certificates).transpose()?),
        };
        let max_connection_age = DEFAULT_MAX_CONNECTION_AGE;
        Ok(Self { backend, connect_timeout, max_connection_age, proxy: None, resolver: Arc::new(SystemResolver) })
    }

    /// Sets the time for which a connection is used.
    #[must_use]
    pub fn with_max_connection_age(self, max_connection_age: Duration) -> Self {
        Self { max_connection_age, ..self }
    }

    /// Makes connections through a proxy. Without one, connections are direct: proxies in environment variables are not used.
    #[must_use]
    pub fn with_proxy(self, proxy: Option<reqwest::Proxy>) -> Self {
        Self { proxy, ..self }
    }

    /// Resolves names with this resolver instead of the operating system's.
    #[must_use]
    pub fn with_resolver(self, resolver: Arc<dyn Resolve>) -> Self {
        Self { resolver, ..self }
    }

    fn client_tls(&self, certificate: Option<ClientCertificate>) -> Result<ClientTls, String> {
        Ok(match &self.backend {
            Backend::Rustls(roots) => ClientTls::Rustls(Box::new(rustls_config(Arc::clone(roots), certificate)?)),
            #[cfg(feature = "native-tls")]
            Backend::Native(roots) => ClientTls::Native(native_tls::connector(roots.as_deref(), certificate)?),
        })
    }

    /// Builds an HTTP client that follows no redirects and does not retry.
    fn build(&self, tls: &ClientTls) -> Result<reqwest::Client, String> {
        let builder = reqwest::Client::builder();
        let builder = match tls {
            // Clones share the sessions that the server has offered to resume.
            ClientTls::Rustls(config) => builder.tls_backend_preconfigured(config.as_ref().clone()),
            #[cfg(feature = "native-tls")]
            ClientTls::Native(connector) => builder.tls_backend_preconfigured(connector.clone()),
        };
        let builder = match &self.proxy {
            None => builder.no_proxy(),
            Some(proxy) => builder.proxy(proxy.clone()),
        };
        builder
            .user_agent(USER_AGENT)
            // `read_body` decompresses. Other users of the HTTP library may have switched on its own decompression.
            .no_gzip()
            .default_headers(HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("gzip"))]))
            .dns_resolver(Arc::clone(&self.resolver))
            .http1_only()
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_max_headers(MAX_RESPONSE_HEADERS)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(Duration::from_secs(55))
            .pool_max_idle_per_host(32)
            .build()
            .map_err(|error| format!("the HTTP client cannot be created: {}", error_chain(&error)))
    }
}

impl fmt::Debug for HttpClientFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClientFactory")
    }
}

impl ConnectionFactory for HttpClientFactory {
    fn connections(&self, certificate: Option<ClientCertificate>) -> Result<Connections, String> {
        let (factory, tls) = (self.clone(), self.client_tls(certificate)?);
        Connections::new(self.max_connection_age, move || factory.build(&tls))
    }
}

fn rustls_config(roots: Arc<RootCertStore>, certificate: Option<ClientCertificate>) -> Result<ClientConfig, String> {
    let builder = tls::client_config_builder(roots)?;
    match certificate {
        None => Ok(builder.with_no_client_auth()),
        Some(certificate) => builder.with_client_auth_cert(certificate.chain, certificate.key).map_err(|error| error.to_string()),
    }
}
