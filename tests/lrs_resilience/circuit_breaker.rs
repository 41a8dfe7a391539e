//! The circuit breaker: while LRS does not respond, calls fail immediately, LRS receives only probes, and calls succeed again soon after
//! LRS responds.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::future::{join, join_all};
use lrs_gateway::lrs::concurrency_limit::ConcurrencySettings;
use lrs_gateway::lrs::{CircuitBreakerSettings, Service};
use lrs_gateway::simulator::{Fault, FaultStep};
use serde_json::{Value, json};

use super::{EVENTS, FIND, REGISTER, ana, awarding_caller, both_organisations, lrs_statuses, unregistered_learner};
use crate::support::batches::{full_registration, learners, submit};
use crate::support::caller::PROVIDER;
use crate::support::fake_server::{Reply, http, soap};
use crate::support::gateway::{AWARDING, Options};
use crate::support::simulator::settings_for_both_organisations;
use crate::support::tcp_proxy::TcpProxy;
use crate::support::{Caller, FakeServer, SimulatedLrs, TestGateway, wait_until};

const PROBE_INTERVAL: Duration = Duration::from_millis(300);
/// Delay that a busy machine may add.
const SLACK: Duration = Duration::from_millis(500);

/// Returns options with a circuit breaker that opens after five failures.
fn with_circuit_breaker() -> Options {
    let circuit_breaker = CircuitBreakerSettings { failure_threshold: 5, probe_interval: PROBE_INTERVAL };
    Options { circuit_breaker, organisations: both_organisations("demo-password-01"), ..Options::default() }
}

/// A call under load, with its answer.
#[derive(Debug)]
struct MeasuredCall {
    started_at: Instant,
    duration: Duration,
    status: u16,
    code: String,
    retry_after: Option<u64>,
}

impl MeasuredCall {
    async fn make(caller: &Caller) -> Self {
        let started_at = Instant::now();
        let answer = caller.post(FIND, &ana()).await;
        let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
        let retry_after = answer.header("retry-after").parse().ok();
        Self { started_at, duration: started_at.elapsed(), status: answer.status, code, retry_after }
    }

    fn ended_at(&self) -> Instant {
        self.started_at + self.duration
    }
}

/// Runs a scenario while eight callers of two organisations make calls. Returns the calls and the scenario's result.
async fn under_load<T>(gateway: &TestGateway, scenario: impl AsyncFnOnce(&RefCell<Vec<MeasuredCall>>) -> T) -> (Vec<MeasuredCall>, T) {
    let (calls, is_finished) = (RefCell::new(Vec::new()), Cell::new(false));
    let callers: Vec<Caller> = (0..8).map(|number| if number % 2 == 0 { gateway.caller() } else { awarding_caller(gateway) }).collect();
    let load = join_all(callers.iter().map(|caller| async {
        while !is_finished.get() {
            let call = MeasuredCall::make(caller).await;
            calls.borrow_mut().push(call);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }));
    let (_, result) = join(load, async {
        let result = scenario(&calls).await;
        is_finished.set(true);
        result
    })
    .await;
    (calls.into_inner(), result)
}

/// Waits until this many calls fulfil a condition.
async fn wait_for_calls(calls: &RefCell<Vec<MeasuredCall>>, count: usize, condition: impl Fn(&MeasuredCall) -> bool) {
    let matching = || calls.borrow().iter().filter(|call| condition(call)).count();
    wait_until(|| matching() >= count, || format!("{count} calls; there are {}", matching())).await;
}

/// Waits until the learner service has this status.
async fn wait_for_learner_service_status(gateway: &TestGateway, expected: &str) {
    let started_at = Instant::now();
    while lrs_statuses(gateway).await[1] != expected {
        assert!(started_at.elapsed() < Duration::from_secs(10), "timed out waiting for {expected}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Asserts that many calls were answered without a call to LRS: each `lrs_unavailable`, and most within 50 ms.
fn assert_failed_immediately(calls: &[&MeasuredCall]) {
    for call in calls {
        assert_eq!((call.status, call.code.as_str()), (503, "lrs_unavailable"), "{call:?}");
        assert!(call.retry_after.is_some_and(|seconds| (1..=30).contains(&seconds)), "{call:?}");
    }
    let mut durations: Vec<Duration> = calls.iter().map(|call| call.duration).collect();
    durations.sort_unstable();
    let median = durations.get(durations.len() / 2);
    assert!(
        durations.len() > 50 && median.is_some_and(|median| *median < Duration::from_millis(50)),
        "{} calls: {durations:?}",
        calls.len()
    );
}

/// Returns the time from LRS's recovery to the end of the first successful call.
fn time_to_recovery(calls: &[MeasuredCall], recovered_at: Instant) -> Duration {
    let successes = calls.iter().filter(|call| call.status == 200).map(MeasuredCall::ended_at).filter(|ended_at| *ended_at > recovered_at);
    successes.min().expect("a call succeeds after LRS has recovered").duration_since(recovered_at)
}

/// Asserts that LRS received one request per probe interval. A busy machine can shift their arrivals, so only their number is asserted.
fn assert_only_probes_arrived(proxy: &TcpProxy, opened_at: Instant, recovered_at: Instant) {
    let probes = proxy.arrivals("").into_iter().filter(|(arrived_at, _)| (opened_at..recovered_at).contains(arrived_at)).count();
    let outage = recovered_at - opened_at;
    let max_probes = 2 + usize::try_from(outage.as_millis() / PROBE_INTERVAL.as_millis()).expect("the number is small");
    assert!((2..=max_probes).contains(&probes), "{probes} requests arrived in {outage:?}");
}

#[tokio::test]
async fn circuit_breaker_lrs_resets_connections_sends_only_probes_and_recovers() {
    const MAX_CALLS: usize = 3;
    let lrs = SimulatedLrs::with(&settings_for_both_organisations());
    let proxy = TcpProxy::in_front_of(&lrs.url());
    let concurrency =
        ConcurrencySettings { max_concurrent_calls: MAX_CALLS, max_concurrent_calls_per_organisation: 2, ..ConcurrencySettings::default() };
    let gateway = TestGateway::with(&proxy.url(), Options { concurrency, ..with_circuit_breaker() });

    let (calls, (opened_at, recovered_at)) = under_load(&gateway, async |calls| {
        proxy.set_unreachable(true);
        wait_for_learner_service_status(&gateway, "UNAVAILABLE").await;
        // Calls that were sent before the circuit breaker opened may still arrive.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let opened_at = Instant::now();
        // The outage must last several probe intervals: the number of probes is asserted below.
        tokio::time::sleep(PROBE_INTERVAL * 5).await;
        proxy.set_delay(Duration::from_millis(20));
        let recovered_at = Instant::now();
        proxy.set_unreachable(false);
        wait_for_learner_service_status(&gateway, "DEGRADED").await;
        wait_for_calls(calls, 20, |call| call.started_at > recovered_at + PROBE_INTERVAL + SLACK).await;
        (opened_at, recovered_at)
    })
    .await;

    let during_outage: Vec<_> = calls.iter().filter(|call| call.started_at > opened_at && call.ended_at() < recovered_at).collect();
    assert_failed_immediately(&during_outage);
    assert_only_probes_arrived(&proxy, opened_at, recovered_at);

    let time_to_recovery = time_to_recovery(&calls, recovered_at);
    assert!(time_to_recovery < PROBE_INTERVAL + SLACK, "{time_to_recovery:?}");
    assert!(proxy.max_concurrent() <= MAX_CALLS, "{} calls at the same time", proxy.max_concurrent());
    let after_recovery: Vec<_> = calls.iter().filter(|call| call.started_at > recovered_at + PROBE_INTERVAL + SLACK).collect();
    assert!(after_recovery.len() >= 20 && after_recovery.iter().all(|call| call.status == 200), "{after_recovery:?}");
}

#[tokio::test]
async fn circuit_breaker_lrs_refuses_connections_fails_immediately_and_recovers() {
    let mut lrs = SimulatedLrs::with(&settings_for_both_organisations());
    let gateway = TestGateway::with(&lrs.url(), with_circuit_breaker());
    lrs.stop();
    let (calls, recovered_at) = under_load(&gateway, async |calls| {
        wait_for_learner_service_status(&gateway, "UNAVAILABLE").await;
        calls.borrow_mut().clear();
        // The outage must last several probe intervals, so that failed probes are among the calls.
        tokio::time::sleep(PROBE_INTERVAL * 4).await;
        assert_failed_immediately(&calls.borrow().iter().collect::<Vec<_>>());
        let recovered_at = Instant::now();
        lrs.restart();
        wait_for_learner_service_status(&gateway, "DEGRADED").await;
        wait_for_calls(calls, 1, |call| call.status == 200).await;
        recovered_at
    })
    .await;
    let time_to_recovery = time_to_recovery(&calls, recovered_at);
    assert!(time_to_recovery < PROBE_INTERVAL + SLACK, "{time_to_recovery:?}");
}

/// A gateway whose circuit breaker has opened because LRS was stopped.
struct OpenCircuitBreaker {
    lrs: SimulatedLrs,
    gateway: TestGateway,
}

impl OpenCircuitBreaker {
    async fn new() -> Self {
        let mut lrs = SimulatedLrs::start();
        lrs.simulator.set_job_duration(Duration::ZERO);
        let gateway = TestGateway::with(&lrs.url(), Options { organisations: Options::default().organisations, ..with_circuit_breaker() });
        lrs.stop();
        for _ in 0..5 {
            gateway.caller().post(FIND, &ana()).await.problem(503, "lrs_unavailable");
        }
        assert_eq!(lrs_statuses(&gateway).await, ["UNAVAILABLE", "UNAVAILABLE", "AVAILABLE", "AVAILABLE"]);
        Self { lrs, gateway }
    }
}

#[tokio::test]
async fn circuit_breaker_open_write_is_not_sent_and_has_no_unknown_outcome() {
    let OpenCircuitBreaker { mut lrs, gateway } = OpenCircuitBreaker::new().await;
    let problem = gateway.caller().post(REGISTER, &unregistered_learner(0).0).await.problem(503, "lrs_unavailable");
    assert_eq!((&problem["outcomeUnknown"], &problem["retryable"]), (&Value::Null, &json!(true)), "{problem}");
    lrs.restart();
    wait_for_success(&gateway).await;
    assert_eq!(lrs.simulator.request_count("RegisterLearner"), 0, "the write is not sent later");
}

/// Repeats a search until it succeeds.
async fn wait_for_success(gateway: &TestGateway) {
    let started_at = Instant::now();
    while gateway.caller().post(FIND, &ana()).await.status != 200 {
        assert!(started_at.elapsed() < Duration::from_secs(10), "timed out waiting for a successful call");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn circuit_breaker_open_batch_part_waits_and_its_submission_is_a_probe() {
    let OpenCircuitBreaker { mut lrs, gateway } = OpenCircuitBreaker::new().await;
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &full_registration(&learners(3))).await;
    let waiting = batch.wait_for_state("reason LRS_UNAVAILABLE", |state| state["parts"][0]["reason"] == "LRS_UNAVAILABLE").await;
    assert_eq!(waiting["parts"][0]["status"], "WAITING");

    lrs.restart();
    batch.wait_for_status("COMPLETE").await;
    assert_eq!(lrs.simulator.request_count("SubmitBatch"), 1);
    assert_eq!(lrs_statuses(&gateway).await[1], "DEGRADED", "the submission closed the circuit breaker");
}

/// Body of LRS's response to a search without a match.
const NO_MATCH: &str = "<n:FindLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/findmsg\"><ResponseCode>WSRC0001</ResponseCode>\
    </n:FindLearnerResponse>";

/// Makes calls of two organisations. Every call of the provider must fail with this problem, and every call of the awarding organisation
/// must succeed: the circuit breaker stays closed.
async fn assert_only_provider_fails(gateway: &TestGateway, status: u16, code: &str) {
    let (provider, awarding) = (gateway.caller(), awarding_caller(gateway));
    for _ in 0..12 {
        provider.post(FIND, &ana()).await.problem(status, code);
        provider.post(FIND, &ana()).await.problem(status, code);
        assert_eq!(awarding.post(FIND, &ana()).await.status, 200);
    }
    for _ in 0..12 {
        provider.post(FIND, &ana()).await.problem(status, code);
    }
    assert_eq!(
        awarding.post(FIND, &ana()).await.status,
        200,
        "the awarding organisation made no calls in the meantime, and its call is sent"
    );
    assert_ne!(lrs_statuses(gateway).await[1], "UNAVAILABLE");
}

#[tokio::test]
async fn circuit_breaker_wrong_password_of_one_organisation_stays_closed() {
    let lrs = SimulatedLrs::with(&settings_for_both_organisations());
    let organisations = both_organisations("a-wrong-password");
    let gateway = TestGateway::with(&lrs.url(), Options { organisations, ..with_circuit_breaker() });
    assert_only_provider_fails(&gateway, 502, "lrs_credentials_rejected").await;
    assert_eq!(lrs_statuses(&gateway).await, ["AVAILABLE"; 4]);
    assert_eq!(lrs.simulator.request_count("FindLearnerByULN"), 49, "every call was sent");
}

#[tokio::test]
async fn circuit_breaker_rejected_certificate_of_one_organisation_stays_closed() {
    let lrs = FakeServer::start(|request| {
        let rejection = http(403, "text/html", b"<html>403.7 Client certificate required</html>");
        Reply::Bytes(if request.body.contains(PROVIDER) { rejection } else { soap(200, NO_MATCH) })
    });
    let gateway = TestGateway::with(&lrs.url(), with_circuit_breaker());
    assert_only_provider_fails(&gateway, 502, "lrs_credentials_rejected").await;
    assert_eq!(lrs_statuses(&gateway).await, ["AVAILABLE"; 4]);
}

#[tokio::test]
async fn circuit_breaker_connection_failures_of_one_organisation_stays_closed() {
    let lrs = FakeServer::start(|request| {
        let is_closed = request.body.contains(PROVIDER);
        if is_closed { Reply::ThenClose(Vec::new()) } else { Reply::Bytes(soap(200, NO_MATCH)) }
    });
    let gateway = TestGateway::with(&lrs.url(), with_circuit_breaker());
    assert_eq!(awarding_caller(&gateway).post(FIND, &ana()).await.status, 200);
    assert_only_provider_fails(&gateway, 503, "lrs_unavailable").await;
    assert_eq!(lrs_statuses(&gateway).await[1], "DEGRADED");
    let request_count = |organisation: &str| lrs.received().iter().filter(|request| request.body.contains(organisation)).count();
    assert_eq!((request_count(PROVIDER), request_count(AWARDING)), (36, 14), "every call was sent");
}

#[tokio::test]
async fn circuit_breaker_outage_of_one_service_does_not_affect_others() {
    for (service, failing_path, element, working_path, status_index) in
        [(Service::Learner, FIND, "FindLearnerByULN", EVENTS, 1), (Service::LearnerR9, EVENTS, "GetLearnerLearningEvents", FIND, 2)]
    {
        let lrs = SimulatedLrs::start();
        let gateway = TestGateway::with(&lrs.url(), with_circuit_breaker());
        let caller = gateway.caller();
        lrs.simulator.inject_faults(vec![FaultStep { service: Some(service), ..FaultStep::new(Fault::Refuse) }]);

        let body = ana();
        let calls = futures_util::stream::iter(0..10).then(|_| caller.post(failing_path, &body));
        calls.for_each(async |answer| drop(answer.problem(503, "lrs_unavailable"))).await;

        let requests = lrs.simulator.request_count(element);
        assert!((5..=6).contains(&requests), "the circuit breaker opens after five failures: {requests}");
        assert_eq!(caller.post(working_path, &body).await.expect_success()["outcome"], "EXACT_MATCH");
        let mut expected = ["UNAVAILABLE", "AVAILABLE", "AVAILABLE", "AVAILABLE"];
        expected[status_index] = "UNAVAILABLE";
        assert_eq!(lrs_statuses(&gateway).await, expected);
    }
}
