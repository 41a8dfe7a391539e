//! Client certificates and the connections that show them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::tls;

/// A certificate chain and the key that belongs to it.
#[derive(Debug)]
pub struct ClientIdentity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// When the certificate ends, for people.
    pub expires: String,
    /// Has it ended?
    pub has_ended: bool,
}

impl ClientIdentity {
    /// Reads PEM files, and makes sure that certificate and key belong together.
    ///
    /// # Errors
    /// What is wrong, naming the file.
    pub fn from_pem(certificate_file: &Path, key_file: &Path) -> Result<Self, String> {
        let chain = tls::certificates(certificate_file)?;
        let key = tls::private_key(key_file)?;
        let (_, certificate) = x509_parser::parse_x509_certificate(&chain[0])
            .map_err(|_| format!("{}: the first certificate is not an X.509 certificate", certificate_file.display()))?;
        let validity = certificate.validity();
        let (expires, has_ended) = (validity.not_after.to_string(), !validity.is_valid());
        rustls::sign::CertifiedKey::from_der(chain.clone(), key.clone_key(), &tls::provider()).map_err(|error| {
            format!("{} and {}: the key does not belong to the certificate: {error}", certificate_file.display(), key_file.display())
        })?;
        Ok(Self { chain, key, expires, has_ended })
    }
}

/// How connections to LRS are made: what is trusted, how long a handshake may take.
#[derive(Debug, Clone)]
pub struct Transport {
    roots: Arc<RootCertStore>,
    connect_timeout: Duration,
}

impl Transport {
    /// Connections that trust the web's certification authorities, or those of a PEM file instead.
    ///
    /// # Errors
    /// What is wrong with the file, naming it.
    pub fn new(ca_file: Option<&Path>, connect_timeout: Duration) -> Result<Self, String> {
        let roots = match ca_file {
            None => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
            Some(path) => tls::authorities(path)?,
        };
        Ok(Self { roots: Arc::new(roots), connect_timeout })
    }

    /// An HTTP client with connections of its own. It follows no redirect, uses no proxy and repeats nothing.
    ///
    /// # Errors
    /// What keeps it from being built.
    pub fn client(&self, identity: Option<ClientIdentity>) -> Result<reqwest::Client, String> {
        let config = ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(Arc::clone(&self.roots));
        let config = match identity {
            None => config.with_no_client_auth(),
            Some(identity) => config.with_client_auth_cert(identity.chain, identity.key).map_err(|error| error.to_string())?,
        };
        reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .no_proxy()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(Duration::from_secs(55))
            .pool_max_idle_per_host(32)
            .build()
            .map_err(|error| error.to_string())
    }
}
