//! Readiness: the gateway is ready when Redis and the issuers' keys are available. LRS does not matter.

use std::time::{Duration, Instant};

use super::{admin, config_with, readiness_status, redis_section};
use crate::support::FakeServer;
use crate::support::caller::Caller;
use crate::support::fake_server::http;
use crate::support::program::ServingProgram;
use crate::support::redis::TestRedis;

/// Address of an LRS that refuses connections.
const UNREACHABLE_LRS: &str = "http://127.0.0.1:1";

async fn wait_for_readiness_status(gateway: &ServingProgram, status: u16) {
    let started_at = Instant::now();
    while readiness_status(gateway).await != status {
        assert!(started_at.elapsed() < Duration::from_secs(10), "timed out waiting for readiness status {status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn readiness_follows_redis_and_does_not_depend_on_lrs() {
    let mut redis = TestRedis::start();
    let gateway = ServingProgram::start(&config_with(UNREACHABLE_LRS, &redis_section(&redis)));
    wait_for_readiness_status(&gateway, 200).await;

    redis.kill();
    wait_for_readiness_status(&gateway, 503).await;
    let problem = admin(&gateway).request("GET", "/health/ready").await.problem(503, "not_ready");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("store")), "{problem}");
    Caller::new(gateway.api.clone()).request("GET", "/health/ready").await.problem(503, "not_ready");
    assert_eq!(admin(&gateway).request("GET", "/health/live").await.status, 200, "liveness does not depend on Redis");

    redis.restart();
    wait_for_readiness_status(&gateway, 200).await;
}

#[tokio::test]
async fn readiness_without_keys_of_an_issuer_returns_not_ready() {
    let identity_provider = FakeServer::with_response(http(500, "text/plain", b"out of order"));
    let config = config_with(UNREACHABLE_LRS, "");
    let jwks = format!("jwks_url = \"{}/jwks\"\nalgorithms = [\"RS256\"]", identity_provider.url());
    config.configure(|text| text.replace("hmac_secret_file = \"secret\"", &jwks));
    let gateway = ServingProgram::start(&config);
    let problem = admin(&gateway).request("GET", "/health/ready").await.problem(503, "not_ready");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("keys")), "{problem}");
}
