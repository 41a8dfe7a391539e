//! Connection limits: timeouts for handshakes, headers, idle connections and unread answers, and maximum numbers and sizes.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use lrs_gateway::server::ServerOptions;
use lrs_gateway::server::connection_limits::ConnectionLimits;
use lrs_gateway::simulator::SimulatorSettings;
use lrs_gateway::tls;

use super::{FIND, READ_TIMEOUT, assert_live, connect, connect_tls, search, start_gateway, start_gateway_with_limits};
use crate::support::certificates::CertificateAuthority;
use crate::support::gateway::Options;
use crate::support::program::{ConfigDirectory, run, stderr};
use crate::support::{SimulatedLrs, TestGateway};

/// Returns limits whose timeouts are all the same.
fn with_timeouts(timeout: Duration) -> ConnectionLimits {
    ConnectionLimits {
        handshake_timeout: timeout,
        header_timeout: timeout,
        keep_alive: timeout,
        chunk_timeout: timeout,
        ..ConnectionLimits::default()
    }
}

/// Returns limits with timeouts of one second.
fn with_short_timeouts() -> ConnectionLimits {
    with_timeouts(Duration::from_secs(1))
}

/// Reads until the connection is closed.
fn read_to_end(socket: &mut TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    // The connection may be closed with a reset. What was received before it is kept.
    let _ = socket.read_to_end(&mut answer);
    answer
}

/// Waits until the server closes a connection on which the client sends nothing. Returns the time that this took, and what was received.
fn wait_for_close(socket: &mut TcpStream) -> (Duration, Vec<u8>) {
    let started_at = Instant::now();
    let received = read_to_end(socket);
    (started_at.elapsed(), received)
}

/// Sends one byte of a request every tenth of a second until the connection is closed. Returns the time that this took, and the answer.
fn send_slowly(socket: &mut TcpStream) -> (Duration, String) {
    let (started_at, mut answer) = (Instant::now(), Vec::new());
    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("the timeout is set");
    let mut bytes = b"GET /health/live HTTP/1.1\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'x'));
    loop {
        let sent = socket.write_all(&[*bytes.next().expect("the iterator is endless")]);
        let mut chunk = [0; 1024];
        match socket.read(&mut chunk) {
            Ok(length @ 1..) => answer.extend_from_slice(&chunk[..length]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) && sent.is_ok() => {}
            _ => return (started_at.elapsed(), String::from_utf8(answer).expect("the answer is UTF-8")),
        }
        assert!(started_at.elapsed() < Duration::from_secs(10), "the connection is never closed");
    }
}

#[test]
fn header_timeout_closes_connection_during_first_and_later_requests() {
    let (_gateway, address) = start_gateway_with_limits(with_short_timeouts());
    let (duration, answer) = send_slowly(&mut connect(address));
    assert!(duration < Duration::from_secs(4), "{duration:?}");
    assert_eq!(answer, "");

    let mut reused = connect(address);
    assert_live(&mut reused);
    let (duration, answer) = send_slowly(&mut reused);
    assert!(duration > Duration::from_millis(1500) && duration < Duration::from_secs(5), "{duration:?}");
    assert_eq!(answer, "");
    assert_live(&mut connect(address));
}

#[test]
fn keep_alive_timeout_closes_idle_connection_after_last_request() {
    let (_gateway, address) = start_gateway_with_limits(with_short_timeouts());
    let mut socket = connect(address);
    assert_live(&mut socket);
    // Half of the timeout: the second request must start the timeout again.
    std::thread::sleep(Duration::from_millis(500));
    assert_live(&mut socket);
    let idle_since = Instant::now();
    assert_eq!(socket.read(&mut [0; 1]).expect("the connection is closed without a reset"), 0);
    let duration = idle_since.elapsed();
    assert!(duration > Duration::from_millis(300) && duration < Duration::from_secs(4), "{duration:?}");
}

#[test]
fn header_timeout_closes_connection_without_request() {
    let (_gateway, address) = start_gateway_with_limits(with_short_timeouts());
    let (duration, received) = wait_for_close(&mut connect(address));
    assert_eq!(received, b"", "a client would take it for the answer to a request that it sends at this moment");
    assert!(duration < Duration::from_secs(4), "{duration:?}");
}

#[test]
fn handshake_timeout_closes_connection_without_client_hello() {
    let authority = CertificateAuthority::new();
    let (certificate, key) = authority.issue("127.0.0.1");
    let tls = Some(tls::server_config(&certificate, &key, None).expect("the files are valid"));
    let (_gateway, address) = start_gateway(ServerOptions { tls, connection_limits: with_short_timeouts(), ..ServerOptions::default() });
    let (duration, _) = wait_for_close(&mut connect(address));
    assert!(duration < Duration::from_secs(4), "{duration:?}");
    assert_live(&mut connect_tls(address, &authority.ca_file(), rustls::ALL_VERSIONS));
}

#[tokio::test]
async fn connection_timeouts_do_not_apply_while_lrs_responds_slowly() {
    let timeout = Duration::from_millis(500);
    // The sum of keep-alive timeout, header timeout and reaper interval is 1.5 seconds.
    let lrs = SimulatedLrs::with(&SimulatorSettings { latency_milliseconds: 2000, ..SimulatorSettings::default() });
    let server = ServerOptions { connection_limits: with_timeouts(timeout), ..ServerOptions::default() };
    let gateway = TestGateway::with(&lrs.url(), Options { server, ..Options::default() });
    gateway.caller().post(FIND, &search()).await.expect_success();
}

#[test]
fn request_without_caller_is_answered_before_its_body_arrives() {
    let (_gateway, address) = start_gateway_with_limits(ConnectionLimits::default());
    for (request, status_line) in [
        ("GET /health/live", "HTTP/1.1 200 "),
        ("GET /health/ready", "HTTP/1.1 200 "),
        ("POST /v1/learners/find-by-uln", "HTTP/1.1 401 "),
        ("POST /v1/registration-batches", "HTTP/1.1 401 "),
    ] {
        let mut socket = connect(address);
        let head = format!("{request} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Length: 50000\r\n\r\n");
        socket.write_all(head.as_bytes()).expect("the request is sent");
        let mut answer = [0; 13];
        socket.read_exact(&mut answer).expect(request);
        assert_eq!(String::from_utf8_lossy(&answer), status_line, "{request}");
    }
}

#[tokio::test]
async fn headers_larger_than_limit_return_headers_too_large() {
    let (gateway, _) = start_gateway_with_limits(ConnectionLimits::default());
    let too_large: &'static str = "x".repeat(33 * 1024).leak();
    gateway.caller().with_header("X-Large", too_large).post(FIND, &search()).await.problem(431, "headers_too_large");
    gateway.caller().request("GET", &format!("/health/live?{too_large}")).await.problem(431, "headers_too_large");
    let allowed: &'static str = "x".repeat(24 * 1024).leak();
    gateway.caller().with_header("X-Large", allowed).request("GET", "/health/live").await.expect_success();
}

/// Above these sizes the framework answers. It sends no problem and does not read the rest of the request.
#[test]
fn headers_larger_than_limit_of_framework_return_status_431() {
    let (_gateway, address) = start_gateway_with_limits(ConnectionLimits::default());
    let many_headers = (0..200).map(|number| format!("X-{number}: y\r\n")).collect::<String>();
    for headers in [format!("X-Large: {}\r\n", "x".repeat(130 * 1024)), many_headers] {
        let mut socket = connect(address);
        let _ = socket.write_all(format!("GET /health/live HTTP/1.1\r\nHost: gateway\r\n{headers}\r\n").as_bytes());
        let answer = String::from_utf8(read_to_end(&mut socket)).expect("the answer is UTF-8");
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    assert_live(&mut connect(address));
}

/// Number of requests for a large answer. Together the answers are much larger than the buffers of a connection.
const LARGE_REQUESTS: usize = 40;

/// Returns the size of all large answers, without their headers.
fn size_of_large_answers() -> u64 {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/openapi.json");
    LARGE_REQUESTS as u64 * std::fs::metadata(document).expect("the file exists").len()
}

/// Opens a connection with a small receive buffer, and sends the requests for large answers.
fn request_large_answers(address: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("the socket is created");
    socket.set_recv_buffer_size(16 * 1024).expect("the size is set");
    socket.connect(&address.into()).expect("the server listens");
    let mut socket = TcpStream::from(socket);
    socket.set_read_timeout(Some(READ_TIMEOUT)).expect("the timeout is set");
    let request = |header: &str| format!("GET /openapi.json HTTP/1.1\r\nHost: gateway\r\n{header}\r\n");
    let requests = request("").repeat(LARGE_REQUESTS - 1) + &request("Connection: close\r\n");
    socket.write_all(requests.as_bytes()).expect("the requests are sent");
    socket
}

#[test]
fn chunk_timeout_does_not_close_connection_of_slow_reader() {
    let limits = with_short_timeouts();
    let (_gateway, address) = start_gateway_with_limits(limits);
    let mut socket = request_large_answers(address);
    let started_at = Instant::now();
    let (mut received, mut chunk) = (0, vec![0; 64 * 1024]);
    while let Ok(length @ 1..) = socket.read(&mut chunk) {
        received += length as u64;
        // A reader must not be much slower in this test: the server can write again only when about a third of the system's send buffer is
        // free, and on the loopback interface that buffer has megabytes.
        std::thread::sleep(Duration::from_millis(5));
    }
    let duration = started_at.elapsed();
    assert!(received > size_of_large_answers(), "{received} of {} in {duration:?}", size_of_large_answers());
    assert!(duration > limits.chunk_timeout, "the reader is slower than the timeout: {duration:?}");
}

#[test]
fn chunk_timeout_resets_connection_whose_client_does_not_read() {
    let (_gateway, address) = start_gateway_with_limits(with_timeouts(Duration::from_millis(500)));
    let mut socket = request_large_answers(address);
    let started_at = Instant::now();
    // Reading would make room in the buffers, so the test waits for the error of the socket.
    let error = loop {
        if let Some(error) = socket.take_error().expect("the socket can be queried") {
            break error;
        }
        assert!(started_at.elapsed() < Duration::from_secs(10), "the connection is never closed");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "the server discards the rest of the answers");
    let received = read_to_end(&mut socket).len() as u64;
    assert!(received < size_of_large_answers(), "{received} of {}", size_of_large_answers());
}

#[test]
fn max_connections_zero_is_a_configuration_error() {
    let config = ConfigDirectory::new("http://127.0.0.1:1");
    config.configure(|text| text.replace("workers = 1", "workers = 1\nmax_connections = 0"));
    let text = stderr(&run(&["check-config", "--config", &config.config_path()]));
    assert!(text.contains("server.max_connections: must be at least 1"), "{text}");
}
