//! LRS in trouble, as callers meet it: what they are told, what the gateway does by itself, and what LRS is spared.

mod circuit_breaker;
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

/// Ana, whom the simulator knows.
fn ana() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

/// Somebody whom nobody has registered, the same for the same number; and the search for them.
fn newcomer(number: usize) -> (Value, Value) {
    let letter = |digit: usize| char::from(b"abcdefghij"[digit % 10]);
    let given = format!("Zeb{}{}", letter(number / 10), letter(number));
    let search = json!({
        "givenName": given, "familyName": "Quillfeather", "dateOfBirth": "2004-11-30", "gender": "MALE", "lastKnownPostCode": "ZZ42 4QX",
    });
    let mut learner = search.clone();
    (learner["verificationType"], learner["abilityToShare"]) = (json!("PASSPORT"), json!("SEEN_SHARE"));
    (json!({"learner": learner}), search)
}

/// A person of the awarding organisation.
fn awarding(gateway: &TestGateway) -> Caller {
    gateway.caller().with_claims(json!({"org": AWARDING, "preferred_username": "a.officer"}))
}

/// Both organisations as the gateway knows them, with what single calls need; the first has this password.
fn both(first_password: &str) -> Vec<Organisation> {
    let products = [Product::UlnManagement, Product::Verification, Product::LearningEvents];
    vec![organisation(PROVIDER, first_password, &products), organisation(AWARDING, "demo-password-02", &products)]
}

/// Makes a call that goes on while the test does something else.
fn begin(caller: Caller, path: &'static str, body: Value) -> JoinHandle<Answer> {
    tokio::spawn(async move { caller.post(path, &body).await })
}

/// What calls that were begun have come to.
async fn ended(calls: impl IntoIterator<Item = JoinHandle<Answer>>) -> Vec<Answer> {
    join_all(calls).await.into_iter().map(|answer| answer.expect("no panic")).collect()
}

/// How LRS is: all in all, and each service, in the order of the answer.
async fn status(gateway: &TestGateway) -> Value {
    gateway.caller().request("GET", "/v1/lrs/status").await.expect_success()
}

/// The same in a few words: all in all, learner service, learning events, achievements.
async fn statuses(gateway: &TestGateway) -> Vec<String> {
    let status = status(gateway).await;
    let of = |value: &Value| value["status"].as_str().expect("a status").to_owned();
    let services = status["services"].as_array().expect("services");
    assert_eq!(services.iter().map(|one| &one["service"]).collect::<Vec<_>>(), ["LEARNER", "LEARNING_EVENTS", "ACHIEVEMENTS"]);
    std::iter::once(&status).chain(services).map(of).collect()
}
