//! Requests with invalid input: the gateway answers with a problem that lists every error, and sends nothing to LRS.

use serde_json::json;

use crate::support::caller::Answer;
use crate::support::fake_server::soap;
use crate::support::{Caller, FakeServer, TestGateway};

const BY_ULN: &str = "/v1/learners/find-by-uln";
const BY_DEMOGRAPHICS: &str = "/v1/learners/find-by-demographics";

/// A gateway, and an LRS that it must not call. Drop asserts that the LRS received nothing.
struct Fixture {
    lrs: FakeServer,
    gateway: TestGateway,
}

impl Fixture {
    fn start() -> Self {
        let lrs = FakeServer::with_response(soap(200, ""));
        let gateway = TestGateway::to(&lrs.url());
        Self { lrs, gateway }
    }

    fn caller(&self) -> Caller {
        self.gateway.caller()
    }

    async fn post_json_text(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.caller().post_text(path, "application/json", body).await
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        assert!(std::thread::panicking() || self.lrs.received().is_empty(), "the gateway called LRS");
    }
}

/// The pointers and codes of the errors that a problem must list, in this order.
fn expected_errors(errors: &[(&str, &str)]) -> Vec<(String, String)> {
    errors.iter().map(|(pointer, code)| ((*pointer).to_owned(), (*code).to_owned())).collect()
}

#[tokio::test]
async fn malformed_json_returns_malformed_request() {
    let fixture = Fixture::start();
    for body in [
        "",
        "{",
        "{\"uln\":",
        "[1,2",
        "{\"uln\":\"3000000126\"}}",
        "{'uln':'3000000126'}",
        "\u{FEFF}",
        "NaN",
        "{\"givenName\":\"\\ud83d\"}",
    ] {
        let answer = fixture.post_json_text(BY_ULN, body).await;
        answer.problem(400, "malformed_request");
        assert_eq!(answer.errors(), expected_errors(&[("", "malformed_json")]), "{body:?}");
    }
    let deeply_nested = "[".repeat(60_000);
    fixture.post_json_text(BY_ULN, deeply_nested).await.problem(400, "malformed_request");
}

#[tokio::test]
async fn json_with_wrong_types_or_fields_returns_one_error_per_field() {
    let fixture = Fixture::start();
    for (body, status, code, errors) in [
        ("[]", 400, "malformed_request", expected_errors(&[("", "wrong_type")])),
        ("\"text\"", 400, "malformed_request", expected_errors(&[("", "wrong_type")])),
        ("null", 400, "malformed_request", expected_errors(&[("", "null_not_allowed")])),
        (
            r#"{"uln":3000000126,"givenName":["Ana"],"familyName":{"a":1},"findType":true}"#,
            400,
            "malformed_request",
            expected_errors(&[
                ("/uln", "wrong_type"),
                ("/givenName", "wrong_type"),
                ("/familyName", "wrong_type"),
                ("/findType", "wrong_type"),
            ]),
        ),
        (
            r#"{"uln":null,"givenName":"Ana","familyName":"O'Neill","findType":null}"#,
            400,
            "malformed_request",
            expected_errors(&[("/uln", "null_not_allowed"), ("/findType", "null_not_allowed")]),
        ),
        (
            r#"{"uln":"3000000126","givenName":"Ana","familyName":"O'Neill","uln":"3000000258"}"#,
            400,
            "malformed_request",
            expected_errors(&[("/uln", "duplicate_field")]),
        ),
        (
            r#"{"uln":"3000000126","givenName":"Ana","familyName":"O'Neill","GivenName":"Ana","colour":1}"#,
            400,
            "unknown_field",
            expected_errors(&[("/GivenName", "unknown_field"), ("/colour", "unknown_field")]),
        ),
        ("{}", 422, "validation_failed", expected_errors(&[("/uln", "required"), ("/givenName", "required"), ("/familyName", "required")])),
    ] {
        let answer = fixture.post_json_text(BY_ULN, body).await;
        answer.problem(status, code);
        assert_eq!(answer.errors(), errors, "{body}");
    }
}

#[tokio::test]
async fn field_with_invalid_value_returns_validation_failed() {
    let fixture = Fixture::start();
    let valid = json!({
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
        let mut search = valid.clone();
        search[field] = json!(value);
        let answer = fixture.caller().post(BY_DEMOGRAPHICS, &search).await;
        let problem = answer.problem(422, "validation_failed");
        assert_eq!(answer.errors(), expected_errors(&[(&format!("/{field}"), code)]), "{problem}");
        assert!(value.len() < 5 || !answer.text.contains(value), "the problem must not repeat the value: {problem}");
    }
}

#[tokio::test]
async fn several_invalid_fields_return_every_error() {
    let fixture = Fixture::start();
    let search = json!({
        "givenName": "", "familyName": "x".repeat(36), "dateOfBirth": "2023-02-29", "gender": "X", "lastKnownPostCode": "X",
        "previousFamilyName": "x".repeat(36), "schoolAtAge16": "x".repeat(255), "placeOfBirth": "\u{1}", "emailAddress": "x", "findType": "x",
    });
    let answer = fixture.caller().post(BY_DEMOGRAPHICS, &search).await;
    answer.problem(422, "validation_failed");
    assert_eq!(answer.errors().len(), 10);
}

#[tokio::test]
async fn uln_with_wrong_check_digit_or_format_returns_validation_failed() {
    let fixture = Fixture::start();
    for (uln, code) in
        [("3000000127", "check_digit"), ("9999999999", "check_digit"), ("300000012", "invalid_format"), ("0000000000", "invalid_format")]
    {
        let answer = fixture.caller().post(BY_ULN, &json!({"uln": uln, "givenName": "Ana", "familyName": "O'Neill"})).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.errors(), expected_errors(&[("/uln", code)]), "{uln}");
    }
}

#[tokio::test]
async fn content_type_other_than_json_returns_unsupported_media_type() {
    let fixture = Fixture::start();
    for content_type in ["", "text/plain", "application/xml", "application/jsonp", "application/json; charset=iso-8859-1"] {
        fixture.caller().post_text(BY_ULN, content_type, "{}").await.problem(415, "unsupported_media_type");
    }
    for content_type in ["application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""] {
        fixture.caller().post_text(BY_ULN, content_type, "{}").await.problem(422, "validation_failed");
    }
}

#[tokio::test]
async fn body_larger_than_limit_returns_body_too_large() {
    let fixture = Fixture::start();
    for bytes in [64 * 1024 + 1, 2 * 1024 * 1024] {
        let body = json!({"uln": "3000000126", "givenName": "x".repeat(bytes)}).to_string();
        let problem = fixture.post_json_text(BY_ULN, body).await.problem(413, "body_too_large");
        assert!(problem["detail"].as_str().expect("text").contains("65536 bytes"), "the detail states the limit: {problem}");
    }
}

#[tokio::test]
async fn chunked_body_larger_than_limit_returns_body_too_large() {
    let fixture = Fixture::start();
    let chunks = futures_util::stream::iter((0..40).map(|_| Ok::<_, std::io::Error>(vec![b' '; 64 * 1024])));
    let answer = fixture.post_json_text(BY_ULN, reqwest::Body::wrap_stream(chunks)).await;
    answer.problem(413, "body_too_large");
}

#[tokio::test]
async fn more_than_1000_errors_return_first_1000_and_total() {
    let fixture = Fixture::start();
    let body = format!("{{\"ulns\":[{}1]}}", "1,".repeat(30_000));
    let answer = fixture.post_json_text("/v1/learners/retrieve-ulns", body).await;
    answer.problem(400, "malformed_request");
    assert_eq!(answer.errors().len(), 1001, "1000 errors and one that states the total");
    assert!(answer.text.contains("30001 errors to correct, of which the first 1000 are listed"), "{:?}", answer.errors().last());
    assert!(answer.text.len() < 120_000, "{} bytes", answer.text.len());
}

#[tokio::test]
async fn unknown_path_returns_not_found() {
    let fixture = Fixture::start();
    for path in ["/v1", "/v1/learners", "/v1/learners/find-by-uln/", "/v2/learners/find-by-uln", "/metrics", "/v1/learners/3000000126"] {
        fixture.caller().request("GET", path).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn unsupported_method_returns_method_not_allowed_with_allow_header() {
    let fixture = Fixture::start();
    for (method, path, allow) in [
        ("GET", BY_ULN, "POST"),
        ("DELETE", BY_DEMOGRAPHICS, "POST"),
        ("POST", "/health/live", "GET, HEAD"),
        ("BREW", BY_ULN, "POST"),
        ("PUT", "/openapi.json", "GET, HEAD"),
    ] {
        let answer = fixture.caller().request(method, path).await;
        answer.problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
}
