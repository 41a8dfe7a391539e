//! What operators rely on: the gateway says whether it is ready, ends without losing a call, and can be measured.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lrs_gateway::simulator::{Fault, FaultStep};
use serde_json::{Value, json};

use crate::support::batches::learners;
use crate::support::caller::Caller;
use crate::support::program::{ConfigDirectory, ServingProgram, caller_of};
use crate::support::redis::TestRedis;
use crate::support::{FakeServer, SimulatedLrs};

const FIND: &str = "/v1/learners/find-by-uln";
const UNLIMITED: &str = "[limits]\norganisation_per_minute = 6000000\norganisation_burst = 100000\nperson_per_minute = 6000000\n\
    person_burst = 100000\nsearches_per_minute = 6000000\nsearches_burst = 100000\n";

fn ana() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

fn caller(url: &str) -> Caller {
    caller_of(url, "10088881")
}

async fn is_ready(serving: &ServingProgram) -> u16 {
    Caller::new(serving.admin.clone()).request("GET", "/health/ready").await.status
}

async fn metrics(serving: &ServingProgram) -> String {
    let answer = Caller::new(serving.admin.clone()).request("GET", "/metrics").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"));
    answer.text
}

/// A configuration with more in it.
fn setup(lrs_url: &str, more: &str) -> ConfigDirectory {
    let setup = ConfigDirectory::new(lrs_url);
    setup.configure(|config| config + more);
    setup.write("key", &"01".repeat(32));
    let file = "organisations/10088881.toml";
    let text = std::fs::read_to_string(setup.path(file)).expect("written").replace("[\"uln", "[\"registration-batches\", \"uln");
    setup.write(file, &text);
    setup
}

fn redis_section(redis: &TestRedis) -> String {
    format!("[store]\nredis_url = \"{}\"\nencryption_key_file = \"key\"\n", redis.url())
}

#[tokio::test]
async fn the_gateway_is_ready_when_redis_is_there_whatever_lrs_does() {
    let mut redis = TestRedis::start();
    let serving = ServingProgram::start(&setup("http://127.0.0.1:1", &redis_section(&redis)));
    let becomes = async |status: u16| {
        let begun = Instant::now();
        while is_ready(&serving).await != status {
            assert!(begun.elapsed() < Duration::from_secs(10), "{status}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    becomes(200).await;
    redis.kill();
    becomes(503).await;
    let problem = Caller::new(serving.admin.clone()).request("GET", "/health/ready").await.problem(503, "not_ready");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("store")), "{problem}");
    Caller::new(serving.api.clone()).request("GET", "/health/ready").await.problem(503, "not_ready");
    assert_eq!(Caller::new(serving.admin.clone()).request("GET", "/health/live").await.status, 200, "it lives");
    redis.restart();
    becomes(200).await;
}

#[tokio::test]
async fn the_gateway_is_not_ready_before_it_has_an_issuers_keys() {
    let nobody = FakeServer::with_response(crate::support::fake_server::http(500, "text/plain", b"out of order"));
    let setup = setup("http://127.0.0.1:1", "");
    let config = std::fs::read_to_string(setup.path("gateway.toml")).expect("written");
    let jwks = format!("jwks_url = \"{}/jwks\"\nalgorithms = [\"RS256\"]", nobody.url());
    setup.write("gateway.toml", &config.replace("hmac_secret_file = \"secret\"", &jwks));
    let serving = ServingProgram::start(&setup);
    let problem = Caller::new(serving.admin.clone()).request("GET", "/health/ready").await.problem(503, "not_ready");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("keys")), "{problem}");
}

/// Calls one gateway or the other for as long as it is ready, as a load balancer does, until told to stop.
async fn call_steadily(addresses: &std::sync::Mutex<Vec<[String; 2]>>, stop: &AtomicBool, calls: &AtomicUsize) {
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) {
        turn += 1;
        let [api, _] = {
            let addresses = addresses.lock().expect("no panic");
            addresses[turn % addresses.len()].clone()
        };
        let answer = caller(&api).post(FIND, &ana()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        calls.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_asked_to_end_fails_nobody() {
    let lrs = SimulatedLrs::start();
    let setup = setup(&lrs.url(), UNLIMITED);
    setup.configure(|config| config.replace("drain_seconds = 0", "drain_seconds = 1"));
    let serving = ServingProgram::start(&setup);
    let (stop, calls) = (AtomicBool::new(false), AtomicUsize::new(0));
    let kept = caller(&serving.api);
    let load = async {
        // Over connections that are kept, as most clients do; each stops when the gateway says that it is not ready.
        let one = async || {
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(kept.post(FIND, &ana()).await.status, 200);
                calls.fetch_add(1, Ordering::Relaxed);
            }
        };
        futures_util::future::join_all((0..8).map(|_| one())).await;
    };
    let end = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        serving.program.terminate();
        let begun = Instant::now();
        while is_ready(&serving).await == 200 {
            assert!(begun.elapsed() < Duration::from_secs(1), "it turns unready at once");
        }
        let during = calls.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(calls.load(Ordering::Relaxed) > during, "it goes on serving");
        assert_eq!(kept.post(FIND, &ana()).await.header("connection"), "close", "and asks to be left");
        stop.store(true, Ordering::Relaxed);
    };
    futures_util::future::join(load, end).await;
    let begun = Instant::now();
    let (ended_well, log) = serving.program.end();
    assert!(ended_well && begun.elapsed() < Duration::from_secs(10), "{log}");
    assert!(log.contains("\"stopped\""), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_lrs_is_at_work_on_is_answered_before_the_gateway_ends() {
    let lrs = SimulatedLrs::start();
    let setup = setup(&lrs.url(), UNLIMITED);
    setup.configure(|config| config.replace("workers = 1", "workers = 2"));
    let serving = ServingProgram::start(&setup);
    let search = json!({"givenName": "Zebedee", "familyName": "Quillfeather", "dateOfBirth": "1990-09-17", "gender": "MALE", "lastKnownPostCode": "ZZ42 4QX"});
    let mut learner = search.clone();
    learner
        .as_object_mut()
        .expect("an object")
        .extend(json!({"verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE"}).as_object().expect("an object").clone());
    // The first worker opens the connection to LRS; the second, which has the next caller, uses it.
    assert_eq!(caller(&serving.api).post("/v1/learners/find-by-demographics", &search).await.expect_success()["outcome"], "NO_MATCH");
    lrs.simulator.inject_faults(vec![FaultStep {
        operation: Some("RegisterLearner".into()),
        ..FaultStep::new(Fault::Latency).with_milliseconds(1500)
    }]);
    let registering = tokio::spawn({
        let caller = caller(&serving.api);
        async move { caller.post("/v1/learners/register", &json!({"learner": learner})).await }
    });
    while lrs.simulator.request_count("RegisterLearner") == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    serving.program.terminate();
    let answer = registering.await.expect("no panic");
    assert_eq!((answer.status, &answer.json()["outcome"]), (201, &json!("REGISTERED")), "{}", answer.text);
    let (ended_well, log) = serving.program.end();
    assert!(ended_well && log.contains("\"stopped\""), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_are_restarted_one_after_the_other_and_nothing_fails() {
    let (lrs, redis) = (SimulatedLrs::start(), TestRedis::start());
    lrs.simulator.set_job_duration(Duration::from_millis(300));
    let more = format!(
        "{}{UNLIMITED}[batches]\ninitial_poll_interval_seconds = 1\nmax_poll_interval_seconds = 1\nlease_seconds = 2\n",
        redis_section(&redis)
    );
    let setup = setup(&lrs.url(), &more);
    setup.configure(|config| config.replace("drain_seconds = 0", "drain_seconds = 1"));
    let mut replicas = [ServingProgram::start(&setup), ServingProgram::start(&setup)];
    let addresses = std::sync::Mutex::new(replicas.iter().map(|one| [one.api.clone(), one.admin.clone()]).collect::<Vec<_>>());
    let batch = json!({"jobType": "FULL", "learners": learners(3000)});
    let accepted = caller(&replicas[0].api).post("/v1/registration-batches", &batch).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let path = accepted.header("location").to_owned();
    let (stop, calls) = (AtomicBool::new(false), AtomicUsize::new(0));
    let load = futures_util::future::join_all((0..4).map(|_| call_steadily(&addresses, &stop, &calls)));
    let restart = async {
        for number in [0, 1, 0, 1] {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let fresh = ServingProgram::start(&setup);
            // The balancer: out with the old as soon as it is unready, in with the new when it is ready.
            replicas[number].program.terminate();
            while is_ready(&replicas[number]).await == 200 {}
            assert_eq!(is_ready(&fresh).await, 200);
            addresses.lock().expect("no panic")[number] = [fresh.api.clone(), fresh.admin.clone()];
            let old = std::mem::replace(&mut replicas[number], fresh);
            // Beside this task: those who call shall go on.
            let (ended_well, log) = tokio::task::spawn_blocking(|| old.program.end()).await.expect("it ends");
            assert!(ended_well, "{log}");
        }
        stop.store(true, Ordering::Relaxed);
    };
    futures_util::future::join(load, restart).await;
    assert!(calls.load(Ordering::Relaxed) > 50, "{calls:?} calls");
    let (begun, last) = (Instant::now(), caller(&replicas[0].api));
    let state = loop {
        let state = last.request("GET", &path).await.expect_success();
        if state["status"] != "PROCESSING" && state["status"] != "SUBMITTING" {
            break state;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{state}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!((&state["status"], &state["progress"]["returned"]), (&json!("COMPLETE"), &json!(3000)), "{state}");
    assert_eq!(lrs.simulator.jobs().submissions().len(), 15, "every part was sent once");
}

/// The names of metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let is_name = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    let words = text.split(|letter: char| !is_name(letter)).filter(|word| word.starts_with("lrs_gateway_"));
    let base = |word: &str| {
        let histogram = word.contains("_duration_seconds").then(|| word.split("_duration_seconds").next()).flatten();
        histogram.map_or_else(|| word.to_owned(), |base| format!("{base}_duration_seconds"))
    };
    words.map(base).collect()
}

#[tokio::test]
async fn everything_that_is_measured_is_described_and_the_other_way_round() {
    let (lrs, redis) = (SimulatedLrs::start(), TestRedis::start());
    lrs.simulator.set_job_duration(Duration::ZERO);
    let authority = crate::support::certificates::Authority::new();
    let key = crate::support::identity_provider::SigningKey::new("one");
    let provider = crate::support::identity_provider::IdentityProvider::publishing(&[&key]);
    let more = format!(
        "{}[batches]\ninitial_poll_interval_seconds = 1\n[limits]\nperson_burst = 4\nperson_per_minute = 1\n",
        redis_section(&redis)
    );
    let setup = setup(&lrs.url(), &more);
    let config = std::fs::read_to_string(setup.path("gateway.toml")).expect("written");
    let another = format!(
        "[[auth.issuers]]\nissuer = \"https://other.example/\"\naudience = \"x\"\nalgorithms = [\"ES256\"]\njwks_url = \"{}\"\n[lrs]",
        provider.url()
    );
    setup.write("gateway.toml", &config.replacen("[lrs]", &another, 1));
    let [certificate, certificate_key] = authority.certify("college");
    setup.write("organisations/a.pem", &certificate);
    setup.write("organisations/a.key", &certificate_key);
    let file = "organisations/10088881.toml";
    let text = std::fs::read_to_string(setup.path(file)).expect("written");
    setup.write(file, &(text + "client_certificate = { certificate_file = \"a.pem\", key_file = \"a.key\" }\n"));
    let serving = ServingProgram::start(&setup);
    let caller = caller(&serving.api);
    caller.post(FIND, &ana()).await.expect_success();
    caller.post(FIND, &json!({"uln": "1"})).await.problem(422, "validation_failed");
    assert_eq!(caller.post("/v1/registration-batches", &json!({"jobType": "CHECK", "learners": learners(1)})).await.status, 202);
    // A slow Redis may count otherwise for a moment.
    while caller.request("GET", "/v1/lrs/status").await.status == 200 {}
    let begun = Instant::now();
    while !metrics(&serving).await.contains("status=\"complete\"") {
        assert!(begun.elapsed() < Duration::from_secs(10), "the batch is done");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let text = metrics(&serving).await;
    for line in [
        "lrs_gateway_requests_total{operation=\"findLearnerByUln\",status=\"200\"} 1",
        "lrs_gateway_requests_total{operation=\"findLearnerByUln\",status=\"422\"} 1",
        "lrs_gateway_lrs_calls_total{operation=\"learnerByULN\",outcome=\"ANSWERED\"} 1",
        "lrs_gateway_lrs_call_duration_seconds_count{operation=\"learnerByULN\"} 1",
        "lrs_gateway_limited_total{limit=\"person\"} 1",
        "lrs_gateway_batch_parts_total{kind=\"registration\",state=\"complete\"} 1",
        "lrs_gateway_batch_duration_seconds_bucket{kind=\"registration\",status=\"complete\",le=\"60\"} 1",
        "lrs_gateway_batches_unfinished 0",
        "lrs_gateway_certificate_expiry_timestamp_seconds{organisation=\"10088881\"} 4070908800",
        "lrs_gateway_lrs_service_state{service=\"learner\"} 0",
        "lrs_gateway_audit_waiting 0",
        "lrs_gateway_lrs_calls_in_flight 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    let read = |name: &str| std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name);
    assert_eq!(names(&text), names(&read("docs/METRICS.md")), "docs/METRICS.md names every metric that there is");
    for user in ["helm/lrs-gateway/files/alerts.yaml", "helm/lrs-gateway/files/dashboard.json", "docs/OPERATIONS.md"] {
        let (used, there) = (names(&read(user)), names(&text));
        assert!(!used.is_empty() && used.is_subset(&there), "{user}: {:?}", used.difference(&there));
    }
    for learner in ["3000000126", "O'Neill", "j.bloggs"] {
        assert!(!text.contains(learner), "{learner}");
    }
}
