//! Idempotency keys that replicas share through Redis.

use std::time::{Duration, Instant};

use lrs_gateway::idempotency::ReservationTimes;
use lrs_gateway::simulator::{Fault, FaultStep};
use serde_json::json;

use super::{BATCHES, ENCRYPTION_KEY, KEY, OBTAIN, batch, is_replayed, nia};
use crate::support::caller::{Caller, PROVIDER};
use crate::support::gateway::Options;
use crate::support::program::{ConfigDirectory, ServingProgram, caller_of};
use crate::support::redis::TestRedis;
use crate::support::tcp_proxy::TcpProxy;
use crate::support::{SimulatedLrs, TestGateway, wait_until};

fn start_replica(lrs: &SimulatedLrs, redis: &TestRedis) -> TestGateway {
    TestGateway::with(&lrs.url(), Options { storage: redis.storage(ENCRYPTION_KEY), ..Options::default() })
}

fn caller_with_key(gateway: &TestGateway) -> Caller {
    gateway.caller().with_header("Idempotency-Key", KEY)
}

#[tokio::test]
async fn idempotency_key_at_another_replica_replays_answer_and_redis_contains_no_personal_data() {
    let (redis, lrs) = (TestRedis::start(), SimulatedLrs::start());
    let (first_replica, second_replica) = (start_replica(&lrs, &redis), start_replica(&lrs, &redis));

    let first = caller_with_key(&first_replica).post(OBTAIN, &nia()).await;
    let repeated = caller_with_key(&second_replica).post(OBTAIN, &nia()).await;
    assert_eq!((first.status, repeated.status, is_replayed(&repeated)), (201, 201, true), "{}", repeated.text);
    assert_eq!(first.text, repeated.text);
    let accepted = caller_with_key(&first_replica).post(BATCHES, &batch()).await;
    let repeated = caller_with_key(&second_replica).post(BATCHES, &batch()).await;
    assert_eq!((repeated.status, is_replayed(&repeated), repeated.text), (202, true, accepted.text));

    let uln = first.json()["uln"].as_str().expect("the result has a ULN").to_owned();
    let dump = String::from_utf8_lossy(&redis.dump()).into_owned();
    assert!(dump.contains("once:"), "Redis contains the entries of the keys");
    for personal in ["Niamh-Rose", "Thistlewood", "2007-11-30", "ZZ7 7JJ", KEY, "j.bloggs", uln.as_str()] {
        assert!(!dump.contains(personal), "{personal}");
    }
}

#[tokio::test]
async fn idempotency_key_concurrent_requests_at_three_replicas_are_executed_once() {
    let (redis, lrs) = (TestRedis::start(), SimulatedLrs::start());
    let replicas: Vec<TestGateway> = (0..3).map(|_| start_replica(&lrs, &redis)).collect();
    let callers: Vec<Caller> = replicas.iter().cycle().take(30).map(caller_with_key).collect();
    let registration = nia();
    let answers = futures_util::future::join_all(callers.iter().map(|caller| caller.post(OBTAIN, &registration))).await;
    let executed = answers.iter().filter(|answer| answer.status == 201 && !is_replayed(answer)).count();
    assert_eq!(executed, 1, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.json()["code"] == "idempotency_key_in_use"));
    assert_eq!(lrs.simulator.request_count("RegisterLearner"), 1);
}

#[tokio::test]
async fn idempotency_key_without_redis_returns_store_unavailable_and_writes_without_key_succeed() {
    let (mut redis, lrs) = (TestRedis::start(), SimulatedLrs::start());
    let gateway = start_replica(&lrs, &redis);
    redis.kill();
    let problem = caller_with_key(&gateway).post(OBTAIN, &nia()).await.problem(503, "store_unavailable");
    assert_eq!((&problem["retryable"], problem["retryAfterSeconds"].is_u64()), (&json!(true), true));
    assert_eq!(lrs.simulator.request_count("FindLearnerByDemographics"), 0, "nothing was sent");
    assert_eq!(gateway.caller().post(OBTAIN, &nia()).await.status, 201, "a write without a key does not need Redis");

    redis.restart();
    let started_at = Instant::now();
    let mut answer = caller_with_key(&gateway).post(OBTAIN, &nia()).await;
    while answer.status == 503 {
        assert!(started_at.elapsed() < Duration::from_secs(20), "timed out waiting for the store: {}", answer.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
        answer = caller_with_key(&gateway).post(OBTAIN, &nia()).await;
    }
    assert_eq!(answer.expect_success()["outcome"], "EXISTING");
}

#[tokio::test]
async fn idempotency_key_reservation_not_renewed_before_the_write_prevents_the_write() {
    let (redis, lrs) = (TestRedis::start(), SimulatedLrs::start());
    let proxy = TcpProxy::in_front_of(&lrs.url());
    let [lease, renewal_interval, takeover_delay] = [600, 100, 300].map(Duration::from_millis);
    let reservation_times = ReservationTimes { lease, renewal_interval, takeover_delay };
    let options = Options { storage: redis.storage(ENCRYPTION_KEY), reservation_times, ..Options::default() };
    let gateway = TestGateway::with(&proxy.url(), options);
    proxy.hold_requests("FindLearnerByDemographics");
    let caller = caller_with_key(&gateway);
    let call = tokio::spawn(async move { caller.post(OBTAIN, &nia()).await });
    proxy.wait_until_held("FindLearnerByDemographics", 1).await;
    let _: String = redis.query(&["CLIENT", "PAUSE", "1500", "ALL"]);
    tokio::time::sleep(lease + Duration::from_millis(50)).await;
    proxy.release_all();
    let problem = call.await.expect("the call ends").problem(409, "idempotency_key_in_use");
    assert_eq!((&problem["retryable"], problem["retryAfterSeconds"].is_u64()), (&json!(true), true));
    assert_eq!(problem["outcomeUnknown"], json!(null), "{problem}");
    assert_eq!(lrs.simulator.request_count("RegisterLearner"), 0, "nothing was sent");

    let started_at = Instant::now();
    let mut answer = caller_with_key(&gateway).post(OBTAIN, &nia()).await;
    while answer.status != 201 {
        assert!(started_at.elapsed() < Duration::from_secs(20), "timed out waiting for the registration: {}", answer.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
        answer = caller_with_key(&gateway).post(OBTAIN, &nia()).await;
    }
    assert_eq!(lrs.simulator.request_count("RegisterLearner"), 1);
}

#[test]
fn idempotency_key_stays_in_progress_while_its_request_runs_and_is_free_within_ten_seconds_of_a_kill() {
    let (redis, lrs) = (TestRedis::start(), SimulatedLrs::start());
    lrs.simulator.inject_faults(vec![FaultStep::new(Fault::Latency).for_operation("RegisterLearner").with_milliseconds(30_000).times(1)]);
    let directory = ConfigDirectory::new(&lrs.url());
    directory.write("store.key", ENCRYPTION_KEY);
    let store = format!("[store]\nredis_url = \"{}\"\nencryption_key_file = \"store.key\"\n", redis.url());
    directory.configure(|config| config.replace("[lrs]", &format!("{store}[lrs]\ntimeout_seconds = 40")));
    let (killed, other) = (ServingProgram::start(&directory), ServingProgram::start(&directory));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("the runtime starts");
    runtime.block_on(async {
        let first = caller_of(&killed.api, PROVIDER).with_header("Idempotency-Key", KEY);
        let first = tokio::spawn(async move { first.post(OBTAIN, &nia()).await });
        wait_until(|| lrs.simulator.executed_count("RegisterLearner") > 0, || "the registration at LRS".into()).await;
        let caller = caller_of(&other.api, PROVIDER).with_header("Idempotency-Key", KEY);
        // Without a renewal, the reservation would have expired, and this request would take it over.
        tokio::time::sleep(ReservationTimes::default().lease + Duration::from_millis(500)).await;
        caller.post(OBTAIN, &nia()).await.problem(409, "idempotency_key_in_use");

        killed.program.kill();
        let killed_at = Instant::now();
        let mut answer = caller.post(OBTAIN, &nia()).await;
        while answer.status == 409 {
            tokio::time::sleep(Duration::from_millis(700)).await;
            answer = caller.post(OBTAIN, &nia()).await;
        }
        assert!(killed_at.elapsed() < Duration::from_secs(10), "{:?}", killed_at.elapsed());
        // The other replica has searched first: LRS had carried out the registration.
        assert_eq!(answer.expect_success()["outcome"], "EXISTING");
        assert_eq!(lrs.simulator.executed_count("RegisterLearner"), 1);
        first.abort();
    });
}
