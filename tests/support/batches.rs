//! Batches as callers submit and follow them.

use std::time::Duration;

use serde_json::{Value, json};

use super::Caller;
use super::caller::Answer;
use super::fake_server::soap;

/// Time between two reads of a batch's state.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Maximum time for a batch to reach an expected state.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Returns learners who are not registered, with every field that LRS needs. Their MIS identifiers are `STU-0`, `STU-1`, …
pub fn learners(count: usize) -> Vec<Value> {
    let learner = |number: usize| {
        let letters: String = format!("{number:05}").bytes().map(|digit| char::from(b'a' + (digit - b'0'))).collect();
        json!({
            "misIdentifier": format!("STU-{number}"), "givenName": format!("Zeb{letters}"), "familyName": "Quillfeather",
            "dateOfBirth": format!("{}-09-17", 1990 + number % 20), "gender": "MALE", "lastKnownPostCode": "ZZ42 4QX",
            "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE"
        })
    };
    (0..count).map(learner).collect()
}

/// Returns the body of a registration batch that registers these learners.
pub fn full_registration(learners: &[Value]) -> Value {
    json!({"jobType": "FULL", "learners": learners})
}

/// Returns LRS's response to the submission of a registration batch, with these child elements.
pub fn submit_batch_response(children: &str) -> Vec<u8> {
    let namespace = "http://api.lrs.miap.gov.uk/batchmsg";
    soap(200, &format!("<n:SubmitBatchResponse xmlns:n=\"{namespace}\">{children}</n:SubmitBatchResponse>"))
}

/// Returns LRS's response to a poll of a registration batch, with these child elements.
pub fn batch_output_response(children: &str) -> Vec<u8> {
    let namespace = "http://api.lrs.miap.gov.uk/batchmsg";
    soap(200, &format!("<n:GetSubmitBatchOutputResponse xmlns:n=\"{namespace}\">{children}</n:GetSubmitBatchOutputResponse>"))
}

/// Returns the counters of a `CHECK` job, as elements of a response to a poll: LRS has found `found` learners, and not found `not_found`.
pub fn check_counters(found: usize, not_found: usize) -> String {
    format!(
        "<NewLearnersCount>0</NewLearnersCount><ExistsUpdatedLearnersCount>{found}</ExistsUpdatedLearnersCount>\
         <PossibleMatchLearnersCount>0</PossibleMatchLearnersCount><LearnersNotFoundCount>{not_found}</LearnersNotFoundCount>\
         <RejectedLearnersCount>0</RejectedLearnersCount>"
    )
}

/// An accepted batch.
pub struct SubmittedBatch<'c> {
    caller: &'c Caller,
    pub path: String,
    /// The state in the answer to the submission.
    pub initial_state: Value,
}

/// Submits a batch. It must be accepted.
pub async fn submit<'c>(caller: &'c Caller, resource: &str, body: &Value) -> SubmittedBatch<'c> {
    expect_accepted(caller, &caller.post(&format!("/v1/{resource}"), body).await)
}

/// Returns the batch of an answer, which must be 202.
pub fn expect_accepted<'c>(caller: &'c Caller, answer: &Answer) -> SubmittedBatch<'c> {
    assert_eq!(answer.status, 202, "{}", answer.text);
    let initial_state = answer.json();
    let path = answer.location();
    assert!(path.ends_with(initial_state["batchId"].as_str().expect("the answer has a batch id")), "{path}");
    SubmittedBatch { caller, path, initial_state }
}

impl SubmittedBatch<'_> {
    /// Returns the identifier.
    pub fn id(&self) -> &str {
        self.initial_state["batchId"].as_str().expect("the answer has a batch id")
    }

    /// Reads the current state.
    pub async fn state(&self) -> Value {
        self.caller.request("GET", &self.path).await.expect_success()
    }

    /// Waits until the batch has this status, and returns the state.
    pub async fn wait_for_status(&self, status: &str) -> Value {
        self.wait_for_state(status, |state| state["status"] == status).await
    }

    /// Waits until the state fulfils a condition, and returns the state.
    pub async fn wait_for_state(&self, description: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let started_at = std::time::Instant::now();
        loop {
            let state = self.state().await;
            if condition(&state) {
                return state;
            }
            assert!(started_at.elapsed() < TIMEOUT, "timed out waiting for {description}: {state}");
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Reads the results of all records, page by page.
    pub async fn results(&self) -> Vec<Value> {
        let mut results = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.caller.request("GET", &format!("{}/results?limit=500{cursor}", self.path)).await.expect_success();
            results.extend(page["results"].as_array().expect("a page has a list of results").clone());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return results,
            }
        }
    }

    /// Posts a decision about a part.
    pub async fn decide(&self, part: u32, decision: &str) -> Answer {
        self.caller.request("POST", &format!("{}/parts/{part}/{decision}", self.path)).await
    }
}

/// Returns the MIS identifiers of records or results, in order; empty for those without one.
pub fn mis_identifiers(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["misIdentifier"].as_str().unwrap_or_default()).collect()
}

/// Returns the statuses of a batch's parts, in order.
pub fn part_statuses(state: &Value) -> Vec<&str> {
    let parts = state["parts"].as_array().expect("the state has parts");
    parts.iter().map(|part| part["status"].as_str().expect("a part has a status")).collect()
}
