//! Writes are sent to LRS once. When its answer does not come through, the caller is told that the outcome is unknown.

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
use crate::support::expected_problems::{BAD_RESPONSE, CREDENTIALS, ExpectedProblem, MAINTENANCE, REJECTED, TIMEOUT, UNAVAILABLE};
use crate::support::fake_server::{Reply, http, soap};
use crate::support::gateway::Options;
use crate::support::scripted_lrs::{ScriptedLrs, search};
use crate::support::{ANY_PORT, TestGateway};

const REGISTER: &str = "/v1/learners/register";
const UPDATE: &str = "/v1/learners/update";
const OBTAIN: &str = "/v1/learners/obtain-uln";

fn registration() -> Value {
    json!({"learner": {
        "givenName": "Zebedee", "familyName": "Quillfeather", "dateOfBirth": "2004-11-30", "gender": "MALE", "lastKnownPostCode": "ZZ1 1AA",
        "verificationType": "BANK_CARD", "abilityToShare": "NOT_SEEN",
    }})
}

fn change() -> Value {
    json!({"uln": "3000000126", "versionNumber": 1, "learner": registration()["learner"]})
}

/// Path, body, and how many searches LRS is asked for before.
type Call = (&'static str, Value, usize);

fn writes() -> Vec<Call> {
    vec![(REGISTER, registration(), 0), (UPDATE, change(), 0), (OBTAIN, registration(), 1)]
}

/// Everything that only reads.
fn reads() -> Vec<Call> {
    let by_demographics = json!({
        "givenName": "Zebedee", "familyName": "Quillfeather", "dateOfBirth": "2004-11-30", "gender": "MALE", "lastKnownPostCode": "ZZ1 1AA",
    });
    vec![
        ("/v1/learners/find-by-uln", search(), 0),
        ("/v1/learners/find-by-demographics", by_demographics, 0),
        ("/v1/learners/verify", search(), 0),
        ("/v1/learning-events/search", search(), 0),
        ("/v1/learners/retrieve-ulns", json!({"ulns": ["3000000126"]}), 0),
    ]
}

fn nobody() -> Reply {
    let answer = "<n:FindLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/findmsg\">\
        <ResponseCode>WSRC0001</ResponseCode></n:FindLearnerResponse>";
    Reply::Bytes(soap(200, answer))
}

const REGISTERED: &str = "<n:RegisterLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/regmsg\"><ResponseCode>WSRC0005</ResponseCode>\
    <ULN>3000000126</ULN></n:RegisterLearnerResponse>";

fn fault(fault_code: &str, code: &str) -> Vec<u8> {
    soap(
        500,
        &format!(
            "<soapenv:Fault><faultcode>{fault_code}</faultcode><faultstring>Quillfeather</faultstring><detail><e:MIAPAPIException \
             xmlns:e=\"http://api.lrs.miap.gov.uk/exceptions\">{code}<Description>Zebedee</Description></e:MIAPAPIException>\
             </detail></soapenv:Fault>"
        ),
    )
}

fn error_code(code: &str) -> Reply {
    Reply::Bytes(fault("soapenv:Server", &format!("<ErrorCode>{code}</ErrorCode>")))
}

type Case = (&'static str, Reply, ExpectedProblem);

/// What leaves open whether LRS did what it was asked to: for a write, no answer is no answer in time.
fn open() -> Vec<Case> {
    answer_lost(TIMEOUT)
}

/// The same, as it is told of a read.
fn open_of_a_read() -> Vec<Case> {
    answer_lost(UNAVAILABLE)
}

fn answer_lost(told: ExpectedProblem) -> Vec<Case> {
    let whole = soap(200, REGISTERED);
    let (half, last) = (whole.len() - 100, whole.len() - 1);
    let gateway_page = http(502, "text/html", b"<html><body>Bad Gateway</body></html>");
    vec![
        ("closed before any byte", Reply::ThenClose(Vec::new()), told),
        ("reset before any byte", Reply::ThenReset(Vec::new()), told),
        ("closed in the headers", Reply::ThenClose(whole[..30].to_vec()), told),
        ("closed in the body", Reply::ThenClose(whole[..half].to_vec()), BAD_RESPONSE),
        ("reset in the body", Reply::ThenReset(whole[..half].to_vec()), BAD_RESPONSE),
        ("closed one byte too soon", Reply::ThenClose(whole[..last].to_vec()), BAD_RESPONSE),
        ("an answer that is no XML", Reply::Bytes(http(200, "text/xml", b"Zebedee & Quillfeather")), BAD_RESPONSE),
        ("an empty answer", Reply::Bytes(http(200, "text/xml", b"")), BAD_RESPONSE),
        ("the answer to something else", Reply::Bytes(soap(200, "<BatchOutput/>")), BAD_RESPONSE),
        ("a page", Reply::Bytes(http(200, "text/html", b"<html><body>Hello</body></html>")), BAD_RESPONSE),
        ("a page of a server before LRS", Reply::Bytes(gateway_page), told),
        ("a page about maintenance of a server that gave up", Reply::Bytes(http(504, "text/html", MAINTENANCE_PAGE)), MAINTENANCE),
        ("the same of one that is overloaded", Reply::Bytes(http(503, "text/html", MAINTENANCE_PAGE)), MAINTENANCE),
        ("503 without a word", Reply::Bytes(http(503, "", b"")), told),
        ("an error of LRS's own", error_code("WSEC0999"), BAD_RESPONSE),
        ("an error nobody documented", error_code("WSEC4711"), REJECTED),
        ("a fault without a code", Reply::Bytes(fault("soapenv:Server", "")), BAD_RESPONSE),
        ("an answer larger than the limit", Reply::Bytes(http(200, "text/xml", &vec![b' '; 70_000])), BAD_RESPONSE),
    ]
}

const MAINTENANCE_PAGE: &[u8] = b"<html><body>LRS is down for planned maintenance</body></html>";

/// What says that LRS did nothing.
fn settled() -> Vec<Case> {
    let page = MAINTENANCE_PAGE;
    let moved = b"HTTP/1.1 302 Found\r\nLocation: /maintenance\r\nContent-Length: 0\r\n\r\n";
    vec![
        ("the message is refused", error_code("WSEC0001"), REJECTED),
        ("the operation is refused", error_code("WSEC0002"), REJECTED),
        ("the organisation is refused", error_code("WSEC0003"), CREDENTIALS),
        ("the password is refused", error_code("WSEC0005"), CREDENTIALS),
        ("the service is refused", error_code("WSEC0006"), CREDENTIALS),
        ("out of hours", error_code("WSEC0004"), MAINTENANCE),
        ("a maintenance page", Reply::Bytes(http(200, "text/html", page)), MAINTENANCE),
        ("sent to a maintenance page", Reply::Bytes(moved.to_vec()), MAINTENANCE),
        ("405", Reply::Bytes(http(405, "text/html", page)), MAINTENANCE),
        ("a client's fault without a code", Reply::Bytes(fault("soapenv:Client", "")), REJECTED),
        ("the certificate is refused", Reply::Bytes(http(403, "text/html", b"<html>403.7</html>")), CREDENTIALS),
    ]
}

fn is_told(what: &str, answer: &Answer, (status, code, retryable, retry_after): ExpectedProblem, outcome_unknown: bool) {
    let problem = answer.problem(status, code);
    assert_eq!(problem["outcomeUnknown"] == json!(true), outcome_unknown, "{what}: {problem}");
    assert_eq!(problem["outcomeUnknown"].is_null(), !outcome_unknown, "{what}: {problem}");
    assert_eq!(problem["retryable"], json!(retryable && !outcome_unknown), "{what}: {problem}");
    // Nobody is invited to do twice what may be done.
    assert_eq!(problem["retryAfterSeconds"].as_u64(), retry_after.filter(|_| !outcome_unknown), "{what}: {problem}");
    assert!(!answer.text.contains("Zebedee") && !answer.text.contains("Quillfeather"), "{what}: {problem}");
    let advice = problem["detail"].as_str().expect("a text");
    assert_eq!(advice.contains("Find the learner to check"), outcome_unknown, "{what}: {advice}");
}

/// Lets every call meet every case. [`Script`] sees to it that LRS is asked once for each, and no more.
async fn every(calls: Vec<Call>, options: fn() -> Options, cases: fn() -> Vec<Case>, outcome_unknown: bool) {
    join_all(calls.into_iter().map(|(path, body, searches)| async move {
        let (mut replies, mut expected) = (Vec::new(), Vec::new());
        for (what, reply, kind) in cases() {
            replies.extend((0..searches).map(|_| nobody()));
            replies.push(reply);
            expected.push((what, kind));
        }
        let script = ScriptedLrs::new(options(), replies);
        for (what, kind) in expected {
            let answer = script.post_asking(searches + 1, path, &body).await;
            is_told(&format!("{path}: {what}"), &answer, kind, outcome_unknown);
        }
    }))
    .await;
}

fn small_answers() -> Options {
    Options { max_response_bytes: 64 * 1024, ..Options::default() }
}

fn impatient() -> Options {
    Options { timeout: Duration::from_millis(300), ..Options::default() }
}

fn silence() -> Vec<Case> {
    let whole = soap(200, REGISTERED);
    vec![
        ("silence", Reply::ThenSilence(Vec::new()), TIMEOUT),
        ("half an answer and silence", Reply::ThenSilence(whole[..whole.len() - 100].to_vec()), TIMEOUT),
    ]
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_not_repeated_and_its_outcome_is_unknown() {
    every(writes(), small_answers, open, true).await;
}

#[tokio::test]
async fn a_write_that_is_not_answered_in_time_is_not_repeated_and_its_outcome_is_unknown() {
    every(writes(), impatient, silence, true).await;
}

#[tokio::test]
async fn a_write_that_lrs_certainly_did_not_do_is_not_said_to_be_unknown() {
    every(writes(), Options::default, settled, false).await;
}

#[tokio::test]
async fn a_write_that_finds_nobody_to_connect_to_is_not_said_to_be_unknown() {
    let port = TcpListener::bind(ANY_PORT).expect("a free port").local_addr().expect("bound");
    let gateway = TestGateway::to(&format!("http://{port}"));
    for (path, body, _) in writes() {
        is_told(path, &gateway.caller().post(path, &body).await, UNAVAILABLE, false);
    }
}

#[tokio::test]
async fn a_write_over_a_kept_connection_that_breaks_is_not_repeated() {
    let done = || Reply::Bytes(soap(200, REGISTERED));
    let script = ScriptedLrs::new(Options::default(), [done(), Reply::ThenReset(Vec::new()), done(), Reply::ThenClose(Vec::new())]);
    for _ in 0..2 {
        assert_eq!(script.post(REGISTER, &registration()).await.status, 201);
        is_told("a kept connection", &script.post(REGISTER, &registration()).await, TIMEOUT, true);
    }
    let connections: Vec<_> = script.received().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [0, 0, 1, 1]);
}

#[tokio::test]
async fn a_read_never_has_an_unknown_outcome() {
    every(reads(), small_answers, open_of_a_read, false).await;
    every(reads(), impatient, silence, false).await;
}

/// A server of TLS that takes one whole request and answers with bytes that are no TLS.
fn breaks_tls_after_the_request() -> (SocketAddr, String) {
    let certified = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
    let config = rustls::ServerConfig::builder_with_provider(crypto_provider())
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(vec![certified.cert.der().clone()], key))
        .expect("a certificate and its key");
    let listener = TcpListener::bind(ANY_PORT).expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a connection");
        let mut tls = rustls::ServerConnection::new(Arc::new(config)).expect("a connection");
        let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
        while !request.ends_with(b"</soapenv:Envelope>") {
            let read = rustls::Stream::new(&mut tls, &mut socket).read(&mut chunk).expect("the request is whole");
            request.extend_from_slice(&chunk[..read]);
        }
        let _ = socket.write_all(&[0; 64]);
        let _ = socket.read(&mut chunk); // until the other side has seen it
    });
    (address, certified.cert.pem())
}

fn trusting(ca_file: &Path) -> Options {
    let transport = HttpClientFactory::new(Some(ca_file), Duration::from_secs(2)).expect("a root");
    let settings = OrganisationSettings {
        ukprn: Ukprn::parse(PROVIDER).expect("a UKPRN"),
        name: "A test".into(),
        organisation_ref: None,
        products: vec![Product::UlnManagement],
        password: OrganisationPassword::new("demo-password-01").expect("16 characters"),
        client_certificate: None,
    };
    let organisation = Organisation::new(settings, &transport).expect("a client");
    Options { organisations: vec![organisation], ..Options::default() }
}

#[tokio::test]
async fn a_write_whose_tls_breaks_after_it_was_sent_has_an_unknown_outcome() {
    let directory = tempfile::tempdir().expect("a directory");
    for (path, body) in [(REGISTER, registration()), (UPDATE, change())] {
        let (address, certificate) = breaks_tls_after_the_request();
        let ca_file = directory.path().join("ca.pem");
        std::fs::write(&ca_file, certificate).expect("written");
        let gateway = TestGateway::with(&format!("https://{address}"), trusting(&ca_file));
        is_told(path, &gateway.caller().post(path, &body).await, TIMEOUT, true);
    }
}
