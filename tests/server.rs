//! The server itself: its certificate, what clients are granted, and what is on every answer.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lrs_gateway::lrs::http_client::HttpClientFactory;
use lrs_gateway::organisations::ClientFactory as _;
use lrs_gateway::rate_limit::{Limit, Rates};
use lrs_gateway::schema::Scalar as _;
use lrs_gateway::server::ServerOptions;
use lrs_gateway::server::connection_limits::ConnectionLimits;
use lrs_gateway::server::cors::{Cors, Origin};
use lrs_gateway::simulator::SimulatorSettings;
use lrs_gateway::tls;
use rustls::{ClientConfig, ClientConnection, StreamOwned, SupportedProtocolVersion};
use serde_json::{Value, json};

use crate::support::caller::{self, Answer, Caller};
use crate::support::certificates::Authority;
use crate::support::gateway::Options;
use crate::support::program::{ConfigDirectory, TestProgram, run, stderr};
use crate::support::{SimulatedLrs, TestGateway};

const FIND: &str = "/v1/learners/find-by-uln";
const LIVE: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: gateway\r\n\r\n";
const PAGE: &str = "https://mis.example";

fn search() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

/// A configuration with a certificate of this authority.
fn with_tls(lrs_url: &str, authority: &Authority) -> ConfigDirectory {
    let setup = ConfigDirectory::new(lrs_url);
    let config = std::fs::read_to_string(setup.path("gateway.toml")).expect("written");
    let tls = "workers = 1\ntls = { certificate_file = \"server.pem\", key_file = \"server.key\" }";
    let limits =
        "[limits]\norganisation_per_minute = 6000000\norganisation_burst = 100000\nperson_per_minute = 6000000\nperson_burst = 100000\n";
    setup.write("gateway.toml", &(config.replace("workers = 1", tls) + limits));
    let [certificate, key] = authority.certify("127.0.0.1");
    setup.write("server.pem", &certificate);
    setup.write("server.key", &key);
    setup
}

fn address_of(serving: &Value) -> SocketAddr {
    serving["api"].as_str().and_then(|address| address.parse().ok()).expect("an address")
}

/// A new connection with TLS.
fn handshake(address: SocketAddr, ca: &Path, versions: &[&'static SupportedProtocolVersion]) -> StreamOwned<ClientConnection, TcpStream> {
    let config = ClientConfig::builder_with_provider(tls::crypto_provider()).with_protocol_versions(versions).expect("versions");
    let config = config.with_root_certificates(tls::read_root_certificates(ca).expect("an authority")).with_no_client_auth();
    let mut connection = ClientConnection::new(Arc::new(config), "127.0.0.1".try_into().expect("a name")).expect("a client");
    let mut socket = TcpStream::connect(address).expect("it listens");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).expect("a handshake");
    }
    StreamOwned::new(connection, socket)
}

/// The certificate that a new connection is shown, in DER.
fn shown(address: SocketAddr, ca: &Path) -> Vec<u8> {
    let stream = handshake(address, ca, rustls::ALL_VERSIONS);
    stream.conn.peer_certificates().and_then(|chain| chain.first()).expect("a certificate").to_vec()
}

fn der(pem: &str) -> Vec<u8> {
    tls::parse_certificates(pem.as_bytes()).expect("PEM")[0].to_vec()
}

/// Waits until new connections are shown this certificate, which must be within five seconds.
fn becomes(address: SocketAddr, ca: &Path, certificate: &str) {
    let begun = Instant::now();
    while shown(address, ca) != der(certificate) {
        assert!(begun.elapsed() < Duration::from_secs(5), "within five seconds");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Asks whether the gateway lives, over a connection that is kept.
fn lives(stream: &mut (impl std::io::Read + std::io::Write)) {
    stream.write_all(LIVE).expect("sent");
    let mut answer = Vec::new();
    while !answer.ends_with(b"{\"status\":\"ALIVE\"}") {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).expect("an answer");
        assert!(read > 0, "the connection is kept: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..read]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_renewed_certificate_is_shown_within_seconds_and_no_call_fails() {
    let lrs = SimulatedLrs::with(&SimulatorSettings { latency_milliseconds: 50, ..SimulatorSettings::default() });
    let authority = Authority::new();
    let setup = with_tls(&lrs.url(), &authority);
    let mut program = TestProgram::start(&["serve", "--config", &setup.config()], &[]);
    let address = address_of(&program.wait_for("serving"));
    let claims = caller::claims(json!({"org": null, "realm": {"ukprn": "10088881"}}));
    let token =
        lrs_gateway::auth::sign_token(b"a secret of thirty-two bytes or more", claims.as_object().expect("an object")).expect("signed");
    let ca = authority.ca_file();
    let caller = || {
        let client =
            HttpClientFactory::new(Some(&ca), Duration::from_secs(5)).and_then(|transport| transport.client(None)).expect("a client");
        Caller::new(format!("https://{address}")).through(client).with_token(&token)
    };
    let known = ca.clone();
    let renewals = tokio::task::spawn_blocking(move || {
        let mut before = handshake(address, &known, rustls::ALL_VERSIONS);
        lives(&mut before);
        for _ in 0..2 {
            let [certificate, key] = authority.certify("127.0.0.1");
            setup.write("server.key", &key);
            setup.write("server.pem", &certificate);
            becomes(address, &known, &certificate);
            lives(&mut before);
        }
        (authority, setup)
    });
    // Calls over connections that are kept, and calls over new ones, all the while.
    let kept = caller();
    let call = async |caller: &Caller| {
        let answer = caller.post(FIND, &search()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    let calls = async |new: bool| {
        let mut calls = 0;
        while !renewals.is_finished() {
            if new {
                call(&caller()).await;
            } else {
                call(&kept).await;
            }
            calls += 1;
        }
        calls
    };
    let (one, two, three, four) = futures_util::future::join4(calls(false), calls(false), calls(true), calls(true)).await;
    assert!([one, two, three, four].iter().all(|calls| *calls > 10), "{one} {two} {three} {four}");
    renewals.await.expect("renewed");
}

#[test]
fn a_pair_that_does_not_fit_or_cannot_be_read_leaves_the_old_one_and_is_told_once() {
    const CANNOT: &str = "server certificate not replaced: the new files cannot be used";
    let authority = Authority::new();
    let setup = with_tls("http://127.0.0.1:1", &authority);
    let ca = authority.ca_file();
    let old = std::fs::read_to_string(setup.path("server.pem")).expect("written");
    let mut program = TestProgram::start(&["serve", "--config", &setup.config()], &[]);
    let address = address_of(&program.wait_for("serving"));
    let [certificate, key] = authority.certify("127.0.0.1");
    setup.write("server.pem", &certificate);
    let told = program.wait_for(CANNOT);
    assert!(told["problem"].as_str().is_some_and(|problem| problem.contains("the key does not belong to the certificate")), "{told}");
    std::thread::sleep(Duration::from_millis(4500));
    assert_eq!(shown(address, &ca), der(&old), "the old one stays");
    setup.write("server.key", &key);
    becomes(address, &ca, &certificate);
    std::fs::remove_file(setup.path("server.key")).expect("removed");
    std::thread::sleep(Duration::from_millis(4500));
    assert_eq!(shown(address, &ca), der(&certificate), "it stays");
    let log = program.rest_of_log();
    assert_eq!(log.matches(CANNOT).count(), 1, "not again for the pair, and once for the key: {log}");
    assert!(log.contains("server.key: cannot be read"), "{log}");
    let changed = log.find("server certificate replaced").expect("told");
    assert!(changed < log.find(CANNOT).expect("told"), "{log}");
}

#[test]
fn check_config_tells_when_the_certificate_ends_and_that_it_has() {
    let authority = Authority::new();
    let setup = with_tls("http://127.0.0.1:1", &authority);
    let check = || run(&["check-config", "--config", &setup.config()]);
    let output = check();
    let said = String::from_utf8(output.stdout.clone()).expect("text");
    assert!(output.status.success() && said.contains("server.tls: certificate valid until 2099-01-01T00:00:00Z"), "{said}");

    let [certificate, key] = authority.certify_until("127.0.0.1", 2020);
    setup.write("server.pem", &certificate);
    setup.write("server.key", &key);
    let output = check();
    let said = stderr(&output);
    assert!(!output.status.success() && said.contains("server.tls: the certificate is not valid now"), "{said}");
    // It is shown all the same: who looks after it is told, and may have another in a minute.
    let mut program = TestProgram::start(&["serve", "--config", &setup.config()], &[]);
    program.wait_for("server certificate not valid: clients will refuse to connect");
    program.wait_for("serving");

    setup.write("server.key", "nothing");
    assert!(stderr(&check()).contains("server.tls: key_file: contains no usable private key"), "{}", stderr(&check()));
}

#[test]
fn origins_and_numbers_that_cannot_be_meant_are_problems() {
    let setup = ConfigDirectory::new("http://127.0.0.1:1");
    let config = std::fs::read_to_string(setup.path("gateway.toml")).expect("written");
    let with = |settings: &str| setup.write("gateway.toml", &config.replace("workers = 1", &format!("workers = 1\n{settings}")));
    with("cors_origins = [\"https://mis.example\", \"*\", \"https://mis.example/\"]");
    let said = stderr(&run(&["check-config", "--config", &setup.config()]));
    assert!(said.contains("server.cors_origins.1: must be") && said.contains("server.cors_origins.2: must be"), "{said}");
    assert_eq!(said.lines().count(), 2, "{said}");
    with("max_connections = 0");
    let said = stderr(&run(&["check-config", "--config", &setup.config()]));
    assert!(said.contains("server.max_connections: must be at least 1"), "{said}");
}

#[test]
fn tls_is_1_2_or_newer() {
    let authority = Authority::new();
    let setup = with_tls("http://127.0.0.1:1", &authority);
    let mut program = TestProgram::start(&["serve", "--config", &setup.config()], &[]);
    let address = address_of(&program.wait_for("serving"));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        lives(&mut handshake(address, &authority.ca_file(), &[version]));
    }
    for (minor, refused) in [(1, true), (2, true), (3, false)] {
        // A greeting of TLS 1.0, 1.1 or 1.2: its version, 32 random bytes, no session, one cipher suite, no compression, two signatures.
        let mut greeting = vec![3, minor];
        greeting.extend([7; 32]);
        greeting.extend([0, 0, 2, 0xC0, 0x2B, 1, 0, 0, 10, 0, 13, 0, 6, 0, 4, 4, 3, 8, 4]);
        let length = u8::try_from(greeting.len()).expect("short");
        let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
        record.append(&mut greeting);
        let mut socket = connect(address);
        socket.write_all(&record).expect("sent");
        let mut answer = [0; 7];
        socket.read_exact(&mut answer).expect("an answer");
        // A fatal alert: protocol_version.
        assert_eq!((answer[0], &answer[5..]) == (21, &[2, 70]), refused, "{minor}: {answer:?}");
    }
}

/// Bounds that tests can wait for.
fn short() -> ConnectionLimits {
    let second = Duration::from_secs(1);
    ConnectionLimits {
        handshake_timeout: second,
        header_timeout: second,
        keep_alive: second,
        chunk_timeout: second,
        ..ConnectionLimits::default()
    }
}

/// A gateway with these bounds, in front of nothing.
fn bounded(bounds: ConnectionLimits) -> (TestGateway, SocketAddr) {
    let serving = ServerOptions { connection_limits: bounds, ..ServerOptions::default() };
    let gateway = TestGateway::with("http://127.0.0.1:1", Options { serving, ..Options::default() });
    let address = gateway.url().trim_start_matches("http://").parse().expect("an address");
    (gateway, address)
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).expect("it listens");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
    socket
}

/// Sends a byte every tenth of a second until the connection is closed: how long that took, and what was answered.
fn trickle(socket: &mut TcpStream) -> (Duration, String) {
    let (begun, mut answer) = (Instant::now(), Vec::new());
    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("set");
    let mut bytes = b"GET /health/live HTTP/1.1\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'x'));
    loop {
        let sent = socket.write_all(&[*bytes.next().expect("endless")]);
        let mut piece = [0; 1024];
        match socket.read(&mut piece) {
            Ok(read @ 1..) => answer.extend_from_slice(&piece[..read]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) && sent.is_ok() => {}
            _ => return (begun.elapsed(), String::from_utf8(answer).expect("text")),
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "the connection is never closed");
    }
}

#[test]
fn headers_that_come_too_slowly_end_the_connection_the_first_and_the_later_ones() {
    let (_gateway, address) = bounded(short());
    let (took, answer) = trickle(&mut connect(address));
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");

    let mut kept = connect(address);
    lives(&mut kept);
    let (took, answer) = trickle(&mut kept);
    assert!(took > Duration::from_millis(1500) && took < Duration::from_secs(5), "{took:?}");
    assert_eq!(answer, "");
    lives(&mut connect(address));
}

#[test]
fn who_says_nothing_is_not_listened_to_for_ever() {
    let (_gateway, address) = bounded(short());
    // After an answer.
    let mut kept = connect(address);
    lives(&mut kept);
    std::thread::sleep(Duration::from_millis(500));
    lives(&mut kept);
    let begun = Instant::now();
    assert_eq!(kept.read(&mut [0; 1]).expect("closed in order"), 0);
    assert!(begun.elapsed() > Duration::from_millis(300) && begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    // From the beginning.
    let (mut silent, begun) = (connect(address), Instant::now());
    let _ = silent.read_to_end(&mut Vec::new());
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    // In a handshake.
    let (authority, serving) = (Authority::new(), ServerOptions { connection_limits: short(), ..ServerOptions::default() });
    let (certificate, key) = authority.issue("127.0.0.1");
    let tls = Some(tls::server_config(&certificate, &key, None).expect("files"));
    let gateway = TestGateway::with("http://127.0.0.1:1", Options { serving: ServerOptions { tls, ..serving }, ..Options::default() });
    let address = gateway.url().trim_start_matches("http://").parse().expect("an address");
    let (mut silent, begun) = (connect(address), Instant::now());
    let _ = silent.read_to_end(&mut Vec::new());
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    lives(&mut handshake(address, &authority.ca_file(), rustls::ALL_VERSIONS));
}

#[test]
fn calls_that_take_longer_than_the_bounds_are_not_cut() {
    let lrs = SimulatedLrs::with(&SimulatorSettings { latency_milliseconds: 4000, ..SimulatorSettings::default() });
    let serving = ServerOptions { connection_limits: short(), ..ServerOptions::default() };
    let gateway = TestGateway::with(&lrs.url(), Options { serving, ..Options::default() });
    let caller = gateway.caller();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { caller.post(FIND, &search()).await }).expect_success();
}

/// Everything until the connection is closed.
fn rest(socket: &mut TcpStream) -> (std::io::Result<usize>, Vec<u8>) {
    let mut answer = Vec::new();
    (socket.read_to_end(&mut answer), answer)
}

#[tokio::test]
async fn large_headers_are_refused_in_words() {
    let (gateway, address) = bounded(ConnectionLimits::default());
    let large: &'static str = Box::leak("x".repeat(33 * 1024).into_boxed_str());
    gateway.caller().with_header("X-Large", large).post(FIND, &search()).await.problem(431, "headers_too_large");
    gateway.caller().request("GET", &format!("/health/live?{large}")).await.problem(431, "headers_too_large");
    let medium: &'static str = Box::leak("x".repeat(24 * 1024).into_boxed_str());
    gateway.caller().with_header("X-Large", medium).request("GET", "/health/live").await.expect_success();
    // Beyond that the framework refuses: without a document, and without reading on.
    let many = (0..200).map(|number| format!("X-{number}: y\r\n")).collect::<String>();
    for headers in [format!("X-Large: {}\r\n", "x".repeat(130 * 1024)), many] {
        let answer = tokio::task::spawn_blocking(move || {
            let mut socket = connect(address);
            let _ = socket.write_all(format!("GET /health/live HTTP/1.1\r\nHost: gateway\r\n{headers}\r\n").as_bytes());
            rest(&mut socket).1
        });
        let answer = String::from_utf8(answer.await.expect("no panic")).expect("text");
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    gateway.caller().request("GET", "/health/live").await.expect_success();
}

#[test]
fn too_many_connections_wait_for_their_turn() {
    let (_gateway, address) = bounded(ConnectionLimits { max_connections: 2, ..ConnectionLimits::default() });
    let mut first: Vec<TcpStream> = (0..2).map(|_| connect(address)).collect();
    first.iter_mut().for_each(lives);
    let mut others: Vec<TcpStream> = (0..20).map(|_| connect(address)).collect();
    for other in &mut others {
        other.write_all(LIVE).expect("sent");
        other.set_read_timeout(Some(Duration::from_millis(20))).expect("set");
        assert!(other.read(&mut [0; 1]).is_err(), "it waits");
    }
    first.iter_mut().for_each(lives);
    drop(first);
    for mut other in others {
        other.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
        let mut begun = [0; 13];
        other.read_exact(&mut begun).expect("an answer");
        assert_eq!(&begun, b"HTTP/1.1 200 ");
    }
}

/// Asks for far more than lies in the buffers of a connection.
fn ask_for_much(address: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(16 * 1024).expect("set");
    socket.connect(&address.into()).expect("it listens");
    let mut socket = TcpStream::from(socket);
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
    let asks = |last: &str| format!("GET /openapi.json HTTP/1.1\r\nHost: gateway\r\n{last}\r\n");
    socket.write_all((asks("").repeat(39) + &asks("Connection: close\r\n")).as_bytes()).expect("sent");
    socket
}

#[test]
fn who_does_not_take_an_answer_is_left_and_who_takes_it_slowly_is_not() {
    let (_gateway, address) = bounded(short());
    let whole = 40 * std::fs::metadata(Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/openapi.json")).expect("it is there").len();
    let mut absent = ask_for_much(address);
    let mut slow = ask_for_much(address);
    let begun = Instant::now();
    let mut taken = 0;
    let mut piece = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = slow.read(&mut piece) {
        taken += read;
        if begun.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    assert!(taken as u64 > whole, "{taken} of {whole}");
    std::thread::sleep(Duration::from_secs(5).saturating_sub(begun.elapsed()));
    let (end, taken) = rest(&mut absent);
    assert!((taken.len() as u64) < whole, "{} of {whole}", taken.len());
    assert_eq!(end.expect_err("reset").kind(), ErrorKind::ConnectionReset, "nothing is kept for it");
}

/// What is on every answer that a caller of these tests gets is asserted with each of them (`Answer::keeps_its_promises`).
#[tokio::test]
async fn every_kind_of_answer_has_the_headers_that_browsers_heed() {
    let (gateway, _) = bounded(ConnectionLimits::default());
    let caller = gateway.caller();
    for (method, path, status) in [
        ("GET", "/health/live", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/nothing", 404),
        ("GET", FIND, 405),
        ("OPTIONS", FIND, 405),
        ("POST", FIND, 415),
        ("GET", "/docs/", 200),
        ("GET", "/docs/nothing", 404),
    ] {
        let answer = caller.request(method, path).await;
        assert_eq!(answer.status, status, "{path}");
        let page = path.starts_with("/docs/");
        assert_eq!(answer.header("content-security-policy").contains("script-src 'self';"), page, "{path}");
        assert_eq!(answer.header("strict-transport-security"), "", "only who speaks TLS can say so");
    }
    // However a path is spelt, answers about people are not kept; and monitors may ask without wanting the answer.
    let answer = caller.post("/%761/learners/find-by-uln", &search()).await;
    assert_eq!((answer.status, answer.header("cache-control")), (503, "no-store"), "nobody plays LRS here");
    for (path, status) in [("/health/live", 200), ("/health/ready", 200), ("/openapi.json", 200)] {
        let answer = caller.request("HEAD", path).await;
        assert_eq!((answer.status, answer.text.as_str()), (status, ""), "{path}");
    }
    assert_eq!(caller.with_authorization(None).post(FIND, &search()).await.status, 401);
}

#[tokio::test]
async fn the_page_has_nothing_that_its_policy_forbids() {
    let (gateway, _) = bounded(ConnectionLimits::default());
    let caller = gateway.caller();
    let page = caller.request("GET", "/docs/").await;
    let mut loaded = 0;
    for tag in page.text.split('<').filter(|tag| ["script", "link", "img", "style", "iframe"].iter().any(|name| tag.starts_with(name))) {
        let source = tag.split_once("src=\"").or(tag.split_once("href=\"")).and_then(|(_, rest)| rest.split_once('"'));
        let (source, _) = source.unwrap_or_else(|| panic!("inline: {tag}"));
        let asset = caller.request("GET", &format!("/docs/{}", source.trim_start_matches("./"))).await;
        let kind = asset.header("content-type");
        let expected = if tag.starts_with("script") {
            "text/javascript"
        } else if source.ends_with("css") {
            "text/css"
        } else {
            "image/png"
        };
        assert!(asset.status == 200 && kind.starts_with(expected), "{source}: {} {kind}", asset.status);
        loaded += 1;
    }
    assert!(loaded >= 5, "{}", page.text);
}

#[tokio::test]
async fn a_server_with_tls_says_so_and_operators_get_the_same_headers() {
    let authority = Authority::new();
    let setup = with_tls("http://127.0.0.1:1", &authority);
    let mut program = TestProgram::start(&["serve", "--config", &setup.config()], &[]);
    let serving = program.wait_for("serving");
    let client = HttpClientFactory::new(Some(&authority.ca_file()), Duration::from_secs(5)).and_then(|transport| transport.client(None));
    let caller = Caller::new(format!("https://{}", address_of(&serving))).through(client.expect("a client"));
    for path in ["/health/live", "/nothing", "/docs/", FIND] {
        assert_eq!(caller.request("GET", path).await.header("strict-transport-security"), "max-age=31536000", "{path}");
    }
    let admin = Caller::new(format!("http://{}", serving["admin"].as_str().expect("an address")));
    assert_eq!(admin.request("GET", "/health/live").await.header("strict-transport-security"), "");
    admin.request("GET", "/nothing").await.problem(404, "not_found");
}

fn cors_headers(answer: &Answer) -> Vec<&str> {
    answer.headers.keys().map(reqwest::header::HeaderName::as_str).filter(|name| name.starts_with("access-control-")).collect()
}

#[tokio::test]
async fn no_page_of_another_origin_may_call_unless_that_is_configured() {
    let (gateway, _) = bounded(ConnectionLimits::default());
    let caller = gateway.caller().with_header("Origin", PAGE);
    caller.request("OPTIONS", FIND).await.problem(405, "method_not_allowed");
    for answer in [caller.request("OPTIONS", FIND).await, caller.request("GET", "/health/live").await] {
        assert_eq!(cors_headers(&answer), Vec::<&str>::new());
        assert_eq!(answer.header("vary"), "");
    }
}

#[tokio::test]
async fn pages_of_configured_origins_may_call_and_others_may_not() {
    let cors = Cors::new(vec![Origin::parse("https://first.example").expect("an origin"), Origin::parse(PAGE).expect("an origin")]);
    let serving = ServerOptions { cors, ..ServerOptions::default() };
    let limit = Limit { per_minute: 1, burst: 1 };
    let rates = Rates { organisation: limit, person: limit, searches: limit };
    let gateway = TestGateway::with("http://127.0.0.1:1", Options { rates, serving, ..Options::default() });
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let ask = async |origin: &str, path: &str| {
        let request = client.request(reqwest::Method::OPTIONS, format!("{}{path}", gateway.url())).header("Origin", origin);
        let request = request.header("Access-Control-Request-Method", "POST");
        let response = request.header("Access-Control-Request-Headers", "authorization,content-type").send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, text: response.text().await.expect("whole") }
    };
    // Before there is a token, and however often.
    for _ in 0..5 {
        let answer = ask(PAGE, FIND).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), PAGE);
        assert_eq!(answer.header("access-control-allow-methods"), "POST");
        assert_eq!(answer.header("access-control-allow-headers"), "Authorization, Content-Type, Idempotency-Key, Prefer, Accept");
        assert_eq!((answer.header("access-control-max-age"), answer.header("vary")), ("3600", "Origin"));
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        assert_eq!((answer.header("ratelimit"), answer.header("x-content-type-options")), ("", "nosniff"));
    }
    let batch = "/v1/registration-batches/018f0000-0000-7000-8000-000000000000";
    assert_eq!(ask(PAGE, batch).await.header("access-control-allow-methods"), "DELETE, GET");
    assert_eq!(ask(PAGE, "/nothing").await.status, 404);
    for other in ["https://other.example", "https://mis.example.other", "null", "http://mis.example"] {
        let answer = ask(other, FIND).await;
        answer.problem(405, "method_not_allowed");
        assert_eq!((cors_headers(&answer), answer.header("vary")), (vec![], "Origin"), "{other}");
    }
    // An answer may be read, a problem too.
    let caller = gateway.caller().with_header("Origin", PAGE);
    for answer in [caller.request("GET", "/health/live").await, caller.post(FIND, &json!({})).await, caller.post(FIND, &json!({})).await] {
        assert_eq!(answer.header("access-control-allow-origin"), PAGE);
        let exposed = answer.header("access-control-expose-headers");
        for name in ["X-Request-Id", "Retry-After", "RateLimit", "RateLimit-Policy", "Location", "Idempotency-Replayed"] {
            assert!(exposed.split(", ").any(|exposed| exposed == name), "{name}: {exposed}");
        }
    }
    let answer = gateway.caller().with_header("Origin", "https://other.example").request("GET", "/health/live").await;
    assert_eq!((cors_headers(&answer), answer.header("vary")), (vec![], "Origin"));
}
