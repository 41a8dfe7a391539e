//! Readiness: the gateway is ready when Redis and the issuers' keys are available. LRS does not matter.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

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

/// Waits until the body of `/health/ready` is this one, with status 200.
async fn wait_for_health(gateway: &ServingProgram, expected: Value) {
    let started_at = Instant::now();
    loop {
        let answer = admin(gateway).request("GET", "/health/ready").await;
        if answer.status == 200 && answer.json() == expected {
            return;
        }
        assert!(started_at.elapsed() < Duration::from_secs(10), "{expected}: {}", answer.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Returns the value of the gauge of this reason.
async fn degraded_gauge(gateway: &ServingProgram, reason: &str) -> String {
    let metrics = admin(gateway).request("GET", "/metrics").await.text;
    let name = format!("lrs_gateway_degraded{{reason=\"{reason}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)).expect("the metric").to_owned()
}

#[tokio::test]
async fn readiness_with_store_full_read_only_or_evicting_is_degraded_with_the_reason() {
    let redis = TestRedis::start();
    let gateway = ServingProgram::start(&config_with(UNREACHABLE_LRS, &redis_section(&redis)));
    wait_for_health(&gateway, json!({"status": "READY"})).await;

    redis.query::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    wait_for_health(&gateway, json!({"status": "DEGRADED", "reasons": ["STORE_FULL"]})).await;
    assert_eq!(degraded_gauge(&gateway, "STORE_FULL").await, "1");
    redis.query::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    wait_for_health(&gateway, json!({"status": "READY"})).await;
    assert_eq!(degraded_gauge(&gateway, "STORE_FULL").await, "0");

    redis.query::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    wait_for_health(&gateway, json!({"status": "DEGRADED", "reasons": ["STORE_READ_ONLY"]})).await;
    redis.query::<()>(&["REPLICAOF", "NO", "ONE"]);
    wait_for_health(&gateway, json!({"status": "READY"})).await;

    redis.query::<()>(&["CONFIG", "SET", "maxmemory-policy", "allkeys-random"]);
    redis.query::<()>(&["SET", "large", &"x".repeat(4_000_000)]);
    redis.query::<()>(&["CONFIG", "SET", "maxmemory", "2000000"]);
    wait_for_health(&gateway, json!({"status": "DEGRADED", "reasons": ["STORE_EVICTING"]})).await;
}

#[tokio::test]
async fn readiness_with_store_that_is_not_durable_is_degraded_unless_that_is_accepted() {
    let redis = TestRedis::volatile();
    let refusing = ServingProgram::start(&config_with(UNREACHABLE_LRS, &redis_section(&redis)));
    wait_for_health(&refusing, json!({"status": "DEGRADED", "reasons": ["STORE_NOT_DURABLE"]})).await;
    let section = redis_section(&redis);
    let accepting = ServingProgram::start(&config_with(UNREACHABLE_LRS, &format!("{section}\naccept_volatile = true")));
    wait_for_health(&accepting, json!({"status": "READY"})).await;
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
