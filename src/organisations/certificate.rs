//! Client certificates and the connections that show them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

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
        let chain = CertificateDer::pem_file_iter(certificate_file)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| format!("{}: no certificate can be read: {error}", certificate_file.display()))?;
        let leaf = chain.first().ok_or_else(|| format!("{}: there is no certificate in it", certificate_file.display()))?;
        let key = PrivateKeyDer::from_pem_file(key_file)
            .map_err(|error| format!("{}: no private key can be read: {error}", key_file.display()))?;
        let (_, certificate) = x509_parser::parse_x509_certificate(leaf)
            .map_err(|_| format!("{}: the first certificate is not an X.509 certificate", certificate_file.display()))?;
        let validity = certificate.validity();
        let (expires, has_ended) = (validity.not_after.to_string(), !validity.is_valid());
        rustls::sign::CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider()).map_err(|error| {
            format!("{} and {}: the key does not belong to the certificate: {error}", certificate_file.display(), key_file.display())
        })?;
        Ok(Self { chain, key, expires, has_ended })
    }
}

/// The cryptography of every connection.
pub fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
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
        let mut roots = RootCertStore::empty();
        match ca_file {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(path) => {
                let unreadable = |error: &dyn std::fmt::Display| format!("{}: no certificate can be read: {error}", path.display());
                for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))? {
                    roots.add(certificate.map_err(|error| unreadable(&error))?).map_err(|error| unreadable(&error))?;
                }
                if roots.is_empty() {
                    return Err(unreadable(&"it is empty"));
                }
            }
        }
        Ok(Self { roots: Arc::new(roots), connect_timeout })
    }

    /// An HTTP client with connections of its own. It follows no redirect, uses no proxy and repeats nothing.
    ///
    /// # Errors
    /// What keeps it from being built.
    pub fn client(&self, identity: Option<ClientIdentity>) -> Result<reqwest::Client, String> {
        let tls = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(Arc::clone(&self.roots));
        let tls = match identity {
            None => tls.with_no_client_auth(),
            Some(identity) => tls.with_client_auth_cert(identity.chain, identity.key).map_err(|error| error.to_string())?,
        };
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
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
