//! Idempotency keys: a write with an `Idempotency-Key` is executed once, even if answers are lost between the caller, the gateway and LRS.

mod bodies;
mod erased_batches;
mod keys;
mod replicas;
mod store;
mod unknown_outcome;

use lrs_gateway::simulator::{Fault, FaultStep};
use serde_json::{Value, json};

use crate::support::caller::{Answer, Caller};
use crate::support::gateway::Options;
use crate::support::{SimulatedLrs, TestGateway};

const FIND: &str = "/v1/learners/find-by-uln";
const SEARCH: &str = "/v1/learners/find-by-demographics";
const REGISTER: &str = "/v1/learners/register";
const OBTAIN: &str = "/v1/learners/obtain-uln";
const UPDATE: &str = "/v1/learners/update";
const BATCHES: &str = "/v1/registration-batches";
const KEY: &str = "5e2d7c1a-front-desk";
const ENCRYPTION_KEY: &str = "0000000000000000000000000000000000000000000000000000000000000007";

/// Returns the registration of Nia, who is not registered.
fn nia() -> Value {
    json!({"learner": {
        "givenName": "Niamh-Rose", "familyName": "Thistlewood", "dateOfBirth": "2007-11-30", "gender": "FEMALE", "lastKnownPostCode": "ZZ7 7JJ",
        "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE",
    }})
}

/// Returns the search for the learner of a registration.
fn search_for(registration: &Value) -> Value {
    let names = ["givenName", "familyName", "dateOfBirth", "gender", "lastKnownPostCode"];
    names.iter().map(|name| ((*name).to_owned(), registration["learner"][name].clone())).collect::<serde_json::Map<_, _>>().into()
}

/// Returns a registration batch with Nia.
fn batch() -> Value {
    let mut learner = nia()["learner"].clone();
    learner["misIdentifier"] = json!("STU-1");
    json!({"jobType": "FULL", "learners": [learner]})
}

/// A gateway in front of a simulated LRS.
struct Fixture {
    lrs: SimulatedLrs,
    gateway: TestGateway,
}

impl Fixture {
    fn new() -> Self {
        Self::with(Options::default())
    }

    fn with(options: Options) -> Self {
        let lrs = SimulatedLrs::start();
        let gateway = TestGateway::with(&lrs.url(), options);
        Self { lrs, gateway }
    }

    /// Returns a caller that sends the key.
    fn caller_with_key(&self) -> Caller {
        self.gateway.caller().with_header("Idempotency-Key", KEY)
    }

    /// Searches for Nia. LRS requires a search before a registration.
    async fn search(&self) {
        let found = self.gateway.caller().post(SEARCH, &search_for(&nia())).await.expect_success();
        assert_eq!(found["outcome"], "NO_MATCH");
    }

    /// Lets the next request of an operation meet a fault.
    fn inject_fault(&self, fault: Fault, element: &str) {
        self.lrs.simulator.inject_faults(vec![FaultStep::new(fault).for_operation(element).times(1)]);
    }

    /// Returns how many registrations LRS received, and how many it executed.
    fn registrations_received_and_executed(&self) -> (usize, usize) {
        (self.lrs.simulator.request_count("RegisterLearner"), self.lrs.simulator.executed_count("RegisterLearner"))
    }
}

fn is_replayed(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == "true"
}

#[tokio::test]
async fn idempotency_key_repeated_registration_is_executed_once_and_answer_is_replayed() {
    let fixture = Fixture::new();
    fixture.search().await;
    let first = fixture.caller_with_key().post(REGISTER, &nia()).await;
    assert_eq!((first.status, is_replayed(&first)), (201, false), "{}", first.text);
    for _ in 0..3 {
        let repeated = fixture.caller_with_key().post(REGISTER, &nia()).await;
        assert_eq!((repeated.status, is_replayed(&repeated)), (201, true));
        assert_eq!((&repeated.text, &repeated.headers["content-type"]), (&first.text, &first.headers["content-type"]));
    }
    assert_eq!(fixture.registrations_received_and_executed(), (1, 1));
}

#[tokio::test]
async fn idempotency_key_repeated_batch_submission_creates_one_batch() {
    let fixture = Fixture::new();
    let first = fixture.caller_with_key().post(BATCHES, &batch()).await;
    assert_eq!((first.status, is_replayed(&first)), (202, false), "{}", first.text);
    let repeated = fixture.caller_with_key().post(BATCHES, &batch()).await;
    assert_eq!((repeated.status, is_replayed(&repeated), &repeated.headers["location"]), (202, true, &first.headers["location"]));
    assert_eq!(repeated.text, first.text);
    let list = fixture.gateway.caller().request("GET", BATCHES).await.expect_success();
    assert_eq!(list["batches"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn idempotency_key_after_write_that_was_not_executed_can_be_used_again() {
    let fixture = Fixture::new();
    // Without a search, LRS rejects the registration.
    fixture.caller_with_key().post(REGISTER, &nia()).await.problem(409, "learner_not_registered");
    fixture.search().await;
    fixture.inject_fault(Fault::MaintenancePage, "RegisterLearner");
    fixture.caller_with_key().post(REGISTER, &nia()).await.problem(503, "lrs_maintenance");
    let answer = fixture.caller_with_key().post(REGISTER, &nia()).await;
    assert_eq!((answer.status, is_replayed(&answer)), (201, false), "{}", answer.text);
}
