//! Writes with an `Idempotency-Key` are done once, whatever happens between caller and LRS.

use std::time::Duration;

use lrs_gateway::domain::Product;
use lrs_gateway::idempotency::{Acquisition, Completion, IdempotencyStore, IdempotentRequest, Reservation};
use lrs_gateway::simulator::{Fault, FaultStep};
use lrs_gateway::storage::Storage;
use serde_json::{Value, json};

use crate::support::caller::{Answer, Caller, PROVIDER};
use crate::support::gateway::{AWARDING, Options, organisation};
use crate::support::redis::TestRedis;
use crate::support::{SimulatedLrs, TestGateway};

const SEARCH: &str = "/v1/learners/find-by-demographics";
const REGISTER: &str = "/v1/learners/register";
const OBTAIN: &str = "/v1/learners/obtain-uln";
const UPDATE: &str = "/v1/learners/update";
const BATCHES: &str = "/v1/registration-batches";
const KEY: &str = "5e2d7c1a-front-desk";
const ENCRYPTION_KEY: &str = "0000000000000000000000000000000000000000000000000000000000000007";

/// Somebody whom nobody has registered.
fn nia() -> Value {
    json!({"learner": {
        "givenName": "Nia", "familyName": "Thistlewood", "dateOfBirth": "2007-11-30", "gender": "FEMALE", "lastKnownPostCode": "ZZ7 7JJ",
        "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE",
    }})
}

fn batch() -> Value {
    let mut learner = nia()["learner"].clone();
    learner["misIdentifier"] = json!("STU-1");
    json!({"jobType": "FULL", "learners": [learner]})
}

/// LRS, and a gateway before it.
struct Scene {
    lrs: SimulatedLrs,
    gateway: TestGateway,
}

impl Scene {
    fn new() -> Self {
        Self::with(Options::default())
    }

    fn with(options: Options) -> Self {
        let lrs = SimulatedLrs::start();
        let gateway = TestGateway::with(&lrs.url(), options);
        Self { lrs, gateway }
    }

    /// A caller with the key.
    fn keyed(&self) -> Caller {
        self.gateway.caller().with_header("Idempotency-Key", KEY)
    }

    /// Searches, so that LRS registers.
    async fn search(&self) {
        let learner = &nia()["learner"];
        let names = ["givenName", "familyName", "dateOfBirth", "gender", "lastKnownPostCode"];
        let search: Value = names.iter().map(|name| ((*name).to_owned(), learner[name].clone())).collect::<serde_json::Map<_, _>>().into();
        assert_eq!(self.gateway.caller().post(SEARCH, &search).await.expect_success()["outcome"], "NO_MATCH");
    }

    fn plays(&self, trouble: Fault, operation: &str) {
        self.lrs.simulator.inject_faults(vec![FaultStep::new(trouble).for_operation(operation).times(1)]);
    }

    fn registrations(&self) -> (usize, usize) {
        (self.lrs.simulator.request_count("RegisterLearner"), self.lrs.simulator.executed_count("RegisterLearner"))
    }
}

fn is_replayed(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == "true"
}

fn is_unknown(answer: &Answer) {
    let problem = answer.problem(504, "lrs_timeout");
    assert_eq!((&problem["outcomeUnknown"], &problem["retryable"]), (&json!(true), &json!(false)), "{problem}");
}

#[tokio::test]
async fn a_registration_that_is_asked_for_twice_is_done_once_and_answered_the_same() {
    let scene = Scene::new();
    scene.search().await;
    let first = scene.keyed().post(REGISTER, &nia()).await;
    assert_eq!((first.status, is_replayed(&first)), (201, false), "{}", first.text);
    for _ in 0..3 {
        let again = scene.keyed().post(REGISTER, &nia()).await;
        assert_eq!((again.status, is_replayed(&again)), (201, true));
        assert_eq!((again.text, again.headers["content-type"].clone()), (first.text.clone(), first.headers["content-type"].clone()));
    }
    assert_eq!(scene.registrations(), (1, 1));
}

#[tokio::test]
async fn a_registration_whose_answer_is_lost_is_found_again_and_not_repeated() {
    let scene = Scene::new();
    scene.search().await;
    let learners = scene.lrs.simulator.register().len();
    scene.plays(Fault::ResetAfter, "RegisterLearner");
    is_unknown(&scene.keyed().post(REGISTER, &nia()).await);
    let again = scene.keyed().post(REGISTER, &nia()).await;
    assert_eq!((again.status, is_replayed(&again)), (201, false), "{}", again.text);
    let result = again.json();
    assert_eq!((&result["outcome"], &result["lrsCode"]), (&json!("REGISTERED"), &json!("WSRC0004")), "{result}");
    assert_eq!((scene.lrs.simulator.register().len(), scene.registrations()), (learners + 1, (1, 1)));
    let uln = result["uln"].as_str().expect("a ULN");
    let search = json!({"uln": uln, "givenName": "Nia", "familyName": "Thistlewood"});
    assert_eq!(scene.gateway.caller().post("/v1/learners/find-by-uln", &search).await.expect_success()["outcome"], "EXACT_MATCH");
    let replayed = scene.keyed().post(REGISTER, &nia()).await;
    assert_eq!((is_replayed(&replayed), replayed.text), (true, again.text));
}

#[tokio::test]
async fn a_registration_that_lrs_never_saw_is_made_when_it_is_asked_for_again() {
    let scene = Scene::new();
    scene.search().await;
    scene.plays(Fault::ResetBefore, "RegisterLearner");
    is_unknown(&scene.keyed().post(REGISTER, &nia()).await);
    let again = scene.keyed().post(REGISTER, &nia()).await.json();
    assert_eq!((&again["outcome"], &again["lrsCode"]), (&json!("REGISTERED"), &json!("WSRC0005")), "{again}");
    assert_eq!(scene.registrations(), (2, 1));
}

#[tokio::test]
async fn while_nobody_can_find_out_the_outcome_stays_unknown_and_nothing_is_repeated() {
    let scene = Scene::new();
    scene.search().await;
    scene.plays(Fault::ResetAfter, "RegisterLearner");
    is_unknown(&scene.keyed().post(REGISTER, &nia()).await);
    for _ in 0..2 {
        scene.plays(Fault::MaintenancePage, "FindLearnerByDemographics");
        scene.keyed().post(REGISTER, &nia()).await.problem(503, "lrs_maintenance");
    }
    assert_eq!(scene.keyed().post(REGISTER, &nia()).await.json()["lrsCode"], "WSRC0004");
    assert_eq!(scene.registrations(), (1, 1));
}

#[tokio::test]
async fn candidates_after_an_unknown_outcome_are_left_to_a_person() {
    let scene = Scene::new();
    // There are two who may be Sam: LRS registers neither at once nor again.
    let mut sam = nia();
    for (field, value) in [("givenName", "Sam"), ("familyName", "Taylor"), ("dateOfBirth", "2004-06-01"), ("gender", "NOT_KNOWN")] {
        sam["learner"][field] = json!(value);
    }
    scene.plays(Fault::ResetBefore, "RegisterLearner");
    is_unknown(&scene.keyed().post(REGISTER, &sam).await);
    let problem = scene.keyed().post(REGISTER, &sam).await.problem(409, "learner_not_registered");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("candidates")), "{problem}");
    assert_eq!(scene.registrations(), (1, 0));
}

#[tokio::test]
async fn obtaining_a_uln_again_after_a_lost_answer_gives_that_uln() {
    let scene = Scene::new();
    scene.plays(Fault::ResetAfter, "RegisterLearner");
    is_unknown(&scene.keyed().post(OBTAIN, &nia()).await);
    let again = scene.keyed().post(OBTAIN, &nia()).await.expect_success();
    assert_eq!(again["outcome"], "EXISTING", "{again}");
    let replayed = scene.keyed().post(OBTAIN, &nia()).await;
    assert_eq!((is_replayed(&replayed), replayed.json()), (true, again));
    assert_eq!(scene.registrations(), (1, 1));
}

#[tokio::test]
async fn an_update_whose_answer_is_lost_is_told_from_somebody_elses() {
    let scene = Scene::new();
    let search = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});
    let found = scene.gateway.caller().post("/v1/learners/find-by-uln", &search).await.expect_success()["learners"][0].clone();
    let mut update = json!({"uln": "3000000126", "versionNumber": found["versionNumber"], "learner": {
        "givenName": "Ana", "familyName": "O'Neill", "dateOfBirth": found["dateOfBirth"], "gender": found["gender"],
        "lastKnownPostCode": "ZZ9 9ZZ", "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE", "notes": "",
    }});
    scene.plays(Fault::ResetAfter, "UpdateLearner");
    is_unknown(&scene.keyed().post(UPDATE, &update).await);
    let again = scene.keyed().post(UPDATE, &update).await.expect_success();
    assert_eq!((&again["outcome"], &again["lrsCode"]), (&json!("UPDATED"), &json!("WSRC0013")), "{again}");
    // Another key, another update from the old version, lost as well; and then somebody else was faster.
    update["learner"]["lastKnownPostCode"] = json!("ZZ8 8ZZ");
    let other = scene.gateway.caller().with_header("Idempotency-Key", "another");
    scene.plays(Fault::ResetBefore, "UpdateLearner");
    is_unknown(&other.post(UPDATE, &update).await);
    other.post(UPDATE, &update).await.problem(409, "stale_version");
}

#[tokio::test]
async fn a_batch_that_is_submitted_twice_is_one_batch() {
    let scene = Scene::new();
    let first = scene.keyed().post(BATCHES, &batch()).await;
    assert_eq!((first.status, is_replayed(&first)), (202, false), "{}", first.text);
    let again = scene.keyed().post(BATCHES, &batch()).await;
    assert_eq!((again.status, is_replayed(&again), &again.headers["location"]), (202, true, &first.headers["location"]));
    assert_eq!(again.text, first.text);
    assert_eq!(scene.gateway.caller().request("GET", BATCHES).await.expect_success()["batches"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_is_being_done_is_not_begun_again_even_if_the_caller_has_left() {
    let scene = Scene::with(Options { timeout: Duration::from_secs(10), ..Options::default() });
    scene.search().await;
    scene
        .lrs
        .simulator
        .inject_faults(vec![FaultStep::new(Fault::Latency).for_operation("RegisterLearner").times(1).with_milliseconds(800)]);
    let caller = scene.keyed();
    let registration = nia();
    // The caller hangs up while LRS is at work.
    let left = tokio::time::timeout(Duration::from_millis(300), caller.post(REGISTER, &registration)).await;
    assert!(left.is_err(), "LRS takes its time");
    let problem = caller.post(REGISTER, &registration).await.problem(409, "idempotency_key_in_use");
    assert_eq!((&problem["retryable"], problem["retryAfterSeconds"].is_u64()), (&json!(true), true));
    let mut other = nia();
    other["learner"]["givenName"] = json!("Nora");
    caller.post(REGISTER, &other).await.problem(422, "idempotency_key_reused");
    let answer = loop {
        let answer = caller.post(REGISTER, &registration).await;
        if answer.status != 409 {
            break answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((answer.status, is_replayed(&answer)), (201, true), "{}", answer.text);
    assert_eq!(scene.registrations(), (1, 1));
}

#[tokio::test]
async fn a_key_belongs_to_organisation_client_and_operation_and_not_to_a_token() {
    let lrs = SimulatedLrs::start();
    let all = &[Product::UlnManagement];
    let organisations = vec![organisation(PROVIDER, "demo-password-01", all), organisation(AWARDING, "demo-password-02", all)];
    let scene = Scene { gateway: TestGateway::with(&lrs.url(), Options { organisations, ..Options::default() }), lrs };
    let post = async |claims: Value, path: &str| {
        let caller = scene.keyed().with_claims(claims);
        is_replayed(&caller.post(path, &nia()).await)
    };
    let claims = json!({"azp": "front-desk", "jti": "1"});
    assert!(!post(claims.clone(), OBTAIN).await);
    assert!(post(claims.clone(), OBTAIN).await);
    assert!(post(json!({"azp": "front-desk", "jti": "2"}), OBTAIN).await, "a refreshed token does not matter");
    assert!(post(json!({"azp": "front-desk", "preferred_username": "a.nother"}), OBTAIN).await, "nor who sits at the desk");
    assert!(!post(json!({"azp": "nightly-script"}), OBTAIN).await, "another client");
    assert!(!post(json!({"azp": "front-desk", "org": AWARDING}), OBTAIN).await, "another organisation");
    assert!(!post(claims, REGISTER).await, "another operation");
    let plain = scene.gateway.caller().with_claims(json!({"azp": "front-desk"})).post(OBTAIN, &nia()).await;
    assert!(!is_replayed(&plain), "without a key nothing is remembered");
}

#[tokio::test]
async fn what_was_certainly_not_done_can_be_asked_for_again_with_the_same_key() {
    let scene = Scene::new();
    // Nobody has searched: LRS refuses.
    scene.keyed().post(REGISTER, &nia()).await.problem(409, "learner_not_registered");
    scene.search().await;
    scene.plays(Fault::MaintenancePage, "RegisterLearner");
    scene.keyed().post(REGISTER, &nia()).await.problem(503, "lrs_maintenance");
    let answer = scene.keyed().post(REGISTER, &nia()).await;
    assert_eq!((answer.status, is_replayed(&answer)), (201, false), "{}", answer.text);
}

#[tokio::test]
async fn keys_are_texts_of_reasonable_length() {
    let scene = Scene::new();
    let long: &'static str = "k".repeat(256).leak();
    for key in ["", "\"\"", "clé", long] {
        let caller = scene.gateway.caller().with_header("Idempotency-Key", key);
        let problem = caller.post(OBTAIN, &nia()).await.problem(400, "malformed_request");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("Idempotency-Key")), "{problem}");
    }
    assert_eq!(scene.lrs.simulator.request_count("FindLearnerByDemographics"), 0);
    // A text of structured fields is the same key as without its quotation marks.
    scene.keyed().post(OBTAIN, &nia()).await;
    let quoted: &'static str = format!("\"{KEY}\"").leak();
    assert!(is_replayed(&scene.gateway.caller().with_header("Idempotency-Key", quoted).post(OBTAIN, &nia()).await));
}

#[tokio::test]
async fn replicas_share_what_was_done_and_redis_holds_nothing_of_it_in_the_clear() {
    let (redis, lrs) = (TestRedis::start(), SimulatedLrs::start());
    let gateway = || TestGateway::with(&lrs.url(), Options { storage: redis.storage(ENCRYPTION_KEY), ..Options::default() });
    let (one, other) = (gateway(), gateway());
    let keyed = |gateway: &TestGateway| gateway.caller().with_header("Idempotency-Key", KEY);
    let first = keyed(&one).post(OBTAIN, &nia()).await;
    let again = keyed(&other).post(OBTAIN, &nia()).await;
    assert_eq!((first.status, again.status, is_replayed(&again)), (201, 201, true), "{}", again.text);
    assert_eq!(first.text, again.text);
    let accepted = keyed(&one).post(BATCHES, &batch()).await;
    let again = keyed(&other).post(BATCHES, &batch()).await;
    assert_eq!((again.status, is_replayed(&again), again.text), (202, true, accepted.text));
    let uln = first.json()["uln"].as_str().expect("a ULN").to_owned();
    let everything = String::from_utf8_lossy(&redis.dump()).into_owned();
    assert!(everything.contains("once:"), "it is there");
    for marked in ["Nia", "Thistlewood", "2007-11-30", "ZZ7 7JJ", KEY, "j.bloggs", uln.as_str()] {
        assert!(!everything.contains(marked), "{marked}");
    }
}

#[tokio::test]
async fn two_replicas_asked_at_once_do_it_once() {
    let (redis, lrs) = (TestRedis::start(), SimulatedLrs::start());
    let gateways: Vec<TestGateway> =
        (0..3).map(|_| TestGateway::with(&lrs.url(), Options { storage: redis.storage(ENCRYPTION_KEY), ..Options::default() })).collect();
    let callers: Vec<Caller> =
        gateways.iter().cycle().take(30).map(|gateway| gateway.caller().with_header("Idempotency-Key", KEY)).collect();
    let registration = nia();
    let answers = futures_util::future::join_all(callers.iter().map(|caller| caller.post(OBTAIN, &registration))).await;
    let fresh = answers.iter().filter(|answer| answer.status == 201 && !is_replayed(answer)).count();
    assert_eq!(fresh, 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.json()["code"] == "idempotency_key_in_use"));
    assert_eq!(lrs.simulator.request_count("RegisterLearner"), 1);
}

#[tokio::test]
async fn without_redis_a_write_with_a_key_is_refused_and_one_without_goes_on() {
    let (mut redis, lrs) = (TestRedis::start(), SimulatedLrs::start());
    let gateway = TestGateway::with(&lrs.url(), Options { storage: redis.storage(ENCRYPTION_KEY), ..Options::default() });
    let keyed = gateway.caller().with_header("Idempotency-Key", KEY);
    redis.kill();
    let problem = keyed.post(OBTAIN, &nia()).await.problem(503, "store_unavailable");
    assert_eq!((&problem["retryable"], problem["retryAfterSeconds"].is_u64()), (&json!(true), true));
    assert_eq!(lrs.simulator.request_count("FindLearnerByDemographics"), 0, "nothing was done");
    assert_eq!(gateway.caller().post(OBTAIN, &nia()).await.status, 201, "who gives no key, asks for nothing of the store");
    redis.restart();
    let mut answer = keyed.post(OBTAIN, &nia()).await;
    while answer.status == 503 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        answer = keyed.post(OBTAIN, &nia()).await;
    }
    assert_eq!(answer.expect_success()["outcome"], "EXISTING");
}

/// A request with this key and body.
fn request<'a>(key: &'a str, body: &'a str) -> IdempotentRequest<'a> {
    let (issuer, client) = ("https://idp.example", "desk");
    IdempotentRequest { organisation: PROVIDER, issuer, client, operation: "x", key, body_digest: body.as_bytes() }
}

async fn turn(store: &IdempotencyStore, key: &str) -> Reservation {
    match store.acquire(request(key, "body")).await.expect("begun") {
        Acquisition::Acquired(turn) => turn,
        other => panic!("{other:?}"),
    }
}

/// What both kinds of store promise.
async fn keeps_its_promises(storage: &Storage) {
    let store = IdempotencyStore::new(storage, Duration::from_millis(150));
    // Who is gone without a word is known to be gone after a while; the work keeps its name.
    let first = turn(&store, "gone").await;
    assert!(!first.is_retry);
    assert!(matches!(store.acquire(request("gone", "body")).await, Ok(Acquisition::InProgress)));
    assert!(matches!(store.acquire(request("gone", "other")).await, Ok(Acquisition::BodyMismatch)));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let second = turn(&store, "gone").await;
    assert!(second.is_retry && second.work_id == first.work_id);
    // What the first says now is heard by nobody.
    store.complete(&first, Completion::Answered(b"late".to_vec())).await.expect("heard");
    assert!(matches!(store.acquire(request("gone", "body")).await, Ok(Acquisition::InProgress)));
    store.complete(&second, Completion::OutcomeUnknown).await.expect("heard");
    let third = turn(&store, "gone").await;
    assert!(third.is_retry && third.work_id == first.work_id);
    store.complete(&third, Completion::Answered(b"an answer".to_vec())).await.expect("heard");
    assert!(matches!(store.acquire(request("gone", "body")).await, Ok(Acquisition::Completed(answer)) if answer == b"an answer"));
    assert!(matches!(store.acquire(request("gone", "other")).await, Ok(Acquisition::BodyMismatch)));
    // What was not done is forgotten.
    let nothing = turn(&store, "nothing").await;
    store.complete(&nothing, Completion::NotExecuted).await.expect("heard");
    let fresh = turn(&store, "nothing").await;
    assert!(!fresh.is_retry && fresh.work_id != nothing.work_id);
}

#[tokio::test]
async fn a_store_in_memory_keeps_its_promises() {
    keeps_its_promises(&Storage::in_memory().expect("random numbers")).await;
}

#[tokio::test]
async fn a_store_in_redis_keeps_its_promises_and_finds_what_older_keys_have_named() {
    let redis = TestRedis::start();
    keeps_its_promises(&redis.storage(ENCRYPTION_KEY)).await;
    let rotated = format!("{}\n{ENCRYPTION_KEY}", "08".repeat(32));
    let after = IdempotencyStore::new(&redis.storage(&rotated), Duration::from_secs(10));
    assert!(matches!(after.acquire(request("gone", "body")).await, Ok(Acquisition::Completed(answer)) if answer == b"an answer"));
    let turn = turn(&after, "new").await;
    after.complete(&turn, Completion::Answered(b"sealed with the new key".to_vec())).await.expect("heard");
    assert!(redis.keys().iter().filter(|key| key.contains(":once:")).count() >= 2);
}
