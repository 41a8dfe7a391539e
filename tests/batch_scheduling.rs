//! When a batch is processed next, and when its caller should read it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lrs_gateway::batches::BatchSettings;
use lrs_gateway::batches::model::{BatchId, EpochMillis, Rank};
use lrs_gateway::batches::repository::Place;
use lrs_gateway::domain::Product;
use lrs_gateway::simulator::SimulatorSettings;
use serde_json::json;

use crate::support::batch_backend::{BatchBackend, KEY, adopted_job, claim_limits, test_each_backend};
use crate::support::batches::{batch_output_response, full_registration, learners, submit, submit_batch_response};
use crate::support::caller::PROVIDER;
use crate::support::fake_server::Reply;
use crate::support::gateway::{AWARDING, Options, fast_batches, organisation};
use crate::support::{FakeServer, SimulatedLrs, TestGateway, wait_until};

const BATCHES: &str = "/v1/registration-batches";
/// A registration job of the simulator's portal. Its results are available at once.
const PORTAL_JOB: i64 = 800_001;
/// Time after which a due batch that no worker has visited counts as lost from the queue, in addition to the lease.
const QUEUE_ENTRY_GRACE_SECONDS: u64 = 10 * 60;
/// Time after which a batch that awaits a decision is due again.
const RECHECK_INTERVAL_SECONDS: u64 = 6 * 60 * 60;

test_each_backend!(
    overdue_batch_without_queue_entry_is_woken_when_read,
    overdue_batch_in_the_queue_keeps_its_place_when_read,
    paused_batch_is_due_again_after_six_hours,
    retry_after_follows_the_due_time_within_its_limits,
    small_batch_does_not_wait_for_large_batches_of_its_organisation,
    small_batch_does_not_wait_for_large_batches_of_other_organisations_that_occupy_the_worker,
    new_batch_does_not_wait_for_polls_of_a_thousand_unfinished_jobs,
);

/// Stores an adopted job that became due at this time, without an entry in the queue: no worker visits it.
async fn create_unqueued(backend: &BatchBackend, due_at: EpochMillis) -> BatchId {
    let now = backend.repository.now().await.expect("the repository responds");
    let new = adopted_job(PROVIDER, PORTAL_JOB, now, due_at);
    let id = new.batch.id;
    backend.repository.create(&new).await.expect("the batch is created");
    for claimed in backend.repository.claim(Duration::from_secs(30), &claim_limits(10)).await.expect("the batch is claimed").batches {
        backend.repository.release(claimed.lease, None).await.expect("the lease is released");
    }
    assert_eq!(unfinished_count(backend).await, 0, "the queue is empty");
    id
}

/// Returns the number of batches in the queue.
async fn unfinished_count(backend: &BatchBackend) -> usize {
    backend.repository.backlog().await.expect("the repository responds").unfinished
}

fn seconds_before(time: EpochMillis, seconds: u64) -> EpochMillis {
    EpochMillis(time.0 - i64::try_from(seconds * 1000).expect("the time is short"))
}

async fn overdue_batch_without_queue_entry_is_woken_when_read(backend: BatchBackend) {
    let lrs = SimulatedLrs::start();
    let now = EpochMillis::now();
    let lost_after_seconds = QUEUE_ENTRY_GRACE_SECONDS + fast_batches().lease.as_secs();
    let late = create_unqueued(&backend, seconds_before(now, lost_after_seconds - 60)).await;
    let overdue = create_unqueued(&backend, seconds_before(now, lost_after_seconds + 1)).await;
    let gateway = TestGateway::with(&lrs.url(), backend.options(KEY));
    let caller = gateway.caller();
    let read = async |id: BatchId| caller.request("GET", &format!("{BATCHES}/{id}")).await.expect_success();

    assert_eq!(read(late).await["status"], "PROCESSING");
    assert_eq!(unfinished_count(&backend).await, 0, "a batch that is late but not overdue is not woken");

    let started_at = Instant::now();
    while read(overdue).await["status"] != "COMPLETE" {
        assert!(started_at.elapsed() < Duration::from_secs(20), "no worker visits the overdue batch");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(read(late).await["status"], "PROCESSING");
}

async fn overdue_batch_in_the_queue_keeps_its_place_when_read(backend: BatchBackend) {
    let now = backend.repository.now().await.expect("the repository responds");
    let due_at = seconds_before(now, 2 * QUEUE_ENTRY_GRACE_SECONDS);
    let polled = adopted_job(PROVIDER, PORTAL_JOB, now, due_at);
    let sent = adopted_job(PROVIDER, PORTAL_JOB, now, due_at);
    for new in [&polled, &sent] {
        backend.repository.create(new).await.expect("the batch is created");
    }
    for claimed in backend.repository.claim(Duration::from_secs(30), &claim_limits(10)).await.expect("the batch is claimed").batches {
        let (parts_to_send, due_at) = if claimed.lease.id == polled.batch.id { (0, due_at) } else { (1, now) };
        let organisation = claimed.organisation.expect("the organisation is known");
        let place = Place { organisation, rank: Rank::of_sending(parts_to_send) };
        backend.repository.release_to(claimed.lease, due_at, &place).await.expect("the lease is released");
    }
    let visits_nothing = BatchSettings { max_concurrent_batches: 0, ..fast_batches() };
    let gateway = TestGateway::with("http://127.0.0.1:1", Options { batches: visits_nothing, ..backend.options(KEY) });

    gateway.caller().request("GET", &format!("{BATCHES}/{}", polled.batch.id)).await.expect_success();

    let claim = backend.repository.claim(Duration::from_secs(30), &claim_limits(1)).await.expect("the repository responds");
    assert_eq!(claim.batches[0].lease.id, sent.batch.id, "the batch with a part to send comes first, as before");
}

async fn paused_batch_is_due_again_after_six_hours(backend: BatchBackend) {
    let lrs = SimulatedLrs::with_instant_jobs();
    lrs.lose_requests("SubmitBatch", 1);
    let gateway = TestGateway::with(&lrs.url(), backend.options(KEY));
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &full_registration(&learners(1))).await;
    batch.wait_for_status("PAUSED").await;

    // The worker releases the batch shortly after it has stored the status. Until then, the next time is the end of the lease.
    let started_at = Instant::now();
    let until_recheck = loop {
        let queue = backend.peek_queue().await;
        let until_next = queue.next.map(|next| next.since(queue.now));
        if let Some(until_next) = until_next.filter(|time| *time > Duration::from_secs(60)) {
            break until_next;
        }
        assert!(started_at.elapsed() < Duration::from_secs(10), "the batch is not due again: {until_next:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!((RECHECK_INTERVAL_SECONDS - 60..=RECHECK_INTERVAL_SECONDS).contains(&until_recheck.as_secs()), "{until_recheck:?}");

    assert_eq!(batch.decide(1, "discard").await.status, 202);
    let started_at = Instant::now();
    while let Some(next) = backend.peek_queue().await.next {
        assert!(started_at.elapsed() < Duration::from_secs(10), "the finished batch is still due, at {next}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn retry_after_follows_the_due_time_within_its_limits(backend: BatchBackend) {
    let now = EpochMillis::now();
    let mut cases = Vec::new();
    for (due_at, expected) in [
        (seconds_before(now, 60), 5..=5),
        (seconds_before(now, 1), 5..=5),
        (now.after(Duration::from_secs(60)), 50..=60),
        (now.after(Duration::from_secs(330)), 300..=300),
        (now.after(Duration::from_secs(24 * 60 * 60)), 300..=300),
    ] {
        cases.push((create_unqueued(&backend, due_at).await, due_at, expected));
    }
    let gateway = TestGateway::with("http://127.0.0.1:1", backend.options(KEY));
    let caller = gateway.caller();
    for (id, due_at, expected) in cases {
        let answer = caller.request("GET", &format!("{BATCHES}/{id}")).await;
        let retry_after = answer.expect_success()["retryAfterSeconds"].as_u64().expect("an unfinished batch has a time");
        assert!(expected.contains(&retry_after), "due at {due_at}: {retry_after}, expected {expected:?}");
        assert_eq!(answer.header("retry-after"), retry_after.to_string());
    }
}

#[tokio::test]
async fn slow_batches_of_one_organisation_do_not_delay_another_organisation() {
    let lrs = SimulatedLrs::with(&SimulatorSettings { latency_milliseconds: 300, ..SimulatorSettings::default() });
    lrs.simulator.set_job_duration(Duration::ZERO);
    let products = [Product::RegistrationBatches];
    let organisations = vec![organisation(PROVIDER, "demo-password-01", &products), organisation(AWARDING, "demo-password-02", &products)];
    let gateway = TestGateway::with(&lrs.url(), Options { organisations, ..Options::default() });
    let busy = gateway.caller();
    let other = gateway.caller().with_claims(json!({"org": AWARDING}));
    for _ in 0..40 {
        submit(&busy, "registration-batches", &full_registration(&learners(1))).await;
    }

    // The simulator rejects registrations of the other organisation: its part fails, but soon.
    let batch = submit(&other, "registration-batches", &full_registration(&learners(1))).await;
    let started_at = Instant::now();
    batch.wait_for_status("FAILED").await;
    assert!(started_at.elapsed() < Duration::from_secs(3), "{:?}", started_at.elapsed());
}

async fn small_batch_does_not_wait_for_large_batches_of_its_organisation(backend: BatchBackend) {
    let lrs = SimulatedLrs::with(&SimulatorSettings { latency_milliseconds: 150, ..SimulatorSettings::default() });
    let gateway = TestGateway::with(&lrs.url(), backend.options(KEY));
    let caller = gateway.caller();
    let jobs = || lrs.simulator.request_count("SubmitBatch");
    // 48 parts of 200 learners at most.
    let large = full_registration(&learners(801));
    let mut large_batches = Vec::new();
    for _ in 0..8 {
        large_batches.push(submit(&caller, "registration-batches", &large).await);
    }
    let jobs_before = jobs();
    let small = submit(&caller, "registration-batches", &full_registration(&learners(1))).await;
    small.wait_for_state("sent", |state| state["status"] != "ACCEPTED" && state["status"] != "SUBMITTING").await;
    let jobs_between = jobs() - jobs_before;
    assert!(jobs_before < 30, "the large batches are not sent yet: {jobs_before} of 40 parts");
    assert!(jobs_between <= 8, "{jobs_between} parts were sent before the small batch");
    // Every large batch has its turn, too.
    for batch in &large_batches {
        batch.wait_for_state("sent", |state| state["status"] != "ACCEPTED" && state["status"] != "SUBMITTING").await;
    }
}

/// The worker has one visit for each of the other organisations.
async fn small_batch_does_not_wait_for_large_batches_of_other_organisations_that_occupy_the_worker(backend: BatchBackend) {
    const SMALL: &str = "10055553";
    const PARTS: usize = 10;
    let (is_held, arrived) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let (hold, counter) = (Arc::clone(&is_held), Arc::clone(&arrived));
    let lrs = FakeServer::start(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(20));
        while hold.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        Reply::Bytes(submit_batch_response("<ResponseCode>WSRC0007</ResponseCode><JobID>700</JobID>"))
    });
    let organisations = [PROVIDER, AWARDING, SMALL].map(|ukprn| organisation(ukprn, "demo-password-01", &[Product::RegistrationBatches]));
    let batches = BatchSettings { max_concurrent_batches: 2, ..fast_batches() };
    let options = Options { organisations: organisations.into(), batches, ..backend.options(KEY) };
    let gateway = TestGateway::with(&lrs.url(), options);
    let callers = [PROVIDER, AWARDING, SMALL].map(|ukprn| gateway.caller().with_claims(json!({"org": ukprn})));
    let large = full_registration(&learners(200 * PARTS));
    for (index, caller) in callers[..2].iter().enumerate() {
        submit(caller, "registration-batches", &large).await;
        wait_until(|| arrived.load(Ordering::SeqCst) == 2 * (index + 1), || "two parts of the batch".to_owned()).await;
    }

    let small = submit(&callers[2], "registration-batches", &full_registration(&learners(1))).await;
    is_held.store(false, Ordering::SeqCst);
    small.wait_for_state("sent", |state| state["status"] == "PROCESSING").await;

    let sent_before = lrs.received().iter().position(|request| request.body.contains(SMALL)).expect("the batch was sent");
    assert!(sent_before <= 8, "{sent_before} parts of the large batches were sent before, of {}", 2 * PARTS);
}

/// More polls are due than LRS answers: the jobs of each organisation are polled one after the other, without end.
async fn new_batch_does_not_wait_for_polls_of_a_thousand_unfinished_jobs(backend: BatchBackend) {
    const JOBS: usize = 1000;
    let lrs = FakeServer::start(|request| {
        std::thread::sleep(Duration::from_millis(5));
        Reply::Bytes(if request.body.contains("GetSubmitBatchOutput") {
            batch_output_response("<ResponseCode>WSRC0008</ResponseCode>")
        } else {
            submit_batch_response("<ResponseCode>WSRC0007</ResponseCode><JobID>700</JobID>")
        })
    });
    let now = backend.repository.now().await.expect("the repository responds");
    for index in 0..JOBS {
        let organisation = if index % 2 == 0 { PROVIDER } else { AWARDING };
        backend.repository.create(&adopted_job(organisation, PORTAL_JOB, now, now)).await.expect("the batch is created");
    }
    let claim = backend.repository.claim(Duration::from_secs(60), &claim_limits(JOBS)).await.expect("the repository responds");
    assert_eq!(claim.batches.len(), JOBS);
    for claimed in claim.batches {
        let organisation = claimed.organisation.expect("the organisation is known");
        let place = Place { organisation, rank: Rank::of_sending(0) };
        backend.repository.release_to(claimed.lease, now, &place).await.expect("the batch is released");
    }
    let gateway = TestGateway::with(&lrs.url(), backend.options(KEY));
    let caller = gateway.caller();
    let received = || lrs.received();
    wait_until(|| received().len() > 20, || "polls".to_owned()).await;

    for _ in 0..5 {
        let before = received().len();
        let batch = submit(&caller, "registration-batches", &full_registration(&learners(1))).await;
        let before_acceptance = received().len() - before;
        batch.wait_for_state("sent", |state| state["status"] == "PROCESSING").await;
        let requests = received();
        let before_sending = requests[before..].iter().position(|request| !request.body.contains("GetSubmitBatchOutput"));
        let before_sending = before_sending.expect("the batch was sent");
        assert!(before_acceptance <= 20, "{before_acceptance} polls before the batch was accepted");
        // Four polls are in progress. When one of its organisation ends, the turn may be one of those that go to the longest waiting batch.
        assert!(
            before_sending <= before_acceptance + 12,
            "{before_sending} polls before the batch was sent, {before_acceptance} before acceptance"
        );
    }
    assert!(received().len() < JOBS, "the jobs wait still");
}
