//! Amendments of a record that changes between the two calls, and LRS's other responses.

use std::time::Duration;

use lrs_gateway::simulator::{Fault, FaultStep};
use serde_json::{Value, json};

use super::{AMEND, amend, found, record, search_response, updated, written};
use crate::support::fake_server::Reply;
use crate::support::gateway::Options;
use crate::support::{SimulatedLrs, TestGateway};

const STALE: &str = "WSRC0013";

fn changes() -> Value {
    json!({"lastKnownPostCode": "ZZ9 9ZZ"})
}

const NEW_POST_CODE: (&str, &str) = ("ZZ1 1AA", "ZZ9 9ZZ");

#[tokio::test]
async fn amend_record_that_another_update_changed_elsewhere_is_merged_once_more() {
    let renumbered = record(4, "<Notes>Changed by another update</Notes>");
    let replies = vec![found(3, ""), updated(STALE), search_response("WSRC0004", &renumbered), updated("WSRC0006")];

    let (answer, records) = amend(replies, changes(), json!([])).await;

    let second = written(
        &[
            NEW_POST_CODE,
            ("<AbilityToShare>1</AbilityToShare>", "<AbilityToShare>1</AbilityToShare><Notes>Changed by another update</Notes>"),
        ],
        4,
    );
    assert_eq!(records, [written(&[NEW_POST_CODE], 3), second]);
    let result = answer.expect_success();
    assert_eq!((&result["outcome"], &result["lrsCode"]), (&json!("UPDATED"), &json!("WSRC0006")));
    assert_eq!(result["learner"]["notes"], "Changed by another update");
}

#[tokio::test]
async fn amend_field_that_another_update_changed_returns_stale_version_with_its_name_and_no_value() {
    let other = record(4, "").replace("ZZ1 1AA", "ZZ5 5FF");
    let cleared = record(4, "<Notes>Changed by another update</Notes>");
    for (second, changes, clear, field) in
        [(other, changes(), json!([]), "lastKnownPostCode"), (cleared, json!({}), json!(["notes"]), "notes")]
    {
        let replies = vec![found(3, "<Notes>Old</Notes>"), updated(STALE), search_response("WSRC0004", &second)];

        let (answer, records) = amend(replies, changes, clear).await;

        let problem = answer.problem(409, "stale_version");
        let detail = problem["detail"].as_str().expect("a text");
        assert!(detail.contains(field), "{problem}");
        assert_eq!((records.len(), &problem["outcomeUnknown"]), (1, &Value::Null));
        for value in ["ZZ5", "ZZ1", "ZZ9", "Old", "Changed by", "Zebedee", "3000000126"] {
            assert!(!answer.text.contains(value), "{value}: {problem}");
        }
    }
}

#[tokio::test]
async fn amend_record_that_changes_twice_returns_stale_version() {
    let (answer, records) = amend(vec![found(3, ""), updated(STALE), found(4, ""), updated(STALE)], changes(), json!([])).await;

    let problem = answer.problem(409, "stale_version");
    assert_eq!((&problem["lrs"]["code"], records.len()), (&json!(STALE), 2), "{problem}");
}

#[tokio::test]
async fn amend_record_that_another_update_amended_in_the_same_way_has_no_changes() {
    let second = record(4, "").replace("ZZ1 1AA", "ZZ9 9ZZ");
    let replies = vec![found(3, ""), updated(STALE), search_response("WSRC0004", &second)];

    let (answer, records) = amend(replies, changes(), json!([])).await;

    let result = answer.expect_success();
    assert_eq!((&result["outcome"], &result["learner"]["versionNumber"], records.len()), (&json!("NO_CHANGES"), &json!(4), 1));
}

#[tokio::test]
async fn amend_record_that_is_renamed_or_merged_meanwhile_is_not_written() {
    let (answer, _) = amend(vec![found(3, ""), updated(STALE), search_response("WSRC0001", "")], changes(), json!([])).await;
    let problem = answer.problem(409, "stale_version");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("no longer finds it")), "{problem}");

    let master = record(9, "").replace("3000000126", "3000000258");
    let replies = vec![found(3, ""), updated(STALE), search_response("WSRC0022", &master)];
    let (answer, _) = amend(replies, changes(), json!([])).await;
    let result = answer.expect_success();
    assert_eq!((&result["outcome"], &result["learner"]["uln"]), (&json!("LINKED_LEARNER"), &json!("3000000258")));
}

#[tokio::test]
async fn amend_search_that_finds_no_learner_of_its_own_writes_nothing() {
    let master = record(9, "<LinkedULNs><ULN>3000000126</ULN></LinkedULNs>").replacen("3000000126", "3000000258", 1);
    let substituted = record(9, "<MasterSubstituted>Y</MasterSubstituted>");
    for (code, records, outcome, uln) in [
        ("WSRC0001", "", "NO_MATCH", Value::Null),
        ("WSRC0002", "", "TOO_MANY_MATCHES", Value::Null),
        ("WSRC0003", &*record(3, ""), "POSSIBLE_MATCHES", Value::Null),
        ("WSRC0022", &master, "LINKED_LEARNER", json!("3000000258")),
        ("WSRC0004", &substituted, "LINKED_LEARNER", json!("3000000126")),
        ("WSRC7777", &*record(3, ""), "OTHER", Value::Null),
        ("WSRC0006", &*record(3, ""), "OTHER", Value::Null),
    ] {
        let (answer, written) = amend(vec![search_response(code, records)], changes(), json!([])).await;

        let result = answer.expect_success();
        assert_eq!((&result["outcome"], &result["lrsCode"], &result["learner"]["uln"]), (&json!(outcome), &json!(code), &uln), "{code}");
        assert_eq!(written.len(), 0);
    }
}

#[tokio::test]
async fn amend_inconsistent_search_writes_nothing_and_has_known_outcome() {
    let other_learner = record(3, "").replace("3000000126", "3000000258");
    let twice = record(3, "").repeat(2);
    let without_version = record(3, "").replace("<VersionNumber>3</VersionNumber>", "");
    let repeated = record(3, "<Notes>a</Notes><Notes>b</Notes>");
    for records in ["", &other_learner, &twice, &without_version, &repeated] {
        let (answer, written) = amend(vec![search_response("WSRC0004", records)], changes(), json!([])).await;

        let problem = answer.problem(502, "lrs_bad_response");
        assert_eq!((&problem["outcomeUnknown"], written.len()), (&Value::Null, 0), "{records}");
    }
}

#[tokio::test]
async fn amend_update_with_another_code_returns_its_outcome_or_problem() {
    for (code, outcome, version) in [("WSRC0020", "NO_CHANGES", json!(3)), ("WSRC7777", "OTHER", Value::Null)] {
        let (answer, _) = amend(vec![found(3, ""), updated(code)], changes(), json!([])).await;
        let result = answer.expect_success();
        assert_eq!((&result["outcome"], &result["learner"]["versionNumber"]), (&json!(outcome), &version), "{code}");
    }
    for (code, status, problem) in [
        ("WSRC0014", 422, "share_change_not_allowed"),
        ("WSRC0015", 422, "insufficient_data"),
        ("WSRC0019", 404, "uln_not_found"),
        ("WSEC0001", 502, "lrs_rejected_request"),
    ] {
        let (answer, _) = amend(vec![found(3, ""), updated(code)], changes(), json!([])).await;
        let answered = answer.problem(status, problem);
        assert_eq!(answered["outcomeUnknown"], Value::Null);
        let absent = answered["errors"].as_array().into_iter().flatten().filter_map(|error| error["pointer"].as_str());
        assert_eq!(absent.into_iter().any(|pointer| pointer == "/changes/schoolAtAge16"), problem == "insufficient_data", "{answered}");
    }
}

#[tokio::test]
async fn amend_lost_response_to_the_update_has_unknown_outcome_and_is_not_repeated() {
    for reply in [Reply::ThenClose(Vec::new()), Reply::ThenReset(Vec::new())] {
        let (answer, records) = amend(vec![found(3, ""), reply], changes(), json!([])).await;

        let problem = answer.problem(504, "lrs_timeout");
        assert_eq!((&problem["outcomeUnknown"], &problem["retryable"], records.len()), (&json!(true), &json!(false), 1));
    }
}

#[tokio::test]
async fn amend_search_that_leaves_too_little_time_is_not_followed_by_an_update() {
    let lrs = SimulatedLrs::start();
    let gateway = TestGateway::with(&lrs.url(), Options { timeout: Duration::from_secs(1), ..Options::default() });
    lrs.simulator.inject_faults(vec![FaultStep::new(Fault::Latency).with_milliseconds(800).for_operation("FindLearnerByULN").times(1)]);
    let request = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill", "changes": {"lastKnownPostCode": "ZZ9 9ZZ"}});

    let problem = gateway.caller().post(AMEND, &request).await.problem(504, "lrs_timeout");

    assert_eq!((&problem["outcomeUnknown"], lrs.simulator.request_count("UpdateLearner")), (&Value::Null, 0), "{problem}");
}
