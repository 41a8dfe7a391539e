//! TLS settings shared by all connections: one cryptography provider, PEM files, TLS 1.2 or newer.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::rt::net::TcpStream;
use jiff::Timestamp;
use rustls::client::WantsClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier};
use x509_parser::certificate::X509Certificate;

use crate::file_watch;

/// Validity period of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Start of the period.
    pub not_before: Timestamp,
    /// End of the period.
    pub not_after: Timestamp,
}

impl Validity {
    /// Returns the number of whole days until the period ends; negative after its end.
    pub fn days_left(self) -> i64 {
        self.not_after.duration_since(Timestamp::now()).as_hours().div_euclid(24)
    }

    /// Returns `true` if the certificate is valid now.
    pub fn is_current(self) -> bool {
        (self.not_before..=self.not_after).contains(&Timestamp::now())
    }
}

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateDetails {
    /// Name of the holder.
    pub subject: String,
    /// Name of the authority that issued it.
    pub issuer: String,
    /// What it may be used for. Empty if it states no purpose: it may then be used for any.
    pub purposes: Vec<&'static str>,
    /// Validity period.
    pub validity: Validity,
}

impl CertificateDetails {
    /// Returns `true` if a client may present the certificate.
    pub fn is_for_clients(&self) -> bool {
        self.purposes.is_empty() || self.purposes.iter().any(|purpose| [ANY_PURPOSE, CLIENT_AUTH].contains(purpose))
    }
}

/// The purpose of certificates that clients present.
const CLIENT_AUTH: &str = "clientAuth";
/// The purpose that stands for all others.
const ANY_PURPOSE: &str = "any";

/// Returns the cryptography provider of all connections.
pub fn crypto_provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Reads the certificates of a PEM file.
///
/// # Errors
/// Returns a text with the file name if the file cannot be read or contains no valid certificate.
pub fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    read_pem(file, parse_certificates)
}

/// Parses a PEM text with one certificate or more.
///
/// # Errors
/// Returns a text if the PEM is invalid or contains no certificate.
pub fn parse_certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|error| format!("a certificate cannot be parsed: {}", pem_error(&error)))?;
    if certificates.is_empty() {
        Err("contains no certificate: must be PEM text that begins with -----BEGIN CERTIFICATE-----".into())
    } else {
        Ok(certificates)
    }
}

/// Reads the private key of a PEM file.
///
/// # Errors
/// Returns a text with the file name if the file cannot be read or contains no usable private key.
pub fn read_private_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    read_pem(file, parse_private_key)
}

/// Parses a PEM text with a private key.
///
/// # Errors
/// Returns a text if the PEM is invalid, or the key is missing or encrypted.
pub fn parse_private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
        let reason = pem_error(&error);
        format!("contains no usable private key: must be PEM without a password (`openssl pkey` removes the password): {reason}")
    })
}

/// Returns the reason why a text is not PEM. The library's own text repeats a line of the file. A key that has lost its line ends is one
/// line, and would be in the log.
const fn pem_error(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::NoItemsFound => "it contains none",
        pem::Error::MissingSectionEnd { .. } => "the line -----END is missing. The file may have lost its line ends",
        pem::Error::IllegalSectionStart { .. } => "the line -----BEGIN does not end with -----. The file may have lost its line ends",
        pem::Error::Base64Decode(_) => "the lines between -----BEGIN and -----END are not base64",
        _ => "it is too large or cannot be read",
    }
}

fn read_pem<T>(file: &Path, parse: impl FnOnce(&[u8]) -> Result<T, String>) -> Result<T, String> {
    file_watch::read(file).and_then(|pem| parse(&pem)).map_err(|error| format!("{}: {error}", file.display()))
}

/// Parses a DER certificate as X.509.
///
/// # Errors
/// Returns a text if it is not an X.509 certificate.
pub fn parse_x509<'c>(certificate: &'c CertificateDer<'_>) -> Result<X509Certificate<'c>, String> {
    let parsed = x509_parser::parse_x509_certificate(certificate);
    parsed.map(|(_, certificate)| certificate).map_err(|_| "contains data that is not an X.509 certificate".into())
}

/// Returns the validity period of a certificate.
///
/// # Errors
/// Returns a text if it is not an X.509 certificate.
pub fn certificate_validity(certificate: &CertificateDer<'_>) -> Result<Validity, String> {
    certificate_details(certificate).map(|details| details.validity)
}

/// Returns what a certificate says of itself.
///
/// # Errors
/// Returns a text if it is not an X.509 certificate.
pub fn certificate_details(certificate: &CertificateDer<'_>) -> Result<CertificateDetails, String> {
    let timestamp = |epoch_seconds| Timestamp::from_second(epoch_seconds).unwrap_or(Timestamp::UNIX_EPOCH);
    let certificate = parse_x509(certificate)?;
    let validity = certificate.validity();
    let usage = certificate.extended_key_usage().ok().flatten().map(|extension| extension.value);
    let purposes = usage.map_or_else(Vec::new, |usage| {
        let known = [(usage.any, ANY_PURPOSE), (usage.client_auth, CLIENT_AUTH), (usage.server_auth, "serverAuth")];
        let is_other = usage.code_signing || usage.email_protection || usage.time_stamping || usage.ocsp_signing || !usage.other.is_empty();
        known.into_iter().chain([(is_other, "others")]).filter(|(has_purpose, _)| *has_purpose).map(|(_, purpose)| purpose).collect()
    });
    Ok(CertificateDetails {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        purposes,
        validity: Validity { not_before: timestamp(validity.not_before.timestamp()), not_after: timestamp(validity.not_after.timestamp()) },
    })
}

/// Reads the trusted root certificates of a PEM file.
///
/// # Errors
/// Returns a text with the file name if the file cannot be read or contains an unusable certificate.
pub fn read_root_certificates(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(file)? {
        roots.add(certificate).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(roots)
}

/// Returns the root certificates of the public web (Mozilla's list).
pub fn public_root_certificates() -> RootCertStore {
    webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()
}

/// Returns a server configuration builder with the shared provider and TLS versions.
///
/// # Errors
/// Returns a text if the provider supports none of the TLS versions.
pub fn server_config_builder() -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, String> {
    ServerConfig::builder_with_provider(crypto_provider()).with_safe_default_protocol_versions().map_err(|error| error.to_string())
}

/// Returns a client configuration builder that trusts the given root certificates.
///
/// # Errors
/// Returns a text if the provider supports none of the TLS versions.
pub fn client_config_builder(roots: Arc<RootCertStore>) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, String> {
    let builder = ClientConfig::builder_with_provider(crypto_provider()).with_safe_default_protocol_versions();
    Ok(builder.map_err(|error| error.to_string())?.with_root_certificates(roots))
}

/// Returns the simulator's server configuration, with a certificate from files. The gateway's own comes from `ServerCertificate`. With
/// `client_ca_file`, clients must present a certificate that one of its authorities has issued.
///
/// # Errors
/// Returns a text if a file cannot be read or used.
pub fn server_config(certificate_file: &Path, key_file: &Path, client_ca_file: Option<&Path>) -> Result<ServerConfig, String> {
    let builder = server_config_builder()?;
    let builder = match client_ca_file {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(read_root_certificates(file)?), crypto_provider())
                .build()
                .map_err(|error| format!("{}: {error}", file.display()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    builder.with_single_cert(read_certificates(certificate_file)?, read_private_key(key_file)?).map_err(|error| error.to_string())
}

/// Returns the TCP stream of a server connection, with or without TLS. actix passes connections as `dyn Any`.
pub fn tcp_stream(connection: &dyn Any) -> Option<&TcpStream> {
    let below_tls = || connection.downcast_ref::<TlsStream<TcpStream>>().map(|tls| tls.get_ref().0);
    connection.downcast_ref::<TcpStream>().or_else(below_tls)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key file as it is after it was copied without its line ends, or cut, or changed.
    const DAMAGED_KEYS: [&str; 4] = [
        "-----BEGIN PRIVATE KEY----- c2VjcmV0IHNlY3JldCBzZWNyZXQ= -----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----c2VjcmV0IHNlY3JldCBzZWNyZXQ=-----END PRIVATE KEY-",
        "-----BEGIN PRIVATE KEY-----\nc2VjcmV0IHNlY3JldCBzZWNyZXQ=\n",
        "-----BEGIN PRIVATE KEY-----\nc2VjcmV0IHNlY3JldCBzZWNyZXQ!\n-----END PRIVATE KEY-----\n",
    ];

    #[test]
    fn pem_error_does_not_repeat_the_file() {
        for pem in DAMAGED_KEYS {
            let certificate = pem.replace("PRIVATE KEY", "CERTIFICATE");
            let errors = [parse_private_key(pem.as_bytes()).err(), parse_certificates(certificate.as_bytes()).err()];
            for error in errors {
                let error = error.unwrap_or_else(|| panic!("{pem} is not PEM"));
                // The start of the key, as text and as a list of numbers.
                assert!(!error.contains("c2Vj") && !error.contains("99, 50, 86, 106"), "{error}");
            }
        }
    }
}
