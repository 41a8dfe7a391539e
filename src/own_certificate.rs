//! The gateway's own certificate: what callers are shown, renewed without a restart.
//!
//! As with organisations, what is looked at is the content, so it does not matter how a file was changed. A key that does not belong to
//! the certificate, as in the moment in which one file has been renewed and the other has not, leaves the pair that was there.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::tls;
use crate::tls::Validity;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(2);

/// Certificate and key, as their files are.
#[derive(Debug)]
pub struct OwnCertificate {
    certificate_file: PathBuf,
    key_file: PathBuf,
    /// What tells the content that was read last from others.
    seen: Vec<u8>,
    shown: Arc<Shown>,
    validity: Validity,
}

/// What new connections are shown.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// What the two files hold, or why they cannot be read.
type Content = [Result<Vec<u8>, String>; 2];

impl OwnCertificate {
    /// Reads these PEM files.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn load(certificate_file: PathBuf, key_file: PathBuf) -> Result<Self, String> {
        let content = read(&certificate_file, &key_file);
        let (pair, validity) = pair(&content)?;
        Ok(Self { seen: digest(&content), shown: Arc::new(Shown(RwLock::new(Arc::new(pair)))), validity, certificate_file, key_file })
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
        let builder = ServerConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let shown: Arc<dyn ResolvesServerCert> = Arc::<Shown>::clone(&self.shown);
        Ok(builder.with_no_client_auth().with_cert_resolver(shown))
    }

    /// Keeps it as the files are, for as long as this is awaited.
    pub async fn keep(mut self) {
        loop {
            tokio::time::sleep(EVERY).await;
            let looked = tokio::task::spawn_blocking(move || {
                let change = self.look();
                (self, change)
            });
            let Ok((own, change)) = looked.await else {
                tracing::error!("the gateway's certificate is not watched any more: the watcher panicked");
                return;
            };
            self = own;
            match change {
                None => {}
                Some(Ok(())) => match self.remark() {
                    Ok(remark) => tracing::info!(remark, "the gateway's certificate has changed"),
                    Err(problem) => tracing::error!(problem, "the gateway's certificate has changed"),
                },
                Some(Err(problem)) => tracing::error!(problem, "the gateway's new certificate cannot be used: the old one stays"),
            }
        }
    }

    /// Reads the files; if they have changed, uses what is in them.
    fn look(&mut self) -> Option<Result<(), String>> {
        let content = read(&self.certificate_file, &self.key_file);
        let digest = digest(&content);
        if digest == self.seen {
            return None;
        }
        self.seen = digest;
        Some(pair(&content).map(|(pair, validity)| {
            self.validity = validity;
            *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
        }))
    }
}

fn read(certificate_file: &PathBuf, key_file: &PathBuf) -> Content {
    [certificate_file, key_file].map(|file| std::fs::read(file).map_err(|error| format!("{}: cannot be read: {error}", file.display())))
}

fn digest(content: &Content) -> Vec<u8> {
    let mut everything = Context::new(&SHA256);
    for file in content {
        let (mark, bytes) = file.as_ref().map_or_else(|problem| (0, problem.as_bytes()), |bytes| (1, bytes.as_slice()));
        everything.update(&[mark]);
        everything.update(&(bytes.len() as u64).to_be_bytes());
        everything.update(bytes);
    }
    everything.finish().as_ref().to_vec()
}

fn pair([certificates, key]: &Content) -> Result<(CertifiedKey, Validity), String> {
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
