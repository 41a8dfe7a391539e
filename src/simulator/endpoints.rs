//! HTTP endpoints of the services. They read the message, dispatch it to [`super::services`] and return the response or a fault.

use std::time::{Duration, Instant};

use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};

use crate::lrs::Service;
use crate::lrs::soap::{SoapError, read_body};
use crate::simulator::connection::client_certificate_subject;
use crate::simulator::credentials::Refusal;
use crate::simulator::fault::Fault;
use crate::simulator::fault_responses::{response_after_execution, response_without_execution, truncated};
use crate::simulator::services::{external, learner, learner_r9};
use crate::simulator::soap_faults::{framework_fault, miap_fault, unsupported_method_fault};
use crate::simulator::soap_response::SoapResponse;
use crate::simulator::state::Simulator;
use crate::xml::{Element, decode};

/// `POST /LearnerService.svc`. An unreadable message is a fault with a code.
///
/// The element in the body selects the operation, because nearly all operations have the same `SOAPAction`.
pub async fn learner_service(request: HttpRequest, body: Bytes, simulator: Data<Simulator>) -> HttpResponse {
    let execute = |message: Result<&Element, SoapError>| {
        let result = message
            .map_err(|error| Refusal::new("WSEC0001", format!("the message is {error}")))
            .and_then(|message| learner::execute(&simulator, message));
        match result {
            Ok(xml) => SoapResponse::ok(xml),
            Err(Refusal { code, further_details }) => miap_fault(code, &further_details),
        }
    };
    respond(&simulator, Service::Learner, &request, &body, execute).await
}

/// `POST /LearnerServiceR9.svc`. An unreadable message is a fault of the service's framework; all other errors are response codes.
pub async fn learner_service_r9(request: HttpRequest, body: Bytes, simulator: Data<Simulator>) -> HttpResponse {
    let execute = |message: Result<&Element, SoapError>| {
        let xml = message.ok().and_then(|message| learner_r9::execute(&simulator, message));
        xml.map_or_else(framework_fault, SoapResponse::ok)
    };
    respond(&simulator, Service::LearnerR9, &request, &body, execute).await
}

/// `POST /ExternalService.svc`. Errors are like those of the R9 service.
pub async fn external_service(request: HttpRequest, body: Bytes, simulator: Data<Simulator>) -> HttpResponse {
    let execute = |message: Result<&Element, SoapError>| {
        let xml = message.ok().and_then(|message| external::execute(&simulator, message));
        xml.map_or_else(framework_fault, SoapResponse::ok)
    };
    respond(&simulator, Service::External, &request, &body, execute).await
}

/// Returns the response to other paths and methods.
///
/// LRS answers methods other than `POST` with a fault that clients know as a sign of maintenance (LRS-CONTRACT 7.4).
pub async fn fallback(request: HttpRequest) -> HttpResponse {
    if [Service::Learner, Service::LearnerR9, Service::External].iter().any(|service| service.path() == request.path()) {
        return unsupported_method_fault(request.method().as_str()).into_http();
    }
    HttpResponse::NotFound().finish()
}

/// Executes the operation and returns its response after the latency, or the response of the fault that applies to the request.
async fn respond(
    simulator: &Simulator,
    service: Service,
    request: &HttpRequest,
    body: &[u8],
    execute: impl FnOnce(Result<&Element, SoapError>) -> SoapResponse,
) -> HttpResponse {
    let started = Instant::now();
    let message = read_message(body);
    let element = message.as_ref().map_or("", |message| message.name.as_str());
    if let Ok(message) = &message {
        let organisation = message.find("UKPRN").or_else(|| message.find("OrganisationRef"));
        simulator.count_certificate(organisation.map_or("", |organisation| &organisation.text), client_certificate_subject(request));
    }
    let step = simulator.request_arrived(service, element);
    let (latency, response) = match step {
        Some(step) if !step.fault.executes_operation() => {
            let latency = if step.fault == Fault::Refuse { Duration::ZERO } else { simulator.min_latency() };
            (latency, response_without_execution(&step, request, service, message.as_ref().ok()))
        }
        step => {
            simulator.request_executed(element);
            let response = execute(message.as_ref().map_err(Clone::clone));
            match step {
                Some(step) => (simulator.min_latency() + step.added_latency(), response_after_execution(&step, request, response)),
                None if simulator.take_lost_answer(element) => (simulator.min_latency(), truncated(response, 0)),
                None => (simulator.min_latency(), response.into_http()),
            }
        }
    };
    tokio::time::sleep(latency.saturating_sub(started.elapsed())).await;
    response
}

fn read_message(body: &[u8]) -> Result<Element, SoapError> {
    read_body(decode(body)?, Element::read)
}
