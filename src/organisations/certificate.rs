//! Client certificates: parsed from PEM or PKCS#12, and checked before LRS sees them.

use p12_keystore::Pkcs12Archive;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use crate::tls::{self, CertificateDetails};

/// A client certificate with its chain and its private key.
#[derive(Debug)]
pub struct ClientCertificate {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    /// What the certificate says of itself.
    pub details: CertificateDetails,
}

impl ClientCertificate {
    /// Parses PEM: the organisation's certificate followed by its issuers in order, and the private key.
    ///
    /// # Errors
    /// Returns a text with the setting if the PEM is invalid, the key does not belong to the first certificate, or the issuers are not in
    /// order.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, String> {
        let chain = tls::parse_certificates(certificates).map_err(|error| format!("certificate_file: {error}"))?;
        let key = tls::parse_private_key(key).map_err(|error| format!("key_file: {error}"))?;
        if !belong_together(&chain[0], &key)? {
            let belongs_to_other = chain[1..].iter().any(|certificate| belong_together(certificate, &key) == Ok(true));
            return Err(if belongs_to_other {
                "certificate_file: the certificate of the key must come first, followed by its issuers".into()
            } else {
                "the key does not belong to the certificate".into()
            });
        }
        for (index, pair) in chain.windows(2).enumerate() {
            if tls::parse_x509(&pair[0])?.issuer() != tls::parse_x509(&pair[1])?.subject() {
                return Err(format!(
                    "certificate_file: certificate {} is not the issuer of the certificate before it: the organisation's certificate must \
                     come first, followed by its issuers in order",
                    index + 2
                ));
            }
        }
        Self::new(chain, key)
    }

    /// Parses a PKCS#12 archive (.pfx, .p12) with current encryption or the encryption of LRS's early years. Uses the certificate that a
    /// key in the archive belongs to, and its issuers without the root.
    ///
    /// # Errors
    /// Returns a text with the setting if the archive cannot be decrypted or contains no certificate with its key.
    pub fn from_pkcs12(archive: &[u8], password: &str) -> Result<Self, String> {
        let archive = Pkcs12Archive::from_pkcs12(archive, password).map_err(|error| {
            let causes = "pfx_file: cannot be opened: the password is wrong, the file is not PKCS#12, or its encryption is not supported \
                (convert it with `openssl pkcs12`)";
            format!("{causes}: {error}")
        })?;
        let certificates: Vec<CertificateDer<'static>> =
            archive.certs.iter().map(|bag| CertificateDer::from(bag.cert.as_der().to_vec())).collect();
        let mut last_error = None;
        for bag in &archive.keys {
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(bag.key.as_der().to_vec()));
            for certificate in &certificates {
                match belong_together(certificate, &key) {
                    Ok(true) => return Self::new(chain_of(certificate, &certificates)?, key),
                    Ok(false) => {}
                    Err(error) => last_error = Some(error),
                }
            }
        }
        if let Some(error) = last_error {
            return Err(format!("pfx_file: {error}"));
        }
        let (keys, count) = (archive.keys.len(), certificates.len());
        Err(format!("pfx_file: contains no certificate with its private key (certificates: {count}, keys: {keys})"))
    }

    /// Returns the number of certificates presented to LRS: the organisation's own and its issuers.
    pub const fn chain_length(&self) -> usize {
        self.chain.len()
    }

    fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, String> {
        let details = tls::certificate_details(&chain[0])?;
        Ok(Self { chain, key, details })
    }
}

/// Returns `true` if the key is the certificate's private key.
fn belong_together(certificate: &CertificateDer<'static>, key: &PrivateKeyDer<'static>) -> Result<bool, String> {
    match CertifiedKey::from_der(vec![certificate.clone()], key.clone_key(), &tls::crypto_provider()) {
        Ok(_) => Ok(true),
        Err(rustls::Error::InconsistentKeys(_)) => Ok(false),
        Err(rustls::Error::InvalidCertificate(error)) => {
            Err(format!("the certificate cannot be used: it must be X.509 version 3, as certificates of LRS are: {error:?}"))
        }
        Err(error) => Err(format!("the key cannot be used: {error}")),
    }
}

/// Returns a certificate followed by its issuers, as far as they are among `certificates`. The root is left out: a server that trusts it
/// has it.
fn chain_of(
    certificate: &CertificateDer<'static>,
    certificates: &[CertificateDer<'static>],
) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut chain = vec![certificate.clone()];
    while chain.len() <= certificates.len() {
        let last = tls::parse_x509(&chain[chain.len() - 1])?;
        let issuer = certificates.iter().find(|candidate| {
            let parsed = tls::parse_x509(candidate);
            !chain.contains(candidate)
                && parsed.is_ok_and(|parsed| parsed.subject() == last.issuer() && parsed.issuer() != parsed.subject())
        });
        let Some(issuer) = issuer.cloned() else { break };
        drop(last);
        chain.push(issuer);
    }
    Ok(chain)
}
