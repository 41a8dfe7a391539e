//! Classifies HTTP responses: a typed response of LRS, a SOAP fault, or a response of an intermediary such as a maintenance page.

use crate::lrs::error::LrsError;
use crate::lrs::exchange::RawResponse;
use crate::lrs::irregularities;
use crate::lrs::operation::{LrsResponse as _, Operation};
use crate::lrs::soap::{Fault, SoapError, read_body};
use crate::xml::{XmlError, XmlRecord as _, decode};

/// Number of bytes at the start of a body in which HTML is detected.
const HTML_DETECTION_BYTES: usize = 512;
/// Number of bytes at the start of a web page in which a text about maintenance is searched.
const MAINTENANCE_TEXT_BYTES: usize = 64 * 1024;

const NOT_SOAP: &str = "the body is not a usable SOAP message";
const NOT_A_FAULT: &str = "the body is a SOAP response instead of a fault";
const WEB_PAGE: &str = "the body is a web page instead of a SOAP message";

/// Decodes an HTTP response as the response to this request.
///
/// # Errors
/// Returns the classified error if the body is not the operation's response, reports an error, or contradicts the request.
pub fn classify_response<O: Operation>(operation: &O, raw: &RawResponse) -> Result<O::Response, LrsError> {
    let effect = operation.effect();
    let response = parse_response::<O>(raw.status, raw.content_type(), &raw.body).map_err(|error| match error {
        // LRS can reject a read for few reasons only. Any other code in a fault is an error of LRS.
        LrsError::Rejected(rejection, code) if !effect.can_be_rejected_for(rejection) => LrsError::ServiceFailed(Some(code)),
        error => error,
    })?;
    match response.code().and_then(LrsError::from_code) {
        // In a response to a read, such a code is passed on like an undocumented outcome.
        Some(LrsError::Rejected(rejection, _)) if !effect.can_be_rejected_for(rejection) => {}
        Some(_) if response.is_executed() => {}
        Some(error) => return Err(error),
        None => {}
    }
    operation.check_response(&response).map_err(LrsError::InconsistentResponse)?;
    Ok(response)
}

/// Reads an HTTP response as the response of an operation.
///
/// # Errors
/// Returns the classified error if the body is a fault, or is not the operation's response.
pub fn parse_response<O: Operation>(status: u16, content_type: &str, body: &[u8]) -> Result<O::Response, LrsError> {
    if let Some(error) = intermediary_response(status, content_type, body) {
        return Err(error);
    }
    match read_soap::<O>(body) {
        Ok(Ok(response)) if status == 200 => Ok(response),
        Ok(Ok(_)) => Err(LrsError::UnexpectedHttpResponse { status, body: NOT_A_FAULT }),
        Ok(Err(fault)) => Err(LrsError::from_fault(fault)),
        // LRS sends its own errors as status 500 with a fault. Status 500 without SOAP comes from an intermediary.
        Err(SoapError::Xml(XmlError::Empty | XmlError::Malformed) | SoapError::NotSoap) if status == 500 => {
            Err(LrsError::UnexpectedHttpResponse { status, body: NOT_SOAP })
        }
        Err(error) => Err(status_error(status).unwrap_or(LrsError::InvalidResponse(error))),
    }
}

fn read_soap<O: Operation>(body: &[u8]) -> Result<Result<O::Response, Fault>, SoapError> {
    read_body(decode(body)?, |reader, start| {
        let content = match start.name() {
            "Fault" => Fault::read(reader, start).map(Err).map_err(SoapError::from),
            name if name == O::RESPONSE_ELEMENT => O::Response::read(reader).map(Ok).map_err(SoapError::from),
            _ => Err(SoapError::UnexpectedBody(O::RESPONSE_ELEMENT)),
        };
        irregularities::record(O::NAME, reader.irregularities());
        content
    })
}

/// Returns the error if an intermediary responded instead of LRS, with a redirect or a web page (LRS-CONTRACT 7.4).
fn intermediary_response(status: u16, content_type: &str, body: &[u8]) -> Option<LrsError> {
    // A redirect leads to a maintenance page; a page that has replaced LRS rejects POST.
    if matches!(status, 300..=399 | 405) {
        return Some(LrsError::Maintenance(None));
    }
    if !is_web_page(content_type, body) {
        return None;
    }
    if mentions_maintenance(status, body) {
        return Some(if status == 200 { LrsError::Maintenance(None) } else { LrsError::IntermediaryMaintenance });
    }
    Some(status_error(status).unwrap_or(LrsError::UnexpectedHttpResponse { status, body: WEB_PAGE }))
}

/// Returns the error that an HTTP status stands for if the body contains no more information; `None` for the statuses of SOAP.
const fn status_error(status: u16) -> Option<LrsError> {
    match status {
        // Web servers check the client certificate before SOAP starts.
        401 | 403 => Some(LrsError::CredentialsRejected(None)),
        408 | 429 | 502..=504 => Some(LrsError::ConnectionLost),
        200 | 500 => None,
        _ => Some(LrsError::UnexpectedHttpResponse { status, body: NOT_SOAP }),
    }
}

fn is_web_page(content_type: &str, body: &[u8]) -> bool {
    let start = lowercase_start(body, HTML_DETECTION_BYTES);
    let start = start.trim_start_matches('\u{feff}').trim_start();
    start.starts_with("<!doctype html")
        || start.contains("<html")
        || (content_type.to_ascii_lowercase().contains("html") && !start.contains("envelope"))
}

/// Returns `true` if a web page is about maintenance. The word “unavailable” counts with status 200 only, because error pages contain it
/// on any day.
fn mentions_maintenance(status: u16, body: &[u8]) -> bool {
    const WITH_ANY_STATUS: [&str; 3] = ["maintenance", "out of hours", "unsupportedhttpverb"];
    const WITH_STATUS_200: [&str; 3] = ["unavailable", "not available", "try again later"];
    let page = lowercase_start(body, MAINTENANCE_TEXT_BYTES);
    let contains_any = |texts: &[&str]| texts.iter().any(|text| page.contains(text));
    contains_any(&WITH_ANY_STATUS) || (status == 200 && contains_any(&WITH_STATUS_200))
}

fn lowercase_start(body: &[u8], max_bytes: usize) -> String {
    String::from_utf8_lossy(&body[..body.len().min(max_bytes)]).to_ascii_lowercase()
}
