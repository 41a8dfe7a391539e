//! The times of a job, in every notation that LRS may use.

use serde_json::{Value, json};

use super::{lrs_with_output, output_learner, register};
use crate::support::TestGateway;
use crate::support::batches::learners;

/// Returns the times of a part that the caller gets if LRS states these.
async fn times_of_part(started: &str, finished: &str) -> [Option<Value>; 2] {
    let row = output_learner("STU-0", "Zebaaaaa", "3000000126", "<ReturnCode>RC001</ReturnCode>");
    let times = format!("<JobStartedDateTime>{started}</JobStartedDateTime><JobFinishedDateTime>{finished}</JobFinishedDateTime>");
    let output = format!("<ResponseCode>WSRC0009</ResponseCode>{times}{row}");
    let lrs = lrs_with_output("<ResponseCode>WSRC0007</ResponseCode><JobID>7</JobID>", &output);
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let state = register(&caller, &learners(1)).await.wait_for_status("COMPLETE").await;
    ["jobStartedDateTime", "jobFinishedDateTime"].map(|field| state["parts"][0].get(field).cloned())
}

#[tokio::test]
async fn job_times_in_every_notation_reach_the_caller() {
    for (lrs, expected) in [
        ("2026-07-01 10:00:00", Some("2026-07-01T09:00:00.000Z")),
        ("2026-07-01T10:00:00", Some("2026-07-01T09:00:00.000Z")),
        ("2026-12-01 10:00:00.127", Some("2026-12-01T10:00:00.127Z")),
        ("2026-07-01T10:00:00.5Z", Some("2026-07-01T10:00:00.500Z")),
        ("2026-07-01T10:00:00+02:00", Some("2026-07-01T08:00:00.000Z")),
        ("01/07/2026 10:00:00", Some("01/07/2026 10:00:00")),
        ("1 Jul 2026 10:00", Some("1 Jul 2026 10:00")),
        ("0001-01-01 00:00:00", None),
        ("0001-01-01T00:00:00", None),
        ("Quillfeather", Some("Quillfeather")),
        ("", None),
    ] {
        let expected = expected.map(|text| json!(text));
        assert_eq!(times_of_part(lrs, lrs).await, [expected.clone(), expected], "{lrs:?}");
    }
}
