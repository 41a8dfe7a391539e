//! Clients that take as much memory as they can: the real program, as operators run it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use lrs_gateway::server::connection_limits::ConnectionLimits;
use serde_json::json;

use super::fairness::{metrics_of, value_of};
use super::{
    FIND, UNREACHABLE_LRS, api_address, assert_live, config_with_tls, connect, connect_tls, start_gateway_with_limits, start_program,
};
use crate::support::caller::claims;
use crate::support::certificates::CertificateAuthority;
use crate::support::program::ConfigDirectory;

/// Number of connections of the hostile client.
const CONNECTIONS: usize = 300;

/// What docs/SERVER.md promises: the memory of a connection whose client does not read its answer, in KiB.
pub const MAX_KIB_PER_CONNECTION: usize = 96;

/// Returns the resident memory of a process in KiB, without the pages of its files: how much of the program was run already is no matter of
/// its connections.
#[cfg(target_os = "linux")]
fn resident_kib(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("the line exists");
    line.trim_end_matches("kB").trim().parse().expect("a number")
}

/// Opens a connection with a small receive buffer, sends as much of these bytes as the gateway takes, and reads nothing.
fn send_and_read_nothing(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("the socket is created");
    socket.set_recv_buffer_size(4096).expect("the size is set");
    socket.connect(&address.into()).expect("the gateway listens");
    let mut socket = TcpStream::from(socket);
    socket.set_write_timeout(Some(Duration::from_millis(20))).expect("the timeout is set");
    let _ = socket.write_all(bytes);
    socket
}

/// Returns the time that a process has spent on the processors.
#[cfg(target_os = "linux")]
fn processor_time(process: u32) -> Duration {
    /// Length of the unit of the file, on every architecture that Linux has.
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("the process runs");
    let (_, fields) = stat.rsplit_once(") ").expect("the name is in brackets");
    let ticks = |index: usize| fields.split(' ').nth(index).and_then(|field| field.parse::<u32>().ok()).expect("a number");
    TICK * (ticks(11) + ticks(12))
}

#[test]
#[cfg(target_os = "linux")]
fn body_that_does_not_arrive_takes_no_processor_time() {
    let config = ConfigDirectory::new(UNREACHABLE_LRS);
    let (program, event) = start_program(&config);
    let (address, process) = (api_address(&event), program.child.id());
    let claims = claims(json!({"org": null, "realm": {"ukprn": "10088881"}}));
    let token =
        lrs_gateway::auth::sign_token(b"a secret of thirty-two bytes or more", claims.as_object().expect("claims")).expect("a token");
    let stalled: Vec<TcpStream> = ["", "{"]
        .into_iter()
        .map(|start| {
            let mut socket = connect(address);
            let head =
                format!("POST {FIND} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n");
            socket.write_all(format!("{head}Content-Length: 60000\r\n\r\n{start}").as_bytes()).expect("the head is sent");
            socket.set_read_timeout(Some(Duration::from_millis(300))).expect("the timeout is set");
            assert!(socket.read(&mut [0]).is_err(), "the gateway waits for the body");
            socket
        })
        .collect();
    let (started_at, before) = (Instant::now(), processor_time(process));
    std::thread::sleep(Duration::from_millis(1500));
    let (elapsed, used) = (started_at.elapsed(), processor_time(process).saturating_sub(before));
    assert!(used < elapsed / 8, "{used:?} of {elapsed:?} for {} connections", stalled.len());
}

#[test]
fn empty_lines_before_a_request_are_limited_as_its_headers_are() {
    let (_gateway, address) = start_gateway_with_limits(ConnectionLimits::default());
    for line in ["\n", "\r\n"] {
        let mut socket = connect(address);
        socket.write_all(line.repeat(3).as_bytes()).expect("the lines are sent");
        assert_live(&mut socket);
        let _ = socket.write_all(line.repeat(60 * 1024 / line.len()).as_bytes());
        let mut status_line = [0; 13];
        socket.read_exact(&mut status_line).expect("the gateway refuses the lines");
        assert_eq!(&status_line, b"HTTP/1.1 431 ");
    }
}

#[test]
fn malformed_requests_are_counted_and_not_logged() {
    let (program, event) = start_program(&ConfigDirectory::new(UNREACHABLE_LRS));
    let address = api_address(&event);
    let too_large = format!("GET / HTTP/1.1\r\nHost: gateway\r\nX-Large: {}", "x".repeat(60 * 1024));
    let requests = [
        ("\u{16}\u{3}\u{1}\u{0}\u{1}\r\n\r\n", "400"),
        ("GET /health/live HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: gateway\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"),
        (&*too_large, "431"),
    ];
    for (request, status) in requests {
        let mut socket = connect(address);
        socket.write_all(request.as_bytes()).expect("the request is sent");
        let mut status_line = [0; 13];
        socket.read_exact(&mut status_line).expect(request);
        assert_eq!(String::from_utf8_lossy(&status_line), format!("HTTP/1.1 {status} "), "{request}");
    }
    assert_live(&mut connect(address));
    let metrics = metrics_of(event["admin"].as_str().expect("the event has the address"));
    assert_eq!(value_of(&metrics, "lrs_gateway_malformed_requests_total"), requests.len() as u64);
    let log = program.end_and_read_log();
    assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");
}

#[test]
#[cfg(target_os = "linux")]
fn memory_of_tls_connections_that_read_nothing_is_within_the_documented_limit() {
    let authority = CertificateAuthority::new();
    let config = config_with_tls(UNREACHABLE_LRS, &authority);
    config.enable_docs();
    let (program, event) = start_program(&config);
    let (address, process, ca_file) = (api_address(&event), program.child.id(), authority.ca_file());
    let requests = b"GET /docs/search-index.json HTTP/1.1\r\nHost: gateway\r\n\r\n".repeat(16);
    let attack = || {
        let mut stream = connect_tls(address, &ca_file, rustls::ALL_VERSIONS);
        stream.write_all(&requests).expect("the requests are sent");
        stream
    };
    // The first connections of a process take memory that does not grow with their number.
    let _first: Vec<_> = (0..CONNECTIONS / 6).map(|_| attack()).collect();
    assert_live(&mut connect_tls(address, &ca_file, rustls::ALL_VERSIONS));
    let before = resident_kib(process);
    let open: Vec<_> = (0..CONNECTIONS).map(|_| attack()).collect();
    assert_live(&mut connect_tls(address, &ca_file, rustls::ALL_VERSIONS));
    let per_connection = resident_kib(process).saturating_sub(before) / open.len();
    assert!(per_connection <= MAX_KIB_PER_CONNECTION, "{per_connection} KiB for each connection");
}

#[test]
#[cfg(target_os = "linux")]
fn memory_of_connections_that_read_nothing_is_within_the_documented_limit() {
    let config = ConfigDirectory::new(UNREACHABLE_LRS);
    config.configure(|text| text.replace("workers = 1", "workers = 2"));
    config.enable_docs();
    let (program, event) = start_program(&config);
    let (address, process) = (api_address(&event), program.child.id());
    let get = |path: &str, headers: &str| format!("GET {path} HTTP/1.1\r\nHost: gateway\r\n{headers}\r\n");
    let attacks = [
        get("/docs/search-index.json", "").repeat(16),
        get("/openapi.json", "Accept-Encoding: gzip\r\n").repeat(16),
        get("/openapi-3.0.json", "").repeat(16),
        // Small requests with large heads in memory: the framework needs 200 bytes for each header.
        get("/health/live", &"a:b\r\n".repeat(90)).repeat(16),
        // A head that never ends, and one that is just not too large.
        get("/health/live", "").trim_end().to_owned() + "\r\nX-Large: " + &"x".repeat(200 * 1024),
        get("/health/live", &format!("X-Large: {}\r\n", "x".repeat(40 * 1024))).repeat(16),
        "POST /v1/learners/find-by-uln HTTP/1.1\r\nHost: gateway\r\nContent-Length: 1000000\r\n\r\n".to_owned() + &"x".repeat(200 * 1024),
    ];
    // The first answers of a process take memory that later ones use again.
    assert_live(&mut connect(address));
    drop(send_and_read_nothing(address, attacks[0].as_bytes()));
    for attack in attacks {
        let before = resident_kib(process);
        let open: Vec<TcpStream> = (0..CONNECTIONS).map(|_| send_and_read_nothing(address, attack.as_bytes())).collect();
        // Another client is served meanwhile.
        assert_live(&mut connect(address));
        let started_at = Instant::now();
        let mut used = 0;
        while started_at.elapsed() < Duration::from_millis(500) {
            used = used.max(resident_kib(process).saturating_sub(before));
            std::thread::sleep(Duration::from_millis(50));
        }
        let per_connection = used / open.len();
        assert!(per_connection <= MAX_KIB_PER_CONNECTION, "{per_connection} KiB for each connection: {}", &attack[..60]);
    }
}

/// The bodies are there before the gateway reads: it must not read more of them than it can discard at once.
#[test]
#[cfg(target_os = "linux")]
fn memory_of_refused_bodies_that_arrive_at_once_is_within_the_documented_limit() {
    let (program, event) = start_program(&ConfigDirectory::new(UNREACHABLE_LRS));
    let (address, process) = (api_address(&event), program.child.id());
    assert_live(&mut connect(address));
    let memory_of = |framing: &str| {
        let body = "x".repeat(200 * 1024);
        let attack = format!("POST /v1/learners/find-by-uln HTTP/1.1\r\nHost: gateway\r\n{framing}{body}");
        let before = resident_kib(process);
        program.signal("STOP");
        let open: Vec<TcpStream> = (0..CONNECTIONS).map(|_| send_and_read_nothing(address, attack.as_bytes())).collect();
        program.signal("CONT");
        assert_live(&mut connect(address));
        let (started_at, mut used) = (Instant::now(), 0);
        while started_at.elapsed() < Duration::from_millis(500) {
            used = used.max(resident_kib(process).saturating_sub(before));
            std::thread::sleep(Duration::from_millis(10));
        }
        used / open.len()
    };
    let per_connection = ["Content-Length: 1000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n1f4000\r\n"].map(memory_of);
    assert!(per_connection.into_iter().all(|kib| kib <= MAX_KIB_PER_CONNECTION), "{per_connection:?} KiB for each connection");
}
