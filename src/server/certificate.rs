//! The gateway's own certificate: what callers are shown, renewed without a restart.
//!
//! As with organisations, what is looked at is the content, so it does not matter how a file was changed. A key that does not belong to
//! the certificate, as in the moment in which one file has been renewed and the other has not, leaves the pair that was there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::file_watch::{self, Content, Fingerprint};
use crate::tls::{self, Validity};

/// Certificate and key, as their files are.
#[derive(Debug)]
pub struct ServerCertificate {
    certificate_file: PathBuf,
    key_file: PathBuf,
    /// What tells the content that was read last from others.
    seen: Vec<u8>,
    shown: Arc<CertificateResolver>,
    validity: Validity,
}

/// What new connections are shown.
#[derive(Debug)]
struct CertificateResolver(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for CertificateResolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read()))
    }
}

/// What the two files hold.
type CertificateAndKey = [Content; 2];

impl ServerCertificate {
    /// Reads these PEM files.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn load(certificate_file: PathBuf, key_file: PathBuf) -> Result<Self, String> {
        let content = read(&certificate_file, &key_file);
        let (pair, validity) = pair(&content)?;
        Ok(Self {
            seen: fingerprint(&content),
            shown: Arc::new(CertificateResolver(RwLock::new(Arc::new(pair)))),
            validity,
            certificate_file,
            key_file,
        })
    }

    /// When it is valid: as a remark, or as a problem if that is not now.
    ///
    /// # Errors
    /// That it is not valid now.
    pub fn remark(&self) -> Result<String, String> {
        let Validity { from, until } = self.validity;
        if self.validity.is_now() {
            Ok(format!("server.tls: certificate valid until {until}"))
        } else {
            Err(format!("server.tls: the certificate is not valid now, but from {from} until {until}"))
        }
    }

    /// A server that shows this certificate to new connections, whichever it is by then.
    ///
    /// # Errors
    /// What keeps it from being built.
    pub fn server_config(&self) -> Result<ServerConfig, String> {
        let shown: Arc<dyn ResolvesServerCert> = Arc::<CertificateResolver>::clone(&self.shown);
        Ok(tls::server_builder()?.with_no_client_auth().with_cert_resolver(shown))
    }

    /// Keeps it as the files are, for as long as this is awaited.
    pub async fn watch(self) {
        let tell = |own: &mut Self, change: Option<Result<(), String>>| match change {
            None => {}
            Some(Ok(())) => match own.remark() {
                Ok(remark) => tracing::info!(remark, "the gateway's certificate has changed"),
                Err(problem) => tracing::error!(problem, "the gateway's certificate has changed"),
            },
            Some(Err(problem)) => tracing::error!(problem, "the gateway's new certificate cannot be used: the old one stays"),
        };
        file_watch::watch("the gateway's certificate is", self, Self::reload, tell).await;
    }

    /// Reads the files; if they have changed, uses what is in them.
    fn reload(&mut self) -> Option<Result<(), String>> {
        let content = read(&self.certificate_file, &self.key_file);
        let now = fingerprint(&content);
        if now == self.seen {
            return None;
        }
        self.seen = now;
        Some(pair(&content).map(|(pair, validity)| {
            self.validity = validity;
            *self.shown.0.write() = Arc::new(pair);
        }))
    }
}

fn read(certificate_file: &Path, key_file: &Path) -> CertificateAndKey {
    [certificate_file, key_file].map(|file| file_watch::read(file).map_err(|problem| format!("{}: {problem}", file.display())))
}

fn fingerprint(content: &CertificateAndKey) -> Vec<u8> {
    let mut fingerprint = Fingerprint::new();
    for file in content {
        fingerprint.include(file);
    }
    fingerprint.finish().as_ref().to_vec()
}

fn pair([certificates, key]: &CertificateAndKey) -> Result<(CertifiedKey, Validity), String> {
    let certificates = certificates.as_ref().map_err(Clone::clone).and_then(|pem| tls::certificates_in(pem));
    let certificates = certificates.map_err(|problem| format!("server.tls: certificate_file: {problem}"))?;
    let key = key.as_ref().map_err(Clone::clone).and_then(|pem| tls::private_key_in(pem));
    let key = key.map_err(|problem| format!("server.tls: key_file: {problem}"))?;
    let validity = tls::validity(&certificates[0]).map_err(|problem| format!("server.tls: certificate_file: {problem}"))?;
    let pair = CertifiedKey::from_der(certificates, key, &tls::provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            "server.tls: the key does not belong to the certificate, which must be the first in its file".into()
        }
        error => format!("server.tls: key_file: the key cannot be used: {error}"),
    })?;
    Ok((pair, validity))
}
