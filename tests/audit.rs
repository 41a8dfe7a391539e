//! The audit trail: every call to LRS is in it, with who asked, and without the learner.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lrs_gateway::lrs::audit::{AuditLog, AuditSink};
use lrs_gateway::simulator::{Fault, FaultStep};
use lrs_gateway::storage::encryption::KeyRing;
use serde_json::{Value, json};

use crate::support::batches::{learners, submit};
use crate::support::gateway::Options;
use crate::support::program::{ConfigDirectory, ServingProgram, caller_of};
use crate::support::{SimulatedLrs, TestGateway};

const KEY: &str = "0101010101010101010101010101010101010101010101010101010101010101";
const FIND: &str = "/v1/learners/find-by-uln";

fn keys() -> KeyRing {
    KeyRing::parse(KEY.as_bytes()).expect("a key")
}

fn ana() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

/// The lines of a trail, once there are so many.
async fn lines(file: &Path, count: usize) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if lines.len() >= count {
            return lines;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{count} lines: {text}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

struct Scene {
    lrs: SimulatedLrs,
    gateway: TestGateway,
    audit: AuditLog,
    directory: tempfile::TempDir,
}

impl Scene {
    fn new(options: Options) -> Self {
        let (lrs, directory) = (SimulatedLrs::start(), tempfile::tempdir().expect("a directory"));
        lrs.simulator.set_job_duration(Duration::ZERO);
        let audit = AuditLog::start(AuditSink::File(directory.path().join("audit.jsonl")), Some(keys()));
        let gateway = TestGateway::with(&lrs.url(), Options { audit: audit.clone(), ..options });
        Self { lrs, gateway, audit, directory }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("audit.jsonl")
    }
}

#[tokio::test]
async fn a_call_is_told_with_who_asked_and_what_came_of_it_but_not_about_whom() {
    let scene = Scene::new(Options::default());
    let caller = scene.gateway.caller().with_claims(json!({"azp": "front-desk"}));
    let answer = caller.post(FIND, &ana()).await;
    let line = &lines(&scene.file(), 1).await[0];
    let told = |name: &str| line[name].as_str().unwrap_or_default();
    assert_eq!(told("requestId"), answer.header("x-request-id"));
    assert_eq!([told("issuer"), told("client")], ["https://idp.example.ac.uk/", "front-desk"]);
    assert_eq!([told("organisation"), told("user")], ["10088881", "j.bloggs"]);
    assert_eq!([told("operation"), told("outcome"), told("lrsCode")], ["learnerByULN", "ANSWERED", "WSRC0004"]);
    assert!(told("time").ends_with('Z') && line["durationMs"].is_u64(), "{line}");
    assert_eq!(line["ulnHashes"], json!([keys().pseudonym("3000000126")]));
    let text = line.to_string();
    for private in ["3000000126", "Ana", "O'Neill", "demo-password-01"] {
        assert!(!text.contains(private), "{private}: {text}");
    }
}

#[tokio::test]
async fn failures_refusals_and_every_attempt_are_told() {
    let scene = Scene::new(Options { max_retries: 2, timeout: Duration::from_millis(700), ..Options::default() });
    let caller = scene.gateway.caller();
    let play = |steps| scene.lrs.simulator.inject_faults(steps);
    play(vec![FaultStep::new(Fault::Unavailable).times(2)]);
    caller.post(FIND, &ana()).await.expect_success();
    play(vec![FaultStep::new(Fault::OutOfHours).times(1)]);
    caller.post(FIND, &ana()).await;
    play(vec![FaultStep::new(Fault::Garbage).times(1)]);
    caller.post(FIND, &ana()).await;
    play(vec![FaultStep::new(Fault::Latency).with_milliseconds(3000).times(1)]);
    caller.post(FIND, &ana()).await;
    let told = lines(&scene.file(), 6).await;
    let outcomes: Vec<_> = told.iter().map(|line| line["outcome"].as_str().unwrap_or_default()).collect();
    assert_eq!(outcomes, ["CONNECTION_LOST", "CONNECTION_LOST", "ANSWERED", "MAINTENANCE", "BAD_RESPONSE", "TIMEOUT"]);
    assert_eq!(told[3]["lrsCode"], "WSEC0004");
    assert_eq!(told.iter().map(|line| &line["requestId"]).take(3).map(Value::to_string).collect::<BTreeSet<_>>().len(), 1, "one request");
}

#[tokio::test]
async fn a_caller_who_leaves_is_told_of_all_the_same() {
    let scene = Scene::new(Options { timeout: Duration::from_secs(20), ..Options::default() });
    scene.lrs.simulator.inject_faults(vec![FaultStep::new(Fault::Latency).with_milliseconds(800).times(1)]);
    let (caller, search) = (scene.gateway.caller(), ana());
    assert!(tokio::time::timeout(Duration::from_millis(200), caller.post(FIND, &search)).await.is_err(), "it takes longer");
    let outcome = lines(&scene.file(), 1).await[0]["outcome"].clone();
    assert!(["ANSWERED", "ABANDONED"].iter().any(|possible| outcome == *possible), "{outcome}");
}

#[tokio::test]
async fn calls_about_batches_name_who_submitted_them() {
    let scene = Scene::new(Options::default());
    let caller = scene.gateway.caller().with_claims(json!({"azp": "nightly"}));
    let submitted = submit(&caller, "registration-batches", &json!({"jobType": "FULL", "learners": learners(3)})).await;
    let batch = submitted.wait_for_status("COMPLETE").await;
    let told = lines(&scene.file(), 2).await;
    for (line, operation) in told.iter().zip(["submitBatchRegistration", "getBatchRegistrationOutput"]) {
        assert_eq!(
            (line["operation"].as_str(), &line["batchId"], &line["part"]),
            (Some(operation), &batch["batchId"], &json!(1)),
            "{line}"
        );
        assert_eq!((&line["client"], &line["user"]), (&json!("nightly"), &json!("j.bloggs")), "{line}");
        assert_eq!(line["requestId"].as_str().map(str::len), Some(36), "{line}");
    }
    let found = told.iter().filter_map(|line| line["ulnHashes"].as_array()).map(Vec::len).max();
    assert_eq!(found, Some(3), "the ULNs that were given: {told:?}");
}

#[tokio::test]
async fn a_trail_that_is_renamed_or_cannot_be_written_for_a_while_loses_nothing() {
    let scene = Scene::new(Options::default());
    let caller = scene.gateway.caller();
    caller.post(FIND, &ana()).await.expect_success();
    lines(&scene.file(), 1).await;
    std::fs::rename(scene.file(), scene.directory.path().join("yesterday.jsonl")).expect("renamed");
    // A directory in its place: nobody can write there.
    std::fs::create_dir(scene.file()).expect("made");
    for _ in 0..5 {
        caller.post(FIND, &ana()).await.expect_success();
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    std::fs::remove_dir(scene.file()).expect("removed");
    assert_eq!(lines(&scene.file(), 5).await.len(), 5);
    scene.audit.shut_down();
    assert_eq!(lines(&scene.directory.path().join("yesterday.jsonl"), 1).await.len(), 1);
}

#[tokio::test]
async fn when_too_much_waits_to_be_written_no_more_calls_are_made() {
    let scene = Scene::new(Options { timeout: Duration::from_secs(20), ..Options::default() });
    std::fs::create_dir(scene.file()).expect("made");
    let caller = scene.gateway.caller();
    caller.post(FIND, &ana()).await.expect_success();
    // Entries that nobody sends anything for fill the line faster than calls.
    let organisation = crate::support::gateway::organisation("10088881", "demo-password-01", &[]);
    let user = lrs_gateway::schema::Scalar::parse("j.bloggs").expect("a name");
    let actor = lrs_gateway::organisations::RequestContext::new(std::sync::Arc::new(organisation), user);
    while scene.audit.has_capacity() {
        drop(scene.audit.start_record(&actor, "test", b""));
    }
    let before = scene.lrs.simulator.request_count("FindLearnerByULN");
    let problem = caller.post(FIND, &ana()).await.problem(503, "audit_unavailable");
    assert_eq!((&problem["retryable"], problem["retryAfterSeconds"].is_u64()), (&json!(true), true));
    assert_eq!(scene.lrs.simulator.request_count("FindLearnerByULN"), before, "nothing was sent");
    std::fs::remove_dir(scene.file()).expect("removed");
    let told = lines(&scene.file(), 10_000).await;
    assert_eq!(told[0]["operation"], "learnerByULN", "in the order in which it happened");
    caller.post(FIND, &ana()).await.expect_success();
}

#[tokio::test]
async fn the_program_writes_to_its_output_and_to_its_end_and_hashes_match() {
    let lrs = SimulatedLrs::start();
    let setup = ConfigDirectory::new(&lrs.url());
    setup.write("audit.key", KEY);
    setup.configure(|config| config + "[audit]\nkey_file = \"audit.key\"\n");
    let ServingProgram { program, api, .. } = ServingProgram::start(&setup);
    let caller = caller_of(&api, "10088881");
    for _ in 0..20 {
        caller.post(FIND, &ana()).await.expect_success();
    }
    program.terminate();
    let told: Vec<Value> = program.output.iter().map(|line| serde_json::from_str(&line).expect("nothing but the trail")).collect();
    assert_eq!(told.len(), 20, "{told:?}");
    // Who has a ULN and the key finds its lines.
    let mut command = crate::support::program::program(&["audit-hash", "--config", &setup.config()], &[]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), b"3000000126\n").expect("read");
    let hash = String::from_utf8(child.wait_with_output().expect("it ends").stdout).expect("text");
    assert!(told.iter().all(|line| line["ulnHashes"] == json!([hash.trim()])), "{hash}");
    program.end();
}
