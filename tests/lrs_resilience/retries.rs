//! What is made again after it did not get through, and what never is.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use lrs_gateway::simulator::{Fault, FaultStep, SimulatorSettings};
use serde_json::{Value, json};

use super::{EVENTS, FIND, REGISTER, SEARCH, VERIFY, ana, begin, newcomer, statuses};
use crate::support::gateway::Options;
use crate::support::tcp_proxy::TcpProxy;
use crate::support::{SimulatedLrs, TestGateway};

/// What a connection that did not get through looks like.
const DID_NOT_GET_THROUGH: [Fault; 4] = [Fault::Refuse, Fault::ResetBefore, Fault::ResetAfter, Fault::Unavailable];

fn retrying(retries: u32) -> Options {
    Options { max_retries: retries, ..Options::default() }
}

/// Asks once for something that does not get through so many times, and is made again twice.
async fn does_not_get_through(
    trouble: Fault,
    troubles: usize,
    (lrs, gateway): (&SimulatedLrs, &TestGateway),
    (path, element, body): &Read,
) {
    let before = lrs.simulator.request_count(element);
    lrs.simulator.inject_faults(vec![FaultStep::new(trouble).for_operation(element).times(troubles)]);
    let answer = gateway.caller().post(path, body).await;
    let what = format!("{path}: {troubles} times {trouble:?}");
    assert_eq!(lrs.simulator.request_count(element) - before, (troubles + 1).min(3), "{what}");
    if troubles < 3 {
        assert_eq!(answer.status, 200, "{what}: {}", answer.text);
    } else {
        let problem = answer.problem(503, "lrs_unavailable");
        assert_eq!((answer.header("retry-after"), &problem["outcomeUnknown"]), ("30", &Value::Null), "{what}");
    }
}

type Read = (&'static str, &'static str, Value);

#[tokio::test]
async fn a_read_that_did_not_get_through_is_made_again_twice_and_no_more() {
    let reads: [Read; 5] = [
        (FIND, "FindLearnerByULN", ana()),
        (SEARCH, "FindLearnerByDemographics", newcomer(0).1),
        (VERIFY, "VerifyLearner", ana()),
        (EVENTS, "GetLearnerLearningEvents", ana()),
        ("/v1/learners/retrieve-ulns", "RetrieveULNs", json!({"ulns": ["3000000126"]})),
    ];
    join_all(reads.iter().map(|read| async move {
        let lrs = SimulatedLrs::start();
        for trouble in DID_NOT_GET_THROUGH {
            // These use up the retries that a gateway begins with.
            let gateway = TestGateway::with(&lrs.url(), retrying(2));
            for troubles in [1, 2, 3] {
                does_not_get_through(trouble, troubles, (&lrs, &gateway), read).await;
            }
        }
    }))
    .await;
}

#[tokio::test]
async fn a_read_finds_an_lrs_that_begins_to_listen_meanwhile() {
    let mut lrs = SimulatedLrs::start();
    let gateway = TestGateway::with(&lrs.url(), retrying(5));
    lrs.stop();
    let read = begin(gateway.caller(), FIND, ana());
    let started = Instant::now();
    while statuses(&gateway).await[0] != "DEGRADED" {
        assert!(started.elapsed() < Duration::from_secs(10), "the first attempt never fails");
    }
    lrs.restart();
    assert_eq!(read.await.expect("no panic").expect_success()["outcome"], "EXACT_MATCH");
    assert_eq!(lrs.simulator.request_count("FindLearnerByULN"), 1);
}

#[tokio::test]
async fn an_answer_is_never_asked_for_again() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::with(&lrs.url(), retrying(5));
    let fault = |code: &str| FaultStep { code: Some(code.into()), ..FaultStep::new(Fault::SoapFault) };
    let mut steps = vec![fault("WSEC4711"), fault("WSEC0001"), fault("WSEC0005"), fault("WSEC0999")];
    steps.extend(Fault::all().filter(|trouble| !DID_NOT_GET_THROUGH.contains(trouble)).filter_map(|trouble| match trouble {
        Fault::Latency | Fault::SlowDrip | Fault::SoapFault => None,
        _ => Some(FaultStep::new(trouble)),
    }));
    assert_eq!(steps.len(), 10);
    for (asked, step) in steps.into_iter().enumerate() {
        lrs.simulator.inject_faults(vec![step.clone()]);
        let answer = gateway.caller().post(FIND, &ana()).await;
        assert!([502, 503].contains(&answer.status), "{step:?}: {}", answer.text);
        assert_eq!(lrs.simulator.request_count("FindLearnerByULN"), asked + 1, "{step:?}");
    }
}

#[tokio::test]
async fn a_read_that_was_not_answered_in_time_is_not_made_again() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::with(&lrs.url(), Options { timeout: Duration::from_millis(400), ..retrying(5) });
    for (asked, step) in [FaultStep::new(Fault::Latency).with_milliseconds(3000), FaultStep::new(Fault::SlowDrip).with_milliseconds(50)]
        .into_iter()
        .enumerate()
    {
        lrs.simulator.inject_faults(vec![step]);
        gateway.caller().post(FIND, &ana()).await.problem(504, "lrs_timeout");
        assert_eq!(lrs.simulator.request_count("FindLearnerByULN"), asked + 1);
    }
}

#[tokio::test]
async fn a_write_is_never_made_again() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::with(&lrs.url(), retrying(5));
    let caller = gateway.caller();
    let change = |registration: &Value| json!({"uln": "3000000126", "versionNumber": 1, "learner": registration["learner"]});
    for (number, trouble) in DID_NOT_GET_THROUGH.into_iter().enumerate() {
        let (registration, search) = newcomer(number);
        caller.post(SEARCH, &search).await.expect_success();
        for (path, element, body) in [
            (REGISTER, "RegisterLearner", registration.clone()),
            ("/v1/learners/update", "UpdateLearner", change(&registration)),
            ("/v1/learners/obtain-uln", "RegisterLearner", newcomer(50 + number).0),
        ] {
            let before = lrs.simulator.request_count(element);
            lrs.simulator.inject_faults(vec![FaultStep::new(trouble).for_operation(element).times(1)]);
            let problem = caller.post(path, &body).await.problem(504, "lrs_timeout");
            assert_eq!((&problem["outcomeUnknown"], &problem["retryable"]), (&json!(true), &json!(false)), "{path}: {trouble:?}");
            assert_eq!(lrs.simulator.request_count(element) - before, 1, "{path}: {trouble:?}");
        }
    }
}

#[tokio::test]
async fn nothing_is_made_again_after_the_time_of_the_call_is_over() {
    // Each attempt takes 200 ms to fail.
    let lrs = SimulatedLrs::with(&SimulatorSettings { latency_milliseconds: 200, ..SimulatorSettings::default() });
    let timeout = Duration::from_millis(500);
    let gateway = TestGateway::with(&lrs.url(), Options { timeout, ..retrying(100) });
    lrs.simulator.inject_faults(vec![FaultStep::new(Fault::ResetBefore)]);
    let begun = Instant::now();
    let answer = gateway.caller().post(FIND, &ana()).await;
    assert!(begun.elapsed() < timeout * 2, "{:?}", begun.elapsed());
    assert!([(503, "lrs_unavailable"), (504, "lrs_timeout")].contains(&(answer.status, answer.json()["code"].as_str().expect("a code"))));
    let asked = lrs.simulator.request_count("FindLearnerByULN");
    assert!((1..=3).contains(&asked), "{asked}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(lrs.simulator.request_count("FindLearnerByULN"), asked, "nor after its caller was told");
}

#[tokio::test]
async fn an_outage_is_not_multiplied() {
    const CALLS: usize = 200;
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::with(&lrs.url(), retrying(2));
    lrs.simulator.inject_faults(vec![FaultStep::new(Fault::Refuse)]);
    let (caller, body) = (gateway.caller(), ana());
    let begun = Instant::now();
    let calls = futures_util::stream::iter(0..CALLS).map(|_| caller.post(FIND, &body)).buffer_unordered(4);
    calls.for_each(|answer| async move { drop(answer.problem(503, "lrs_unavailable")) }).await;
    // A tenth of the calls, five that there always are, and one every two seconds.
    let retries = lrs.simulator.request_count("FindLearnerByULN") - CALLS;
    let back = usize::try_from(begun.elapsed().as_secs() / 2).expect("few") + 1;
    assert!((15..=CALLS / 10 + 5 + back).contains(&retries), "{retries} retries of {CALLS} calls in {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_retry_is_the_same_message_of_the_same_person() {
    let lrs = SimulatedLrs::start();
    let door = TcpProxy::in_front_of(&lrs.url());
    let gateway = TestGateway::with(&door.url(), retrying(2));
    lrs.simulator.inject_faults(vec![FaultStep::new(Fault::Unavailable).times(2)]);
    assert_eq!(gateway.caller().post(FIND, &ana()).await.status, 200);
    let sent: Vec<String> = door.arrivals("j.bloggs").into_iter().map(|(_, body)| body).collect();
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|one| *one == sent[0]), "the same message each time");
}
