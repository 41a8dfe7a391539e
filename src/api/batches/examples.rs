//! Examples of the answers about batches, for the OpenAPI document. A test validates each against its schema.

use serde_json::{Value, json};

use crate::api::batches::resource::{BatchExample, BatchResource};
use crate::api::batches::results::{CsvOptions, StreamFormat};
use crate::api::description::EXAMPLE_BATCH_ID;

const ACCEPTED_AT: &str = "2026-09-01T08:15:30.250Z";
const SENT_AT: &str = "2026-09-01T08:15:30.410Z";
const SUBMITTED_AT: &str = "2026-09-01T08:15:31.020Z";
const FINISHED_AT: &str = "2026-09-01T08:21:04.730Z";
/// Seven days after the end.
const EXPIRES_AT: &str = "2026-09-08T08:21:04.730Z";
/// The latest expiry of a batch that is not finished: 28 days after its start, with the default settings.
const LATEST_EXPIRY: &str = "2026-09-29T08:15:30.250Z";
/// The same, after a part was resubmitted.
const LATEST_EXPIRY_AFTER_RESUBMISSION: &str = "2026-09-29T08:21:04.730Z";
const LRS_JOB_ID: &str = "900123";

/// Returns the state of a batch that was just accepted.
pub fn accepted<K: BatchResource>() -> Value {
    let records = K::example().results.len();
    let part = json!({"part": 1, "firstPosition": 0, "records": records, "status": "WAITING", "updatedAt": ACCEPTED_AT});
    let mut state = state("ACCEPTED", records, [0, 0, 0], &part, [ACCEPTED_AT, LATEST_EXPIRY]);
    state["retryAfterSeconds"] = 5.into();
    state
}

/// Returns the state of a batch that is complete.
pub fn complete<K: BatchResource>() -> Value {
    let BatchExample { lrs_code, counts, results } = K::example();
    let records = results.len();
    let mut part = json!({
        "part": 1, "firstPosition": 0, "records": records, "status": "COMPLETE", "lrsJobId": LRS_JOB_ID, "counts": counts,
        "sentAt": SENT_AT, "submittedAt": SUBMITTED_AT, "updatedAt": FINISHED_AT
    });
    if let Some(lrs_code) = lrs_code {
        part["lrsCode"] = lrs_code.into();
    }
    state("COMPLETE", records, [records, records, 0], &part, [FINISHED_AT, EXPIRES_AT])
}

/// Returns the state of a batch that was made of a job.
pub fn tracked() -> Value {
    let part = json!({
        "part": 1, "firstPosition": 0, "records": 0, "status": "SUBMITTED", "lrsJobId": LRS_JOB_ID, "updatedAt": ACCEPTED_AT
    });
    let mut state = state("PROCESSING", 0, [0, 0, 0], &part, [ACCEPTED_AT, LATEST_EXPIRY]);
    state["retryAfterSeconds"] = 5.into();
    state
}

/// Returns the state of a batch whose only part will be sent again.
pub fn resubmitted() -> Value {
    let part = json!({"part": 1, "firstPosition": 0, "records": 1, "status": "WAITING", "updatedAt": FINISHED_AT});
    let mut state = state("ACCEPTED", 1, [0, 0, 0], &part, [FINISHED_AT, LATEST_EXPIRY_AFTER_RESUBMISSION]);
    state["retryAfterSeconds"] = 5.into();
    state
}

/// Returns the state of a batch whose only part was discarded.
pub fn discarded() -> Value {
    let part = json!({
        "part": 1, "firstPosition": 0, "records": 1, "status": "FAILED", "reason": "DISCARDED", "sentAt": SENT_AT, "updatedAt": FINISHED_AT
    });
    state("FAILED", 1, [0, 0, 1], &part, [FINISHED_AT, EXPIRES_AT])
}

/// Returns LRS's job of an achievement batch.
pub fn achievement_job() -> Value {
    json!({
        "achievementsCreated": 1, "businessRuleErrors": 0, "endDate": "2026-09-01T09:20:50+01:00", "fieldDataErrors": 0, "jobId": 900_123,
        "learnerDataErrors": 0, "numberOfRecords": 1, "startDate": "2026-09-01T09:16:00+01:00", "status": "SUCCESSFUL"
    })
}

/// Returns a page of a list with one batch.
pub fn list<K: BatchResource>() -> Value {
    let mut batch = complete::<K>();
    if let Some(batch) = batch.as_object_mut() {
        batch.shift_remove("parts");
    }
    json!({"batches": [batch]})
}

/// Returns a page of results.
pub fn results_page<K: BatchResource>() -> Value {
    json!({"batchId": EXAMPLE_BATCH_ID, "status": "COMPLETE", "results": K::example().results})
}

/// Returns results as NDJSON.
pub fn ndjson<K: BatchResource>() -> String {
    StreamFormat::Ndjson.example(&K::example().results)
}

/// Returns results as CSV.
pub fn csv<K: BatchResource>() -> String {
    StreamFormat::csv::<K>(CsvOptions::default()).example(&K::example().results)
}

/// Returns the state of a batch with one part. The progress has the numbers of submitted, returned and failed records.
fn state(
    status: &str,
    records: usize,
    [submitted, returned, failed]: [usize; 3],
    part: &Value,
    [updated_at, expires_at]: [&str; 2],
) -> Value {
    json!({
        "batchId": EXAMPLE_BATCH_ID, "status": status, "records": records,
        "progress": {"submitted": submitted, "returned": returned, "failed": failed}, "parts": [part],
        "createdAt": ACCEPTED_AT, "updatedAt": updated_at, "expiresAt": expires_at
    })
}
