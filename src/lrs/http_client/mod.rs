//! The HTTP clients for connections to LRS and to issuers' key sets.

mod body;
pub mod connect_failure;
mod connector;
mod dns;
mod endpoint;
#[cfg(feature = "native-tls")]
mod native_tls;
mod proxy;
pub(crate) mod tls_alert;

pub use body::{BodyError, read_body};
pub use dns::Resolve;
pub use endpoint::Endpoint;
pub use proxy::{ForwardProxy, ProxyRule};

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};

use crate::lrs::http_client::connector::{ClientTls, Connector};
use crate::lrs::http_client::dns::SystemResolver;
use crate::organisations::{ClientCertificate, ConnectionFactory, Connections};
use crate::schema::{Constraints, InvalidValue, Scalar};
use crate::tls;

/// Default time for which a connection is used. After it, DNS is asked again.
pub const DEFAULT_MAX_CONNECTION_AGE: Duration = Duration::from_secs(300);

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

/// Creates connections with a TLS backend, trusted root certificates and a connect timeout. Their user follows no redirects and does not
/// retry.
#[derive(Clone)]
pub struct HttpClientFactory {
    backend: Backend,
    connect_timeout: Duration,
    max_connection_age: Duration,
    proxy: Option<ProxyRule>,
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
    pub fn with_proxy(self, proxy: Option<ProxyRule>) -> Self {
        Self { proxy, ..self }
    }

    /// Resolves names with this resolver instead of the operating system's.
    #[must_use]
    pub fn with_resolver(self, resolver: Arc<dyn Resolve>) -> Self {
        Self { resolver, ..self }
    }

    fn client_tls(&self, certificate: Option<ClientCertificate>) -> Result<ClientTls, String> {
        Ok(match &self.backend {
            Backend::Rustls(roots) => ClientTls::Rustls(Arc::new(rustls_config(Arc::clone(roots), certificate)?)),
            #[cfg(feature = "native-tls")]
            Backend::Native(roots) => ClientTls::Native(native_tls::connector(roots.as_deref(), certificate)?.into()),
        })
    }
}

impl fmt::Debug for HttpClientFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClientFactory")
    }
}

impl ConnectionFactory for HttpClientFactory {
    fn connections(&self, certificate: Option<ClientCertificate>) -> Result<Connections, String> {
        let tls = self.client_tls(certificate)?;
        let connector = Connector::new(Arc::clone(&self.resolver), tls, self.proxy.clone(), self.connect_timeout);
        Ok(Connections::new(self.max_connection_age, connector))
    }
}

fn rustls_config(roots: Arc<RootCertStore>, certificate: Option<ClientCertificate>) -> Result<ClientConfig, String> {
    let builder = tls::client_config_builder(roots)?;
    match certificate {
        None => Ok(builder.with_no_client_auth()),
        Some(certificate) => builder.with_client_auth_cert(certificate.chain, certificate.key).map_err(|error| error.to_string()),
    }
}
