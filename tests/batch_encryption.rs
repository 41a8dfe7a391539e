//! Encryption of stored batches: no personal data in plain text, and keys that are registered as long as data needs them.

use std::time::Duration;

use lrs_gateway::batches::BatchSettings;
use serde_json::Value;

use crate::support::batch_backend::{BatchBackend, KEY, OTHER_KEY, test_each_backend};
use crate::support::batches::{SubmittedBatch, full_registration, learners, part_statuses, submit};
use crate::support::gateway::Options;
use crate::support::program::{ConfigDirectory, TestProgram};
use crate::support::redis::TestRedis;
use crate::support::{Caller, SimulatedLrs, TestGateway, wait_until};

const BATCHES: &str = "/v1/registration-batches";
/// Time by which the registration of a key outlasts the data.
const CLOCK_TOLERANCE_HOURS: u64 = 24;

test_each_backend!(key_registration_is_extended_by_a_decision, key_can_be_removed_after_its_data_has_expired);

/// Starts a gateway with this Redis and these keys.
fn start_replica(lrs: &SimulatedLrs, redis: &TestRedis, key_file: &str) -> TestGateway {
    TestGateway::with(&lrs.url(), Options { storage: redis.storage(key_file), ..Options::default() })
}

async fn register<'c>(caller: &'c Caller, learners: &[Value]) -> SubmittedBatch<'c> {
    submit(caller, "registration-batches", &full_registration(learners)).await
}

/// Registers a learner through a replica with the key [`KEY`], which stops while LRS processes the job. Returns the path of the batch.
async fn start_batch(lrs: &SimulatedLrs, redis: &TestRedis) -> String {
    let gateway = start_replica(lrs, redis, KEY);
    let caller = gateway.caller();
    let batch = register(&caller, &learners(1)).await;
    batch.wait_for_status("PROCESSING").await;
    batch.path
}

/// Returns all personal data of learners and results, and the user.
fn personal_data(learners: &[Value], results: &[Value]) -> Vec<String> {
    let fields = ["givenName", "familyName", "dateOfBirth", "lastKnownPostCode", "misIdentifier"];
    let of_learners = learners.iter().flat_map(|learner| fields.map(|field| learner[field].clone()));
    let ulns = results.iter().map(|row| row["uln"].clone());
    let mut texts: Vec<String> = of_learners.chain(ulns).filter_map(|value| value.as_str().map(str::to_owned)).collect();
    texts.push("j.bloggs".into());
    texts.sort();
    texts.dedup();
    texts
}

/// A batch of two parts: LRS processes one, and did not receive the other, which is reconciled.
struct ReconcilingBatch<'c> {
    batch: SubmittedBatch<'c>,
    learners: Vec<Value>,
    /// Number of the part that is reconciled.
    lost: u32,
}

async fn submit_with_lost_part<'c>(lrs: &SimulatedLrs, caller: &'c Caller) -> ReconcilingBatch<'c> {
    lrs.simulator.set_job_duration(Duration::from_secs(3600));
    lrs.lose_requests("SubmitBatch", 1);
    let learners = learners(201);
    let batch = register(caller, &learners).await;
    let state = batch.wait_for_status("PROCESSING").await;
    let lost = 1 + u32::from(part_statuses(&state)[1] == "RECONCILING");
    ReconcilingBatch { batch, learners, lost }
}

/// Lets LRS finish its jobs, and waits until only the lost part remains.
async fn pause(lrs: &SimulatedLrs, ReconcilingBatch { batch, .. }: &ReconcilingBatch<'_>) {
    lrs.simulator.set_job_duration(Duration::ZERO);
    batch.wait_for_status("PAUSED").await;
}

/// Discards the lost part, and waits until the batch is finished.
async fn discard(ReconcilingBatch { batch, lost, .. }: &ReconcilingBatch<'_>) {
    assert_eq!(batch.decide(*lost, "discard").await.status, 202);
    batch.wait_for_status("PARTIALLY_COMPLETE").await;
}

#[tokio::test]
async fn redis_contains_no_personal_data_in_plain_text() {
    let redis = TestRedis::persistent();
    let lrs = SimulatedLrs::start();
    let gateway = start_replica(&lrs, &redis, KEY);
    let caller = gateway.caller();

    let reconciling = submit_with_lost_part(&lrs, &caller).await;
    redis.assert_contains_none_of(&personal_data(&reconciling.learners, &[]));

    pause(&lrs, &reconciling).await;
    discard(&reconciling).await;
    let results = reconciling.batch.results().await;
    assert_eq!(results.len(), 201);
    redis.assert_contains_none_of(&personal_data(&reconciling.learners, &results));
}

#[tokio::test]
async fn records_are_stored_until_their_results_are_there() {
    let redis = TestRedis::start();
    let lrs = SimulatedLrs::start();
    let gateway = start_replica(&lrs, &redis, KEY);
    let caller = gateway.caller();
    let has_records = |part: u32| redis.keys().iter().any(|key| key.ends_with(&format!(":records:{part}")));

    let reconciling = submit_with_lost_part(&lrs, &caller).await;
    assert!(has_records(1) && has_records(2), "LRS may lose the part that it processes: {:?}", redis.keys());

    pause(&lrs, &reconciling).await;
    let (lost, complete) = (reconciling.lost, 3 - reconciling.lost);
    assert!(has_records(lost) && !has_records(complete), "{:?}", redis.keys());

    discard(&reconciling).await;
    assert!(!has_records(1) && !has_records(2), "{:?}", redis.keys());
}

#[tokio::test]
async fn erased_batch_leaves_nothing_in_redis() {
    let redis = TestRedis::start();
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = start_replica(&lrs, &redis, KEY);
    let caller = gateway.caller();
    let batch = register(&caller, &learners(201)).await;
    batch.wait_for_status("COMPLETE").await;

    assert_eq!(caller.request("DELETE", &batch.path).await.status, 204);

    // Only a mark without data outlives the batch, for a day: the batch is not submitted again under its idempotency key. The queue has an entry
    // until the last visit ends.
    let mark = format!("test:{{{}}}:accepted", batch.id());
    let mut expected = [mark.clone(), "test:shared".to_owned()];
    expected.sort();
    let remaining = || {
        let mut keys: Vec<String> = redis.keys().into_iter().filter(|key| !key.contains(":rate:")).collect();
        keys.sort();
        keys
    };
    wait_until(|| remaining() == expected, || format!("{expected:?}, there are {:?}", remaining())).await;
    let expires_in_ms: i64 = redis.query(&["PTTL", &mark]);
    assert!((1..=24 * 3_600_000).contains(&expires_in_ms), "{expires_in_ms} ms");
    assert_eq!(redis.query::<String>(&["GET", &mark]), "1");
}

#[tokio::test]
async fn gateway_without_the_key_reads_nothing_and_changes_nothing() {
    let redis = TestRedis::start();
    let lrs = SimulatedLrs::start();
    let path = start_batch(&lrs, &redis).await;
    let stored_before = dump_batches(&redis);

    let gateway = start_replica(&lrs, &redis, OTHER_KEY);
    let caller = gateway.caller();
    for (method, path) in [("GET", path.as_str()), ("DELETE", &path), ("GET", BATCHES)] {
        caller.request(method, path).await.problem(500, "store_unreadable");
    }
    caller.post(BATCHES, &full_registration(&learners(1))).await.problem(500, "store_unreadable");
    assert_eq!(dump_batches(&redis), stored_before);
}

/// Returns the values of all keys, except those of the queue and of rate limits, in the order of their names.
fn dump_batches(redis: &TestRedis) -> Vec<(String, redis::Value)> {
    let mut keys: Vec<String> = redis.keys().into_iter().filter(|key| !key.contains("{queue}") && !key.contains(":rate:")).collect();
    keys.sort();
    keys.into_iter().map(|key| (key.clone(), redis.query(&["DUMP", &key]))).collect()
}

#[tokio::test]
async fn key_rotation_old_key_decrypts_and_new_key_encrypts() {
    let redis = TestRedis::start();
    let lrs = SimulatedLrs::start();
    let path = start_batch(&lrs, &redis).await;

    let rotated = start_replica(&lrs, &redis, &format!("{OTHER_KEY}\n{KEY}\n"));
    lrs.simulator.set_job_duration(Duration::ZERO);
    let caller_waiting = rotated.caller().with_header("Prefer", "wait=30");
    let state = caller_waiting.request("GET", &path).await.expect_success();
    assert_eq!(state["status"], "COMPLETE", "{state}");
    drop(rotated);

    for single_key in [OTHER_KEY, KEY] {
        // Both keys have encrypted data now.
        let gateway = start_replica(&lrs, &redis, single_key);
        gateway.caller().request("GET", &path).await.problem(500, "store_unreadable");
    }
}

#[tokio::test]
async fn serve_without_a_key_in_use_does_not_start() {
    let redis = TestRedis::start();
    let setup = ConfigDirectory::new("http://127.0.0.1:1");
    let store = format!("[store]\nredis_url = \"{}\"\nencryption_key_file = \"store.key\"\n", redis.url());
    setup.configure(|config| config + &store);
    let serve = || TestProgram::start(&["serve", "--config", &setup.config_path()], &[]);
    setup.write("store.key", KEY);
    let mut gateway = serve();
    assert_eq!(gateway.wait_for_log("serving")["store"], "redis");
    drop(gateway);

    setup.write("store.key", OTHER_KEY);
    let (succeeded, log) = serve().wait_for_exit();
    assert!(!succeeded && log.contains("the store was written with another key"), "{log}");

    setup.write("store.key", &format!("{OTHER_KEY}\n{KEY}"));
    serve().wait_for_log("serving");
}

/// Moves the expiry of all key registrations to an earlier time, as if these hours had passed.
///
/// A registration is a shared value with the prefix `key:`. It starts with its expiry: eight bytes, milliseconds since 1970.
async fn age_key_registrations(backend: &BatchBackend, hours: u64) {
    let milliseconds = i64::try_from(hours * 60 * 60 * 1000).expect("the time is short");
    let mut aged = 0;
    for (name, value) in backend.repository.load_shared().await.expect("the repository responds") {
        let Some(key) = name.strip_prefix("key:") else { continue };
        let (expires_at, encrypted) = value.split_first_chunk::<8>().unwrap_or_else(|| panic!("the registration of {key} has an expiry"));
        let expires_at = i64::from_be_bytes(*expires_at) - milliseconds;
        let registration = [&expires_at.to_be_bytes(), encrypted].concat();
        backend.repository.store_shared(&name, &registration).await.expect("the registration is stored");
        aged += 1;
    }
    assert!(aged > 0, "a key is registered");
}

/// Returns the time in hours for which a batch is stored if it does not finish.
fn max_storage_hours() -> u64 {
    let settings = BatchSettings::default();
    (settings.submission_timeout + settings.result_timeout + settings.retention).as_secs() / (60 * 60)
}

async fn key_registration_is_extended_by_a_decision(backend: BatchBackend) {
    let lrs = SimulatedLrs::with_instant_jobs();
    lrs.lose_requests("SubmitBatch", 1);
    let gateway = TestGateway::with(&lrs.url(), backend.options(KEY));
    let caller = gateway.caller();
    let batch = register(&caller, &learners(1)).await;
    batch.wait_for_status("PAUSED").await;
    drop(gateway);

    // The caller decides an hour before the batch would expire. From then on, the batch is stored as long as a new one.
    age_key_registrations(&backend, max_storage_hours() - 1).await;
    let rotated = TestGateway::with(&lrs.url(), backend.options(&format!("{OTHER_KEY}\n{KEY}")));
    let caller = rotated.caller();
    assert_eq!(caller.request("POST", &format!("{}/parts/1/resubmit", batch.path)).await.status, 202);
    let state = caller.with_header("Prefer", "wait=30").request("GET", &batch.path).await.expect_success();
    assert_eq!(state["status"], "COMPLETE", "{state}");
    drop(rotated);

    // The original registration of the old key would have expired by now. But the batch still needs the key.
    age_key_registrations(&backend, 2 + CLOCK_TOLERANCE_HOURS).await;
    let without_old_key = TestGateway::with(&lrs.url(), backend.options(OTHER_KEY));
    without_old_key.caller().request("GET", &batch.path).await.problem(500, "store_unreadable");
}

async fn key_can_be_removed_after_its_data_has_expired(backend: BatchBackend) {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::with(&lrs.url(), backend.options(KEY));
    let caller = gateway.caller();
    let batch = register(&caller, &learners(1)).await;
    batch.wait_for_status("COMPLETE").await;
    drop(gateway);

    age_key_registrations(&backend, max_storage_hours() + CLOCK_TOLERANCE_HOURS - 1).await;
    let too_early = TestGateway::with(&lrs.url(), backend.options(OTHER_KEY));
    too_early.caller().request("GET", BATCHES).await.problem(500, "store_unreadable");
    drop(too_early);

    age_key_registrations(&backend, 2).await;
    let without_old_key = TestGateway::with(&lrs.url(), backend.options(OTHER_KEY));
    without_old_key.caller().request("GET", BATCHES).await.expect_success();
}
