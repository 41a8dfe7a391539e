//! The log line of a call to LRS that failed: it states the reason in words.

use std::net::TcpListener;

use lrs_gateway::simulator::{SimulatorSettings, TlsFiles};
use serde_json::Value;

use super::FIND;
use crate::support::certificates::CertificateAuthority;
use crate::support::fake_server::{Reply, http};
use crate::support::program::{ConfigDirectory, ServingProgram, caller_of};
use crate::support::scripted_lrs::search;
use crate::support::{ANY_PORT, FakeServer, SimulatedLrs};

const UKPRN: &str = "10088881";

/// Makes a search, and returns the log line of its failed call and its problem.
async fn failed_call(config: &ConfigDirectory) -> (Value, Value) {
    let mut gateway = ServingProgram::start(config);
    let problem = caller_of(&gateway.api, UKPRN).post(FIND, &search()).await.json();
    let line = gateway.program.wait_for_log("LRS call failed");
    let request = gateway.program.wait_for_log("request");
    assert_eq!(request["cause"].as_str().map(|cause| cause.split(" (WSEC").next()), line["cause"].as_str().map(Some), "{request} {line}");
    let log = gateway.program.end_and_read_log();
    assert!(!log.contains("LRS call failed"), "one line for one call: {log}");
    (line, problem)
}

/// Starts an LRS with a certificate for this name that expires in this year. It requires client certificates of the other authority.
fn start_lrs(authority: &CertificateAuthority, name: &str, year: i32, client_authority: Option<&CertificateAuthority>) -> SimulatedLrs {
    let (certificate_file, key_file) = authority.issue_until(name, year);
    let tls = TlsFiles { certificate_file, key_file, client_ca_file: client_authority.map(CertificateAuthority::ca_file) };
    SimulatedLrs::with(&SimulatorSettings { tls: Some(tls), ..SimulatorSettings::default() })
}

#[tokio::test]
async fn call_log_states_why_there_is_no_connection() {
    let (authority, other) = (CertificateAuthority::new(), CertificateAuthority::named("Another Authority"));
    let expired = start_lrs(&authority, "127.0.0.1", 2020, None);
    let wrong_name = start_lrs(&authority, "lrs.example", 2099, None);
    let untrusted = start_lrs(&other, "127.0.0.1", 2099, None);
    let without_tls = SimulatedLrs::start();
    let closed = TcpListener::bind(ANY_PORT).and_then(|listener| listener.local_addr()).expect("a port is free");
    for (url, level, reason, words) in [
        (format!("https://{closed}"), "WARN", "REFUSED", "it refused the connection"),
        ("https://lrs.invalid".to_owned(), "WARN", "NAME_NOT_RESOLVED", "its name cannot be resolved (DNS)"),
        (expired.url(), "ERROR", "CERTIFICATE_NOT_CURRENT", "its certificate has expired or is not valid yet"),
        (wrong_name.url(), "ERROR", "CERTIFICATE_FOR_ANOTHER_NAME", "its certificate is for another name"),
        (untrusted.url(), "ERROR", "CERTIFICATE_UNTRUSTED", "its certificate is not trusted"),
        (without_tls.url(), "WARN", "TLS_FAILED", "the TLS handshake failed"),
    ] {
        let config = ConfigDirectory::new(&url.replace("http:", "https:"));
        config.add_lrs_settings(&format!("ca_certificate_file = \"{}\"\nmax_retries = 1", authority.ca_file().display()));
        let (line, problem) = failed_call(&config).await;
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(["level", "reason", "outcome"].map(text), [level, reason, "UNREACHABLE"], "{line}");
        assert_eq!(["organisation", "operation"].map(text), [UKPRN, "learnerByULN"], "{line}");
        assert!(text("cause").contains(words), "{words}: {line}");
        assert_eq!(problem["code"], "lrs_unavailable");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{problem}");
    }
}

#[tokio::test]
async fn call_log_states_that_client_certificate_is_rejected() {
    let (authority, other) = (CertificateAuthority::new(), CertificateAuthority::named("Another Authority"));
    let lrs = start_lrs(&authority, "127.0.0.1", 2099, Some(&authority));
    let config = ConfigDirectory::new(&lrs.url().replace("http:", "https:"));
    config.add_lrs_settings(&format!("ca_certificate_file = \"{}\"", authority.ca_file().display()));
    let (certificate, key) = other.issue("college");
    config.certificate(UKPRN, &certificate, &key);
    let (line, problem) = failed_call(&config).await;
    assert_eq!((line["level"].as_str(), line["outcome"].as_str()), (Some("ERROR"), Some("CREDENTIALS_REJECTED")), "{line}");
    let words = "rejected the organisation's client certificate (TLS alert UnknownCA)";
    assert!(line["cause"].as_str().is_some_and(|cause| cause.contains(words)), "{line}");
    assert_eq!(problem["code"], "lrs_credentials_rejected");
}

#[tokio::test]
async fn call_log_states_http_status_or_code() {
    let page = |status| Reply::Bytes(http(status, "text/html", b"<html>Zebedee Quillfeather</html>"));
    for (reply, level, outcome, status, words) in [
        (page(503), "WARN", "THROTTLED", 503, "HTTP status 503"),
        (page(429), "WARN", "THROTTLED", 429, "HTTP status 429"),
        (page(504), "WARN", "INTERMEDIARY_FAILED", 504, "HTTP status 504"),
        (page(405), "WARN", "MAINTENANCE", 405, "HTTP status 405"),
        (page(403), "ERROR", "ACCESS_BLOCKED", 403, "A firewall"),
        (Reply::Bytes(http(403, "text/html", b"<html>403.16</html>")), "ERROR", "CREDENTIALS_REJECTED", 403, "HTTP status 403.16"),
    ] {
        let lrs = FakeServer::start({
            let reply = std::sync::Mutex::new(Some(reply));
            move |_| reply.lock().expect("no thread panicked").take().expect("one request")
        });
        let config = ConfigDirectory::new(&lrs.url());
        config.add_lrs_settings("max_retries = 0");
        let (line, problem) = failed_call(&config).await;
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        assert_eq!((text("level").as_str(), text("outcome").as_str(), &line["status"]), (level, outcome, &Value::from(status)), "{line}");
        assert!(text("cause").contains(words), "{line}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{problem}");
        assert!(!format!("{line}{problem}").contains("Zebedee"));
    }
}

#[tokio::test]
async fn moved_lrs_is_logged_once_per_address_with_its_host_only() {
    let replies =
        std::sync::Mutex::new(vec!["https://b.lrs.example:8443/Path.svc?q=Zebedee", "https://a.lrs.example/x", "https://a.lrs.example/y"]);
    let lrs = FakeServer::start(move |_| {
        let location = replies.lock().expect("no thread panicked").pop().expect("three requests");
        Reply::Bytes(format!("HTTP/1.1 301 X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into_bytes())
    });
    let gateway = ServingProgram::start(&ConfigDirectory::new(&lrs.url()));
    for _ in 0..3 {
        let answer = caller_of(&gateway.api, UKPRN).post(FIND, &search()).await;
        assert!(!answer.problem(502, "lrs_moved").to_string().contains("lrs.example"), "{}", answer.text);
    }
    let log = gateway.program.end_and_read_log();
    let moved: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("log lines are JSON"))
        .filter(|line| line["message"].as_str().is_some_and(|message| message.starts_with("LRS has moved")))
        .collect();
    let origins: Vec<_> = moved.iter().map(|line| (line["level"].as_str(), line["origin"].as_str())).collect();
    let error = Some("ERROR");
    assert_eq!(origins, [(error, Some("https://a.lrs.example")), (error, Some("https://b.lrs.example:8443"))], "{log}");
    assert!(!log.contains("Path.svc") && !log.contains("Zebedee"), "{log}");
}

#[tokio::test]
async fn metric_of_calls_has_http_status_as_bounded_label() {
    let replies = std::sync::Mutex::new(vec![299, 418, 503]);
    let lrs = FakeServer::start(move |_| {
        let status = replies.lock().expect("no thread panicked").pop().expect("three requests");
        Reply::Bytes(http(status, "text/plain", b"no"))
    });
    let config = ConfigDirectory::new(&lrs.url());
    config.add_lrs_settings("max_retries = 0");
    let gateway = ServingProgram::start(&config);
    let caller = caller_of(&gateway.api, UKPRN);
    for _ in 0..3 {
        assert!([502, 503].contains(&caller.post(FIND, &search()).await.status));
    }
    let metrics = caller_of(&gateway.admin, UKPRN).request("GET", "/metrics").await.text;
    for (outcome, status, count) in [("THROTTLED", "503", 1), ("BAD_RESPONSE", "other", 2)] {
        let line = format!("lrs_gateway_lrs_calls_total{{operation=\"learnerByULN\",outcome=\"{outcome}\",status=\"{status}\"}} {count}");
        assert!(metrics.lines().any(|found| found == line), "{line}: {metrics}");
    }
}
