//! The services' endpoints: message in, answer or fault out. What operations do is in [`super::learner_service`],
//! [`super::learner_service_r9`] and [`super::external_service`].

use std::io::{Error, ErrorKind};
use std::time::{Duration, Instant};

use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;

use super::record::now;
use super::schema::{Sequence, Violation, validate};
use super::{SimulatedOrganisation, Simulator, external_service, learner_service, learner_service_r9};
use crate::lrs::Service;
use crate::lrs::codes::TABLE;
use crate::lrs::soap::read::{Reader, Unreadable, decode};
use crate::lrs::soap::tree::Element;
use crate::lrs::soap::write::Writer;
use crate::organisations::Product;

const SOAP: &str = "text/xml; charset=utf-8";

/// A fault in the form of the learner service (FACTS 2.16).
#[derive(Debug)]
pub struct Refusal {
    code: &'static str,
    further_details: String,
}

impl Refusal {
    /// A refusal with this code.
    pub const fn new(code: &'static str, further_details: String) -> Self {
        Self { code, further_details }
    }
}

impl From<Violation> for Refusal {
    fn from(violation: Violation) -> Self {
        Self::new("WSEC0001", violation.0)
    }
}

/// An answer or a fault.
struct Reply(StatusCode, String);

/// How long after its headers an answer breaks off: they should have left by then.
const BREAKS_AFTER: Duration = Duration::from_millis(20);

/// `LearnerService.svc`: the operation is told by the body's element; the `SOAPAction` is the same for nearly all.
pub async fn learner_service(body: Bytes, simulator: Data<Simulator>) -> HttpResponse {
    let work = |request: Result<&Element, Unreadable>| {
        let answer = request
            .map_err(|error| Refusal::new("WSEC0001", format!("the message is {error}")))
            .and_then(|request| learner_service::answer(&simulator, request));
        match answer {
            Ok(xml) => Reply(StatusCode::OK, xml),
            Err(Refusal { code, further_details }) => {
                Reply(StatusCode::INTERNAL_SERVER_ERROR, miap_fault(code, meaning(code), &further_details))
            }
        }
    };
    serve(&simulator, &body, work).await
}

/// `LearnerServiceR9.svc`: what it cannot read is a fault of its framework, all else has a code in the answer.
pub async fn learner_service_r9(body: Bytes, simulator: Data<Simulator>) -> HttpResponse {
    let work = |request: Result<&Element, Unreadable>| {
        framework_reply(request.ok().and_then(|request| learner_service_r9::answer(&simulator, request)))
    };
    serve(&simulator, &body, work).await
}

/// `ExternalService.svc`: the same.
pub async fn external_service(body: Bytes, simulator: Data<Simulator>) -> HttpResponse {
    let work = |request: Result<&Element, Unreadable>| {
        framework_reply(request.ok().and_then(|request| external_service::answer(&simulator, request)))
    };
    serve(&simulator, &body, work).await
}

/// Does the work, waits as long as an answer is to take, and sends it, unless it is one to lose.
async fn serve(simulator: &Simulator, body: &[u8], work: impl FnOnce(Result<&Element, Unreadable>) -> Reply) -> HttpResponse {
    let begun = Instant::now();
    let (reply, is_lost) = match read(body) {
        Ok(request) => (work(Ok(&request)), simulator.loses(&request.name)),
        Err(error) => (work(Err(error)), false),
    };
    tokio::time::sleep(simulator.latency.saturating_sub(begun.elapsed())).await;
    if is_lost { broken(&reply) } else { soap(reply) }
}

/// The headers of an answer, and then the end of the connection.
fn broken(Reply(status, xml): &Reply) -> HttpResponse {
    let never = stream::once(Box::pin(async {
        tokio::time::sleep(BREAKS_AFTER).await;
        Err::<Bytes, _>(Error::from(ErrorKind::ConnectionAborted))
    }));
    let body = SizedStream::new(xml.len() as u64, never);
    HttpResponse::build(*status).insert_header((CONTENT_TYPE, SOAP)).body(body)
}

/// The answer, or without one a fault as the framework of the data-contract services words it.
fn framework_reply(answer: Option<String>) -> Reply {
    let text = "The message cannot be processed: it is not one this service can read.";
    if let Some(xml) = answer {
        return Reply(StatusCode::OK, xml);
    }
    let fault = Writer::envelope(|writer| {
        writer.element("soapenv:Fault", "", |writer| {
            writer.value("faultcode", "soapenv:Client");
            writer.value("faultstring", text);
        });
    });
    Reply(StatusCode::INTERNAL_SERVER_ERROR, fault.unwrap_or_default())
}

/// LRS answers other methods with a fault that clients know as the sign of maintenance (FACTS 2.16).
pub async fn no_such_service(request: HttpRequest) -> HttpResponse {
    if [Service::Learner, Service::LearnerR9, Service::External].iter().any(|service| service.path() == request.path()) {
        let details = format!("UnsupportedHttpVerb {}", request.method());
        return soap(Reply(StatusCode::METHOD_NOT_ALLOWED, miap_fault("WSEC0999", "UnsupportedHttpVerb", &details)));
    }
    HttpResponse::NotFound().finish()
}

/// Form first, then who asks, then whether they may.
pub fn admit<'s>(simulator: &'s Simulator, request: &Element, sequence: Sequence, product: Product) -> Result<&'s str, Refusal> {
    validate(request, sequence)?;
    let named = [request.text_of("UKPRN"), request.text_of("OrganisationRef")];
    let refuse = |code| Refusal::new(code, String::new());
    enter(simulator, named, request.text_of("OrgPassword"), product).map_err(refuse)
}

/// The organisation, if it is known, has the password and the product; the code of the refusal otherwise.
pub fn enter<'s>(
    simulator: &'s Simulator,
    [ukprn, reference]: [&str; 2],
    password: &str,
    product: Product,
) -> Result<&'s str, &'static str> {
    let is_named = |organisation: &&SimulatedOrganisation| {
        organisation.ukprn.as_str() == ukprn
            || organisation.organisation_ref.as_ref().is_some_and(|known| !reference.is_empty() && known.as_str() == reference)
    };
    let organisation = simulator.organisations.iter().find(is_named).ok_or("WSEC0003")?;
    if organisation.password != password {
        return Err("WSEC0005");
    }
    if !organisation.products.contains(&product) {
        return Err("WSEC0006");
    }
    Ok(organisation.ukprn.as_str())
}

fn read(body: &[u8]) -> Result<Element, Unreadable> {
    Reader::new(decode(body)?)?.soap_body(Element::read)
}

fn meaning(code: &str) -> &'static str {
    TABLE.iter().find(|entry| entry.code == code).map_or("", |entry| entry.meaning)
}

fn miap_fault(code: &str, description: &str, further_details: &str) -> String {
    let timestamp = now();
    let fault = Writer::envelope(|writer| {
        writer.element("soapenv:Fault", "", |writer| {
            writer.value("faultcode", "soapenv:Server");
            writer.value("faultstring", "uk.gov.miap.lrs.api.exceptions.MIAPAPIException");
            writer.element("detail", "", |writer| {
                writer.element("ns10:MIAPAPIException", "xmlns:ns10=\"http://api.lrs.miap.gov.uk/exceptions\"", |writer| {
                    writer.value("ErrorCode", code);
                    writer.value("ErrorActor", "simulator");
                    writer.value("Description", description);
                    writer.value("FurtherDetails", further_details);
                    writer.value("ErrorTimestamp", &timestamp);
                });
            });
        });
    });
    fault.unwrap_or_default()
}

fn soap(Reply(status, xml): Reply) -> HttpResponse {
    HttpResponse::build(status).insert_header((CONTENT_TYPE, SOAP)).body(xml)
}
