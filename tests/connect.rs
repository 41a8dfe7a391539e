//! `check-config --connect`: a real connection to LRS, and in words what keeps an organisation from it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lrs_gateway::simulator::{SimulatorSettings, TlsFiles};

use crate::support::certificates::Authority;
use crate::support::fake_server::{Reply, http};
use crate::support::program::{ConfigDirectory, run, stderr};
use crate::support::renegotiating_server::RenegotiatingServer;
use crate::support::{ANY_PORT, FakeServer, SimulatedLrs};

const UKPRN: &str = "10088881";

/// What the command says: whether it worked, and its last line.
fn connect(setup: &ConfigDirectory, names: &[&str]) -> (bool, String) {
    let config = setup.config();
    let arguments = ["check-config", "--config", &config].into_iter().chain(names.iter().flat_map(|name| ["--connect", name]));
    let output = run(&arguments.collect::<Vec<_>>());
    let said = String::from_utf8(output.stdout.clone()).expect("text") + &stderr(&output);
    (output.status.success(), said.lines().last().unwrap_or_default().to_owned())
}

/// An LRS that lets in whom this authority has certified.
fn lrs(authority: &Authority) -> SimulatedLrs {
    let (certificate_file, key_file) = authority.issue("127.0.0.1");
    SimulatedLrs::with(&SimulatorSettings {
        tls: Some(TlsFiles { certificate_file, key_file, client_ca_file: Some(authority.ca_file()) }),
        ..SimulatorSettings::default()
    })
}

fn setup(url: &str, ca_file: &Path, certificate: Option<(PathBuf, PathBuf)>) -> ConfigDirectory {
    let setup = ConfigDirectory::new(&url.replace("http:", "https:"));
    setup.lrs(&format!("ca_certificate_file = \"{}\"\nconnect_timeout_seconds = 1\ntimeout_seconds = 2", ca_file.display()));
    if let Some((certificate, key)) = certificate {
        setup.certificate(UKPRN, &certificate, &key);
    }
    setup
}

#[test]
fn who_is_let_in_is_told_the_status() {
    let authority = Authority::new();
    let lrs = lrs(&authority);
    let setup = setup(&lrs.url(), &authority.ca_file(), Some(authority.issue("college")));
    let said = (
        true,
        format!("organisation {UKPRN}: {}/LearnerService.svc: connected, TLS works, HTTP status 405", lrs.url().replace("http:", "https:")),
    );
    assert_eq!(connect(&setup, &[UKPRN]), said);
    assert_eq!(connect(&setup, &["all"]), said);

    let without = SimulatedLrs::start();
    let (worked, said) = connect(&ConfigDirectory::new(&without.url()), &[UKPRN]);
    assert!(worked && said.ends_with("connected, without TLS, HTTP status 405"), "{said}");
}

#[test]
fn certificates_that_lrs_does_not_take_are_named() {
    let (authority, stranger) = (Authority::new(), Authority::named("A stranger"));
    let lrs = lrs(&authority);
    for (certificate, problem) in [
        (Some(stranger.issue("college")), "LRS does not trust the organisation's client certificate (TLS alert UnknownCA)"),
        (None, "LRS requires a client certificate (TLS alert CertificateRequired), and the organisation has none"),
    ] {
        let (worked, said) = connect(&setup(&lrs.url(), &authority.ca_file(), certificate), &[UKPRN]);
        assert!(!worked && said.contains(problem), "{said}");
    }
}

#[test]
fn who_is_not_lrs_is_not_taken_for_it() {
    let (authority, stranger) = (Authority::new(), Authority::named("A stranger"));
    let lrs = lrs(&authority);
    let untrusting = setup(&lrs.url(), &stranger.ca_file(), Some(authority.issue("college")));
    let (worked, said) = connect(&untrusting, &[UKPRN]);
    assert!(!worked && said.contains("is not trusted") && said.contains("lrs.ca_certificate_file"), "{said}");

    let other_name = setup(&lrs.url().replace("127.0.0.1", "localhost"), &authority.ca_file(), Some(authority.issue("college")));
    let (worked, said) = connect(&other_name, &[UKPRN]);
    assert!(!worked && said.contains("is for another name"), "{said}");

    let (certificate_file, key_file) = authority.issue_until("127.0.0.1", 2020);
    let tls = TlsFiles { certificate_file, key_file, client_ca_file: None };
    let expired = SimulatedLrs::with(&SimulatorSettings { tls: Some(tls), ..SimulatorSettings::default() });
    let (worked, said) = connect(&setup(&expired.url(), &authority.ca_file(), None), &[UKPRN]);
    assert!(!worked && said.contains("is not valid today"), "{said}");
}

#[test]
fn what_speaks_an_old_tls_only_is_not_spoken_to() {
    let authority = Authority::new();
    let old = RenegotiatingServer::with(&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], &authority, Vec::new());
    let (worked, said) = connect(&setup(&old.url(), &authority.ca_file(), None), &[UKPRN]);
    assert!(!worked && said.contains("no version of TLS in common"), "{said}");
}

#[test]
fn what_has_no_tls_at_all_is_named() {
    let authority = Authority::new();
    let free = TcpListener::bind(ANY_PORT).and_then(|listener| listener.local_addr()).expect("a free port");
    let plain = SimulatedLrs::start();
    let silent = TcpListener::bind(ANY_PORT).expect("a free port");
    let silent_address = silent.local_addr().expect("bound");
    for (url, problem) in [
        (format!("http://{free}"), "the connection is refused"),
        ("http://lrs.invalid".to_owned(), "the name lrs.invalid cannot be resolved"),
        (plain.url(), "does not speak TLS"),
        (format!("http://{silent_address}"), "no connection within lrs.connect_timeout_seconds"),
    ] {
        let (worked, said) = connect(&setup(&url, &authority.ca_file(), None), &[UKPRN]);
        assert!(!worked && said.contains(problem), "{said}");
    }
}

#[test]
fn pages_about_certificates_and_slow_answers_are_told_apart_from_tls() {
    let refusing = FakeServer::start(|_| Reply::Bytes(http(403, "text/html", b"<h2>HTTP Error 403.16 - Forbidden</h2>")));
    let (worked, said) = connect(&ConfigDirectory::new(&refusing.url()), &[UKPRN]);
    assert!(!worked && said.contains("does not trust the client certificate"), "{said}");
    let unclear = FakeServer::start(|_| Reply::Bytes(http(403, "text/html", b"<h2>403 - Forbidden: Access is denied.</h2>")));
    let (worked, said) = connect(&ConfigDirectory::new(&unclear.url()), &[UKPRN]);
    assert!(worked && said.ends_with("HTTP status 403: LRS may not know this certificate"), "{said}");
    let slow = FakeServer::start(|_| {
        std::thread::sleep(Duration::from_secs(5));
        Reply::Bytes(http(200, "text/html", b""))
    });
    let setup = ConfigDirectory::new(&slow.url());
    setup.lrs("timeout_seconds = 1");
    let (worked, said) = connect(&setup, &[UKPRN]);
    assert!(!worked && said.contains("no response within lrs.timeout_seconds"), "{said}");
}

#[test]
fn organisations_are_tried_though_others_have_problems_and_must_be_there() {
    let lrs = SimulatedLrs::start();
    let setup = ConfigDirectory::new(&lrs.url());
    let (worked, said) = connect(&setup, &["10099999"]);
    assert!(!worked && said.contains("--connect 10099999: no usable organisation found"), "{said}");
    setup.write("organisations/10088882.toml", "ukprn = ");
    let output = run(&["check-config", "--config", &setup.config(), "--connect", UKPRN]);
    let said = String::from_utf8(output.stdout.clone()).expect("text");
    assert!(!output.status.success() && stderr(&output).contains("10088882.toml"), "{}", stderr(&output));
    assert!(said.contains("connected, without TLS"), "{said}");
}
