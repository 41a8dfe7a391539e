//! Outcomes of writes: each write is sent to LRS once. If LRS's response is lost, the problem has `outcomeUnknown`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use lrs_gateway::domain::{Product, Ukprn};
use lrs_gateway::lrs::http_client::HttpClientFactory;
use lrs_gateway::organisations::{Organisation, OrganisationPassword, OrganisationSettings};
use lrs_gateway::schema::Scalar as _;
use lrs_gateway::tls::crypto_provider;
use serde_json::{Value, json};

use crate::support::caller::{Answer, PROVIDER};
use crate::support::expected_problems::{
    ACCESS_BLOCKED, BAD_RESPONSE, CREDENTIALS, ExpectedProblem, MAINTENANCE, MOVED, REJECTED, TIMEOUT, UNAVAILABLE,
};
use crate::support::fake_server::{Reply, http, soap};
use crate::support::gateway::Options;
use crate::support::scripted_lrs::{ScriptedLrs, search};
use crate::support::{ANY_PORT, TestGateway};

const REGISTER: &str = "/v1/learners/register";
const UPDATE: &str = "/v1/learners/update";
const AMEND: &str = "/v1/learners/amend";
const OBTAIN: &str = "/v1/learners/obtain-uln";

const MAINTENANCE_PAGE: &[u8] = b"<html><body>LRS is down for planned maintenance</body></html>";
const REGISTERED: &str = "<n:RegisterLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/regmsg\"><ResponseCode>WSRC0005</ResponseCode>\
    <ULN>3000000126</ULN></n:RegisterLearnerResponse>";

fn registration() -> Value {
    json!({"learner": {
        "givenName": "Zebedee", "familyName": "Quillfeather", "dateOfBirth": "2004-11-30", "gender": "MALE", "lastKnownPostCode": "ZZ1 1AA",
        "verificationType": "BANK_CARD", "abilityToShare": "NOT_SEEN",
    }})
}

fn update() -> Value {
    json!({"uln": "3000000126", "versionNumber": 1, "learner": registration()["learner"]})
}

fn amendment() -> Value {
    json!({"uln": "3000000126", "givenName": "Zebedee", "familyName": "Quillfeather", "changes": {"notes": "Met in person"}})
}

/// A call to the gateway.
struct Call {
    path: &'static str,
    body: Value,
    /// Number of searches that the gateway sends to LRS first.
    searches: usize,
}

impl Call {
    const fn new(path: &'static str, body: Value) -> Self {
        Self { path, body, searches: 0 }
    }
}

/// Returns a call of each operation that writes.
fn writes() -> Vec<Call> {
    vec![
        Call::new(REGISTER, registration()),
        Call::new(UPDATE, update()),
        Call { searches: 1, ..Call::new(OBTAIN, registration()) },
        Call { searches: 1, ..Call::new(AMEND, amendment()) },
    ]
}

/// Returns a call of each operation that reads.
fn reads() -> Vec<Call> {
    let by_demographics = json!({
        "givenName": "Zebedee", "familyName": "Quillfeather", "dateOfBirth": "2004-11-30", "gender": "MALE", "lastKnownPostCode": "ZZ1 1AA",
    });
    vec![
        Call::new("/v1/learners/find-by-uln", search()),
        Call::new("/v1/learners/find-by-demographics", by_demographics),
        Call::new("/v1/learners/verify", search()),
        Call::new("/v1/learning-events/search", search()),
        Call::new("/v1/learners/retrieve-ulns", json!({"ulns": ["3000000126"]})),
    ]
}

/// Returns LRS's reply to a search without a match.
fn no_match() -> Reply {
    let response = "<n:FindLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/findmsg\">\
        <ResponseCode>WSRC0001</ResponseCode></n:FindLearnerResponse>";
    Reply::Bytes(soap(200, response))
}

/// Returns LRS's reply to the search for a record that is to be amended.
fn found() -> Reply {
    let response = "<n:FindLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/findmsg\"><ResponseCode>WSRC0004</ResponseCode>\
        <Learner><ULN>3000000126</ULN><GivenName>Zebedee</GivenName><FamilyName>Quillfeather</FamilyName>\
        <LastKnownPostCode>ZZ1 1AA</LastKnownPostCode><DateOfBirth>2004-11-30</DateOfBirth><Gender>1</Gender>\
        <VerificationType>7</VerificationType><AbilityToShare>0</AbilityToShare><VersionNumber>1</VersionNumber></Learner>\
        </n:FindLearnerResponse>";
    Reply::Bytes(soap(200, response))
}

fn fault(fault_code: &str, error_code: &str) -> Vec<u8> {
    soap(
        500,
        &format!(
            "<soapenv:Fault><faultcode>{fault_code}</faultcode><faultstring>Quillfeather</faultstring><detail><e:MIAPAPIException \
             xmlns:e=\"http://api.lrs.miap.gov.uk/exceptions\">{error_code}<Description>Zebedee</Description></e:MIAPAPIException>\
             </detail></soapenv:Fault>"
        ),
    )
}

fn error_code(code: &str) -> Reply {
    Reply::Bytes(fault("soapenv:Server", &format!("<ErrorCode>{code}</ErrorCode>")))
}

/// Description, LRS's reply to the last request of a call, and the problem for the caller.
type Case = (&'static str, Reply, ExpectedProblem);

/// Returns the replies after which LRS may have executed a write. If there was no response at all, the problem is a timeout.
fn unknown_outcome_of_write() -> Vec<Case> {
    lost_responses(TIMEOUT)
}

/// Returns the same replies to a read. If there was no response at all, LRS is unavailable.
fn lost_response_to_read() -> Vec<Case> {
    lost_responses(UNAVAILABLE)
}

fn lost_responses(without_response: ExpectedProblem) -> Vec<Case> {
    let response = soap(200, REGISTERED);
    let (part_of_body, all_but_last_byte) = (response.len() - 100, response.len() - 1);
    let gateway_page = http(502, "text/html", b"<html><body>Bad Gateway</body></html>");
    vec![
        ("closed before any byte", Reply::ThenClose(Vec::new()), without_response),
        ("reset before any byte", Reply::ThenReset(Vec::new()), without_response),
        ("closed within the headers", Reply::ThenClose(response[..30].to_vec()), without_response),
        ("closed within the body", Reply::ThenClose(response[..part_of_body].to_vec()), without_response),
        ("reset within the body", Reply::ThenReset(response[..part_of_body].to_vec()), without_response),
        ("closed before the last byte", Reply::ThenClose(response[..all_but_last_byte].to_vec()), without_response),
        ("a response that is not XML", Reply::Bytes(http(200, "text/xml", b"Zebedee & Quillfeather")), BAD_RESPONSE),
        ("an empty response", Reply::Bytes(http(200, "text/xml", b"")), BAD_RESPONSE),
        ("the response of another operation", Reply::Bytes(soap(200, "<BatchOutput/>")), BAD_RESPONSE),
        ("an HTML page", Reply::Bytes(http(200, "text/html", b"<html><body>Hello</body></html>")), BAD_RESPONSE),
        ("502 with a page of an intermediary", Reply::Bytes(gateway_page), without_response),
        ("504 with a page about maintenance", Reply::Bytes(http(504, "text/html", MAINTENANCE_PAGE)), MAINTENANCE),
        ("504 without a body", Reply::Bytes(http(504, "", b"")), without_response),
        ("408 without a body", Reply::Bytes(http(408, "", b"")), without_response),
        ("another protocol", Reply::ThenClose(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()), BAD_RESPONSE),
        ("an internal error of LRS", error_code("WSEC0999"), BAD_RESPONSE),
        ("an undocumented error code", error_code("WSEC4711"), REJECTED),
        ("a fault without an error code", Reply::Bytes(fault("soapenv:Server", "")), BAD_RESPONSE),
        ("a response larger than the limit", Reply::Bytes(http(200, "text/xml", &vec![b' '; 70_000])), BAD_RESPONSE),
    ]
}

/// Returns the replies after which LRS has certainly not executed a write.
fn not_executed() -> Vec<Case> {
    let redirect = b"HTTP/1.1 302 Found\r\nLocation: /maintenance\r\nContent-Length: 0\r\n\r\n";
    vec![
        ("the message is rejected", error_code("WSEC0001"), REJECTED),
        ("the operation is rejected", error_code("WSEC0002"), REJECTED),
        ("the organisation is rejected", error_code("WSEC0003"), CREDENTIALS),
        ("the password is rejected", error_code("WSEC0005"), CREDENTIALS),
        ("the service is rejected", error_code("WSEC0006"), CREDENTIALS),
        ("out of hours", error_code("WSEC0004"), MAINTENANCE),
        ("a page about maintenance", Reply::Bytes(http(200, "text/html", MAINTENANCE_PAGE)), MAINTENANCE),
        ("a redirect to a page about maintenance", Reply::Bytes(redirect.to_vec()), MAINTENANCE),
        ("405", Reply::Bytes(http(405, "text/html", MAINTENANCE_PAGE)), MAINTENANCE),
        ("503 with a page about maintenance", Reply::Bytes(http(503, "text/html", MAINTENANCE_PAGE)), MAINTENANCE),
        ("503 without a body", Reply::Bytes(http(503, "", b"")), UNAVAILABLE),
        ("429 in plain text", Reply::Bytes(http(429, "text/plain", b"slow down")), UNAVAILABLE),
        ("301", Reply::Bytes(b"HTTP/1.1 301 X\r\nLocation: https://new.example/\r\nContent-Length: 0\r\n\r\n".to_vec()), MOVED),
        ("403 with a page of a firewall", Reply::Bytes(http(403, "text/html", b"<html>Request blocked</html>")), ACCESS_BLOCKED),
        ("a Client fault without an error code", Reply::Bytes(fault("soapenv:Client", "")), REJECTED),
        ("the certificate is rejected", Reply::Bytes(http(403, "text/html", b"<html>403.7</html>")), CREDENTIALS),
    ]
}

/// Returns the replies that are not complete within the timeout.
fn incomplete_replies() -> Vec<Case> {
    let response = soap(200, REGISTERED);
    vec![
        ("no byte", Reply::ThenSilence(Vec::new()), TIMEOUT),
        ("part of the body", Reply::ThenSilence(response[..response.len() - 100].to_vec()), TIMEOUT),
    ]
}

fn assert_problem(case: &str, answer: &Answer, (status, code, retryable, retry_after): ExpectedProblem, is_outcome_unknown: bool) {
    let problem = answer.problem(status, code);
    assert_eq!(problem["outcomeUnknown"] == json!(true), is_outcome_unknown, "{case}: {problem}");
    assert_eq!(problem["outcomeUnknown"].is_null(), !is_outcome_unknown, "{case}: {problem}");
    assert_eq!(problem["retryable"], json!(retryable && !is_outcome_unknown), "{case}: {problem}");
    // A caller must not be asked to repeat a write that LRS may have executed.
    assert_eq!(problem["retryAfterSeconds"].as_u64(), retry_after.filter(|_| !is_outcome_unknown), "{case}: {problem}");
    assert!(!answer.text.contains("Zebedee") && !answer.text.contains("Quillfeather"), "{case}: {problem}");
    let advice = problem["detail"].as_str().expect("a problem has a detail");
    assert_eq!(advice.contains("Find the learner to check"), is_outcome_unknown, "{case}: {advice}");
}

/// Makes every call with every case, and asserts the problem. [`ScriptedLrs`] asserts that LRS receives each request once.
async fn assert_problems(calls: Vec<Call>, options: fn() -> Options, cases: fn() -> Vec<Case>, is_outcome_unknown: bool) {
    join_all(calls.into_iter().map(|Call { path, body, searches }| async move {
        let (mut replies, mut expected) = (Vec::new(), Vec::new());
        for (description, reply, problem) in cases() {
            replies.extend((0..searches).map(|_| if path == AMEND { found() } else { no_match() }));
            replies.push(reply);
            expected.push((description, problem));
        }
        let lrs = ScriptedLrs::new(options(), replies);
        for (description, problem) in expected {
            let answer = lrs.post_expecting_calls(searches + 1, path, &body).await;
            assert_problem(&format!("{path}: {description}"), &answer, problem, is_outcome_unknown);
        }
    }))
    .await;
}

fn with_small_response_limit() -> Options {
    Options { max_response_bytes: 64 * 1024, ..Options::default() }
}

fn with_short_timeout() -> Options {
    Options { timeout: Duration::from_millis(300), ..Options::default() }
}

#[tokio::test]
async fn write_response_lost_is_sent_once_and_outcome_is_unknown() {
    assert_problems(writes(), with_small_response_limit, unknown_outcome_of_write, true).await;
}

#[tokio::test]
async fn write_timeout_is_sent_once_and_outcome_is_unknown() {
    assert_problems(writes(), with_short_timeout, incomplete_replies, true).await;
}

#[tokio::test]
async fn write_not_executed_by_lrs_has_known_outcome() {
    assert_problems(writes(), Options::default, not_executed, false).await;
}

/// A proxy that waits for LRS in vain reports this after its own time limit: LRS may still execute the request.
fn late_503() -> Vec<Case> {
    vec![
        ("503 without a body", Reply::Bytes(http(503, "", b"")), TIMEOUT),
        ("503 with a page", Reply::Bytes(http(503, "text/html", b"<html>Service Unavailable</html>")), TIMEOUT),
        ("503 with a page about maintenance", Reply::Bytes(http(503, "text/html", MAINTENANCE_PAGE)), MAINTENANCE),
        ("200 with a page about maintenance", Reply::Bytes(http(200, "text/html", MAINTENANCE_PAGE)), MAINTENANCE),
    ]
}

#[tokio::test]
async fn write_answered_late_by_a_server_in_front_of_lrs_has_unknown_outcome() {
    let every_response_is_late = || Options { prompt_response: Duration::ZERO, ..Options::default() };
    assert_problems(writes(), every_response_is_late, late_503, true).await;
}

#[tokio::test]
async fn write_answered_503_because_the_connection_to_lrs_broke_has_unknown_outcome() {
    const TEXT: &[u8] = b"upstream connect error or disconnect/reset before headers. reset reason: connection termination";
    let reply = || vec![("503 of Envoy", Reply::Bytes(http(503, "text/plain", TEXT)), TIMEOUT)];
    assert_problems(writes(), Options::default, reply, true).await;
}

#[tokio::test]
async fn write_connection_refused_has_known_outcome() {
    let closed_address = TcpListener::bind(ANY_PORT).expect("a port is free").local_addr().expect("the listener is bound");
    let gateway = TestGateway::to(&format!("http://{closed_address}"));
    for Call { path, body, .. } in writes() {
        assert_problem(path, &gateway.caller().post(path, &body).await, UNAVAILABLE, false);
    }
}

#[tokio::test]
async fn write_kept_alive_connection_lost_is_sent_once_and_outcome_is_unknown() {
    let registered = || Reply::Bytes(soap(200, REGISTERED));
    let replies = [registered(), Reply::ThenReset(Vec::new()), registered(), Reply::ThenClose(Vec::new())];
    let lrs = ScriptedLrs::new(Options::default(), replies);
    for _ in 0..2 {
        assert_eq!(lrs.post(REGISTER, &registration()).await.status, 201);
        assert_problem("a kept-alive connection", &lrs.post(REGISTER, &registration()).await, TIMEOUT, true);
    }
    let connections: Vec<_> = lrs.received().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [0, 0, 1, 1]);
}

#[tokio::test]
async fn read_response_lost_or_timeout_has_no_unknown_outcome() {
    assert_problems(reads(), with_small_response_limit, lost_response_to_read, false).await;
    assert_problems(reads(), with_short_timeout, incomplete_replies, false).await;
}

/// Starts a TLS server that reads one complete request and then sends bytes that are not TLS. Returns its address and its certificate.
fn start_server_that_breaks_tls_after_request() -> (SocketAddr, String) {
    let certified = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("the certificate is created");
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
    let config = rustls::ServerConfig::builder_with_provider(crypto_provider())
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(vec![certified.cert.der().clone()], key))
        .expect("the key belongs to the certificate");
    let listener = TcpListener::bind(ANY_PORT).expect("a port is free");
    let address = listener.local_addr().expect("the listener is bound");
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("the gateway connects");
        let mut tls = rustls::ServerConnection::new(Arc::new(config)).expect("the configuration is valid");
        let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
        while !request.ends_with(b"</soapenv:Envelope>") {
            let length = rustls::Stream::new(&mut tls, &mut socket).read(&mut chunk).expect("the request is complete");
            request.extend_from_slice(&chunk[..length]);
        }
        let _ = socket.write_all(&[0; 64]);
        // Keeps the connection open until the gateway has read the bytes.
        let _ = socket.read(&mut chunk);
    });
    (address, certified.cert.pem())
}

/// Returns options with an organisation that trusts this certificate authority.
fn with_ca_file(ca_file: &Path) -> Options {
    let client_factory = HttpClientFactory::new(Some(ca_file), Duration::from_secs(2)).expect("the file has a root certificate");
    let settings = OrganisationSettings {
        ukprn: Ukprn::parse(PROVIDER).expect("the UKPRN is valid"),
        name: "A test".into(),
        organisation_ref: None,
        products: vec![Product::UlnManagement],
        password: OrganisationPassword::new("demo-password-01").expect("the password has 16 characters"),
        client_certificate: None,
    };
    let organisation = Organisation::new(settings, &client_factory).expect("the client is created");
    Options { organisations: vec![organisation], ..Options::default() }
}

#[tokio::test]
async fn write_tls_failure_after_request_has_unknown_outcome() {
    let directory = tempfile::tempdir().expect("the directory is created");
    for (path, body) in [(REGISTER, registration()), (UPDATE, update())] {
        let (address, certificate) = start_server_that_breaks_tls_after_request();
        let ca_file = directory.path().join("ca.pem");
        std::fs::write(&ca_file, certificate).expect("the file is written");
        let gateway = TestGateway::with(&format!("https://{address}"), with_ca_file(&ca_file));
        assert_problem(path, &gateway.caller().post(path, &body).await, TIMEOUT, true);
    }
}
