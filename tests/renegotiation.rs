//! LRS may ask for the client certificate by renegotiation of TLS 1.2, as IIS often does. rustls cannot answer that, and it must not be a
//! riddle; the system's TLS can.

use lrs_gateway::organisations::TlsBackend;
use serde_json::{Value, json};

use crate::support::Gateway;
use crate::support::caller::PROVIDER;
use crate::support::certificates::Authority;
use crate::support::gateway::{Options, certified};
use crate::support::peer::soap;
use crate::support::program::{Setup, run, stderr};
use crate::support::proxy::Proxy;
use crate::support::renegotiating::Renegotiating;

const FIND: &str = "/v1/learners/find-by-uln";
const PASSWORD: &str = "demo-password-01";
const NOBODY: &str =
    "<n:FindLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/findmsg\"><ResponseCode>WSRC0001</ResponseCode></n:FindLearnerResponse>";

const BACKENDS: &[TlsBackend] = &[
    TlsBackend::Rustls,
    #[cfg(feature = "native-tls")]
    TlsBackend::Native,
];

fn search() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

/// What `check-config --connect` says of a server at this address.
fn connect(url: &str, authority: &Authority, settings: &str) -> (bool, String) {
    let setup = Setup::new(url);
    setup.lrs(&format!("ca_certificate_file = \"{}\"\n{settings}", authority.ca_file().display()));
    let (certificate, key) = authority.issue("college");
    setup.certificate("10088881", &certificate, &key);
    let output = run(&["check-config", "--config", &setup.config(), "--connect", "10088881"]);
    (output.status.success(), String::from_utf8(output.stdout.clone()).expect("text") + &stderr(&output))
}

#[test]
fn a_request_for_the_certificate_by_renegotiation_is_named() {
    let authority = Authority::new();
    let lrs = Renegotiating::start(&authority, soap(200, NOBODY));
    let (worked, said) = connect(&lrs.url(), &authority, "");
    assert!(!worked && said.contains("by renegotiation of TLS 1.2"), "{said}");
    assert!(said.contains("lrs.tls_backend = \"native\""), "{said}");
    assert_eq!(said.contains("--features native-tls"), !cfg!(feature = "native-tls"), "what is built in need not be built: {said}");
}

#[test]
fn it_is_named_too_if_the_server_then_only_hangs_up() {
    const ALERT: u8 = 21;
    let authority = Authority::new();
    let lrs = Renegotiating::start(&authority, soap(200, NOBODY));
    // IIS says nothing to the refusal, which is an alert: it ends the connection.
    let hanging_up = Proxy::start(lrs.port, |piece| piece.first() == Some(&ALERT));
    let (worked, said) = connect(&hanging_up.tls_url(), &authority, "");
    assert!(!worked && said.contains("by renegotiation of TLS 1.2"), "{said}");
}

#[tokio::test]
async fn a_call_that_is_met_by_renegotiation_is_one_whose_credentials_are_refused() {
    let authority = Authority::new();
    let lrs = Renegotiating::start(&authority, soap(200, NOBODY));
    let organisation = certified(PROVIDER, PASSWORD, TlsBackend::Rustls, &authority.ca_file(), Some(authority.issue("college")));
    let gateway = Gateway::with(&lrs.url(), Options { organisations: vec![organisation], ..Options::default() });
    gateway.caller().post(FIND, &search()).await.problem(502, "lrs_credentials_rejected");
    assert!(lrs.subjects().is_empty(), "no certificate was shown");
}

#[tokio::test]
async fn certificates_refused_in_the_handshake_of_tls_1_2_are_refused_credentials_too() {
    let (authority, stranger) = (Authority::new(), Authority::named("A stranger"));
    let lrs = Renegotiating::with(&["-tls1_2", "-Verify", "1"], &authority, soap(200, NOBODY));
    for backend in BACKENDS {
        for certificate in [None, Some(stranger.issue("college"))] {
            let organisation = certified(PROVIDER, PASSWORD, *backend, &authority.ca_file(), certificate);
            let gateway = Gateway::with(&lrs.url(), Options { organisations: vec![organisation], ..Options::default() });
            gateway.caller().post(FIND, &search()).await.problem(502, "lrs_credentials_rejected");
        }
    }
}

#[cfg(not(feature = "native-tls"))]
#[test]
fn a_program_without_the_systems_tls_says_how_to_get_one_with_it() {
    let (worked, said) = connect("https://127.0.0.1:1", &Authority::new(), "tls_backend = \"native\"");
    assert!(!worked && said.contains("lrs.tls_backend: ") && said.contains("--features native-tls"), "{said}");
}
