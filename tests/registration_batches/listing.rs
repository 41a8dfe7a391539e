//! The list of batches, and erasing a batch.

use serde_json::Value;

use super::{BATCHES, register_and_complete};
use crate::support::batches::learners;
use crate::support::{Caller, SimulatedLrs, TestGateway};

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
    for query in ["limit=0", "limit=x", "cursor=1", "name=Ana", "limit=-1"] {
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
