//! Clients behind trusted proxies: their concurrent requests are limited by the address that the proxy names.

use lrs_gateway::schema::Scalar as _;
use lrs_gateway::server::ServerOptions;
use lrs_gateway::server::client_address::{ForwardedHeader, Network, TrustedProxies};
use lrs_gateway::server::connection_limits::ConnectionLimits;
use lrs_gateway::simulator::SimulatorSettings;

use super::{FIND, search};
use crate::support::gateway::Options;
use crate::support::program::{ConfigDirectory, run, stderr};
use crate::support::{SimulatedLrs, TestGateway};

/// Starts a gateway that answers one request of each client at a time, in front of an LRS that takes a while for each response.
fn start_gateway(header: ForwardedHeader, proxy: &str) -> (TestGateway, SimulatedLrs) {
    let lrs = SimulatedLrs::with(&SimulatorSettings { latency_milliseconds: 500, ..SimulatorSettings::default() });
    let trusted_proxies = TrustedProxies { networks: vec![Network::parse(proxy).expect("an address")], header };
    let connection_limits = ConnectionLimits { max_connections_per_client: 1, ..ConnectionLimits::default() };
    // One client of the tests is one connection, which the limit of connections allows.
    let server = ServerOptions { trusted_proxies, connection_limits, ..ServerOptions::default() };
    (TestGateway::with(&lrs.url(), Options { server, ..Options::default() }), lrs)
}

#[tokio::test]
async fn second_concurrent_request_of_a_forwarded_client_is_rate_limited() {
    let (gateway, _lrs) = start_gateway(ForwardedHeader::XForwardedFor, "127.0.0.1");
    let [first, second, other] =
        ["198.51.100.1, 192.0.2.7", "192.0.2.7", "192.0.2.8"].map(|client| gateway.caller().with_header("X-Forwarded-For", client));
    let (direct, body) = (gateway.caller(), search());
    let (first, second, other, direct) =
        tokio::join!(first.post(FIND, &body), second.post(FIND, &body), other.post(FIND, &body), direct.post(FIND, &body));
    let [allowed, limited] = if first.status == 200 { [first, second] } else { [second, first] };
    allowed.expect_success();
    limited.problem(429, "rate_limited");
    assert_eq!(limited.header("retry-after"), "1");
    other.expect_success();
    direct.expect_success();
    let again = gateway.caller().with_header("X-Forwarded-For", "192.0.2.7").post(FIND, &body).await;
    again.expect_success();
}

#[tokio::test]
async fn forwarded_header_is_read_if_it_is_configured_and_the_other_one_is_not() {
    let (gateway, _lrs) = start_gateway(ForwardedHeader::Forwarded, "127.0.0.1");
    let caller = |name, value| gateway.caller().with_header(name, value);
    let body = search();
    let [first, second] = [(); 2].map(|()| caller("Forwarded", "for=\"[2001:db8::7]:443\";proto=https"));
    let (first, second) = tokio::join!(first.post(FIND, &body), second.post(FIND, &body));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 429]);
    let [first, second] = [(); 2].map(|()| caller("X-Forwarded-For", "192.0.2.7"));
    let (first, second) = tokio::join!(first.post(FIND, &body), second.post(FIND, &body));
    assert_eq!([first.status, second.status], [200, 200]);
}

#[test]
fn trusted_proxies_that_are_no_addresses_are_a_configuration_error() {
    let config = ConfigDirectory::new("http://127.0.0.1:1");
    config.configure(|text| {
        text.replace("workers = 1", "workers = 1\ntrusted_proxies = [\"10.0.0.0/40\", \"::1\"]\nforwarded_header = \"X-Real-IP\"")
    });
    let text = stderr(&run(&["check-config", "--config", &config.config_path()]));
    assert!(text.contains("server.trusted_proxies.0: must be an IP address, or a network such as 10.0.0.0/8"), "{text}");
    assert!(text.contains("server.forwarded_header: must be one of x-forwarded-for, forwarded"), "{text}");
}
