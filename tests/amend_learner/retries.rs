//! Retries of an amendment with its idempotency key, after LRS's response to the update was lost.

use serde_json::{Value, json};

use super::{AMEND, amend, amendment, found, record, search_response, updated};
use crate::support::fake_server::Reply;
use crate::support::gateway::Options;
use crate::support::scripted_lrs::ScriptedLrs;

/// Sends an amendment with a key while LRS's response to the update is lost, and returns the script, which goes on with these replies.
async fn with_lost_response(amendment: &Value, replies: impl IntoIterator<Item = Reply>) -> ScriptedLrs {
    let lost = [found(3, ""), Reply::ThenClose(Vec::new())];
    let script = ScriptedLrs::new(Options::default(), lost.into_iter().chain(replies)).with_header("Idempotency-Key", "amendment-1");
    let problem = script.post_expecting_calls(2, AMEND, amendment).await.problem(504, "lrs_timeout");
    assert_eq!(problem["outcomeUnknown"], true);
    script
}

#[tokio::test]
async fn amend_retry_finds_the_learner_with_the_new_name_if_the_former_one_is_a_possible_match() {
    let amendment = amendment(&json!({"familyName": "Hughes"}), &json!([]));
    let renamed = search_response("WSRC0004", &record(4, "").replace("Quillfeather", "Hughes"));
    let script = with_lost_response(&amendment, [search_response("WSRC0003", &record(4, "")), renamed]).await;

    let result = script.post_expecting_calls(2, AMEND, &amendment).await.expect_success();

    assert_eq!((&result["outcome"], &result["learner"]["familyName"]), (&json!("UPDATED"), &json!("Hughes")));
    assert!(script.received()[3].body.contains("Hughes"), "the second search is for the new name");
}

#[tokio::test]
async fn amend_retry_without_a_record_has_an_unknown_outcome_and_is_not_stored() {
    for (changes, replies) in [
        (json!({"familyName": "Hughes"}), &["WSRC0003", "WSRC0001"][..]),
        (json!({"familyName": "Hughes"}), &["WSRC0001", "WSRC0003"]),
        (json!({"notes": "New"}), &["WSRC0001"]),
        (json!({"notes": "New"}), &["WSRC0003"]),
        (json!({"notes": "New"}), &["WSRC0002"]),
        (json!({"notes": "New"}), &["WSRC7777"]),
    ] {
        let amendment = amendment(&changes, &json!([]));
        let searches = replies.iter().map(|code| search_response(code, ""));
        let script = with_lost_response(&amendment, searches.chain([found(3, ""), updated("WSRC0006")])).await;

        let problem = script.post_expecting_calls(replies.len(), AMEND, &amendment).await.problem(409, "stale_version");

        assert_eq!((&problem["outcomeUnknown"], &problem["retryable"]), (&json!(true), &json!(false)), "{replies:?}: {problem}");
        let again = script.post_expecting_calls(2, AMEND, &amendment).await.expect_success();
        assert_eq!(again["outcome"], "UPDATED", "{replies:?}");
    }
}

#[tokio::test]
async fn amend_retry_of_a_record_that_lrs_says_has_the_values_is_updated() {
    let amendment = amendment(&json!({"notes": "New"}), &json!([]));
    let script = with_lost_response(&amendment, [found(4, "<Notes>NEW</Notes>"), updated("WSRC0020")]).await;

    let result = script.post_expecting_calls(2, AMEND, &amendment).await.expect_success();

    assert_eq!((&result["outcome"], &result["lrsCode"]), (&json!("UPDATED"), &json!("WSRC0020")));
}

#[tokio::test]
async fn amend_post_code_in_another_form_is_the_same_value() {
    let (answer, records) = amend(vec![found(3, "")], json!({"lastKnownPostCode": "zz11aa"}), json!([])).await;

    assert_eq!((answer.expect_success()["outcome"].as_str(), records.len()), (Some("NO_CHANGES"), 0));

    // Another update has written the post code in another form: that is no conflict.
    let reformatted = search_response("WSRC0004", &record(4, "").replace("ZZ1 1AA", "zz11aa"));
    let replies = vec![found(3, ""), updated("WSRC0013"), reformatted, updated("WSRC0006")];
    let (answer, records) = amend(replies, json!({"lastKnownPostCode": "ZZ9 9ZZ"}), json!([])).await;

    assert_eq!((answer.expect_success()["outcome"].as_str(), records.len()), (Some("UPDATED"), 2));
}

#[tokio::test]
async fn update_retry_with_another_learner_found_is_not_taken_as_updated() {
    let learner = json!({
        "givenName": "Zebedee", "familyName": "Quillfeather", "lastKnownPostCode": "ZZ1 1AA", "dateOfBirth": "2004-11-30", "gender": "MALE",
        "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE",
    });
    let update = json!({"uln": "3000000126", "versionNumber": 3, "learner": learner});
    for (found, is_updated) in [
        (search_response("WSRC0022", &record(4, "").replace("3000000126", "3000000258")), false),
        (search_response("WSRC0022", &record(4, "")), false),
        (search_response("WSRC0003", &record(4, "")), false),
        (search_response("WSRC0004", &record(4, "")), true),
    ] {
        let script = ScriptedLrs::new(Options::default(), [Reply::ThenClose(Vec::new()), updated("WSRC0013"), found])
            .with_header("Idempotency-Key", "update-1");
        script.post("/v1/learners/update", &update).await.problem(504, "lrs_timeout");

        let answer = script.post_expecting_calls(2, "/v1/learners/update", &update).await;

        if is_updated {
            assert_eq!(answer.expect_success()["outcome"], "UPDATED");
        } else {
            answer.problem(409, "stale_version");
        }
    }
}
