//! CORS: pages of configured origins may call the gateway, and other pages may not.

use lrs_gateway::rate_limit::{Limit, Rates};
use lrs_gateway::schema::Scalar as _;
use lrs_gateway::server::ServerOptions;
use lrs_gateway::server::connection_limits::ConnectionLimits;
use lrs_gateway::server::cors::{Cors, Origin};
use serde_json::json;

use super::{FIND, UNREACHABLE_LRS, start_gateway_with_limits};
use crate::support::TestGateway;
use crate::support::caller::Answer;
use crate::support::gateway::Options;
use crate::support::program::{ConfigDirectory, run, stderr};

/// The origin of a page.
const ORIGIN: &str = "https://mis.example";

/// Starts a gateway that allows two origins. A second call reaches the rate limits.
fn start_gateway_with_cors() -> TestGateway {
    let origins = ["https://first.example", ORIGIN].map(|origin| Origin::parse(origin).expect("the origin is valid"));
    let server = ServerOptions { cors: Cors::new(origins.into()), ..ServerOptions::default() };
    let limit = Limit { per_minute: 1, burst: 1 };
    let rates = Rates { organisation: limit, person: limit, searches: limit };
    TestGateway::with(UNREACHABLE_LRS, Options { rates, server, ..Options::default() })
}

/// Sends a preflight request without a token, as browsers do.
async fn send_preflight(gateway: &TestGateway, origin: &str, path: &str) -> Answer {
    let client = crate::support::http_client_builder().build().expect("the client is created");
    let request = client
        .request(reqwest::Method::OPTIONS, format!("{}{path}", gateway.url()))
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization,content-type");
    let response = request.send().await.expect("the gateway answers");
    let (url, status, headers) = (response.url().clone(), response.status().as_u16(), response.headers().clone());
    Answer { url, status, headers, text: response.text().await.expect("the answer is complete") }
}

/// Returns the names of the CORS headers of an answer.
fn cors_headers(answer: &Answer) -> Vec<&str> {
    answer.headers.keys().map(reqwest::header::HeaderName::as_str).filter(|name| name.starts_with("access-control-")).collect()
}

#[tokio::test]
async fn cors_not_configured_answers_have_no_cors_headers() {
    let (gateway, _) = start_gateway_with_limits(ConnectionLimits::default());
    let caller = gateway.caller().with_header("Origin", ORIGIN);
    caller.request("OPTIONS", FIND).await.problem(405, "method_not_allowed");
    for answer in [caller.request("OPTIONS", FIND).await, caller.request("GET", "/health/live").await] {
        assert_eq!(cors_headers(&answer), Vec::<&str>::new());
        assert_eq!(answer.header("vary"), "");
    }
}

#[tokio::test]
async fn cors_preflight_of_configured_origin_is_allowed_without_token_and_rate_limit() {
    let gateway = start_gateway_with_cors();
    for _ in 0..5 {
        let answer = send_preflight(&gateway, ORIGIN, FIND).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), ORIGIN);
        assert_eq!(answer.header("access-control-allow-methods"), "POST");
        assert_eq!(
            answer.header("access-control-allow-headers"),
            "Authorization, Content-Type, Content-Encoding, Idempotency-Key, Prefer, Accept, X-Request-Id, Traceparent"
        );
        assert_eq!((answer.header("access-control-max-age"), answer.header("vary")), ("3600", "Origin"));
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        assert_eq!((answer.header("ratelimit"), answer.header("x-content-type-options")), ("", "nosniff"));
    }
    let batch = "/v1/registration-batches/018f0000-0000-7000-8000-000000000000";
    assert_eq!(send_preflight(&gateway, ORIGIN, batch).await.header("access-control-allow-methods"), "DELETE, GET, HEAD");
    assert_eq!(send_preflight(&gateway, ORIGIN, "/nothing").await.status, 404);
}

#[tokio::test]
async fn cors_other_origin_has_no_cors_headers() {
    let gateway = start_gateway_with_cors();
    for origin in ["https://other.example", "https://mis.example.other", "null", "http://mis.example"] {
        let answer = send_preflight(&gateway, origin, FIND).await;
        answer.problem(405, "method_not_allowed");
        assert_eq!((cors_headers(&answer), answer.header("vary")), (vec![], "Origin"), "{origin}");
    }
    let answer = gateway.caller().with_header("Origin", "https://other.example").request("GET", "/health/live").await;
    assert_eq!((cors_headers(&answer), answer.header("vary")), (vec![], "Origin"));
}

#[tokio::test]
async fn cors_answers_and_problems_to_configured_origin_can_be_read() {
    let gateway = start_gateway_with_cors();
    let caller = gateway.caller().with_header("Origin", ORIGIN);
    let [first, second] = [caller.post(FIND, &json!({})).await, caller.post(FIND, &json!({})).await];
    second.problem(429, "rate_limited");
    for answer in [caller.request("GET", "/health/live").await, first, second] {
        assert_eq!(answer.header("access-control-allow-origin"), ORIGIN);
        let exposed_headers = answer.header("access-control-expose-headers");
        for name in ["X-Request-Id", "Retry-After", "RateLimit", "RateLimit-Policy", "Location", "Idempotency-Replayed"] {
            assert!(exposed_headers.split(", ").any(|exposed| exposed == name), "{name}: {exposed_headers}");
        }
    }
}

#[test]
fn cors_origins_invalid_are_configuration_errors() {
    let config = ConfigDirectory::new(UNREACHABLE_LRS);
    let origins = "workers = 1\ncors_origins = [\"https://mis.example\", \"*\", \"https://mis.example/\"]";
    config.configure(|text| text.replace("workers = 1", origins));
    let text = stderr(&run(&["check-config", "--config", &config.config_path()]));
    assert!(text.contains("server.cors_origins.1: must be") && text.contains("server.cors_origins.2: must be"), "{text}");
    assert_eq!(text.lines().count(), 2, "{text}");
}
