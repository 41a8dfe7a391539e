//! LRS responds to a submission after another worker has taken over the batch.

use std::time::Duration;

use lrs_gateway::batches::BatchSettings;
use serde_json::json;

use super::slow_lrs::SlowLrs;
use super::{lose_lease, start_replica, start_replica_with};
use crate::support::batches::{SubmittedBatch, full_registration, learners, submit};
use crate::support::gateway::fast_batches;
use crate::support::redis::TestRedis;
use crate::support::{Caller, TestGateway};

#[tokio::test]
async fn late_lrs_response_confirms_a_part_that_another_worker_gave_up() {
    let redis = TestRedis::start();
    let lrs = SlowLrs::start("");
    let gateway = start_replica(&lrs.server.url(), &redis);
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &full_registration(&learners(1))).await;
    lrs.submission_received.notified().await;

    // Another worker takes over, and cannot know that LRS will respond.
    lose_lease(&redis, batch.id());
    let _other_replica = start_replica(&lrs.server.url(), &redis);
    let state = batch.wait_for_status("PAUSED").await;
    assert_eq!(state["parts"][0]["status"], "UNCONFIRMED");

    // The late response wakes the batch, although the other worker has ended its processing.
    lrs.allow_response.send(200).expect("LRS waits");
    let state = batch.wait_for_status("COMPLETE").await;

    assert_eq!((&state["parts"][0]["status"], &state["parts"][0]["lrsJobId"]), (&json!("COMPLETE"), &json!("77")));
    assert_eq!(lrs.registrations(), 1);
}

/// Settings with which the `CHECK` job would be sent long after the late response.
fn late_reconciliation() -> BatchSettings {
    BatchSettings { reconciliation_delay: Duration::from_secs(3600), ..fast_batches() }
}

/// Submits a batch whose worker stops while LRS processes the part, and waits until another replica reconciles it. Returns both.
async fn reconciling_batch<'c>(lrs: &SlowLrs, redis: &TestRedis, caller: &'c Caller) -> (SubmittedBatch<'c>, TestGateway) {
    let batch = submit(caller, "registration-batches", &full_registration(&learners(1))).await;
    lrs.submission_received.notified().await;
    lose_lease(redis, batch.id());
    let other_replica = start_replica_with(&lrs.server.url(), redis, late_reconciliation());
    batch.wait_for_state("reconciling", |state| state["parts"][0]["status"] == "RECONCILING").await;
    (batch, other_replica)
}

#[tokio::test]
async fn late_lrs_response_wins_over_a_reconciliation() {
    let redis = TestRedis::start();
    let lrs = SlowLrs::start("");
    let gateway = start_replica_with(&lrs.server.url(), &redis, late_reconciliation());
    let caller = gateway.caller();
    let (batch, _other_replica) = reconciling_batch(&lrs, &redis, &caller).await;

    lrs.allow_response.send(200).expect("LRS waits");
    let part = &batch.wait_for_status("COMPLETE").await["parts"][0];

    assert_eq!((&part["lrsJobId"], part.get("reconciliation")), (&json!("77"), None));
    assert!(lrs.server.received().iter().all(|request| !request.body.contains("CHK")), "no CHECK job was sent");
    assert_eq!(lrs.registrations(), 1);
}

#[tokio::test]
async fn late_refusal_ends_a_reconciliation_and_the_part_is_sent_again() {
    let redis = TestRedis::start();
    let lrs = SlowLrs::start("");
    let gateway = start_replica_with(&lrs.server.url(), &redis, late_reconciliation());
    let caller = gateway.caller();
    let (batch, _other_replica) = reconciling_batch(&lrs, &redis, &caller).await;

    for status in [503, 200] {
        lrs.allow_response.send(status).expect("LRS waits");
    }
    let part = &batch.wait_for_status("COMPLETE").await["parts"][0];

    assert_eq!((&part["lrsJobId"], part.get("reconciliation")), (&json!("77"), None));
    assert_eq!(lrs.registrations(), 2, "LRS did not process the first one");
}

#[tokio::test]
async fn late_lrs_response_adds_the_job_to_a_part_that_a_check_job_completed() {
    let redis = TestRedis::start();
    let lrs = SlowLrs::start(
        "<Learner><ULN>3000000126</ULN><MISIdentifier>STU-0</MISIdentifier><GivenName>Zebaaaaa</GivenName>\
         <FamilyName>Quillfeather</FamilyName><DateOfBirth>1990-09-17</DateOfBirth></Learner>",
    );
    let gateway = start_replica(&lrs.server.url(), &redis);
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &full_registration(&learners(1))).await;
    lrs.submission_received.notified().await;
    lose_lease(&redis, batch.id());
    let _other_replica = start_replica(&lrs.server.url(), &redis);
    let part = &batch.wait_for_status("COMPLETE").await["parts"][0];
    assert_eq!((part.get("lrsJobId"), &part["reconciliation"]["lrsJobId"]), (None, &json!("78")));

    lrs.allow_response.send(200).expect("LRS waits");
    let state = batch.wait_for_state("the job", |state| state["parts"][0]["lrsJobId"] == "77").await;

    assert_eq!((&state["status"], &state["parts"][0]["status"]), (&json!("COMPLETE"), &json!("COMPLETE")));
    assert_eq!(batch.results().await[0]["uln"], "3000000126");
    assert_eq!(lrs.registrations(), 1);
}
