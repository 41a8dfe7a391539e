//! HTTP clients with the system's TLS, OpenSSL on Linux. Only available with the feature `native-tls`.

use std::path::Path;

use ::native_tls::{Certificate, Identity, Protocol, TlsConnector};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::PrivateKeyDer;

use crate::error_chain::error_chain;
use crate::organisations::ClientCertificate;
use crate::tls;

/// Characters in a line of PEM (RFC 7468).
const PEM_LINE_LENGTH: usize = 64;

/// Reads the root certificates of a PEM file.
///
/// # Errors
/// Returns the file's name and the error if the file cannot be used.
pub(super) fn read_root_certificates(file: &Path) -> Result<Vec<Certificate>, String> {
    let with_file = |error: ::native_tls::Error| format!("{}: {}", file.display(), error_chain(&error));
    tls::read_certificates(file)?.iter().map(|certificate| Certificate::from_der(certificate).map_err(with_file)).collect()
}

/// Creates the settings of connections: the system's TLS 1.2 or newer, these root certificates, or those of the system if there are none. This
/// takes long, because OpenSSL reads the system's authorities: it is done once for all clients of an organisation.
///
/// # Errors
/// Returns the reason if the client certificate or its key cannot be used.
pub(super) fn connector(roots: Option<&[Certificate]>, certificate: Option<ClientCertificate>) -> Result<TlsConnector, String> {
    let mut builder = TlsConnector::builder();
    builder.min_protocol_version(Some(Protocol::Tlsv12));
    if let Some(roots) = roots {
        builder.disable_built_in_roots(true);
        for root in roots {
            builder.add_root_certificate(root.clone());
        }
    }
    if let Some(certificate) = certificate {
        builder.identity(identity(&certificate)?);
    }
    builder.build().map_err(|error| format!("the system's TLS cannot be used: {}", error_chain(&error)))
}

/// Converts a client certificate for the system's TLS.
fn identity(certificate: &ClientCertificate) -> Result<Identity, String> {
    let chain: String = certificate.chain.iter().map(|certificate| to_pem("CERTIFICATE", certificate)).collect();
    let identity = Identity::from_pkcs8(chain.as_bytes(), to_pem("PRIVATE KEY", &to_pkcs8(&certificate.key)?).as_bytes());
    identity.map_err(|error| format!("the system's TLS cannot use the client certificate: {}", error_chain(&error)))
}

/// Converts a key to PKCS#8, the only format that the system's TLS accepts. Older formats are PKCS#1 for RSA and SEC1 for elliptic curves.
fn to_pkcs8(key: &PrivateKeyDer<'_>) -> Result<Vec<u8>, String> {
    const CURVES: [&aws_lc_rs::signature::EcdsaSigningAlgorithm; 3] =
        [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P521_SHA512_ASN1_SIGNING];
    let converted = match key {
        PrivateKeyDer::Pkcs8(key) => Some(key.secret_pkcs8_der().to_vec()),
        PrivateKeyDer::Pkcs1(key) => rsa::KeyPair::from_der(key.secret_pkcs1_der())
            .ok()
            .and_then(|pair| pair.as_der().ok())
            .map(|der: Pkcs8V1Der<'_>| der.as_ref().to_vec()),
        PrivateKeyDer::Sec1(key) => CURVES
            .iter()
            .find_map(|curve| EcdsaKeyPair::from_private_key_der(curve, key.secret_sec1_der()).ok()?.to_pkcs8v1().ok())
            .map(|document| document.as_ref().to_vec()),
        _ => None,
    };
    converted.ok_or_else(|| "the key cannot be converted to PKCS#8: convert it with `openssl pkcs8 -topk8 -nodes`".into())
}

fn to_pem(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut remaining = base64.as_str();
    while !remaining.is_empty() {
        let (line, rest) = remaining.split_at(remaining.len().min(PEM_LINE_LENGTH));
        pem.push_str(line);
        pem.push('\n');
        remaining = rest;
    }
    pem + &format!("-----END {label}-----\n")
}
