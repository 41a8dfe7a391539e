//! Several requests on one connection: sent at once, in small pieces, and with bodies that are answered early.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use lrs_gateway::server::ServerOptions;
use lrs_gateway::server::connection_limits::ConnectionLimits;
use lrs_gateway::tls;
use serde_json::json;

use super::{FIND, LIVE, assert_live, connect, connect_tls, search, start_gateway, start_gateway_with_limits};
use crate::support::caller::token;
use crate::support::certificates::CertificateAuthority;
use crate::support::{SimulatedLrs, TestGateway};

/// One answer: its head in lower case, and its body.
struct Received {
    head: String,
    body: Vec<u8>,
}

/// Reads one answer. Its length must be known.
fn read_answer(stream: &mut impl Read) -> Received {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&head)));
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("the head is ASCII").to_lowercase();
    let length = head.split_once("content-length: ").and_then(|(_, rest)| rest.split("\r\n").next()?.parse().ok());
    let mut body = vec![0; length.unwrap_or_else(|| panic!("no length: {head}"))];
    stream.read_exact(&mut body).expect("the body is complete");
    Received { head, body }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: gateway\r\n\r\n")
}

/// Sends requests for answers of different sizes at once, and asserts all answers.
fn assert_pipelined_answers(stream: &mut (impl Read + Write)) {
    let (document, paths) = (include_bytes!("../../openapi/openapi.json"), ["/health/live", "/openapi.json", "/nothing", "/health/live"]);
    let requests: String = paths.iter().cycle().take(40).map(|path| get(path)).collect();
    stream.write_all(requests.as_bytes()).expect("the requests are sent");
    for _ in 0..10 {
        assert_eq!(read_answer(stream).body, b"{\"status\":\"ALIVE\"}");
        assert!(read_answer(stream).body.len() > document.len() / 2, "the document is complete");
        assert!(read_answer(stream).head.starts_with("http/1.1 404 "));
        assert_eq!(read_answer(stream).body, b"{\"status\":\"ALIVE\"}");
    }
    assert_live(stream);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let (_gateway, address) = start_gateway_with_limits(ConnectionLimits::default());
    assert_pipelined_answers(&mut connect(address));
}

#[test]
fn pipelined_requests_are_answered_in_order_with_tls() {
    let authority = CertificateAuthority::new();
    let (certificate, key) = authority.issue("127.0.0.1");
    let tls = Some(tls::server_config(&certificate, &key, None).expect("the files are valid"));
    let (_gateway, address) = start_gateway(ServerOptions { tls, ..ServerOptions::default() });
    assert_pipelined_answers(&mut connect_tls(address, &authority.ca_file(), rustls::ALL_VERSIONS));
}

#[test]
fn pipelined_requests_before_half_close_are_all_answered() {
    let (_gateway, address) = start_gateway_with_limits(ConnectionLimits::default());
    let mut socket = connect(address);
    socket.write_all(&LIVE.repeat(20)).expect("the requests are sent");
    socket.shutdown(Shutdown::Write).expect("the connection is open");
    for _ in 0..20 {
        assert_eq!(read_answer(&mut socket).body, b"{\"status\":\"ALIVE\"}");
    }
    assert_eq!(socket.read(&mut [0]).expect("the gateway closes its half"), 0);
}

/// Reads until the gateway closes the connection. Returns the number of bytes.
fn read_to_end(socket: &mut TcpStream) -> usize {
    let mut rest = Vec::new();
    match socket.read_to_end(&mut rest) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("the connection stays open: {error}"),
        _ => rest.len(),
    }
}

/// Returns the header of a user of the learning provider.
fn bearer() -> String {
    format!("Bearer {}", token(json!({})))
}

/// Returns searches for a learner: with a length, in chunks, and with a body that is read in several steps.
fn searches(authorization: &str) -> Vec<String> {
    let head = format!("POST {FIND} HTTP/1.1\r\nHost: gateway\r\nAuthorization: {authorization}\r\nContent-Type: application/json\r\n");
    let body = search().to_string();
    let long_body = format!("{body}{}", " ".repeat(50_000));
    let (first, second) = body.split_at(10);
    let chunks = format!("{:x}\r\n{first}\r\n{:x};name=value\r\n{second}\r\n2\r\n\r\n\r\n0\r\n\r\n", first.len(), second.len());
    vec![
        format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}"),
        format!("{head}Content-Length: {}\r\n\r\n{long_body}", long_body.len()),
        format!("{head}Content-Length: {}\r\nExpect: 100-continue\r\n\r\n{body}", body.len()),
    ]
}

/// Asserts that the answer is the learner. Skips a line that asks for the body.
fn assert_found(socket: &mut TcpStream) {
    let mut first = [0; 25];
    socket.read_exact(&mut first).expect("an answer");
    if &first == b"HTTP/1.1 100 Continue\r\n\r\n" {
        return assert_found(socket);
    }
    let answer = read_answer(&mut first.chain(socket));
    assert!(answer.head.starts_with("http/1.1 200 "), "{}", answer.head);
    assert!(String::from_utf8_lossy(&answer.body).contains("EXACT_MATCH"), "{}", String::from_utf8_lossy(&answer.body));
}

#[test]
fn pipelined_requests_with_bodies_are_answered_in_order() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let address = gateway.url().trim_start_matches("http://").parse().expect("an address");
    let requests = searches(&bearer());
    let mut socket = connect(address);
    for request in &requests {
        socket.write_all((request.clone() + &get("/health/live")).as_bytes()).expect("the requests are sent");
    }
    for _ in &requests {
        assert_found(&mut socket);
        assert_eq!(read_answer(&mut socket).body, b"{\"status\":\"ALIVE\"}");
    }
}

#[test]
fn requests_in_single_bytes_are_answered() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let address = gateway.url().trim_start_matches("http://").parse().expect("an address");
    let mut socket = connect(address);
    socket.set_nodelay(true).expect("the option is set");
    for request in &searches(&bearer())[..2] {
        for byte in request.as_bytes() {
            socket.write_all(&[*byte]).expect("a byte is sent");
        }
        assert_found(&mut socket);
    }
    assert_live(&mut socket);
}

#[test]
fn chunked_body_that_is_not_read_ends_the_connection_after_the_answer() {
    let (_gateway, address) = start_gateway_with_limits(ConnectionLimits::default());
    let mut socket = connect(address);
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let head = format!("POST {FIND} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    socket.write_all((head + &chunk.repeat(4) + "0\r\n\r\n" + &get("/health/live")).as_bytes()).expect("the requests are sent");
    let answer = read_answer(&mut socket);
    assert!(answer.head.starts_with("http/1.1 401 ") && answer.head.contains("\r\nconnection: close\r\n"), "{}", answer.head);
    assert_eq!(read_to_end(&mut socket), 0, "what follows the body is not taken for a request");
}

#[test]
fn upgrade_request_is_answered_as_if_it_did_not_ask_and_connection_stays_open() {
    let (_gateway, address) = start_gateway_with_limits(ConnectionLimits::default());
    let mut socket = connect(address);
    for headers in [
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n",
        "Upgrade: websocket\r\nConnection: keep-alive, upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
    ] {
        for _ in 0..3 {
            socket
                .write_all(format!("GET /health/live HTTP/1.1\r\nHost: gateway\r\n{headers}\r\n").as_bytes())
                .expect("the request is sent");
            let answer = read_answer(&mut socket);
            assert!(answer.head.starts_with("http/1.1 200 ") && !answer.head.contains("\r\nconnection:"), "{}", answer.head);
        }
    }
    assert_live(&mut socket);
}
