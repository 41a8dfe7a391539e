//! Two gateway processes, one Redis and a simulated LRS: nothing is lost and nothing doubled, whoever dies when.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lrs_gateway::simulator::SimulatorSettings;
use serde_json::{Value, json};

use crate::batches_in_redis::nothing_in_the_open;
use crate::support::batches::{learners, mis_identifiers, statuses};
use crate::support::program::{ConfigDirectory, TestProgram, run};
use crate::support::redis::TestRedis;
use crate::support::{Caller, SimulatedLrs};

const LEARNERS: usize = 6000;

/// A gateway process that can be killed and started again.
struct Replica<'s> {
    setup: &'s ConfigDirectory,
    program: TestProgram,
    url: String,
}

impl<'s> Replica<'s> {
    fn start(setup: &'s ConfigDirectory) -> Self {
        let mut program = TestProgram::start(&["serve", "--config", &setup.config()], &[]);
        let url = format!("http://{}", program.wait_for("serving")["api"].as_str().expect("an address"));
        Self { setup, program, url }
    }

    /// `kill -9`, and a new process.
    fn die_and_rise(&mut self) {
        self.program.child.kill().expect("it runs");
        let _ = self.program.child.wait();
        *self = Self::start(self.setup);
    }
}

/// Two replicas' configuration: leases and polls are short, so that the test is.
fn setup(lrs: &SimulatedLrs, redis: &TestRedis) -> ConfigDirectory {
    let setup = ConfigDirectory::new(&lrs.url());
    let sections = format!(
        "[store]\nredis_url = \"{}\"\nencryption_key_file = \"store.key\"\nkey_prefix = \"test\"\n\
         [batches]\nlease_seconds = 1\ninitial_poll_interval_seconds = 1\nmax_poll_interval_seconds = 1\n\
         [limits]\nperson_per_minute = 100000\nperson_burst = 10000\norganisation_per_minute = 100000\norganisation_burst = 10000\n",
        redis.url()
    );
    setup.configure(|config| config + &sections);
    setup.write("store.key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n");
    let organisation = std::fs::read_to_string(setup.path("organisations/10088881.toml")).expect("text");
    setup.write("organisations/10088881.toml", &organisation.replace("\"uln-management\"", "\"registration-batches\""));
    setup
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_whoever_dies() {
    let mut redis = TestRedis::persistent();
    let lrs = SimulatedLrs::with(&SimulatorSettings { latency_milliseconds: 120, ..SimulatorSettings::default() });
    lrs.simulator.set_job_duration(Duration::from_secs(1));
    let setup = setup(&lrs, &redis);
    let mut replicas = [Replica::start(&setup), Replica::start(&setup)];
    let token = run(&["token", "--config", &setup.config(), "--organisation", "10088881", "--user", "j.bloggs"]);
    let token = String::from_utf8(token.stdout).expect("text").trim().to_owned();
    let caller = |replica: &Replica<'_>| Caller::new(replica.url.clone()).with_token(&token);

    let learners = learners(LEARNERS);
    lrs.simulator.lose_answers("SubmitBatch", 1);
    let accepted = caller(&replicas[0]).post("/v1/registration-batches", &json!({"jobType": "FULL", "learners": learners})).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let path = accepted.header("location").to_owned();
    for round in 0..6 {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(50..500))).await;
        replicas[round % 2].die_and_rise();
        if round == 2 {
            redis.kill();
            tokio::time::sleep(Duration::from_millis(fastrand::u64(50..500))).await;
            redis.restart();
        }
    }

    // Whatever was in the air when somebody died waits for a decision; everything else comes to its end by itself.
    let started = Instant::now();
    let paused = loop {
        let answer = caller(&replicas[0]).request("GET", &path).await;
        let state = answer.json();
        if answer.status == 200 && ["PAUSED", "COMPLETE"].contains(&state["status"].as_str().unwrap_or_default()) {
            break state;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "it does not come to rest: {state}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let unconfirmed: Vec<usize> =
        statuses(&paused).iter().enumerate().filter(|(_, status)| **status == "UNCONFIRMED").map(|(at, _)| at).collect();
    assert!((1..LEARNERS / 200).contains(&unconfirmed.len()), "at least the part whose answer was made to be lost: {paused}");
    nothing_in_the_open(&redis, &["Quillfeather", "ZZ42 4QX", "1990-09-17", "Zebaaaaa", "STU-1", "j.bloggs"].map(str::to_owned));
    for at in &unconfirmed {
        let decided = caller(&replicas[1]).request("POST", &format!("{path}/parts/{}/discard", at + 1)).await;
        assert_eq!(decided.status, 202, "{}", decided.text);
    }

    let answer = caller(&replicas[1]).with_header("Accept", "application/x-ndjson").request("GET", &format!("{path}/results")).await;
    assert_eq!(answer.header("batch-status"), "PARTIALLY_COMPLETE");
    let results: Vec<Value> = answer.text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(mis_identifiers(&results), mis_identifiers(&learners), "every learner has one result, in order");
    let mut ulns = std::collections::BTreeSet::new();
    for (position, (row, learner)) in results.iter().zip(&learners).enumerate() {
        assert_eq!(row["position"], position);
        if unconfirmed.contains(&(position / 200)) {
            assert_eq!(row["outcome"], "NOT_PROCESSED", "{row}");
        } else {
            assert_eq!((&row["outcome"], &row["learner"]["givenName"]), (&json!("ULN_RETURNED"), &learner["givenName"]), "{row}");
            assert!(ulns.insert(row["uln"].as_str().expect("a ULN").to_owned()), "nobody has another's ULN: {row}");
        }
    }

    // LRS has seen each part once; of those that are unconfirmed, once or never.
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for submission in lrs.simulator.jobs().submissions() {
        *seen.entry(submission.mis_identifiers[0].clone()).or_default() += 1;
    }
    for at in 0..LEARNERS / 200 {
        let times = seen.get(&format!("STU-{}", at * 200)).copied().unwrap_or(0);
        assert!(times == 1 || (times == 0 && unconfirmed.contains(&at)), "LRS has seen part {} {times} times", at + 1);
    }
    nothing_in_the_open(&redis, &ulns.into_iter().take(50).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_asked_to_end_waits_for_the_answers_to_what_was_sent() {
    let redis = TestRedis::persistent();
    let lrs = SimulatedLrs::with(&SimulatorSettings { latency_milliseconds: 700, ..SimulatorSettings::default() });
    lrs.simulator.set_job_duration(Duration::ZERO);
    let setup = setup(&lrs, &redis);
    let first = Replica::start(&setup);
    let token = run(&["token", "--config", &setup.config(), "--organisation", "10088881", "--user", "j.bloggs"]);
    let token = String::from_utf8(token.stdout).expect("text").trim().to_owned();
    let body = json!({"jobType": "FULL", "learners": learners(1000)});
    let accepted = Caller::new(first.url.clone()).with_token(&token).post("/v1/registration-batches", &body).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let started = Instant::now();
    while lrs.simulator.jobs().submissions().is_empty() {
        assert!(started.elapsed() < Duration::from_secs(10), "nothing is sent");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // LRS has done it, and takes its time to say so.
    first.program.terminate();
    let (succeeded, said) = tokio::task::spawn_blocking(|| first.program.end()).await.expect("no panic");
    assert!(succeeded, "{said}");
    assert!(lrs.simulator.jobs().submissions().len() <= 2, "nothing more was begun");
    let second = Replica::start(&setup);
    let caller = Caller::new(second.url.clone()).with_token(&token).with_header("Prefer", "wait=30");
    let state = caller.request("GET", accepted.header("location")).await.expect_success();
    assert_eq!(state["status"], "COMPLETE", "{state}");
    assert_eq!(lrs.simulator.jobs().submissions().len(), 5);
}
