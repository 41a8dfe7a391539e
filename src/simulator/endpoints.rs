//! HTTP endpoints of the services. They read the message, dispatch it to [`super::services`] and return the response or a fault.

use std::time::{Duration, Instant};

use actix_web::http::header::ALLOW;
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};

use crate::lrs::Service;
use crate::lrs::soap::SoapError;
use crate::simulator::connection::client_certificate_subject;
use crate::simulator::credentials::Refusal;
use crate::simulator::fault::Fault;
use crate::simulator::fault_responses::{response_after_execution, response_without_execution, truncated};
use crate::simulator::http_binding::{DispatchError, check_action, check_content_type, requested_action};
use crate::simulator::operations::REFUSED_OPERATIONS;
use crate::simulator::pages;
use crate::simulator::refusals::log_refusal;
use crate::simulator::scenario::FaultStep;
use crate::simulator::schema::Violation;
use crate::simulator::services::{external, learner, learner_r9};
use crate::simulator::soap_faults::{
    action_not_supported_fault, framework_fault, header_not_understood_fault, miap_fault, not_simulated_fault,
};
use crate::simulator::soap_request::SoapRequest;
use crate::simulator::soap_response::SoapResponse;
use crate::simulator::state::Simulator;
use crate::simulator::wsdl::service_at;
use crate::xml::Element;

/// Returns the response to a request to a service, whose path may be in upper or lower case, or to another path.
pub async fn handle(request: HttpRequest, body: Bytes, simulator: Data<Simulator>) -> HttpResponse {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    match service_at(request.path()) {
        Some(service) if *request.method() == Method::POST => respond(&simulator, service, &request, &body).await,
        Some(service) if is_read => pages::service_page(&simulator, service, &request),
        Some(_) => HttpResponse::MethodNotAllowed().insert_header((ALLOW, "GET, HEAD, POST")).finish(),
        None if is_read => pages::file_page(&simulator, &request),
        None => HttpResponse::NotFound().finish(),
    }
}

/// Executes the operation and returns its response after the latency, or the response of the fault that applies to the request.
async fn respond(simulator: &Simulator, service: Service, request: &HttpRequest, body: &[u8]) -> HttpResponse {
    let started = Instant::now();
    let message = SoapRequest::read(body);
    let payload = message.as_ref().map(|message| &message.payload);
    let element = payload.map_or("", |payload| payload.name.as_str());
    if let Ok(payload) = payload {
        let organisation = payload.find("UKPRN").or_else(|| payload.find("OrganisationRef"));
        simulator.count_certificate(organisation.map_or("", |organisation| &organisation.text), client_certificate_subject(request));
    }
    let step = simulator.request_arrived(service, element);
    let (latency, response) = match step {
        Some(step) if !step.fault.executes_operation() => {
            let latency = if step.fault == Fault::Refuse { Duration::ZERO } else { simulator.min_latency() };
            (latency, response_without_execution(&step, request, service, payload.ok()))
        }
        step => {
            let added_latency = step.as_ref().map_or(Duration::ZERO, FaultStep::added_latency);
            (simulator.min_latency() + added_latency, execute_request(simulator, service, request, &message, step.as_ref()))
        }
    };
    tokio::time::sleep(latency.saturating_sub(started.elapsed())).await;
    response
}

/// Executes a request, unless the binding refuses it, and returns its response with the damage that a fault does to it.
fn execute_request(
    simulator: &Simulator,
    service: Service,
    request: &HttpRequest,
    message: &Result<SoapRequest, SoapError>,
    step: Option<&FaultStep>,
) -> HttpResponse {
    if let Some(refusal) = refused_by_binding(service, request, message) {
        return refusal;
    }
    let payload = message.as_ref().map(|message| &message.payload);
    let element = payload.map_or("", |payload| payload.name.as_str());
    simulator.request_executed(element);
    let response = execute(simulator, service, payload.map_err(Clone::clone));
    match step {
        Some(step) => response_after_execution(step, request, response),
        None if simulator.take_lost_answer(element) => truncated(response, 0),
        None => response.into_http(),
    }
}

/// Returns the response to a message that the binding or the framework of the services refuses before the operation is executed.
fn refused_by_binding(service: Service, request: &HttpRequest, message: &Result<SoapRequest, SoapError>) -> Option<HttpResponse> {
    let element = message.as_ref().map_or("", |message| message.payload.name.as_str());
    if let Err(reason) = check_content_type(request) {
        log_refusal(element, "415", "Content-Type");
        return Some(pages::plain_text(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
    }
    let action = requested_action(request);
    let fault = match (check_action(service, &action, element), message) {
        (Err(DispatchError::ActionNotSupported), _) => {
            log_refusal(element, "ActionNotSupported", "SOAPAction");
            action_not_supported_fault(&action)
        }
        (_, Ok(SoapRequest { header_not_understood: Some(block), .. })) => {
            log_refusal(element, "MustUnderstand", block);
            header_not_understood_fault(block)
        }
        (Err(DispatchError::UnexpectedElement), _) => {
            log_refusal(element, "DeserializationFailed", element);
            framework_fault()
        }
        (Ok(()), _) if service == Service::LearnerR9 && REFUSED_OPERATIONS.contains(&element) => {
            log_refusal(element, "not simulated", element);
            not_simulated_fault(element)
        }
        (Ok(()), _) => return None,
    };
    Some(fault.into_http())
}

/// Executes a message as a service does, but without HTTP: without its media type, latency and injected faults. Returns the status and the
/// XML of the response.
pub fn execute_message(simulator: &Simulator, service: Service, message: &[u8]) -> (u16, String) {
    let message = SoapRequest::read(message);
    let response = execute(simulator, service, message.as_ref().map(|message| &message.payload).map_err(Clone::clone));
    (response.status.as_u16(), response.xml)
}

/// Executes a message.
///
/// The learner service responds to an unreadable message with a fault that has a code. Those of the other services are faults of their
/// framework; their other errors are response codes.
fn execute(simulator: &Simulator, service: Service, message: Result<&Element, SoapError>) -> SoapResponse {
    let operation = message.as_ref().map_or("", |message| message.name.as_str());
    let of_framework = |result: Result<String, Violation>| match result {
        Ok(xml) => SoapResponse::ok(xml),
        Err(violation) => {
            log_refusal(operation, "DeserializationFailed", violation.element());
            framework_fault()
        }
    };
    let unreadable = |error: &SoapError| Violation::new("Envelope", format!("the message is {error}"));
    match service {
        Service::Learner => {
            let result =
                message.map_err(|error| Refusal::from(unreadable(&error))).and_then(|message| learner::execute(simulator, message));
            match result {
                Ok(xml) => SoapResponse::ok(xml),
                Err(Refusal { code, element, further_details }) => {
                    log_refusal(operation, code, &element);
                    miap_fault(code, &further_details)
                }
            }
        }
        Service::LearnerR9 => {
            of_framework(message.map_err(|error| unreadable(&error)).and_then(|message| learner_r9::execute(simulator, message)))
        }
        Service::External => {
            of_framework(message.map_err(|error| unreadable(&error)).and_then(|message| external::execute(simulator, message)))
        }
    }
}
