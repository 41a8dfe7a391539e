//! How many call LRS at once, who waits, and who is turned away.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use lrs_gateway::lrs::concurrency_limit::ConcurrencySettings;
use serde_json::{Value, json};

use super::{FIND, REGISTER, ana, awarding, begin, both, ended, newcomer};
use crate::support::batches::{SubmittedBatch, learners, submit};
use crate::support::caller::{Answer, PROVIDER};
use crate::support::gateway::{AWARDING, Options};
use crate::support::simulator::for_both_organisations;
use crate::support::tcp_proxy::TcpProxy;
use crate::support::{SimulatedLrs, TestGateway};

const SEARCH: &str = "FindLearnerByULN";

/// A line in which nobody's patience ends before the test does.
const fn patient(at_once: usize, at_once_per_organisation: usize, length: usize) -> ConcurrencySettings {
    ConcurrencySettings {
        max_concurrent_calls: at_once,
        max_concurrent_calls_per_organisation: at_once_per_organisation,
        queue_capacity: length,
        queue_timeout: Duration::from_secs(20),
    }
}

/// LRS behind a door, and the gateway before it.
fn scene(queue: ConcurrencySettings, options: Options) -> (SimulatedLrs, TcpProxy, TestGateway) {
    let lrs = SimulatedLrs::with(&for_both_organisations());
    lrs.simulator.set_job_duration(Duration::ZERO);
    let door = TcpProxy::in_front_of(&lrs.url());
    let gateway = TestGateway::with(&door.url(), Options { queue, ..options });
    (lrs, door, gateway)
}

fn single_calls() -> Options {
    Options { organisations: both("demo-password-01"), ..Options::default() }
}

/// Who was turned away, and has done nothing.
fn is_busy(answer: &Answer) {
    let problem = answer.problem(503, "lrs_queue_full");
    let wait: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!((1..=5).contains(&wait) && problem["retryAfterSeconds"] == wait, "{problem}");
    assert_eq!((&problem["retryable"], &problem["outcomeUnknown"]), (&json!(true), &Value::Null), "{problem}");
}

#[tokio::test]
async fn an_organisation_has_so_many_calls_at_lrs_and_no_more_and_keeps_nobody_from_theirs() {
    let (_lrs, door, gateway) = scene(patient(64, 2, 64), single_calls());
    door.hold_requests(PROVIDER);
    let calls: Vec<_> = (0..10).map(|_| begin(gateway.caller(), FIND, ana())).collect();
    door.wait_until_held(PROVIDER, 2).await;
    for _ in 0..5 {
        assert_eq!(awarding(&gateway).post(FIND, &ana()).await.status, 200, "another organisation need not wait");
    }
    assert_eq!((door.held_count(PROVIDER), door.arrivals(PROVIDER).len()), (2, 2));
    door.reset_max_concurrent();
    door.set_delay(Duration::from_millis(20));
    door.release_all();
    assert!(ended(calls).await.iter().all(|answer| answer.status == 200), "who waits long enough is answered");
    assert_eq!((door.max_concurrent(), door.arrivals(PROVIDER).len()), (2, 10));
}

#[tokio::test]
async fn all_organisations_together_have_so_many_calls_at_lrs_and_no_more() {
    let (_lrs, door, gateway) = scene(patient(3, 2, 64), single_calls());
    door.set_delay(Duration::from_millis(20));
    let calls: Vec<_> =
        (0..24).map(|number| begin(if number % 2 == 0 { gateway.caller() } else { awarding(&gateway) }, FIND, ana())).collect();
    assert!(ended(calls).await.iter().all(|answer| answer.status == 200));
    assert_eq!((door.max_concurrent(), door.arrivals(SEARCH).len()), (3, 24));
}

#[tokio::test]
async fn who_finds_the_line_full_is_turned_away_at_once_and_nothing_is_sent() {
    let (_lrs, door, gateway) = scene(patient(1, 1, 2), single_calls());
    door.hold_requests(SEARCH);
    let mut calls: FuturesUnordered<_> = (0..5).map(|_| begin(gateway.caller(), FIND, ana())).collect();
    for _ in 0..2 {
        // The door is closed: only who is turned away has an answer now.
        is_busy(&calls.next().await.expect("a call").expect("no panic"));
    }
    let other = begin(awarding(&gateway), FIND, ana());
    is_busy(&calls.next().await.expect("a call").expect("no panic")); // the line has a place for who has none yet
    assert_eq!(door.arrivals(SEARCH).len(), 1);
    door.release_all();
    assert!(ended(calls).await.iter().all(|answer| answer.status == 200));
    assert_eq!(other.await.expect("no panic").status, 200);
    assert_eq!((door.arrivals(PROVIDER).len(), door.arrivals(AWARDING).len()), (2, 1), "who was turned away never came");
}

#[tokio::test]
async fn who_has_waited_long_enough_is_told_and_nothing_is_sent() {
    let longest = Duration::from_millis(150);
    let (_lrs, door, gateway) = scene(ConcurrencySettings { queue_timeout: longest, ..patient(1, 1, 2) }, single_calls());
    door.hold_requests(SEARCH);
    let first = begin(gateway.caller(), FIND, ana());
    door.wait_until_held(SEARCH, 1).await;
    let begun = Instant::now();
    // A write that was never sent has no unknown outcome.
    is_busy(&gateway.caller().post(REGISTER, &newcomer(0).0).await);
    assert!(begun.elapsed() >= longest, "{:?}", begun.elapsed());
    door.release_all();
    assert_eq!(first.await.expect("no panic").status, 200);
    assert_eq!(door.arrivals("").len(), 1);
}

fn batch(family: usize) -> Value {
    json!({"jobType": "FULL", "learners": learners(family + 1).split_off(family)})
}

/// Of two batches the one that waits in line, when the other has found the line full.
async fn in_line<'b, 'c>(batches: &'b [SubmittedBatch<'c>; 2]) -> &'b SubmittedBatch<'c> {
    let started = Instant::now();
    loop {
        assert!(started.elapsed() < Duration::from_secs(10), "no batch finds the line full");
        for (at, one) in batches.iter().enumerate() {
            if one.state().await["parts"][0]["reason"] == "LRS_UNAVAILABLE" {
                return &batches[1 - at];
            }
        }
    }
}

#[tokio::test]
async fn single_calls_go_before_parts_of_batches_and_a_part_in_line_is_still_waiting() {
    let (lrs, door, gateway) = scene(patient(1, 1, 1), Options::default());
    let caller = gateway.caller();
    door.hold_requests(SEARCH);
    let first = begin(gateway.caller(), FIND, ana());
    door.wait_until_held(SEARCH, 1).await;
    let batches = [submit(&caller, "registration-batches", &batch(0)).await, submit(&caller, "registration-batches", &batch(1)).await];
    let waiting = in_line(&batches).await.state().await;
    let part = &waiting["parts"][0];
    assert_eq!((&part["status"], &part["lrsJobId"]), (&json!("WAITING"), &Value::Null), "{waiting}");
    // Of two more single calls one is in line as soon as the other is turned away.
    let mut singles: FuturesUnordered<_> = (0..2).map(|_| begin(gateway.caller(), FIND, ana())).collect();
    is_busy(&singles.next().await.expect("a call").expect("no panic"));
    door.release_all();
    assert_eq!(singles.next().await.expect("a call").expect("no panic").status, 200);
    assert_eq!(first.await.expect("no panic").status, 200);
    for batch in &batches {
        batch.wait_for_status("COMPLETE").await;
    }
    let order: Vec<bool> = door.arrivals("").iter().take(3).map(|(_, body)| body.contains(SEARCH)).collect();
    assert_eq!(order, [true, true, false], "the single call was the last to come and the first to go");
    assert_eq!((door.max_concurrent(), lrs.simulator.request_count("SubmitBatch")), (1, 2));
}

#[tokio::test]
async fn batches_leave_a_place_to_single_calls() {
    let (lrs, door, gateway) = scene(patient(2, 2, 1), Options::default());
    let caller = gateway.caller();
    door.hold_requests("SubmitBatch");
    let first = submit(&caller, "registration-batches", &batch(0)).await;
    door.wait_until_held("SubmitBatch", 1).await;
    let batches = [submit(&caller, "registration-batches", &batch(1)).await, submit(&caller, "registration-batches", &batch(2)).await];
    for _ in 0..5 {
        assert_eq!(caller.post(FIND, &ana()).await.status, 200, "a single call gets through");
    }
    assert_eq!(door.arrivals("SubmitBatch").len(), 1);
    door.release_all();
    for batch in batches.iter().chain([&first]) {
        batch.wait_for_status("COMPLETE").await;
    }
    assert_eq!(lrs.simulator.request_count("SubmitBatch"), 3);
}
