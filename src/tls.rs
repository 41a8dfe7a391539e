//! TLS as every part of the program uses it: one cryptography, PEM files, 1.2 or newer.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::rt::net::TcpStream;

use jiff::Timestamp;
use rustls::client::WantsClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier};

use crate::file_watch;

/// The cryptography of every connection.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The certificates of a PEM file.
///
/// # Errors
/// What is wrong with the file, naming it.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    in_file(file, certificates_in)
}

/// The certificates of a PEM text, one or more.
///
/// # Errors
/// What is wrong with it.
pub fn certificates_in(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|error| format!("no certificate can be read: {error}"))?;
    if certificates.is_empty() {
        Err("there is no certificate in it: it must be PEM, text that begins with -----BEGIN CERTIFICATE-----".into())
    } else {
        Ok(certificates)
    }
}

fn in_file<T>(file: &Path, read: impl FnOnce(&[u8]) -> Result<T, String>) -> Result<T, String> {
    let at = |problem: String| format!("{}: {problem}", file.display());
    file_watch::read(file).and_then(|bytes| read(&bytes)).map_err(at)
}

/// The private key of a PEM file.
///
/// # Errors
/// What is wrong with the file, naming it.
pub fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    in_file(file, private_key_in)
}

/// The private key of a PEM text.
///
/// # Errors
/// What is wrong with it.
pub fn private_key_in(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
        format!("no private key can be read: it must be PEM, and without a password (`openssl pkey` takes it off): {error}")
    })
}

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// From this moment.
    pub from: Timestamp,
    /// Until this one.
    pub until: Timestamp,
}

impl Validity {
    /// How many whole days it still is; negative when it is over.
    pub fn days_left(self) -> i64 {
        self.until.duration_since(Timestamp::now()).as_hours().div_euclid(24)
    }

    /// Is it valid now?
    pub fn is_now(self) -> bool {
        (self.from..=self.until).contains(&Timestamp::now())
    }
}

/// When a certificate is valid.
///
/// # Errors
/// That it is no certificate.
pub fn validity(certificate: &CertificateDer<'_>) -> Result<Validity, String> {
    let moment = |seconds| Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH);
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate)
        .map_err(|_| "there is something in it that is not an X.509 certificate".to_owned())?;
    let validity = certificate.validity();
    Ok(Validity { from: moment(validity.not_before.timestamp()), until: moment(validity.not_after.timestamp()) })
}

/// The authorities of a PEM file.
///
/// # Errors
/// What is wrong with the file, naming it.
pub fn authorities(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(roots)
}

/// The beginning of every server's configuration.
///
/// # Errors
/// When the cryptography knows no version of TLS.
pub fn server_builder() -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, String> {
    ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(|error| error.to_string())
}

/// The beginning of every client's configuration: whom it trusts.
///
/// # Errors
/// The same.
pub fn client_builder(roots: Arc<RootCertStore>) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, String> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    Ok(builder.map_err(|error| error.to_string())?.with_root_certificates(roots))
}

/// The authorities that the web trusts.
pub fn web_authorities() -> RootCertStore {
    webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()
}

/// The TCP connection of a server's, with or without TLS.
pub fn tcp_of(connection: &dyn Any) -> Option<&TcpStream> {
    let inside = || connection.downcast_ref::<TlsStream<TcpStream>>().map(|tls| tls.get_ref().0);
    connection.downcast_ref::<TcpStream>().or_else(inside)
}

/// A server with this certificate; with `client_ca_file`, for clients that show a certificate of these authorities only.
///
/// # Errors
/// What is wrong with the files.
pub fn server_config(certificate_file: &Path, key_file: &Path, client_ca_file: Option<&Path>) -> Result<ServerConfig, String> {
    let builder = server_builder()?;
    let builder = match client_ca_file {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities(file)?), provider())
                .build()
                .map_err(|error| format!("{}: {error}", file.display()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    builder.with_single_cert(certificates(certificate_file)?, private_key(key_file)?).map_err(|error| error.to_string())
}
