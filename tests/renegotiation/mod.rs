//! LRS may request the client certificate by renegotiation of TLS 1.2, as IIS often does. rustls does not support that: the gateway must
//! explain it. The system's TLS supports it.

#[cfg(feature = "native-tls")]
mod native;

use lrs_gateway::lrs::http_client::TlsBackend;
use serde_json::{Value, json};

use crate::support::TestGateway;
use crate::support::caller::PROVIDER;
use crate::support::certificates::CertificateAuthority;
use crate::support::fake_server::soap;
use crate::support::gateway::{Options, organisation_with_certificate};
use crate::support::program::{ConfigDirectory, run, stderr};
use crate::support::renegotiating_server::RenegotiatingServer;
use crate::support::reply_cutting_proxy::ReplyCuttingProxy;

const FIND: &str = "/v1/learners/find-by-uln";
const PASSWORD: &str = "demo-password-01";
/// Body of LRS's response to a search without a match.
const NO_MATCH: &str =
    "<n:FindLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/findmsg\"><ResponseCode>WSRC0001</ResponseCode></n:FindLearnerResponse>";

const BACKENDS: &[TlsBackend] = &[
    TlsBackend::Rustls,
    #[cfg(feature = "native-tls")]
    TlsBackend::Native,
];

fn search() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

/// Returns a configuration for an LRS of this authority, with these settings of LRS.
fn config_for(url: &str, authority: &CertificateAuthority, settings: &str) -> ConfigDirectory {
    let config = ConfigDirectory::new(url);
    config.add_lrs_settings(&format!("ca_certificate_file = \"{}\"\n{settings}", authority.ca_file().display()));
    config
}

/// Runs `check-config --connect`. Returns `true` if it was successful, and its output.
fn check_connection(config: &ConfigDirectory) -> (bool, String) {
    let output = run(&["check-config", "--config", &config.config_path(), "--connect", PROVIDER]);
    (output.status.success(), String::from_utf8(output.stdout.clone()).expect("the output is UTF-8") + &stderr(&output))
}

/// Does the same for an organisation with a client certificate of this authority.
fn check_connection_with_certificate(url: &str, authority: &CertificateAuthority, settings: &str) -> (bool, String) {
    let config = config_for(url, authority, settings);
    let (certificate, key) = authority.issue("college");
    config.certificate(PROVIDER, &certificate, &key);
    check_connection(&config)
}

#[test]
fn renegotiation_requested_connect_reports_it_and_the_native_backend() {
    let authority = CertificateAuthority::new();
    let lrs = RenegotiatingServer::start(&authority, soap(200, NO_MATCH));
    let (is_success, output) = check_connection_with_certificate(&lrs.url(), &authority, "");
    assert!(!is_success && output.contains("by renegotiation of TLS 1.2"), "{output}");
    assert!(output.contains("lrs.tls_backend = \"native\""), "{output}");
    // A program with the feature does not need to be built with it.
    assert_eq!(output.contains("--features native-tls"), !cfg!(feature = "native-tls"), "{output}");
}

#[test]
fn renegotiation_requested_and_connection_closed_after_alert_connect_reports_it() {
    const ALERT: u8 = 21;
    let authority = CertificateAuthority::new();
    let lrs = RenegotiatingServer::start(&authority, soap(200, NO_MATCH));
    // rustls refuses with an alert. IIS does not respond to it, and closes the connection.
    let closing_proxy = ReplyCuttingProxy::start(lrs.port, |bytes| bytes.first() == Some(&ALERT));
    let (is_success, output) = check_connection_with_certificate(&closing_proxy.tls_url(), &authority, "");
    assert!(!is_success && output.contains("by renegotiation of TLS 1.2"), "{output}");
}

#[tokio::test]
async fn renegotiation_requested_call_returns_credentials_rejected() {
    let authority = CertificateAuthority::new();
    let lrs = RenegotiatingServer::start(&authority, soap(200, NO_MATCH));
    let organisation =
        organisation_with_certificate(PROVIDER, PASSWORD, TlsBackend::Rustls, &authority.ca_file(), Some(authority.issue("college")));
    let gateway = TestGateway::with(&lrs.url(), Options { organisations: vec![organisation], ..Options::default() });
    gateway.caller().post(FIND, &search()).await.problem(502, "lrs_credentials_rejected");
    assert!(lrs.subjects().is_empty(), "the gateway presented no certificate");
}

#[tokio::test]
async fn client_certificate_rejected_in_tls_1_2_handshake_returns_credentials_rejected() {
    let (authority, other_authority) = (CertificateAuthority::new(), CertificateAuthority::named("Another authority"));
    let lrs = RenegotiatingServer::with(&["-tls1_2", "-Verify", "1"], &authority, soap(200, NO_MATCH));
    for backend in BACKENDS {
        for certificate in [None, Some(other_authority.issue("college"))] {
            let organisation = organisation_with_certificate(PROVIDER, PASSWORD, *backend, &authority.ca_file(), certificate);
            let gateway = TestGateway::with(&lrs.url(), Options { organisations: vec![organisation], ..Options::default() });
            gateway.caller().post(FIND, &search()).await.problem(502, "lrs_credentials_rejected");
        }
    }
}

#[cfg(not(feature = "native-tls"))]
#[test]
fn native_backend_without_feature_is_a_configuration_error_that_names_the_feature() {
    let authority = CertificateAuthority::new();
    let (is_success, output) = check_connection_with_certificate("https://127.0.0.1:1", &authority, "tls_backend = \"native\"");
    assert!(!is_success && output.contains("lrs.tls_backend: ") && output.contains("--features native-tls"), "{output}");
}
