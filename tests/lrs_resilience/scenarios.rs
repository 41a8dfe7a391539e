//! Every trouble the simulator plays, for a read, for a write and for a batch: what the caller is told, and that LRS was asked once.

use std::time::Duration;

use lrs_gateway::simulator::{Fault, FaultStep};
use serde_json::{Value, json};

use super::{EVENTS, FIND, REGISTER, SEARCH, ana, awarding, newcomer};
use crate::support::batches::{learners, submit};
use crate::support::caller::Answer;
use crate::support::expected_problems::{BAD_RESPONSE, CREDENTIALS, ExpectedProblem, MAINTENANCE, REJECTED, TIMEOUT, UNAVAILABLE};
use crate::support::gateway::Options;
use crate::support::{Caller, SimulatedLrs, TestGateway};

/// A trouble as callers meet it.
struct Case {
    step: FaultStep,
    kind: ExpectedProblem,
    /// May LRS have done what it was asked to, as far as the gateway can tell?
    open: bool,
    code: Option<&'static str>,
}

impl Case {
    fn new(trouble: Fault, kind: ExpectedProblem, open: bool) -> Self {
        Self { step: FaultStep::new(trouble), kind, open, code: None }
    }

    fn taking(self, milliseconds: u64) -> Self {
        Self { step: self.step.with_milliseconds(milliseconds), ..self }
    }

    fn fault(code: &'static str, kind: ExpectedProblem, open: bool) -> Self {
        Self { step: FaultStep { code: Some(code.into()), ..FaultStep::new(Fault::SoapFault) }, kind, open, code: Some(code) }
    }

    /// What is asked once of this operation, and answered with the trouble.
    fn play(&self, lrs: &SimulatedLrs, operation: &str) {
        lrs.simulator.inject_faults(vec![self.step.clone().for_operation(operation).times(1)]);
    }

    /// What a call must come to, one that changes something or not.
    fn is_told(&self, answer: &Answer, changes: bool) {
        let (what, unknown) = (self.step.fault, changes && self.open);
        // A write that LRS may have done is not told that LRS cannot be reached.
        let (status, code, retryable, retry_after) = if unknown && self.kind == UNAVAILABLE { TIMEOUT } else { self.kind };
        let problem = answer.problem(status, code);
        assert_eq!(problem["outcomeUnknown"], if unknown { json!(true) } else { Value::Null }, "{what:?}: {problem}");
        assert_eq!(problem["retryable"], json!(retryable && !unknown), "{what:?}: {problem}");
        let wait = retry_after.filter(|_| !unknown).map(|seconds| seconds.to_string()).unwrap_or_default();
        assert_eq!(answer.header("retry-after"), wait, "{what:?}: {problem}");
        assert_eq!(problem["lrs"]["code"].as_str(), self.code, "{what:?}: {problem}");
    }
}

/// Later than somebody in a hurry waits.
const LATE: u64 = 1_500;

/// How each looks from the gateway, which cannot tell a reset before the work from one after it.
fn cases() -> Vec<Case> {
    vec![
        Case::new(Fault::Latency, TIMEOUT, true).taking(LATE),
        Case::new(Fault::SlowDrip, TIMEOUT, true).taking(50),
        Case::new(Fault::Refuse, UNAVAILABLE, true),
        Case::new(Fault::ResetBefore, UNAVAILABLE, true),
        Case::new(Fault::ResetAfter, UNAVAILABLE, true),
        Case::new(Fault::Unavailable, UNAVAILABLE, true),
        Case::new(Fault::MaintenancePage, MAINTENANCE, false),
        Case::new(Fault::MaintenanceRedirect, MAINTENANCE, false),
        Case::new(Fault::Maintenance405, MAINTENANCE, false),
        Case { code: Some("WSEC0004"), ..Case::new(Fault::OutOfHours, MAINTENANCE, false) },
        Case::new(Fault::Garbage, BAD_RESPONSE, true),
        Case::new(Fault::Truncated, BAD_RESPONSE, true),
        Case::fault("WSEC4711", REJECTED, true),
        Case::fault("WSEC0001", REJECTED, false),
        Case::fault("WSEC0006", CREDENTIALS, false),
    ]
}

/// An LRS and two gateways before it: one has time, the other meets those troubles that are over some time.
struct Scene {
    lrs: SimulatedLrs,
    patient: TestGateway,
    hasty: TestGateway,
}

impl Scene {
    fn new() -> Self {
        let lrs = SimulatedLrs::start();
        lrs.simulator.set_job_duration(Duration::ZERO);
        let hasty = Options { timeout: Duration::from_millis(400), ..Options::default() };
        let (patient, hasty) = (TestGateway::to(&lrs.url()), TestGateway::with(&lrs.url(), hasty));
        Self { lrs, patient, hasty }
    }

    /// The one that meets this trouble.
    fn gateway(&self, case: &Case) -> &TestGateway {
        if case.kind == TIMEOUT { &self.hasty } else { &self.patient }
    }
}

#[test]
fn no_trouble_is_forgotten_here() {
    for trouble in Fault::all() {
        assert!(cases().iter().any(|case| case.step.fault == trouble), "{trouble:?} is not in the table");
    }
}

#[tokio::test]
async fn a_read_is_told_what_is_wrong_and_was_sent_once() {
    let scene = Scene::new();
    let lrs = &scene.lrs;
    for (path, element) in [(FIND, "FindLearnerByULN"), (EVENTS, "GetLearnerLearningEvents")] {
        for case in cases() {
            let before = lrs.simulator.request_count(element);
            case.play(lrs, element);
            let answer = scene.gateway(&case).caller().post(path, &ana()).await;
            case.is_told(&answer, false);
            assert_eq!(lrs.simulator.request_count(element) - before, 1, "{:?}", case.step.fault);
        }
        assert_eq!(scene.patient.caller().post(path, &ana()).await.expect_success()["outcome"], "EXACT_MATCH", "{path}");
    }
}

#[tokio::test]
async fn a_write_is_told_what_is_wrong_and_was_sent_once_and_a_search_shows_whether_it_was_done() {
    let scene = Scene::new();
    let (lrs, caller) = (&scene.lrs, scene.patient.caller());
    for (number, case) in cases().into_iter().enumerate() {
        let (trouble, (registration, search)) = (case.step.fault, newcomer(number));
        let counted = || (lrs.simulator.request_count("RegisterLearner"), lrs.simulator.executed_count("RegisterLearner"));
        assert_eq!(caller.post(SEARCH, &search).await.expect_success()["outcome"], "NO_MATCH", "{trouble:?}");
        let before = counted();
        case.play(lrs, "RegisterLearner");
        case.is_told(&scene.gateway(&case).caller().post(REGISTER, &registration).await, true);
        let done = usize::from(trouble.executes_operation());
        assert_eq!(counted(), (before.0 + 1, before.1 + done), "{trouble:?}");
        assert!(case.open || done == 0, "what is said to be not done was not done: {trouble:?}");
        let outcome = if done == 1 { "EXACT_MATCH" } else { "NO_MATCH" };
        assert_eq!(caller.post(SEARCH, &search).await.expect_success()["outcome"], outcome, "{trouble:?}");
        assert_eq!(counted().0, before.0 + 1, "nothing is sent later either: {trouble:?}");
    }
}

#[tokio::test]
async fn a_slow_answer_is_an_answer_if_there_is_time() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let (registration, search) = newcomer(0);
    caller.post(SEARCH, &search).await.expect_success();
    let nobody = json!({"uln": "3000000126", "givenName": "Zebedee", "familyName": "Quillfeather"});
    for step in [FaultStep::new(Fault::Latency).with_milliseconds(500), FaultStep::new(Fault::SlowDrip).with_milliseconds(1)] {
        lrs.simulator.inject_faults(vec![step.clone()]);
        assert_eq!(caller.post(FIND, &nobody).await.expect_success()["outcome"], "NO_MATCH", "{step:?}");
    }
    lrs.simulator.inject_faults(vec![FaultStep::new(Fault::Latency).with_milliseconds(500)]);
    assert_eq!(caller.post(REGISTER, &registration).await.status, 201);
    assert_eq!((lrs.simulator.request_count("FindLearnerByULN"), lrs.simulator.request_count("RegisterLearner")), (2, 1));
}

fn achievement(number: usize) -> Value {
    let achievement = json!({
        "action": "CREATE", "actionDate": "2026-07-01", "achievementAwardDate": "2026-06-30", "uln": "3000000126", "givenName": "Ana",
        "familyName": "O'Neill", "dateOfBirth": "2003-04-05", "gender": "FEMALE", "learnerPostcode": "ZZ99 9ZZ", "providerUkprn": "10088881",
        "unitOrQualificationReferenceNumber": format!("600/{number:04}/X"), "grade": "Pass", "misIdentifier": format!("CAND-{number}"),
    });
    json!({"submissionType": "FINAL", "achievements": [achievement]})
}

fn registrations(number: usize) -> Value {
    let mut learners = learners(number + 1);
    json!({"jobType": "FULL", "learners": learners.split_off(number)})
}

/// Lets a batch of this resource meet every trouble on its way to LRS.
async fn every_trouble_of(resource: &str, element: &str, caller: fn(&TestGateway) -> Caller, body: fn(usize) -> Value) {
    let scene = Scene::new();
    let lrs = &scene.lrs;
    for (number, case) in cases().into_iter().enumerate() {
        let (trouble, caller) = (case.step.fault, caller(scene.gateway(&case)));
        let jobs = || lrs.simulator.jobs().submissions().len();
        let (requests, before) = (lrs.simulator.request_count(element), jobs());
        case.play(lrs, element);
        let batch = submit(&caller, resource, &body(number)).await;
        let (state, reason) = match case.kind {
            REJECTED if case.open => (batch.wait_for_status("PAUSED").await, "LRS_REJECTED_REQUEST"),
            _ if case.open => (batch.wait_for_status("PAUSED").await, "ANSWER_LOST"),
            MAINTENANCE => (batch.wait_for_status("COMPLETE").await, ""),
            CREDENTIALS => (batch.wait_for_status("FAILED").await, "LRS_CREDENTIALS_REJECTED"),
            _ => (batch.wait_for_status("FAILED").await, "LRS_REJECTED_REQUEST"),
        };
        assert_eq!(state["parts"][0]["reason"].as_str().unwrap_or_default(), reason, "{trouble:?}: {state}");
        // What was certainly not done was sent again by itself, and everything else was sent once.
        let sent = lrs.simulator.request_count(element) - requests;
        assert_eq!(sent, if case.kind == MAINTENANCE { 2 } else { 1 }, "{trouble:?}: {state}");
        let made = usize::from(trouble.executes_operation() || case.kind == MAINTENANCE);
        assert_eq!(jobs() - before, made, "{trouble:?}");
    }
}

#[tokio::test]
async fn a_batch_of_registrations_goes_on_by_itself_or_waits_for_a_decision_but_is_never_doubled() {
    every_trouble_of("registration-batches", "SubmitBatch", TestGateway::caller, registrations).await;
}

#[tokio::test]
async fn a_batch_of_achievements_goes_on_by_itself_or_waits_for_a_decision_but_is_never_doubled() {
    every_trouble_of("achievement-batches", "SubmitAchievementBatchJob", awarding, achievement).await;
}

#[tokio::test]
async fn a_batch_whose_results_cannot_be_fetched_is_asked_for_again_and_not_sent_again() {
    let scene = Scene::new();
    let lrs = &scene.lrs;
    for (number, case) in cases().into_iter().enumerate() {
        let asked = lrs.simulator.request_count("GetSubmitBatchOutput");
        case.play(lrs, "GetSubmitBatchOutput");
        submit(&scene.gateway(&case).caller(), "registration-batches", &registrations(number)).await.wait_for_status("COMPLETE").await;
        assert_eq!(lrs.simulator.request_count("GetSubmitBatchOutput") - asked, 2, "{:?}", case.step.fault);
    }
    assert_eq!(lrs.simulator.request_count("SubmitBatch"), cases().len());
}
