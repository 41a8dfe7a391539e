//! The responses of injected faults: pages instead of SOAP, incomplete responses, and connection resets.

use std::io::Error;
use std::time::Duration;

use actix_web::body::SizedStream;
use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;

use crate::lrs::Service;
use crate::simulator::connection::reset;
use crate::simulator::fault::Fault;
use crate::simulator::scenario::FaultStep;
use crate::simulator::services::{external, learner_r9};
use crate::simulator::soap_faults::{fault, unsupported_method_fault};
use crate::simulator::soap_response::{SOAP_MEDIA_TYPE, SoapResponse};
use crate::xml::Element;

/// Path of the page about maintenance, the target of redirects.
pub const MAINTENANCE_PATH: &str = "/maintenance";

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
        Fault::MaintenanceRedirect => HttpResponse::Found().insert_header((LOCATION, MAINTENANCE_PATH)).finish(),
        Fault::Maintenance405 => unsupported_method_fault(Method::GET.as_str()).into_http(),
        Fault::OutOfHours => out_of_hours(service, message).into_http(),
        Fault::Unavailable => page(StatusCode::SERVICE_UNAVAILABLE, "Service unavailable", "The service is unavailable."),
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

/// Returns the page about maintenance.
pub fn maintenance_page() -> HttpResponse {
    page(StatusCode::OK, "Maintenance", "The learning records service is closed for maintenance. Please try again later.")
}

/// Returns an HTML page, as a traffic manager sends it to people and programs.
fn page(status: StatusCode, title: &str, text: &str) -> HttpResponse {
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body><h1>{title}</h1><p>{text}</p></body></html>\n"
    );
    HttpResponse::build(status).insert_header((CONTENT_TYPE, "text/html; charset=utf-8")).body(html)
}
