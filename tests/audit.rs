//! The audit trail: it contains every call to LRS with the caller and the outcome, and no data of the learner.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lrs_gateway::lrs::audit::{AuditLog, AuditSink};
use lrs_gateway::organisations::CallContext;
use lrs_gateway::schema::Scalar as _;
use lrs_gateway::simulator::{Fault, FaultStep};
use lrs_gateway::storage::encryption::KeyRing;
use serde_json::{Value, json};

use crate::support::batches::{full_registration, learners, submit};
use crate::support::caller::PROVIDER;
use crate::support::gateway::{Options, organisation};
use crate::support::program::{ConfigDirectory, ServingProgram, caller_of, program, run, stderr};
use crate::support::{SimulatedLrs, TestGateway, wait_until};

const KEY: &str = "0101010101010101010101010101010101010101010101010101010101010101";
const FIND: &str = "/v1/learners/find-by-uln";
const FIND_ELEMENT: &str = "FindLearnerByULN";
const REGISTER: &str = "/v1/learners/register";
const REGISTER_ELEMENT: &str = "RegisterLearner";

fn key_ring() -> KeyRing {
    KeyRing::parse(KEY.as_bytes()).expect("the key is valid")
}

/// Returns a search for Ana, a sample learner of the simulator.
fn ana() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

/// Waits until an audit trail has this many lines, and returns all of them.
async fn wait_for_lines(file: &Path, count: usize) -> Vec<Value> {
    let started_at = Instant::now();
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if lines.len() >= count {
            return lines;
        }
        assert!(started_at.elapsed() < Duration::from_secs(10), "timed out waiting for {count} lines: {text}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A gateway with an audit trail in a file, in front of a simulated LRS.
struct Fixture {
    lrs: SimulatedLrs,
    gateway: TestGateway,
    audit: AuditLog,
    directory: tempfile::TempDir,
}

impl Fixture {
    fn new(options: Options) -> Self {
        let (lrs, directory) = (SimulatedLrs::start(), tempfile::tempdir().expect("the directory is created"));
        lrs.simulator.set_job_duration(Duration::ZERO);
        let audit = AuditLog::start(AuditSink::File(directory.path().join("audit.jsonl")), Some(key_ring()));
        let gateway = TestGateway::with(&lrs.url(), Options { audit: audit.clone(), ..options });
        Self { lrs, gateway, audit, directory }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("audit.jsonl")
    }

    /// Prevents writes: a directory takes the place of the file.
    fn block_writes(&self) {
        std::fs::create_dir(self.file()).expect("the directory is created");
    }

    fn unblock_writes(&self) {
        std::fs::remove_dir(self.file()).expect("the directory is removed");
    }

    /// Lets the following searches meet this fault.
    fn inject_fault(&self, step: FaultStep) {
        self.lrs.simulator.inject_faults(vec![step]);
    }
}

#[tokio::test]
async fn audit_line_of_call_contains_caller_and_outcome_and_no_data_of_learner() {
    let fixture = Fixture::new(Options::default());
    let caller = fixture.gateway.caller().with_claims(json!({"azp": "front-desk"}));
    let answer = caller.post(FIND, &ana()).await;
    let line = &wait_for_lines(&fixture.file(), 1).await[0];
    let field = |name: &str| line[name].as_str().unwrap_or_default();
    assert_eq!(field("requestId"), answer.header("x-request-id"));
    assert_eq!([field("issuer"), field("client")], ["https://idp.example.ac.uk/", "front-desk"]);
    assert_eq!([field("organisation"), field("user")], ["10088881", "j.bloggs"]);
    assert_eq!([field("operation"), field("outcome"), field("lrsCode")], ["learnerByULN", "ANSWERED", "WSRC0004"]);
    assert!(field("time").ends_with('Z') && line["durationMs"].is_u64(), "{line}");
    assert_eq!(line["ulnHashes"], json!([key_ring().pseudonym("3000000126")]));
    let text = line.to_string();
    for private in ["3000000126", "Ana", "O'Neill", "demo-password-01"] {
        assert!(!text.contains(private), "{private}: {text}");
    }
}

#[tokio::test]
async fn audit_trail_of_amendment_has_the_search_and_the_update_before_and_after_it_is_sent() {
    let fixture = Fixture::new(Options::default());
    let mut amendment = ana();
    amendment["changes"] = json!({"notes": "Met in person"});
    fixture.gateway.caller().post("/v1/learners/amend", &amendment).await.expect_success();

    let lines = wait_for_lines(&fixture.file(), 3).await;
    let calls: Vec<_> = lines.iter().map(|line| (line["operation"].as_str(), line["outcome"].as_str())).collect();
    let [update, started] = [Some("updateSingleLearner"), Some("STARTED")];
    assert_eq!(calls, [(Some("learnerByULN"), Some("ANSWERED")), (update, started), (update, Some("ANSWERED"))]);
    assert!(lines.iter().all(|line| line["requestId"] == lines[0]["requestId"]), "{lines:?}");
    assert_eq!(lines[2]["ulnHashes"], json!([key_ring().pseudonym("3000000126")]));
    let text = format!("{lines:?}");
    assert!(["3000000126", "Ana", "O'Neill", "Met in person"].iter().all(|private| !text.contains(private)), "{text}");
}

#[tokio::test]
async fn audit_trail_has_a_line_for_each_failure_and_each_retry() {
    let fixture = Fixture::new(Options { max_retries: 2, timeout: Duration::from_millis(700), ..Options::default() });
    let caller = fixture.gateway.caller();
    fixture.inject_fault(FaultStep::new(Fault::Unavailable).times(2));
    caller.post(FIND, &ana()).await.expect_success();
    for fault in [FaultStep::new(Fault::OutOfHours), FaultStep::new(Fault::Garbage), FaultStep::new(Fault::Latency).with_milliseconds(3000)]
    {
        fixture.inject_fault(fault.times(1));
        caller.post(FIND, &ana()).await;
    }
    let lines = wait_for_lines(&fixture.file(), 6).await;
    let outcomes: Vec<_> = lines.iter().map(|line| line["outcome"].as_str().unwrap_or_default()).collect();
    assert_eq!(outcomes, ["THROTTLED", "THROTTLED", "ANSWERED", "MAINTENANCE", "BAD_RESPONSE", "TIMEOUT"]);
    assert_eq!(lines[3]["lrsCode"], "WSEC0004");
    let request_ids: BTreeSet<String> = lines[..3].iter().map(|line| line["requestId"].to_string()).collect();
    assert_eq!(request_ids.len(), 1, "retries belong to the same request");
}

#[tokio::test]
async fn audit_trail_has_a_line_for_a_call_whose_caller_disconnects() {
    let fixture = Fixture::new(Options { timeout: Duration::from_secs(20), ..Options::default() });
    fixture.inject_fault(FaultStep::new(Fault::Latency).with_milliseconds(800).times(1));
    let caller = fixture.gateway.caller();
    let call = tokio::spawn(async move { caller.post(FIND, &ana()).await });
    wait_until(|| fixture.lrs.simulator.request_count(FIND_ELEMENT) == 1, || "the request at LRS".into()).await;
    call.abort();
    assert!(call.await.is_err_and(|error| error.is_cancelled()), "LRS responds later");
    let outcome = wait_for_lines(&fixture.file(), 1).await[0]["outcome"].clone();
    assert!(["ANSWERED", "ABANDONED"].iter().any(|possible| outcome == *possible), "{outcome}");
}

#[tokio::test]
async fn audit_line_of_batch_call_contains_batch_part_and_submitter() {
    let fixture = Fixture::new(Options::default());
    let caller = fixture.gateway.caller().with_claims(json!({"azp": "nightly"}));
    let submitted = submit(&caller, "registration-batches", &full_registration(&learners(3))).await;
    let batch = submitted.wait_for_status("COMPLETE").await;
    let lines = wait_for_lines(&fixture.file(), 3).await;
    let outcomes: Vec<&Value> = lines.iter().map(|line| &line["outcome"]).collect();
    assert_eq!(outcomes, ["STARTED", "ANSWERED", "ANSWERED"], "a batch that changes data has a line before it is sent");
    let operations = ["submitBatchRegistration", "submitBatchRegistration", "getBatchRegistrationOutput"];
    for (line, operation) in lines.iter().zip(operations) {
        assert_eq!(
            (line["operation"].as_str(), &line["batchId"], &line["part"]),
            (Some(operation), &batch["batchId"], &json!(1)),
            "{line}"
        );
        assert_eq!((&line["client"], &line["user"]), (&json!("nightly"), &json!("j.bloggs")), "{line}");
        assert_eq!(line["requestId"].as_str().map(str::len), Some(36), "{line}");
    }
    let max_hashes = lines.iter().filter_map(|line| line["ulnHashes"].as_array()).map(Vec::len).max();
    assert_eq!(max_hashes, Some(3), "the new ULNs are recorded: {lines:?}");
}

#[tokio::test]
async fn audit_trail_renamed_or_blocked_loses_no_line() {
    let fixture = Fixture::new(Options::default());
    let caller = fixture.gateway.caller();
    let renamed_file = fixture.directory.path().join("yesterday.jsonl");
    caller.post(FIND, &ana()).await.expect_success();
    wait_for_lines(&fixture.file(), 1).await;
    std::fs::rename(fixture.file(), &renamed_file).expect("the file is renamed");

    fixture.block_writes();
    for _ in 0..5 {
        caller.post(FIND, &ana()).await.expect_success();
    }
    assert_eq!(fixture.audit.queued_lines(), 5);
    // The writer must have tried to write. A failed write cannot be observed, so the test waits for a short time.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(fixture.audit.queued_lines(), 5, "blocked lines stay queued");

    fixture.unblock_writes();
    assert_eq!(wait_for_lines(&fixture.file(), 5).await.len(), 5);
    fixture.audit.shut_down();
    assert_eq!(wait_for_lines(&renamed_file, 1).await.len(), 1);
}

#[tokio::test]
async fn audit_queue_full_returns_audit_unavailable_and_sends_nothing_until_lines_are_written() {
    let fixture = Fixture::new(Options { timeout: Duration::from_secs(20), ..Options::default() });
    fixture.block_writes();
    let caller = fixture.gateway.caller();
    caller.post(FIND, &ana()).await.expect_success();
    // Records without a call fill the queue faster than calls.
    let organisation = organisation(PROVIDER, "demo-password-01", &[]);
    let user = lrs_gateway::domain::UserName::parse("j.bloggs").expect("the user name is valid");
    let context = CallContext::new(Arc::new(organisation), user);
    while fixture.audit.has_capacity() {
        drop(fixture.audit.start_entry(&context, "test", b""));
    }

    let not_ready = fixture.gateway.caller().request("GET", "/health/ready").await.problem(503, "not_ready");
    assert!(not_ready["detail"].as_str().is_some_and(|detail| detail.contains("audit trail")), "{not_ready}");
    let requests_before = fixture.lrs.simulator.request_count(FIND_ELEMENT);
    let problem = caller.post(FIND, &ana()).await.problem(503, "audit_unavailable");
    assert_eq!((&problem["retryable"], problem["retryAfterSeconds"].is_u64()), (&json!(true), true));
    assert_eq!(fixture.lrs.simulator.request_count(FIND_ELEMENT), requests_before, "nothing was sent");

    fixture.unblock_writes();
    let lines = wait_for_lines(&fixture.file(), 10_000).await;
    assert_eq!(lines[0]["operation"], "learnerByULN", "the lines are in the order of the calls");
    wait_until(|| fixture.audit.has_capacity(), || "a queue with capacity".into()).await;
    caller.post(FIND, &ana()).await.expect_success();
}

/// Returns a valid registration.
fn registration() -> Value {
    json!({"learner": {
        "givenName": "Zoe", "familyName": "Invented", "lastKnownPostCode": "ZZ7 7JJ", "dateOfBirth": "2005-07-21", "gender": "NOT_SPECIFIED",
        "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE",
    }})
}

#[tokio::test]
async fn audit_line_of_write_is_written_before_it_is_sent_and_survives_a_kill() {
    let lrs = SimulatedLrs::start();
    let config = ConfigDirectory::new(&lrs.url());
    config.configure(|text| text + "[audit]\nfile = \"audit.jsonl\"\n");
    let ServingProgram { program, api, .. } = ServingProgram::start(&config);
    lrs.simulator.inject_faults(vec![FaultStep::new(Fault::Latency).with_milliseconds(20_000).times(1)]);
    let call = tokio::spawn(async move { caller_of(&api, PROVIDER).post(REGISTER, &registration()).await });
    wait_until(|| lrs.simulator.request_count(REGISTER_ELEMENT) == 1, || "the request at LRS".into()).await;
    program.kill();
    call.abort();
    let lines = wait_for_lines(&config.path("audit.jsonl"), 1).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!((&lines[0]["operation"], &lines[0]["outcome"]), (&json!("registerSingleLearner"), &json!("STARTED")), "{lines:?}");
    assert_eq!((&lines[0]["user"], lines[0]["requestId"].as_str().map(str::len)), (&json!("j.bloggs"), Some(36)), "{lines:?}");
}

#[tokio::test]
async fn audit_line_of_write_that_cannot_be_written_prevents_the_write() {
    let fixture = Fixture::new(Options { timeout: Duration::from_secs(20), ..Options::default() });
    fixture.block_writes();
    let caller = fixture.gateway.caller();
    caller.post(REGISTER, &registration()).await.problem(503, "audit_unavailable");
    // The next one does not wait for the stalled trail, and the gateway is not ready.
    let started_at = Instant::now();
    caller.post(REGISTER, &registration()).await.problem(503, "audit_unavailable");
    assert!(started_at.elapsed() < Duration::from_secs(1), "{:?}", started_at.elapsed());
    let not_ready = caller.request("GET", "/health/ready").await.problem(503, "not_ready");
    assert!(not_ready["detail"].as_str().is_some_and(|detail| detail.contains("audit trail")), "{not_ready}");
    caller.post(FIND, &ana()).await.expect_success();
    assert_eq!(fixture.lrs.simulator.request_count(REGISTER_ELEMENT), 0, "nothing was sent");
    fixture.unblock_writes();
    wait_until(|| fixture.audit.records_writes(), || "written lines".into()).await;
    assert_eq!(caller.request("GET", "/health/ready").await.status, 200);
    // LRS requires a search before a registration. For the audit trail it does not matter.
    let answer = caller.post(REGISTER, &registration()).await;
    answer.problem(409, "learner_not_registered");
    let lines = wait_for_lines(&fixture.file(), 5).await;
    let outcomes: Vec<&Value> = lines.iter().map(|line| &line["outcome"]).collect();
    assert_eq!(outcomes, ["STARTED", "NOT_SENT", "ANSWERED", "STARTED", "REFUSED"]);
    let request_ids: BTreeSet<&str> = lines[3..].iter().filter_map(|line| line["requestId"].as_str()).collect();
    assert_eq!(request_ids.into_iter().collect::<Vec<_>>(), [answer.header("x-request-id")], "the two lines have the id of the request");
}

/// Returns what `audit-hash` prints for a ULN.
fn audit_hash(config: &ConfigDirectory, uln: &str) -> String {
    let mut command = program(&["audit-hash", "--config", &config.config_path()], &[]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("standard input is piped");
    stdin.write_all(format!("{uln}\n").as_bytes()).expect("the program reads its input");
    drop(stdin);
    let output = child.wait_with_output().expect("the program exits");
    String::from_utf8(output.stdout).expect("the output is UTF-8").trim().to_owned()
}

#[tokio::test]
async fn audit_trail_on_standard_output_is_complete_after_shutdown_and_matches_audit_hash() {
    let lrs = SimulatedLrs::start();
    let config = ConfigDirectory::new(&lrs.url());
    config.write("audit.key", KEY);
    config.configure(|text| text + "[audit]\nkey_file = \"audit.key\"\n");
    let ServingProgram { program, api, .. } = ServingProgram::start(&config);
    let caller = caller_of(&api, PROVIDER);
    for _ in 0..20 {
        caller.post(FIND, &ana()).await.expect_success();
    }
    program.terminate();
    let lines: Vec<Value> =
        program.output.iter().map(|line| serde_json::from_str(&line).expect("the output contains only the audit trail")).collect();
    assert_eq!(lines.len(), 20, "{lines:?}");
    let hash = audit_hash(&config, "3000000126");
    assert!(lines.iter().all(|line| line["ulnHashes"] == json!([hash])), "{hash}");
    program.wait_for_exit();
}

#[cfg(unix)]
#[test]
fn audit_file_missing_at_start_is_created_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let config = ConfigDirectory::new("http://127.0.0.1:1");
    config.configure(|text| text + "[audit]\nfile = \"audit.jsonl\"\n");
    let output = run(&["check-config", "--config", &config.config_path()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let file = std::fs::metadata(config.path("audit.jsonl")).expect("check-config creates the file to see that it can be written");
    assert_eq!(file.permissions().mode() & 0o777, 0o600, "user names are personal data");
}
