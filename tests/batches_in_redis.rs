//! Batches whose store is a real Redis: what is in it, what happens without it, and what replicas have of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use lrs_gateway::batches::BatchSettings;
use lrs_gateway::batches::model::{Batch, BatchHeader, BatchId, KindTag, Part, PartBlob};
use lrs_gateway::batches::repository::{BatchRepository as _, NewBatch};
use lrs_gateway::domain::Ukprn;
use lrs_gateway::schema::Scalar as _;
use lrs_gateway::storage::encryption::KeyRing;
use serde_json::{Value, json};

use crate::support::batches::{learners, statuses, submit};
use crate::support::caller::PROVIDER;
use crate::support::fake_server::{Reply, soap};
use crate::support::gateway::{Options, fast_batches};
use crate::support::program::{ConfigDirectory, TestProgram};
use crate::support::redis::TestRedis;
use crate::support::{FakeServer, SimulatedLrs, TestGateway};

const BATCHES: &str = "/v1/registration-batches";
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER_KEY: &str = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn keys(file: &str) -> KeyRing {
    KeyRing::parse(file.as_bytes()).expect("keys")
}

/// A replica of a gateway in front of this Redis.
fn replica(lrs_url: &str, redis: &TestRedis, key_file: &str) -> TestGateway {
    TestGateway::with(lrs_url, Options { storage: redis.storage(key_file), ..Options::default() })
}

fn full(learners: &[Value]) -> Value {
    json!({"jobType": "FULL", "learners": learners})
}

/// Everything about these learners that must not be in the open.
fn personal(learners: &[Value], results: &[Value]) -> Vec<String> {
    let of_learners = learners.iter().flat_map(|learner| {
        ["givenName", "familyName", "dateOfBirth", "lastKnownPostCode", "misIdentifier"].map(|field| learner[field].clone())
    });
    let ulns = results.iter().map(|row| row["uln"].clone());
    let mut texts: Vec<String> = of_learners.chain(ulns).filter_map(|value| value.as_str().map(str::to_owned)).collect();
    texts.push("j.bloggs".into());
    texts.sort();
    texts.dedup();
    texts
}

/// None of these texts is anywhere in Redis.
pub fn nothing_in_the_open(redis: &TestRedis, texts: &[String]) {
    let everything = redis.dump();
    assert!(everything.len() > 100, "there is something");
    let has = |text: &str| everything.windows(text.len()).any(|window| window == text.as_bytes());
    for text in texts.iter().filter(|text| text.len() > 4).take(200) {
        assert!(!has(text), "{text} is in Redis in the open");
    }
}

#[tokio::test]
async fn what_is_in_redis_is_sealed_and_as_little_as_can_be() {
    let redis = TestRedis::persistent();
    let lrs = SimulatedLrs::start();
    lrs.simulator.set_job_duration(Duration::from_secs(3600));
    let gateway = replica(&lrs.url(), &redis, KEY);
    let caller = gateway.caller();
    let learners = learners(201);
    lrs.simulator.lose_answers("SubmitBatch", 1);
    let batch = submit(&caller, "registration-batches", &full(&learners)).await;
    let state = batch.wait_for_status("PROCESSING").await;
    let kept: Vec<bool> = (1..=2).map(|part| redis.keys().iter().any(|key| key.ends_with(&format!(":records:{part}")))).collect();
    let unconfirmed: Vec<bool> = statuses(&state).iter().map(|status| *status == "UNCONFIRMED").collect();
    assert_eq!(kept, unconfirmed, "records are kept for as long as they may be needed: {state}");
    nothing_in_the_open(&redis, &personal(&learners, &[]));

    lrs.simulator.set_job_duration(Duration::ZERO);
    batch.wait_for_status("PAUSED").await;
    let number = 1 + u32::from(unconfirmed[1]);
    batch.decide(number, "discard").await;
    batch.wait_for_status("PARTIALLY_COMPLETE").await;
    assert!(!redis.keys().iter().any(|key| key.contains(":records:")), "{:?}", redis.keys());
    let results = batch.results().await;
    assert_eq!(results.len(), 201);
    nothing_in_the_open(&redis, &personal(&learners, &results));

    assert_eq!(caller.request("DELETE", &batch.path).await.status, 204);
    let left: Vec<String> = redis.keys().into_iter().filter(|key| !key.contains(":rate:")).collect();
    assert_eq!(left, ["test:shared"], "nothing is left of the batch");
}

#[tokio::test]
async fn replicas_share_their_batches() {
    let redis = TestRedis::start();
    let lrs = SimulatedLrs::start();
    lrs.simulator.set_job_duration(Duration::ZERO);
    let [one, other] = [(); 2].map(|()| replica(&lrs.url(), &redis, KEY));
    let (caller, elsewhere) = (one.caller(), other.caller());
    let batch = submit(&caller, "registration-batches", &full(&learners(1000))).await;
    let waiting = elsewhere.with_header("Prefer", "wait=30").request("GET", &batch.path).await.expect_success();
    assert_eq!(waiting["status"], "COMPLETE");
    assert_eq!(other.caller().request("GET", BATCHES).await.expect_success()["batches"][0]["batchId"], batch.first["batchId"]);
    assert_eq!(lrs.simulator.jobs().submissions().len(), 5, "no part was sent by both");
}

#[tokio::test]
async fn without_redis_batches_are_refused_and_single_calls_are_not() {
    let mut redis = TestRedis::persistent();
    let lrs = SimulatedLrs::start();
    lrs.simulator.set_job_duration(Duration::ZERO);
    let gateway = replica(&lrs.url(), &redis, KEY);
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &full(&learners(1))).await;
    batch.wait_for_status("COMPLETE").await;
    redis.kill();
    let unavailable = async |method: &str, path: &str| {
        let answer = if method == "POST" { caller.post(path, &full(&learners(1))).await } else { caller.request(method, path).await };
        let problem = answer.problem(503, "store_unavailable");
        assert!(problem.get("outcomeUnknown").is_none() && problem["retryAfterSeconds"] == 5, "{problem}");
    };
    unavailable("POST", BATCHES).await;
    for (method, path) in [
        ("GET", BATCHES.to_owned()),
        ("GET", batch.path.clone()),
        ("GET", format!("{}/results", batch.path)),
        ("DELETE", batch.path.clone()),
    ] {
        unavailable(method, &path).await;
    }
    let search = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});
    assert_eq!(caller.post("/v1/learners/find-by-uln", &search).await.expect_success()["outcome"], "EXACT_MATCH");

    redis.restart();
    let started = Instant::now();
    while caller.request("GET", &batch.path).await.status != 200 {
        assert!(started.elapsed() < Duration::from_secs(10), "it does not heal");
    }
    let listed = caller.request("GET", BATCHES).await.expect_success();
    assert_eq!(listed["batches"].as_array().map(Vec::len), Some(1), "what was refused was not accepted");
    let batch = submit(&caller, "registration-batches", &full(&learners(2))).await;
    batch.wait_for_status("COMPLETE").await;
    assert_eq!(lrs.simulator.jobs().submissions().len(), 2);
}

#[tokio::test]
async fn another_key_opens_nothing_and_overwrites_nothing() {
    let redis = TestRedis::start();
    let lrs = SimulatedLrs::start();
    lrs.simulator.set_job_duration(Duration::from_secs(3600));
    let gateway = replica(&lrs.url(), &redis, KEY);
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &full(&learners(1))).await;
    batch.wait_for_status("PROCESSING").await;
    let everything = || {
        let keys = redis.keys().into_iter().filter(|key| !key.contains("{queue}") && !key.contains(":rate:"));
        let mut dumps: Vec<(String, redis::Value)> = keys
            .map(|key| {
                let dump = redis.ask(&["DUMP", &key]);
                (key, dump)
            })
            .collect();
        dumps.sort_by(|(one, _), (other, _)| one.cmp(other));
        dumps
    };
    drop(gateway);
    let before = everything();
    let wrong = replica(&lrs.url(), &redis, OTHER_KEY);
    let stranger = wrong.caller();
    for (method, path) in [("GET", batch.path.as_str()), ("DELETE", &batch.path), ("GET", BATCHES)] {
        stranger.request(method, path).await.problem(500, "store_unreadable");
    }
    stranger.post(BATCHES, &full(&learners(1))).await.problem(500, "store_unreadable");
    assert_eq!(everything(), before);
    drop(wrong);

    // Both keys: the new one seals, the old one still opens.
    let rotated = replica(&lrs.url(), &redis, &format!("{OTHER_KEY}\n{KEY}\n"));
    lrs.simulator.set_job_duration(Duration::ZERO);
    let rotated_caller = rotated.caller();
    let state = rotated_caller.with_header("Prefer", "wait=30").request("GET", &batch.path).await.expect_success();
    assert_eq!(state["status"], "COMPLETE", "{state}");
    drop(rotated);
    let new_only = replica(&lrs.url(), &redis, OTHER_KEY);
    new_only.caller().request("GET", &batch.path).await.problem(500, "store_unreadable");
}

#[tokio::test]
async fn serve_does_not_start_with_another_key() {
    let redis = TestRedis::start();
    let setup = ConfigDirectory::new("http://127.0.0.1:1");
    let store = format!("[store]\nredis_url = \"{}\"\nencryption_key_file = \"store.key\"\n", redis.url());
    setup.configure(|config| config + &store);
    setup.write("store.key", KEY);
    let mut gateway = TestProgram::start(&["serve", "--config", &setup.config()], &[]);
    assert_eq!(gateway.wait_for("serving")["store"], "redis");
    drop(gateway);
    setup.write("store.key", OTHER_KEY);
    let (succeeded, said) = TestProgram::start(&["serve", "--config", &setup.config()], &[]).end();
    assert!(!succeeded && said.contains("the store was written with another key"), "{said}");
    setup.write("store.key", &format!("{OTHER_KEY}\n{KEY}"));
    TestProgram::start(&["serve", "--config", &setup.config()], &[]).wait_for("serving");
}

#[tokio::test]
async fn an_answer_that_comes_late_is_still_that_of_its_sender() {
    let redis = TestRedis::start();
    let asked = Arc::new(tokio::sync::Notify::new());
    let tell = Arc::clone(&asked);
    let (answer_now, wait) = std::sync::mpsc::channel();
    let wait = std::sync::Mutex::new(wait);
    let peer = FakeServer::start(move |request| {
        if request.body.contains("GetSubmitBatchOutput") {
            return Reply::Bytes(soap(
                200,
                "<n:GetSubmitBatchOutputResponse xmlns:n=\"http://api.lrs.miap.gov.uk/batchmsg\"><ResponseCode>WSRC0009</ResponseCode></n:GetSubmitBatchOutputResponse>",
            ));
        }
        tell.notify_one();
        let _ = wait.lock().expect("no panic").recv();
        Reply::Bytes(soap(
            200,
            "<n:SubmitBatchResponse xmlns:n=\"http://api.lrs.miap.gov.uk/batchmsg\"><ResponseCode>WSRC0007</ResponseCode><JobID>77</JobID></n:SubmitBatchResponse>",
        ))
    });
    let gateway = replica(&peer.url(), &redis, KEY);
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &full(&learners(1))).await;
    asked.notified().await;
    // Its worker seems to have died: the batch is due for somebody else, who cannot know that LRS will answer.
    let id = batch.first["batchId"].as_str().expect("an id");
    let _: i64 = redis.ask(&["ZREM", "test:{queue}:leased", id]);
    let _: i64 = redis.ask(&["HDEL", "test:{queue}:tokens", id]);
    let _: i64 = redis.ask(&["ZADD", "test:{queue}:due", "0", id]);
    let other = replica(&peer.url(), &redis, KEY);
    let state = batch.wait_for_status("PAUSED").await;
    assert_eq!(state["parts"][0]["status"], "UNCONFIRMED");
    answer_now.send(()).expect("it waits");
    // And it goes on, though the other thought that there was nothing more to do.
    let state = batch.wait_for_status("COMPLETE").await;
    assert_eq!((&state["parts"][0]["status"], &state["parts"][0]["lrsJobId"]), (&json!("COMPLETE"), &json!("77")));
    let sent = peer.received().iter().filter(|request| request.body.contains("<bat:SubmitBatch ")).count();
    assert_eq!(sent, 1);
    drop(other);
}

#[tokio::test]
async fn waiting_batches_cost_redis_next_to_nothing() {
    const WAITING: usize = 10_000;
    let redis = TestRedis::start();
    let store = redis.store();
    let now = store.now().await.expect("a clock");
    let later = now.after(Duration::from_secs(3600));
    let part = Part { due_at: later, ..Part::tracking(900_001, now) };
    let ukprn = Ukprn::parse(PROVIDER).expect("a UKPRN");
    let create = |_| {
        let (store, part, ukprn) = (Arc::clone(&store), part.clone(), ukprn.clone());
        async move {
            let header = BatchHeader::new(KindTag::Registration, &ukprn, 1, now);
            let batch = Batch { id: BatchId::new(), header, parts: vec![part], expires_at: later };
            store.create(&NewBatch { batch, blobs: vec![(PartBlob::Metadata, keys(KEY).encrypt("x", b"{}").expect("sealed"))] }).await
        }
    };
    let created = futures_util::stream::iter(0..WAITING).map(create).buffer_unordered(64);
    assert!(created.all(|created| std::future::ready(created.is_ok())).await);
    // As they are after their first turn: due in an hour.
    let ids: Vec<String> = redis.ask(&["ZRANGE", "test:{queue}:due", "0", "-1"]);
    assert_eq!(ids.len(), WAITING);
    for chunk in ids.chunks(1000) {
        let due = later.0.to_string();
        let arguments: Vec<&str> = chunk.iter().flat_map(|id| [due.as_str(), id.as_str()]).collect();
        let _: i64 = redis.ask(&[&["ZADD", "test:{queue}:due", "XX"], &arguments[..]].concat());
    }
    let jobs = BatchSettings { idle_poll_interval: BatchSettings::default().idle_poll_interval, ..fast_batches() };
    let _gateway = TestGateway::with("http://127.0.0.1:1", Options { storage: redis.storage(KEY), jobs, ..Options::default() });
    let (before, started) = (redis.commands(), Instant::now());
    tokio::time::sleep(Duration::from_secs(4)).await;
    let commands = redis.commands() - before;
    let most = 8 * (started.elapsed().as_secs() + 1);
    assert!(commands < most, "{commands} commands in {:?}, those of scripts and of this test included", started.elapsed());
}
