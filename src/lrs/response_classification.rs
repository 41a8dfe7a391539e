//! Classifies HTTP responses: a typed response of LRS, a SOAP fault, or a response of an intermediary such as a maintenance page.

use crate::lrs::error::LrsError;
use crate::lrs::intermediary_response::{ResponseHead, intermediary_error, status_error};
use crate::lrs::irregularities;
use crate::lrs::operation::{LrsResponse as _, Operation};
use crate::lrs::soap::{Fault, SoapError, read_body};
use crate::xml::{XmlError, XmlRecord as _, decode};

const NOT_SOAP: &str = "the body is not a usable SOAP message";
const NOT_A_FAULT: &str = "the body is a SOAP response instead of a fault";

/// Decodes an HTTP response as the response to this request.
///
/// # Errors
/// Returns the classified error if the body is not the operation's response, reports an error, or contradicts the request.
pub fn classify_response<O: Operation>(operation: &O, head: &ResponseHead<'_>, body: &[u8]) -> Result<O::Response, LrsError> {
    let effect = operation.effect();
    let response = read_response::<O>(head, body).map_err(|error| match error {
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
    read_response::<O>(&ResponseHead { status, content_type, ..ResponseHead::default() }, body)
}

fn read_response<O: Operation>(head: &ResponseHead<'_>, body: &[u8]) -> Result<O::Response, LrsError> {
    if let Some(error) = intermediary_error(head, body) {
        return Err(error);
    }
    let status = head.status;
    match read_soap::<O>(body) {
        Ok(Ok(response)) if status == 200 => Ok(response),
        Ok(Ok(_)) => Err(LrsError::UnexpectedHttpResponse { status, body: NOT_A_FAULT }),
        Ok(Err(fault)) => Err(LrsError::from_fault(fault)),
        // LRS sends its own errors as status 500 with a fault. Status 500 without SOAP comes from an intermediary.
        Err(SoapError::Xml(XmlError::Empty | XmlError::Malformed) | SoapError::NotSoap) if status == 500 => {
            Err(LrsError::UnexpectedHttpResponse { status, body: NOT_SOAP })
        }
        Err(error) => Err(status_error(head, body).unwrap_or(LrsError::InvalidResponse(error))),
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
