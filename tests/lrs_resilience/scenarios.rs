//! Every fault of the simulator, for a read, a write and a batch: the answer to the caller, and the number of requests that LRS received.

use std::time::Duration;

use lrs_gateway::schema::CodeList as _;
use lrs_gateway::simulator::{Fault, FaultStep};
use serde_json::{Value, json};

use super::{EVENTS, FIND, REGISTER, SEARCH, ana, awarding_caller, unregistered_learner};
use crate::support::batches::{full_registration, learners, submit};
use crate::support::caller::Answer;
use crate::support::expected_problems::{BAD_RESPONSE, CREDENTIALS, ExpectedProblem, MAINTENANCE, REJECTED, TIMEOUT, UNAVAILABLE};
use crate::support::gateway::Options;
use crate::support::{Caller, SimulatedLrs, TestGateway};

const REGISTER_ELEMENT: &str = "RegisterLearner";
const RESULTS_ELEMENT: &str = "GetSubmitBatchOutput";

/// Delay that is longer than the timeout of the gateway with a short timeout.
const LONG_DELAY_MILLISECONDS: u64 = 1_500;

/// A fault, and the problem that a caller gets.
struct Case {
    step: FaultStep,
    expected: ExpectedProblem,
    /// `true` if LRS may have executed the operation, as far as the gateway can know.
    may_be_executed: bool,
    lrs_code: Option<&'static str>,
}

impl Case {
    fn new(fault: Fault, expected: ExpectedProblem, may_be_executed: bool) -> Self {
        Self { step: FaultStep::new(fault), expected, may_be_executed, lrs_code: None }
    }

    fn with_delay(self, milliseconds: u64) -> Self {
        Self { step: self.step.with_milliseconds(milliseconds), ..self }
    }

    fn soap_fault(code: &'static str, expected: ExpectedProblem, may_be_executed: bool) -> Self {
        let step = FaultStep { code: Some(code.into()), ..FaultStep::new(Fault::SoapFault) };
        Self { step, expected, may_be_executed, lrs_code: Some(code) }
    }

    /// Lets the next request of this operation meet the fault.
    fn inject(&self, lrs: &SimulatedLrs, element: &str) {
        lrs.simulator.inject_faults(vec![self.step.clone().for_operation(element).times(1)]);
    }

    /// Asserts that the answer to a read or a write is the expected problem.
    fn assert_problem(&self, answer: &Answer, is_write: bool) {
        let (fault, is_unknown) = (self.step.fault, is_write && self.may_be_executed);
        // A write that LRS may have executed must not be answered with "unavailable".
        let (status, code, retryable, retry_after) = if is_unknown && self.expected == UNAVAILABLE { TIMEOUT } else { self.expected };
        let problem = answer.problem(status, code);
        assert_eq!(problem["outcomeUnknown"], if is_unknown { json!(true) } else { Value::Null }, "{fault:?}: {problem}");
        assert_eq!(problem["retryable"], json!(retryable && !is_unknown), "{fault:?}: {problem}");
        let retry_after = retry_after.filter(|_| !is_unknown).map(|seconds| seconds.to_string()).unwrap_or_default();
        assert_eq!(answer.header("retry-after"), retry_after, "{fault:?}: {problem}");
        assert_eq!(problem["lrs"]["code"].as_str(), self.lrs_code, "{fault:?}: {problem}");
    }
}

/// Returns a case for each fault. The gateway cannot distinguish a reset before the execution from one after it.
fn cases() -> Vec<Case> {
    vec![
        Case::new(Fault::Latency, TIMEOUT, true).with_delay(LONG_DELAY_MILLISECONDS),
        Case::new(Fault::SlowDrip, TIMEOUT, true).with_delay(50),
        Case::new(Fault::Refuse, UNAVAILABLE, true),
        Case::new(Fault::ResetBefore, UNAVAILABLE, true),
        Case::new(Fault::ResetAfter, UNAVAILABLE, true),
        Case::new(Fault::Unavailable, UNAVAILABLE, false),
        Case::new(Fault::MaintenancePage, MAINTENANCE, false),
        Case::new(Fault::MaintenanceRedirect, MAINTENANCE, false),
        Case::new(Fault::Maintenance405, MAINTENANCE, false),
        Case { lrs_code: Some("WSEC0004"), ..Case::new(Fault::OutOfHours, MAINTENANCE, false) },
        Case::new(Fault::Garbage, BAD_RESPONSE, true),
        Case::new(Fault::Truncated, UNAVAILABLE, true),
        Case::soap_fault("WSEC4711", REJECTED, true),
        Case::soap_fault("WSEC0001", REJECTED, false),
        Case::soap_fault("WSEC0006", CREDENTIALS, false),
    ]
}

/// LRS with two gateways: one for most faults, and one with a short timeout for the faults that end in a timeout.
struct Fixture {
    lrs: SimulatedLrs,
    gateway: TestGateway,
    gateway_with_short_timeout: TestGateway,
}

impl Fixture {
    fn new() -> Self {
        let lrs = SimulatedLrs::start();
        lrs.simulator.set_job_duration(Duration::ZERO);
        let short_timeout = Options { timeout: Duration::from_millis(400), ..Options::default() };
        let gateway = TestGateway::to(&lrs.url());
        let gateway_with_short_timeout = TestGateway::with(&lrs.url(), short_timeout);
        Self { lrs, gateway, gateway_with_short_timeout }
    }

    fn gateway_for(&self, case: &Case) -> &TestGateway {
        if case.expected == TIMEOUT { &self.gateway_with_short_timeout } else { &self.gateway }
    }
}

#[test]
fn fault_cases_contain_every_fault() {
    for &fault in Fault::ALL {
        assert!(cases().iter().any(|case| case.step.fault == fault), "{fault:?} is not in the table");
    }
}

#[tokio::test]
async fn fault_during_read_returns_problem_and_is_sent_once() {
    let fixture = Fixture::new();
    let lrs = &fixture.lrs;
    for (path, element) in [(FIND, "FindLearnerByULN"), (EVENTS, "GetLearnerLearningEvents")] {
        for case in cases() {
            let requests_before = lrs.simulator.request_count(element);
            case.inject(lrs, element);
            let answer = fixture.gateway_for(&case).caller().post(path, &ana()).await;
            case.assert_problem(&answer, false);
            assert_eq!(lrs.simulator.request_count(element) - requests_before, 1, "{:?}", case.step.fault);
        }
        assert_eq!(fixture.gateway.caller().post(path, &ana()).await.expect_success()["outcome"], "EXACT_MATCH", "{path}");
    }
}

#[tokio::test]
async fn fault_during_write_returns_problem_is_sent_once_and_search_shows_its_outcome() {
    let fixture = Fixture::new();
    let (lrs, caller) = (&fixture.lrs, fixture.gateway.caller());
    for (number, case) in cases().into_iter().enumerate() {
        let (fault, (registration, search)) = (case.step.fault, unregistered_learner(number));
        let requests_and_executions = || (lrs.simulator.request_count(REGISTER_ELEMENT), lrs.simulator.executed_count(REGISTER_ELEMENT));
        assert_eq!(caller.post(SEARCH, &search).await.expect_success()["outcome"], "NO_MATCH", "{fault:?}");

        let (requests_before, executions_before) = requests_and_executions();
        case.inject(lrs, REGISTER_ELEMENT);
        case.assert_problem(&fixture.gateway_for(&case).caller().post(REGISTER, &registration).await, true);

        let executions = usize::from(fault.executes_operation());
        assert_eq!(requests_and_executions(), (requests_before + 1, executions_before + executions), "{fault:?}");
        assert!(case.may_be_executed || executions == 0, "a known outcome is correct: {fault:?}");
        let outcome = if executions == 1 { "EXACT_MATCH" } else { "NO_MATCH" };
        assert_eq!(caller.post(SEARCH, &search).await.expect_success()["outcome"], outcome, "{fault:?}");
        assert_eq!(requests_and_executions().0, requests_before + 1, "no registration is sent later: {fault:?}");
    }
}

#[tokio::test]
async fn fault_delay_shorter_than_timeout_returns_answer() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let (registration, search) = unregistered_learner(0);
    caller.post(SEARCH, &search).await.expect_success();
    let other_names = json!({"uln": "3000000126", "givenName": "Zebedee", "familyName": "Quillfeather"});
    for step in [FaultStep::new(Fault::Latency).with_milliseconds(500), FaultStep::new(Fault::SlowDrip).with_milliseconds(1)] {
        lrs.simulator.inject_faults(vec![step.clone()]);
        assert_eq!(caller.post(FIND, &other_names).await.expect_success()["outcome"], "NO_MATCH", "{step:?}");
    }
    lrs.simulator.inject_faults(vec![FaultStep::new(Fault::Latency).with_milliseconds(500)]);
    assert_eq!(caller.post(REGISTER, &registration).await.status, 201);
    assert_eq!((lrs.simulator.request_count("FindLearnerByULN"), lrs.simulator.request_count(REGISTER_ELEMENT)), (2, 1));
}

/// Returns the body of an achievement batch with one achievement. Each number is another achievement.
fn achievement_batch(number: usize) -> Value {
    let achievement = json!({
        "action": "CREATE", "actionDate": "2026-07-01", "achievementAwardDate": "2026-06-30", "uln": "3000000126", "givenName": "Ana",
        "familyName": "O'Neill", "dateOfBirth": "2003-04-05", "gender": "FEMALE", "learnerPostcode": "ZZ99 9ZZ", "providerUkprn": "10088881",
        "unitOrQualificationReferenceNumber": format!("600/{number:04}/X"), "grade": "Pass", "misIdentifier": format!("CAND-{number}"),
    });
    json!({"submissionType": "FINAL", "achievements": [achievement]})
}

/// Returns the body of a registration batch with one learner. Each number is another learner.
fn registration_batch(number: usize) -> Value {
    full_registration(&learners(number + 1)[number..])
}

/// Submits a batch for each fault. A part that LRS certainly did not execute is sent again automatically. A part that LRS may have
/// executed is not sent again: a registration is reconciled with a `CHECK` job, and any other part pauses for a decision. A registration that
/// LRS has not executed pauses as well.
async fn assert_no_fault_duplicates_batch(resource: &str, element: &str, caller: fn(&TestGateway) -> Caller, body: fn(usize) -> Value) {
    let fixture = Fixture::new();
    let lrs = &fixture.lrs;
    for (number, case) in cases().into_iter().enumerate() {
        let (fault, caller) = (case.step.fault, caller(fixture.gateway_for(&case)));
        let job_count = || lrs.simulator.jobs().submissions().iter().filter(|job| job.job_type != "CHK").count();
        let is_reconciled = resource == "registration-batches" && case.may_be_executed;
        let (requests_before, jobs_before) = (lrs.simulator.request_count(element), job_count());
        case.inject(lrs, element);

        let batch = submit(&caller, resource, &body(number)).await;
        let (status, reason) = match case.expected {
            _ if is_reconciled && fault.executes_operation() => ("COMPLETE", ""),
            BAD_RESPONSE if case.may_be_executed => ("PAUSED", "LRS_BAD_RESPONSE"),
            REJECTED if case.may_be_executed => ("PAUSED", "LRS_REJECTED_REQUEST"),
            _ if case.may_be_executed => ("PAUSED", "ANSWER_LOST"),
            MAINTENANCE | UNAVAILABLE => ("COMPLETE", ""),
            CREDENTIALS => ("FAILED", "LRS_CREDENTIALS_REJECTED"),
            _ => ("FAILED", "LRS_REJECTED_REQUEST"),
        };
        let state = batch.wait_for_status(status).await;
        assert_eq!(state["parts"][0]["reason"].as_str().unwrap_or_default(), reason, "{fault:?}: {state}");

        let is_sent_again = status == "COMPLETE";
        let requests = lrs.simulator.request_count(element) - requests_before;
        assert_eq!(requests, if is_sent_again || is_reconciled { 2 } else { 1 }, "{fault:?}: {state}");
        let jobs = usize::from(fault.executes_operation() || is_sent_again);
        assert_eq!(job_count() - jobs_before, jobs, "{fault:?}");
    }
}

#[tokio::test]
async fn fault_during_registration_batch_submission_creates_no_duplicate() {
    assert_no_fault_duplicates_batch("registration-batches", "SubmitBatch", TestGateway::caller, registration_batch).await;
}

#[tokio::test]
async fn fault_during_achievement_batch_submission_creates_no_duplicate() {
    assert_no_fault_duplicates_batch("achievement-batches", "SubmitAchievementBatchJob", awarding_caller, achievement_batch).await;
}

#[tokio::test]
async fn fault_during_poll_of_batch_results_polls_again_and_does_not_resubmit() {
    let fixture = Fixture::new();
    let lrs = &fixture.lrs;
    for (number, case) in cases().into_iter().enumerate() {
        let polls_before = lrs.simulator.request_count(RESULTS_ELEMENT);
        case.inject(lrs, RESULTS_ELEMENT);
        let caller = fixture.gateway_for(&case).caller();
        submit(&caller, "registration-batches", &registration_batch(number)).await.wait_for_status("COMPLETE").await;
        assert_eq!(lrs.simulator.request_count(RESULTS_ELEMENT) - polls_before, 2, "{:?}", case.step.fault);
    }
    assert_eq!(lrs.simulator.request_count("SubmitBatch"), cases().len());
}
