//! The server's own certificate, reloaded without a restart.
//!
//! The files are watched as organisations' files are. If the key does not match the
//! certificate, the old pair stays in use: this is the case while one of the two files has been renewed and the other has not.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::file_watch::{self, FileContent, Poll, ReloadRequests, WatchedFiles};
use crate::tls::{self, Validity};

/// Certificate and key of the server, with the files that they come from.
#[derive(Debug)]
pub struct ServerCertificate {
    paths: [PathBuf; 2],
    files: WatchedFiles,
    resolver: Arc<CertificateResolver>,
    validity: Validity,
}

/// Supplies the current certificate to each TLS handshake.
#[derive(Debug)]
struct CertificateResolver(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for CertificateResolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read()))
    }
}

impl ServerCertificate {
    /// Loads certificate and key from PEM files.
    ///
    /// # Errors
    /// Returns the error if a file cannot be read or used, or if the key does not match the certificate.
    pub fn load(certificate_file: PathBuf, key_file: PathBuf) -> Result<Self, String> {
        let paths = [certificate_file, key_file];
        let (files, contents) = WatchedFiles::read(paths.clone());
        let (certified_key, validity) = parse(&paths, &contents)?;
        let resolver = Arc::new(CertificateResolver(RwLock::new(Arc::new(certified_key))));
        Ok(Self { paths, files, resolver, validity })
    }

    /// Returns a remark about the certificate's expiry.
    ///
    /// # Errors
    /// Returns an error if the certificate is not valid now.
    pub fn check_validity(&self) -> Result<String, String> {
        let Validity { not_before, not_after } = self.validity;
        if self.validity.is_current() {
            Ok(format!("server.tls: certificate valid until {not_after}"))
        } else {
            Err(format!("server.tls: the certificate is not valid now. It is valid from {not_before} until {not_after}"))
        }
    }

    /// Builds a TLS configuration that uses the current certificate for each new connection, also after a reload.
    ///
    /// # Errors
    /// Returns the error if the cryptography provider supports no usable TLS version.
    pub fn server_config(&self) -> Result<ServerConfig, String> {
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<CertificateResolver>::clone(&self.resolver);
        Ok(tls::server_config_builder()?.with_no_client_auth().with_cert_resolver(resolver))
    }

    /// Watches the files and reloads them when they change. Runs until it is dropped.
    pub async fn watch(self, requests: ReloadRequests) {
        let log = |certificate: &mut Self, change: Option<Result<(), String>>| match change {
            None => {}
            Some(Ok(())) => match certificate.check_validity() {
                Ok(remark) => tracing::info!(remark, "server certificate replaced"),
                Err(error) => tracing::error!(error, "server certificate replaced"),
            },
            Some(Err(error)) => tracing::error!(error, "server certificate not replaced: the new files cannot be used"),
        };
        file_watch::watch("server certificate", self, requests, Self::reload, log).await;
    }

    /// Reads the files once, if they have changed. Returns `None` if they have not changed since they were read last. [`ServerCertificate::watch`] does this
    /// periodically, and logs each result once.
    ///
    /// # Errors
    /// Returns the error if the new files cannot be used. The pair in use stays.
    pub fn reload(&mut self, poll: Poll) -> Option<Result<(), String>> {
        let contents = self.files.read_if_changed(poll)?;
        Some(parse(&self.paths, &contents).map(|(certified_key, validity)| {
            self.validity = validity;
            *self.resolver.0.write() = Arc::new(certified_key);
        }))
    }
}

/// Reads certificate and key from the contents of their files.
fn parse(paths: &[PathBuf; 2], contents: &[FileContent]) -> Result<(CertifiedKey, Validity), String> {
    let content = |index: usize| match contents.get(index) {
        Some(Ok(content)) => Ok(content.as_slice()),
        Some(Err(error)) => Err(format!("{}: {error}", paths[index].display())),
        None => Err("was not read".into()),
    };
    let certificates = content(0).and_then(tls::parse_certificates);
    let certificates = certificates.map_err(|error| format!("server.tls: certificate_file: {error}"))?;
    let key = content(1).and_then(tls::parse_private_key);
    let key = key.map_err(|error| format!("server.tls: key_file: {error}"))?;
    let validity = tls::certificate_validity(&certificates[0]).map_err(|error| format!("server.tls: certificate_file: {error}"))?;
    let certified_key = CertifiedKey::from_der(certificates, key, &tls::crypto_provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            "server.tls: the key does not belong to the certificate. The server's own certificate must be the first in its file".into()
        }
        error => format!("server.tls: key_file: the key cannot be used: {error}"),
    })?;
    Ok((certified_key, validity))
}
