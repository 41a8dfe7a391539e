//! Registration batches through the gateway: any number of learners is accepted as one batch, sent in parts, followed, and its results are
//! returned in the order of the submission.

mod exceptions;
mod job_times;
mod listing;
mod lost_jobs;
mod lrs_failures;
mod reconciliation;
mod results;
mod submission;
mod tracking;
mod unconfirmed_parts;
mod unreadable_output;
mod validation;
mod verbatim_texts;
mod waiting;

use serde_json::Value;

use crate::support::batches::{SubmittedBatch, batch_output_response, full_registration, submit, submit_batch_response};
use crate::support::fake_server::Reply;
use crate::support::{Caller, FakeServer, SimulatedLrs};

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

/// Starts an LRS that accepts every submission as job 7, and responds to every poll with these child elements.
fn lrs_with_output(submit_children: &str, output_children: &str) -> FakeServer {
    let (submitted, output) = (submit_batch_response(submit_children), batch_output_response(output_children));
    FakeServer::start(move |request| {
        Reply::Bytes(if request.body.contains("GetSubmitBatchOutput") { output.clone() } else { submitted.clone() })
    })
}

/// Returns a learner in LRS's output.
fn output_learner(mis_identifier: &str, given_name: &str, uln: &str, return_code: &str) -> String {
    format!(
        "<Learner><MISIdentifier>{mis_identifier}</MISIdentifier><GivenName>{given_name}</GivenName><FamilyName>Quillfeather</FamilyName>\
         <DateOfBirth>1990-09-17</DateOfBirth><ULN>{uln}</ULN>{return_code}</Learner>"
    )
}
