//! The forward proxy: connections to LRS, to issuers' key sets and to the collector of traces go through it, and nothing else chooses one.

use std::path::PathBuf;

use lrs_gateway::simulator::{SimulatorSettings, TlsFiles};

use crate::support::certificates::CertificateAuthority;
use crate::support::fake_server::http;
use crate::support::forward_proxy::{ForwardProxy, TinyProxy};
use crate::support::identity_provider::{SigningKey, key_set_json};
use crate::support::program::{ConfigDirectory, ServingProgram, caller_of, run, run_with, stderr};
use crate::support::scripted_lrs::{RESPONSE, search};
use crate::support::{ANY_PORT, FakeServer, RunningServer, SimulatedLrs};

const UKPRN: &str = "10088881";
const FIND: &str = "/v1/learners/find-by-uln";
const AGENT: &str = concat!("lrs-gateway/", env!("CARGO_PKG_VERSION"));
const PASSWORD: &str = "p@ss/word: %41 with signs";

/// An LRS that requires client certificates, and the configuration of a gateway with one.
struct Fixture {
    lrs: SimulatedLrs,
    config: ConfigDirectory,
    _authority: CertificateAuthority,
}

impl Fixture {
    fn new() -> Self {
        let authority = CertificateAuthority::new();
        let (certificate_file, key_file) = authority.issue("127.0.0.1");
        let tls = TlsFiles { certificate_file, key_file, client_ca_file: Some(authority.ca_file()) };
        let lrs = SimulatedLrs::with(&SimulatorSettings { tls: Some(tls), ..SimulatorSettings::default() });
        let config = ConfigDirectory::new(&lrs.url().replace("http:", "https:"));
        config.add_lrs_settings(&format!("ca_certificate_file = \"{}\"", authority.ca_file().display()));
        let (certificate, key): (PathBuf, PathBuf) = authority.issue("college");
        config.certificate(UKPRN, &certificate, &key);
        Self { lrs, config, _authority: authority }
    }

    /// Connects as the organisation with `check-config`. Returns `true` if it was successful, and its last line.
    fn connect(&self) -> (bool, String) {
        let output = run(&["check-config", "--config", &self.config.config_path(), "--connect", UKPRN]);
        let text = String::from_utf8(output.stdout.clone()).expect("the output is UTF-8") + &stderr(&output);
        (output.status.success(), text.lines().last().unwrap_or_default().to_owned())
    }
}

#[tokio::test]
async fn proxy_carries_tls_with_client_certificate_to_lrs() {
    let (fixture, proxy) = (Fixture::new(), TinyProxy::with(""));
    fixture.config.add_lrs_settings(&format!("proxy_url = \"http://{}\"", proxy.address()));
    let (is_success, line) = fixture.connect();
    assert!(is_success && line.contains("connected, TLS works"), "{line}");

    let gateway = ServingProgram::start(&fixture.config);
    caller_of(&gateway.api, UKPRN).post(FIND, &search()).await.expect_success();
    assert_eq!(fixture.lrs.simulator.request_count("FindLearnerByULN"), 1);
    let target = fixture.lrs.url().replace("http://", "CONNECT ");
    assert_eq!(proxy.log().matches(&target).count(), 2, "{target}: {}", proxy.log());
}

#[tokio::test]
async fn proxy_with_login_needs_user_name_and_password_file() {
    let (fixture, proxy) = (Fixture::new(), TinyProxy::with("BasicAuth gateway s3cretOfTheProxy"));
    fixture.config.add_lrs_settings(&format!("proxy_url = \"http://{}\"", proxy.address()));
    let (is_success, line) = fixture.connect();
    assert!(!is_success && line.contains("the proxy requires a login"), "{line}");
    let mut gateway = ServingProgram::start(&fixture.config);
    let problem = caller_of(&gateway.api, UKPRN).post(FIND, &search()).await.problem(503, "lrs_unavailable");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("the proxy requires a user name")), "{problem}");
    let line = gateway.program.wait_for_log("LRS call failed");
    assert_eq!((line["level"].as_str(), line["reason"].as_str()), (Some("ERROR"), Some("PROXY_LOGIN_REQUIRED")), "{line}");
    drop(gateway);

    // tinyproxy does not say that a login is wrong: it refuses the tunnel.
    let login = "proxy_password_file = \"proxy.password\"\nproxy_url = \"http://gateway@";
    fixture.config.configure(|config| config.replace("proxy_url = \"http://", login));
    fixture.config.write("proxy.password", "wrong\n");
    let (is_success, line) = fixture.connect();
    assert!(!is_success && line.contains("the proxy did not open a connection to LRS") && line.contains("login"), "{line}");

    fixture.config.write("proxy.password", "s3cretOfTheProxy\n");
    let (is_success, line) = fixture.connect();
    assert!(is_success && line.contains("connected, TLS works"), "{line}");
    let gateway = ServingProgram::start(&fixture.config);
    caller_of(&gateway.api, UKPRN).post(FIND, &search()).await.expect_success();
    let log = gateway.program.end_and_read_log();
    assert!(!log.contains("s3cretOfTheProxy"), "{log}");
}

#[test]
fn proxy_failure_is_told_apart_from_failure_of_lrs() {
    let fixture = Fixture::new();
    let refusing = TinyProxy::with("ConnectPort 443");
    let unreachable = std::net::TcpListener::bind(ANY_PORT).and_then(|listener| listener.local_addr()).expect("a port is free").to_string();
    fixture.config.add_lrs_settings("proxy_url = \"http://first.example\"");
    let mut current = "first.example".to_owned();
    for (address, explanation) in
        [(refusing.address(), "the proxy did not open a connection to LRS"), (unreachable, "the proxy cannot be reached")]
    {
        fixture.config.configure(|config| config.replace(&current, &address));
        current = address;
        let (is_success, line) = fixture.connect();
        assert!(!is_success && line.contains(explanation), "{explanation}: {line}");
    }
}

#[tokio::test]
async fn proxy_request_has_login_and_user_agent_outside_the_tunnel() {
    let fixture = Fixture::new();
    let lrs_address = fixture.lrs.url().replace("http://", "").parse().expect("an address");
    let proxy = ForwardProxy::leading_to(Some(lrs_address));
    fixture.config.write("proxy.password", &format!("{PASSWORD}\n"));
    let url = proxy.url().replace("http://", "http://gateway%40college@");
    fixture.config.add_lrs_settings(&format!("proxy_url = \"{url}\"\nproxy_password_file = \"proxy.password\""));
    let (is_success, line) = fixture.connect();
    assert!(is_success, "{line}");
    let head = proxy.heads().join("").to_ascii_lowercase();
    let login = base64_of(&format!("gateway@college:{PASSWORD}")).to_ascii_lowercase();
    assert!(head.starts_with(&format!("connect {lrs_address} http/1.1\r\n")), "{head}");
    assert!(head.contains(&format!("proxy-authorization: basic {login}\r\n")), "{login}: {head}");
    assert!(head.contains(&format!("user-agent: {AGENT}\r\n")), "{head}");
}

fn base64_of(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Starts an identity provider with TLS. Returns it and the file of its certificate, which is for `idp.example`.
fn start_tls_identity_provider(directory: &ConfigDirectory) -> RunningServer {
    let certified = rcgen::generate_simple_self_signed(["idp.example".to_owned()]).expect("a certificate");
    directory.write("idp.pem", &certified.cert.pem());
    directory.write("idp.key", &certified.signing_key.serialize_pem());
    let tls = lrs_gateway::tls::server_config(&directory.path("idp.pem"), &directory.path("idp.key"), None).expect("a TLS configuration");
    let set = String::from_utf8(key_set_json(&[&SigningKey::new("1")])).expect("text");
    RunningServer::start(move || {
        let app = move || {
            let set = set.clone();
            actix_web::App::new().default_service(actix_web::web::to(move || std::future::ready(set.clone())))
        };
        let server = actix_web::HttpServer::new(app).workers(1).bind_rustls_0_23(ANY_PORT, tls)?;
        Ok((server.addrs()[0], server.run()))
    })
}

#[tokio::test]
async fn proxy_is_used_for_key_sets_unless_the_host_is_exempt() {
    let config = ConfigDirectory::new("http://127.0.0.1:1");
    let provider = start_tls_identity_provider(&config);
    let proxy = ForwardProxy::leading_to(Some(provider.address));
    config.configure(|config| {
        config.replace(
            "hmac_secret_file = \"secret\"",
            "jwks_url = \"https://idp.example/jwks\"\njwks_ca_certificate_file = \"idp.pem\"\nalgorithms = [\"ES256\"]",
        )
    });
    config.add_lrs_settings(&format!("proxy_url = \"{}\"", proxy.url()));
    let check = || run(&["check-config", "--config", &config.config_path()]);
    let output = check();
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 keys"), "{}", stderr(&output));
    let heads = proxy.heads();
    assert!(heads.len() == 1 && heads[0].starts_with("CONNECT idp.example:443 "), "{heads:?}");

    config.add_lrs_settings("proxy_bypass = [\"example\"]");
    let output = check();
    assert!(!output.status.success() && stderr(&output).contains("auth.issuers.0.jwks_url: cannot be reached"), "{}", stderr(&output));
    assert_eq!(proxy.heads().len(), 1, "the host is called directly");
}

#[tokio::test]
async fn proxy_is_used_for_https_collector_of_traces_only() {
    let lrs = FakeServer::with_response(http(200, "text/xml; charset=utf-8", RESPONSE.as_bytes()));
    let collector = FakeServer::with_response(http(200, "application/x-protobuf", b""));
    let proxy = ForwardProxy::leading_to(None);
    let config = ConfigDirectory::new(&lrs.url());
    config.add_lrs_settings(&format!("proxy_url = \"{}\"\nproxy_bypass = [\"127.0.0.1\"]", proxy.url()));
    for endpoint in [&collector.url(), "https://collector.example"] {
        let gateway = ServingProgram::with(&config, &[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)]);
        caller_of(&gateway.api, UKPRN).post(FIND, &search()).await.expect_success();
        gateway.program.terminate();
        gateway.program.wait_for_exit();
    }
    assert_eq!(collector.received()[0].header("user-agent"), AGENT);
    let heads = proxy.heads();
    assert!(!heads.is_empty() && heads.iter().all(|head| head.starts_with("CONNECT collector.example:443 ")), "{heads:?}");
    assert!(heads[0].to_ascii_lowercase().contains(&format!("user-agent: {AGENT}")), "{heads:?}");
    assert!(lrs.received().iter().all(|request| request.header("user-agent") == AGENT));
}

#[tokio::test]
async fn proxy_variables_of_environment_are_not_used_but_reported() {
    let lrs = FakeServer::with_response(http(200, "text/xml; charset=utf-8", RESPONSE.as_bytes()));
    let proxy = ForwardProxy::leading_to(None);
    let config = ConfigDirectory::new(&lrs.url());
    let (url, variables) = (proxy.url(), ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"]);
    let secret_url = url.replace("http://", "http://me:s3cret@");
    let environment: Vec<_> = variables.map(|name| (name, secret_url.as_str())).into_iter().chain([("HTTP_PROXY", "")]).collect();

    let output = run_with(&["check-config", "--config", &config.config_path(), "--connect", UKPRN], &environment);
    let text = String::from_utf8(output.stdout.clone()).expect("text") + &stderr(&output);
    assert!(output.status.success(), "{text}");
    for name in variables {
        assert!(
            text.contains(&format!("environment: {name} is set, but the gateway does not use it: set lrs.proxy_url")),
            "{name}: {text}"
        );
    }
    assert!(!text.contains("HTTP_PROXY is set") && !text.contains("s3cret"), "{text}");

    let gateway = ServingProgram::with(&config, &environment);
    caller_of(&gateway.api, UKPRN).post(FIND, &search()).await.expect_success();
    assert!(proxy.heads().is_empty(), "{:?}", proxy.heads());
}

#[test]
fn proxy_settings_with_errors_are_reported() {
    for (settings, error) in [
        (
            "proxy_url = \"http://me:s3cret@proxy.example:3128\"",
            "lrs.proxy_url: must not have a password in it: write the password to a file",
        ),
        ("proxy_url = \"https://proxy.example\"", "lrs.proxy_url: must be an http address"),
        ("proxy_url = \"socks5://proxy.example\"", "lrs.proxy_url: must be an http address"),
        ("proxy_url = \"proxy.example:3128\"", "lrs.proxy_url: must be an http address"),
        ("proxy_url = \"http://proxy.example/path\"", "lrs.proxy_url: must not have a path"),
        (
            "proxy_url = \"http://proxy.example\"\nproxy_password_file = \"secret\"",
            "lrs.proxy_password_file: needs the user name in proxy_url",
        ),
        ("proxy_url = \"http://me@proxy.example\"\nproxy_password_file = \"none\"", "lrs.proxy_password_file: "),
        ("proxy_url = \"http://me@proxy.example\"\nproxy_password_file = \"empty\"", "is empty"),
        ("proxy_password_file = \"secret\"", "lrs.proxy_password_file: is allowed with proxy_url only"),
        ("proxy_bypass = [\"idp.example\"]", "lrs.proxy_bypass: is allowed with proxy_url only"),
        (
            "proxy_url = \"http://proxy.example\"\nproxy_bypass = [\"https://idp.example\"]",
            "lrs.proxy_bypass: \"https://idp.example\" must be",
        ),
        ("proxy_url = \"http://proxy.example\"\nproxy_bypass = [\"idp.example:443\"]", "lrs.proxy_bypass: \"idp.example:443\" must be"),
        ("proxy_url = \"http://proxy.example\"\nproxy_bypass = [\"::1\", \"10.0.0.0/33\"]", "lrs.proxy_bypass: \"10.0.0.0/33\" must be"),
        ("max_connection_age_seconds = 0", "max_connection_age_seconds"),
    ] {
        let config = ConfigDirectory::new("http://127.0.0.1:1");
        config.write("empty", "");
        config.add_lrs_settings(settings);
        let output = run(&["check-config", "--config", &config.config_path()]);
        let text = stderr(&output);
        assert!(!output.status.success() && text.contains(error) && !text.contains("s3cret"), "{settings}: {text}");
    }
}
