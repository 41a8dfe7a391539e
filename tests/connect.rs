//! `check-config --connect`: it opens a real connection to LRS, and explains why an organisation cannot connect.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use lrs_gateway::simulator::{SimulatorSettings, TlsFiles};

use crate::support::certificates::CertificateAuthority;
use crate::support::fake_server::{Reply, http};
use crate::support::program::{ConfigDirectory, run, stderr};
use crate::support::renegotiating_server::RenegotiatingServer;
use crate::support::{ANY_PORT, FakeServer, SimulatedLrs};

const UKPRN: &str = "10088881";

/// Runs `check-config` with `--connect` for each name. Returns `true` if it was successful, and its last line.
fn check_connections(config: &ConfigDirectory, names: &[&str]) -> (bool, String) {
    let path = config.config_path();
    let arguments = ["check-config", "--config", &path].into_iter().chain(names.iter().flat_map(|name| ["--connect", name]));
    let output = run(&arguments.collect::<Vec<_>>());
    let text = String::from_utf8(output.stdout.clone()).expect("the output is UTF-8") + &stderr(&output);
    (output.status.success(), text.lines().last().unwrap_or_default().to_owned())
}

/// Asserts that the connection of the organisation fails, and that the last line contains each of these texts.
fn assert_connection_fails(config: &ConfigDirectory, expected: &[&str]) {
    let (is_success, line) = check_connections(config, &[UKPRN]);
    assert!(!is_success && expected.iter().all(|text| line.contains(text)), "{expected:?}: {line}");
}

/// Starts an LRS that requires a client certificate of this authority.
fn start_lrs(authority: &CertificateAuthority) -> SimulatedLrs {
    let (certificate_file, key_file) = authority.issue("127.0.0.1");
    SimulatedLrs::with(&SimulatorSettings {
        tls: Some(TlsFiles { certificate_file, key_file, client_ca_file: Some(authority.ca_file()) }),
        ..SimulatorSettings::default()
    })
}

/// Returns a configuration for an LRS with TLS, and an organisation with this client certificate.
fn config_for(url: &str, ca_file: &Path, certificate: Option<(PathBuf, PathBuf)>) -> ConfigDirectory {
    let config = ConfigDirectory::new(&url.replace("http:", "https:"));
    config.add_lrs_settings(&format!("ca_certificate_file = \"{}\"\nconnect_timeout_seconds = 1\ntimeout_seconds = 2", ca_file.display()));
    if let Some((certificate, key)) = certificate {
        config.certificate(UKPRN, &certificate, &key);
    }
    config
}

#[test]
fn connect_succeeds_reports_tls_and_status() {
    let authority = CertificateAuthority::new();
    let lrs = start_lrs(&authority);
    let config = config_for(&lrs.url(), &authority.ca_file(), Some(authority.issue("college")));
    let url = lrs.url().replace("http:", "https:");
    let line = format!("organisation {UKPRN}: {url}/LearnerService.svc: connected, TLS works, HTTP status 200");
    assert_eq!(check_connections(&config, &[UKPRN]), (true, line.clone()));
    assert_eq!(check_connections(&config, &["all"]), (true, line));
}

#[test]
fn connect_without_tls_succeeds_and_reports_it() {
    let lrs = SimulatedLrs::start();
    let (is_success, line) = check_connections(&ConfigDirectory::new(&lrs.url()), &[UKPRN]);
    assert!(is_success && line.ends_with("connected, without TLS, HTTP status 200"), "{line}");
}

#[test]
fn connect_client_certificate_rejected_reports_tls_alert() {
    let (authority, other_authority) = (CertificateAuthority::new(), CertificateAuthority::named("Another authority"));
    let lrs = start_lrs(&authority);
    for (certificate, error) in [
        (Some(other_authority.issue("college")), "LRS does not trust the organisation's client certificate (TLS alert UnknownCA)"),
        (None, "LRS requires a client certificate (TLS alert CertificateRequired), and the organisation has none"),
    ] {
        assert_connection_fails(&config_for(&lrs.url(), &authority.ca_file(), certificate), &[error]);
    }
}

#[test]
fn connect_server_certificate_untrusted_is_reported() {
    let (authority, other_authority) = (CertificateAuthority::new(), CertificateAuthority::named("Another authority"));
    let lrs = start_lrs(&authority);
    let config = config_for(&lrs.url(), &other_authority.ca_file(), Some(authority.issue("college")));
    assert_connection_fails(&config, &["is not trusted", "lrs.ca_certificate_file"]);
}

#[test]
fn connect_server_certificate_for_another_name_is_reported() {
    let authority = CertificateAuthority::new();
    let lrs = start_lrs(&authority);
    let url = lrs.url().replace("127.0.0.1", "localhost");
    let config = config_for(&url, &authority.ca_file(), Some(authority.issue("college")));
    assert_connection_fails(&config, &["is for another name"]);
}

#[test]
fn connect_server_certificate_expired_is_reported() {
    let authority = CertificateAuthority::new();
    let (certificate_file, key_file) = authority.issue_until("127.0.0.1", 2020);
    let tls = TlsFiles { certificate_file, key_file, client_ca_file: None };
    let lrs = SimulatedLrs::with(&SimulatorSettings { tls: Some(tls), ..SimulatorSettings::default() });
    assert_connection_fails(&config_for(&lrs.url(), &authority.ca_file(), None), &["is not valid today"]);
}

#[test]
fn connect_server_with_only_tls_1_1_is_reported() {
    let authority = CertificateAuthority::new();
    let server = RenegotiatingServer::with(&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], &authority, Vec::new());
    assert_connection_fails(&config_for(&server.url(), &authority.ca_file(), None), &["no version of TLS in common"]);
}

#[test]
fn connect_without_working_tls_server_is_reported() {
    let authority = CertificateAuthority::new();
    let closed_address = TcpListener::bind(ANY_PORT).and_then(|listener| listener.local_addr()).expect("a port is free");
    let server_without_tls = SimulatedLrs::start();
    let silent_listener = TcpListener::bind(ANY_PORT).expect("a port is free");
    let silent_address = silent_listener.local_addr().expect("the listener is bound");
    for (url, error) in [
        (format!("http://{closed_address}"), "the connection is refused"),
        ("http://lrs.invalid".to_owned(), "the name lrs.invalid cannot be resolved"),
        (server_without_tls.url(), "does not speak TLS"),
        (format!("http://{silent_address}"), "no connection within lrs.connect_timeout_seconds"),
    ] {
        assert_connection_fails(&config_for(&url, &authority.ca_file(), None), &[error]);
    }
}

#[test]
fn connect_status_403_reports_certificate_problem_or_doubt() {
    let rejecting = FakeServer::with_response(http(403, "text/html", b"<h2>HTTP Error 403.16 - Forbidden</h2>"));
    assert_connection_fails(&ConfigDirectory::new(&rejecting.url()), &["does not trust the client certificate"]);

    let unclear = FakeServer::with_response(http(403, "text/html", b"<h2>403 - Forbidden: Access is denied.</h2>"));
    let (is_success, line) = check_connections(&ConfigDirectory::new(&unclear.url()), &[UKPRN]);
    assert!(
        is_success && line.ends_with("HTTP status 403: LRS may not know this certificate, or a firewall may block this machine's address"),
        "{line}"
    );
}

#[test]
fn connect_permanent_redirect_reports_the_new_host() {
    for (status, location, host) in [
        (301, "https://new.lrs.example/LearnerService.svc", "https://new.lrs.example (HTTP status 301)"),
        (308, "https://new.lrs.example:8443/x", "https://new.lrs.example:8443 (HTTP status 308)"),
    ] {
        let lrs =
            FakeServer::with_response(format!("HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into_bytes());
        assert_connection_fails(&ConfigDirectory::new(&lrs.url()), &["LRS has moved to", host, "lrs.base_url"]);
    }
    let without_location = FakeServer::with_response(b"HTTP/1.1 301 X\r\nContent-Length: 0\r\n\r\n".to_vec());
    assert_connection_fails(&ConfigDirectory::new(&without_location.url()), &["an address that it does not state"]);
}

#[test]
fn connect_response_too_slow_reports_timeout() {
    for part in ["", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<html>"] {
        let slow = FakeServer::start(move |_| Reply::ThenSilence(part.into()));
        let config = ConfigDirectory::new(&slow.url());
        config.add_lrs_settings("timeout_seconds = 1");
        assert_connection_fails(&config, &["no complete response within lrs.timeout_seconds"]);
    }
}

#[test]
fn connect_unknown_organisation_is_reported() {
    let lrs = SimulatedLrs::start();
    let (is_success, line) = check_connections(&ConfigDirectory::new(&lrs.url()), &["10099999"]);
    assert!(!is_success && line.contains("--connect 10099999: no usable organisation found"), "{line}");
}

#[test]
fn connect_is_tried_although_another_organisation_has_errors() {
    let lrs = SimulatedLrs::start();
    let config = ConfigDirectory::new(&lrs.url());
    config.write("organisations/10088882.toml", "ukprn = ");
    let output = run(&["check-config", "--config", &config.config_path(), "--connect", UKPRN]);
    assert!(!output.status.success() && stderr(&output).contains("10088882.toml"), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout.clone()).expect("the output is UTF-8");
    assert!(text.contains("connected, without TLS"), "{text}");
}
