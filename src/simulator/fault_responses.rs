//! How trouble looks on the wire: pages where SOAP is expected, answers that break off, and connections that end.

use std::io::Error;
use std::time::Duration;

use actix_web::body::SizedStream;
use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;

use crate::lrs::Service;
use crate::lrs::soap::element::Element;
use crate::simulator::connection::reset;
use crate::simulator::scenario::{Fault, FaultStep};
use crate::simulator::services::{external, learner_r9};
use crate::simulator::soap_faults::{Reply, SOAP, fault, unsupported_verb};

/// Where a redirected request finds the page about maintenance.
pub const MAINTENANCE_PATH: &str = "/maintenance";

/// The code of an LRS that is closed.
const OUT_OF_HOURS: &str = "WSEC0004";

/// How long after its last byte an answer breaks off: what was written should have left by then.
const BREAKS_AFTER: Duration = Duration::from_millis(20);

/// What comes as XML and is none: neither its characters nor its tags.
const GARBAGE: &[u8] = b"\x1f\x8b\x08\x00 <<FindLearnerResponse & \xff\xfe\xc3\x28 ]]> </Envelope \x00 ResponseCode=WSRC0004";

/// What is sent instead of doing anything.
pub fn instead(step: &FaultStep, request: &HttpRequest, service: Service, element: Option<&Element>) -> HttpResponse {
    match step.trouble {
        Fault::MaintenancePage => maintenance_page(),
        Fault::MaintenanceRedirect => HttpResponse::Found().insert_header((LOCATION, MAINTENANCE_PATH)).finish(),
        Fault::Maintenance405 => unsupported_verb(Method::GET.as_str()).whole(),
        Fault::OutOfHours => out_of_hours(service, element).whole(),
        Fault::Unavailable => page(StatusCode::SERVICE_UNAVAILABLE, "Service unavailable", "The service cannot be reached."),
        Fault::Fault => fault(service, step.code.as_deref().unwrap_or_default()).whole(),
        // Everything else lets the work be done, or never answers.
        _ => reset(request),
    }
}

/// What becomes of the answer to work that was done.
pub fn spoil(step: &FaultStep, request: &HttpRequest, reply: Reply) -> HttpResponse {
    match step.trouble {
        Fault::ResetAfter => reset(request),
        Fault::Garbage => HttpResponse::Ok().insert_header((CONTENT_TYPE, SOAP)).body(GARBAGE),
        Fault::Truncated => {
            let half = reply.1.len() / 2;
            broken_after(half, reply)
        }
        Fault::SlowDrip => dripping(step.pause(), reply),
        _ => reply.whole(),
    }
}

/// The headers of an answer and so many bytes of it, and then the end of the connection.
pub fn broken_after(sent: usize, Reply(status, xml): Reply) -> HttpResponse {
    let length = xml.len() as u64;
    let first = Some(Bytes::from(xml).slice(..sent)).filter(|first| !first.is_empty());
    let pieces = stream::unfold(first, |first| async move {
        if let Some(first) = first {
            return Some((Ok(first), None));
        }
        tokio::time::sleep(BREAKS_AFTER).await;
        Some((Err(Error::other("the answer breaks off, as it was ordered")), None))
    });
    HttpResponse::build(status).insert_header((CONTENT_TYPE, SOAP)).body(SizedStream::new(length, Box::pin(pieces)))
}

/// The answer, with a pause before every byte.
fn dripping(pause: Duration, Reply(status, xml): Reply) -> HttpResponse {
    let length = xml.len() as u64;
    let drops = stream::unfold(Bytes::from(xml), move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        Some((Ok::<_, Error>(rest.split_to(1)), rest))
    });
    HttpResponse::build(status).insert_header((CONTENT_TYPE, SOAP)).body(SizedStream::new(length, Box::pin(drops)))
}

/// The learner service says so with a fault, the others in their answer if the request is one of theirs.
fn out_of_hours(service: Service, element: Option<&Element>) -> Reply {
    let answer = element.and_then(|element| match service {
        Service::Learner => None,
        Service::LearnerR9 => learner_r9::refused(element, OUT_OF_HOURS),
        Service::External => external::refused(element, OUT_OF_HOURS),
    });
    answer.map_or_else(|| fault(service, OUT_OF_HOURS), Reply::answer)
}

/// The page about maintenance, also for those who were redirected to it.
pub fn maintenance_page() -> HttpResponse {
    page(StatusCode::OK, "Maintenance", "The learning records service is closed for maintenance. Please try again later.")
}

/// What a traffic manager shows to people, and sends to programs as well.
fn page(status: StatusCode, title: &str, text: &str) -> HttpResponse {
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body><h1>{title}</h1><p>{text}</p></body></html>\n"
    );
    HttpResponse::build(status).insert_header((CONTENT_TYPE, "text/html; charset=utf-8")).body(html)
}
