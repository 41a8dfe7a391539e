//! Request bodies as scripts and programs of other systems send them: encodings, byte order marks, compression.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::support::caller::Answer;
use crate::support::fake_server::soap;
use crate::support::{FakeServer, TestGateway};

const FIND: &str = "/v1/learners/find-by-uln";
const BODY: &str = r#"{"uln":"3000000126","givenName":"Zoë","familyName":"Núñez"}"#;

/// A gateway, and an LRS that finds no learner.
struct Fixture {
    lrs: FakeServer,
    gateway: TestGateway,
}

impl Fixture {
    fn start() -> Self {
        let lrs = FakeServer::with_response(soap(
            200,
            "<n:FindLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/findmsg\"><ResponseCode>WSRC0001</ResponseCode></n:FindLearnerResponse>",
        ));
        let gateway = TestGateway::to(&lrs.url());
        Self { lrs, gateway }
    }

    async fn post(&self, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.gateway.caller().post_text(FIND, content_type, body).await
    }

    async fn post_encoded(&self, coding: &'static str, body: Vec<u8>) -> Answer {
        self.gateway.caller().with_header("Content-Encoding", coding).post_text(FIND, "application/json", body).await
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

#[tokio::test]
async fn request_body_with_byte_order_mark_utf8_charset_or_gzip_is_read() {
    let fixture = Fixture::start();
    let with_mark = format!("\u{FEFF}{BODY}");
    fixture.post("application/json", with_mark.clone()).await.expect_success();
    fixture.post("application/json; charset=utf8", BODY).await.expect_success();
    fixture.post("application/json;charset=\"UTF8\"", BODY).await.expect_success();
    for coding in ["gzip", "x-gzip", "GZip", "identity, X-GZIP"] {
        fixture.post_encoded(coding, gzip(BODY.as_bytes())).await.expect_success();
    }
    fixture.post_encoded("gzip", gzip(with_mark.as_bytes())).await.expect_success();
    fixture.post_encoded("identity", BODY.into()).await.expect_success();
    let in_two_members = [gzip(&BODY.as_bytes()[..20]), gzip(&BODY.as_bytes()[20..])].concat();
    fixture.post_encoded("gzip", in_two_members).await.expect_success();
    assert!(fixture.lrs.received().iter().all(|request| request.body.contains("Zoë") && request.body.contains("Núñez")));
}

#[tokio::test]
async fn request_body_that_is_not_utf8_is_named_as_such_with_the_position() {
    let fixture = Fixture::start();
    let latin1: Vec<u8> = BODY.chars().map(|character| u8::try_from(character).expect("Latin-1")).collect();
    let utf16: Vec<u8> = BODY.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (body, position) in [(latin1, 35), ([b"\xFF\xFE".to_vec(), utf16].concat(), 0)] {
        let answer = fixture.post("application/json", body).await;
        answer.problem(400, "malformed_request");
        assert_eq!(answer.errors(), [(String::new(), "not_utf8".to_owned())]);
        assert!(answer.text.contains(&format!("position {position}, counted from 0")), "{}", answer.text);
    }
    assert!(fixture.lrs.received().is_empty(), "the gateway called LRS");
}

#[tokio::test]
async fn request_body_with_another_coding_or_charset_is_refused_and_the_header_named() {
    let fixture = Fixture::start();
    for coding in ["br", "deflate", "gzip, gzip", "zstd"] {
        let answer = fixture.post_encoded(coding, BODY.into()).await;
        let problem = answer.problem(415, "unsupported_media_type");
        assert!(
            problem["detail"].as_str().is_some_and(|detail| detail.contains("Content-Encoding") && detail.contains("gzip")),
            "{problem}"
        );
        assert_eq!(answer.header("accept-encoding"), "gzip");
    }
    for (content_type, cause) in [
        ("application/json; charset=iso-8859-1", "charset"),
        ("application/json; charset=utf-16", "charset"),
        ("text/plain", "media type"),
        ("", "missing"),
    ] {
        let answer = fixture.post(content_type, BODY).await;
        let problem = answer.problem(415, "unsupported_media_type");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(cause)), "{problem}");
        assert_eq!(answer.header("accept-encoding"), "", "the coding is not the fault");
    }
    assert!(fixture.lrs.received().is_empty(), "the gateway called LRS");
}

#[tokio::test]
async fn gzip_body_is_bounded_unpacked_and_must_be_complete() {
    let fixture = Fixture::start();
    let bomb = gzip(&vec![b' '; 40 * 1024 * 1024]);
    assert!(bomb.len() < 1024 * 1024);
    fixture.post_encoded("gzip", bomb.clone()).await.problem(413, "body_too_large");
    let batch = |body: Vec<u8>| async {
        let caller = fixture.gateway.caller().with_header("Content-Encoding", "gzip");
        caller.post_text("/v1/registration-batches", "application/json", body).await
    };
    batch(bomb).await.problem(413, "body_too_large");
    let fits = gzip(format!("{{{}}}", " ".repeat(8 * 1024 * 1024)).as_bytes());
    batch(fits).await.problem(422, "validation_failed");
    let whole = gzip(BODY.as_bytes());
    let mut with_wrong_checksum = whole.clone();
    let checksum = whole.len() - 8;
    with_wrong_checksum[checksum] ^= 1;
    for broken in [whole[..whole.len() - 9].to_vec(), whole[..5].to_vec(), with_wrong_checksum, BODY.into(), Vec::new()] {
        let problem = fixture.post_encoded("gzip", broken).await.problem(400, "malformed_request");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("gzip")), "{problem}");
    }
    assert!(fixture.lrs.received().is_empty(), "the gateway called LRS");
}

#[tokio::test]
async fn gzip_body_with_an_idempotency_key_is_the_same_request_as_the_plain_body() {
    let fixture = Fixture::start();
    let batch = json!({"jobType": "CHECK", "learners": crate::support::batches::learners(1)}).to_string();
    let post = |coding: &'static str, body: Vec<u8>| {
        let caller = fixture.gateway.caller().with_header("Idempotency-Key", "one").with_client(
            crate::support::http_client_builder()
                .default_headers(
                    [(reqwest::header::CONTENT_ENCODING, reqwest::header::HeaderValue::from_static(coding))].into_iter().collect(),
                )
                .build()
                .expect("a client"),
        );
        async move { caller.post_text("/v1/registration-batches", "application/json", body).await }
    };
    let first = post("gzip", gzip(batch.as_bytes())).await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (202, ""), "{}", first.text);
    let second = post("identity", batch.into_bytes()).await;
    assert_eq!((second.status, second.header("idempotency-replayed")), (202, "true"), "{}", second.text);
    assert_eq!(first.location(), second.location());
}
