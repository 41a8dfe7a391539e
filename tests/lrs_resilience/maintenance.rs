//! Maintenance that was announced, and how LRS is said to be.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use lrs_gateway::batches::BatchSettings;
use lrs_gateway::lrs::CircuitBreakerSettings;
use lrs_gateway::lrs::maintenance::MaintenanceWindow;
use lrs_gateway::simulator::{Fault, FaultStep};
use serde_json::{Value, json};

use super::{EVENTS, FIND, REGISTER, ana, awarding, newcomer, status, statuses};
use crate::support::batches::{learners, submit};
use crate::support::gateway::Options;
use crate::support::{SimulatedLrs, TestGateway};

const NOTE: &str = "Yearly maintenance of LRS: see its website.";

/// A window that began an hour ago and will be over in this time.
fn until(rest: Duration) -> MaintenanceWindow {
    let now = Timestamp::now();
    let rest = SignedDuration::try_from(rest).expect("not for ever");
    MaintenanceWindow { starts_at: now - SignedDuration::from_hours(1), ends_at: now + rest, note: Some(NOTE.to_owned()) }
}

fn announced(window: &MaintenanceWindow) -> Options {
    Options { maintenance: vec![window.clone()], ..Options::default() }
}

fn nothing_came(lrs: &SimulatedLrs) {
    let counted = lrs.simulator.request_counts();
    assert!(counted.is_empty(), "{counted:?}");
}

#[tokio::test]
async fn during_announced_maintenance_callers_are_told_until_when_and_nothing_is_sent() {
    let lrs = SimulatedLrs::start();
    let window = until(Duration::from_secs(600));
    let gateway = TestGateway::with(&lrs.url(), announced(&window));
    for (path, body) in [(FIND, ana()), (EVENTS, ana()), (REGISTER, newcomer(0).0), ("/v1/learners/obtain-uln", newcomer(0).0)] {
        let answer = gateway.caller().post(path, &body).await;
        let problem = answer.problem(503, "lrs_maintenance");
        let wait: u64 = answer.header("retry-after").parse().expect("seconds");
        assert!((570..=600).contains(&wait), "{path}: {wait}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(&window.ends_at.to_string())), "{path}: {problem}");
        assert_eq!((&problem["retryable"], &problem["outcomeUnknown"]), (&json!(true), &Value::Null), "{path}: {problem}");
    }
    nothing_came(&lrs);
}

#[tokio::test]
async fn nobody_is_asked_to_wait_for_more_than_a_day() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::with(&lrs.url(), announced(&until(Duration::from_secs(14 * 24 * 60 * 60))));
    let answer = gateway.caller().post(FIND, &ana()).await;
    answer.problem(503, "lrs_maintenance");
    assert_eq!(answer.header("retry-after"), "86400");
}

#[tokio::test]
async fn a_request_that_is_wrong_is_told_so_during_maintenance_too() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::with(&lrs.url(), announced(&until(Duration::from_secs(600))));
    gateway.caller().post(FIND, &json!({"uln": "3000000127"})).await.problem(422, "validation_failed");
}

#[tokio::test]
async fn maintenance_that_is_over_or_still_to_come_is_none() {
    let lrs = SimulatedLrs::start();
    let now = Timestamp::now();
    let window = |from: i64, until: i64| {
        let at = |minutes| now + SignedDuration::from_mins(minutes);
        MaintenanceWindow { starts_at: at(from), ends_at: at(until), note: None }
    };
    let maintenance = vec![window(-120, -60), window(60, 120)];
    let gateway = TestGateway::with(&lrs.url(), Options { maintenance, ..Options::default() });
    assert_eq!(gateway.caller().post(FIND, &ana()).await.status, 200);
    assert_eq!(statuses(&gateway).await, ["AVAILABLE"; 4]);
}

#[tokio::test]
async fn a_batch_is_accepted_during_announced_maintenance_and_done_by_itself_after_it() {
    let lrs = SimulatedLrs::start();
    lrs.simulator.set_job_duration(Duration::ZERO);
    // It lasts longer than a batch is followed: that time is not counted.
    let (window, horizon) = (until(Duration::from_secs(3)), Duration::from_secs(2));
    let begun = Instant::now();
    let options = announced(&window);
    let jobs = BatchSettings { tracking_timeout: horizon, maintenance: options.maintenance.clone(), ..options.jobs };
    let kept = horizon + jobs.retention;
    let gateway = TestGateway::with(&lrs.url(), Options { jobs, ..options });
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &json!({"jobType": "FULL", "learners": learners(3)})).await;
    let held = loop {
        let state = batch.state().await;
        if state["parts"][0].get("reason").is_some() {
            break state;
        }
        assert!(begun.elapsed() < Duration::from_secs(2), "it is not said why it waits: {state}");
    };
    let part = &held["parts"][0];
    assert_eq!((&part["status"], &part["reason"]), (&json!("WAITING"), &json!("LRS_MAINTENANCE")), "{held}");
    assert_eq!(held["status"], "ACCEPTED", "{held}");
    let moment = |name: &str| held[name].as_str().and_then(|text| text.parse::<Timestamp>().ok()).expect(name);
    let expires = Duration::try_from(moment("expiresAt").duration_since(moment("createdAt"))).expect("later");
    assert!(expires > kept + Duration::from_secs(2), "it is kept as much longer: {held}");
    for service in status(&gateway).await["services"].as_array().expect("services") {
        assert_eq!(service["status"], "MAINTENANCE");
    }
    if Timestamp::now() < window.ends_at {
        nothing_came(&lrs);
    }
    let state = batch.wait_for_status("COMPLETE").await;
    assert!(Timestamp::now() >= window.ends_at, "not before: {state}");
    assert!(state["parts"][0].get("reason").is_none(), "{state}");
    assert_eq!(lrs.simulator.request_count("SubmitBatch"), 1);
    assert_eq!(caller.post(FIND, &ana()).await.status, 200);
}

#[tokio::test]
async fn announced_maintenance_is_told_with_its_beginning_its_end_and_what_the_operator_says() {
    let lrs = SimulatedLrs::start();
    let window = until(Duration::from_millis(1500));
    let gateway = TestGateway::with(&lrs.url(), announced(&window));
    let during = status(&gateway).await;
    assert_eq!(during["status"], "MAINTENANCE");
    let same = |told: &Value, moment: Timestamp| {
        let told: Timestamp = told.as_str().expect("a moment").parse().expect("RFC 3339");
        told.duration_since(moment).abs() < SignedDuration::from_millis(1)
    };
    let services = during["services"].as_array().expect("services");
    assert_eq!(services.len(), 3);
    for service in services {
        assert_eq!((&service["status"], &service["note"]), (&json!("MAINTENANCE"), &json!(NOTE)), "{service}");
        assert!(same(&service["since"], window.starts_at) && same(&service["until"], window.ends_at), "{service}");
    }
    let after = loop {
        let status = status(&gateway).await;
        if Timestamp::now() >= window.ends_at && status["status"] != "MAINTENANCE" {
            break status;
        }
        assert!(Timestamp::now() < window.ends_at + SignedDuration::from_secs(5), "it is never over");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(after["status"], "AVAILABLE");
    for service in after["services"].as_array().expect("services") {
        assert!(same(&service["since"], window.ends_at), "{service}");
        assert!(service.get("until").is_none() && service.get("note").is_none(), "{service}");
    }
    nothing_came(&lrs);
}

#[tokio::test]
async fn lrs_is_said_to_be_as_its_calls_have_been() {
    let lrs = SimulatedLrs::start();
    let breaker = CircuitBreakerSettings { failure_threshold: 3, probe_interval: Duration::from_millis(200) };
    let gateway = TestGateway::with(&lrs.url(), Options { breaker, ..Options::default() });
    let caller = gateway.caller();
    let find = async |steps: Vec<FaultStep>| {
        lrs.simulator.inject_faults(steps);
        caller.post(FIND, &ana()).await.status
    };
    let others = ["AVAILABLE", "AVAILABLE"];
    let learner = async || {
        let statuses = statuses(&gateway).await;
        assert_eq!((&statuses[0], &statuses[2..]), (&statuses[1], &others.map(str::to_owned)[..]), "the worst, and the others are well");
        statuses[1].clone()
    };
    assert_eq!(learner().await, "AVAILABLE");
    assert_eq!(find(vec![FaultStep::new(Fault::OutOfHours)]).await, 503);
    assert_eq!(learner().await, "MAINTENANCE");
    assert_eq!(find(vec![FaultStep::new(Fault::MaintenancePage)]).await, 503);
    assert_eq!(learner().await, "MAINTENANCE");
    assert_eq!(find(vec![]).await, 200);
    assert_eq!(learner().await, "AVAILABLE", "it is open as soon as it answers");
    assert_eq!(find(vec![FaultStep::new(Fault::Refuse)]).await, 503);
    assert_eq!(learner().await, "DEGRADED");
    assert_eq!(find(vec![]).await, 200);
    assert_eq!(learner().await, "DEGRADED", "one answer does not make it well");
    for _ in 0..3 {
        assert_eq!(find(vec![FaultStep::new(Fault::Unavailable)]).await, 503);
    }
    assert_eq!(learner().await, "UNAVAILABLE");
    let asked = lrs.simulator.request_count("FindLearnerByULN");
    let started = Instant::now();
    while find(vec![]).await != 200 {
        assert!(started.elapsed() < Duration::from_secs(5), "it never comes back");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(lrs.simulator.request_count("FindLearnerByULN"), asked + 1, "only the probe");
    assert_eq!(learner().await, "DEGRADED");
}

#[tokio::test]
async fn everybody_with_a_token_may_know_how_lrs_is_and_lrs_is_not_asked() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let path = "/v1/lrs/status";
    assert_eq!(awarding(&gateway).request("GET", path).await.expect_success()["status"], "AVAILABLE");
    assert_eq!(gateway.caller().with_claims(json!({"scope": "learners:verify"})).request("GET", path).await.status, 200);
    gateway.caller().with_authorization(None).request("GET", path).await.problem(401, "missing_token");
    nothing_came(&lrs);
}
