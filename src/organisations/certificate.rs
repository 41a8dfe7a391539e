//! Client certificates: read, and checked before anybody is shown them.

use p12_keystore::Pkcs12Archive;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;

use crate::tls::{self, Validity};

/// A certificate chain and the key that belongs to it.
#[derive(Debug)]
pub struct ClientCertificate {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    /// When the certificate is valid.
    pub validity: Validity,
}

impl ClientCertificate {
    /// Reads PEM: certificates, the organisation's own first, then its issuers; and the key.
    ///
    /// # Errors
    /// What is wrong.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, String> {
        let chain = tls::certificates_in(certificates).map_err(|problem| format!("certificate_file: {problem}"))?;
        let key = tls::private_key_in(key).map_err(|problem| format!("key_file: {problem}"))?;
        if !belong_together(&chain[0], &key)? {
            let other = chain[1..].iter().any(|certificate| belong_together(certificate, &key) == Ok(true));
            return Err(if other {
                "certificate_file: the certificate that the key belongs to must come first, then its issuers".into()
            } else {
                "the key does not belong to the certificate".into()
            });
        }
        for (number, pair) in chain.windows(2).enumerate() {
            if parsed(&pair[0])?.issuer() != parsed(&pair[1])?.subject() {
                return Err(format!(
                    "certificate_file: certificate {} is not the issuer of the one before it: the organisation's own comes first, then \
                     its issuers in order",
                    number + 2
                ));
            }
        }
        Self::new(chain, key)
    }

    /// Reads PKCS#12 (a .pfx or .p12 file), with the encryptions of today or of LRS's early years. Of what is in it, the certificate is
    /// taken that belongs to a key, and its issuers without the root.
    ///
    /// # Errors
    /// What is wrong.
    pub fn from_pkcs12(archive: &[u8], password: &str) -> Result<Self, String> {
        let archive = Pkcs12Archive::from_pkcs12(archive, password).map_err(|error| {
            let explained = "pfx_file: cannot be opened: the password is wrong, or it is no PKCS#12 file, or one with an encryption \
                that is not supported (convert it with `openssl pkcs12`)";
            format!("{explained}: {error}")
        })?;
        let certificates: Vec<CertificateDer<'static>> =
            archive.certs.iter().map(|bag| CertificateDer::from(bag.cert.as_der().to_vec())).collect();
        let mut unusable = None;
        for bag in &archive.keys {
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(bag.key.as_der().to_vec()));
            for certificate in &certificates {
                match belong_together(certificate, &key) {
                    Ok(true) => return Self::new(chain_from(certificate, &certificates)?, key),
                    Ok(false) => {}
                    Err(problem) => unusable = Some(problem),
                }
            }
        }
        if let Some(problem) = unusable {
            return Err(format!("pfx_file: {problem}"));
        }
        let (keys, count) = (archive.keys.len(), certificates.len());
        Err(format!("pfx_file: no certificate in it belongs to a key in it (certificates: {count}, keys: {keys})"))
    }

    /// How many certificates are shown: its own, and those above it.
    pub const fn chain_length(&self) -> usize {
        self.chain.len()
    }

    fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, String> {
        let validity = tls::validity(&chain[0])?;
        Ok(Self { chain, key, validity })
    }
}

fn parsed<'c>(certificate: &'c CertificateDer<'_>) -> Result<X509Certificate<'c>, String> {
    let parsed = x509_parser::parse_x509_certificate(certificate);
    parsed.map(|(_, certificate)| certificate).map_err(|_| "there is something in it that is not an X.509 certificate".into())
}

fn belong_together(certificate: &CertificateDer<'static>, key: &PrivateKeyDer<'static>) -> Result<bool, String> {
    match CertifiedKey::from_der(vec![certificate.clone()], key.clone_key(), &tls::provider()) {
        Ok(_) => Ok(true),
        Err(rustls::Error::InconsistentKeys(_)) => Ok(false),
        Err(rustls::Error::InvalidCertificate(error)) => {
            Err(format!("the certificate cannot be used: it must be X.509, version 3 (LRS's are): {error:?}"))
        }
        Err(error) => Err(format!("the key cannot be used: {error}")),
    }
}

/// A certificate and its issuers, as far as they are among these. The root is left out: who trusts it, has it.
fn chain_from(
    certificate: &CertificateDer<'static>,
    certificates: &[CertificateDer<'static>],
) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut chain = vec![certificate.clone()];
    while chain.len() <= certificates.len() {
        let last = parsed(&chain[chain.len() - 1])?;
        let issuer = certificates.iter().find(|candidate| {
            !chain.contains(candidate) && parsed(candidate).is_ok_and(|one| one.subject() == last.issuer() && one.issuer() != one.subject())
        });
        let Some(issuer) = issuer.cloned() else { break };
        drop(last);
        chain.push(issuer);
    }
    Ok(chain)
}
