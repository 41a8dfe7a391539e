//! Everything LRS and the network can do wrong to a search: each is told apart, none discloses anybody, none is repeated.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::expected_problems::{
    BAD_RESPONSE, CREDENTIALS, ExpectedProblem, MAINTENANCE, REJECTED, TIMEOUT, UNAVAILABLE, assert_failures, assert_failures_with,
    cases_of,
};
use crate::support::fake_server::{Reply, http, soap};
use crate::support::gateway::Options;
use crate::support::scripted_lrs::{ANSWER, ScriptedLrs, response_with, search, xml_reply};
use crate::support::{ANY_PORT, TestGateway};

/// The detail of a fault as LRS writes it, with personal data where LRS quotes the request.
fn exception(code: &str) -> String {
    format!(
        "<ns10:MIAPAPIException xmlns:ns10=\"http://api.lrs.miap.gov.uk/exceptions\">{code}<ErrorActor>Zebedee.validate()</ErrorActor>\
         <Description>not good: Zebedee Quillfeather</Description><FurtherDetails>cvc-pattern-valid: '3000000126'</FurtherDetails>\
         <ErrorTimestamp>2025-03-04 09:15:00</ErrorTimestamp></ns10:MIAPAPIException>"
    )
}

fn error_code(code: &str) -> String {
    exception(&format!("<ErrorCode>{code}</ErrorCode>"))
}

fn fault(fault_code: &str, detail: &str) -> String {
    format!(
        "<soapenv:Fault><faultcode>{fault_code}</faultcode><faultstring xml:lang=\"en-GB\">Zebedee Quillfeather</faultstring>\
         <faultactor>urn:3000000126</faultactor><detail>{detail}</detail></soapenv:Fault>"
    )
}

/// Every documented error code, and one that is not.
const CODES: [(&str, ExpectedProblem); 8] = [
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
async fn every_error_code_means_the_same_however_lrs_writes_its_fault() {
    let mut cases = Vec::new();
    for (code, kind) in CODES {
        let unqualified = fault("soapenv:Server", &error_code(code));
        let qualified = unqualified.replace("ns10:MIAPAPIException", "MIAPAPIException").replace("xmlns:ns10", "xmlns");
        let prefixed = ["ErrorCode", "ErrorActor", "Description", "FurtherDetails", "ErrorTimestamp"]
            .iter()
            .fold(unqualified.replace("ns10", "ex").replace("soapenv:Server", "Server"), |xml, name| {
                xml.replace(&format!("<{name}>"), &format!("<ex:{name}>")).replace(&format!("</{name}>"), &format!("</ex:{name}>"))
            });
        let domain = fault(
            "soapenv:Client",
            &format!(
                "<DomainFault xmlns=\"http://api.lrs.qcf.gov.uk/faults\" xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\">\
                 <ErrorCode>\n {code} </ErrorCode><ErrorDetail i:nil=\"true\"/></DomainFault>"
            ),
        );
        let among_others =
            fault("soapenv:Server", &format!("<x:Trace xmlns:x=\"urn:x\"><ErrorCode>WSEC0005</ErrorCode></x:Trace>{}", error_code(code)));
        let answer = response_with("<ResponseCode>WSRC0004", &format!("<ResponseCode>{code}"));
        for (shape, reply) in [
            ("unqualified", Reply::Bytes(soap(500, &unqualified))),
            ("qualified", Reply::Bytes(soap(500, &qualified))),
            ("with another prefix", Reply::Bytes(soap(500, &prefixed))),
            ("as a DomainFault", Reply::Bytes(soap(500, &domain))),
            ("beside details of others", Reply::Bytes(soap(500, &among_others))),
            ("with HTTP 200", Reply::Bytes(soap(200, &unqualified))),
            ("with HTTP 400", Reply::Bytes(soap(400, &unqualified))),
            ("as the code of an answer, with a learner", xml_reply(answer)),
        ] {
            cases.push((format!("{code} {shape}"), reply, kind, Some(code)));
        }
    }
    assert_failures(cases).await;
}

#[tokio::test]
async fn a_fault_without_an_error_code_says_by_its_fault_code_whose_it_is() {
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
        let nil = exception("<ErrorCode xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" i:nil=\"true\"/>");
        for (shape, body) in [
            ("without a detail", no_detail),
            ("with an empty detail", fault(fault_code, "")),
            ("with details of others", fault(fault_code, "<x:Trace xmlns:x=\"urn:x\">Zebedee</x:Trace>")),
            ("without ErrorCode", fault(fault_code, &exception(""))),
            ("with an empty ErrorCode", fault(fault_code, &error_code(" "))),
            ("with a nil ErrorCode", fault(fault_code, &nil)),
            ("with a text for an ErrorCode", fault(fault_code, &error_code("Zebedee Quillfeather"))),
        ] {
            cases.push((format!("{fault_code:?} {shape}"), Reply::Bytes(soap(500, &body)), kind, None));
        }
    }
    assert_failures(cases).await;
}

#[tokio::test]
async fn an_outcome_is_no_fault_and_a_fault_no_outcome() {
    let outcome = |fault_code| Reply::Bytes(soap(500, &fault(fault_code, &error_code("WSRC0004"))));
    assert_failures(vec![
        ("an outcome's code in a Server fault".into(), outcome("soapenv:Server"), BAD_RESPONSE, Some("WSRC0004")),
        ("an outcome's code in a Client fault".into(), outcome("soapenv:Client"), REJECTED, Some("WSRC0004")),
    ])
    .await;
}

#[tokio::test]
async fn lrs_in_maintenance_is_told_with_the_time_to_return() {
    let verb = fault("soapenv:Server", &exception("").replace("not good", "UnsupportedHttpVerb"));
    let page = |words| format!("<!DOCTYPE html>\n<html lang=\"en\"><body><h1>LRS</h1><p>{words}</p></body></html>");
    let moved = |status| {
        let head = format!("HTTP/1.1 {status} X\r\nLocation: /LearnerService.svc\r\nContent-Length: 0\r\n\r\n");
        Reply::Bytes(head.into_bytes())
    };
    assert_failures(cases_of(
        MAINTENANCE,
        vec![
            ("405 with LRS's fault about the method", Reply::Bytes(soap(405, &verb))),
            ("500 with the same fault", Reply::Bytes(soap(500, &verb))),
            ("405 with a page", Reply::Bytes(http(405, "text/html", page("no").as_bytes()))),
            ("405 without a body", Reply::Bytes(http(405, "", b""))),
            ("301", moved(301)),
            ("302", moved(302)),
            ("303", moved(303)),
            ("307", moved(307)),
            ("308", moved(308)),
            ("a page about maintenance", Reply::Bytes(http(200, "text/html; charset=utf-8", page("Planned MAINTENANCE today").as_bytes()))),
            ("a page about closing times", Reply::Bytes(http(200, "text/html", page("The service is unavailable.").as_bytes()))),
            ("the same page under SOAP's content type", xml_reply(page("Please try again later"))),
        ],
    ))
    .await;
}

#[tokio::test]
async fn web_servers_that_refuse_the_certificate_refuse_the_credentials() {
    let page = b"<html><body>403.7 - Forbidden: client certificate required, Zebedee Quillfeather</body></html>";
    assert_failures(cases_of(
        CREDENTIALS,
        vec![
            ("401", Reply::Bytes(http(401, "text/html", page))),
            ("403", Reply::Bytes(http(403, "text/html", page))),
            ("401 without a body", Reply::Bytes(http(401, "text/html", b""))),
            ("403 in plain text", Reply::Bytes(http(403, "text/plain", b"Forbidden"))),
        ],
    ))
    .await;
}

#[tokio::test]
async fn what_stands_before_an_unreachable_lrs_is_not_lrs() {
    let page = b"<html><head><title>Bad Gateway</title></head><body>Zebedee Quillfeather</body></html>";
    let mut cases = Vec::new();
    for status in [502, 503, 504] {
        cases.push((format!("{status} with a page"), Reply::Bytes(http(status, "text/html", page)), UNAVAILABLE, None));
        cases.push((format!("{status} in plain text"), Reply::Bytes(http(status, "text/plain", b"upstream failed")), UNAVAILABLE, None));
        cases.push((format!("{status} without a body"), Reply::Bytes(http(status, "", b"")), UNAVAILABLE, None));
    }
    for status in [408, 429] {
        cases.push((format!("{status} with a page"), Reply::Bytes(http(status, "text/html", page)), UNAVAILABLE, None));
        cases.push((format!("{status} without a body"), Reply::Bytes(http(status, "", b"")), UNAVAILABLE, None));
    }
    let closed = Reply::Bytes(soap(503, &fault("soapenv:Server", &error_code("WSEC0004"))));
    cases.push(("503 with a fault of LRS".into(), closed, MAINTENANCE, Some("WSEC0004")));
    assert_failures(cases).await;
}

#[tokio::test]
async fn lrs_that_cannot_be_reached_is_unavailable() {
    let port = std::net::TcpListener::bind(ANY_PORT).expect("a free port").local_addr().expect("bound");
    let answer = TestGateway::to(&format!("http://{port}")).caller().post("/v1/learners/find-by-uln", &search()).await;
    let problem = answer.problem(503, "lrs_unavailable");
    assert_eq!((&problem["retryable"], &problem["lrs"], answer.header("retry-after")), (&json!(true), &Value::Null, "30"));
    assert!(!answer.text.contains(&port.to_string()), "{problem}");
}

#[tokio::test]
async fn a_connection_that_brings_no_http_answer_is_unavailable() {
    let head = |lines: &str| format!("HTTP/1.1 200 OK\r\n{lines}\r\n").into_bytes();
    assert_failures(cases_of(
        UNAVAILABLE,
        vec![
            ("closed before any byte", Reply::ThenClose(Vec::new())),
            ("reset before any byte", Reply::ThenReset(Vec::new())),
            ("closed in the status line", Reply::ThenClose(b"HTTP/1.1 20".to_vec())),
            ("reset in the status line", Reply::ThenReset(b"HTTP/1.1 20".to_vec())),
            ("closed in the headers", Reply::ThenClose(b"HTTP/1.1 200 OK\r\nContent-Ty".to_vec())),
            ("reset in the headers", Reply::ThenReset(b"HTTP/1.1 200 OK\r\nContent-Ty".to_vec())),
            ("another protocol", Reply::ThenClose(b"SSH-2.0-OpenSSH_9.6 Zebedee Quillfeather\r\n".to_vec())),
            ("two lengths", Reply::Bytes(head("Content-Length: 1\r\nContent-Length: 2\r\n"))),
            ("headers without an end", Reply::Forever(b"HTTP/1.1 200 OK\r\n".to_vec(), b"X-Header: Zebedee Quillfeather\r\n".to_vec())),
        ],
    ))
    .await;
}

#[tokio::test]
async fn a_kept_connection_that_breaks_is_not_tried_again_behind_the_callers_back() {
    let script = ScriptedLrs::new(
        Options::default(),
        [xml_reply(ANSWER), Reply::ThenClose(Vec::new()), xml_reply(ANSWER), Reply::ThenReset(Vec::new())],
    );
    for _ in 0..2 {
        script.search().await.expect_success();
        script.search().await.problem(503, "lrs_unavailable");
    }
    let connections: Vec<_> = script.received().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [0, 0, 1, 1]);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_bad_response() {
    let whole = http(200, "text/xml", ANSWER.as_bytes());
    let head = whole.len() - ANSWER.len();
    let chunk =
        |rest: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:X}\r\n{ANSWER}\r\n{rest}", ANSWER.len()).into_bytes();
    let gzip = |body: &[u8]| {
        [format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
    };
    assert_failures(cases_of(
        BAD_RESPONSE,
        vec![
            ("closed after the headers", Reply::ThenClose(whole[..head].to_vec())),
            ("reset after the headers", Reply::ThenReset(whole[..head].to_vec())),
            ("closed in the body", Reply::ThenClose(whole[..head + 400].to_vec())),
            ("reset in the body", Reply::ThenReset(whole[..head + 400].to_vec())),
            ("closed one byte too soon", Reply::ThenClose(whole[..whole.len() - 1].to_vec())),
            ("a whole document, but fewer bytes than announced", {
                Reply::ThenClose([b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", ANSWER.as_bytes()].concat())
            }),
            ("no last chunk", Reply::ThenClose(chunk(""))),
            ("a chunk of no size", Reply::ThenClose(chunk("Zebedee\r\n"))),
            ("gzip that is none", Reply::Bytes(gzip(ANSWER.as_bytes()))),
            ("gzip that ends in its header", Reply::Bytes(gzip(&[0x1F, 0x8B, 8, 0]))),
        ],
    ))
    .await;
}

#[tokio::test]
async fn statuses_and_pages_that_are_no_answer_are_a_bad_response() {
    let page = b"<html><body><h1>Welcome, Zebedee Quillfeather</h1></body></html>";
    let mut cases = cases_of(
        BAD_RESPONSE,
        vec![
            ("a page", Reply::Bytes(http(200, "text/html", page))),
            ("a page under SOAP's content type", xml_reply(page)),
            ("500 with a page", Reply::Bytes(http(500, "text/html", page))),
            ("101", Reply::Bytes(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nZebedee".to_vec())),
            ("204", Reply::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())),
        ],
    );
    for status in [201, 202, 400, 404, 410, 415, 500, 501, 505] {
        cases.push((format!("{status} with an answer"), Reply::Bytes(http(status, "text/xml", ANSWER.as_bytes())), BAD_RESPONSE, None));
        cases.push((format!("{status} without a body"), Reply::Bytes(http(status, "text/xml", b"")), BAD_RESPONSE, None));
        cases.push((format!("{status} in plain text"), Reply::Bytes(http(status, "text/plain", b"Zebedee")), BAD_RESPONSE, None));
    }
    assert_failures(cases).await;
}

#[tokio::test]
async fn an_answer_larger_than_the_limit_is_a_bad_response() {
    let options = Options { max_response_bytes: 64 * 1024, ..Options::default() };
    let padded = format!("{ANSWER}{}", " ".repeat(64 * 1024));
    // Deflated spaces: after these bytes, every byte of zeros is another thousand of them.
    let deflated_spaces = b"\x1F\x8B\x08\0\0\0\0\0\x02\x03\xED\xC1\x31\x01\0\0\0\xC2\xA0\x2A\xEB\x9F\xD2\x0C";
    let bomb = [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n".as_slice(), deflated_spaces].concat();
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    assert_failures_with(
        options,
        cases_of(
            BAD_RESPONSE,
            vec![
                ("announced and sent", xml_reply(padded)),
                (
                    "announced as endless",
                    Reply::Forever(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n".to_vec(), vec![b' '; 4096]),
                ),
                ("endless", Reply::Forever(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b' '; 4096])),
                ("endless chunks", Reply::Forever(chunked, b"8\r\n        \r\n".to_vec())),
                ("an endless page", Reply::Forever(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>".to_vec(), vec![b' '; 4096])),
                ("little that unpacks to much", Reply::Forever(bomb, vec![0; 512])),
            ],
        ),
    )
    .await;
}

#[tokio::test]
async fn lrs_that_does_not_come_to_an_end_in_time_is_a_timeout() {
    let options = Options { timeout: Duration::from_millis(300), max_response_bytes: usize::MAX, ..Options::default() };
    let whole = http(200, "text/xml", ANSWER.as_bytes());
    let head = whole.len() - ANSWER.len();
    assert_failures_with(
        options,
        cases_of(
            TIMEOUT,
            vec![
                ("silence", Reply::ThenSilence(Vec::new())),
                ("half a status line", Reply::ThenSilence(whole[..10].to_vec())),
                ("half of the headers", Reply::ThenSilence(whole[..30].to_vec())),
                ("headers", Reply::ThenSilence(whole[..head].to_vec())),
                ("half an answer", Reply::ThenSilence(whole[..head + 400].to_vec())),
                ("all but the last byte", Reply::ThenSilence(whole[..whole.len() - 1].to_vec())),
                ("a whole document whose end is not told", Reply::ThenSilence([b"HTTP/1.1 200 OK\r\n\r\n", ANSWER.as_bytes()].concat())),
                ("byte after byte", Reply::Forever(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), b" ".to_vec())),
                ("a 100 and no answer", Reply::ThenSilence(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec())),
            ],
        ),
    )
    .await;
}
