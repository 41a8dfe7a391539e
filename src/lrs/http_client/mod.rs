//! How connections to LRS are made.

#[cfg(feature = "native-tls")]
mod native_tls;
pub(crate) mod tls_alert;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};

use crate::error_chain::error_chain;
use crate::organisations::{ClientCertificate, ClientFactory};
use crate::schema::{Constraints, InvalidValue, Scalar};
use crate::tls;

/// Whose TLS is spoken to LRS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TlsBackend {
    /// rustls, built in.
    #[default]
    Rustls,
    /// The system's, OpenSSL on Linux: it can answer when a certificate is asked for by renegotiation of TLS 1.2.
    #[cfg(feature = "native-tls")]
    Native,
}

impl Scalar for TlsBackend {
    const CONSTRAINTS: Constraints = Constraints::new("Whose TLS is spoken to LRS.", "rustls");

    fn parse(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "rustls" => Ok(Self::Rustls),
            #[cfg(feature = "native-tls")]
            "native" => Ok(Self::Native),
            #[cfg(not(feature = "native-tls"))]
            "native" => Err(InvalidValue::new(
                "unknown_value",
                "\"native\" is not in this program: it needs one that was built with `cargo build --release --features native-tls`",
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

/// How connections to LRS are made: whose TLS, what is trusted, how long a handshake may take.
#[derive(Debug, Clone)]
pub struct HttpClientFactory {
    backend: Backend,
    connect_timeout: Duration,
}

/// A backend, with whom it trusts.
#[derive(Debug, Clone)]
enum Backend {
    Rustls(Arc<RootCertStore>),
    /// These authorities only, or those that the system trusts: the ones that come with rustls cannot be told to it.
    #[cfg(feature = "native-tls")]
    Native(Option<Vec<reqwest::Certificate>>),
}

impl HttpClientFactory {
    /// Connections over rustls that trust the web's certification authorities, or those of a PEM file instead.
    ///
    /// # Errors
    /// What is wrong with the file, naming it.
    pub fn new(ca_file: Option<&Path>, connect_timeout: Duration) -> Result<Self, String> {
        Self::with_backend(TlsBackend::Rustls, ca_file, connect_timeout)
    }

    /// The same over this backend.
    ///
    /// # Errors
    /// What is wrong with the file, naming it.
    pub fn with_backend(backend: TlsBackend, ca_file: Option<&Path>, connect_timeout: Duration) -> Result<Self, String> {
        let backend = match backend {
            TlsBackend::Rustls => Backend::Rustls(Arc::new(match ca_file {
                None => tls::web_authorities(),
                Some(path) => tls::authorities(path)?,
            })),
            #[cfg(feature = "native-tls")]
            TlsBackend::Native => Backend::Native(ca_file.map(native_tls::authorities).transpose()?),
        };
        Ok(Self { backend, connect_timeout })
    }
}

impl ClientFactory for HttpClientFactory {
    /// Returns an HTTP client that follows no redirect, uses no proxy and repeats nothing.
    fn client(&self, identity: Option<ClientCertificate>) -> Result<reqwest::Client, String> {
        let builder = reqwest::Client::builder();
        let builder = match &self.backend {
            Backend::Rustls(roots) => builder.tls_backend_preconfigured(rustls_config(Arc::clone(roots), identity)?),
            #[cfg(feature = "native-tls")]
            Backend::Native(authorities) => native_tls::prepare(builder, authorities.as_deref(), identity)?,
        };
        builder
            .no_proxy()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(Duration::from_secs(55))
            .pool_max_idle_per_host(32)
            .build()
            .map_err(|error| format!("connections cannot be made ready: {}", error_chain(&error)))
    }
}

/// The body of an answer; `None` if it has more bytes than that.
///
/// # Errors
/// Why it did not come to its end.
pub async fn read_at_most(response: &mut reqwest::Response, most: usize) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > most {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

fn rustls_config(roots: Arc<RootCertStore>, identity: Option<ClientCertificate>) -> Result<ClientConfig, String> {
    let config = tls::client_builder(roots)?;
    match identity {
        None => Ok(config.with_no_client_auth()),
        Some(identity) => config.with_client_auth_cert(identity.chain, identity.key).map_err(|error| error.to_string()),
    }
}
