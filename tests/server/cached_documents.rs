//! Entity tags, conditional requests and `Vary` (RFC 9110, 12.5.5 and 13).

use std::io::Read as _;

use flate2::read::GzDecoder;
use reqwest::{Method, Response, StatusCode};
use serde_json::json;

use super::UNREACHABLE_LRS;
use crate::support::TestGateway;
use crate::support::caller::token;

/// Sends a request with these headers. The client adds none of its own, and decodes nothing.
async fn send(gateway: &TestGateway, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let client = crate::support::http_client_builder().no_gzip().build().expect("the client is created");
    let request = client.request(method, format!("{}{path}", gateway.url()));
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await.expect("the gateway answers")
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("headers are text"))
}

#[tokio::test]
async fn public_documents_have_an_entity_tag_for_each_coding_and_answer_304_to_it() {
    let gateway = TestGateway::to(UNREACHABLE_LRS);
    let mut tags = Vec::new();
    for path in [
        "/openapi.json",
        "/openapi-3.0.json",
        "/docs/",
        "/docs/batches",
        "/docs/search-index.json",
        "/docs/site.js",
        "/docs/files/examples/gateway.toml",
        "/docs/problems/validation_failed",
    ] {
        let mut texts = Vec::new();
        for (coding, content_coding) in [("identity", ""), ("gzip, br", "gzip")] {
            let accept = ("Accept-Encoding", coding);
            let answer = send(&gateway, Method::GET, path, &[accept]).await;
            let tag = header(&answer, "etag").to_owned();
            assert_eq!((answer.status(), header(&answer, "content-encoding")), (StatusCode::OK, content_coding), "{path}");
            assert_eq!((header(&answer, "cache-control"), header(&answer, "vary")), ("no-cache", "Accept-Encoding"));
            let list = format!("\"other\", W/{tag}");
            for (method, known) in [(Method::GET, tag.as_str()), (Method::GET, &list), (Method::HEAD, &tag), (Method::GET, "*")] {
                let unchanged = send(&gateway, method, path, &[accept, ("If-None-Match", known)]).await;
                assert_eq!((unchanged.status(), header(&unchanged, "etag")), (StatusCode::NOT_MODIFIED, tag.as_str()), "{path} {known}");
                for name in ["cache-control", "vary"] {
                    assert_eq!(header(&unchanged, name), header(&answer, name), "{path}");
                }
                assert_eq!(header(&unchanged, "content-type"), "", "{path}");
                assert!(unchanged.bytes().await.expect("the answer is complete").is_empty());
            }
            let changed = send(&gateway, Method::HEAD, path, &[accept, ("If-None-Match", "\"other\"")]).await;
            assert_eq!((changed.status(), header(&changed, "etag")), (StatusCode::OK, tag.as_str()), "{path}");
            tags.push((path, content_coding, tag));
            let bytes = answer.bytes().await.expect("the answer is complete");
            let mut text = Vec::new();
            if content_coding.is_empty() {
                text.extend_from_slice(&bytes);
            } else {
                GzDecoder::new(&bytes[..]).read_to_end(&mut text).expect("gzip");
            }
            assert!(std::str::from_utf8(&text).is_ok_and(|text| text.len() > 100), "{path}");
            texts.push(text);
        }
        assert!(texts[0] == texts[1], "{path}: both codings have the same content");
    }
    tags.dedup();
    let mut distinct: Vec<_> = tags.iter().map(|(_, _, tag)| tag).collect();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), tags.len(), "{tags:?}");
}

#[tokio::test]
async fn entity_tags_of_two_gateways_of_one_version_are_the_same() {
    let gateways = [TestGateway::to(UNREACHABLE_LRS), TestGateway::to(UNREACHABLE_LRS)];
    for path in ["/openapi.json", "/docs/site.css", "/docs/", "/docs/search-index.json"] {
        let [first, second] = [&gateways[0], &gateways[1]];
        let tag = header(&send(first, Method::GET, path, &[]).await, "etag").to_owned();
        assert_eq!(send(second, Method::GET, path, &[("If-None-Match", &tag)]).await.status(), StatusCode::NOT_MODIFIED, "{path}");
    }
}

#[tokio::test]
async fn vary_names_headers_that_select_the_content_and_no_others() {
    let gateway = TestGateway::to(UNREACHABLE_LRS);
    let authorization = format!("Bearer {}", token(json!({})));
    let authorized = ("Authorization", authorization.as_str());
    for (method, path, headers, status) in [
        (Method::GET, "/health/live", &[][..], 200),
        (Method::GET, "/v1/organisation", &[authorized], 200),
        (Method::GET, "/v1/organisation", &[], 401),
        (Method::GET, "/v1/registration-batches", &[authorized, ("Prefer", "wait=1")], 200),
        (Method::POST, "/v1/learners/find-by-uln", &[authorized], 415),
        (Method::OPTIONS, "/v1/organisation", &[authorized], 405),
    ] {
        let answer = send(&gateway, method.clone(), path, headers).await;
        assert_eq!((answer.status().as_u16(), header(&answer, "vary")), (status, ""), "{method} {path}");
    }
    for (path, status) in [("/", 200), ("/docs/nothing", 404)] {
        for accept in ["*/*", "text/html", "application/json"] {
            let answer = send(&gateway, Method::GET, path, &[("Accept", accept)]).await;
            assert_eq!((answer.status().as_u16(), header(&answer, "vary")), (status, "Accept"), "{path} {accept}");
        }
    }
    let results = "/v1/registration-batches/0198c1d2-7a3b-7c4d-8e5f-001122334455/results";
    let refused = send(&gateway, Method::GET, results, &[authorized, ("Accept", "image/png")]).await;
    assert_eq!((refused.status().as_u16(), header(&refused, "vary")), (406, "Accept"));
}
