//! Certificates that the tests create.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};

/// Year in which certificates expire by default.
const EXPIRY_YEAR: i32 = 2099;

/// A certificate authority, and the PEM files of its certificates.
pub struct CertificateAuthority {
    directory: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl CertificateAuthority {
    /// Creates an authority.
    pub fn new() -> Self {
        Self::named("Example Authority")
    }

    /// Creates an authority with this common name.
    pub fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("the parameters are valid");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer =
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key is created")).expect("a certificate is created");
        let directory = tempfile::tempdir().expect("a temporary directory is created");
        std::fs::write(directory.path().join("ca.pem"), issuer.pem()).expect("the file is written");
        Self { directory, issuer }
    }

    /// Returns the file of the authority's own certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// Returns a certificate for this name and its key, in PEM.
    pub fn certify(&self, name: &str) -> [String; 2] {
        self.certify_until(name, EXPIRY_YEAR)
    }

    /// Returns a certificate that expires on 1 January of this year, and its key, in PEM.
    pub fn certify_until(&self, name: &str, year: i32) -> [String; 2] {
        self.certify_with(name, |params| params.not_after = rcgen::date_time_ymd(year, 1, 1))
    }

    /// Returns a certificate for these purposes and its key, in PEM.
    pub fn certify_for(&self, name: &str, purposes: &[ExtendedKeyUsagePurpose]) -> [String; 2] {
        self.certify_with(name, |params| params.extended_key_usages = purposes.to_vec())
    }

    fn certify_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> [String; 2] {
        let key = KeyPair::generate().expect("a key is created");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("the parameters are valid");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_after = rcgen::date_time_ymd(EXPIRY_YEAR, 1, 1);
        change(&mut params);
        [params.signed_by(&key, &self.issuer).expect("the certificate is signed").pem(), key.serialize_pem()]
    }

    /// Writes a certificate for this name and its key, and returns the two files.
    pub fn issue(&self, name: &str) -> (PathBuf, PathBuf) {
        self.issue_until(name, EXPIRY_YEAR)
    }

    /// Writes a certificate that expires on 1 January of this year, and its key, and returns the two files.
    pub fn issue_until(&self, name: &str, year: i32) -> (PathBuf, PathBuf) {
        let [certificate, key] = self.certify_until(name, year);
        let write = |content: &str, pem: String| {
            let path = self.directory.path().join(format!("{name}.{year}.{content}.pem"));
            std::fs::write(&path, pem).expect("the file is written");
            path
        };
        (write("certificate", certificate), write("key", key))
    }
}

/// Reads a file of `tests/certificates`. OpenSSL created these files.
pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates").join(name)).expect(name)
}
