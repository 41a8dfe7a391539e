//! Retries: reads are retried after connection failures, and writes never.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use lrs_gateway::schema::CodeList as _;
use lrs_gateway::simulator::{Fault, FaultStep, SimulatorSettings};
use serde_json::{Value, json};

use super::{EVENTS, FIND, REGISTER, SEARCH, VERIFY, ana, lrs_statuses, spawn_call, unregistered_learner};
use crate::support::gateway::Options;
use crate::support::tcp_proxy::TcpProxy;
use crate::support::{SimulatedLrs, TestGateway};

const FIND_ELEMENT: &str = "FindLearnerByULN";

/// Faults in which the gateway receives no complete response of LRS. It retries reads after them.
const CONNECTION_FAILURES: [Fault; 5] = [Fault::Refuse, Fault::ResetBefore, Fault::ResetAfter, Fault::Truncated, Fault::Unavailable];

fn with_max_retries(max_retries: u32) -> Options {
    Options { max_retries, ..Options::default() }
}

/// A read: path, element of LRS's request, and body.
type Read = (&'static str, &'static str, Value);

/// Makes a read that fails this often at a gateway with two retries, and asserts the number of requests and the answer.
async fn assert_at_most_two_retries(
    fault: Fault,
    failures: usize,
    (lrs, gateway): (&SimulatedLrs, &TestGateway),
    (path, element, body): &Read,
) {
    let requests_before = lrs.simulator.request_count(element);
    lrs.simulator.inject_faults(vec![FaultStep::new(fault).for_operation(element).times(failures)]);
    let answer = gateway.caller().post(path, body).await;
    let case = format!("{path}: {failures} times {fault:?}");
    assert_eq!(lrs.simulator.request_count(element) - requests_before, (failures + 1).min(3), "{case}");
    if failures < 3 {
        assert_eq!(answer.status, 200, "{case}: {}", answer.text);
    } else {
        let problem = answer.problem(503, "lrs_unavailable");
        assert_eq!((answer.header("retry-after"), &problem["outcomeUnknown"]), ("30", &Value::Null), "{case}");
    }
}

#[tokio::test]
async fn retry_of_read_after_connection_failure_is_limited_to_max_retries() {
    let reads: [Read; 5] = [
        (FIND, FIND_ELEMENT, ana()),
        (SEARCH, "FindLearnerByDemographics", unregistered_learner(0).1),
        (VERIFY, "VerifyLearner", ana()),
        (EVENTS, "GetLearnerLearningEvents", ana()),
        ("/v1/learners/retrieve-ulns", "RetrieveULNs", json!({"ulns": ["3000000126"]})),
    ];
    join_all(reads.iter().map(|read| async move {
        let lrs = SimulatedLrs::start();
        for fault in CONNECTION_FAILURES {
            // Each fault uses up the initial retry budget of a gateway, so each one has its own gateway.
            let gateway = TestGateway::with(&lrs.url(), with_max_retries(2));
            for failures in [1, 2, 3] {
                assert_at_most_two_retries(fault, failures, (&lrs, &gateway), read).await;
            }
        }
    }))
    .await;
}

#[tokio::test]
async fn retry_after_lrs_starts_listening_succeeds() {
    let mut lrs = SimulatedLrs::start();
    let gateway = TestGateway::with(&lrs.url(), with_max_retries(5));
    lrs.stop();
    let call = spawn_call(gateway.caller(), FIND, ana());
    let started_at = Instant::now();
    while lrs_statuses(&gateway).await[0] != "DEGRADED" {
        assert!(started_at.elapsed() < Duration::from_secs(10), "timed out waiting for the first attempt to fail");
    }
    lrs.restart();
    assert_eq!(call.await.expect("the call does not panic").expect_success()["outcome"], "EXACT_MATCH");
    assert_eq!(lrs.simulator.request_count(FIND_ELEMENT), 1);
}

#[tokio::test]
async fn retry_after_response_of_lrs_is_not_made() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::with(&lrs.url(), with_max_retries(5));
    let soap_fault = |code: &str| FaultStep { code: Some(code.into()), ..FaultStep::new(Fault::SoapFault) };
    let mut steps = vec![soap_fault("WSEC4711"), soap_fault("WSEC0001"), soap_fault("WSEC0005"), soap_fault("WSEC0999")];
    steps.extend(Fault::ALL.iter().copied().filter(|fault| !CONNECTION_FAILURES.contains(fault)).filter_map(|fault| match fault {
        Fault::Latency | Fault::SlowDrip | Fault::SoapFault => None,
        _ => Some(FaultStep::new(fault)),
    }));
    assert_eq!(steps.len(), 9);
    for (requests_before, step) in steps.into_iter().enumerate() {
        lrs.simulator.inject_faults(vec![step.clone()]);
        let answer = gateway.caller().post(FIND, &ana()).await;
        assert!([502, 503].contains(&answer.status), "{step:?}: {}", answer.text);
        assert_eq!(lrs.simulator.request_count(FIND_ELEMENT), requests_before + 1, "{step:?}");
    }
}

#[tokio::test]
async fn retry_after_timeout_is_not_made() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::with(&lrs.url(), Options { timeout: Duration::from_millis(400), ..with_max_retries(5) });
    let steps = [FaultStep::new(Fault::Latency).with_milliseconds(3000), FaultStep::new(Fault::SlowDrip).with_milliseconds(50)];
    for (requests_before, step) in steps.into_iter().enumerate() {
        lrs.simulator.inject_faults(vec![step]);
        gateway.caller().post(FIND, &ana()).await.problem(504, "lrs_timeout");
        assert_eq!(lrs.simulator.request_count(FIND_ELEMENT), requests_before + 1);
    }
}

#[tokio::test]
async fn retry_of_write_is_not_made() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::with(&lrs.url(), with_max_retries(5));
    let caller = gateway.caller();
    let update = |registration: &Value| json!({"uln": "3000000126", "versionNumber": 1, "learner": registration["learner"]});
    for (number, fault) in CONNECTION_FAILURES.into_iter().enumerate() {
        let (registration, search) = unregistered_learner(number);
        caller.post(SEARCH, &search).await.expect_success();
        for (path, element, body) in [
            (REGISTER, "RegisterLearner", registration.clone()),
            ("/v1/learners/update", "UpdateLearner", update(&registration)),
            ("/v1/learners/obtain-uln", "RegisterLearner", unregistered_learner(50 + number).0),
        ] {
            let requests_before = lrs.simulator.request_count(element);
            lrs.simulator.inject_faults(vec![FaultStep::new(fault).for_operation(element).times(1)]);
            let answer = caller.post(path, &body).await;
            if fault == Fault::Unavailable {
                // A prompt 503: LRS did not process the request.
                assert_eq!(answer.problem(503, "lrs_unavailable")["outcomeUnknown"], Value::Null, "{path}: {fault:?}");
            } else {
                let problem = answer.problem(504, "lrs_timeout");
                assert_eq!((&problem["outcomeUnknown"], &problem["retryable"]), (&json!(true), &json!(false)), "{path}: {fault:?}");
            }
            assert_eq!(lrs.simulator.request_count(element) - requests_before, 1, "{path}: {fault:?}");
        }
    }
}

#[tokio::test]
async fn retry_after_deadline_of_call_is_not_made() {
    // Each attempt takes 200 ms to fail.
    let lrs = SimulatedLrs::with(&SimulatorSettings { latency_milliseconds: 200, ..SimulatorSettings::default() });
    let timeout = Duration::from_millis(500);
    let gateway = TestGateway::with(&lrs.url(), Options { timeout, ..with_max_retries(100) });
    lrs.simulator.inject_faults(vec![FaultStep::new(Fault::ResetBefore)]);

    let started_at = Instant::now();
    let answer = gateway.caller().post(FIND, &ana()).await;
    assert!(started_at.elapsed() < timeout * 2, "{:?}", started_at.elapsed());
    let problem = answer.json();
    assert!(
        [(503, "lrs_unavailable"), (504, "lrs_timeout")]
            .contains(&(answer.status, problem["code"].as_str().expect("a problem has a code")))
    );
    let requests = lrs.simulator.request_count(FIND_ELEMENT);
    assert!((1..=3).contains(&requests), "{requests}");

    // The wait is longer than an attempt: a retry after the answer would arrive in that time.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(lrs.simulator.request_count(FIND_ELEMENT), requests, "no request follows the answer");
}

#[tokio::test]
async fn retry_budget_limits_requests_in_an_outage() {
    const CALLS: usize = 200;
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::with(&lrs.url(), with_max_retries(2));
    lrs.simulator.inject_faults(vec![FaultStep::new(Fault::Refuse)]);

    let (caller, body) = (gateway.caller(), ana());
    let started_at = Instant::now();
    let calls = futures_util::stream::iter(0..CALLS).map(|_| caller.post(FIND, &body)).buffer_unordered(4);
    calls.for_each(|answer| async move { drop(answer.problem(503, "lrs_unavailable")) }).await;

    // A tenth of the calls, a reserve of five, and one more every two seconds.
    let retries = lrs.simulator.request_count(FIND_ELEMENT) - CALLS;
    let refilled = usize::try_from(started_at.elapsed().as_secs() / 2).expect("the number is small") + 1;
    assert!((15..=CALLS / 10 + 5 + refilled).contains(&retries), "{retries} retries of {CALLS} calls in {:?}", started_at.elapsed());
}

#[tokio::test]
async fn retry_sends_the_same_message() {
    let lrs = SimulatedLrs::start();
    let proxy = TcpProxy::in_front_of(&lrs.url());
    let gateway = TestGateway::with(&proxy.url(), with_max_retries(2));
    lrs.simulator.inject_faults(vec![FaultStep::new(Fault::Unavailable).times(2)]);
    assert_eq!(gateway.caller().post(FIND, &ana()).await.status, 200);
    let messages: Vec<String> = proxy.arrivals("j.bloggs").into_iter().map(|(_, body)| body).collect();
    assert_eq!(messages.len(), 3);
    assert!(messages.iter().all(|message| *message == messages[0]), "every attempt has the same message");
}
