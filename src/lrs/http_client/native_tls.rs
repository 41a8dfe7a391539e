//! Connections over the system's TLS, OpenSSL on Linux: in programs with the feature `native-tls` only.

use std::path::Path;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::tls::Version;
use reqwest::{Certificate, ClientBuilder, Identity};
use rustls::pki_types::PrivateKeyDer;

use crate::error_chain::error_chain;
use crate::organisations::ClientIdentity;
use crate::tls;

/// The authorities of a PEM file.
///
/// # Errors
/// What is wrong with the file, naming it.
pub(super) fn authorities(file: &Path) -> Result<Vec<Certificate>, String> {
    let at = |error: reqwest::Error| format!("{}: {}", file.display(), error_chain(&error));
    tls::certificates(file)?.iter().map(|certificate| Certificate::from_der(certificate).map_err(at)).collect()
}

/// Puts the system's TLS under a client: 1.2 or newer, with these authorities or the system's.
///
/// # Errors
/// Why the certificate or its key cannot be used.
pub(super) fn prepare(
    builder: ClientBuilder,
    authorities: Option<&[Certificate]>,
    identity: Option<ClientIdentity>,
) -> Result<ClientBuilder, String> {
    let builder = builder.tls_backend_native().tls_version_min(Version::TLS_1_2);
    let builder = match authorities {
        None => builder,
        Some(authorities) => builder.tls_certs_only(authorities.iter().cloned()),
    };
    let Some(identity) = identity else { return Ok(builder) };
    let chain: String = identity.chain.iter().map(|certificate| pem("CERTIFICATE", certificate)).collect();
    let identity = Identity::from_pkcs8_pem(chain.as_bytes(), pem("PRIVATE KEY", &pkcs8(&identity.key)?).as_bytes());
    Ok(builder.identity(identity.map_err(|error| format!("the system's TLS cannot use it: {}", error_chain(&error)))?))
}

/// The key as PKCS#8, the one form that is taken: older ones are PKCS#1 for RSA and SEC1 for elliptic curves.
fn pkcs8(key: &PrivateKeyDer<'_>) -> Result<Vec<u8>, String> {
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
    converted.ok_or_else(|| "the key cannot be made PKCS#8: convert it with `openssl pkcs8 -topk8 -nodes`".into())
}

fn pem(kind: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {kind}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = more;
    }
    pem + &format!("-----END {kind}-----\n")
}
