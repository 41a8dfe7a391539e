//! Batches as callers send and follow them.

use serde_json::{Value, json};

use super::Caller;
use super::caller::Answer;

/// Learners that nobody has registered, with everything LRS needs. `STU-0`, `STU-1`, …
pub fn learners(count: usize) -> Vec<Value> {
    learners_named("Quillfeather", count)
}

/// The same, of this family.
pub fn learners_named(family: &str, count: usize) -> Vec<Value> {
    let learner = |number: usize| {
        let given: String = format!("{number:05}").bytes().map(|digit| char::from(b'a' + (digit - b'0'))).collect();
        json!({
            "misIdentifier": format!("STU-{number}"), "givenName": format!("Zeb{given}"), "familyName": family,
            "dateOfBirth": format!("{}-09-17", 1990 + number % 20), "gender": "MALE", "lastKnownPostCode": "ZZ42 4QX",
            "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE"
        })
    };
    (0..count).map(learner).collect()
}

/// A batch that was submitted.
pub struct SubmittedBatch<'c> {
    caller: &'c Caller,
    pub path: String,
    pub first: Value,
}

/// Submits a batch, which must be accepted.
pub async fn submit<'c>(caller: &'c Caller, resource: &str, body: &Value) -> SubmittedBatch<'c> {
    accepted(caller, &caller.post(&format!("/v1/{resource}"), body).await)
}

/// An answer that must be an accepted batch.
pub fn accepted<'c>(caller: &'c Caller, answer: &Answer) -> SubmittedBatch<'c> {
    assert_eq!(answer.status, 202, "{}", answer.text);
    let first = answer.json();
    let path = answer.header("location").to_owned();
    assert!(path.ends_with(first["batchId"].as_str().expect("an id")), "{path}");
    SubmittedBatch { caller, path, first }
}

impl SubmittedBatch<'_> {
    /// How far it is now.
    pub async fn state(&self) -> Value {
        self.caller.request("GET", &self.path).await.expect_success()
    }

    /// How far it is when it has got as far as this.
    pub async fn wait_for_status(&self, status: &str) -> Value {
        for _ in 0..600 {
            let state = self.state().await;
            if state["status"] == status {
                return state;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{status} never comes: {}", self.state().await);
    }

    /// Everything that is known of its records.
    pub async fn results(&self) -> Vec<Value> {
        let mut results = Vec::new();
        let mut next = String::new();
        loop {
            let page = self.caller.request("GET", &format!("{}/results?limit=500{next}", self.path)).await.expect_success();
            results.extend(page["results"].as_array().expect("a list").clone());
            match page["next"].as_str() {
                Some(cursor) => next = format!("&cursor={cursor}"),
                None => return results,
            }
        }
    }

    /// Posts a decision about a part.
    pub async fn decide(&self, part: u32, decision: &str) -> Answer {
        self.caller.request("POST", &format!("{}/parts/{part}/{decision}", self.path)).await
    }
}

/// The names of records, in order.
pub fn mis_identifiers(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["misIdentifier"].as_str().unwrap_or_default()).collect()
}

/// The statuses of a batch's parts.
pub fn statuses(state: &Value) -> Vec<&str> {
    state["parts"].as_array().expect("parts").iter().map(|part| part["status"].as_str().expect("a status")).collect()
}
