//! Failures of LRS and of the network during a search. The gateway classifies each failure, discloses no learner, and does not retry
//! (`max_retries` is 0 in these tests).

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::expected_problems::{
    ACCESS_BLOCKED, BAD_RESPONSE, CREDENTIALS, ExpectedProblem, FailureCase, MAINTENANCE, MOVED, REJECTED, TIMEOUT, UNAVAILABLE,
    assert_failures, assert_failures_with, cases_of,
};
use crate::support::fake_server::{Reply, http, soap};
use crate::support::gateway::Options;
use crate::support::scripted_lrs::{RESPONSE, ScriptedLrs, response_with, search, xml_reply};
use crate::support::{ANY_PORT, TestGateway};

/// The detail of a fault as LRS writes it, with personal data where LRS quotes the request.
fn exception_detail(code: &str) -> String {
    format!(
        "<ns10:MIAPAPIException xmlns:ns10=\"http://api.lrs.miap.gov.uk/exceptions\">{code}<ErrorActor>Zebedee.validate()</ErrorActor>\
         <Description>not good: Zebedee Quillfeather</Description><FurtherDetails>cvc-pattern-valid: '3000000126'</FurtherDetails>\
         <ErrorTimestamp>2025-03-04 09:15:00</ErrorTimestamp></ns10:MIAPAPIException>"
    )
}

fn error_code(code: &str) -> String {
    exception_detail(&format!("<ErrorCode>{code}</ErrorCode>"))
}

fn fault(fault_code: &str, detail: &str) -> String {
    format!(
        "<soapenv:Fault><faultcode>{fault_code}</faultcode><faultstring xml:lang=\"en-GB\">Zebedee Quillfeather</faultstring>\
         <faultactor>urn:3000000126</faultactor><detail>{detail}</detail></soapenv:Fault>"
    )
}

/// Every documented error code, and an undocumented one.
const ERROR_CODES: [(&str, ExpectedProblem); 8] = [
    ("WSEC0001", REJECTED),
    ("WSEC0002", REJECTED),
    ("WSEC0003", CREDENTIALS),
    ("WSEC0004", MAINTENANCE),
    ("WSEC0005", CREDENTIALS),
    ("WSEC0006", CREDENTIALS),
    ("WSEC0999", BAD_RESPONSE),
    ("WSEC4711", REJECTED),
];

#[tokio::test]
async fn error_code_in_any_form_of_fault_returns_the_same_problem() {
    let mut cases = Vec::new();
    for (code, kind) in ERROR_CODES {
        let unqualified = fault("soapenv:Server", &error_code(code));
        let qualified = unqualified.replace("ns10:MIAPAPIException", "MIAPAPIException").replace("xmlns:ns10", "xmlns");
        let prefixed = ["ErrorCode", "ErrorActor", "Description", "FurtherDetails", "ErrorTimestamp"]
            .iter()
            .fold(unqualified.replace("ns10", "ex").replace("soapenv:Server", "Server"), |xml, name| {
                xml.replace(&format!("<{name}>"), &format!("<ex:{name}>")).replace(&format!("</{name}>"), &format!("</ex:{name}>"))
            });
        let domain_fault = fault(
            "soapenv:Client",
            &format!(
                "<DomainFault xmlns=\"http://api.lrs.qcf.gov.uk/faults\" xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\">\
                 <ErrorCode>\n {code} </ErrorCode><ErrorDetail i:nil=\"true\"/></DomainFault>"
            ),
        );
        let beside_foreign_detail =
            fault("soapenv:Server", &format!("<x:Trace xmlns:x=\"urn:x\"><ErrorCode>WSEC0005</ErrorCode></x:Trace>{}", error_code(code)));
        let as_response_code = response_with("<ResponseCode>WSRC0004", &format!("<ResponseCode>{code}"));
        for (form, reply) in [
            ("unqualified", Reply::Bytes(soap(500, &unqualified))),
            ("qualified", Reply::Bytes(soap(500, &qualified))),
            ("with another prefix", Reply::Bytes(soap(500, &prefixed))),
            ("as a DomainFault", Reply::Bytes(soap(500, &domain_fault))),
            ("beside a detail of another namespace", Reply::Bytes(soap(500, &beside_foreign_detail))),
            ("with HTTP 200", Reply::Bytes(soap(200, &unqualified))),
            ("with HTTP 400", Reply::Bytes(soap(400, &unqualified))),
            ("as the response code, beside a learner", xml_reply(as_response_code)),
        ] {
            cases.push((format!("{code} {form}"), reply, kind, Some(code)));
        }
    }
    assert_failures(cases).await;
}

#[tokio::test]
async fn fault_without_error_code_is_classified_by_fault_code() {
    let mut cases = Vec::new();
    for (fault_code, kind) in [
        ("soapenv:Client", REJECTED),
        ("s:Client", REJECTED),
        (" Client\n", REJECTED),
        ("soapenv:Client.Authentication", REJECTED),
        ("soapenv:Server", BAD_RESPONSE),
        ("s:Server", BAD_RESPONSE),
        ("Server", BAD_RESPONSE),
        ("soapenv:Server.Busy", BAD_RESPONSE),
        ("soapenv:VersionMismatch", BAD_RESPONSE),
        ("a:InternalServiceFault", BAD_RESPONSE),
        ("a:DeserializationFailed", REJECTED),
        ("a:ActionNotSupported", REJECTED),
        ("", BAD_RESPONSE),
    ] {
        let no_detail = fault(fault_code, "").replace("<detail></detail>", "");
        let nil_code = exception_detail("<ErrorCode xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" i:nil=\"true\"/>");
        for (form, body) in [
            ("without a detail", no_detail),
            ("with an empty detail", fault(fault_code, "")),
            ("with a detail of another namespace", fault(fault_code, "<x:Trace xmlns:x=\"urn:x\">Zebedee</x:Trace>")),
            ("without ErrorCode", fault(fault_code, &exception_detail(""))),
            ("with an empty ErrorCode", fault(fault_code, &error_code(" "))),
            ("with a nil ErrorCode", fault(fault_code, &nil_code)),
            ("with text as the ErrorCode", fault(fault_code, &error_code("Zebedee Quillfeather"))),
        ] {
            cases.push((format!("{fault_code:?} {form}"), Reply::Bytes(soap(500, &body)), kind, None));
        }
    }
    assert_failures(cases).await;
}

#[tokio::test]
async fn outcome_code_in_fault_is_a_failure() {
    let outcome_in_fault = |fault_code| Reply::Bytes(soap(500, &fault(fault_code, &error_code("WSRC0004"))));
    assert_failures(vec![
        ("an outcome code in a Server fault".into(), outcome_in_fault("soapenv:Server"), BAD_RESPONSE, Some("WSRC0004")),
        ("an outcome code in a Client fault".into(), outcome_in_fault("soapenv:Client"), REJECTED, Some("WSRC0004")),
    ])
    .await;
}

#[tokio::test]
async fn maintenance_response_returns_lrs_maintenance_with_retry_after() {
    let http_verb_fault = fault("soapenv:Server", &exception_detail("").replace("not good", "UnsupportedHttpVerb"));
    let page = |text| format!("<!DOCTYPE html>\n<html lang=\"en\"><body><h1>LRS</h1><p>{text}</p></body></html>");
    let redirect = |status| {
        let head = format!("HTTP/1.1 {status} X\r\nLocation: /LearnerService.svc\r\nContent-Length: 0\r\n\r\n");
        Reply::Bytes(head.into_bytes())
    };
    assert_failures(cases_of(
        MAINTENANCE,
        vec![
            ("405 with LRS's fault about the HTTP method", Reply::Bytes(soap(405, &http_verb_fault))),
            ("500 with the same fault", Reply::Bytes(soap(500, &http_verb_fault))),
            ("405 with a page", Reply::Bytes(http(405, "text/html", page("no").as_bytes()))),
            ("405 without a body", Reply::Bytes(http(405, "", b""))),
            ("302", redirect(302)),
            ("303", redirect(303)),
            ("307", redirect(307)),
            ("a page about maintenance", Reply::Bytes(http(200, "text/html; charset=utf-8", page("Planned MAINTENANCE today").as_bytes()))),
            ("a page about unavailability", Reply::Bytes(http(200, "text/html", page("The service is unavailable.").as_bytes()))),
            ("a page about unavailability with the content type of SOAP", xml_reply(page("Please try again later"))),
        ],
    ))
    .await;
}

#[tokio::test]
async fn permanent_redirect_returns_moved() {
    let redirect = |status, location: &str| {
        Reply::Bytes(format!("HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into_bytes())
    };
    assert_failures(cases_of(
        MOVED,
        vec![
            ("301 to another host", redirect(301, "https://quillfeather.example/Zebedee.svc")),
            ("308 to another path", redirect(308, "/new/LearnerService.svc")),
            ("301 to something that is no address", redirect(301, "Zebedee Quillfeather")),
            ("301 without Location", Reply::Bytes(b"HTTP/1.1 301 X\r\nContent-Length: 0\r\n\r\n".to_vec())),
            ("308 with a page about maintenance", Reply::Bytes(http(308, "text/html", b"<html>maintenance</html>"))),
        ],
    ))
    .await;
}

#[tokio::test]
async fn status_401_or_certificate_page_of_iis_returns_credentials_rejected() {
    let page = |code: &str| {
        let page =
            format!("<html><body><h2>HTTP Error {code} - Forbidden</h2>client certificate required, Zebedee Quillfeather</body></html>");
        Reply::Bytes(http(403, "text/html", page.as_bytes()))
    };
    let mut cases = cases_of(
        CREDENTIALS,
        vec![
            ("401", Reply::Bytes(http(401, "text/html", b"<html><body>Zebedee Quillfeather</body></html>"))),
            ("401 without a body", Reply::Bytes(http(401, "text/html", b""))),
            ("403 of IIS in plain text", Reply::Bytes(http(403, "text/plain", b"HTTP Error 403.7 - Forbidden"))),
        ],
    );
    cases.extend(["403.7", "403.12", "403.13", "403.16", "403.17"].map(|code| (code.to_owned(), page(code), CREDENTIALS, None)));
    assert_failures(cases).await;
}

#[tokio::test]
async fn status_403_for_another_reason_returns_access_blocked() {
    let page =
        |text: &str| Reply::Bytes(http(403, "text/html", format!("<html><body>{text}, Zebedee Quillfeather</body></html>").as_bytes()));
    assert_failures(cases_of(
        ACCESS_BLOCKED,
        vec![
            ("a page of a firewall", page("<h1>Request blocked</h1> Reference: 18.403.7051")),
            ("a page of IIS for another reason", page("<h2>HTTP Error 403.4 - Forbidden: SSL is required</h2>")),
            ("in plain text", Reply::Bytes(http(403, "text/plain", b"Forbidden"))),
            ("without a body", Reply::Bytes(http(403, "text/html", b""))),
        ],
    ))
    .await;
}

/// Replies that say that LRS is overloaded or does not respond, each with a page, with text and without a body.
fn unavailable_replies(statuses: &[u16]) -> Vec<FailureCase> {
    let page = b"<html><head><title>Bad Gateway</title></head><body>Zebedee Quillfeather</body></html>";
    let mut cases = Vec::new();
    for &status in statuses {
        cases.push((format!("{status} with a page"), Reply::Bytes(http(status, "text/html", page)), UNAVAILABLE, None));
        cases.push((format!("{status} in plain text"), Reply::Bytes(http(status, "text/plain", b"upstream failed")), UNAVAILABLE, None));
        cases.push((format!("{status} without a body"), Reply::Bytes(http(status, "", b"")), UNAVAILABLE, None));
    }
    cases
}

#[tokio::test]
async fn intermediary_error_response_returns_unavailable() {
    let mut cases = unavailable_replies(&[408, 429, 502, 503, 504]);
    let maintenance_fault = Reply::Bytes(soap(503, &fault("soapenv:Server", &error_code("WSEC0004"))));
    cases.push(("503 with a fault of LRS".into(), maintenance_fault, MAINTENANCE, Some("WSEC0004")));
    assert_failures(cases).await;
    assert_failures_with(Options { prompt_response: Duration::ZERO, ..Options::default() }, unavailable_replies(&[503])).await;
}

#[tokio::test]
async fn retry_after_of_lrs_reaches_the_caller() {
    let in_two_hours = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(2)).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let cases = [
        (429, "17", "", "lrs_unavailable", 17..=17),
        (503, "90", "", "lrs_unavailable", 90..=90),
        (503, &in_two_hours, "", "lrs_unavailable", 7190..=7200),
        (503, "9999999999", "", "lrs_unavailable", 86_400..=86_400),
        (503, "3600", "<html>Planned maintenance, Zebedee</html>", "lrs_maintenance", 3600..=3600),
        (302, "1800", "", "lrs_maintenance", 1800..=1800),
    ];
    let reply = |(status, retry_after, page, ..): &(u16, &str, &str, _, _)| {
        let length = page.len();
        let head =
            format!("HTTP/1.1 {status} X\r\nRetry-After: {retry_after}\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\r\n");
        Reply::Bytes(format!("{head}{page}").into_bytes())
    };
    // A limit that LRS sets is not tested at once again, whatever `max_retries` is.
    let script = ScriptedLrs::new(Options { max_retries: 2, ..Options::default() }, cases.iter().map(reply).collect::<Vec<_>>());
    for (status, retry_after, _, code, expected) in &cases {
        let answer = script.search().await;
        let problem = answer.problem(503, code);
        let seconds = problem["retryAfterSeconds"].as_u64().expect("a number");
        assert!(expected.contains(&seconds), "{status} {retry_after}: {problem}");
        assert_eq!(answer.header("retry-after"), seconds.to_string());
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(&format!("HTTP status {status}"))), "{problem}");
    }
}

#[tokio::test]
async fn connection_refused_returns_unavailable() {
    let closed_address = std::net::TcpListener::bind(ANY_PORT).expect("a port is free").local_addr().expect("the listener is bound");
    let answer = TestGateway::to(&format!("http://{closed_address}")).caller().post("/v1/learners/find-by-uln", &search()).await;
    let problem = answer.problem(503, "lrs_unavailable");
    assert_eq!((&problem["retryable"], &problem["lrs"], answer.header("retry-after")), (&json!(true), &Value::Null, "30"));
    assert!(!answer.text.contains(&closed_address.to_string()), "{problem}");
}

#[tokio::test]
async fn connection_lost_before_response_returns_unavailable() {
    assert_failures(cases_of(
        UNAVAILABLE,
        vec![
            ("closed before any byte", Reply::ThenClose(Vec::new())),
            ("reset before any byte", Reply::ThenReset(Vec::new())),
            ("closed within the status line", Reply::ThenClose(b"HTTP/1.1 20".to_vec())),
            ("reset within the status line", Reply::ThenReset(b"HTTP/1.1 20".to_vec())),
            ("closed within the headers", Reply::ThenClose(b"HTTP/1.1 200 OK\r\nContent-Ty".to_vec())),
            ("reset within the headers", Reply::ThenReset(b"HTTP/1.1 200 OK\r\nContent-Ty".to_vec())),
        ],
    ))
    .await;
}

#[tokio::test]
async fn invalid_http_response_returns_bad_response_that_names_http() {
    let head = |lines: &str| format!("HTTP/1.1 200 OK\r\n{lines}\r\n").into_bytes();
    let coded = |coding: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n", body.len());
        Reply::Bytes([head.as_bytes(), body].concat())
    };
    let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:X}\r\n{RESPONSE}\r\nZebedee\r\n", RESPONSE.len());
    let replies = [
        ("another protocol", Reply::ThenClose(b"SSH-2.0-OpenSSH_9.6 Zebedee Quillfeather\r\n".to_vec())),
        ("two content lengths", Reply::Bytes(head("Content-Length: 1\r\nContent-Length: 2\r\n"))),
        ("endless headers", Reply::Forever(b"HTTP/1.1 200 OK\r\n".to_vec(), b"X-Header: Zebedee Quillfeather\r\n".to_vec())),
        ("a chunk with an invalid size", Reply::ThenClose(chunked.into_bytes())),
        ("a body that is not gzip", coded("gzip", RESPONSE.as_bytes())),
        ("gzip that ends within its header", coded("GZIP", &[0x1F, 0x8B, 8, 0])),
        ("a coding that the gateway does not ask for", coded("br", RESPONSE.as_bytes())),
        ("two codings of which one is unknown", coded("br, gzip", RESPONSE.as_bytes())),
        ("gzip within gzip", coded("gzip, gzip", RESPONSE.as_bytes())),
    ];
    let (descriptions, replies): (Vec<_>, Vec<_>) = replies.into_iter().unzip();
    let script = ScriptedLrs::new(Options::default(), replies);
    for description in descriptions {
        let answer = script.search().await;
        let problem = answer.problem(502, "lrs_bad_response");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("is not valid HTTP")), "{description}: {problem}");
        assert!(!answer.text.contains("Zebedee"), "{description}: {problem}");
    }
}

#[tokio::test]
async fn kept_alive_connection_lost_is_not_retried() {
    let script = ScriptedLrs::new(
        Options::default(),
        [xml_reply(RESPONSE), Reply::ThenClose(Vec::new()), xml_reply(RESPONSE), Reply::ThenReset(Vec::new())],
    );
    for _ in 0..2 {
        script.search().await.expect_success();
        script.search().await.problem(503, "lrs_unavailable");
    }
    let connections: Vec<_> = script.received().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [0, 0, 1, 1]);
}

#[tokio::test]
async fn connection_lost_within_response_returns_unavailable() {
    let response = http(200, "text/xml", RESPONSE.as_bytes());
    let head_length = response.len() - RESPONSE.len();
    let no_last_chunk = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:X}\r\n{RESPONSE}\r\n", RESPONSE.len());
    assert_failures(cases_of(
        UNAVAILABLE,
        vec![
            ("closed after the headers", Reply::ThenClose(response[..head_length].to_vec())),
            ("reset after the headers", Reply::ThenReset(response[..head_length].to_vec())),
            ("closed within the body", Reply::ThenClose(response[..head_length + 400].to_vec())),
            ("reset within the body", Reply::ThenReset(response[..head_length + 400].to_vec())),
            ("closed before the last byte", Reply::ThenClose(response[..response.len() - 1].to_vec())),
            ("a complete document, but fewer bytes than Content-Length", {
                Reply::ThenClose([b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", RESPONSE.as_bytes()].concat())
            }),
            ("no last chunk", Reply::ThenClose(no_last_chunk.into_bytes())),
        ],
    ))
    .await;
}

#[tokio::test]
async fn unexpected_status_or_page_returns_bad_response() {
    let page = b"<html><body><h1>Welcome, Zebedee Quillfeather</h1></body></html>";
    let mut cases = cases_of(
        BAD_RESPONSE,
        vec![
            ("a page", Reply::Bytes(http(200, "text/html", page))),
            ("a page with the content type of SOAP", xml_reply(page)),
            ("500 with a page", Reply::Bytes(http(500, "text/html", page))),
            ("101", Reply::Bytes(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nZebedee".to_vec())),
            ("204", Reply::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())),
        ],
    );
    for status in [201, 202, 400, 404, 410, 415, 500, 501, 505] {
        cases.push((format!("{status} with a response"), Reply::Bytes(http(status, "text/xml", RESPONSE.as_bytes())), BAD_RESPONSE, None));
        cases.push((format!("{status} without a body"), Reply::Bytes(http(status, "text/xml", b"")), BAD_RESPONSE, None));
        cases.push((format!("{status} in plain text"), Reply::Bytes(http(status, "text/plain", b"Zebedee")), BAD_RESPONSE, None));
    }
    assert_failures(cases).await;
}

#[tokio::test]
async fn response_larger_than_limit_returns_bad_response() {
    let options = Options { max_response_bytes: 64 * 1024, ..Options::default() };
    let padded = format!("{RESPONSE}{}", " ".repeat(64 * 1024));
    // Deflated spaces: each zero byte that follows expands to about a thousand spaces.
    let deflated_spaces = b"\x1F\x8B\x08\0\0\0\0\0\x02\x03\xED\xC1\x31\x01\0\0\0\xC2\xA0\x2A\xEB\x9F\xD2\x0C";
    let gzip_bomb = [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n".as_slice(), deflated_spaces].concat();
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    assert_failures_with(
        options,
        cases_of(
            BAD_RESPONSE,
            vec![
                ("with Content-Length, sent completely", xml_reply(padded)),
                (
                    "with a very large Content-Length",
                    Reply::Forever(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n".to_vec(), vec![b' '; 4096]),
                ),
                ("endless body", Reply::Forever(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b' '; 4096])),
                ("endless chunks", Reply::Forever(chunked, b"8\r\n        \r\n".to_vec())),
                ("an endless page", Reply::Forever(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>".to_vec(), vec![b' '; 4096])),
                ("a gzip bomb", Reply::Forever(gzip_bomb, vec![0; 512])),
            ],
        ),
    )
    .await;
}

#[tokio::test]
async fn incomplete_response_within_timeout_returns_timeout() {
    let options = Options { timeout: Duration::from_millis(300), max_response_bytes: usize::MAX, ..Options::default() };
    let response = http(200, "text/xml", RESPONSE.as_bytes());
    let head_length = response.len() - RESPONSE.len();
    assert_failures_with(
        options,
        cases_of(
            TIMEOUT,
            vec![
                ("no byte", Reply::ThenSilence(Vec::new())),
                ("part of the status line", Reply::ThenSilence(response[..10].to_vec())),
                ("part of the headers", Reply::ThenSilence(response[..30].to_vec())),
                ("the headers", Reply::ThenSilence(response[..head_length].to_vec())),
                ("part of the body", Reply::ThenSilence(response[..head_length + 400].to_vec())),
                ("all but the last byte", Reply::ThenSilence(response[..response.len() - 1].to_vec())),
                ("a complete document without a length", Reply::ThenSilence([b"HTTP/1.1 200 OK\r\n\r\n", RESPONSE.as_bytes()].concat())),
                ("an endless series of single bytes", Reply::Forever(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), b" ".to_vec())),
                ("status 100 and no response", Reply::ThenSilence(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec())),
            ],
        ),
    )
    .await;
}
