//! Connection limits that one client cannot use to keep the others out: idle connections are closed for new ones, and a client address has a
//! limit of its own.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use lrs_gateway::server::ServerOptions;
use lrs_gateway::server::connection_limits::ConnectionLimits;
use lrs_gateway::simulator::SimulatorSettings;
use lrs_gateway::tls;
use serde_json::json;

use super::{
    FIND, READ_TIMEOUT, UNREACHABLE_LRS, api_address, assert_live, connect, connect_tls, search, start_gateway, start_gateway_with_limits,
    start_program,
};
use crate::support::caller::{Caller, token};
use crate::support::certificates::CertificateAuthority;
use crate::support::gateway::Options;
use crate::support::program::ConfigDirectory;
use crate::support::{SimulatedLrs, TestGateway};

/// Connects from this address of the loopback interface.
fn connect_from(client: Ipv4Addr, address: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("the socket is created");
    socket.bind(&SocketAddr::from((client, 0)).into()).expect("the address belongs to the loopback interface");
    socket.connect(&address.into()).expect("the gateway listens");
    let socket = TcpStream::from(socket);
    socket.set_read_timeout(Some(READ_TIMEOUT)).expect("the timeout is set");
    socket
}

/// Returns `true` if the gateway closes the connection.
fn is_closed(socket: &mut TcpStream) -> bool {
    match socket.read(&mut [0]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn max_connections_reached_longest_idle_connection_is_closed_for_a_new_one() {
    let limits = ConnectionLimits { max_connections: 3, ..ConnectionLimits::default() };
    let (_gateway, address) = start_gateway_with_limits(limits);
    let mut open: Vec<TcpStream> = (0..3).map(|_| connect(address)).collect();
    open.iter_mut().for_each(assert_live);
    // The first connection is used again, so the second is idle for the longest time.
    assert_live(&mut open[0]);
    let mut new = connect(address);
    assert_live(&mut new);
    assert!(is_closed(&mut open[1]));
    for index in [0, 2] {
        assert_live(&mut open[index]);
    }
    assert_live(&mut new);
}

/// Starts a gateway with TLS, and timeouts that do not end within a test. Returns a function that opens a connection and uses it.
fn start_tls_gateway(limits: ConnectionLimits) -> (TestGateway, SocketAddr, impl Fn()) {
    let authority = CertificateAuthority::new();
    let (certificate, key) = authority.issue("127.0.0.1");
    let tls = Some(tls::server_config(&certificate, &key, None).expect("the files are valid"));
    let timeout = Duration::from_secs(60);
    let connection_limits = ConnectionLimits { handshake_timeout: timeout, header_timeout: timeout, ..limits };
    let (gateway, address) = start_gateway(ServerOptions { tls, connection_limits, ..ServerOptions::default() });
    (gateway, address, move || assert_live(&mut connect_tls(address, &authority.ca_file(), rustls::ALL_VERSIONS)))
}

#[test]
fn silent_connections_do_not_keep_out_other_clients_of_a_gateway_with_tls() {
    let limits = ConnectionLimits { max_connections: 300, max_connections_per_client: 0, ..ConnectionLimits::default() };
    let (_gateway, address, connect_and_use) = start_tls_gateway(limits);
    let mut silent: Vec<TcpStream> = (0..310).map(|_| connect(address)).collect();
    let started_at = Instant::now();
    connect_and_use();
    assert!(started_at.elapsed() < Duration::from_secs(4), "{:?}", started_at.elapsed());
    assert!(is_closed(&mut silent[0]), "the longest silent connection");
}

#[test]
fn client_limit_counts_silent_connections_of_a_gateway_with_tls() {
    let limits = ConnectionLimits { max_connections: 100, max_connections_per_client: 2, ..ConnectionLimits::default() };
    let (_gateway, address, connect_and_use) = start_tls_gateway(limits);
    let client = Ipv4Addr::new(127, 0, 0, 2);
    let mut silent: Vec<TcpStream> = (0..2).map(|_| connect_from(client, address)).collect();
    assert!(is_closed(&mut connect_from(client, address)), "new connections are not closed for others within a second");
    connect_and_use();
    std::thread::sleep(Duration::from_millis(1100));
    let _third = connect_from(client, address);
    assert!(is_closed(&mut silent[0]), "the longest silent connection of the same client");
    connect_and_use();
}

/// A client with many connections that are almost always idle must not keep others out: each of its connections sends a request from time to
/// time, so that no idle timeout applies.
#[test]
fn client_with_idle_connections_does_not_lock_out_others_and_leaves_log_line_and_metrics() {
    let config = ConfigDirectory::new(UNREACHABLE_LRS);
    config.configure(|text| text.replace("workers = 1", "workers = 2\nmax_connections = 50\nmax_connections_per_client = 0"));
    let (mut program, event) = start_program(&config);
    let address = api_address(&event);
    let connect_and_use = || {
        let mut socket = connect(address);
        assert_live(&mut socket);
        socket
    };
    let mut attackers: Vec<TcpStream> = (0..80).map(|_| connect_and_use()).collect();
    for attempt in 0..20 {
        let attacker = &mut attackers[attempt * 3];
        let _ = attacker.write_all(super::LIVE);
        let started_at = Instant::now();
        assert_live(&mut connect(address));
        assert!(started_at.elapsed() < Duration::from_secs(2), "{:?}", started_at.elapsed());
    }
    let line = program.wait_for_log("connection limit reached: idle connections are closed for new ones");
    assert_eq!((&line["level"], &line["listener"], &line["limit"]), (&json!("WARN"), &json!("api"), &json!(50)));
    let metrics = metrics_of(event["admin"].as_str().expect("the event has the address"));
    assert!(value_of(&metrics, "lrs_gateway_connections{listener=\"api\"}") <= 50, "{metrics}");
    assert_eq!(value_of(&metrics, "lrs_gateway_connections_limit{listener=\"api\"}"), 50);
    assert!(value_of(&metrics, "lrs_gateway_connections_closed_total{listener=\"api\",reason=\"room\"}") >= 30, "{metrics}");
    assert_eq!(value_of(&metrics, "lrs_gateway_connections_closed_total{listener=\"api\",reason=\"client_limit\"}"), 0);
    program.terminate();
    let (_, rest) = program.wait_for_exit();
    assert!(!rest.contains("connection limit reached"), "one line is enough: {rest}");
    assert!(!rest.contains("127.0.0.1:"), "addresses of clients are not logged: {rest}");
}

/// Returns the metrics of an admin listener.
pub fn metrics_of(admin: &str) -> String {
    let mut socket = connect(admin.parse().expect("an address"));
    socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n").expect("the request is sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("the metrics are text");
    answer
}

/// Returns the value of a series.
pub fn value_of(metrics: &str, series: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series));
    line.unwrap_or_else(|| panic!("no {series}: {metrics}")).trim().parse().expect("a number")
}

/// Starts a gateway in front of an LRS that takes a second for each response.
fn start_slow_gateway(connection_limits: ConnectionLimits) -> (TestGateway, SimulatedLrs, SocketAddr) {
    let lrs = SimulatedLrs::with(&SimulatorSettings { latency_milliseconds: 1_000, ..SimulatorSettings::default() });
    let server = lrs_gateway::server::ServerOptions { connection_limits, ..Default::default() };
    let gateway = TestGateway::with(&lrs.url(), Options { server, ..Options::default() });
    let address = gateway.url().trim_start_matches("http://").parse().expect("an address");
    (gateway, lrs, address)
}

/// Sends a search, and waits until it is being answered. That takes a second.
fn send_search(socket: &mut TcpStream) {
    let (token, body) = (token(json!({})), search().to_string());
    let head = format!("POST {FIND} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n");
    socket.write_all(format!("{head}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes()).expect("the head is sent");
    let mut interim = [0; 25];
    socket.read_exact(&mut interim).expect("the gateway has read the head");
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(body.as_bytes()).expect("the body is sent");
}

fn assert_status_200(socket: &mut TcpStream) {
    let mut status_line = [0; 13];
    socket.read_exact(&mut status_line).expect("the gateway answers");
    assert_eq!(&status_line, b"HTTP/1.1 200 ", "{}", String::from_utf8_lossy(&status_line));
}

#[test]
fn connections_with_requests_in_progress_are_not_closed_and_new_ones_wait() {
    let (_gateway, _lrs, address) = start_slow_gateway(ConnectionLimits { max_connections: 2, ..ConnectionLimits::default() });
    let mut busy: Vec<TcpStream> = (0..2).map(|_| connect(address)).collect();
    // An answer to the first request shows that the connection has been admitted.
    busy.iter_mut().for_each(assert_live);
    busy.iter_mut().for_each(send_search);
    let mut waiting: Vec<TcpStream> = (0..6).map(|_| connect(address)).collect();
    for socket in &mut waiting {
        socket.write_all(super::LIVE).expect("the request is sent");
    }
    waiting[0].set_read_timeout(Some(Duration::from_millis(100))).expect("the timeout is set");
    assert!(waiting[0].read(&mut [0]).is_err(), "the request is not answered yet");
    busy.iter_mut().for_each(assert_status_200);
    for socket in &mut waiting {
        socket.set_read_timeout(Some(READ_TIMEOUT)).expect("the timeout is set");
        assert_status_200(socket);
    }
}

#[test]
fn connection_whose_client_does_not_read_is_closed_for_a_new_one_if_none_is_idle() {
    // A third of the timeout is enough.
    let (chunk_timeout, enough) = (Duration::from_secs(6), Duration::from_secs(4));
    let limits = ConnectionLimits { max_connections: 2, chunk_timeout, ..ConnectionLimits::default() };
    let (_gateway, address) = start_gateway_with_limits(limits);
    // Together the answers are much larger than the buffers of a connection.
    let requests = "GET /openapi.json HTTP/1.1\r\nHost: gateway\r\n\r\n".repeat(100);
    let _open = [(); 2].map(|()| {
        let mut socket = connect(address);
        socket.write_all(requests.as_bytes()).expect("the requests are sent");
        // The first byte of an answer shows that the gateway answers.
        socket.read_exact(&mut [0]).expect("the gateway answers");
        socket
    });
    let started_at = Instant::now();
    assert_live(&mut connect(address));
    assert!(started_at.elapsed() < enough, "{:?}", started_at.elapsed());
}

#[test]
fn client_limit_closes_the_clients_own_idle_connection_and_refuses_it_if_none_is_idle() {
    let limits = ConnectionLimits { max_connections: 10, max_connections_per_client: 2, ..ConnectionLimits::default() };
    let (_gateway, _lrs, address) = start_slow_gateway(limits);
    let [client, other] = [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3)];
    let mut others = connect_from(other, address);
    assert_live(&mut others);
    let mut own: Vec<TcpStream> = (0..2).map(|_| connect_from(client, address)).collect();
    own.iter_mut().for_each(assert_live);
    let mut third = connect_from(client, address);
    assert_live(&mut third);
    assert!(is_closed(&mut own[0]), "the longest idle connection of the same client");
    assert_live(&mut others);

    for socket in [&mut own[1], &mut third] {
        send_search(socket);
    }
    assert!(is_closed(&mut connect_from(client, address)), "all connections of the client are busy");
    assert_live(&mut connect_from(other, address));
    assert_status_200(&mut own[1]);
    assert_status_200(&mut third);
}

#[tokio::test]
async fn client_limit_is_not_applied_to_connections_of_a_trusted_proxy() {
    let config = ConfigDirectory::new(UNREACHABLE_LRS);
    config
        .configure(|text| text.replace("workers = 1", "workers = 1\nmax_connections_per_client = 1\ntrusted_proxies = [\"127.0.0.0/8\"]"));
    let (_program, event) = start_program(&config);
    let address = api_address(&event);
    let mut open: Vec<TcpStream> = (0..5).map(|_| connect(address)).collect();
    open.iter_mut().for_each(assert_live);
    open.iter_mut().for_each(assert_live);
    let caller = Caller::new(format!("http://{address}"));
    assert_eq!(caller.request("GET", "/health/live").await.status, 200);
}
