//! LRS may ask for the client certificate by renegotiation of TLS 1.2, as IIS often does. rustls cannot answer that, and it must not be a
//! riddle; the system's TLS can.

use lrs_gateway::lrs::http_client::TlsBackend;
use serde_json::{Value, json};

use crate::support::TestGateway;
use crate::support::caller::PROVIDER;
use crate::support::certificates::Authority;
use crate::support::fake_server::soap;
use crate::support::gateway::{Options, organisation_with_certificate};
use crate::support::program::{ConfigDirectory, run, stderr};
use crate::support::renegotiating_server::RenegotiatingServer;
use crate::support::reply_cutting_proxy::ReplyCuttingProxy;

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
    let setup = setup(url, authority, settings);
    let (certificate, key) = authority.issue("college");
    setup.certificate("10088881", &certificate, &key);
    check(&setup)
}

fn setup(url: &str, authority: &Authority, settings: &str) -> ConfigDirectory {
    let setup = ConfigDirectory::new(url);
    setup.lrs(&format!("ca_certificate_file = \"{}\"\n{settings}", authority.ca_file().display()));
    setup
}

fn check(setup: &ConfigDirectory) -> (bool, String) {
    let output = run(&["check-config", "--config", &setup.config(), "--connect", "10088881"]);
    (output.status.success(), String::from_utf8(output.stdout.clone()).expect("text") + &stderr(&output))
}

#[test]
fn a_request_for_the_certificate_by_renegotiation_is_named() {
    let authority = Authority::new();
    let lrs = RenegotiatingServer::start(&authority, soap(200, NOBODY));
    let (worked, said) = connect(&lrs.url(), &authority, "");
    assert!(!worked && said.contains("by renegotiation of TLS 1.2"), "{said}");
    assert!(said.contains("lrs.tls_backend = \"native\""), "{said}");
    assert_eq!(said.contains("--features native-tls"), !cfg!(feature = "native-tls"), "what is built in need not be built: {said}");
}

#[test]
fn it_is_named_too_if_the_server_then_only_hangs_up() {
    const ALERT: u8 = 21;
    let authority = Authority::new();
    let lrs = RenegotiatingServer::start(&authority, soap(200, NOBODY));
    // IIS says nothing to the refusal, which is an alert: it ends the connection.
    let hanging_up = ReplyCuttingProxy::start(lrs.port, |piece| piece.first() == Some(&ALERT));
    let (worked, said) = connect(&hanging_up.tls_url(), &authority, "");
    assert!(!worked && said.contains("by renegotiation of TLS 1.2"), "{said}");
}

#[tokio::test]
async fn a_call_that_is_met_by_renegotiation_is_one_whose_credentials_are_refused() {
    let authority = Authority::new();
    let lrs = RenegotiatingServer::start(&authority, soap(200, NOBODY));
    let organisation =
        organisation_with_certificate(PROVIDER, PASSWORD, TlsBackend::Rustls, &authority.ca_file(), Some(authority.issue("college")));
    let gateway = TestGateway::with(&lrs.url(), Options { organisations: vec![organisation], ..Options::default() });
    gateway.caller().post(FIND, &search()).await.problem(502, "lrs_credentials_rejected");
    assert!(lrs.subjects().is_empty(), "no certificate was shown");
}

#[tokio::test]
async fn certificates_refused_in_the_handshake_of_tls_1_2_are_refused_credentials_too() {
    let (authority, stranger) = (Authority::new(), Authority::named("A stranger"));
    let lrs = RenegotiatingServer::with(&["-tls1_2", "-Verify", "1"], &authority, soap(200, NOBODY));
    for backend in BACKENDS {
        for certificate in [None, Some(stranger.issue("college"))] {
            let organisation = organisation_with_certificate(PROVIDER, PASSWORD, *backend, &authority.ca_file(), certificate);
            let gateway = TestGateway::with(&lrs.url(), Options { organisations: vec![organisation], ..Options::default() });
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

/// The other half: the system's TLS answers. `make test-native-tls` has it.
#[cfg(feature = "native-tls")]
mod native {
    use std::path::PathBuf;
    use std::process::Command;

    use lrs_gateway::simulator::{SimulatorSettings, TlsFiles};

    use super::*;
    use crate::support::SimulatedLrs;
    use crate::support::certificates::fixture;

    const NATIVE: &str = "tls_backend = \"native\"";

    #[tokio::test]
    async fn calls_are_answered() {
        let authority = Authority::new();
        let lrs = RenegotiatingServer::start(&authority, soap(200, NOBODY));
        let (worked, said) = connect(&lrs.url(), &authority, NATIVE);
        assert!(worked && said.contains("connected, TLS works, HTTP status 200"), "{said}");

        let organisation =
            organisation_with_certificate(PROVIDER, PASSWORD, TlsBackend::Native, &authority.ca_file(), Some(authority.issue("college")));
        let gateway = TestGateway::with(&lrs.url(), Options { organisations: vec![organisation], ..Options::default() });
        assert_eq!(gateway.caller().post(FIND, &search()).await.ok()["outcome"], "NO_MATCH");
        assert_eq!(lrs.subjects(), ["CN = college", "CN = college"]);
    }

    /// A key in an older form, made with OpenSSL.
    fn older(key: &PathBuf) -> PathBuf {
        let older = key.with_extension("older.pem");
        let made = Command::new("openssl").args(["pkey", "-traditional", "-in"]).arg(key).arg("-out").arg(&older).status();
        assert!(made.expect("openssl is installed").success());
        older
    }

    #[test]
    fn keys_of_every_form_and_archives_are_shown_with_their_chains() {
        // The college's issuer is known to this server by its root alone: the chain must come along.
        let (authority, directory) = (Authority::new(), tempfile::tempdir().expect("a directory"));
        let file = |name: &str, content: Vec<u8>| {
            let path = directory.path().join(name);
            std::fs::write(&path, content).expect("written");
            path
        };
        let chain = file("chain.pem", [made("college.pem"), made("issuer.pem")].concat());
        let rsa = file("college.key.pem", made("college.key"));
        let roots = file("roots.pem", [made("root.pem"), std::fs::read(authority.ca_file()).expect("written")].concat());
        let roots = roots.display().to_string();
        let (certificate, key) = authority.issue("elliptic");
        for (certificate, key, begins, subject) in [
            (&chain, &rsa, "-----BEGIN PRIVATE KEY", "CN = Example College"),
            (&chain, &older(&rsa), "-----BEGIN RSA PRIVATE KEY", "CN = Example College"),
            (&certificate, &older(&key), "-----BEGIN EC PRIVATE KEY", "CN = elliptic"),
        ] {
            assert!(std::fs::read_to_string(key).expect("written").starts_with(begins));
            let lrs = RenegotiatingServer::with(&["-tls1_2", "-CAfile", &roots], &authority, soap(200, NOBODY));
            let setup = setup(&lrs.url(), &authority, NATIVE);
            setup.certificate("10088881", certificate, key);
            let (worked, said) = check(&setup);
            assert!(worked, "{begins}: {said}");
            assert_eq!(lrs.subjects(), [subject]);
        }
        let lrs = RenegotiatingServer::with(&["-tls1_2", "-CAfile", &roots], &authority, soap(200, NOBODY));
        let setup = setup(&lrs.url(), &authority, NATIVE);
        let (archive, password) = (file("legacy.pfx", made("legacy.pfx")), file("password", "p\u{e4}ssword 1".into()));
        setup.archive("10088881", &archive, &password);
        let (worked, said) = check(&setup);
        assert!(worked, "an archive that OpenSSL itself would not open: {said}");
        assert_eq!(lrs.subjects(), ["CN = Example College"]);
    }

    #[tokio::test]
    async fn what_tls_says_is_understood_from_openssl_too() {
        let (authority, stranger) = (Authority::new(), Authority::named("A stranger"));
        let (certificate_file, key_file) = authority.issue("127.0.0.1");
        let tls = TlsFiles { certificate_file, key_file, client_ca_file: Some(authority.ca_file()) };
        let lrs = Lrs::with(&Settings { tls: Some(tls), ..Settings::default() });
        let (certificate_file, key_file) = authority.issue_until("127.0.0.1", 2020);
        let tls = TlsFiles { certificate_file, key_file, client_ca_file: None };
        let expired = Lrs::with(&Settings { tls: Some(tls), ..Settings::default() });
        let url = lrs.url().replace("http:", "https:");
        let gateway_with = |ca_file, files| {
            let organisation = organisation_with_certificate(PROVIDER, PASSWORD, TlsBackend::Native, ca_file, files);
            TestGateway::with(&url, Options { organisations: vec![organisation], ..Options::default() })
        };
        let (ca_file, other_file) = (authority.ca_file(), stranger.ca_file());
        let found = gateway_with(&ca_file, Some(authority.issue("college"))).caller().post(FIND, &search()).await.ok();
        assert_eq!(found["outcome"], "EXACT_MATCH");
        for refused in [None, Some(stranger.issue("college"))] {
            gateway_with(&ca_file, refused).caller().post(FIND, &search()).await.problem(502, "lrs_credentials_rejected");
        }
        let untrusting = gateway_with(&other_file, Some(authority.issue("college")));
        untrusting.caller().post(FIND, &search()).await.problem(503, "lrs_unavailable");

        for (url, roots, identity, problem) in [
            (url.clone(), &authority, &stranger, "LRS does not trust the organisation's client certificate (TLS alert UnknownCA)"),
            (url.clone(), &stranger, &authority, "LRS's certificate is not trusted"),
            (url.replace("127.0.0.1", "localhost"), &authority, &authority, "LRS's certificate is for another name"),
            (expired.url().replace("http:", "https:"), &authority, &authority, "LRS's certificate is not valid today"),
        ] {
            let setup = setup(&url, roots, NATIVE);
            let (certificate, key) = identity.issue("college");
            setup.certificate("10088881", &certificate, &key);
            let (worked, said) = check(&setup);
            assert!(!worked && said.contains(problem), "{said}");
        }
    }

    #[test]
    fn old_versions_are_not_spoken() {
        let authority = Authority::new();
        let old = RenegotiatingServer::with(&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], &authority, soap(200, NOBODY));
        let (worked, said) = connect(&old.url(), &authority, NATIVE);
        assert!(!worked && said.contains("no version of TLS in common"), "{said}");
    }

    #[test]
    fn without_authorities_of_ones_own_the_systems_are_trusted_and_no_test_is_one_of_them() {
        let authority = Authority::new();
        let lrs = RenegotiatingServer::start(&authority, soap(200, NOBODY));
        let setup = ConfigDirectory::new(&lrs.url());
        setup.lrs(NATIVE);
        let (worked, said) = check(&setup);
        assert!(!worked && said.contains("LRS's certificate is not trusted"), "{said}");
    }
}
