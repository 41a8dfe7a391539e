//! Faults that replace, damage or delay the response.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use lrs_gateway::lrs::Service;
use lrs_gateway::simulator::{Fault, FaultStep};

use super::{FIND_BY_ULN, FaultyLrs, GET_ACHIEVEMENTS, LEARNING_EVENTS, REGISTER, SUBMIT_ACHIEVEMENTS};
use crate::support::contract::Contract;
use crate::support::simulator::soap_post;
use crate::support::wait_until;

const SOAP_MEDIA_TYPE: &str = "text/xml; charset=utf-8";

fn soap_fault_step() -> FaultStep {
    FaultStep { code: Some("WSEC4711".into()), ..FaultStep::new(Fault::SoapFault) }
}

#[tokio::test]
async fn fault_response_has_its_status_media_type_and_body() {
    let faulty_lrs = FaultyLrs::new();
    let mut executed = 0;
    for (step, status, content_type, body_part) in [
        (FaultStep::new(Fault::MaintenancePage), 200, "text/html; charset=utf-8", "maintenance"),
        (FaultStep::new(Fault::Maintenance405), 405, "text/html", "<title>UnsupportedHttpVerb</title>"),
        (FaultStep::new(Fault::OutOfHours), 500, SOAP_MEDIA_TYPE, "<ErrorCode>WSEC0004<"),
        (FaultStep::new(Fault::Unavailable), 503, "text/html; charset=utf-8", "<html"),
        (FaultStep::new(Fault::Garbage), 200, SOAP_MEDIA_TYPE, "ResponseCode=WSRC0004"),
        (soap_fault_step(), 500, SOAP_MEDIA_TYPE, "<ErrorCode>WSEC4711<"),
    ] {
        let fault = step.fault;
        faulty_lrs.inject([step]);

        let response = faulty_lrs.find_by_uln().await.expect("a response");

        assert_eq!((response.status, &*response.content_type), (status, content_type), "{fault:?}");
        assert!(response.body.contains(body_part), "{fault:?}: {}", response.body);
        executed += usize::from(fault == Fault::Garbage);
        assert_eq!(faulty_lrs.lrs.simulator.executed_count("FindLearnerByULN"), executed, "{fault:?}");
    }
    assert_eq!(faulty_lrs.lrs.simulator.request_count("FindLearnerByULN"), 6);
    faulty_lrs.lrs.simulator.clear_faults();
    assert!(faulty_lrs.responds_without_fault().await);
}

#[tokio::test]
async fn maintenance_redirect_leads_to_maintenance_page() {
    let faulty_lrs = FaultyLrs::with_faults([FaultStep::new(Fault::MaintenanceRedirect)]);
    let url = faulty_lrs.url(Service::Learner);

    let redirect = soap_post(&faulty_lrs.http, url.clone(), FIND_BY_ULN.to_owned()).send().await.expect("a response");
    let following_client = crate::support::http_client_builder().build().expect("a client");
    let page = soap_post(&following_client, url, FIND_BY_ULN.to_owned()).send().await.expect("a response");

    assert_eq!(redirect.status(), 302);
    assert_eq!(redirect.headers()["location"], "/maintenance");
    assert_eq!((page.status().as_u16(), page.url().path()), (200, "/maintenance"));
    assert!(page.text().await.expect("a page").contains("maintenance"));
}

/// Posts the messages while the step is active, and asserts status and code of each response. No message may be executed.
async fn assert_responses(step: FaultStep, cases: &[(Service, &str, u16, &str)]) {
    let faulty_lrs = FaultyLrs::with_faults([step]);
    let contract = Contract::from_env();
    for (service, message, status, code) in cases {
        let response = faulty_lrs.post(*service, message).await.expect("a response");

        assert_eq!((response.status, &*response.content_type), (*status, SOAP_MEDIA_TYPE));
        assert!(response.body.contains(code), "{service:?}: {}", response.body);
        if let Some(contract) = &contract {
            contract.check_response(*service, &[("fault-response".to_owned(), response.body)]);
        }
    }
    assert!(faulty_lrs.lrs.simulator.jobs().is_empty());
    assert!(faulty_lrs.lrs.simulator.request_counts().iter().all(|counts| counts.done == 0));
}

#[tokio::test]
async fn out_of_hours_is_a_fault_of_the_learner_service_and_a_code_of_the_other_services() {
    let unknown_operation = "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><Nonsense/></e:Body></e:Envelope>";
    let cases = [
        (Service::Learner, FIND_BY_ULN, 500, "<ErrorCode>WSEC0004</ErrorCode>"),
        (Service::LearnerR9, LEARNING_EVENTS, 200, "<a:ResponseCode>WSEC0004</a:ResponseCode>"),
        (Service::LearnerR9, unknown_operation, 500, "<ErrorCode>WSEC0004</ErrorCode>"),
        (Service::External, SUBMIT_ACHIEVEMENTS, 200, "<a:ResponseCode>WSEC0004</a:ResponseCode>"),
        (Service::External, GET_ACHIEVEMENTS, 200, "<a:ResponseCode>WSEC0004</a:ResponseCode>"),
        (Service::External, FIND_BY_ULN, 500, "<ErrorCode>WSEC0004</ErrorCode>"),
    ];
    assert_responses(FaultStep::new(Fault::OutOfHours), &cases).await;
}

#[tokio::test]
async fn soap_fault_is_a_fault_of_all_services() {
    let cases = [(Service::Learner, FIND_BY_ULN), (Service::LearnerR9, LEARNING_EVENTS), (Service::External, GET_ACHIEVEMENTS)]
        .map(|(service, message)| (service, message, 500, "<ErrorCode>WSEC4711</ErrorCode>"));
    assert_responses(soap_fault_step(), &cases).await;
}

/// Returns the value of `Content-Length` and the body of an HTTP response.
fn length_and_body(response: Vec<u8>) -> (usize, String) {
    let text = String::from_utf8(response).expect("UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").expect("the end of the headers");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    (length.parse().expect("a number"), body.to_owned())
}

#[test]
fn truncated_response_has_length_of_complete_response_and_half_of_its_body() {
    let faulty_lrs = FaultyLrs::new();
    let (complete_length, complete_body) = length_and_body(faulty_lrs.post_raw(REGISTER).0);

    faulty_lrs.inject([FaultStep::new(Fault::Truncated)]);
    let (truncated, end) = faulty_lrs.post_raw(REGISTER);

    let (truncated_length, truncated_body) = length_and_body(truncated);
    assert_eq!((complete_length, truncated_length), (complete_body.len(), complete_body.len()));
    assert_eq!(truncated_body, complete_body[..complete_body.len() / 2]);
    assert!(end.is_ok(), "the connection is closed, not reset");
    assert_eq!(faulty_lrs.counts("RegisterLearner"), (2, 2));
}

#[tokio::test]
async fn slow_drip_sends_complete_response_in_many_chunks() {
    let faulty_lrs = FaultyLrs::new();
    let expected = faulty_lrs.post(Service::Learner, REGISTER).await.expect("a response").body;

    faulty_lrs.inject([FaultStep::new(Fault::SlowDrip).with_milliseconds(1)]);
    let started = Instant::now();
    let response = soap_post(&faulty_lrs.http, faulty_lrs.url(Service::Learner), REGISTER.to_owned()).send().await.expect("a response");
    let chunks: Vec<_> = response.bytes_stream().map(|chunk| chunk.expect("a chunk")).collect().await;

    assert!(started.elapsed() >= Duration::from_millis(expected.len() as u64), "{:?}", started.elapsed());
    // The client may receive several bytes at once.
    assert!(chunks.len() > expected.len() / 4, "{} chunks", chunks.len());
    assert_eq!(chunks.concat(), expected.as_bytes());
    assert_eq!(faulty_lrs.counts("RegisterLearner"), (2, 2));
}

const LATENCY: Duration = Duration::from_millis(300);

fn latency_of_find_by_uln() -> FaultStep {
    FaultStep::new(Fault::Latency).with_milliseconds(300).for_operation("FindLearnerByULN")
}

#[tokio::test]
async fn latency_delays_response_of_request_that_is_executed_immediately() {
    let faulty_lrs = FaultyLrs::with_faults([latency_of_find_by_uln()]);
    let started = Instant::now();
    let executed_after = async {
        let is_executed = || faulty_lrs.counts("FindLearnerByULN") == (1, 1);
        wait_until(is_executed, || format!("{:?} is (1, 1)", faulty_lrs.counts("FindLearnerByULN"))).await;
        started.elapsed()
    };

    let (responds_without_fault, executed_after) = tokio::join!(faulty_lrs.responds_without_fault(), executed_after);

    assert!(responds_without_fault);
    assert!(started.elapsed() >= LATENCY, "response after {:?}", started.elapsed());
    assert!(executed_after < LATENCY, "executed after {executed_after:?}");
}

#[tokio::test]
async fn latency_does_not_delay_other_operations() {
    let faulty_lrs = FaultyLrs::with_faults([latency_of_find_by_uln()]);
    let started = Instant::now();

    assert!(faulty_lrs.find_learner_to_register().await.contains("WSRC0001"));

    assert!(started.elapsed() < LATENCY, "{:?}", started.elapsed());
}
