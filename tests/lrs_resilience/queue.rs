//! The concurrency limit: the number of calls that run at LRS at the same time, and the queue of waiting calls.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use lrs_gateway::lrs::concurrency_limit::ConcurrencySettings;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{FIND, REGISTER, ana, awarding_caller, both_organisations, join_calls, spawn_call, unregistered_learner};
use crate::support::batches::{SubmittedBatch, full_registration, learners, submit};
use crate::support::caller::{Answer, PROVIDER};
use crate::support::gateway::{AWARDING, Options};
use crate::support::simulator::settings_for_both_organisations;
use crate::support::tcp_proxy::TcpProxy;
use crate::support::{SimulatedLrs, TestGateway};

const FIND_ELEMENT: &str = "FindLearnerByULN";
const SUBMIT_ELEMENT: &str = "SubmitBatch";

/// Returns settings with a queue timeout that no test reaches.
const fn without_queue_timeout(max_calls: usize, max_calls_per_organisation: usize, queue_capacity: usize) -> ConcurrencySettings {
    ConcurrencySettings {
        max_concurrent_calls: max_calls,
        max_concurrent_calls_per_organisation: max_calls_per_organisation,
        queue_capacity,
        queue_timeout: Duration::from_secs(20),
    }
}

/// A gateway whose calls to the simulated LRS pass a proxy.
struct Fixture {
    lrs: SimulatedLrs,
    proxy: TcpProxy,
    gateway: TestGateway,
}

impl Fixture {
    /// Creates a fixture for single calls of both organisations.
    fn for_single_calls(concurrency: ConcurrencySettings) -> Self {
        Self::new(Options { concurrency, organisations: both_organisations("demo-password-01"), ..Options::default() })
    }

    /// Creates a fixture for batches of the provider.
    fn for_batches(concurrency: ConcurrencySettings) -> Self {
        Self::new(Options { concurrency, ..Options::default() })
    }

    fn new(options: Options) -> Self {
        let lrs = SimulatedLrs::with(&settings_for_both_organisations());
        lrs.simulator.set_job_duration(Duration::ZERO);
        let proxy = TcpProxy::in_front_of(&lrs.url());
        let gateway = TestGateway::with(&proxy.url(), options);
        Self { lrs, proxy, gateway }
    }

    /// Starts a search of the provider.
    fn spawn_find(&self) -> JoinHandle<Answer> {
        spawn_call(self.gateway.caller(), FIND, ana())
    }

    /// Starts a search of the awarding organisation.
    fn spawn_awarding_find(&self) -> JoinHandle<Answer> {
        spawn_call(awarding_caller(&self.gateway), FIND, ana())
    }
}

/// Returns the answer to the call that ends first.
async fn next_answer(calls: &mut FuturesUnordered<JoinHandle<Answer>>) -> Answer {
    calls.next().await.expect("a call is left").expect("the call does not panic")
}

/// Asserts that a call was rejected by the queue, and that repeating it is safe.
fn assert_queue_full(answer: &Answer) {
    let problem = answer.problem(503, "lrs_queue_full");
    let retry_after: u64 = answer.header("retry-after").parse().expect("Retry-After has seconds");
    assert!((1..=5).contains(&retry_after) && problem["retryAfterSeconds"] == retry_after, "{problem}");
    assert_eq!((&problem["retryable"], &problem["outcomeUnknown"]), (&json!(true), &Value::Null), "{problem}");
}

#[tokio::test]
async fn concurrency_limit_of_organisation_queues_its_calls_and_does_not_delay_others() {
    let fixture = Fixture::for_single_calls(without_queue_timeout(64, 2, 64));
    let proxy = &fixture.proxy;
    proxy.hold_requests(PROVIDER);
    let calls: Vec<_> = (0..10).map(|_| fixture.spawn_find()).collect();
    proxy.wait_until_held(PROVIDER, 2).await;

    for _ in 0..5 {
        assert_eq!(awarding_caller(&fixture.gateway).post(FIND, &ana()).await.status, 200, "another organisation does not wait");
    }
    assert_eq!((proxy.held_count(PROVIDER), proxy.arrivals(PROVIDER).len()), (2, 2));

    proxy.reset_max_concurrent();
    proxy.set_delay(Duration::from_millis(20));
    proxy.release_all();
    assert!(join_calls(calls).await.iter().all(|answer| answer.status == 200), "queued calls are answered");
    assert_eq!((proxy.max_concurrent(), proxy.arrivals(PROVIDER).len()), (2, 10));
}

#[tokio::test]
async fn concurrency_limit_applies_to_all_organisations_together() {
    let fixture = Fixture::for_single_calls(without_queue_timeout(3, 2, 64));
    fixture.proxy.set_delay(Duration::from_millis(20));

    let calls: Vec<_> = (0..24).map(|number| if number % 2 == 0 { fixture.spawn_find() } else { fixture.spawn_awarding_find() }).collect();

    assert!(join_calls(calls).await.iter().all(|answer| answer.status == 200));
    assert_eq!((fixture.proxy.max_concurrent(), fixture.proxy.arrivals(FIND_ELEMENT).len()), (3, 24));
}

#[tokio::test]
async fn queue_full_returns_lrs_queue_full_and_sends_nothing() {
    let fixture = Fixture::for_single_calls(without_queue_timeout(1, 1, 2));
    let proxy = &fixture.proxy;
    proxy.hold_requests(FIND_ELEMENT);
    let mut calls: FuturesUnordered<_> = (0..5).map(|_| fixture.spawn_find()).collect();
    for _ in 0..2 {
        // The proxy holds all requests: calls that end now were rejected by the queue.
        assert_queue_full(&next_answer(&mut calls).await);
    }

    let awarding_call = fixture.spawn_awarding_find();
    // The call of an organisation without queued calls displaces one of the organisation with the most queued calls.
    assert_queue_full(&next_answer(&mut calls).await);
    assert_eq!(proxy.arrivals(FIND_ELEMENT).len(), 1);

    proxy.release_all();
    assert!(join_calls(calls).await.iter().all(|answer| answer.status == 200));
    assert_eq!(awarding_call.await.expect("the call does not panic").status, 200);
    assert_eq!((proxy.arrivals(PROVIDER).len(), proxy.arrivals(AWARDING).len()), (2, 1), "rejected calls were not sent");
}

#[tokio::test]
async fn queue_timeout_expired_returns_lrs_queue_full_and_sends_nothing() {
    let queue_timeout = Duration::from_millis(150);
    let fixture = Fixture::for_single_calls(ConcurrencySettings { queue_timeout, ..without_queue_timeout(1, 1, 2) });
    let proxy = &fixture.proxy;
    proxy.hold_requests(FIND_ELEMENT);
    let running_call = fixture.spawn_find();
    proxy.wait_until_held(FIND_ELEMENT, 1).await;

    let started_at = Instant::now();
    // A write that was not sent has no unknown outcome.
    assert_queue_full(&fixture.gateway.caller().post(REGISTER, &unregistered_learner(0).0).await);
    assert!(started_at.elapsed() >= queue_timeout, "{:?}", started_at.elapsed());

    proxy.release_all();
    assert_eq!(running_call.await.expect("the call does not panic").status, 200);
    assert_eq!(proxy.arrivals("").len(), 1);
}

/// Returns a batch with one learner. Each number is another learner.
fn batch_of_one(number: usize) -> Value {
    full_registration(&learners(number + 1)[number..])
}

/// Waits until one of two batches found the queue full. Returns the other one: its part is in the queue.
async fn wait_for_queued_batch<'b, 'c>(batches: &'b [SubmittedBatch<'c>; 2]) -> &'b SubmittedBatch<'c> {
    let started_at = Instant::now();
    loop {
        assert!(started_at.elapsed() < Duration::from_secs(10), "timed out waiting for a batch that finds the queue full");
        for (index, batch) in batches.iter().enumerate() {
            if batch.state().await["parts"][0]["reason"] == "LRS_UNAVAILABLE" {
                return &batches[1 - index];
            }
        }
    }
}

#[tokio::test]
async fn queue_gives_single_calls_priority_over_batch_parts_and_a_queued_part_is_waiting() {
    let fixture = Fixture::for_batches(without_queue_timeout(1, 1, 1));
    let (proxy, caller) = (&fixture.proxy, fixture.gateway.caller());
    proxy.hold_requests(FIND_ELEMENT);
    let running_call = fixture.spawn_find();
    proxy.wait_until_held(FIND_ELEMENT, 1).await;

    // One part takes the only place in the queue.
    let batches =
        [submit(&caller, "registration-batches", &batch_of_one(0)).await, submit(&caller, "registration-batches", &batch_of_one(1)).await];
    let queued = wait_for_queued_batch(&batches).await.state().await;
    let part = &queued["parts"][0];
    assert_eq!((&part["status"], &part["lrsJobId"]), (&json!("WAITING"), &Value::Null), "{queued}");

    // Of two more single calls, one displaces the part, and the other is rejected.
    let mut single_calls: FuturesUnordered<_> = (0..2).map(|_| fixture.spawn_find()).collect();
    assert_queue_full(&next_answer(&mut single_calls).await);
    proxy.release_all();
    assert_eq!(next_answer(&mut single_calls).await.status, 200);
    assert_eq!(running_call.await.expect("the call does not panic").status, 200);

    for batch in &batches {
        batch.wait_for_status("COMPLETE").await;
    }
    let are_single_calls: Vec<bool> = proxy.arrivals("").iter().take(3).map(|(_, body)| body.contains(FIND_ELEMENT)).collect();
    assert_eq!(are_single_calls, [true, true, false], "the single call arrived last and was sent first");
    assert_eq!((proxy.max_concurrent(), fixture.lrs.simulator.request_count(SUBMIT_ELEMENT)), (1, 2));
}

#[tokio::test]
async fn concurrency_limit_reserves_one_call_for_single_calls() {
    let fixture = Fixture::for_batches(without_queue_timeout(2, 2, 1));
    let (proxy, caller) = (&fixture.proxy, fixture.gateway.caller());
    proxy.hold_requests(SUBMIT_ELEMENT);
    let running_batch = submit(&caller, "registration-batches", &batch_of_one(0)).await;
    proxy.wait_until_held(SUBMIT_ELEMENT, 1).await;

    let waiting_batches =
        [submit(&caller, "registration-batches", &batch_of_one(1)).await, submit(&caller, "registration-batches", &batch_of_one(2)).await];
    for _ in 0..5 {
        assert_eq!(caller.post(FIND, &ana()).await.status, 200, "a single call is sent");
    }
    assert_eq!(proxy.arrivals(SUBMIT_ELEMENT).len(), 1);

    proxy.release_all();
    for batch in waiting_batches.iter().chain([&running_batch]) {
        batch.wait_for_status("COMPLETE").await;
    }
    assert_eq!(fixture.lrs.simulator.request_count(SUBMIT_ELEMENT), 3);
}
