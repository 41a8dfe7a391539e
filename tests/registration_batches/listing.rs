//! The list of batches, and erasing a batch.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lrs_gateway::batches::model::{Batch, BatchHeader, BatchId, EpochMillis, KindTag, Part};
use lrs_gateway::batches::repository::{BatchRepository, NewBatch};
use lrs_gateway::domain::Ukprn;
use lrs_gateway::schema::Scalar as _;
use serde_json::{Value, json};

use super::{BATCHES, register, register_and_complete};
use crate::support::batch_backend::{BatchBackend, KEY, test_each_backend};
use crate::support::batches::learners;
use crate::support::caller::PROVIDER;
use crate::support::gateway::Options;
use crate::support::redis::TestRedis;
use crate::support::{Caller, SimulatedLrs, TestGateway};

test_each_backend!(
    list_of_a_period_has_what_was_submitted_in_it,
    list_of_a_period_has_batches_that_were_sent_to_lrs_in_it,
    list_of_a_period_reads_a_limited_number_of_batches_for_a_page
);

/// Completes batches of these sizes one after the other, and returns their ids, newest first.
async fn complete_batches(caller: &Caller, sizes: std::ops::RangeInclusive<usize>) -> Vec<Value> {
    let mut ids = Vec::new();
    for size in sizes {
        let batch = register_and_complete(caller, &learners(size)).await;
        ids.insert(0, batch.initial_state["batchId"].clone());
    }
    ids
}

#[tokio::test]
async fn list_has_batches_in_pages_newest_first() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let ids = complete_batches(&caller, 1..=5).await;

    let mut listed = Vec::new();
    let mut path = format!("{BATCHES}?limit=2");
    for is_last in [false, false, true] {
        let page = caller.request("GET", &path).await.expect_success();
        for batch in page["batches"].as_array().expect("a page has batches") {
            assert!(batch["status"] == "COMPLETE" && batch.get("parts").is_none(), "{batch}");
            listed.push(batch["batchId"].clone());
        }
        assert_eq!(page.get("next").is_none(), is_last, "{page}");
        path = format!("{BATCHES}?limit=2&cursor={}", page["next"].as_str().unwrap_or_default());
    }
    assert_eq!(listed, ids);
}

#[tokio::test]
async fn list_with_invalid_query_is_rejected() {
    let gateway = TestGateway::to("http://127.0.0.1:1");
    let later = "submittedAfter=2026-07-01T15:00:00Z&submittedBefore=2026-07-01T14:00:00Z";
    let times =
        ["submittedAfter=14:00", "submittedBefore=2026-07-01", "submittedAfter=2026-07-01T14:00:00+01:00", "submittedAfter=", later];
    for query in ["limit=0", "limit=101", "limit=x", "cursor=1", "name=Ana", "limit=-1"].into_iter().chain(times) {
        gateway.caller().request("GET", &format!("{BATCHES}?{query}")).await.problem(400, "malformed_request");
    }
}

#[tokio::test]
async fn erased_batch_is_not_found_and_not_listed() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let ids = complete_batches(&caller, 1..=3).await;
    let path = format!("{BATCHES}/{}", ids[1].as_str().expect("an id is a text"));

    let erased = caller.request("DELETE", &path).await;

    assert_eq!((erased.status, erased.text.as_str()), (204, ""));
    caller.request("GET", &path).await.problem(404, "batch_not_found");
    caller.request("DELETE", &path).await.problem(404, "batch_not_found");
    let list = caller.request("GET", BATCHES).await.expect_success();
    let listed: Vec<&Value> = list["batches"].as_array().expect("a list has batches").iter().map(|batch| &batch["batchId"]).collect();
    assert_eq!(listed, [&ids[0], &ids[2]]);
}

/// Lists the batches of a period in pages of two, and returns them in order.
async fn list_period(caller: &Caller, after: Option<Timestamp>, before: Option<Timestamp>) -> Vec<Value> {
    let parameter = |name: &str, time: Option<Timestamp>| time.map(|time| format!("&{name}={time}")).unwrap_or_default();
    let query = format!("limit=2{}{}", parameter("submittedAfter", after), parameter("submittedBefore", before));
    let (mut batches, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = caller.request("GET", &format!("{BATCHES}?{query}{cursor}")).await.expect_success();
        batches.extend(page["batches"].as_array().expect("a page has batches").clone());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return batches,
        }
    }
}

fn ids(batches: &[Value]) -> Vec<Value> {
    batches.iter().map(|batch| batch["batchId"].clone()).collect()
}

fn time(object: &Value, name: &str) -> Timestamp {
    object[name].as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{name} is not a time: {object}"))
}

async fn list_of_a_period_has_what_was_submitted_in_it(backend: BatchBackend) {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::with(&lrs.url(), backend.options(KEY));
    let caller = gateway.caller();
    let all = complete_batches(&caller, 1..=7).await;
    let mut created = Vec::new();
    for batch in list_period(&caller, Some(Timestamp::UNIX_EPOCH), None).await {
        let [part] = &batch["parts"].as_array().expect("the parts of the period")[..] else { panic!("one part: {batch}") };
        assert!(time(part, "submittedAt") >= time(&batch, "createdAt") && part["lrsJobId"].is_string(), "{batch}");
        created.push(time(&batch, "createdAt"));
    }
    assert_eq!(created.len(), 7);

    // Newest first: the fifth oldest batch has index 2. Times have milliseconds, and batches are accepted one after the other.
    let millisecond = SignedDuration::from_millis(1);
    assert_eq!(ids(&list_period(&caller, None, Some(created[4])).await), all[5..], "the end is not included");
    assert_eq!(ids(&list_period(&caller, Some(created[2]), None).await), all[..=2], "the start is included");
    assert_eq!(ids(&list_period(&caller, Some(created[5]), Some(created[2])).await), all[3..=5]);
    assert_eq!(ids(&list_period(&caller, None, Some(created[0] + millisecond)).await), all);
    let future = Timestamp::now() + SignedDuration::from_hours(1);
    assert!(list_period(&caller, Some(future), None).await.is_empty());
    assert!(list_period(&caller, None, Some(created[6])).await.is_empty());
    let unfiltered = caller.request("GET", &format!("{BATCHES}?limit=100")).await.expect_success();
    assert!(unfiltered["batches"].as_array().expect("batches").iter().all(|batch| batch.get("parts").is_none()), "{unfiltered}");
}

/// A batch that waited is found by the time at which LRS received its part, and so is one whose response was lost.
async fn list_of_a_period_has_batches_that_were_sent_to_lrs_in_it(backend: BatchBackend) {
    let mut lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::with(&lrs.url(), backend.options(KEY));
    let caller = gateway.caller();
    let early = register_and_complete(&caller, &learners(1)).await;
    lrs.stop();
    let waiting = register(&caller, &learners(2)).await;
    waiting.wait_for_state("a reason", |state| state["parts"][0]["reason"].is_string()).await;
    let start = Timestamp::now();

    lrs.restart();
    waiting.wait_for_status("COMPLETE").await;
    lrs.lose_requests("SubmitBatch", 1);
    let lost = register(&caller, &learners(3)).await;
    lost.wait_for_status("PAUSED").await;

    let listed = list_period(&caller, Some(start), None).await;
    assert_eq!(ids(&listed), [json!(lost.id()), json!(waiting.id())]);
    let statuses: BTreeSet<&str> = listed.iter().filter_map(|batch| batch["parts"][0]["status"].as_str()).collect();
    assert_eq!(statuses, BTreeSet::from(["COMPLETE", "UNCONFIRMED"]));
    assert!(listed[0]["parts"][0].get("submittedAt").is_none() && time(&listed[0]["parts"][0], "sentAt") >= start, "{}", listed[0]);
    let before = list_period(&caller, None, Some(start)).await;
    assert_eq!(ids(&before), [json!(waiting.id()), json!(early.id())]);
    assert_eq!(before[0]["parts"], json!([]), "it was accepted before, and sent after");
}

/// Maximum number of batches that are read for one page of a period.
const MAX_READ_PER_PAGE: usize = 500;

/// Stores a batch that was accepted ten seconds before `now`, and whose only part was sent at this time.
async fn create_batch(repository: &dyn BatchRepository, now: EpochMillis, sent_at: Option<EpochMillis>) -> BatchId {
    let later = now.after(Duration::from_secs(3600));
    let part = Part { due_at: later, sent_at, ..Part::waiting(0, 1, now) };
    let ukprn = Ukprn::parse(PROVIDER).expect("the UKPRN is valid");
    let header = BatchHeader::new(KindTag::Registration, &ukprn, 1, EpochMillis(now.0 - 10_000));
    let batch = Batch { id: BatchId::new(), header, parts: vec![part], expires_at: later };
    let id = batch.id;
    repository.create(&NewBatch { batch, blobs: Vec::new() }).await.expect("the batch is created");
    id
}

#[tokio::test]
async fn list_without_a_period_skips_any_number_of_batches_that_are_gone() {
    let redis = TestRedis::start();
    let repository = redis.repository();
    let now = repository.now().await.expect("Redis has a clock");
    let oldest = create_batch(&*repository, now, None).await;
    for _ in 0..=MAX_READ_PER_PAGE {
        let id = create_batch(&*repository, now, None).await;
        let _: i64 = redis.query(&["DEL", &format!("test:{{{id}}}")]);
    }
    let gateway = TestGateway::with("http://127.0.0.1:1", Options { storage: redis.storage(KEY), ..Options::default() });

    let page = gateway.caller().request("GET", &format!("{BATCHES}?limit=5")).await.expect_success();

    assert_eq!((&page["batches"][0]["batchId"], page.get("next")), (&json!(oldest.to_string()), None), "{page}");
}

async fn list_of_a_period_reads_a_limited_number_of_batches_for_a_page(backend: BatchBackend) {
    let gateway = TestGateway::with("http://127.0.0.1:1", backend.options(KEY));
    let now = backend.repository.now().await.expect("the repository responds");
    let mut oldest = None;
    for number in 0..=MAX_READ_PER_PAGE {
        let id = create_batch(&*backend.repository, now, (number == 0).then_some(now)).await;
        oldest = oldest.or(Some(id));
    }

    let caller = gateway.caller();
    let path = format!("{BATCHES}?limit=5&submittedAfter={now}");
    let first = caller.request("GET", &path).await.expect_success();
    assert_eq!(first["batches"], json!([]), "the only batch of the period is the oldest");
    let next = first["next"].as_str().expect("there are more batches");
    let second = caller.request("GET", &format!("{path}&cursor={next}")).await.expect_success();

    assert_eq!(second["batches"][0]["batchId"], json!(oldest.map(|id| id.to_string())));
    assert!(second["batches"].as_array().is_some_and(|batches| batches.len() == 1) && second.get("next").is_none(), "{second}");
}
