//! The page of LRS codes: the codes are those of `lrs::response_codes`, and what callers get is what the gateway answers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use lrs_gateway::api::amend_learner::LearnerAmendmentOutcome;
use lrs_gateway::api::find_learners::LearnerSearchOutcome;
use lrs_gateway::api::learning_events::LearningEventsOutcome;
use lrs_gateway::api::register_learners::{LearnerRegistrationOutcome, LearnerUpdateOutcome};
use lrs_gateway::api::verify_learners::LearnerVerificationOutcome;
use lrs_gateway::batches::BatchSettings;
use lrs_gateway::lrs::response_codes::{DOCUMENTED_CODES, LearnerReturn, LrsCode};
use lrs_gateway::lrs::{CallError, LrsError};
use lrs_gateway::problem::Problem;
use lrs_gateway::schema::{CodeList as _, CodeTable};
use serde_json::{Value, json};

use super::assert_generated;
use crate::support::batches::{batch_output_response, expect_accepted, full_registration, learners, submit_batch_response};
use crate::support::fake_server::Reply;
use crate::support::fields::DOCUMENT;
use crate::support::gateway::{Options, fast_batches};
use crate::support::{FakeServer, TestGateway};

const REGISTRATION_BATCHES: &str = "/v1/registration-batches";

/// The outcomes of each operation that has outcomes of its own.
const OUTCOMES: [(&str, &CodeTable); 7] = [
    ("findLearnerByUln", LearnerSearchOutcome::TABLE),
    ("findLearnersByDemographics", LearnerSearchOutcome::TABLE),
    ("registerLearner", LearnerRegistrationOutcome::TABLE),
    ("updateLearner", LearnerUpdateOutcome::TABLE),
    ("amendLearner", LearnerAmendmentOutcome::TABLE),
    ("verifyLearner", LearnerVerificationOutcome::TABLE),
    ("getLearningEvents", LearningEventsOutcome::TABLE),
];

/// A code in LRS's responses about batches, and the part of a batch after it.
struct PartCode {
    code: &'static str,
    response: BatchResponse,
    status: &'static str,
    /// The reason of a part that has failed.
    reason: Option<&'static str>,
}

/// A response of LRS about a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BatchResponse {
    /// To the submission, with a job.
    Accepted,
    /// To the submission, without a job.
    Rejected,
    /// To a poll for the results.
    Output,
    /// To a poll for the results of a job that was submitted outside the gateway.
    OutputOfAdoptedJob,
}

const PART_CODES: [PartCode; 12] = [
    part_code("WSRC0007", BatchResponse::Accepted, "SUBMITTED", None),
    part_code("WSRC0008", BatchResponse::Output, "SUBMITTED", None),
    part_code("WSRC0009", BatchResponse::Output, "COMPLETE", None),
    part_code("WSRC0010", BatchResponse::Output, "FAILED", Some("JOB_FAILED")),
    part_code("WSRC0017", BatchResponse::Rejected, "FAILED", Some("LRS_REJECTED")),
    part_code("WSRC0018", BatchResponse::OutputOfAdoptedJob, "FAILED", Some("JOB_UNKNOWN")),
    part_code("WSRC0030", BatchResponse::Rejected, "FAILED", Some("LRS_REJECTED")),
    part_code("WSRC0043", BatchResponse::Rejected, "FAILED", Some("LRS_CREDENTIALS_REJECTED")),
    // Only the submission of achievements returns these codes. The gateway treats them alike in every batch.
    part_code("WSEC0044", BatchResponse::Rejected, "FAILED", Some("LRS_REJECTED_REQUEST")),
    part_code("WSEC0045", BatchResponse::Rejected, "FAILED", Some("LRS_REJECTED_REQUEST")),
    part_code("WSEC0046", BatchResponse::Rejected, "FAILED", Some("LRS_REJECTED_REQUEST")),
    part_code("WSEC0047", BatchResponse::Rejected, "FAILED", Some("LRS_REJECTED_REQUEST")),
];

const fn part_code(code: &'static str, response: BatchResponse, status: &'static str, reason: Option<&'static str>) -> PartCode {
    PartCode { code, response, status, reason }
}

#[test]
fn lrs_codes_page_has_every_code_with_its_answer() {
    let mut table = String::from("\n| code | meaning | what the caller gets | what to do next |\n|---|---|---|---|\n");
    for entry in DOCUMENTED_CODES {
        writeln!(table, "| `{}` | {} | {} | {} |", entry.code, entry.meaning, answer_to(entry.code), entry.advice).expect("text");
    }
    assert_generated("docs/LRS-CODES.md", "codes", &table);
}

/// Returns the text of the column "what the caller gets".
fn answer_to(code: &str) -> String {
    if let Some(PartCode { status, reason, .. }) = PART_CODES.iter().find(|part| part.code == code) {
        let reason = reason.map_or_else(String::new, |reason| format!(" with the reason `{reason}`"));
        return format!("a part that is `{status}`{reason}");
    }
    if let Some(error) = LrsError::from_code(&LrsCode::new(code)) {
        let problem = Problem::from(CallError { error, outcome_unknown: false }).code().entry();
        return format!("{} `{}`", problem.status, problem.code);
    }
    if LrsCode::new(code).learner_return() == LearnerReturn::Exception {
        return "`EXCEPTION` from `getRegistrationBatchResults`".to_owned();
    }
    let mut operations_by_outcome: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (operation, outcomes) in OUTCOMES {
        for (outcome, _) in outcomes.lrs_codes().filter(|(_, lrs_code)| *lrs_code == code) {
            operations_by_outcome.entry(outcome).or_default().push(format!("`{operation}`"));
        }
    }
    if operations_by_outcome.is_empty() {
        return "`OTHER`".to_owned();
    }
    let outcomes = operations_by_outcome.iter().map(|(outcome, operations)| format!("`{outcome}` from {}", operations.join(", ")));
    outcomes.collect::<Vec<_>>().join("; ")
}

#[test]
fn lrs_codes_page_has_the_outcomes_of_every_operation() {
    // `obtainUln` combines two operations. Of registration batches, many codes are exceptions. The codes of the others are not public, or LRS
    // returns none for a record.
    const WITHOUT_CODES: [&str; 4] =
        ["UlnRequestOutcome", "RegistrationBatchOutcome", "VerificationBatchOutcome", "AchievementBatchOutcome"];
    let components = DOCUMENT["components"]["schemas"].as_object().expect("components").keys();
    let listed: Vec<&str> = OUTCOMES.iter().map(|(_, table)| table.name).chain(WITHOUT_CODES).collect();
    let missing: Vec<&String> = components.filter(|name| name.ends_with("Outcome") && !listed.contains(&name.as_str())).collect();
    assert_eq!(missing, [""; 0], "add them to OUTCOMES");
}

#[test]
fn lrs_codes_of_outcomes_are_documented_and_no_errors() {
    for (outcome, code) in OUTCOMES.iter().flat_map(|(_, outcomes)| outcomes.lrs_codes()) {
        assert!(DOCUMENTED_CODES.iter().any(|entry| entry.code == code), "{outcome} {code}");
        assert_eq!(LrsError::from_code(&LrsCode::new(code)), None, "{outcome} {code}");
    }
}

#[tokio::test]
async fn lrs_codes_of_batches_lead_to_the_documented_part_status() {
    for PartCode { code, response, status, reason } in PART_CODES {
        let part = part_after(code, response).await;
        assert_eq!((&part["status"], &part["reason"]), (&json!(status), &json!(reason)), "{code}: {part}");
    }
}

/// Returns the state of a batch's part after LRS has sent this response with this code.
async fn part_after(code: &'static str, response: BatchResponse) -> Value {
    let lrs = FakeServer::start(move |request| {
        let code = format!("<ResponseCode>{code}</ResponseCode>");
        let accepted = "<ResponseCode>WSRC0007</ResponseCode><JobID>900123</JobID>";
        Reply::Bytes(match response {
            _ if request.body.contains(":GetSubmitBatchOutput") => batch_output_response(&code),
            BatchResponse::Accepted => submit_batch_response(&format!("{code}<JobID>900123</JobID>")),
            BatchResponse::Rejected => submit_batch_response(&format!("{code}<JobID>0</JobID>")),
            BatchResponse::Output | BatchResponse::OutputOfAdoptedJob => submit_batch_response(accepted),
        })
    });
    let options = Options { batches: batch_settings(response), ..Options::default() };
    let gateway = TestGateway::with(&lrs.url(), options);
    let caller = gateway.caller();
    let answer = if response == BatchResponse::OutputOfAdoptedJob {
        caller.post(&format!("{REGISTRATION_BATCHES}/track"), &json!({"lrsJobId": "900123"})).await
    } else {
        caller.post(REGISTRATION_BATCHES, &full_registration(&learners(1))).await
    };
    let batch = expect_accepted(&caller, &answer);
    // The part has the code of the last response that the gateway has processed.
    let state = batch.wait_for_state(code, |state| state["parts"][0]["lrsCode"] == code).await;
    state["parts"][0].clone()
}

/// After the response to the submission, the test reads the part before the gateway polls.
fn batch_settings(response: BatchResponse) -> BatchSettings {
    if response == BatchResponse::Accepted {
        return BatchSettings { initial_poll_interval: Duration::from_secs(3600), ..fast_batches() };
    }
    fast_batches()
}
