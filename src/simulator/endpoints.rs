//! The services' endpoints: message in, answer or fault out. What operations do is in [`super::learner_service`],
//! [`super::learner_service_r9`] and [`super::external_service`].

use std::time::{Duration, Instant};

use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};

use crate::lrs::Service;
use crate::lrs::soap::element::Element;
use crate::lrs::soap::read::{XmlError, XmlReader, decode};
use crate::organisations::Product;
use crate::simulator::fault_responses::{broken_after, instead, spoil};
use crate::simulator::scenario::Fault;
use crate::simulator::schema::{Sequence, Violation, validate};
use crate::simulator::services::{external, learner, learner_r9};
use crate::simulator::soap_faults::{Reply, framework_fault, miap_fault, unsupported_verb};
use crate::simulator::{SimulatedOrganisation, Simulator, connection};

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

/// `LearnerService.svc`: the operation is told by the body's element; the `SOAPAction` is the same for nearly all.
pub async fn learner_service(request: HttpRequest, body: Bytes, simulator: Data<Simulator>) -> HttpResponse {
    let work = |message: Result<&Element, XmlError>| {
        let answer = message
            .map_err(|error| Refusal::new("WSEC0001", format!("the message is {error}")))
            .and_then(|message| learner::answer(&simulator, message));
        match answer {
            Ok(xml) => Reply::answer(xml),
            Err(Refusal { code, further_details }) => miap_fault(code, &further_details),
        }
    };
    serve(&simulator, Service::Learner, &request, &body, work).await
}

/// `LearnerServiceR9.svc`: what it cannot read is a fault of its framework, all else has a code in the answer.
pub async fn learner_service_r9(request: HttpRequest, body: Bytes, simulator: Data<Simulator>) -> HttpResponse {
    let work = |message: Result<&Element, XmlError>| {
        let answer = message.ok().and_then(|message| learner_r9::answer(&simulator, message));
        answer.map_or_else(framework_fault, Reply::answer)
    };
    serve(&simulator, Service::LearnerR9, &request, &body, work).await
}

/// `ExternalService.svc`: the same.
pub async fn external_service(request: HttpRequest, body: Bytes, simulator: Data<Simulator>) -> HttpResponse {
    let work = |message: Result<&Element, XmlError>| {
        let answer = message.ok().and_then(|message| external::answer(&simulator, message));
        answer.map_or_else(framework_fault, Reply::answer)
    };
    serve(&simulator, Service::External, &request, &body, work).await
}

/// Does the work, waits as long as an answer is to take, and sends it: unless something else is being played.
async fn serve(
    simulator: &Simulator,
    service: Service,
    request: &HttpRequest,
    body: &[u8],
    work: impl FnOnce(Result<&Element, XmlError>) -> Reply,
) -> HttpResponse {
    let begun = Instant::now();
    let message = read(body);
    let element = message.as_ref().map_or("", |message| message.name.as_str());
    if let Ok(message) = &message {
        let named = message.find("UKPRN").or_else(|| message.find("OrganisationRef"));
        simulator.shows(named.map_or("", |named| &named.text), connection::subject(request));
    }
    let step = simulator.meet(service, element);
    let (takes, response) = match step {
        Some(step) if !step.trouble.lets_work() => {
            let takes = if step.trouble == Fault::Refuse { Duration::ZERO } else { simulator.latency };
            (takes, instead(&step, request, service, message.as_ref().ok()))
        }
        step => {
            simulator.works_on(element);
            let reply = work(message.as_ref().map_err(Clone::clone));
            match step {
                Some(step) => (simulator.latency + step.longer(), spoil(&step, request, reply)),
                None if simulator.loses(element) => (simulator.latency, broken_after(0, reply)),
                None => (simulator.latency, reply.whole()),
            }
        }
    };
    tokio::time::sleep(takes.saturating_sub(begun.elapsed())).await;
    response
}

/// LRS answers other methods with a fault that clients know as the sign of maintenance (FACTS 2.16).
pub async fn no_such_service(request: HttpRequest) -> HttpResponse {
    if [Service::Learner, Service::LearnerR9, Service::External].iter().any(|service| service.path() == request.path()) {
        return unsupported_verb(request.method().as_str()).whole();
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

fn read(body: &[u8]) -> Result<Element, XmlError> {
    XmlReader::new(decode(body)?)?.soap_body(Element::read)
}
