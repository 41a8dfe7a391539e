//! LRS's codes and status words reach callers verbatim, whatever their letters. In the store they are encrypted if they could be personal data,
//! and the log does not contain them.

use serde_json::{Value, json};

use super::register;
use crate::support::batch_backend::KEY;
use crate::support::batches::{batch_output_response, learners, submit_batch_response};
use crate::support::fake_server::Reply;
use crate::support::gateway::Options;
use crate::support::redis::TestRedis;
use crate::support::{FakeServer, TestGateway};

/// An LRS with this response to submissions, and this one to polls.
fn lrs(submit_children: &str, output_children: &str) -> FakeServer {
    let (submitted, output) = (submit_batch_response(submit_children), batch_output_response(output_children));
    FakeServer::start(move |request| {
        Reply::Bytes(if request.body.contains("GetSubmitBatchOutput") { output.clone() } else { submitted.clone() })
    })
}

/// Submits one learner, and returns the part and its result when the batch has this status.
async fn part_and_result(lrs: &FakeServer, redis: &TestRedis, status: &str) -> (Value, Value) {
    let gateway = TestGateway::with(&lrs.url(), Options { storage: redis.storage(KEY), ..Options::default() });
    let caller = gateway.caller();
    let batch = register(&caller, &learners(1)).await;
    let state = batch.wait_for_status(status).await;
    (state["parts"][0].clone(), batch.results().await.first().cloned().unwrap_or_default())
}

#[tokio::test]
async fn code_and_status_reach_the_caller_verbatim_and_are_not_stored_in_plain_text() {
    let redis = TestRedis::start();
    let code = "Zeitüberschreitung bei Quillfeather-Straße";
    let status = "Fertig: 1 von 1 (Quillfeather)";
    let started = "gestern, für Quillfeather";
    let output = format!(
        "<ResponseCode>{code}</ResponseCode><JobStatus>{status}</JobStatus>\
         <JobStartedDateTime>{started}</JobStartedDateTime><JobFinishedDateTime>2026-07-01 10:05:00</JobFinishedDateTime>"
    );
    let lrs = lrs("<ResponseCode>WSRC0007</ResponseCode><JobID>7</JobID>", &output);

    let (part, result) = part_and_result(&lrs, &redis, "COMPLETE").await;

    assert_eq!((&part["lrsCode"], &part["jobStatus"]), (&json!(code), &json!(status)));
    assert_eq!(part["jobStartedDateTime"], started);
    assert_eq!((&result["outcome"], &result["lrsCode"]), (&json!("NO_RESULT"), &json!(code)));
    redis.assert_contains_none_of(&["Quillfeather", "Zeitüber", "Fertig", "gestern"].map(str::to_owned));
}

#[tokio::test]
async fn code_of_a_rejected_part_is_verbatim_but_bounded() {
    for (code, expected) in [
        ("OUT-OF-HOURS/7".to_owned(), "OUT-OF-HOURS/7".to_owned()),
        ("  A1B2  ".to_owned(), "A1B2".to_owned()),
        ("B&#x9;7\n8".to_owned(), "B78".to_owned()),
        ("x".repeat(200), "x".repeat(64)),
    ] {
        let redis = TestRedis::start();
        let lrs = lrs(&format!("<ResponseCode>{code}</ResponseCode><JobID>0</JobID>"), "");
        let (part, result) = part_and_result(&lrs, &redis, "FAILED").await;
        assert_eq!((&part["reason"], &part["lrsCode"]), (&json!("LRS_REJECTED"), &json!(expected)), "{code:?}");
        assert_eq!((&result["outcome"], &result["lrsCode"]), (&json!("NOT_PROCESSED"), &json!(expected)), "{code:?}");
    }
}
