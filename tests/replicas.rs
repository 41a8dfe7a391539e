//! Two gateway processes, one Redis and a simulated LRS: no record is lost or sent twice when processes are killed or shut down.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::{Duration, Instant};

use lrs_gateway::simulator::SimulatorSettings;
use serde_json::{Value, json};

use crate::support::batch_backend::KEY;
use crate::support::batches::{full_registration, learners, mis_identifiers};
use crate::support::program::{ConfigDirectory, TestProgram, run};
use crate::support::redis::TestRedis;
use crate::support::{Caller, SimulatedLrs, wait_until};

const BATCHES: &str = "/v1/registration-batches";
/// Number of records in a part.
const PART_SIZE: usize = 200;

/// A gateway process that can be killed and started again.
struct Replica<'s> {
    setup: &'s ConfigDirectory,
    program: TestProgram,
    url: String,
}

impl<'s> Replica<'s> {
    fn start(setup: &'s ConfigDirectory) -> Self {
        let mut program = TestProgram::start(&["serve", "--config", &setup.config_path()], &[]);
        let url = format!("http://{}", program.wait_for_log("serving")["api"].as_str().expect("the log line has the address"));
        Self { setup, program, url }
    }

    /// Kills the process with SIGKILL and starts a new one.
    fn kill_and_restart(&mut self) {
        self.program.child.kill().expect("the program runs");
        let _ = self.program.child.wait();
        *self = Self::start(self.setup);
    }

    fn caller(&self, token: &str) -> Caller {
        Caller::new(self.url.clone()).with_token(token)
    }
}

/// Writes the configuration of the replicas. Leases and poll intervals are short, to keep the test short.
fn configure(lrs: &SimulatedLrs, redis: &TestRedis) -> ConfigDirectory {
    let setup = ConfigDirectory::new(&lrs.url());
    let sections = format!(
        "[store]\nredis_url = \"{}\"\nencryption_key_file = \"store.key\"\nkey_prefix = \"test\"\n\
         [batches]\nlease_seconds = 1\nreconciliation_delay_seconds = 1\ninitial_poll_interval_seconds = 1\nmax_poll_interval_seconds = 1\n\
         [limits]\nperson_per_minute = 100000\nperson_burst = 10000\norganisation_per_minute = 100000\norganisation_burst = 10000\n",
        redis.url()
    );
    setup.configure(|config| config + &sections);
    setup.write("store.key", KEY);
    let organisation = std::fs::read_to_string(setup.path("organisations/10088881.toml")).expect("the file exists");
    setup.write("organisations/10088881.toml", &organisation.replace("\"uln-management\"", "\"registration-batches\""));
    setup
}

/// Creates a token with the command `token`.
fn create_token(setup: &ConfigDirectory) -> String {
    let output = run(&["token", "--config", &setup.config_path(), "--organisation", "10088881", "--user", "j.bloggs"]);
    String::from_utf8(output.stdout).expect("a token is text").trim().to_owned()
}

/// Submits a batch and returns its path.
async fn submit(caller: &Caller, learners: &[Value]) -> String {
    let answer = caller.post(BATCHES, &full_registration(learners)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.location()
}

async fn sleep_at_random(milliseconds: Range<u64>) {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(milliseconds))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_replicas_and_redis_lose_and_duplicate_no_record() {
    let mut redis = TestRedis::persistent();
    let lrs = start_lrs();
    lrs.simulator.lose_answers("SubmitBatch", 1);
    let setup = configure(&lrs, &redis);
    let token = create_token(&setup);
    let mut replicas = [Replica::start(&setup), Replica::start(&setup)];
    let learners = learners(6000);
    let path = submit(&replicas[0].caller(&token), &learners).await;

    for round in 0..6 {
        sleep_at_random(50..500).await;
        replicas[round % 2].kill_and_restart();
        if round == 2 {
            redis.kill();
            sleep_at_random(50..500).await;
            redis.restart();
        }
    }

    let callers = replicas.each_ref().map(|replica| replica.caller(&token));
    let state = wait_for_settled_parts(&callers[0], &path).await;
    let is_reconciled = |part: &&Value| part["status"] == "COMPLETE" && part["reconciliation"]["registered"] == PART_SIZE;
    let reconciled = state["parts"].as_array().expect("parts").iter().filter(is_reconciled).count();
    assert!(reconciled >= 1, "at least the part whose response was lost: {state}");
    redis.assert_contains_none_of(&["Quillfeather", "ZZ42 4QX", "1990-09-17", "Zebaaaaa", "STU-1", "j.bloggs"].map(str::to_owned));
    let unconfirmed = assert_only_what_lrs_does_not_have_is_unconfirmed(&lrs, &state);
    for index in &unconfirmed {
        let answer = callers[1].request("POST", &format!("{path}/parts/{}/discard", index + 1)).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
    }
    let ulns = assert_one_result_per_learner(callers[1].clone(), &path, &learners, &unconfirmed).await;
    redis.assert_contains_none_of(&ulns);
}

/// What is left to a person after random kills is what LRS never received. The rest is reconciled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_kills_leave_to_a_person_only_what_lrs_does_not_have() {
    for _ in 0..2 {
        let (redis, lrs) = (TestRedis::persistent(), start_lrs());
        let setup = configure(&lrs, &redis);
        let token = create_token(&setup);
        let mut replicas = [Replica::start(&setup), Replica::start(&setup)];
        let learners = learners(2400);
        let path = submit(&replicas[0].caller(&token), &learners).await;
        for round in 0..4 {
            sleep_at_random(50..400).await;
            replicas[round % 2].kill_and_restart();
        }

        let caller = replicas[0].caller(&token);
        let state = wait_for_settled_parts(&caller, &path).await;
        let unconfirmed = assert_only_what_lrs_does_not_have_is_unconfirmed(&lrs, &state);

        // No learner is registered twice if the person sends these parts again.
        for index in &unconfirmed {
            let answer = caller.request("POST", &format!("{path}/parts/{}/resubmit", index + 1)).await;
            assert_eq!(answer.status, 202, "{}", answer.text);
        }
        let state = caller.clone().with_header("Prefer", "wait=30").request("GET", &path).await.expect_success();
        assert_eq!(state["status"], "COMPLETE", "{state}");
        assert_one_result_per_learner(caller, &path, &learners, &[]).await;
        assert_only_what_lrs_does_not_have_is_unconfirmed(&lrs, &state);
    }
}

/// Starts an LRS that needs a moment for each call and each job.
fn start_lrs() -> SimulatedLrs {
    let lrs = SimulatedLrs::with(&SimulatorSettings { latency_milliseconds: 120, ..SimulatorSettings::default() });
    lrs.simulator.set_job_duration(Duration::from_millis(500));
    lrs
}

/// Waits until only parts remain that need a decision, and returns the state.
async fn wait_for_settled_parts(caller: &Caller, path: &str) -> Value {
    let started_at = Instant::now();
    loop {
        let answer = caller.request("GET", path).await;
        let state = answer.json();
        if answer.status == 200 && ["PAUSED", "COMPLETE"].contains(&state["status"].as_str().unwrap_or_default()) {
            return state;
        }
        assert!(started_at.elapsed() < Duration::from_secs(60), "the batch does not settle: {state}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Asserts that LRS has received each complete part once and no unconfirmed part, and that the unconfirmed parts have evidence for it.
/// Returns the indices of the unconfirmed parts.
fn assert_only_what_lrs_does_not_have_is_unconfirmed(lrs: &SimulatedLrs, state: &Value) -> Vec<usize> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for registration in lrs.registration_jobs("FUL") {
        *counts.entry(registration[0].clone()).or_default() += 1;
    }
    let mut unconfirmed = Vec::new();
    for (index, part) in state["parts"].as_array().expect("the state has parts").iter().enumerate() {
        let count = counts.get(&format!("STU-{}", index * PART_SIZE)).copied().unwrap_or(0);
        if part["status"] == "UNCONFIRMED" {
            assert_eq!(count, 0, "a CHECK job has not found learners that are registered: {part}");
            let missing = part["reconciliation"]["notRegisteredPositions"].as_array().map(Vec::len);
            assert_eq!(missing, Some(PART_SIZE), "{part}");
            unconfirmed.push(index);
        } else {
            assert_eq!((&part["status"], count), (&json!("COMPLETE"), 1), "{part}");
        }
    }
    unconfirmed
}

/// Asserts that every learner has exactly one result, in order. Returns the ULNs.
async fn assert_one_result_per_learner(caller: Caller, path: &str, learners: &[Value], discarded: &[usize]) -> Vec<String> {
    let answer = caller.request("GET", &format!("{path}/results.ndjson")).await;
    assert_eq!(answer.header("batch-status"), if discarded.is_empty() { "COMPLETE" } else { "PARTIALLY_COMPLETE" });
    let results: Vec<Value> = answer.text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert_eq!(mis_identifiers(&results), mis_identifiers(learners));
    let mut ulns = BTreeSet::new();
    for (position, (row, learner)) in results.iter().zip(learners).enumerate() {
        assert_eq!(row["position"], position);
        if discarded.contains(&(position / PART_SIZE)) {
            assert_eq!(row["outcome"], "NOT_PROCESSED", "{row}");
        } else {
            assert_eq!((&row["outcome"], &row["learner"]["givenName"]), (&json!("ULN_RETURNED"), &learner["givenName"]), "{row}");
            assert!(ulns.insert(row["uln"].as_str().expect("the result has a ULN").to_owned()), "two learners have the same ULN: {row}");
        }
    }
    ulns.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn graceful_shutdown_waits_for_responses_to_parts_that_were_sent() {
    let redis = TestRedis::persistent();
    let lrs = SimulatedLrs::with(&SimulatorSettings { latency_milliseconds: 700, ..SimulatorSettings::default() });
    lrs.simulator.set_job_duration(Duration::ZERO);
    let setup = configure(&lrs, &redis);
    let token = create_token(&setup);
    let first = Replica::start(&setup);
    let path = submit(&first.caller(&token), &learners(1000)).await;
    wait_until(|| !lrs.simulator.jobs().submissions().is_empty(), || "a submission".to_owned()).await;

    // LRS has executed the submission, and delays its response.
    first.program.terminate();
    let (succeeded, log) = tokio::task::spawn_blocking(|| first.program.wait_for_exit()).await.expect("the task does not panic");
    assert!(succeeded, "{log}");
    assert!(lrs.simulator.jobs().submissions().len() <= 2, "no further part was sent");

    let second = Replica::start(&setup);
    let state = second.caller(&token).with_header("Prefer", "wait=30").request("GET", &path).await.expect_success();
    assert_eq!(state["status"], "COMPLETE", "{state}");
    assert_eq!(lrs.simulator.jobs().submissions().len(), 5);
}
