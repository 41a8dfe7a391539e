//! The services' endpoints: message in, answer or fault out.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};

use super::Simulator;
use super::register::{Demographics, Found};
use super::schema::{self, Particle, Violation, validate};
use crate::domain::{Date, Gender, Learner, Open, Personal, Uln};
use crate::lrs::Service;
use crate::lrs::codes::{LrsCode, TABLE};
use crate::lrs::learner_service::FindLearnerResponse;
use crate::lrs::soap::read::{Reader, decode};
use crate::lrs::soap::record::{WireRecord as _, WireValue};
use crate::lrs::soap::tree::Element;
use crate::lrs::soap::write::Writer;
use crate::organisations::Product;

const FIND_NAMESPACE: &str = "http://api.lrs.miap.gov.uk/findmsg";

/// A fault in the form of the learner service (FACTS 2.16).
#[derive(Debug)]
struct Refusal {
    code: &'static str,
    further_details: String,
}

impl Refusal {
    const fn new(code: &'static str, further_details: String) -> Self {
        Self { code, further_details }
    }
}

impl From<Violation> for Refusal {
    fn from(violation: Violation) -> Self {
        Self::new("WSEC0001", violation.0)
    }
}

/// `LearnerService.svc`: the operation is told by the body's element; the `SOAPAction` is the same for nearly all.
pub async fn learner_service(body: Bytes, simulator: Data<Simulator>) -> HttpResponse {
    let answer = read(&body).and_then(|request| {
        let operation = (request.namespace.as_deref().unwrap_or_default(), request.name.as_str());
        match operation {
            (FIND_NAMESPACE, "FindLearnerByULN") => find_by_uln(&simulator, &request),
            (FIND_NAMESPACE, "FindLearnerByDemographics") => find_by_demographics(&simulator, &request),
            (_, name) => Err(Refusal::new("WSEC0002", format!("operation {name}"))),
        }
    });
    match answer {
        Ok(xml) => soap(StatusCode::OK, xml),
        Err(refusal) => soap(StatusCode::INTERNAL_SERVER_ERROR, miap_fault(refusal.code, meaning(refusal.code), &refusal.further_details)),
    }
}

/// The other two services are not simulated yet: a fault as their framework words it.
pub async fn data_contract_service() -> HttpResponse {
    let fault = Writer::envelope(|writer| {
        writer.element("soapenv:Fault", "", |writer| {
            writer.value("faultcode", "soapenv:Client");
            writer.value("faultstring", "The message cannot be processed: this operation is not simulated.");
        });
    });
    soap(StatusCode::INTERNAL_SERVER_ERROR, fault.unwrap_or_default())
}

/// LRS answers other methods with a fault that clients know as the sign of maintenance (FACTS 2.16).
pub async fn no_such_service(request: HttpRequest) -> HttpResponse {
    if [Service::Learner, Service::LearnerR9, Service::External].iter().any(|service| service.path() == request.path()) {
        let details = format!("UnsupportedHttpVerb {}", request.method());
        return soap(StatusCode::METHOD_NOT_ALLOWED, miap_fault("WSEC0999", "UnsupportedHttpVerb", &details));
    }
    HttpResponse::NotFound().finish()
}

fn find_by_uln(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    admit(simulator, request, schema::FIND_BY_ULN, Product::UlnManagement)?;
    let (uln, given_name, family_name) = (request.text_of("ULN"), request.text_of("GivenName"), request.text_of("FamilyName"));
    find_response(request, simulator.register().find_by_uln(uln, given_name, family_name))
}

fn find_by_demographics(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    admit(simulator, request, schema::FIND_BY_DEMOGRAPHICS, Product::UlnManagement)?;
    let found = simulator.register().find_by_demographics(&Demographics {
        given_name: request.text_of("GivenName"),
        family_name: request.text_of("FamilyName"),
        date_of_birth: request.text_of("DateOfBirth"),
        gender: request.text_of("Gender"),
        post_code: request.text_of("LastKnownPostCode"),
    });
    find_response(request, found)
}

/// The search repeated as it came, the outcome, and with `FUL` the learners.
fn find_response(request: &Element, found: Found) -> Result<String, Refusal> {
    let (code, learners) = match found {
        Found::Nobody => ("WSRC0001", Vec::new()),
        Found::TooMany => ("WSRC0002", Vec::new()),
        Found::Possible(learners) => ("WSRC0003", learners),
        Found::Exact(learner) => ("WSRC0004", vec![*learner]),
        Found::Master(learner) => ("WSRC0022", vec![*learner]),
    };
    let learner: Vec<Learner> = if request.text_of("FindType") == "FUL" { learners } else { Vec::new() };
    let response = FindLearnerResponse {
        response_code: LrsCode::new(code),
        uln: echo::<Open<Uln>>(request, "ULN"),
        family_name: echo::<Personal<String>>(request, "FamilyName"),
        given_name: echo::<Personal<String>>(request, "GivenName"),
        date_of_birth: echo::<Open<Date>>(request, "DateOfBirth"),
        gender: echo::<Open<Gender>>(request, "Gender"),
        last_known_post_code: echo::<Personal<String>>(request, "LastKnownPostCode"),
        previous_family_name: echo::<Personal<String>>(request, "PreviousFamilyName"),
        school_at_age16: echo::<Personal<String>>(request, "SchoolAtAge16"),
        place_of_birth: echo::<Personal<String>>(request, "PlaceOfBirth"),
        email_address: echo::<Personal<String>>(request, "EmailAddress"),
        learner,
    };
    Writer::envelope(|writer| {
        writer.element("ns2:FindLearnerResponse", "xmlns:ns2=\"http://api.lrs.miap.gov.uk/findmsg\"", |writer| response.write(writer));
    })
    .map_err(|error| Refusal::new("WSEC0999", error.to_string()))
}

fn echo<T: WireValue>(request: &Element, name: &str) -> Option<T> {
    request.child(name).and_then(|child| T::from_wire(&child.text))
}

/// Form first, then who asks, then whether they may.
fn admit(simulator: &Simulator, request: &Element, sequence: &[Particle], product: Product) -> Result<(), Refusal> {
    validate(request, sequence)?;
    let (ukprn, reference) = (request.text_of("UKPRN"), request.text_of("OrganisationRef"));
    let organisation = simulator
        .organisations
        .iter()
        .find(|organisation| {
            organisation.ukprn.as_str() == ukprn
                || organisation.organisation_ref.as_ref().is_some_and(|known| !reference.is_empty() && known.as_str() == reference)
        })
        .ok_or_else(|| Refusal::new("WSEC0003", String::new()))?;
    if organisation.password != request.text_of("OrgPassword") {
        return Err(Refusal::new("WSEC0005", String::new()));
    }
    if !organisation.products.contains(&product) {
        return Err(Refusal::new("WSEC0006", String::new()));
    }
    Ok(())
}

fn read(body: &[u8]) -> Result<Element, Refusal> {
    let unreadable = |error: crate::lrs::soap::read::Unreadable| Refusal::new("WSEC0001", format!("the message is {error}"));
    let mut reader = decode(body).and_then(Reader::new).map_err(unreadable)?;
    reader.soap_body(Element::read).map_err(unreadable)
}

fn meaning(code: &str) -> &'static str {
    TABLE.iter().find(|entry| entry.code == code).map_or("", |entry| entry.meaning)
}

fn miap_fault(code: &str, description: &str, further_details: &str) -> String {
    let timestamp = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
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

fn soap(status: StatusCode, xml: String) -> HttpResponse {
    HttpResponse::build(status).insert_header((CONTENT_TYPE, "text/xml; charset=utf-8")).body(xml)
}
