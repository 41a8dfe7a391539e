//! Connections with the system's TLS, which answers renegotiation. `make test-native-tls` runs these tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use lrs_gateway::lrs::http_client::TlsBackend;
use lrs_gateway::simulator::{SimulatorSettings, TlsFiles};

use super::{FIND, NO_MATCH, PASSWORD, check_connection, check_connection_with_certificate, config_for, search};
use crate::support::caller::PROVIDER;
use crate::support::certificates::{CertificateAuthority, fixture};
use crate::support::fake_server::soap;
use crate::support::gateway::{Options, organisation_with_certificate};
use crate::support::program::ConfigDirectory;
use crate::support::renegotiating_server::RenegotiatingServer;
use crate::support::{SimulatedLrs, TestGateway};

const NATIVE: &str = "tls_backend = \"native\"";

/// Returns a gateway with the native backend, which trusts this authority, and an organisation with this client certificate.
fn gateway_with(url: &str, authority: &CertificateAuthority, certificate: Option<(PathBuf, PathBuf)>) -> TestGateway {
    let organisation = organisation_with_certificate(PROVIDER, PASSWORD, TlsBackend::Native, &authority.ca_file(), certificate);
    TestGateway::with(url, Options { organisations: vec![organisation], ..Options::default() })
}

/// Starts an LRS with these TLS files. Returns it with its URL.
fn start_lrs((certificate_file, key_file): (PathBuf, PathBuf), client_ca_file: Option<PathBuf>) -> (SimulatedLrs, String) {
    let tls = TlsFiles { certificate_file, key_file, client_ca_file };
    let lrs = SimulatedLrs::with(&SimulatorSettings { tls: Some(tls), ..SimulatorSettings::default() });
    let url = lrs.url().replace("http:", "https:");
    (lrs, url)
}

#[tokio::test]
async fn native_backend_renegotiation_requested_presents_certificate() {
    let authority = CertificateAuthority::new();
    let lrs = RenegotiatingServer::start(&authority, soap(200, NO_MATCH));
    let (is_success, output) = check_connection_with_certificate(&lrs.url(), &authority, NATIVE);
    assert!(is_success && output.contains("connected, TLS works, HTTP status 200"), "{output}");
    let gateway = gateway_with(&lrs.url(), &authority, Some(authority.issue("college")));
    assert_eq!(gateway.caller().post(FIND, &search()).await.expect_success()["outcome"], "NO_MATCH");
    assert_eq!(lrs.subjects(), ["CN = college", "CN = college"]);
}

/// Converts a key to its traditional format with OpenSSL.
fn traditional_key(key: &Path) -> PathBuf {
    let converted = key.with_extension("traditional.pem");
    let conversion = Command::new("openssl").args(["pkey", "-traditional", "-in"]).arg(key).arg("-out").arg(&converted).status();
    assert!(conversion.expect("openssl is installed").success());
    converted
}

/// Files of a college whose certificate has an intermediate issuer, and the roots that a server trusts.
struct CollegeFiles {
    directory: tempfile::TempDir,
    chain: PathBuf,
    rsa_key: PathBuf,
    /// The server knows only the root of the college's issuer, so the gateway must send the chain.
    roots: String,
}

impl CollegeFiles {
    fn new(authority: &CertificateAuthority) -> Self {
        let directory = tempfile::tempdir().expect("the directory is created");
        let authority_root = std::fs::read(authority.ca_file()).expect("the file exists");
        let chain = write(&directory, "chain.pem", [fixture("college.pem"), fixture("issuer.pem")].concat());
        let rsa_key = write(&directory, "college.key.pem", fixture("college.key"));
        let roots = write(&directory, "roots.pem", [fixture("root.pem"), authority_root].concat()).display().to_string();
        Self { directory, chain, rsa_key, roots }
    }

    fn start_lrs(&self, authority: &CertificateAuthority) -> RenegotiatingServer {
        RenegotiatingServer::with(&["-tls1_2", "-CAfile", &self.roots], authority, soap(200, NO_MATCH))
    }
}

fn write(directory: &tempfile::TempDir, name: &str, content: Vec<u8>) -> PathBuf {
    let path = directory.path().join(name);
    std::fs::write(&path, content).expect("the file is written");
    path
}

#[test]
fn native_backend_presents_certificate_chain_with_keys_of_every_format() {
    let authority = CertificateAuthority::new();
    let college = CollegeFiles::new(&authority);
    let (certificate, elliptic_key) = authority.issue("elliptic");
    for (certificate, key, first_line, subject) in [
        (&college.chain, &college.rsa_key, "-----BEGIN PRIVATE KEY", "CN = Example College"),
        (&college.chain, &traditional_key(&college.rsa_key), "-----BEGIN RSA PRIVATE KEY", "CN = Example College"),
        (&certificate, &traditional_key(&elliptic_key), "-----BEGIN EC PRIVATE KEY", "CN = elliptic"),
    ] {
        assert!(std::fs::read_to_string(key).expect("the file exists").starts_with(first_line));
        let lrs = college.start_lrs(&authority);
        let config = config_for(&lrs.url(), &authority, NATIVE);
        config.certificate(PROVIDER, certificate, key);
        let (is_success, output) = check_connection(&config);
        assert!(is_success, "{first_line}: {output}");
        assert_eq!(lrs.subjects(), [subject]);
    }
}

#[test]
fn native_backend_presents_certificate_chain_of_pkcs12_archive_with_legacy_encryption() {
    let authority = CertificateAuthority::new();
    let college = CollegeFiles::new(&authority);
    let lrs = college.start_lrs(&authority);
    let config = config_for(&lrs.url(), &authority, NATIVE);
    let archive = write(&college.directory, "legacy.pfx", fixture("legacy.pfx"));
    let password = write(&college.directory, "password", "p\u{e4}ssword 1".into());
    config.archive(PROVIDER, &archive, &password);
    let (is_success, output) = check_connection(&config);
    assert!(is_success, "OpenSSL itself would not open this archive: {output}");
    assert_eq!(lrs.subjects(), ["CN = Example College"]);
}

#[tokio::test]
async fn native_backend_tls_errors_of_calls_are_classified() {
    let (authority, other_authority) = (CertificateAuthority::new(), CertificateAuthority::named("Another authority"));
    let (_lrs, url) = start_lrs(authority.issue("127.0.0.1"), Some(authority.ca_file()));

    let gateway = gateway_with(&url, &authority, Some(authority.issue("college")));
    assert_eq!(gateway.caller().post(FIND, &search()).await.expect_success()["outcome"], "EXACT_MATCH");
    for certificate in [None, Some(other_authority.issue("college"))] {
        let gateway = gateway_with(&url, &authority, certificate);
        gateway.caller().post(FIND, &search()).await.problem(502, "lrs_credentials_rejected");
    }
    let gateway = gateway_with(&url, &other_authority, Some(authority.issue("college")));
    gateway.caller().post(FIND, &search()).await.problem(503, "lrs_unavailable");
}

#[test]
fn native_backend_tls_errors_of_connect_are_reported() {
    let (authority, other_authority) = (CertificateAuthority::new(), CertificateAuthority::named("Another authority"));
    let (_lrs, url) = start_lrs(authority.issue("127.0.0.1"), Some(authority.ca_file()));
    let (_expired_lrs, expired_url) = start_lrs(authority.issue_until("127.0.0.1", 2020), None);
    for (url, trusted_authority, client_authority, problem) in [
        (url.clone(), &authority, &other_authority, "LRS does not trust the organisation's client certificate (TLS alert UnknownCA)"),
        (url.clone(), &other_authority, &authority, "LRS's certificate is not trusted"),
        (url.replace("127.0.0.1", "localhost"), &authority, &authority, "LRS's certificate is for another name"),
        (expired_url, &authority, &authority, "LRS's certificate is not valid today"),
    ] {
        let config = config_for(&url, trusted_authority, NATIVE);
        let (certificate, key) = client_authority.issue("college");
        config.certificate(PROVIDER, &certificate, &key);
        let (is_success, output) = check_connection(&config);
        assert!(!is_success && output.contains(problem), "{output}");
    }
}

#[test]
fn native_backend_server_with_only_tls_1_1_is_reported() {
    let authority = CertificateAuthority::new();
    let server = RenegotiatingServer::with(&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], &authority, soap(200, NO_MATCH));
    let (is_success, output) = check_connection_with_certificate(&server.url(), &authority, NATIVE);
    assert!(!is_success && output.contains("no version of TLS in common"), "{output}");
}

#[test]
fn native_backend_without_ca_file_trusts_only_authorities_of_the_system() {
    let authority = CertificateAuthority::new();
    let lrs = RenegotiatingServer::start(&authority, soap(200, NO_MATCH));
    let config = ConfigDirectory::new(&lrs.url());
    config.add_lrs_settings(NATIVE);
    let (is_success, output) = check_connection(&config);
    assert!(!is_success && output.contains("LRS's certificate is not trusted"), "{output}");
}
