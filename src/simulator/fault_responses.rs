//! The responses of injected faults: pages instead of SOAP, incomplete responses, and connection resets.

use std::io::Error;
use std::time::Duration;

use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use uuid::Uuid;

use crate::lrs::Service;
use crate::simulator::connection::reset;
use crate::simulator::fault::Fault;
use crate::simulator::pages::{html_page, maintenance_page, maintenance_redirect};
use crate::simulator::scenario::FaultStep;
use crate::simulator::services::{external, learner_r9};
use crate::simulator::soap_faults::fault;
use crate::simulator::soap_response::{SOAP_MEDIA_TYPE, SoapResponse};
use crate::simulator::timestamps::current_utc_time;
use crate::xml::Element;

/// LRS's code outside its opening hours.
const OUT_OF_HOURS: &str = "WSEC0004";

/// Time between the last byte of an incomplete response and the end of its connection, so that the bytes leave first.
const DISCONNECT_DELAY: Duration = Duration::from_millis(20);

/// A body that claims to be XML, but has neither valid characters nor valid tags.
const GARBAGE: &[u8] = b"\x1f\x8b\x08\x00 <<FindLearnerResponse & \xff\xfe\xc3\x28 ]]> </Envelope \x00 ResponseCode=WSRC0004";

/// Returns the response of a fault that does not execute the operation. `message` is `None` if the request is unreadable.
pub fn response_without_execution(step: &FaultStep, request: &HttpRequest, service: Service, message: Option<&Element>) -> HttpResponse {
    match step.fault {
        Fault::MaintenancePage => maintenance_page(),
        Fault::MaintenanceRedirect => maintenance_redirect(),
        Fault::Maintenance405 => unsupported_verb_page(),
        Fault::OutOfHours => out_of_hours(service, message).into_http(),
        Fault::Unavailable => html_page(StatusCode::SERVICE_UNAVAILABLE, "Service unavailable", "The service is unavailable."),
        Fault::SoapFault => fault(service, step.code.as_deref().unwrap_or_default()).into_http(),
        // Refuse and ResetBefore. The other faults execute the operation.
        _ => reset(request),
    }
}

/// Returns the response of a fault that executes the operation.
pub fn response_after_execution(step: &FaultStep, request: &HttpRequest, response: SoapResponse) -> HttpResponse {
    match step.fault {
        Fault::ResetAfter => reset(request),
        Fault::Garbage => HttpResponse::Ok().insert_header((CONTENT_TYPE, SOAP_MEDIA_TYPE)).body(GARBAGE),
        Fault::Truncated => {
            let half = response.xml.len() / 2;
            truncated(response, half)
        }
        Fault::SlowDrip => byte_by_byte(response, step.delay()),
        _ => response.into_http(),
    }
}

/// Returns the headers of a response and its first `sent_bytes` bytes, followed by the end of the connection.
pub fn truncated(SoapResponse { status, xml }: SoapResponse, sent_bytes: usize) -> HttpResponse {
    let length = xml.len() as u64;
    let sent = Some(Bytes::from(xml).slice(..sent_bytes)).filter(|sent| !sent.is_empty());
    let chunks = stream::unfold(sent, |sent| async move {
        if let Some(sent) = sent {
            return Some((Ok(sent), None));
        }
        tokio::time::sleep(DISCONNECT_DELAY).await;
        Some((Err(Error::other("response truncated as the scenario says")), None))
    });
    HttpResponse::build(status).insert_header((CONTENT_TYPE, SOAP_MEDIA_TYPE)).body(SizedStream::new(length, Box::pin(chunks)))
}

/// Returns a response with a delay before each byte.
fn byte_by_byte(SoapResponse { status, xml }: SoapResponse, delay: Duration) -> HttpResponse {
    let length = xml.len() as u64;
    let chunks = stream::unfold(Bytes::from(xml), move |mut remaining| async move {
        if remaining.is_empty() {
            return None;
        }
        tokio::time::sleep(delay).await;
        Some((Ok::<_, Error>(remaining.split_to(1)), remaining))
    });
    HttpResponse::build(status).insert_header((CONTENT_TYPE, SOAP_MEDIA_TYPE)).body(SizedStream::new(length, Box::pin(chunks)))
}

/// Returns the response outside opening hours.
///
/// The learner service sends a fault. The other services send a response code, or a fault if the request is not one of their operations.
fn out_of_hours(service: Service, message: Option<&Element>) -> SoapResponse {
    let xml = message.and_then(|message| match service {
        Service::Learner => None,
        Service::LearnerR9 => learner_r9::rejection(message, OUT_OF_HOURS),
        Service::External => external::rejection(message, OUT_OF_HOURS),
    });
    xml.map_or_else(|| fault(service, OUT_OF_HOURS), SoapResponse::ok)
}

/// Returns the error page of a static web site that accepts `GET` only, which LRS's address led to while LRS was closed (LRS-CONTRACT 7.4).
fn unsupported_verb_page() -> HttpResponse {
    let (request_id, time) = (Uuid::new_v4(), current_utc_time());
    let html = format!(
        "<!DOCTYPE html><html><head><title>UnsupportedHttpVerb</title></head><body><h1>This site does not accept the HTTP verb of the \
         request.</h1><ul><li>HttpStatusCode: 405</li><li>ErrorCode: UnsupportedHttpVerb</li><li>RequestId : {request_id}</li>\
         <li>TimeStamp : {time}</li></ul></body></html>"
    );
    HttpResponse::MethodNotAllowed()
        .insert_header((CONTENT_TYPE, "text/html"))
        .insert_header(("x-ms-error-code", "UnsupportedHttpVerb"))
        .insert_header(("x-ms-request-id", request_id.to_string()))
        .body(html)
}
