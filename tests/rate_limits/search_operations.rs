//! The rate-limit class of every operation: an operation that searches the register by demographics counts against the limit `searches`.
//!
//! A handler states its class in its type (`Caller<S, Search>`), so a new operation can forget it. This test finds out which operations
//! send `learnerByDemographics` to LRS, and compares them with the limits that they count against.

use std::time::Duration;

use futures_util::future::join_all;
use lrs_gateway::batches::BatchSettings;
use lrs_gateway::domain::Product;
use lrs_gateway::schema::CodeList as _;
use lrs_gateway::server::openapi::document_3_1;
use serde_json::Value;

use crate::support::batches::{expect_accepted, submit_batch_response};
use crate::support::caller::{Answer, PROVIDER};
use crate::support::fake_server::{Reply, soap};
use crate::support::gateway::{Options, fast_batches, organisation};
use crate::support::{Caller, FakeServer, TestGateway, wait_until};

const SEARCH_ELEMENT: &str = "FindLearnerByDemographics";
const NO_MATCH: &str = "<n:FindLearnerResponse xmlns:n=\"http://api.lrs.miap.gov.uk/findmsg\"><ResponseCode>WSRC0001</ResponseCode>\
    </n:FindLearnerResponse>";
const PRODUCTS: &[Product] = Product::ALL;

/// Operations that search only to determine the unknown outcome of an earlier attempt with the same `Idempotency-Key`.
///
/// They do not count against `searches`. A caller cannot cause such a search at will: LRS's response must have been lost, and the body must
/// be the same. The answer contains only the ULN of the learner that the caller asked to register, and no candidates.
const SEARCH_ONLY_ON_RETRY: [&str; 1] = ["registerLearner"];

/// Operations that send nothing to LRS.
const WITHOUT_REQUEST: [&str; 3] = ["discardRegistrationBatchPart", "discardVerificationBatchPart", "discardAchievementBatchPart"];

/// A `POST` operation of the OpenAPI document.
struct Operation {
    path: String,
    id: String,
    /// Example of the request body. `None` if the operation has no body.
    example: Option<Value>,
}

/// Reads the operations from the document that the code generates, so that a new route is among them at once.
fn post_operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&document_3_1()).expect("the OpenAPI document is JSON");
    let paths = document["paths"].as_object().expect("the document has paths");
    let operation = |(path, item): (&String, &Value)| {
        let operation = item.get("post")?;
        let id = operation["operationId"].as_str().expect("every operation has an id").to_owned();
        let example = operation.get("requestBody").map(|body| {
            let content = &body["content"]["application/json"];
            let first_of = |examples: &Value| examples.as_object()?.values().next()?.get("value").cloned();
            let example = content.get("example").cloned().or_else(|| first_of(content.get("examples")?));
            example.unwrap_or_else(|| panic!("{id}: this test needs an example of the request body"))
        });
        Some(Operation { path: path.clone(), id, example })
    };
    paths.iter().filter_map(operation).collect()
}

/// What was observed of an operation.
#[derive(Debug)]
struct Observation {
    id: String,
    counts_as_search: bool,
    searches_at_first_attempt: bool,
    searches_on_retry: bool,
}

/// Starts an LRS that finds no learner, and whose responses to all other requests are lost. So the outcome of every write is unknown.
fn start_lrs() -> FakeServer {
    FakeServer::start(|request| {
        if request.body.contains(SEARCH_ELEMENT) {
            Reply::Bytes(soap(200, NO_MATCH))
        } else if request.body.contains(">CHK<") {
            // The reconciliation of a registration ends without evidence.
            Reply::Bytes(submit_batch_response("<ResponseCode>WSRC0007</ResponseCode><JobID>0</JobID>"))
        } else {
            Reply::ThenClose(Vec::new())
        }
    })
}

async fn post(caller: &Caller, path: &str, body: Option<&Value>) -> Answer {
    match body {
        Some(body) => caller.post(path, body).await,
        None => caller.request("POST", path).await,
    }
}

/// Submits a batch of the same resource whose first part awaits a decision, and returns the operation's path for that part.
async fn path_of_part_awaiting_decision(caller: &Caller, operations: &[Operation], path: &str) -> String {
    let (resource, rest) = path.split_once("/{batchId}").expect("the path has a batch id");
    let submission = operations.iter().find(|operation| operation.path == resource).expect("the resource accepts batches");
    let batch = expect_accepted(caller, &post(caller, resource, submission.example.as_ref()).await);
    // A verification is sent again until its time is over.
    batch.wait_for_state("a decision", |state| ["PAUSED", "FAILED"].contains(&state["status"].as_str().unwrap_or_default())).await;
    format!("{}{}", batch.path, rest.replace("{part}", "1"))
}

/// Calls an operation twice with the same `Idempotency-Key`, at its own gateway and LRS, so that every request belongs to this operation.
async fn observe(operations: &[Operation], operation: &Operation) -> Observation {
    let lrs = start_lrs();
    let organisations = vec![organisation(PROVIDER, "demo-password-01", PRODUCTS)];
    let batches = BatchSettings { submission_timeout: Duration::from_secs(1), ..fast_batches() };
    let gateway = TestGateway::with(&lrs.url(), Options { organisations, batches, ..Options::default() });
    let caller = gateway.caller().with_header("Idempotency-Key", "the-same-key");
    let path = if operation.path.contains("{batchId}") {
        path_of_part_awaiting_decision(&gateway.caller(), operations, &operation.path).await
    } else {
        operation.path.clone()
    };
    assert!(!path.contains('{'), "{path}: this test knows no value for a parameter");
    let sent_before = lrs.received().len();
    let searched_since = |start: usize| lrs.received()[start..].iter().any(|request| request.body.contains(SEARCH_ELEMENT));

    let first = post(&caller, &path, operation.example.as_ref()).await;
    assert!(!(400..500).contains(&first.status), "{}: the example must be a valid request: {}", operation.id, first.text);
    if !WITHOUT_REQUEST.contains(&operation.id.as_str()) {
        // The worker sends parts of batches after the answer.
        wait_until(|| lrs.received().len() > sent_before, || format!("a request of {}", operation.id)).await;
    }
    let (sent_at_first_attempt, searches_at_first_attempt) = (lrs.received().len(), searched_since(sent_before));
    let second = post(&caller, &path, operation.example.as_ref()).await;

    let [counts_as_search, second_counts_as_search] =
        [&first, &second].map(|answer| answer.header("ratelimit-policy").contains("\"searches\""));
    assert!(first.header("ratelimit-policy").contains("\"person\""), "{}: calls are counted", operation.id);
    assert_eq!(counts_as_search, second_counts_as_search, "{}", operation.id);
    let searches_on_retry = searched_since(sent_at_first_attempt);
    Observation { id: operation.id.clone(), counts_as_search, searches_at_first_attempt, searches_on_retry }
}

#[tokio::test]
async fn rate_limit_of_searches_counts_exactly_the_operations_that_search_by_demographics() {
    let operations = post_operations();
    let observations = join_all(operations.iter().map(|operation| observe(&operations, operation))).await;

    for observation in &observations {
        assert_eq!(
            observation.counts_as_search, observation.searches_at_first_attempt,
            "an operation counts as a search if and only if it searches by demographics (`Caller<_, Search>`): {observation:?}"
        );
    }
    let only_on_retry: Vec<&str> = observations
        .iter()
        .filter(|observation| observation.searches_on_retry && !observation.searches_at_first_attempt)
        .map(|observation| observation.id.as_str())
        .collect();
    assert_eq!(only_on_retry, SEARCH_ONLY_ON_RETRY);
    // The observation itself works: these operations are known to search.
    for id in ["findLearnersByDemographics", "obtainUln"] {
        assert!(observations.iter().any(|observation| observation.id == id && observation.searches_at_first_attempt), "{id}");
    }
}
