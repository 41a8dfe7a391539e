//! The HTTP clients for connections to LRS and to issuers' key sets.

mod body;
pub mod connect_failure;
#[cfg(feature = "native-tls")]
mod native_tls;
pub(crate) mod tls_alert;

pub use body::{BodyError, read_body};

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use rustls::{ClientConfig, RootCertStore};

use crate::error_chain::error_chain;
use crate::organisations::{ClientCertificate, ConnectionFactory};
use crate::schema::{Constraints, InvalidValue, Scalar};
use crate::tls;

/// The gateway's name in requests (RFC 9110, 10.1.5).
pub const USER_AGENT: &str = concat!("lrs-gateway/", env!("CARGO_PKG_VERSION"));

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
#[derive(Debug, Clone)]
pub struct HttpClientFactory {
    backend: Backend,
    connect_timeout: Duration,
}

/// A TLS backend with its trusted root certificates.
#[derive(Debug, Clone)]
enum Backend {
    Rustls(Arc<RootCertStore>),
    /// Trusts these root certificates only. `None` trusts those of the system: the public ones of rustls cannot be passed on.
    #[cfg(feature = "native-tls")]
    Native(Option<Vec<reqwest::Certificate>>),
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
        Ok(Self { backend, connect_timeout })
    }
}

impl ConnectionFactory for HttpClientFactory {
    /// Returns an HTTP client that follows no redirects, uses no proxy and does not retry.
    fn client(&self, certificate: Option<ClientCertificate>) -> Result<reqwest::Client, String> {
        let builder = reqwest::Client::builder();
        let builder = match &self.backend {
            Backend::Rustls(roots) => builder.tls_backend_preconfigured(rustls_config(Arc::clone(roots), certificate)?),
            #[cfg(feature = "native-tls")]
            Backend::Native(roots) => native_tls::configure(builder, roots.as_deref(), certificate)?,
        };
        builder
            .user_agent(USER_AGENT)
            .default_headers(HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("gzip"))]))
            // `read_body` decompresses.
            .no_gzip()
            .no_proxy()
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

fn rustls_config(roots: Arc<RootCertStore>, certificate: Option<ClientCertificate>) -> Result<ClientConfig, String> {
    let builder = tls::client_config_builder(roots)?;
    match certificate {
        None => Ok(builder.with_no_client_auth()),
        Some(certificate) => builder.with_client_auth_cert(certificate.chain, certificate.key).map_err(|error| error.to_string()),
    }
}
