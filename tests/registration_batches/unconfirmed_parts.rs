//! Parts that LRS may have, although a `CHECK` job does not show it: the caller decides whether they are sent again.

use serde_json::{Value, json};

use super::register;
use crate::support::batches::{SubmittedBatch, learners, mis_identifiers};
use crate::support::{Caller, SimulatedLrs, TestGateway};

/// A paused batch of three parts: two are unconfirmed, one is complete.
struct PausedBatch<'c> {
    batch: SubmittedBatch<'c>,
    state: Value,
    /// Numbers of the unconfirmed parts.
    unconfirmed: [u32; 2],
    complete: u32,
}

fn part(state: &Value, number: u32) -> &Value {
    &state["parts"][number as usize - 1]
}

async fn pause<'c>(lrs: &SimulatedLrs, caller: &'c Caller) -> PausedBatch<'c> {
    lrs.lose_requests("SubmitBatch", 2);
    let batch = register(caller, &learners(600)).await;
    let state = batch.wait_for_status("PAUSED").await;
    let (unconfirmed, others): (Vec<u32>, Vec<u32>) = (1..=3).partition(|number| part(&state, *number)["status"] == "UNCONFIRMED");
    let unconfirmed = <[u32; 2]>::try_from(unconfirmed).unwrap_or_else(|_| panic!("two parts are unconfirmed: {state}"));
    PausedBatch { batch, unconfirmed, complete: others[0], state }
}

#[tokio::test]
async fn lost_request_pauses_the_batch_and_nothing_is_sent_again() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();

    let paused = pause(&lrs, &caller).await;

    let state = &paused.state;
    for number in paused.unconfirmed {
        let part = part(state, number);
        assert_eq!((&part["reason"], part.get("lrsJobId")), (&json!("ANSWER_LOST"), None));
        let first = part["firstPosition"].as_u64().expect("a part has a position");
        let reconciliation = &part["reconciliation"];
        assert_eq!(reconciliation["notRegisteredPositions"], json!((first..first + 200).collect::<Vec<_>>()));
        assert_eq!((&reconciliation["registered"], &reconciliation["unclearPositions"]), (&json!(0), &json!([])));
        assert!(reconciliation["lrsJobId"].is_string() && reconciliation["checkedAt"].is_string(), "{part}");
    }
    assert_eq!(part(state, paused.complete)["status"], "COMPLETE");
    assert_eq!(state["progress"], json!({"submitted": 200, "returned": 200, "failed": 0}));
    assert!(state.get("retryAfterSeconds").is_none(), "the batch does not change without a decision: {state}");
    assert_eq!((lrs.registration_jobs("FUL").len(), lrs.registration_jobs("CHK").len()), (1, 2));
    assert_eq!(paused.batch.results().await.len(), 200);
}

#[tokio::test]
async fn resubmitted_part_is_sent_for_the_deciding_user_and_discarded_part_fails() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let PausedBatch { batch, unconfirmed: [resubmitted, discarded], .. } = pause(&lrs, &caller).await;

    let other_user = gateway.caller().with_claims(json!({"preferred_username": "a.decider"}));
    let decision = other_user.request("POST", &format!("{}/parts/{resubmitted}/resubmit", batch.path)).await;
    assert_eq!(decision.status, 202, "{}", decision.text);
    assert_eq!(decision.header("retry-after"), decision.json()["retryAfterSeconds"].to_string());
    assert_eq!(batch.decide(discarded, "discard").await.status, 202);
    let state = batch.wait_for_status("PARTIALLY_COMPLETE").await;

    let failed = part(&state, discarded);
    assert_eq!((&failed["status"], &failed["reason"]), (&json!("FAILED"), &json!("DISCARDED")));
    let complete = part(&state, resubmitted);
    assert_eq!((&complete["status"], complete.get("reconciliation")), (&json!("COMPLETE"), None));
    assert_eq!(state["progress"], json!({"submitted": 400, "returned": 400, "failed": 200}));
    let registrations = lrs.simulator.jobs().submissions().iter().filter(|job| job.job_type == "FUL").cloned().collect::<Vec<_>>();
    assert_eq!(registrations.iter().map(|job| job.user.as_str()).collect::<Vec<_>>(), ["j.bloggs", "a.decider"]);

    let results = batch.results().await;
    let positions: Vec<u64> = results.iter().map(|row| row["position"].as_u64().expect("a result has a position")).collect();
    assert_eq!(positions, (0..600).collect::<Vec<_>>());
    assert_eq!(results.iter().filter(|row| row["outcome"] == "NOT_PROCESSED").count(), 200);
    assert_eq!(mis_identifiers(&results), mis_identifiers(&learners(600)));
}

#[tokio::test]
async fn decision_about_a_part_that_awaits_none_is_rejected() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let PausedBatch { batch, unconfirmed: [first, second], complete, .. } = pause(&lrs, &caller).await;
    assert_eq!(batch.decide(first, "resubmit").await.status, 202);
    assert_eq!(batch.decide(second, "discard").await.status, 202);
    batch.wait_for_status("PARTIALLY_COMPLETE").await;

    for number in [complete, first, second] {
        for decision in ["resubmit", "discard"] {
            batch.decide(number, decision).await.problem(409, "part_not_awaiting_decision");
        }
    }
    for number in [0, 4] {
        for decision in ["resubmit", "discard"] {
            batch.decide(number, decision).await.problem(404, "not_found");
        }
    }
}
