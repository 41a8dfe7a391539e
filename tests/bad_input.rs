//! Bad input: a clear problem with every mistake in it, and nothing sent to LRS.

use serde_json::{Value, json};

use crate::support::fake_server::soap;
use crate::support::{FakeServer, TestGateway};

const BY_ULN: &str = "/v1/learners/find-by-uln";
const BY_DEMOGRAPHICS: &str = "/v1/learners/find-by-demographics";

/// An LRS that must not be asked: dropping it makes sure.
struct Untouched(FakeServer);

impl Untouched {
    fn new() -> Self {
        Self(FakeServer::with_response(soap(200, "")))
    }
}

impl Drop for Untouched {
    fn drop(&mut self) {
        assert!(std::thread::panicking() || self.0.received().is_empty(), "something was sent to LRS");
    }
}

fn at(errors: &[(&str, &str)]) -> Vec<(String, String)> {
    errors.iter().map(|(pointer, code)| ((*pointer).to_owned(), (*code).to_owned())).collect()
}

#[tokio::test]
async fn what_is_not_json_is_malformed() {
    let lrs = Untouched::new();
    let caller = TestGateway::to(&lrs.0.url());
    for body in [
        "",
        "{",
        "{\"uln\":",
        "[1,2",
        "{\"uln\":\"3000000126\"}}",
        "{'uln':'3000000126'}",
        "\u{FEFF}{}",
        "NaN",
        "{\"givenName\":\"\\ud83d\"}",
    ] {
        let answer = caller.caller().post_text(BY_ULN, "application/json", body).await;
        answer.problem(400, "malformed_request");
        assert_eq!(answer.errors(), at(&[("", "malformed_json")]), "{body:?}");
    }
    let not_utf8 = b"{\"uln\":\"3000000126\",\"givenName\":\"\xE9\",\"familyName\":\"x\"}".to_vec();
    caller.caller().post_text(BY_ULN, "application/json", not_utf8).await.problem(400, "malformed_request");
    let deep = "[".repeat(60_000);
    caller.caller().post_text(BY_ULN, "application/json", deep).await.problem(400, "malformed_request");
}

#[tokio::test]
async fn json_of_the_wrong_form_is_told_field_by_field() {
    let lrs = Untouched::new();
    let caller = TestGateway::to(&lrs.0.url());
    for (body, status, code, errors) in [
        ("[]", 400, "malformed_request", at(&[("", "wrong_type")])),
        ("\"text\"", 400, "malformed_request", at(&[("", "wrong_type")])),
        ("null", 400, "malformed_request", at(&[("", "null_not_allowed")])),
        (
            r#"{"uln":3000000126,"givenName":["Ana"],"familyName":{"a":1},"findType":true}"#,
            400,
            "malformed_request",
            at(&[("/uln", "wrong_type"), ("/givenName", "wrong_type"), ("/familyName", "wrong_type"), ("/findType", "wrong_type")]),
        ),
        (
            r#"{"uln":null,"givenName":"Ana","familyName":"O'Neill","findType":null}"#,
            400,
            "malformed_request",
            at(&[("/uln", "null_not_allowed"), ("/findType", "null_not_allowed")]),
        ),
        (
            r#"{"uln":"3000000126","givenName":"Ana","familyName":"O'Neill","uln":"3000000258"}"#,
            400,
            "malformed_request",
            at(&[("/uln", "duplicate_field")]),
        ),
        (
            r#"{"uln":"3000000126","givenName":"Ana","familyName":"O'Neill","GivenName":"Ana","colour":1}"#,
            400,
            "unknown_field",
            at(&[("/GivenName", "unknown_field"), ("/colour", "unknown_field")]),
        ),
        ("{}", 422, "validation_failed", at(&[("/uln", "required"), ("/givenName", "required"), ("/familyName", "required")])),
    ] {
        let answer = caller.caller().post_text(BY_ULN, "application/json", body).await;
        answer.problem(status, code);
        assert_eq!(answer.errors(), errors, "{body}");
    }
}

#[tokio::test]
async fn every_field_rule_is_checked_before_lrs_is_asked() {
    let lrs = Untouched::new();
    let caller = TestGateway::to(&lrs.0.url());
    let good = json!({
        "givenName": "Ana", "familyName": "O'Neill", "dateOfBirth": "2003-04-05", "gender": "FEMALE", "lastKnownPostCode": "ZZ99 9ZZ",
    });
    for (field, value, code) in [
        ("givenName", "", "blank"),
        ("givenName", " \t ", "blank"),
        ("givenName", &"x".repeat(36), "too_long"),
        ("familyName", "A\u{1}B", "invalid_character"),
        ("familyName", "\u{FFFF}", "invalid_character"),
        ("dateOfBirth", "2023-02-29", "not_a_date"),
        ("dateOfBirth", "05/04/2003", "invalid_format"),
        ("dateOfBirth", "1799-12-31", "out_of_range"),
        ("gender", "F", "unknown_value"),
        ("gender", "2", "unknown_value"),
        ("lastKnownPostCode", "D02 X285", "invalid_format"),
        ("lastKnownPostCode", "", "invalid_format"),
        ("previousFamilyName", &"x".repeat(36), "too_long"),
        ("schoolAtAge16", &"x".repeat(255), "too_long"),
        ("placeOfBirth", "\u{0}", "invalid_character"),
        ("emailAddress", "a&b@mail.example.com", "invalid_format"),
        ("findType", "FUL", "unknown_value"),
    ] {
        let mut search = good.clone();
        search[field] = json!(value);
        let answer = caller.caller().post(BY_DEMOGRAPHICS, &search).await;
        let problem = answer.problem(422, "validation_failed");
        assert_eq!(answer.errors(), at(&[(&format!("/{field}"), code)]), "{problem}");
        assert!(value.len() < 5 || !answer.text.contains(value), "the value is not repeated: {problem}");
    }
}

#[tokio::test]
async fn all_wrong_fields_are_told_at_once() {
    let lrs = Untouched::new();
    let search = json!({
        "givenName": "", "familyName": "x".repeat(36), "dateOfBirth": "2023-02-29", "gender": "X", "lastKnownPostCode": "X",
        "previousFamilyName": "x".repeat(36), "schoolAtAge16": "x".repeat(255), "placeOfBirth": "\u{1}", "emailAddress": "x", "findType": "x",
    });
    let answer = TestGateway::to(&lrs.0.url()).caller().post(BY_DEMOGRAPHICS, &search).await;
    answer.problem(422, "validation_failed");
    assert_eq!(answer.errors().len(), 10);
}

#[tokio::test]
async fn a_uln_with_a_wrong_check_digit_is_refused() {
    let lrs = Untouched::new();
    let caller = TestGateway::to(&lrs.0.url());
    for (uln, code) in
        [("3000000127", "check_digit"), ("9999999999", "check_digit"), ("300000012", "invalid_format"), ("0000000000", "invalid_format")]
    {
        let answer = caller.caller().post(BY_ULN, &json!({"uln": uln, "givenName": "Ana", "familyName": "O'Neill"})).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.errors(), at(&[("/uln", code)]), "{uln}");
    }
}

#[tokio::test]
async fn bodies_must_be_json_by_name() {
    let lrs = Untouched::new();
    let caller = TestGateway::to(&lrs.0.url());
    for content_type in ["", "text/plain", "application/xml", "application/jsonp", "application/json; charset=iso-8859-1"] {
        caller.caller().post_text(BY_ULN, content_type, "{}").await.problem(415, "unsupported_media_type");
    }
    let answer = caller.caller().with_header("Content-Encoding", "gzip").post(BY_ULN, &json!({})).await;
    answer.problem(415, "unsupported_media_type");
    for content_type in ["application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""] {
        caller.caller().post_text(BY_ULN, content_type, "{}").await.problem(422, "validation_failed");
    }
}

#[tokio::test]
async fn large_bodies_are_refused_in_words() {
    let lrs = Untouched::new();
    let gateway = TestGateway::to(&lrs.0.url());
    for bytes in [64 * 1024 + 1, 2 * 1024 * 1024] {
        let body = json!({"uln": "3000000126", "givenName": "x".repeat(bytes)}).to_string();
        let problem = gateway.caller().post_text(BY_ULN, "application/json", body).await.problem(413, "body_too_large");
        assert!(problem["detail"].as_str().expect("text").contains("65536 bytes"));
    }
    // The same without saying beforehand how long it will be.
    let chunks = futures_util::stream::iter((0..40).map(|_| Ok::<_, std::io::Error>(vec![b' '; 64 * 1024])));
    let answer = gateway.caller().post_text(BY_ULN, "application/json", reqwest::Body::wrap_stream(chunks)).await;
    answer.problem(413, "body_too_large");
}

#[tokio::test]
async fn a_flood_of_mistakes_is_answered_with_a_trickle() {
    let lrs = Untouched::new();
    let body = format!("{{\"ulns\":[{}1]}}", "1,".repeat(30_000));
    let answer = TestGateway::to(&lrs.0.url()).caller().post_text("/v1/learners/retrieve-ulns", "application/json", body).await;
    answer.problem(400, "malformed_request");
    assert_eq!(answer.errors().len(), 1001);
    assert!(
        answer.text.contains("30001 errors to correct, of which the first 1000 are listed") && answer.text.len() < 120_000,
        "{}",
        answer.text.len()
    );
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let lrs = Untouched::new();
    let gateway = TestGateway::to(&lrs.0.url());
    for path in ["/", "/v1", "/v1/learners", "/v1/learners/find-by-uln/", "/v2/learners/find-by-uln", "/metrics", "/v1/learners/3000000126"]
    {
        gateway.caller().request("GET", path).await.problem(404, "not_found");
    }
    for (method, path, allow) in [
        ("GET", BY_ULN, "POST"),
        ("DELETE", BY_DEMOGRAPHICS, "POST"),
        ("POST", "/health/live", "GET"),
        ("BREW", BY_ULN, "POST"),
        ("PUT", "/openapi.json", "GET"),
    ] {
        let answer = gateway.caller().request(method, path).await;
        answer.problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
}

#[tokio::test]
async fn health_documents_and_the_page_need_no_token() {
    let lrs = Untouched::new();
    let gateway = TestGateway::to(&lrs.0.url());
    let anonymous = gateway.caller().with_authorization(None);
    assert_eq!(anonymous.request("GET", "/health/live").await.expect_success(), json!({"status": "ALIVE"}));
    assert_eq!(anonymous.request("GET", "/health/ready").await.expect_success(), json!({"status": "READY"}));
    assert_eq!(anonymous.request("GET", "/openapi.json").await.expect_success()["openapi"], "3.1.0");
    assert_eq!(anonymous.request("GET", "/openapi-3.0.json").await.expect_success()["openapi"], "3.0.3");
    let page = anonymous.request("GET", "/docs").await;
    assert_eq!((page.status, page.text.contains("swagger-ui")), (200, true), "the redirect leads to the page");
    for line in page.text.lines().filter(|line| line.contains("src=") || line.contains("href=")) {
        assert!(!line.contains("://"), "works without a network: {line}");
    }
    let _: Value = anonymous.request("GET", "/openapi.json").await.json();
}
