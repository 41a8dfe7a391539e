//! The gateway while LRS fails: the problems that callers get, automatic recovery, and the load that LRS is spared.

mod call_log;
mod circuit_breaker;
mod connections;
mod maintenance;
mod queue;
mod retries;
mod scenarios;

use futures_util::future::join_all;
use lrs_gateway::domain::Product;
use lrs_gateway::organisations::Organisation;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::caller::{Answer, PROVIDER};
use crate::support::gateway::{AWARDING, organisation};
use crate::support::{Caller, TestGateway};

const FIND: &str = "/v1/learners/find-by-uln";
const EVENTS: &str = "/v1/learning-events/search";
const VERIFY: &str = "/v1/learners/verify";
const REGISTER: &str = "/v1/learners/register";
const SEARCH: &str = "/v1/learners/find-by-demographics";

/// Returns a search for Ana, a sample learner of the simulator.
fn ana() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

/// Returns the registration of an unregistered learner, and the search for the same learner. Each number is another learner.
fn unregistered_learner(number: usize) -> (Value, Value) {
    let letter = |digit: usize| char::from(b"abcdefghij"[digit % 10]);
    let given_name = format!("Zeb{}{}", letter(number / 10), letter(number));
    let search = json!({
        "givenName": given_name, "familyName": "Quillfeather", "dateOfBirth": "2004-11-30", "gender": "MALE",
        "lastKnownPostCode": "ZZ42 4QX",
    });
    let mut learner = search.clone();
    (learner["verificationType"], learner["abilityToShare"]) = (json!("PASSPORT"), json!("SEEN_SHARE"));
    (json!({"learner": learner}), search)
}

/// Returns a caller of the awarding organisation.
fn awarding_caller(gateway: &TestGateway) -> Caller {
    gateway.caller().with_claims(json!({"org": AWARDING, "preferred_username": "a.officer"}))
}

/// Returns the provider, with this LRS password, and the awarding organisation. Both have the products of single calls.
fn both_organisations(provider_password: &str) -> Vec<Organisation> {
    let products = [Product::UlnManagement, Product::Verification, Product::LearningEvents];
    vec![organisation(PROVIDER, provider_password, &products), organisation(AWARDING, "demo-password-02", &products)]
}

/// Starts a call that runs beside the test.
fn spawn_call(caller: Caller, path: &'static str, body: Value) -> JoinHandle<Answer> {
    tokio::spawn(async move { caller.post(path, &body).await })
}

/// Waits for the answers to spawned calls.
async fn join_calls(calls: impl IntoIterator<Item = JoinHandle<Answer>>) -> Vec<Answer> {
    join_all(calls).await.into_iter().map(|answer| answer.expect("the call does not panic")).collect()
}

/// Reads `GET /v1/lrs/status`.
async fn lrs_status(gateway: &TestGateway) -> Value {
    gateway.caller().request("GET", "/v1/lrs/status").await.expect_success()
}

/// Reads the statuses of LRS: overall, learner service, learning events, achievements.
async fn lrs_statuses(gateway: &TestGateway) -> Vec<String> {
    let status = lrs_status(gateway).await;
    let status_of = |value: &Value| value["status"].as_str().expect("a status is a string").to_owned();
    let services = status["services"].as_array().expect("the answer lists the services");
    assert_eq!(services.iter().map(|service| &service["service"]).collect::<Vec<_>>(), ["LEARNER", "LEARNING_EVENTS", "ACHIEVEMENTS"]);
    std::iter::once(&status).chain(services).map(status_of).collect()
}
