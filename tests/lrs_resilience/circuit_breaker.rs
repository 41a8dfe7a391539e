//! When LRS is dead: callers are told at once, LRS is left alone but for probes, and service is back soon after it is.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::future::{join, join_all};
use lrs_gateway::lrs::concurrency_limit::ConcurrencySettings;
use lrs_gateway::lrs::{CircuitBreakerSettings, Service};
use lrs_gateway::simulator::{Fault, FaultStep};
use serde_json::{Value, json};

use super::{EVENTS, FIND, REGISTER, ana, awarding, both, newcomer, statuses};
use crate::support::batches::{learners, submit};
use crate::support::caller::PROVIDER;
use crate::support::fake_server::{Reply, http, soap};
use crate::support::gateway::{AWARDING, Options};
use crate::support::simulator::for_both_organisations;
use crate::support::tcp_proxy::TcpProxy;
use crate::support::{Caller, FakeServer, SimulatedLrs, TestGateway};

const PROBES: Duration = Duration::from_millis(300);
/// What a busy machine may add to a time.
const SLACK: Duration = Duration::from_millis(500);

fn breaking() -> Options {
    let breaker = CircuitBreakerSettings { failure_threshold: 5, probe_interval: PROBES };
    Options { breaker, organisations: both("demo-password-01"), ..Options::default() }
}

/// A call under load: when it was made, how long it took, what it came to.
#[derive(Debug)]
struct Made {
    at: Instant,
    took: Duration,
    status: u16,
    code: String,
    retry_after: Option<u64>,
}

async fn make(caller: &Caller) -> Made {
    let at = Instant::now();
    let answer = caller.post(FIND, &ana()).await;
    let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
    Made { at, took: at.elapsed(), status: answer.status, code, retry_after: answer.header("retry-after").parse().ok() }
}

/// Two organisations that call and call, eight people at a time, while something else goes on.
async fn under_load<T>(gateway: &TestGateway, meanwhile: impl AsyncFnOnce(&RefCell<Vec<Made>>) -> T) -> (Vec<Made>, T) {
    let (made, over) = (RefCell::new(Vec::new()), Cell::new(false));
    let callers: Vec<Caller> = (0..8).map(|number| if number % 2 == 0 { gateway.caller() } else { awarding(gateway) }).collect();
    let load = join_all(callers.iter().map(|caller| async {
        while !over.get() {
            let one = make(caller).await;
            made.borrow_mut().push(one);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }));
    let (_, result) = join(load, async {
        let result = meanwhile(&made).await;
        over.set(true);
        result
    })
    .await;
    (made.into_inner(), result)
}

async fn until_status(gateway: &TestGateway, expected: &str) {
    let started = Instant::now();
    while statuses(gateway).await[1] != expected {
        assert!(started.elapsed() < Duration::from_secs(10), "it never is {expected}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What callers are told at once, without LRS.
fn are_told_at_once(made: &[&Made]) {
    for one in made {
        assert_eq!((one.status, one.code.as_str()), (503, "lrs_unavailable"), "{one:?}");
        assert!(one.retry_after.is_some_and(|seconds| (1..=30).contains(&seconds)), "{one:?}");
    }
    let mut times: Vec<Duration> = made.iter().map(|one| one.took).collect();
    times.sort_unstable();
    assert!(times.len() > 50 && times[times.len() / 2] < Duration::from_millis(50), "{} calls: {times:?}", times.len());
}

/// The first call that was answered, after this moment.
fn back_after(made: &[Made], moment: Instant) -> Duration {
    let answered = made.iter().filter(|one| one.at + one.took > moment && one.status == 200).map(|one| one.at + one.took);
    answered.min().expect("service is back").duration_since(moment)
}

#[tokio::test]
async fn a_dead_lrs_is_told_at_once_and_is_left_alone_but_for_probes_and_is_not_stormed_when_it_is_back() {
    const AT_ONCE: usize = 3;
    let lrs = SimulatedLrs::with(&for_both_organisations());
    let door = TcpProxy::in_front_of(&lrs.url());
    let queue =
        ConcurrencySettings { max_concurrent_calls: AT_ONCE, max_concurrent_calls_per_organisation: 2, ..ConcurrencySettings::default() };
    let gateway = TestGateway::with(&door.url(), Options { queue, ..breaking() });
    let (made, (dead, alive)) = under_load(&gateway, async |_| {
        door.set_unreachable(true);
        until_status(&gateway, "UNAVAILABLE").await;
        // Those who were on their way when it opened.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let dead = Instant::now();
        tokio::time::sleep(PROBES * 5).await;
        door.set_delay(Duration::from_millis(20));
        let alive = Instant::now();
        door.set_unreachable(false);
        until_status(&gateway, "DEGRADED").await;
        tokio::time::sleep(PROBES * 2).await;
        (dead, alive)
    })
    .await;

    are_told_at_once(&made.iter().filter(|one| one.at > dead && one.at + one.took < alive).collect::<Vec<_>>());
    let came: Vec<Instant> = door.arrivals("").into_iter().map(|(at, _)| at).collect();
    let probes: Vec<Instant> = came.iter().copied().filter(|at| (dead..alive).contains(at)).collect();
    // One an interval is let out; how far apart they arrive, a busy machine decides.
    let most = 2 + usize::try_from((alive - dead).as_millis() / PROBES.as_millis()).expect("a few");
    assert!((2..=most).contains(&probes.len()), "{} requests came in {:?}", probes.len(), alive - dead);

    assert!(back_after(&made, alive) < PROBES + SLACK, "{:?}", back_after(&made, alive));
    assert!(door.max_concurrent() <= AT_ONCE, "{} at once", door.max_concurrent());
    let after: Vec<&Made> = made.iter().filter(|one| one.at > alive + PROBES + SLACK).collect();
    assert!(after.iter().all(|one| one.status == 200), "{after:?}");
}

#[tokio::test]
async fn an_lrs_to_which_nobody_can_connect_is_tried_again_by_itself() {
    let mut lrs = SimulatedLrs::with(&for_both_organisations());
    let gateway = TestGateway::with(&lrs.url(), breaking());
    lrs.stop();
    let (made, risen) = under_load(&gateway, async |made| {
        until_status(&gateway, "UNAVAILABLE").await;
        made.borrow_mut().clear();
        tokio::time::sleep(PROBES * 4).await;
        are_told_at_once(&made.borrow().iter().collect::<Vec<_>>());
        let risen = Instant::now();
        lrs.restart();
        until_status(&gateway, "DEGRADED").await;
        tokio::time::sleep(PROBES).await;
        risen
    })
    .await;
    assert!(back_after(&made, risen) < PROBES + SLACK, "{:?}", back_after(&made, risen));
}

#[tokio::test]
async fn what_is_not_sent_to_a_dead_lrs_has_no_unknown_outcome_and_batches_wait_for_it() {
    let mut lrs = SimulatedLrs::start();
    lrs.simulator.set_job_duration(Duration::ZERO);
    let gateway = TestGateway::with(&lrs.url(), Options { organisations: Options::default().organisations, ..breaking() });
    let caller = gateway.caller();
    lrs.stop();
    for _ in 0..5 {
        caller.post(FIND, &ana()).await.problem(503, "lrs_unavailable");
    }
    assert_eq!(statuses(&gateway).await, ["UNAVAILABLE", "UNAVAILABLE", "AVAILABLE", "AVAILABLE"]);
    let problem = caller.post(REGISTER, &newcomer(0).0).await.problem(503, "lrs_unavailable");
    assert_eq!((&problem["outcomeUnknown"], &problem["retryable"]), (&Value::Null, &json!(true)), "{problem}");
    let batch = submit(&caller, "registration-batches", &json!({"jobType": "FULL", "learners": learners(3)})).await;
    let started = Instant::now();
    while batch.state().await["parts"][0]["reason"] != "LRS_UNAVAILABLE" {
        assert!(started.elapsed() < Duration::from_secs(10), "{}", batch.state().await);
    }
    assert_eq!(batch.state().await["parts"][0]["status"], "WAITING");
    lrs.restart();
    batch.wait_for_status("COMPLETE").await;
    assert_eq!((lrs.simulator.request_count("SubmitBatch"), lrs.simulator.request_count("RegisterLearner")), (1, 0));
    assert_eq!(statuses(&gateway).await[1], "DEGRADED", "a batch is a probe too");
}

/// What LRS answers to a search.
const NOBODY: &str = "<n:FindLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/findmsg\"><ResponseCode>WSRC0001</ResponseCode>\
    </n:FindLearnerResponse>";

/// One organisation calls again and again and fails each time, as the other does not.
async fn one_fails_and_the_other_does_not(gateway: &TestGateway, status: u16, code: &str) {
    let (one, other) = (gateway.caller(), awarding(gateway));
    for _ in 0..12 {
        one.post(FIND, &ana()).await.problem(status, code);
        one.post(FIND, &ana()).await.problem(status, code);
        assert_eq!(other.post(FIND, &ana()).await.status, 200);
    }
    for _ in 0..12 {
        one.post(FIND, &ana()).await.problem(status, code);
    }
    assert_eq!(other.post(FIND, &ana()).await.status, 200, "the other has been silent meanwhile, and is let through");
    assert_ne!(statuses(gateway).await[1], "UNAVAILABLE");
}

#[tokio::test]
async fn the_bad_password_or_certificate_of_one_organisation_does_not_close_lrs_for_others() {
    let lrs = SimulatedLrs::with(&for_both_organisations());
    let organisations = both("a-wrong-password");
    let gateway = TestGateway::with(&lrs.url(), Options { organisations, ..breaking() });
    one_fails_and_the_other_does_not(&gateway, 502, "lrs_credentials_rejected").await;
    assert_eq!(statuses(&gateway).await, ["AVAILABLE"; 4]);
    assert_eq!(lrs.simulator.request_count("FindLearnerByULN"), 49, "nobody was kept from LRS");

    let certificates = FakeServer::start(|request| {
        let refused = http(403, "text/html", b"<html>403.7 Client certificate required</html>");
        Reply::Bytes(if request.body.contains(PROVIDER) { refused } else { soap(200, NOBODY) })
    });
    let gateway = TestGateway::with(&certificates.url(), breaking());
    one_fails_and_the_other_does_not(&gateway, 502, "lrs_credentials_rejected").await;
    assert_eq!(statuses(&gateway).await, ["AVAILABLE"; 4]);
}

#[tokio::test]
async fn an_organisation_whose_connections_alone_break_does_not_close_lrs_for_others() {
    let peer = FakeServer::start(|request| {
        let breaks = request.body.contains(PROVIDER);
        if breaks { Reply::ThenClose(Vec::new()) } else { Reply::Bytes(soap(200, NOBODY)) }
    });
    let gateway = TestGateway::with(&peer.url(), breaking());
    assert_eq!(awarding(&gateway).post(FIND, &ana()).await.status, 200);
    one_fails_and_the_other_does_not(&gateway, 503, "lrs_unavailable").await;
    assert_eq!(statuses(&gateway).await[1], "DEGRADED");
    let asked = |organisation: &str| peer.received().iter().filter(|request| request.body.contains(organisation)).count();
    assert_eq!((asked(PROVIDER), asked(AWARDING)), (36, 14), "nobody was kept from LRS");
}

#[tokio::test]
async fn an_outage_of_one_service_closes_no_other() {
    for (service, broken, element, whole, of) in
        [(Service::Learner, FIND, "FindLearnerByULN", EVENTS, 1), (Service::LearnerR9, EVENTS, "GetLearnerLearningEvents", FIND, 2)]
    {
        let lrs = SimulatedLrs::start();
        let gateway = TestGateway::with(&lrs.url(), breaking());
        let caller = gateway.caller();
        lrs.simulator.inject_faults(vec![FaultStep { service: Some(service), ..FaultStep::new(Fault::Refuse) }]);
        let body = ana();
        let calls = futures_util::stream::iter(0..10).then(|_| caller.post(broken, &body));
        calls.for_each(async |answer| drop(answer.problem(503, "lrs_unavailable"))).await;
        let asked = lrs.simulator.request_count(element);
        assert!((5..=6).contains(&asked), "it is closed after five: {asked}");
        assert_eq!(caller.post(whole, &body).await.expect_success()["outcome"], "EXACT_MATCH");
        let mut expected = ["UNAVAILABLE", "AVAILABLE", "AVAILABLE", "AVAILABLE"];
        expected[of] = "UNAVAILABLE";
        assert_eq!(statuses(&gateway).await, expected);
    }
}
