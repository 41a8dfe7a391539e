//! The page of LRS's codes: what they are is in `lrs::codes`, what callers get follows from the code that answers them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use lrs_gateway::api::batches::registration::RegistrationOutcome;
use lrs_gateway::api::find_learners::FindOutcome;
use lrs_gateway::api::learning_events::LearningEventsOutcome;
use lrs_gateway::api::register_learners::{RegisterOutcome, UpdateOutcome};
use lrs_gateway::api::verify_learners::VerifyOutcome;
use lrs_gateway::lrs::codes::{DOCUMENTED_CODES, LrsCode};
use lrs_gateway::lrs::{CallError, LrsError};
use lrs_gateway::problem::Problem;

use super::assert_ends_with;

/// The outcomes of every operation that has some of its own.
const OUTCOMES: [(&str, &[(&str, &str)]); 7] = [
    ("findLearnerByUln", FindOutcome::LRS_CODES),
    ("findLearnersByDemographics", FindOutcome::LRS_CODES),
    ("registerLearner", RegisterOutcome::LRS_CODES),
    ("updateLearner", UpdateOutcome::LRS_CODES),
    ("verifyLearner", VerifyOutcome::LRS_CODES),
    ("getLearningEvents", LearningEventsOutcome::LRS_CODES),
    ("getRegistrationBatchResults", RegistrationOutcome::LRS_CODES),
];

/// What becomes of a part of a batch whose job LRS answers so about.
const PARTS: [(&str, &str); 8] = [
    ("WSRC0007", "a part that is `SUBMITTED`"),
    ("WSRC0008", "a part that is `SUBMITTED`"),
    ("WSRC0009", "a part that is `COMPLETE`"),
    ("WSRC0010", "a part that has `FAILED`, `JOB_FAILED`"),
    ("WSRC0017", "a part that has `FAILED`, `LRS_REJECTED`"),
    ("WSRC0018", "a part that has `FAILED`, `JOB_UNKNOWN`"),
    ("WSRC0030", "a part that has `FAILED`, `LRS_REJECTED`"),
    ("WSRC0043", "a part that has `FAILED`, `LRS_CREDENTIALS_REJECTED`"),
];

#[test]
fn the_page_of_codes_is_what_the_gateway_makes_of_them() {
    let mut table = String::from("\n| code | meaning | what the caller gets | what to do next |\n|---|---|---|---|\n");
    for entry in DOCUMENTED_CODES {
        let told = what_the_caller_gets(entry.code);
        writeln!(table, "| `{}` | {} | {told} | {} |", entry.code, entry.meaning, entry.advice).expect("text");
    }
    assert_ends_with("docs/LRS-CODES.md", "codes", &table);
}

#[test]
fn every_outcome_has_a_documented_code() {
    for (name, code) in OUTCOMES.iter().flat_map(|(_, outcomes)| *outcomes) {
        assert!(DOCUMENTED_CODES.iter().any(|entry| entry.code == *code), "{name} {code}");
        assert_eq!(LrsError::from_code(&LrsCode::new(*code)), None, "{name} {code}");
    }
}

fn what_the_caller_gets(code: &str) -> String {
    if let Some((_, part)) = PARTS.iter().find(|(lrs, _)| *lrs == code) {
        return (*part).to_owned();
    }
    if let Some(failure) = LrsError::from_code(&LrsCode::new(code)) {
        let row = Problem::from(CallError { error: failure, outcome_unknown: false }).code().entry();
        return format!("{} `{}`", row.status, row.code);
    }
    let mut outcomes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (operation, table) in OUTCOMES {
        for (name, _) in table.iter().filter(|(_, lrs)| *lrs == code) {
            outcomes.entry(*name).or_default().push(format!("`{operation}`"));
        }
    }
    let told: Vec<String> = outcomes.iter().map(|(name, operations)| format!("`{name}` from {}", operations.join(", "))).collect();
    if told.is_empty() { "`OTHER`".to_owned() } else { told.join("; ") }
}
