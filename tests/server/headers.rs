//! Response headers: security headers, caching, and the documentation page under its content security policy.
//!
//! `Caller` asserts the headers of every answer (`Answer::assert_common_rules`). These tests make calls of every kind.

use std::io::{Read as _, Write as _};

use lrs_gateway::server::connection_limits::ConnectionLimits;

use super::{FIND, UNREACHABLE_LRS, api_address, config_with_tls, connect, search, start_gateway_with_limits, start_program};
use crate::support::caller::Caller;
use crate::support::certificates::CertificateAuthority;

#[tokio::test]
async fn security_headers_are_on_every_kind_of_answer() {
    let (gateway, _) = start_gateway_with_limits(ConnectionLimits::default());
    let caller = gateway.caller();
    for (method, path, status) in [
        ("GET", "/health/live", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/nothing", 404),
        ("GET", FIND, 405),
        ("OPTIONS", FIND, 405),
        ("POST", FIND, 415),
        ("GET", "/", 200),
        ("POST", "/", 405),
        ("GET", "/docs/", 200),
        ("POST", "/docs/batches", 405),
        ("GET", "/docs/nothing", 404),
    ] {
        let answer = caller.request(method, path).await;
        assert_eq!(answer.status, status, "{path}");
        let allows_scripts = path == "/" || path.starts_with("/docs/");
        assert_eq!(answer.header("content-security-policy").contains("script-src 'self';"), allows_scripts, "{path}");
        assert_eq!(answer.header("strict-transport-security"), "", "the header is only for servers with TLS");
    }
    assert_eq!(caller.with_authorization(None).post(FIND, &search()).await.status, 401);
}

#[tokio::test]
async fn cache_control_of_learner_data_is_no_store_also_for_percent_encoded_path() {
    let (gateway, _) = start_gateway_with_limits(ConnectionLimits::default());
    let answer = gateway.caller().post("/%761/learners/find-by-uln", &search()).await;
    assert_eq!((answer.status, answer.header("cache-control")), (503, "no-store"), "the request reaches the handler, but no LRS");
}

#[tokio::test]
async fn head_request_has_the_status_and_headers_of_get_without_body() {
    let (gateway, _) = start_gateway_with_limits(ConnectionLimits::default());
    let caller = gateway.caller();
    for path in [
        "/health/live",
        "/health/ready",
        "/openapi.json",
        "/",
        "/docs/",
        "/docs/batches",
        "/v1/organisation",
        "/v1/lrs/status",
        "/v1/registration-batches",
    ] {
        let (get, head) = (caller.request("GET", path).await, caller.request("HEAD", path).await);
        assert_eq!((head.status, head.text.as_str()), (200, ""), "{path}");
        for name in ["content-length", "content-type"] {
            assert_eq!(head.header(name), get.header(name), "{path}");
        }
    }
    let refused = caller.request("PUT", "/v1/organisation").await;
    assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD"));
}

#[test]
fn header_names_are_written_in_the_usual_case() {
    let (_gateway, address) = start_gateway_with_limits(ConnectionLimits::default());
    for request in ["GET /health/live", "POST /v1/learners/find-by-uln", "GET /openapi.json", "DELETE /docs"] {
        let mut socket = connect(address);
        socket
            .write_all(format!("{request} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n").as_bytes())
            .expect("the request is sent");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("the answer is UTF-8");
        let (head, _) = answer.split_once("\r\n\r\n").expect("the head is complete");
        assert!(head.contains("\r\nX-Request-Id: ") && head.contains("\r\nContent-Type: "), "{head}");
        for line in head.lines().skip(1) {
            let name = line.split(':').next().unwrap_or_default();
            assert!(name.split('-').all(|word| word.starts_with(|letter: char| letter.is_ascii_uppercase())), "{line}");
        }
    }
}

#[tokio::test]
async fn docs_page_loads_only_files_that_its_content_security_policy_allows() {
    let (gateway, _) = start_gateway_with_limits(ConnectionLimits::default());
    let caller = gateway.caller();
    let page = caller.request("GET", "/docs/").await;
    let mut loaded_files = 0;
    for tag in page.text.split('<').filter(|tag| ["script", "link", "img", "style", "iframe"].iter().any(|name| tag.starts_with(name))) {
        let source = tag.split_once("src=\"").or(tag.split_once("href=\"")).and_then(|(_, rest)| rest.split_once('"'));
        let (source, _) = source.unwrap_or_else(|| panic!("the policy forbids inline content: {tag}"));
        let file = caller.request("GET", &format!("/docs/{}", source.trim_start_matches("./"))).await;
        let content_type = file.header("content-type");
        let expected = if tag.starts_with("script") {
            "text/javascript"
        } else if source.ends_with("css") {
            "text/css"
        } else {
            "image/svg+xml"
        };
        assert!(file.status == 200 && content_type.starts_with(expected), "{source}: {} {content_type}", file.status);
        loaded_files += 1;
    }
    assert!(loaded_files >= 3, "{}", page.text);
}

#[tokio::test]
async fn strict_transport_security_is_sent_by_server_with_tls_and_not_by_admin_listener() {
    let authority = CertificateAuthority::new();
    let (_program, event) = start_program(&config_with_tls(UNREACHABLE_LRS, &authority));
    let caller = Caller::new(format!("https://{}", api_address(&event))).trusting(&authority.ca_file());
    for path in ["/health/live", "/nothing", "/docs/", FIND] {
        assert_eq!(caller.request("GET", path).await.header("strict-transport-security"), "max-age=31536000", "{path}");
    }
    let admin = Caller::new(format!("http://{}", event["admin"].as_str().expect("the event has the address")));
    assert_eq!(admin.request("GET", "/health/live").await.header("strict-transport-security"), "");
    admin.request("GET", "/nothing").await.problem(404, "not_found");
}
