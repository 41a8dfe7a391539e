//! Registration batches through the gateway: any number of learners is accepted as one batch, sent in parts, followed, and its results are
//! returned in the order of the submission.

mod listing;
mod lrs_failures;
mod results;
mod submission;
mod tracking;
mod unconfirmed_parts;
mod validation;

use serde_json::Value;

use crate::support::batches::{SubmittedBatch, full_registration, submit};
use crate::support::{Caller, SimulatedLrs};

const BATCHES: &str = "/v1/registration-batches";

/// Submits a batch that registers these learners.
async fn register<'c>(caller: &'c Caller, learners: &[Value]) -> SubmittedBatch<'c> {
    submit(caller, "registration-batches", &full_registration(learners)).await
}

/// Submits a batch that registers these learners, and waits until it is complete.
async fn register_and_complete<'c>(caller: &'c Caller, learners: &[Value]) -> SubmittedBatch<'c> {
    let batch = register(caller, learners).await;
    batch.wait_for_status("COMPLETE").await;
    batch
}

/// Returns the MIS identifiers of the records in each submission that LRS has received.
fn submissions(lrs: &SimulatedLrs) -> Vec<Vec<String>> {
    lrs.simulator.jobs().submissions().iter().map(|submission| submission.mis_identifiers.clone()).collect()
}
