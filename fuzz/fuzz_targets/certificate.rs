//! Files with certificates and keys: PEM, DER, PKCS#12, public keys of issuers, encryption keys.
//!
//! Input: the kind of file, and the file.
//!
//! Errors go to the log, so they contain no line of a file. A file that is accepted twice says the same of itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lrs_gateway::auth::{Algorithm, IssuerKey};
use lrs_gateway::organisations::ClientCertificate;
use lrs_gateway::storage::encryption::KeyRing;
use lrs_gateway::tls;
use lrs_gateway_fuzz::{choose, value};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

const PASSWORD: &str = "pässword 1";
const CERTIFICATE: &[u8] = include_bytes!("../../tests/certificates/college.pem");
const KEY: &[u8] = include_bytes!("../../tests/certificates/college.key");

const CHECKS: [fn(&[u8]); 9] = [
    // One file with the certificates and the key.
    |file| check(file, || ClientCertificate::from_pem(file, file)),
    |file| check(file, || ClientCertificate::from_pem(file, KEY)),
    |file| check(file, || ClientCertificate::from_pem(CERTIFICATE, file)),
    |file| check(file, || ClientCertificate::from_pkcs12(file, PASSWORD)),
    |file| check(file, || ClientCertificate::from_pkcs12(file, "")),
    |file| {
        let certificate = CertificateDer::from(file);
        if let Err(error) = tls::certificate_details(&certificate) {
            check_error(file, &error);
        }
        let _ = RootCertStore::empty().add(certificate);
    },
    |file| {
        for algorithm in ["RS256", "ES256", "EdDSA"].map(value::<Algorithm>) {
            if let Err(error) = IssuerKey::from_public_pem(file, &[algorithm]) {
                check_error(file, &error);
            }
        }
    },
    |file| match KeyRing::parse(file) {
        Ok(keys) => assert_eq!(keys.primary_key_id().len(), 8),
        Err(error) => check_error(file, &error),
    },
    |file| {
        if let Err(error) = tls::parse_certificates(file) {
            check_error(file, &error);
        }
        if let Err(error) = tls::parse_private_key(file) {
            check_error(file, &error);
        }
    },
];

fn check(file: &[u8], read: impl Fn() -> Result<ClientCertificate, String>) {
    match read() {
        Ok(certificate) => {
            assert!(certificate.chain_length() >= 1);
            let again = read().expect("the file is accepted");
            assert_eq!((certificate.chain_length(), certificate.details), (again.chain_length(), again.details));
        }
        Err(error) => check_error(file, &error),
    }
}

/// Checks that no line of the file is in an error. Keys are lines without spaces, and errors have no such word of their own.
fn check_error(file: &[u8], error: &str) {
    assert!(error.len() < 500, "{error}");
    let lines = file.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    for line in lines.filter(|line| line.len() >= 32 && !line.contains(&b' ')) {
        let repeats = error.as_bytes().windows(line.len()).any(|part| part == line);
        // Libraries print bytes as a list of numbers.
        let numbers = format!("{:?}", &line[..8]);
        assert!(!repeats && !error.contains(numbers.trim_matches(['[', ']'])), "{error}");
    }
}

fuzz_target!(|input: &[u8]| {
    if let Some((check, file)) = choose(&CHECKS, input) {
        check(file);
    }
});
