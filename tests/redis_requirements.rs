//! What the gateway requires of Redis: durability, a master, the documented permissions, and batches of one LRS only.

use std::time::{Duration, Instant};

use lrs_gateway::storage::{LrsIdentity, Redis, Storage, StoreError, StoreFault};
use regex::Regex;
use serde_json::{Value, json};

use crate::support::batch_backend::{KEY, key_ring};
use crate::support::batches::{full_registration, learners, submit};
use crate::support::gateway::{AWARDING, Options};
use crate::support::program::{ConfigDirectory, TestProgram, run, stderr};
use crate::support::redis::{SentinelRedis, TestRedis, free_port, queue_key, redis_client};
use crate::support::{SimulatedLrs, TestGateway, wait_until};

const BATCHES: &str = "/v1/registration-batches";
const OBTAIN: &str = "/v1/learners/obtain-uln";
/// A password of the tests' Redis users.
const PASSWORD: &str = "hidden-4711";

/// Returns a request for the ULN of one learner.
fn learner() -> Value {
    let mut learner = learners(1).remove(0);
    learner.as_object_mut().expect("an object").remove("misIdentifier");
    json!({"learner": learner})
}

/// Returns the options of a gateway that uses the Redis at this URL.
fn options(url: &str, accept_volatile: bool) -> Options {
    let redis = Redis::new(url, None, "test").expect("the URL is valid").accept_volatile(accept_volatile);
    let storage = Storage { redis: Some(redis.into()), key_ring: key_ring(KEY).into(), lrs: LrsIdentity::new("https://lrs.test") };
    Options { storage, ..Options::default() }
}

/// Changes a setting of Redis, and closes the gateways' connections, so that they inspect Redis again.
fn reconfigure(redis: &TestRedis, setting: &str, value: &str) {
    let _: String = redis.query(&["CONFIG", "SET", setting, value]);
    let _: i64 = redis.query(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
}

/// Returns a configuration with this store, and a file with its encryption key.
fn config(store: &str) -> ConfigDirectory {
    let directory = ConfigDirectory::new("http://127.0.0.1:1");
    directory.write("store.key", &"01".repeat(32));
    directory.write("password", &format!("{PASSWORD}\n"));
    directory.configure(|config| format!("{config}[store]\nencryption_key_file = \"store.key\"\n{store}\n"));
    directory
}

/// Runs `check-config`. Returns whether it succeeded, its remarks and its errors.
fn check_config(directory: &ConfigDirectory) -> (bool, String, String) {
    let output = run(&["check-config", "--config", &directory.config_path()]);
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned(), stderr(&output))
}

#[tokio::test]
async fn redis_that_can_lose_data_is_refused_for_batches_and_idempotency_keys_unless_accepted() {
    let lrs = SimulatedLrs::start();
    let durable = ["--save", "", "--appendonly", "yes", "--appendfsync", "no"];
    for arguments in [
        vec!["--save", "", "--appendonly", "no"],
        vec!["--save", "3600 1 300 100", "--appendonly", "no"],
        [&durable[..], &["--maxmemory", "40mb", "--maxmemory-policy", "allkeys-lru"]].concat(),
        [&durable[..], &["--maxmemory-policy", "volatile-ttl"]].concat(),
    ] {
        let redis = TestRedis::with(free_port(), &arguments);
        let gateway = TestGateway::with(&lrs.url(), options(&redis.url(), false));
        let caller = gateway.caller();
        let problem = caller.post(BATCHES, &full_registration(&learners(1))).await.problem(503, "store_not_durable");
        assert_eq!((&problem["retryable"], &problem["outcomeUnknown"]), (&json!(true), &Value::Null), "{arguments:?}");
        caller.post(&format!("{BATCHES}/track"), &json!({"lrsJobId": "800001"})).await.problem(503, "store_not_durable");
        let with_key = gateway.caller().with_header("Idempotency-Key", "6b1f");
        with_key.post(OBTAIN, &learner()).await.problem(503, "store_not_durable");
        assert!(caller.post(OBTAIN, &learner()).await.status < 300, "a single call needs no store");
        assert_eq!(caller.request("GET", BATCHES).await.status, 200, "stored batches can be read");

        let accepting = TestGateway::with(&lrs.url(), options(&redis.url(), true));
        submit(&accepting.caller(), "registration-batches", &full_registration(&learners(1))).await;
    }
}

#[tokio::test]
async fn registration_accepted_before_the_store_became_volatile_waits_and_check_job_is_sent() {
    let mut lrs = SimulatedLrs::with_instant_jobs();
    let redis = TestRedis::start();
    let gateway = TestGateway::with(&lrs.url(), options(&redis.url(), false));
    let caller = gateway.caller();
    lrs.stop();
    let check = json!({"jobType": "CHECK", "learners": learners(1)});
    let full = submit(&caller, "registration-batches", &full_registration(&learners(1))).await;
    let check = submit(&caller, "registration-batches", &check).await;
    reconfigure(&redis, "maxmemory-policy", "allkeys-lru");
    caller.post(BATCHES, &full_registration(&learners(1))).await.problem(503, "store_not_durable");
    lrs.restart();

    check.wait_for_status("COMPLETE").await;
    // The registration has come due several times meanwhile.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(lrs.registration_jobs("FUL").len(), 0, "LRS could get the registration twice");
    assert_eq!(full.state().await["parts"][0]["status"], "WAITING");

    reconfigure(&redis, "maxmemory-policy", "noeviction");
    full.wait_for_status("COMPLETE").await;
    assert_eq!(lrs.registration_jobs("FUL").len(), 1);
}

#[tokio::test]
async fn inspection_names_the_worst_fault_of_a_replica_and_of_a_full_store() {
    let master = TestRedis::start();
    let port = master.port().to_string();
    let replica = TestRedis::with(free_port(), &["--save", "", "--appendonly", "no", "--replicaof", "127.0.0.1", &port]);
    // The worst fault, and whether the operator can accept it.
    let worst = async |url: &str| {
        let inspection = Redis::new(url, None, "test").expect("the URL is valid").inspect().await.expect("Redis responds");
        inspection.findings.first().map(|finding| (finding.fault, finding.fault.is_volatile()))
    };
    let ensure_durable = async |url: &str, accept_volatile| {
        Redis::new(url, None, "test").expect("the URL is valid").accept_volatile(accept_volatile).ensure_durable().await
    };
    assert_eq!(worst(&master.url()).await, None);
    assert_eq!(worst(&replica.url()).await, Some((StoreFault::ReadOnly, false)));
    let _: String = master.query(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(worst(&master.url()).await, Some((StoreFault::RejectsWrites, false)));
    let volatile = TestRedis::volatile();
    assert_eq!(worst(&volatile.url()).await, Some((StoreFault::NotPersistent, true)));
    assert_eq!(ensure_durable(&volatile.url(), true).await, Ok(()));
    // The replica is not durable either: a worse fault does not hide it.
    for url in [volatile.url(), replica.url()] {
        assert!(matches!(ensure_durable(&url, false).await, Err(StoreError::NotDurable(_))), "{url}");
    }
}

#[test]
fn inspection_is_made_once_over_each_connection() {
    let redis = TestRedis::start();
    let client = redis_client(&redis.url(), None);
    // Each thread has a runtime and a connection of its own. With Sentinel they can lead to different servers.
    let runtimes = [(), ()].map(|()| tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"));
    let inspections = || {
        let stats: String = redis.query(&["INFO", "commandstats"]);
        let count = stats.lines().find_map(|line| line.strip_prefix("cmdstat_config|get:calls=")).and_then(|rest| rest.split_once(','));
        count.map_or(0, |(number, _)| number.parse().expect("the count is a number"))
    };
    for runtime in &runtimes {
        runtime.block_on(client.connect());
    }
    let before: u64 = inspections();
    for (runtime, expected) in [(0, 1), (0, 1), (1, 2), (1, 2), (0, 2)] {
        runtimes[runtime].block_on(client.inspect()).expect("Redis replies");
        // An inspection reads four settings.
        assert_eq!(inspections() - before, 4 * expected);
    }
}

#[test]
fn check_config_and_serve_report_faults_of_redis() {
    let volatile = TestRedis::with(free_port(), &["--save", "", "--appendonly", "no", "--maxmemory-policy", "allkeys-lru"]);
    let store = format!("redis_url = \"{}\"", volatile.url());
    let (is_valid, _, errors) = check_config(&config(&store));
    assert!(!is_valid && errors.contains("maxmemory-policy is allkeys-lru") && errors.contains("appendonly is no"), "{errors}");
    let accepting = config(&format!("{store}\naccept_volatile = true"));
    let (is_valid, remarks, errors) = check_config(&accepting);
    assert!(is_valid && remarks.contains("store: accepted: Redis loses everything"), "{remarks}{errors}");
    let mut program = TestProgram::start(&["serve", "--config", &accepting.config_path()], &[]);
    let warning = program.wait_for_log("store not durable: accepted by store.accept_volatile");
    assert_eq!(warning["level"], "WARN");
    program.kill();

    let master = TestRedis::start();
    let port = master.port().to_string();
    let replica = TestRedis::with(free_port(), &["--save", "", "--appendonly", "yes", "--replicaof", "127.0.0.1", &port]);
    let directory = config(&format!("redis_url = \"{}\"", replica.url()));
    let (is_valid, _, errors) = check_config(&directory);
    assert!(!is_valid && errors.contains("store.redis_url: Redis is a read-only replica."), "{errors}");
    let (is_started, log) = TestProgram::start(&["serve", "--config", &directory.config_path()], &[]).wait_for_exit();
    assert!(!is_started && log.contains("Redis is a read-only replica."), "{log}");
}

#[test]
fn check_config_says_what_redis_does_not_let_it_check() {
    let redis = TestRedis::start();
    let user = ["ACL", "SETUSER", "gateway", "on", ">hidden-4711", "~*", "+@all"];
    let _: String = redis.query(&[&user[..], &["-config"]].concat());
    let directory = config(&format!("redis_url = \"redis://gateway:{PASSWORD}@127.0.0.1:{}/0\"", redis.port()));
    let (is_valid, remarks, errors) = check_config(&directory);
    assert!(is_valid && remarks.contains("CONFIG GET is refused") && remarks.contains("appendonly yes"), "{remarks}{errors}");
    let _: String = redis.query(&["ACL", "SETUSER", "gateway", "-info", "-role"]);
    let (is_valid, remarks, errors) = check_config(&directory);
    let unchecked = ["INFO is refused", "CONFIG GET is refused", "ROLE is refused", "cannot be checked"];
    assert!(is_valid && unchecked.iter().all(|text| remarks.contains(text)), "{remarks}{errors}");
    assert!(!remarks.contains(PASSWORD));
    let _: String = redis.query(&["CONFIG", "SET", "appendonly", "no"]);
    let _: String = redis.query(&["ACL", "SETUSER", "gateway", "+config|get"]);
    let (is_valid, _, errors) = check_config(&directory);
    assert!(!is_valid && errors.contains("appendonly is no"), "what is known is judged: {errors}");
}

#[test]
fn sentinels_with_a_login_of_their_own_are_used_and_their_errors_name_them() {
    let deployment = SentinelRedis::start();
    deployment.require_password(PASSWORD);
    let store = format!("redis_url = \"{}\"", deployment.url());
    let (is_valid, _, errors) = check_config(&config(&store));
    let expected = ["the sentinel: ", "NOAUTH", "set store.sentinel_password_file"];
    assert!(!is_valid && expected.iter().all(|text| errors.contains(text)), "{errors}");
    let with_login = config(&format!("{store}\nsentinel_password_file = \"password\""));
    let (is_valid, remarks, errors) = check_config(&with_login);
    assert!(is_valid && remarks.contains("store: Redis is available"), "{remarks}{errors}");
    with_login.write("password", "wrong-5812");
    let (is_valid, _, errors) = check_config(&with_login);
    assert!(!is_valid && errors.contains("the sentinel: ") && errors.contains("sentinel_password_file"), "{errors}");
    assert!(!errors.contains("wrong-5812"), "{errors}");

    let single = TestRedis::start();
    let (is_valid, _, errors) = check_config(&config(&format!("redis_url = \"{}\"\nsentinel_password_file = \"password\"", single.url())));
    assert!(!is_valid && errors.contains("is allowed with redis-sentinel:// in store.redis_url only"), "{errors}");
}

#[tokio::test]
async fn batch_of_another_lrs_on_the_same_redis_is_neither_sent_nor_shown() {
    let redis = TestRedis::start();
    let (mut live, test) = (SimulatedLrs::with_instant_jobs(), SimulatedLrs::with_instant_jobs());
    let gateway = |lrs: &SimulatedLrs| {
        let storage = Storage { lrs: LrsIdentity::new(&lrs.url()), ..redis.storage(KEY) };
        TestGateway::with(&lrs.url(), Options { storage, ..Options::default() })
    };
    let (of_live, of_test) = (gateway(&live), gateway(&test));
    let (live_caller, test_caller) = (of_live.caller(), of_test.caller());
    live.stop();
    let batch = submit(&live_caller, "registration-batches", &full_registration(&learners(201))).await;
    let path = format!("{BATCHES}/{}", batch.id());
    test_caller.request("GET", &path).await.problem(404, "batch_not_found");
    test_caller.request("DELETE", &path).await.problem(404, "batch_not_found");
    assert_eq!(test_caller.request("GET", BATCHES).await.expect_success()["batches"], json!([]));
    // A batch of its own shows that the other gateway works, and has not taken the first.
    let own = submit(&test_caller, "registration-batches", &full_registration(&learners(1))).await;
    own.wait_for_status("COMPLETE").await;
    assert_eq!(test.registration_jobs("FUL").len(), 1);

    live.restart();
    batch.wait_for_status("COMPLETE").await;
    assert_eq!((live.registration_jobs("FUL").len(), test.registration_jobs("FUL").len()), (2, 1));
    assert_eq!(live_caller.request("GET", BATCHES).await.expect_success()["batches"].as_array().map(Vec::len), Some(1));

    let directory = config(&format!("redis_url = \"{}\"\nkey_prefix = \"test\"", redis.url()));
    directory.write("store.key", KEY);
    let (is_valid, remarks, errors) = check_config(&directory);
    let others = [&live, &test].map(|lrs| format!("also has batches for {}, which this gateway leaves alone", lrs.url()));
    assert!(is_valid && others.iter().all(|other| remarks.contains(other)), "{remarks}{errors}");
}

/// Accepts a batch that no gateway has sent, and leaves it in the queue as an earlier version would. Returns its id.
async fn queue_as_earlier_version(redis: &TestRedis, lrs: &mut SimulatedLrs) -> String {
    lrs.stop();
    let id = {
        let gateway = TestGateway::with(&lrs.url(), options(&redis.url(), false));
        let caller = gateway.caller();
        // The gateway may stop while it sends the part. Then a `CHECK` job is sent again.
        let check = json!({"jobType": "CHECK", "learners": learners(1)});
        submit(&caller, "registration-batches", &check).await.id().to_owned()
    };
    // The gateway has stopped. Its lease may still be there.
    let key = format!("test:{{{id}}}");
    let header: String = redis.query(&["HGET", &key, "header"]);
    let mut header: Value = serde_json::from_str(&header).expect("JSON");
    assert!(header["lrs"].is_string() && header.as_object_mut().expect("an object").remove("lrs").is_some());
    let _: i64 = redis.query(&["HSET", &key, "header", &header.to_string()]);
    for name in ["scheduled", "lines", "places", "organisations", "turns", "leased", "woken", "tokens"] {
        let _: i64 = redis.query(&["DEL", &queue_key(name)]);
    }
    let _: i64 = redis.query(&["ZADD", "test:{queue}:due", "0", &id]);
    lrs.restart();
    id
}

/// Waits until a batch is complete.
async fn wait_until_complete(gateway: &TestGateway, id: &str) {
    let started_at = Instant::now();
    let caller = gateway.caller();
    while caller.request("GET", &format!("{BATCHES}/{id}")).await.expect_success()["status"] != "COMPLETE" {
        assert!(started_at.elapsed() < Duration::from_secs(20), "the batch is not continued");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn batch_queued_by_an_earlier_version_is_continued() {
    let redis = TestRedis::start();
    let mut lrs = SimulatedLrs::with_instant_jobs();
    let id = queue_as_earlier_version(&redis, &mut lrs).await;
    let gateway = TestGateway::with(&lrs.url(), options(&redis.url(), false));
    wait_until_complete(&gateway, &id).await;
}

#[tokio::test]
async fn batch_queued_by_an_earlier_version_is_left_to_the_lrs_that_knows_its_organisation() {
    let redis = TestRedis::start();
    let mut lrs = SimulatedLrs::with_instant_jobs();
    let id = queue_as_earlier_version(&redis, &mut lrs).await;
    let Options { storage, mut organisations, .. } = options(&redis.url(), false);
    organisations.retain(|organisation| organisation.ukprn().as_str() == AWARDING);
    let storage = Storage { lrs: LrsIdentity::new("https://other.test"), ..storage };
    let _of_other_lrs = TestGateway::with(&lrs.url(), Options { organisations, storage, ..Options::default() });
    let has_been_claimed = || redis.query::<Option<f64>>(&["ZSCORE", "test:{queue}:due", &id]) != Some(0.0);
    wait_until(has_been_claimed, || "a claim of the other gateway".into()).await;
    let gateway = TestGateway::with(&lrs.url(), options(&redis.url(), false));
    wait_until_complete(&gateway, &id).await;
}

#[tokio::test]
async fn redis_user_with_the_documented_permissions_suffices() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/BATCHES.md")).expect("the page exists");
    let line = Regex::new(r"(?m)^ACL SETUSER lrs-gateway .*$").expect("a pattern").find(&page).expect("the page has the line").as_str();
    let redis = TestRedis::start();
    let words: Vec<String> = line.split(' ').map(|word| word.replace("PASSWORD", PASSWORD).replace("~lrs-gateway:", "~test:")).collect();
    let _: String = redis.query(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let url = format!("redis://lrs-gateway:{PASSWORD}@127.0.0.1:{}/0", redis.port());
    let lrs = SimulatedLrs::with_instant_jobs();
    lrs.lose_requests("SubmitBatch", 1);
    let gateway = TestGateway::with(&lrs.url(), options(&url, false));
    let caller = gateway.caller();

    let lost = submit(&caller, "registration-batches", &full_registration(&learners(1))).await;
    lost.wait_for_status("PAUSED").await;
    assert_eq!(lost.decide(1, "resubmit").await.status, 202);
    lost.wait_for_status("COMPLETE").await;
    assert_eq!(lost.results().await.len(), 1);
    submit(&caller, "registration-batches", &json!({"jobType": "CHECK", "learners": learners(201)}))
        .await
        .wait_for_status("COMPLETE")
        .await;
    assert_eq!(caller.request("GET", BATCHES).await.expect_success()["batches"].as_array().map(Vec::len), Some(2));
    assert_eq!(caller.request("DELETE", &format!("{BATCHES}/{}", lost.id())).await.status, 204);
    let with_key = gateway.caller().with_header("Idempotency-Key", "9c2a");
    let (first, repeated) = (with_key.post(OBTAIN, &learner()).await, with_key.post(OBTAIN, &learner()).await);
    assert_eq!((first.status, repeated.header("idempotency-replayed")), (200, "true"), "{}", first.text);
    // What Redis has refused is in its own log.
    let refused: String = redis.query::<Vec<redis::Value>>(&["ACL", "LOG"]).iter().map(|entry| format!("{entry:?}\n")).collect();
    let refused: Vec<&str> = refused.lines().filter(|line| !line.contains("setinfo") && !line.contains("SETINFO")).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let keys = redis.keys();
    assert!(keys.iter().any(|key| key.contains(":once:")) && keys.iter().any(|key| key.contains(":list:")), "{keys:?}");
}
