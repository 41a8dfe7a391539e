//! Exceptions: results that a person must resolve. A ULN in such a row may be another learner's, so callers do not get it.

use serde_json::{Value, json};

use super::{lrs_with_output, output_learner, register};
use crate::support::batches::learners;
use crate::support::{Caller, TestGateway};

/// A ULN that LRS returns for a record that was sent without one.
const RETURNED_ULN: &str = "3000000258";
/// A ULN that the caller sends.
const SENT_ULN: &str = "3000000126";

/// Registers one learner, for whom LRS returns this code and [`RETURNED_ULN`]. Returns the result, and the results as CSV.
async fn register_with_code(code: &str, mut learner: Value) -> (Value, String) {
    learner["misIdentifier"] = json!("STU-0");
    let row = output_learner("STU-0", "Zebaaaaa", RETURNED_ULN, &format!("<ReturnCode>{code}</ReturnCode>"));
    let output = format!("<ResponseCode>WSRC0009</ResponseCode>{row}");
    let lrs = lrs_with_output("<ResponseCode>WSRC0007</ResponseCode><JobID>7</JobID>", &output);
    let gateway = TestGateway::to(&lrs.url());
    let caller: Caller = gateway.caller();
    let batch = register(&caller, &[learner]).await;
    batch.wait_for_status("COMPLETE").await;
    let csv = caller.request("GET", &format!("{}/results.csv", batch.path)).await.text;
    (batch.results().await[0].clone(), csv)
}

fn learner() -> Value {
    learners(1)[0].clone()
}

#[tokio::test]
async fn exception_with_a_uln_in_its_row_returns_no_uln() {
    for code in ["RC006", "RC007", "RC008", "RC009", "RC010", "RC011", "RC012", "RC013"] {
        let (result, csv) = register_with_code(code, learner()).await;

        assert_eq!((&result["outcome"], &result["lrsCode"]), (&json!("EXCEPTION"), &json!(code)), "{result}");
        assert_eq!((&result["position"], &result["learner"]["givenName"]), (&json!(0), &json!("Zebaaaaa")), "{result}");
        assert!(!result.to_string().contains(RETURNED_ULN) && !csv.contains(RETURNED_ULN), "{result} {csv}");
    }
}

#[tokio::test]
async fn exception_of_a_learner_sent_with_a_uln_returns_no_other_uln() {
    let mut learner = learner();
    learner["uln"] = json!(SENT_ULN);
    let (result, csv) = register_with_code("RC009", learner).await;
    assert_eq!(result["outcome"], "EXCEPTION", "{result}");
    assert!(!result.to_string().contains(RETURNED_ULN) && !csv.contains(RETURNED_ULN), "{result} {csv}");
}

#[tokio::test]
async fn undocumented_code_with_a_uln_in_its_row_returns_other_without_uln() {
    for code in ["RC014", "RC100", "WSRC0003", "POSSIBLE"] {
        let (result, csv) = register_with_code(code, learner()).await;
        assert_eq!((&result["outcome"], &result["lrsCode"]), (&json!("OTHER"), &json!(code)), "{result}");
        assert!(!result.to_string().contains(RETURNED_ULN) && !csv.contains(RETURNED_ULN), "{result} {csv}");
    }
}

#[tokio::test]
async fn result_code_below_the_exceptions_returns_the_uln() {
    for code in ["RC001", "RC002", "RC003", "RC004", "RC005"] {
        let (result, _) = register_with_code(code, learner()).await;
        assert_eq!((&result["outcome"], &result["uln"]), (&json!("ULN_RETURNED"), &json!(RETURNED_ULN)), "{result}");
    }
}

#[tokio::test]
async fn exception_for_insufficient_data_names_the_fields_that_the_record_lacks() {
    let mut learner = learner();
    for field in ["dateOfBirth", "lastKnownPostCode"] {
        learner.as_object_mut().expect("an object").remove(field);
    }
    let (result, csv) = register_with_code("RC006", learner.clone()).await;
    assert_eq!(result["missingFields"], json!(["dateOfBirth", "lastKnownPostCode"]), "{result}");
    assert!(csv.contains("dateOfBirth") && csv.contains("lastKnownPostCode"), "{csv}");

    let (result, _) = register_with_code("RC009", learner.clone()).await;
    assert_eq!(result.get("missingFields"), None, "another exception: {result}");
    learner["uln"] = json!(SENT_ULN);
    let (result, _) = register_with_code("RC006", learner).await;
    assert_eq!(result.get("missingFields"), None, "a record with a ULN: {result}");
}
