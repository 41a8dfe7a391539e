//! Graceful shutdown: no call fails when a gateway stops or replicas are replaced one after another.

use std::borrow::Borrow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use lrs_gateway::simulator::{Fault, FaultStep};
use serde_json::json;

use super::{FIND, UNLIMITED, admin, ana, caller, config_with, readiness_status, redis_section};
use crate::support::batches::{expect_accepted, full_registration, learners};
use crate::support::program::{ServingProgram, TestProgram};
use crate::support::redis::TestRedis;
use crate::support::{Caller, SimulatedLrs, wait_until};

/// Number of calls after which the load counts as running.
const SOME_CALLS: usize = 20;

/// Calls that go on until they are stopped. Each one must succeed.
#[derive(Default)]
struct Load {
    is_stopped: AtomicBool,
    calls: AtomicUsize,
}

impl Load {
    /// Makes calls, each by the caller that `next_caller` returns.
    async fn run<C: Borrow<Caller>>(&self, next_caller: impl Fn(usize) -> C) {
        for number in 0.. {
            if self.is_stopped.load(Ordering::Relaxed) {
                return;
            }
            let answer = next_caller(number).borrow().post(FIND, &ana()).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            self.calls.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until this many more calls have succeeded.
    async fn wait_for_calls(&self, count: usize) {
        let expected = self.call_count() + count;
        wait_until(|| self.call_count() >= expected, || format!("{expected} calls, there are {}", self.call_count())).await;
    }

    fn call_count(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }
}

/// Asserts that the program exits successfully and has stopped gracefully.
fn assert_graceful_exit(program: TestProgram) {
    let started_at = Instant::now();
    let (is_success, log) = program.wait_for_exit();
    assert!(is_success && started_at.elapsed() < Duration::from_secs(10), "{log}");
    assert!(log.contains("\"stopped\""), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_under_load_drains_and_fails_no_call() {
    let lrs = SimulatedLrs::start();
    let config = config_with(&lrs.url(), UNLIMITED);
    config.configure(|text| text.replace("drain_seconds = 0", "drain_seconds = 1"));
    let gateway = ServingProgram::start(&config);
    // The callers share kept-alive connections, as most clients do.
    let (load, client) = (Load::default(), caller(&gateway.api));
    let calls = join_all((0..8).map(|_| load.run(|_| &client)));
    let shutdown = async {
        load.wait_for_calls(SOME_CALLS).await;
        gateway.program.terminate();
        let requested_at = Instant::now();
        while readiness_status(&gateway).await == 200 {
            assert!(requested_at.elapsed() < Duration::from_secs(1), "the gateway is not ready while it drains");
        }
        load.wait_for_calls(1).await;
        assert_eq!(client.post(FIND, &ana()).await.header("connection"), "close", "clients are asked to close their connections");
        load.stop();
    };
    join(calls, shutdown).await;
    assert_graceful_exit(gateway.program);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_during_writes_of_both_workers_answers_them_first() {
    let lrs = SimulatedLrs::start();
    let config = config_with(&lrs.url(), UNLIMITED);
    config.configure(|text| text.replace("workers = 1", "workers = 2"));
    let gateway = ServingProgram::start(&config);
    let search = |family_name: &str| {
        json!({
            "givenName": "Zebedee", "familyName": family_name, "dateOfBirth": "1990-09-17", "gender": "MALE", "lastKnownPostCode": "ZZ42 4QX",
        })
    };
    // Each connection is served by the next worker. Each worker has an idle connection to LRS; that of the first has no caller any more.
    let (idle_caller, callers) = (caller(&gateway.api), [caller(&gateway.api), caller(&gateway.api)]);
    for (caller, family_name) in [(&idle_caller, "Quillfeather"), (&callers[0], "Quillfeather"), (&callers[1], "Thistlewood")] {
        let found = caller.post("/v1/learners/find-by-demographics", &search(family_name)).await.expect_success();
        assert_eq!(found["outcome"], "NO_MATCH");
    }
    drop(idle_caller);
    let latency = || FaultStep::new(Fault::Latency).for_operation("RegisterLearner").with_milliseconds(2000);
    lrs.simulator.inject_faults(vec![latency(), latency()]);

    let registrations = join_all(callers.into_iter().zip(["Quillfeather", "Thistlewood"]).map(|(caller, family_name)| {
        let mut learner = search(family_name);
        (learner["verificationType"], learner["abilityToShare"]) = (json!("PASSPORT"), json!("SEEN_SHARE"));
        async move { caller.post("/v1/learners/register", &json!({"learner": learner})).await }
    }));
    let shutdown = async {
        wait_until(|| lrs.simulator.request_count("RegisterLearner") == 2, || "the registrations at LRS".into()).await;
        gateway.program.terminate();
    };
    for answer in join(registrations, shutdown).await.0 {
        assert_eq!((answer.status, &answer.json()["outcome"]), (201, &json!("REGISTERED")), "{}", answer.text);
    }
    assert_graceful_exit(gateway.program);
}

/// Replaces a replica as a load balancer does: the old one gets no more calls as soon as it is not ready; the new one gets calls when it is
/// ready. Waits until the old one has exited.
async fn replace_replica(replica: &mut ServingProgram, new: ServingProgram, route_calls_to_new: impl FnOnce()) {
    // Callers are created before the shutdown: that takes time on a busy machine, and the old replica drains for one second only.
    let (admin_of_old, admin_of_new) = (admin(replica), admin(&new));
    replica.program.terminate();
    while admin_of_old.request("GET", "/health/ready").await.status == 200 {}
    assert_eq!(admin_of_new.request("GET", "/health/ready").await.status, 200);
    route_calls_to_new();
    let old = std::mem::replace(replica, new);
    // On another thread, so that the load goes on.
    let exit = tokio::task::spawn_blocking(|| old.program.wait_for_exit());
    let (is_success, log) = exit.await.expect("the wait does not panic");
    assert!(is_success, "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_of_replicas_one_after_another_fails_no_call_and_completes_batch() {
    let (lrs, redis) = (SimulatedLrs::start(), TestRedis::start());
    lrs.simulator.set_job_duration(Duration::from_millis(300));
    let batches = "[batches]\ninitial_poll_interval_seconds = 1\nmax_poll_interval_seconds = 1\nlease_seconds = 2\n";
    let config = config_with(&lrs.url(), &format!("{}{UNLIMITED}{batches}", redis_section(&redis)));
    config.configure(|text| text.replace("drain_seconds = 0", "drain_seconds = 1"));
    // On a busy machine the simulated LRS is slow. No call may fail because it waits too long for a permit.
    config.add_lrs_settings("max_concurrent_calls_per_organisation = 32");
    let mut replicas = [ServingProgram::start(&config), ServingProgram::start(&config)];
    let first_caller = caller(&replicas[0].api);
    let answer = first_caller.post("/v1/registration-batches", &full_registration(&learners(3000))).await;
    let batch_path = expect_accepted(&first_caller, &answer).path;

    // Each call has its own connection: a load balancer may choose another replica for each call.
    let client = crate::support::http_client_builder().pool_max_idle_per_host(0).build().expect("the client is created");
    let caller_of_replica = |replica: &ServingProgram| Arc::new(caller(&replica.api).with_client(client.clone()));
    let callers = Mutex::new(replicas.each_ref().map(caller_of_replica));
    let next_caller = |number: usize| Arc::clone(&callers.lock().expect("no thread panicked")[number % 2]);
    let load = Load::default();
    let calls = join_all((0..4).map(|_| load.run(next_caller)));
    let restarts = async {
        for number in [0, 1, 0, 1] {
            load.wait_for_calls(SOME_CALLS).await;
            let new = ServingProgram::start(&config);
            let new_caller = caller_of_replica(&new);
            let route_calls_to_new = || callers.lock().expect("no thread panicked")[number] = new_caller;
            replace_replica(&mut replicas[number], new, route_calls_to_new).await;
        }
        load.stop();
    };
    join(calls, restarts).await;

    assert!(load.call_count() > 50, "{} calls", load.call_count());
    let last_caller = caller(&replicas[0].api);
    let started_at = Instant::now();
    let state = loop {
        let state = last_caller.request("GET", &batch_path).await.expect_success();
        if state["status"] != "PROCESSING" && state["status"] != "SUBMITTING" {
            break state;
        }
        assert!(started_at.elapsed() < Duration::from_secs(30), "{state}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!((&state["status"], &state["progress"]["returned"]), (&json!("COMPLETE"), &json!(3000)), "{state}");
    assert_eq!(lrs.simulator.jobs().submissions().len(), 15, "every part was sent once");
}
