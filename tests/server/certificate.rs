//! The server's certificate: renewal without a restart, errors with its files, and TLS versions.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use lrs_gateway::file_watch::Poll;
use lrs_gateway::server::ServerOptions;
use lrs_gateway::server::certificate::ServerCertificate;
use lrs_gateway::simulator::SimulatorSettings;
use lrs_gateway::tls;
use serde_json::json;

use super::{FIND, UNREACHABLE_LRS, api_address, assert_live, config_with_tls, connect, connect_tls, search, start_gateway, start_program};
use crate::support::caller::{self, Caller};
use crate::support::certificates::CertificateAuthority;
use crate::support::program::{TestProgram, run, stderr};
use crate::support::{SimulatedLrs, TestGateway};

const REPLACED: &str = "server certificate replaced";
const NOT_REPLACED: &str = "server certificate not replaced: the new files cannot be used";
const KEY_MISMATCH: &str = "the key does not belong to the certificate";

/// Returns the certificate that the server presents to a new connection, in DER.
fn presented_certificate(address: SocketAddr, ca_file: &Path) -> Vec<u8> {
    let stream = connect_tls(address, ca_file, rustls::ALL_VERSIONS);
    stream.conn.peer_certificates().and_then(|chain| chain.first()).expect("the server presents a certificate").to_vec()
}

/// Returns the DER of a PEM certificate.
fn der(pem: &str) -> Vec<u8> {
    tls::parse_certificates(pem.as_bytes()).expect("the PEM is valid")[0].to_vec()
}

/// Waits until the server presents this certificate to new connections. The documented maximum is five seconds.
fn wait_for_certificate(address: SocketAddr, ca_file: &Path, certificate: &str) {
    let started_at = Instant::now();
    while presented_certificate(address, ca_file) != der(certificate) {
        assert!(started_at.elapsed() < Duration::from_secs(5), "the certificate is replaced within five seconds");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A server certificate that the test reloads itself, and a gateway that presents it.
struct ReloadFixture {
    authority: CertificateAuthority,
    directory: tempfile::TempDir,
    certificate: ServerCertificate,
    old_certificate: String,
    _gateway: TestGateway,
    address: SocketAddr,
}

impl ReloadFixture {
    fn new() -> Self {
        let (authority, directory) = (CertificateAuthority::new(), tempfile::tempdir().expect("the directory is created"));
        let [old_certificate, key] = authority.certify("127.0.0.1");
        let files = ["server.pem", "server.key"].map(|name| directory.path().join(name));
        for (file, content) in files.iter().zip([&old_certificate, &key]) {
            std::fs::write(file, content).expect("the file is written");
        }
        let [certificate_file, key_file] = files;
        let certificate = ServerCertificate::load(certificate_file, key_file).expect("the files are valid");
        let tls = Some(certificate.server_config().expect("the provider supports TLS"));
        let (gateway, address) = start_gateway(ServerOptions { tls, ..ServerOptions::default() });
        Self { authority, directory, certificate, old_certificate, _gateway: gateway, address }
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.directory.path().join(name), content).expect("the file is written");
    }

    /// Reloads several times, as the file watch does. The first reload must return an error that contains this text, and the next ones
    /// nothing: the file watch logs the error once.
    fn assert_reload_reports_error_once(&mut self, expected: &str) {
        let error = self.certificate.reload(Poll::Changed).expect("the files have changed").expect_err("the files cannot be used");
        assert!(error.contains(expected), "{error}");
        for _ in 0..3 {
            assert_eq!(self.certificate.reload(Poll::Changed), None, "the error is reported once");
        }
    }

    fn assert_presents(&self, certificate: &str) {
        assert_eq!(presented_certificate(self.address, &self.authority.ca_file()), der(certificate));
    }
}

#[test]
fn server_certificate_reload_key_mismatch_keeps_old_pair_and_reports_error_once() {
    let mut fixture = ReloadFixture::new();
    let [certificate, key] = fixture.authority.certify("127.0.0.1");
    let old_certificate = fixture.old_certificate.clone();

    fixture.write("server.pem", &certificate);
    fixture.assert_reload_reports_error_once(KEY_MISMATCH);
    fixture.assert_presents(&old_certificate);

    fixture.write("server.key", &key);
    assert_eq!(fixture.certificate.reload(Poll::Changed), Some(Ok(())));
    fixture.assert_presents(&certificate);
    assert_eq!(fixture.certificate.reload(Poll::Changed), None, "the replacement is reported once");
}

#[test]
fn server_certificate_reload_unreadable_key_keeps_old_pair_and_reports_error_once() {
    let mut fixture = ReloadFixture::new();
    std::fs::remove_file(fixture.directory.path().join("server.key")).expect("the file is removed");
    fixture.assert_reload_reports_error_once("server.key: cannot be read");
    fixture.assert_presents(&fixture.old_certificate);
}

/// The reload itself is tested above. This test shows that the program watches the files and logs what it finds.
#[test]
fn server_certificate_file_watch_of_program_replaces_pair_and_logs_errors() {
    let authority = CertificateAuthority::new();
    let config = config_with_tls(UNREACHABLE_LRS, &authority);
    let (mut program, event) = start_program(&config);
    let [certificate, key] = authority.certify("127.0.0.1");

    config.write("server.pem", &certificate);
    let event_of_mismatch = program.wait_for_log(NOT_REPLACED);
    assert!(event_of_mismatch["error"].as_str().is_some_and(|error| error.contains(KEY_MISMATCH)), "{event_of_mismatch}");

    config.write("server.key", &key);
    program.wait_for_log(REPLACED);
    wait_for_certificate(api_address(&event), &authority.ca_file(), &certificate);

    std::fs::remove_file(config.path("server.key")).expect("the file is removed");
    let event_of_missing_key = program.wait_for_log(NOT_REPLACED);
    let error = event_of_missing_key["error"].as_str().unwrap_or_default();
    assert!(error.contains("server.key: cannot be read"), "{event_of_missing_key}");
    assert_eq!(presented_certificate(api_address(&event), &authority.ca_file()), der(&certificate), "the pair in use stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn server_certificate_renewed_under_load_is_presented_within_seconds_and_no_call_fails() {
    let lrs = SimulatedLrs::with(&SimulatorSettings { latency_milliseconds: 50, ..SimulatorSettings::default() });
    let authority = CertificateAuthority::new();
    let config = config_with_tls(&lrs.url(), &authority);
    let (_program, event) = start_program(&config);
    let (address, ca_file) = (api_address(&event), authority.ca_file());
    let claims = caller::claims(json!({"org": null, "realm": {"ukprn": "10088881"}}));
    let secret = b"a secret of thirty-two bytes or more";
    let token = lrs_gateway::auth::sign_token(secret, claims.as_object().expect("claims are an object")).expect("the token is signed");
    let new_caller = || Caller::new(format!("https://{address}")).trusting(&ca_file).with_token(&token);

    let trusted_ca_file = ca_file.clone();
    let renewals = tokio::task::spawn_blocking(move || {
        let mut old_connection = connect_tls(address, &trusted_ca_file, rustls::ALL_VERSIONS);
        assert_live(&mut old_connection);
        for _ in 0..2 {
            let [certificate, key] = authority.certify("127.0.0.1");
            config.write("server.key", &key);
            config.write("server.pem", &certificate);
            wait_for_certificate(address, &trusted_ca_file, &certificate);
            assert_live(&mut old_connection);
        }
        // The files must exist until the end of the test.
        (authority, config)
    });
    // Calls over kept-alive connections, and calls over new connections, until the renewals are finished.
    let reused_caller = new_caller();
    let make_call = async |caller: &Caller| {
        let answer = caller.post(FIND, &search()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    let make_calls = async |with_new_connections: bool| {
        let mut calls = 0;
        while !renewals.is_finished() {
            if with_new_connections {
                make_call(&new_caller()).await;
            } else {
                make_call(&reused_caller).await;
            }
            calls += 1;
        }
        calls
    };
    let counts = futures_util::future::join_all([false, false, true, true].map(make_calls)).await;
    assert!(counts.iter().all(|calls| *calls > 10), "{counts:?}");
    renewals.await.expect("the renewals succeed");
}

#[test]
fn check_config_reports_validity_and_errors_of_server_certificate() {
    let authority = CertificateAuthority::new();
    let config = config_with_tls(UNREACHABLE_LRS, &authority);
    let check_config = || run(&["check-config", "--config", &config.config_path()]);

    let output = check_config();
    let text = String::from_utf8(output.stdout.clone()).expect("the output is UTF-8");
    assert!(output.status.success() && text.contains("server.tls: certificate valid until 2099-01-01T00:00:00Z"), "{text}");

    let [certificate, key] = authority.certify_until("127.0.0.1", 2020);
    config.write("server.pem", &certificate);
    config.write("server.key", &key);
    let output = check_config();
    let text = stderr(&output);
    assert!(!output.status.success() && text.contains("server.tls: the certificate is not valid now"), "{text}");

    config.write("server.key", "nothing");
    let text = stderr(&check_config());
    assert!(text.contains("server.tls: key_file: contains no usable private key"), "{text}");
}

#[test]
fn server_certificate_expired_is_logged_and_presented() {
    let authority = CertificateAuthority::new();
    let config = config_with_tls(UNREACHABLE_LRS, &authority);
    let [certificate, key] = authority.certify_until("127.0.0.1", 2020);
    config.write("server.pem", &certificate);
    config.write("server.key", &key);
    // The program starts all the same: a new certificate may be written at any time.
    let mut program = TestProgram::start(&["serve", "--config", &config.config_path()], &[]);
    program.wait_for_log("server certificate not valid: clients will refuse to connect");
    program.wait_for_log("serving");
}

#[test]
fn tls_version_1_2_or_newer_is_accepted() {
    let authority = CertificateAuthority::new();
    let (_program, event) = start_program(&config_with_tls(UNREACHABLE_LRS, &authority));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        assert_live(&mut connect_tls(api_address(&event), &authority.ca_file(), &[version]));
    }
}

/// Returns a ClientHello of TLS 1.0, 1.1 or 1.2 in a record.
fn client_hello(minor_version: u8) -> Vec<u8> {
    let mut message = vec![3, minor_version];
    message.extend([7; 32]); // random bytes
    // No session, one cipher suite, no compression, and the extension with two signature algorithms.
    message.extend([0, 0, 2, 0xC0, 0x2B, 1, 0, 0, 10, 0, 13, 0, 6, 0, 4, 4, 3, 8, 4]);
    let length = u8::try_from(message.len()).expect("the message is short");
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.append(&mut message);
    record
}

#[test]
fn tls_version_older_than_1_2_is_rejected_with_alert() {
    const ALERT: u8 = 21;
    const FATAL_PROTOCOL_VERSION: [u8; 2] = [2, 70];
    let authority = CertificateAuthority::new();
    let (_program, event) = start_program(&config_with_tls(UNREACHABLE_LRS, &authority));
    for (minor_version, is_rejected) in [(1, true), (2, true), (3, false)] {
        let mut socket = connect(api_address(&event));
        socket.write_all(&client_hello(minor_version)).expect("the message is sent");
        let mut answer = [0; 7];
        socket.read_exact(&mut answer).expect("the server answers");
        assert_eq!((answer[0], &answer[5..]) == (ALERT, &FATAL_PROTOCOL_VERSION), is_rejected, "{minor_version}: {answer:?}");
    }
}
