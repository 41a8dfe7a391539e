//! The API server: its certificate, connection limits, security headers and CORS.

mod cached_documents;
mod certificate;
mod connection_limits;
mod cors;
mod deprecated_routes;
mod docs_site;
mod fairness;
mod forwarded_clients;
mod headers;
pub mod hostile_clients;
mod java_client;
mod listen_addresses;
mod pipelining;
mod public_url;
mod request_ids;
mod request_memory;
mod routes;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lrs_gateway::server::ServerOptions;
use lrs_gateway::server::connection_limits::ConnectionLimits;
use lrs_gateway::tls;
use rustls::{ClientConfig, ClientConnection, StreamOwned, SupportedProtocolVersion};
use serde_json::{Value, json};

use crate::support::TestGateway;
use crate::support::certificates::CertificateAuthority;
use crate::support::gateway::Options;
use crate::support::program::{ConfigDirectory, TestProgram};

const FIND: &str = "/v1/learners/find-by-uln";
/// A request for liveness.
const LIVE: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: gateway\r\n\r\n";
/// Address of an LRS that refuses connections.
const UNREACHABLE_LRS: &str = "http://127.0.0.1:1";
/// Maximum time for a read from a connection.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns a search for Ana, a sample learner of the simulator.
fn search() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

/// Returns a configuration with a server certificate of this authority.
fn config_with_tls(lrs_url: &str, authority: &CertificateAuthority) -> ConfigDirectory {
    let config = ConfigDirectory::new(lrs_url);
    let tls = "workers = 1\ntls = { certificate_file = \"server.pem\", key_file = \"server.key\" }";
    let limits =
        "[limits]\norganisation_per_minute = 6000000\norganisation_burst = 100000\nperson_per_minute = 6000000\nperson_burst = 100000\n";
    config.configure(|text| text.replace("workers = 1", tls) + limits);
    let [certificate, key] = authority.certify("127.0.0.1");
    config.write("server.pem", &certificate);
    config.write("server.key", &key);
    config
}

/// Starts `serve`. Returns the program and its log event `serving`.
fn start_program(config: &ConfigDirectory) -> (TestProgram, Value) {
    let mut program = TestProgram::start(&["serve", "--config", &config.config_path()], &[]);
    let event = program.wait_for_log("serving");
    (program, event)
}

/// Returns the address of the API of a log event `serving`.
fn api_address(event: &Value) -> SocketAddr {
    event["api"].as_str().and_then(|address| address.parse().ok()).expect("the event has the address")
}

/// Starts a gateway with these options of the server, in front of an LRS that refuses connections. Returns it with its address.
fn start_gateway(server: ServerOptions) -> (TestGateway, SocketAddr) {
    let gateway = TestGateway::with(UNREACHABLE_LRS, Options { server, ..Options::default() });
    let address = gateway.url().trim_start_matches("http://").parse().expect("the URL has an address");
    (gateway, address)
}

fn start_gateway_with_limits(connection_limits: ConnectionLimits) -> (TestGateway, SocketAddr) {
    start_gateway(ServerOptions { connection_limits, ..ServerOptions::default() })
}

/// Opens a connection without TLS.
fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).expect("the server listens");
    socket.set_read_timeout(Some(READ_TIMEOUT)).expect("the timeout is set");
    socket
}

/// Opens a connection with TLS.
fn connect_tls(
    address: SocketAddr,
    ca_file: &Path,
    versions: &[&'static SupportedProtocolVersion],
) -> StreamOwned<ClientConnection, TcpStream> {
    let config =
        ClientConfig::builder_with_provider(tls::crypto_provider()).with_protocol_versions(versions).expect("TLS versions are valid");
    let roots = tls::read_root_certificates(ca_file).expect("the file has a root certificate");
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let server_name = "127.0.0.1".try_into().expect("the name is valid");
    let mut connection = ClientConnection::new(Arc::new(config), server_name).expect("the configuration is valid");
    let mut socket = connect(address);
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).expect("the handshake succeeds");
    }
    StreamOwned::new(connection, socket)
}

/// Asks for liveness over a connection that stays open, and asserts the answer.
fn assert_live(stream: &mut (impl Read + Write)) {
    stream.write_all(LIVE).expect("the request is sent");
    let mut answer = Vec::new();
    while !answer.ends_with(b"{\"status\":\"ALIVE\"}") {
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk).expect("the server answers");
        assert!(length > 0, "the connection stays open: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&chunk[..length]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
}
