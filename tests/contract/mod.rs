//! The contract with LRS: golden messages compared byte by byte, LRS's own schemas, and the simulator called with SOAP.
//!
//! [`batches`] has the golden messages of batches, [`random_requests`] generates requests for the schemas, [`simulator`] tests the simulator,
//! and [`validation`] tests that the schemas reject what LRS rejects. Without LRS's schemas, the tests that need them do nothing.

mod batches;
mod random_requests;
mod simulator;
mod validation;

use lrs_gateway::domain::{
    BatchLearner, BatchLearnerResult, BatchLearnerToVerify, DemographicSearch, Learner, LearnerDetails, LearnerRegistration, LearnerUpdate,
    LearnerVerification, UlnSearch,
};
use lrs_gateway::lrs::services::learner::{SubmitRegistrationJob, SubmitVerificationJob};
use lrs_gateway::lrs::{Operation, Service};
use lrs_gateway::simulator::OPERATIONS;
use lrs_gateway::xml::{FieldMapping, XmlRecord};
use serde_json::Value;

use crate::support::contract::Contract;
use crate::support::fake_server::{Reply, http};
use crate::support::fields::missing_elements;
use crate::support::gateway::Options;
use crate::support::scripted_lrs::ScriptedLrs;
use crate::support::{FakeServer, TestGateway};
use simulator::SoapClient;

const BY_ULN: &str = "find-by-uln";
const FULL: &str = "find-by-demographics-full";
/// The update of an amendment.
const AMENDMENT: &str = "amend";
const PLAIN: &str = "find-by-demographics-plain";
/// The value of `SOAPAction` in the gateway's requests.
const EMPTY_ACTION: Option<&str> = Some("\"\"");

/// A golden message, as files in tests/golden.
struct GoldenMessage {
    name: &'static str,
    service: Service,
    /// The path of the gateway's operation, after `/v1/`.
    path: &'static str,
    /// The status of the gateway's answer.
    status: u16,
}

const GOLDEN_MESSAGES: [GoldenMessage; 12] = [
    golden_message(BY_ULN, Service::Learner, "learners/find-by-uln", 200),
    golden_message(FULL, Service::Learner, "learners/find-by-demographics", 200),
    golden_message(PLAIN, Service::Learner, "learners/find-by-demographics", 200),
    golden_message("register-full", Service::Learner, "learners/register", 201),
    golden_message("register-plain", Service::Learner, "learners/register", 201),
    golden_message("update", Service::Learner, "learners/update", 200),
    golden_message("verify-full", Service::Learner, "learners/verify", 200),
    golden_message("verify-plain", Service::Learner, "learners/verify", 200),
    golden_message("retrieve", Service::Learner, "learners/retrieve-ulns", 200),
    golden_message("learning-events-full", Service::LearnerR9, "learning-events/search", 200),
    golden_message("learning-events-brief", Service::LearnerR9, "learning-events/search", 200),
    golden_message("learning-events-not-shared", Service::LearnerR9, "learning-events/search", 200),
];

const fn golden_message(name: &'static str, service: Service, path: &'static str, status: u16) -> GoldenMessage {
    GoldenMessage { name, service, path, status }
}

/// Reads a file of tests/golden.
fn golden(name: &str, part: &str) -> String {
    let path = format!("{}/tests/golden/{name}.{part}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn golden_json(name: &str, part: &str) -> Value {
    serde_json::from_str(&golden(name, part)).unwrap_or_else(|error| panic!("{name}.{part}: {error}"))
}

/// Returns a golden request with replacements, each of a text that occurs once.
fn request_with(name: &str, replacements: &[(&str, &str)]) -> String {
    replacements.iter().fold(golden(name, "request.xml"), |xml, (from, to)| {
        assert_eq!(xml.matches(from).count(), 1, "{from} in {xml}");
        xml.replacen(from, to, 1)
    })
}

/// The golden messages that have a value in every element of a record.
const COMPLETE_GOLDEN_MESSAGES: [(&str, FieldMapping); 7] = [
    ("find-by-demographics-full.request.xml", <DemographicSearch as XmlRecord>::FIELDS),
    ("find-by-demographics-full.response.xml", Learner::FIELDS),
    ("register-full.request.xml", LearnerDetails::FIELDS),
    ("verify-full.request.xml", <LearnerVerification as XmlRecord>::FIELDS),
    ("submit-registration-batch.request.xml", BatchLearner::FIELDS),
    ("get-registration-batch.response.xml", BatchLearnerResult::FIELDS),
    ("submit-verification-batch.request.xml", BatchLearnerToVerify::FIELDS),
];

#[test]
fn golden_messages_that_are_complete_have_every_element() {
    let missing = COMPLETE_GOLDEN_MESSAGES.iter().flat_map(|(file, fields)| {
        let message = std::fs::read_to_string(format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"))).expect(file);
        missing_elements(&[&message], fields).into_iter().map(move |element| format!("tests/golden/{file} lacks {element}"))
    });
    assert_eq!(missing.collect::<Vec<_>>(), [""; 0], "add the elements, and their fields to the JSON of the call or the answer");
}

#[tokio::test]
async fn golden_messages_are_what_the_gateway_sends_and_reads() {
    for GoldenMessage { name, service, path, status } in GOLDEN_MESSAGES {
        let lrs = FakeServer::with_response(http(200, "text/xml; charset=utf-8", golden(name, "response.xml").as_bytes()));
        let call = golden_json(name, "call.json");

        let answer = TestGateway::to(&lrs.url()).caller().post(&format!("/v1/{path}"), &call).await;

        let request = &lrs.received()[0];
        assert_eq!(request.body, golden(name, "request.xml"), "{name}");
        assert_eq!(request.head.lines().next(), Some(&*format!("POST {} HTTP/1.1", service.path())), "{name}");
        assert_eq!((answer.status, answer.json()), (status, golden_json(name, "answer.json")), "{name}");
    }
}

/// The gateway reads the record with the golden search [`BY_ULN`], and then sends the golden update.
#[tokio::test]
async fn golden_amendment_is_what_the_gateway_sends_and_reads() {
    let replies =
        [BY_ULN, AMENDMENT].map(|name| Reply::Bytes(http(200, "text/xml; charset=utf-8", golden(name, "response.xml").as_bytes())));
    let script = ScriptedLrs::new(Options::default(), replies);

    let answer = script.post_expecting_calls(2, "/v1/learners/amend", &golden_json(AMENDMENT, "call.json")).await;

    let requests: Vec<String> = script.received().into_iter().map(|request| request.body).collect();
    assert_eq!(requests, [BY_ULN, AMENDMENT].map(|name| golden(name, "request.xml")));
    assert_eq!(answer.expect_success(), golden_json(AMENDMENT, "answer.json"));
}

#[test]
fn golden_messages_are_valid() {
    let Some(contract) = Contract::from_env() else { return };
    for service in [Service::Learner, Service::LearnerR9] {
        let files = |part: &str| -> Vec<(String, String)> {
            let messages = GOLDEN_MESSAGES.iter().filter(|message| message.service == service);
            let amendment = (service == Service::Learner).then_some(AMENDMENT);
            let names = messages.map(|message| message.name).chain(amendment);
            names.map(|name| (format!("{name}.{part}"), golden(name, part))).collect()
        };
        contract.check_request(service, &files("request.xml"));
        contract.check_response(service, &files("response.xml"));
    }
}

#[tokio::test]
async fn golden_requests_get_valid_responses_from_the_simulator() {
    let Some(contract) = Contract::from_env() else { return };
    let simulator = SoapClient::start();
    for GoldenMessage { name, service, .. } in GOLDEN_MESSAGES {
        let (_, response) = simulator.send(service, &golden(name, "request.xml")).await;
        contract.check_response(service, &[(name.to_owned(), response)]);
    }
}

/// The elements of the requests that are records.
const REQUEST_ELEMENTS: [(&str, FieldMapping); 7] = [
    (UlnSearch::NAME, <UlnSearch as XmlRecord>::FIELDS),
    (DemographicSearch::NAME, <DemographicSearch as XmlRecord>::FIELDS),
    (LearnerRegistration::NAME, LearnerDetails::FIELDS),
    (LearnerUpdate::NAME, LearnerDetails::FIELDS),
    (LearnerVerification::NAME, <LearnerVerification as XmlRecord>::FIELDS),
    (SubmitRegistrationJob::NAME, BatchLearner::FIELDS),
    (SubmitVerificationJob::NAME, BatchLearnerToVerify::FIELDS),
];

#[test]
fn random_requests_have_every_element() {
    let requests: Vec<_> = random_requests::by_service().into_iter().flat_map(|(_, requests)| requests).collect();
    let missing = REQUEST_ELEMENTS.iter().flat_map(|(operation, fields)| {
        let of_operation = requests.iter().filter(|(name, _)| name.rsplit_once('-').is_some_and(|(name, _)| name == *operation));
        let of_operation: Vec<&str> = of_operation.map(|(_, request)| request.as_str()).collect();
        missing_elements(&of_operation, fields).into_iter().map(move |element| format!("{operation} lacks {element}"))
    });
    assert_eq!(missing.collect::<Vec<_>>(), [""; 0], "add random values to tests/contract/random_requests.rs");
}

#[test]
fn random_requests_contain_every_operation() {
    let requests: Vec<String> = random_requests::by_service().into_iter().flat_map(|(_, requests)| requests).map(|(_, xml)| xml).collect();
    let is_missing = |name: &&str| !requests.iter().any(|request| request.contains(&format!(":{name} ")));
    let missing: Vec<&str> = OPERATIONS.iter().map(|(name, _)| *name).filter(is_missing).collect();
    assert_eq!(missing, [""; 0], "add requests of these operations to tests/contract/random_requests.rs");
}

#[tokio::test]
async fn random_requests_of_every_operation_are_valid() {
    let simulator = SoapClient::start();
    let contract = Contract::from_env();
    for (service, requests) in random_requests::by_service() {
        for (name, request) in &requests {
            // The simulator validates a request before it looks up the organisation, which it does not know here.
            let (_, response) = simulator.send(service, request).await;
            let reason = response.split_once("<FurtherDetails>").map_or(&*response, |(_, details)| details);
            assert!(
                response.contains(">WSEC0003<"),
                "the simulator's schema (src/simulator/schema/) rejects {name}. The record and the schema must have the elements of \
                 docs/LRS-CONTRACT.md in its order. {reason}\n{request}"
            );
        }
        if let Some(contract) = &contract {
            contract.check_request(service, &requests);
        }
    }
}
