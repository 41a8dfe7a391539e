//! Recognises responses that a server in LRS's place gives, such as a maintenance page, a firewall or a proxy (LRS-CONTRACT 7.4).

use std::time::Duration;

use memchr::memchr2_iter;

use crate::lrs::error::{CertificateRejection, LrsError};
use crate::lrs::http_client::connect_failure::ConnectFailure;

/// Number of bytes at the start of a body in which HTML is detected.
const HTML_DETECTION_BYTES: usize = 512;
/// Number of bytes at the start of a web page in which a text is searched.
const PAGE_SEARCH_BYTES: usize = 64 * 1024;

/// IIS's numbers of the reasons why it rejects a client certificate. IIS accepts every certificate in the handshake, then rejects it with a
/// page.
const IIS_CERTIFICATE_CODES: [&str; 5] = ["403.7", "403.12", "403.13", "403.16", "403.17"];

const NOT_SOAP: &str = "the body is not a usable SOAP message";
const WEB_PAGE: &str = "the body is a web page instead of a SOAP message";

/// The head of an HTTP response, as far as it says who responded and why.
#[derive(Debug, Default)]
pub struct ResponseHead<'r> {
    /// The HTTP status.
    pub status: u16,
    /// The media type; empty if the header is missing.
    pub content_type: &'r str,
    /// The time in the header `Retry-After`.
    pub retry_after: Option<Duration>,
    /// Scheme, host and port of the address in the header `Location`.
    pub location_origin: Option<String>,
    /// `true` if the response came so late that a proxy may have lost patience with LRS.
    pub is_late: bool,
}

/// Returns the error if a redirect or a web page came instead of LRS's response.
pub fn intermediary_error(head: &ResponseHead<'_>, body: &[u8]) -> Option<LrsError> {
    let ResponseHead { status, retry_after, .. } = *head;
    match status {
        301 | 308 => return Some(LrsError::Moved { status, origin: head.location_origin.clone() }),
        // A temporary redirect leads to a maintenance page; a page that has replaced LRS rejects POST.
        300..=399 | 405 => return Some(LrsError::IntermediaryMaintenance { status, retry_after, may_be_executed: false }),
        // Only a proxy of the gateway's own side asks for a login this way.
        407 => return Some(LrsError::Unreachable(ConnectFailure::ProxyLoginRequired)),
        _ => {}
    }
    if !is_web_page(head.content_type, body) {
        return None;
    }
    if iis_certificate_code(status, body).is_none() && mentions_maintenance(status, body) {
        let is_refusal = !head.is_late && matches!(status, 200 | 401 | 403 | 429 | 503);
        return Some(LrsError::IntermediaryMaintenance { status, retry_after, may_be_executed: !is_refusal });
    }
    Some(status_error(head, body).unwrap_or(LrsError::UnexpectedHttpResponse { status, body: WEB_PAGE }))
}

/// Returns the error that an HTTP status stands for if the body contains no SOAP message; `None` for the statuses of SOAP.
pub fn status_error(head: &ResponseHead<'_>, body: &[u8]) -> Option<LrsError> {
    let ResponseHead { status, retry_after, .. } = *head;
    Some(match status {
        200 | 500 => return None,
        // Web servers check the client certificate before SOAP starts.
        401 => LrsError::CertificateRejected(CertificateRejection::Unauthorised),
        403 => iis_certificate_code(status, body)
            .map_or(LrsError::AccessBlocked { status }, |code| LrsError::CertificateRejected(CertificateRejection::IisPage(code))),
        429 => LrsError::Throttled { status, retry_after },
        // By RFC 9110 the request was not processed. A late one may mean that a proxy waited for LRS in vain.
        503 if !head.is_late && !lost_connection_to_lrs(body) => LrsError::Throttled { status, retry_after },
        408 | 502..=504 => LrsError::IntermediaryFailed { status },
        _ => LrsError::UnexpectedHttpResponse { status, body: NOT_SOAP },
    })
}

/// Returns IIS's own status if it rejects the client certificate with this page.
pub fn iis_certificate_code(status: u16, page: &[u8]) -> Option<&'static str> {
    if status != 403 {
        return None;
    }
    let page = lowercase_start(page, PAGE_SEARCH_BYTES);
    let is_part_of_number = |c: char| c.is_ascii_digit() || c == '.';
    // The code must be a whole number: 403.70 and 1403.7 are something else. A full stop may follow it.
    let has_code = |code: &str| {
        page.match_indices(code)
            .any(|(at, _)| !page[..at].ends_with(is_part_of_number) && !page[at + code.len()..].starts_with(|c: char| c.is_ascii_digit()))
    };
    IIS_CERTIFICATE_CODES.into_iter().find(|code| has_code(code))
}

/// Returns `true` for the text with which Envoy reports that its connection to LRS broke after it had passed the request on.
fn lost_connection_to_lrs(body: &[u8]) -> bool {
    let text = lowercase_start(body, HTML_DETECTION_BYTES);
    text.contains("disconnect/reset before headers") && !text.contains("connection failure")
}

fn is_web_page(content_type: &str, body: &[u8]) -> bool {
    let start = &body[..body.len().min(HTML_DETECTION_BYTES)];
    is_html_document(start) || (contains_ignoring_case(content_type.as_bytes(), b"html") && !contains_ignoring_case(start, b"envelope"))
}

/// Returns `true` if the text has the tag of HTML, or begins with its document type.
fn is_html_document(start: &[u8]) -> bool {
    // Fewer letters are an H than tags begin.
    let has_tag = memchr2_iter(b'h', b'H', start).any(|at| start[..at].ends_with(b"<") && starts_with_ignoring_case(&start[at..], b"html"));
    let text = String::from_utf8_lossy(start);
    has_tag || starts_with_ignoring_case(text.trim_start_matches('\u{feff}').trim_start().as_bytes(), b"<!doctype html")
}

fn starts_with_ignoring_case(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start))
}

fn contains_ignoring_case(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

/// Returns `true` if a web page is about maintenance. The word “unavailable” counts with status 200 only, because error pages contain it
/// on any day.
fn mentions_maintenance(status: u16, body: &[u8]) -> bool {
    const WITH_ANY_STATUS: [&str; 3] = ["maintenance", "out of hours", "unsupportedhttpverb"];
    const WITH_STATUS_200: [&str; 3] = ["unavailable", "not available", "try again later"];
    let page = lowercase_start(body, PAGE_SEARCH_BYTES);
    let contains_any = |texts: &[&str]| texts.iter().any(|text| page.contains(text));
    contains_any(&WITH_ANY_STATUS) || (status == 200 && contains_any(&WITH_STATUS_200))
}

fn lowercase_start(body: &[u8], max_bytes: usize) -> String {
    String::from_utf8_lossy(&body[..body.len().min(max_bytes)]).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_page_is_recognised_at_its_start_or_by_its_media_type() {
        let page = |text: &str| is_web_page("text/xml", text.as_bytes());
        let spaces = " ".repeat(HTML_DETECTION_BYTES - 5);
        for text in ["<HTML>", "x<html lang='en'>", "\u{feff} \r\n<!DocType HTML>", "\u{a0}<!doctype html", &format!("{spaces}<html")] {
            assert!(page(text), "{text}");
        }
        for text in ["", "<htm", "html>", "x<!doctype html>", "<a/><!doctype html>", "<!doctype xhtml>", &format!("{spaces} <html")] {
            assert!(!page(text), "{text}");
        }
        assert!(is_web_page("Text/HTML; charset=utf-8", b"maintenance"));
        assert!(!is_web_page("text/html", b"<s:ENVELOPE>"));
    }

    #[test]
    fn iis_certificate_code_whole_numbers_of_status_403_only() {
        let page = |code: &str| format!("<h2>HTTP Error {code} - Forbidden</h2>").into_bytes();
        for code in IIS_CERTIFICATE_CODES {
            assert_eq!(iis_certificate_code(403, &page(code)), Some(code));
        }
        assert_eq!(iis_certificate_code(403, b"<title>The error is 403.7.</title>"), Some("403.7"));
        for (status, code) in
            [(403, "403.1"), (403, "403.70"), (403, "403.4"), (403, "1403.7"), (403, "10.403.7"), (403, "403"), (200, "403.7")]
        {
            assert_eq!(iis_certificate_code(status, &page(code)), None, "{status} {code}");
        }
    }
}
