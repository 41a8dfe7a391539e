//! Certificates of the tests' own making.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// A certification authority and what it made, as PEM files.
pub struct Authority {
    directory: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        Self::named("Example Authority")
    }

    pub fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate");
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("ca.pem"), issuer.pem()).expect("written");
        Self { directory, issuer }
    }

    pub fn ca_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// Certificate and key for this name, in PEM.
    pub fn certify(&self, name: &str) -> [String; 2] {
        self.certify_until(name, 2099)
    }

    /// The same, with a certificate that ends in this year.
    pub fn certify_until(&self, name: &str, year: i32) -> [String; 2] {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        [params.signed_by(&key, &self.issuer).expect("signed").pem(), key.serialize_pem()]
    }

    /// Certificate and key files for this name.
    pub fn issue(&self, name: &str) -> (PathBuf, PathBuf) {
        self.issue_until(name, 2099)
    }

    /// The same, with a certificate that ends in this year.
    pub fn issue_until(&self, name: &str, year: i32) -> (PathBuf, PathBuf) {
        let [certificate, key] = self.certify_until(name, year);
        let file = |kind: &str, pem: String| {
            let path = self.directory.path().join(format!("{name}.{year}.{kind}.pem"));
            std::fs::write(&path, pem).expect("written");
            path
        };
        (file("certificate", certificate), file("key", key))
    }
}

/// A certificate that was made with OpenSSL (tests/certificates).
pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates").join(name)).expect(name)
}
