//! Announced maintenance, and the status of LRS as observed by the gateway.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use lrs_gateway::batches::BatchSettings;
use lrs_gateway::lrs::CircuitBreakerSettings;
use lrs_gateway::lrs::maintenance::MaintenanceWindow;
use lrs_gateway::simulator::{Fault, FaultStep};
use serde_json::{Value, json};

use super::{EVENTS, FIND, REGISTER, ana, awarding_caller, lrs_status, lrs_statuses, unregistered_learner};
use crate::support::batches::{full_registration, learners, submit};
use crate::support::gateway::Options;
use crate::support::{SimulatedLrs, TestGateway};

const NOTE: &str = "Yearly maintenance of LRS: see its website.";
const FIND_ELEMENT: &str = "FindLearnerByULN";

/// Returns a maintenance window that started an hour ago and ends after this time.
fn window_ending_in(remaining: Duration) -> MaintenanceWindow {
    let now = Timestamp::now();
    let remaining = SignedDuration::try_from(remaining).expect("the duration is short");
    MaintenanceWindow { starts_at: now - SignedDuration::from_hours(1), ends_at: now + remaining, note: Some(NOTE.to_owned()) }
}

fn with_maintenance(window: &MaintenanceWindow) -> Options {
    Options { maintenance: vec![window.clone()], ..Options::default() }
}

fn assert_no_requests(lrs: &SimulatedLrs) {
    let counts = lrs.simulator.request_counts();
    assert!(counts.is_empty(), "{counts:?}");
}

/// Returns a timestamp of an answer.
fn timestamp(object: &Value, name: &str) -> Timestamp {
    object[name].as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{name} is not a timestamp: {object}"))
}

/// Returns `true` if two timestamps are equal but for rounding.
fn is_same_time(first: Timestamp, second: Timestamp) -> bool {
    first.duration_since(second).abs() < SignedDuration::from_millis(1)
}

#[tokio::test]
async fn maintenance_window_calls_return_lrs_maintenance_with_its_end_and_send_nothing() {
    let lrs = SimulatedLrs::start();
    let window = window_ending_in(Duration::from_secs(600));
    let gateway = TestGateway::with(&lrs.url(), with_maintenance(&window));
    let registration = unregistered_learner(0).0;
    for (path, body) in [(FIND, ana()), (EVENTS, ana()), (REGISTER, registration.clone()), ("/v1/learners/obtain-uln", registration)] {
        let answer = gateway.caller().post(path, &body).await;
        let problem = answer.problem(503, "lrs_maintenance");
        let retry_after: u64 = answer.header("retry-after").parse().expect("Retry-After has seconds");
        assert!((570..=600).contains(&retry_after), "{path}: {retry_after}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(&window.ends_at.to_string())), "{path}: {problem}");
        assert_eq!((&problem["retryable"], &problem["outcomeUnknown"]), (&json!(true), &Value::Null), "{path}: {problem}");
    }
    assert_no_requests(&lrs);
}

#[tokio::test]
async fn maintenance_window_longer_than_a_day_limits_retry_after_to_a_day() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::with(&lrs.url(), with_maintenance(&window_ending_in(Duration::from_secs(14 * 24 * 60 * 60))));
    let answer = gateway.caller().post(FIND, &ana()).await;
    answer.problem(503, "lrs_maintenance");
    assert_eq!(answer.header("retry-after"), "86400");
}

#[tokio::test]
async fn maintenance_window_invalid_request_returns_validation_failed() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::with(&lrs.url(), with_maintenance(&window_ending_in(Duration::from_secs(600))));
    gateway.caller().post(FIND, &json!({"uln": "3000000127"})).await.problem(422, "validation_failed");
}

#[tokio::test]
async fn maintenance_window_in_past_or_future_has_no_effect() {
    let lrs = SimulatedLrs::start();
    let now = Timestamp::now();
    let window = |starts_in_minutes, ends_in_minutes| MaintenanceWindow {
        starts_at: now + SignedDuration::from_mins(starts_in_minutes),
        ends_at: now + SignedDuration::from_mins(ends_in_minutes),
        note: None,
    };
    let maintenance = vec![window(-120, -60), window(60, 120)];
    let gateway = TestGateway::with(&lrs.url(), Options { maintenance, ..Options::default() });
    assert_eq!(gateway.caller().post(FIND, &ana()).await.status, 200);
    assert_eq!(lrs_statuses(&gateway).await, ["AVAILABLE"; 4]);
}

#[tokio::test]
async fn maintenance_window_batch_is_accepted_kept_longer_and_sent_after_it() {
    let lrs = SimulatedLrs::start();
    lrs.simulator.set_job_duration(Duration::ZERO);
    // The window is longer than the submission timeout: maintenance does not count towards the timeout.
    let (window, submission_timeout) = (window_ending_in(Duration::from_secs(3)), Duration::from_secs(2));
    let options = with_maintenance(&window);
    let batches = BatchSettings { submission_timeout, maintenance: options.maintenance.clone().into(), ..options.batches };
    let lifetime_without_maintenance = submission_timeout + batches.result_timeout + batches.retention;
    let gateway = TestGateway::with(&lrs.url(), Options { batches, ..options });
    let caller = gateway.caller();

    // During the window the batch waits.
    let batch = submit(&caller, "registration-batches", &full_registration(&learners(3))).await;
    let waiting = batch.wait_for_state("a reason why the part waits", |state| state["parts"][0].get("reason").is_some()).await;
    assert!(Timestamp::now() < window.ends_at, "the reason is stated during the window: {waiting}");
    let part = &waiting["parts"][0];
    assert_eq!((&part["status"], &part["reason"]), (&json!("WAITING"), &json!("LRS_MAINTENANCE")), "{waiting}");
    assert_eq!(waiting["status"], "ACCEPTED", "{waiting}");
    let lifetime = timestamp(&waiting, "expiresAt").duration_since(timestamp(&waiting, "createdAt"));
    let lifetime = Duration::try_from(lifetime).expect("the batch expires after its creation");
    assert!(lifetime > lifetime_without_maintenance + Duration::from_secs(2), "the maintenance extends the lifetime: {waiting}");
    for service in lrs_status(&gateway).await["services"].as_array().expect("the answer lists the services") {
        assert_eq!(service["status"], "MAINTENANCE");
    }
    if Timestamp::now() < window.ends_at {
        assert_no_requests(&lrs);
    }

    // After the window it is sent.
    let complete = batch.wait_for_status("COMPLETE").await;
    assert!(Timestamp::now() >= window.ends_at, "the batch completes after the window: {complete}");
    assert!(complete["parts"][0].get("reason").is_none(), "{complete}");
    assert_eq!(lrs.simulator.request_count("SubmitBatch"), 1);
    assert_eq!(caller.post(FIND, &ana()).await.status, 200);
}

#[tokio::test]
async fn lrs_status_maintenance_window_returns_start_end_and_note_until_its_end() {
    let lrs = SimulatedLrs::start();
    let window = window_ending_in(Duration::from_millis(1500));
    let gateway = TestGateway::with(&lrs.url(), with_maintenance(&window));

    let during = lrs_status(&gateway).await;
    assert_eq!(during["status"], "MAINTENANCE");
    let services = during["services"].as_array().expect("the answer lists the services");
    assert_eq!(services.len(), 3);
    for service in services {
        assert_eq!((&service["status"], &service["note"]), (&json!("MAINTENANCE"), &json!(NOTE)), "{service}");
        assert!(is_same_time(timestamp(service, "since"), window.starts_at), "{service}");
        assert!(is_same_time(timestamp(service, "until"), window.ends_at), "{service}");
    }

    let after = loop {
        let status = lrs_status(&gateway).await;
        if Timestamp::now() >= window.ends_at && status["status"] != "MAINTENANCE" {
            break status;
        }
        assert!(Timestamp::now() < window.ends_at + SignedDuration::from_secs(5), "timed out waiting for the end of the window");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(after["status"], "AVAILABLE");
    for service in after["services"].as_array().expect("the answer lists the services") {
        assert!(is_same_time(timestamp(service, "since"), window.ends_at), "{service}");
        assert!(service.get("until").is_none() && service.get("note").is_none(), "{service}");
    }
    assert_no_requests(&lrs);
}

/// A gateway whose circuit breaker opens after three failures, and LRS.
struct StatusFixture {
    lrs: SimulatedLrs,
    gateway: TestGateway,
}

impl StatusFixture {
    fn new() -> Self {
        let lrs = SimulatedLrs::start();
        let circuit_breaker = CircuitBreakerSettings { failure_threshold: 3, probe_interval: Duration::from_millis(200) };
        let gateway = TestGateway::with(&lrs.url(), Options { circuit_breaker, ..Options::default() });
        Self { lrs, gateway }
    }

    /// Makes a call to the learner service while LRS has these faults. Returns the status of the answer.
    async fn find_with(&self, faults: &[Fault]) -> u16 {
        self.lrs.simulator.inject_faults(faults.iter().copied().map(FaultStep::new).collect());
        self.gateway.caller().post(FIND, &ana()).await.status
    }

    /// Reads the status of the learner service. It must be the overall status, and the other services must be available.
    async fn learner_service_status(&self) -> String {
        let statuses = lrs_statuses(&self.gateway).await;
        assert_eq!(statuses[0], statuses[1], "the overall status is the worst one");
        assert_eq!(statuses[2..], ["AVAILABLE", "AVAILABLE"]);
        statuses[1].clone()
    }
}

#[tokio::test]
async fn lrs_status_maintenance_response_is_maintenance_until_next_success() {
    let fixture = StatusFixture::new();
    assert_eq!(fixture.learner_service_status().await, "AVAILABLE");
    for fault in [Fault::OutOfHours, Fault::MaintenancePage] {
        assert_eq!(fixture.find_with(&[fault]).await, 503);
        assert_eq!(fixture.learner_service_status().await, "MAINTENANCE");
    }
    assert_eq!(fixture.find_with(&[]).await, 200);
    assert_eq!(fixture.learner_service_status().await, "AVAILABLE", "one success ends the observed maintenance");
}

#[tokio::test]
async fn lrs_status_failed_call_is_degraded_also_after_next_success() {
    let fixture = StatusFixture::new();
    assert_eq!(fixture.find_with(&[Fault::Refuse]).await, 503);
    assert_eq!(fixture.learner_service_status().await, "DEGRADED");
    assert_eq!(fixture.find_with(&[]).await, 200);
    assert_eq!(fixture.learner_service_status().await, "DEGRADED");
}

#[tokio::test]
async fn lrs_status_circuit_breaker_open_is_unavailable_and_after_one_successful_probe_degraded() {
    let fixture = StatusFixture::new();
    for _ in 0..3 {
        assert_eq!(fixture.find_with(&[Fault::Unavailable]).await, 503);
    }
    assert_eq!(fixture.learner_service_status().await, "UNAVAILABLE");

    let requests_before = fixture.lrs.simulator.request_count(FIND_ELEMENT);
    let started_at = Instant::now();
    while fixture.find_with(&[]).await != 200 {
        assert!(started_at.elapsed() < Duration::from_secs(5), "timed out waiting for a successful probe");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(fixture.lrs.simulator.request_count(FIND_ELEMENT), requests_before + 1, "only the probe was sent");
    assert_eq!(fixture.learner_service_status().await, "DEGRADED");
}

#[tokio::test]
async fn lrs_status_needs_any_valid_token_and_does_not_call_lrs() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let path = "/v1/lrs/status";
    assert_eq!(awarding_caller(&gateway).request("GET", path).await.expect_success()["status"], "AVAILABLE");
    assert_eq!(gateway.caller().with_claims(json!({"scope": "learners:verify"})).request("GET", path).await.status, 200);
    gateway.caller().with_authorization(None).request("GET", path).await.problem(401, "missing_token");
    assert_no_requests(&lrs);
}
