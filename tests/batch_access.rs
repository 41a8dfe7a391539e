//! Which batches a caller can reach: those of their own organisation, as batches of their own kind.

use std::time::Duration;

use lrs_gateway::domain::Product;
use lrs_gateway::organisations::Organisation;
use serde_json::{Value, json};

use crate::support::batch_backend::{BatchBackend, KEY, test_each_backend};
use crate::support::batches::{expect_accepted, full_registration, learners, part_statuses, submit};
use crate::support::caller::PROVIDER;
use crate::support::gateway::{AWARDING, Options, organisation};
use crate::support::{Caller, SimulatedLrs, TestGateway};

const RESOURCES: [&str; 3] = ["registration-batches", "verification-batches", "achievement-batches"];
const NOT_FOUND_DETAIL: &str = "Look up the batch in the list of batches. Batches expire after their retention period, and can be erased.";

test_each_backend!(
    unconfirmed_registration_batch_is_not_found_as_another_kind_of_batch,
    batch_of_each_kind_is_found_in_its_own_resource_only,
    batch_of_another_organisation_is_not_found,
);

/// Returns both organisations with every kind of batch.
fn organisations_with_all_batches() -> Vec<Organisation> {
    let products = [Product::RegistrationBatches, Product::VerificationBatches, Product::AchievementBatches];
    vec![organisation(PROVIDER, "demo-password-01", &products), organisation(AWARDING, "demo-password-02", &products)]
}

/// Starts a gateway with this backend, at which both organisations may use every kind of batch.
fn start_gateway(lrs: &SimulatedLrs, backend: &BatchBackend) -> TestGateway {
    TestGateway::with(&lrs.url(), Options { organisations: organisations_with_all_batches(), ..backend.options(KEY) })
}

/// Asserts that no operation on a batch finds it under this path.
async fn assert_not_found(caller: &Caller, path: &str) {
    for (method, path) in [
        ("GET", path.to_owned()),
        ("GET", format!("{path}/results")),
        ("GET", format!("{path}/results.ndjson")),
        ("GET", format!("{path}/results.csv")),
        ("DELETE", path.to_owned()),
        ("POST", format!("{path}/parts/1/resubmit")),
        ("POST", format!("{path}/parts/1/discard")),
    ] {
        let problem = caller.request(method, &path).await.problem(404, "batch_not_found");
        assert_eq!(problem["detail"], NOT_FOUND_DETAIL, "{method} {path}");
    }
}

/// Asserts that the list of a resource has these batches.
async fn assert_listed(caller: &Caller, resource: &str, ids: &[&Value]) {
    let list = caller.request("GET", &format!("/v1/{resource}")).await.expect_success();
    let listed: Vec<&Value> = list["batches"].as_array().expect("a list has batches").iter().map(|batch| &batch["batchId"]).collect();
    assert_eq!(listed, ids, "{resource}");
}

async fn unconfirmed_registration_batch_is_not_found_as_another_kind_of_batch(backend: BatchBackend) {
    let lrs = SimulatedLrs::with_instant_jobs();
    lrs.lose_requests("SubmitBatch", 1);
    let gateway = start_gateway(&lrs, &backend);
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &full_registration(&learners(1))).await;
    batch.wait_for_status("PAUSED").await;

    for other in ["verification-batches", "achievement-batches"] {
        // The caller may use the other resource, so only the kind can make the difference.
        assert_listed(&caller, other, &[]).await;
        assert_not_found(&caller, &batch.path.replace("registration-batches", other)).await;
    }
    let job_path = batch.path.replace("registration-batches", "achievement-batches");
    caller.request("GET", &format!("{job_path}/parts/1/job")).await.problem(404, "batch_not_found");

    assert_eq!(part_statuses(&batch.state().await), ["UNCONFIRMED"], "nothing was decided or erased");
    assert_eq!(batch.decide(1, "discard").await.status, 202);
    assert_eq!(batch.results().await.len(), 1);
}

async fn batch_of_each_kind_is_found_in_its_own_resource_only(backend: BatchBackend) {
    let lrs = SimulatedLrs::start();
    let gateway = start_gateway(&lrs, &backend);
    let caller = gateway.caller();
    for resource in RESOURCES {
        let tracked = caller.post(&format!("/v1/{resource}/track"), &json!({"lrsJobId": "123"})).await;
        let batch = expect_accepted(&caller, &tracked);
        for other in RESOURCES.iter().filter(|other| **other != resource) {
            assert_not_found(&caller, &batch.path.replace(resource, other)).await;
        }
        assert_eq!(batch.state().await["batchId"], batch.initial_state["batchId"]);
        assert_listed(&caller, resource, &[&batch.initial_state["batchId"]]).await;
    }
}

async fn batch_of_another_organisation_is_not_found(backend: BatchBackend) {
    let lrs = SimulatedLrs::start();
    lrs.simulator.set_job_duration(Duration::ZERO);
    let gateway = start_gateway(&lrs, &backend);
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &full_registration(&learners(1))).await;
    batch.wait_for_status("COMPLETE").await;

    let caller_of_another_organisation = gateway.caller().with_claims(json!({"org": AWARDING}));
    assert_not_found(&caller_of_another_organisation, &batch.path).await;
    assert_listed(&caller_of_another_organisation, "registration-batches", &[]).await;
    // The answer is the same as for a batch that does not exist, so it does not reveal which ids exist.
    assert_not_found(&caller, "/v1/registration-batches/0197c2b0-0000-7000-8000-000000000000").await;
    assert_not_found(&caller, "/v1/registration-batches/1").await;

    assert_eq!(batch.results().await.len(), 1, "the batch still exists");
    let upper_case = batch.path.replace(batch.id(), &batch.id().to_uppercase());
    let state = caller.request("GET", &upper_case).await.expect_success();
    assert_eq!(state["batchId"], batch.initial_state["batchId"], "an id in upper case is the same id");
    assert_not_found(&caller_of_another_organisation, &upper_case).await;
}
