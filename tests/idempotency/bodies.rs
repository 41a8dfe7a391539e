//! Bodies of requests with the same idempotency key: their JSON values are compared, not their bytes.

use serde_json::{Value, json};

use super::{BATCHES, Fixture, KEY, OBTAIN, batch, is_replayed, nia};
use crate::support::caller::Answer;

async fn post_text(fixture: &Fixture, path: &str, body: impl Into<String>) -> Answer {
    fixture.caller_with_key().post_text(path, "application/json", body.into()).await
}

/// Returns the JSON of a value with the fields of each object in reverse order, and white space around everything.
fn rewritten(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> = fields.iter().rev().map(|(name, value)| format!("\t\"{name}\" :\r\n{} ", rewritten(value))).collect();
            format!(" {{ {} }}\n", fields.join(","))
        }
        Value::Array(items) => format!("[ {} ]", items.iter().map(rewritten).collect::<Vec<_>>().join(" , ")),
        // Each character as an escape.
        Value::String(text) => format!("\"{}\"", text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<String>()),
        other => other.to_string(),
    }
}

#[tokio::test]
async fn idempotency_key_same_json_value_in_another_form_is_the_same_request() {
    let fixture = Fixture::new();
    let first = fixture.caller_with_key().post(OBTAIN, &nia()).await;
    assert_eq!((first.status, is_replayed(&first)), (201, false), "{}", first.text);
    let other_form = rewritten(&nia());
    assert_eq!(serde_json::from_str::<Value>(&other_form).expect("JSON"), nia());
    for body in [other_form, format!("\u{feff}{}", nia())] {
        let repeated = post_text(&fixture, OBTAIN, body.clone()).await;
        assert_eq!((repeated.status, is_replayed(&repeated), &repeated.text), (201, true, &first.text), "{body}");
    }

    let accepted = fixture.caller_with_key().post(BATCHES, &batch()).await;
    let repeated = post_text(&fixture, BATCHES, rewritten(&batch())).await;
    assert_eq!((repeated.status, is_replayed(&repeated), repeated.text), (202, true, accepted.text));
}

#[tokio::test]
async fn idempotency_key_different_json_value_is_another_request() {
    let fixture = Fixture::new();
    let learner =
        |identifier: &str, given_name: &str| json!({"misIdentifier": identifier, "givenName": given_name, "familyName": "Thistlewood"});
    let two = json!({"jobType": "CHECK", "learners": [learner("1", "Niamh"), learner("2", "Rose")]});
    assert_eq!(fixture.caller_with_key().post(BATCHES, &two).await.status, 202);
    let other_values = [
        json!({"jobType": "FULL", "learners": two["learners"]}),
        json!({"jobType": "CHECK", "learners": [two["learners"][1], two["learners"][0]]}),
        json!({"jobType": "CHECK", "learners": [two["learners"][0]]}),
        json!({"jobType": "CHECK", "learners": [learner("2", "Niamh"), learner("1", "Rose")]}),
        json!({"jobType": "CHECK", "learners": [learner("1", "Niamh"), learner("2", "Rose "), ]}),
        json!({"jobType": "CHECK", "learners": [learner("1", "Niamh"), learner("2", "ROSE")]}),
    ];
    for other in other_values {
        fixture.caller_with_key().post(BATCHES, &other).await.problem(422, "idempotency_key_reused");
    }
}

#[tokio::test]
async fn idempotency_key_of_an_invalid_body_is_not_used() {
    let fixture = Fixture::new();
    for body in [r#"{"learner":"#.to_owned(), json!({"learner": {}}).to_string(), json!({"learner": nia()["learner"], "x": 1}).to_string()]
    {
        let refused = post_text(&fixture, OBTAIN, body).await;
        assert!(matches!(refused.status, 400 | 422), "{}", refused.text);
    }
    let first = fixture.gateway.caller().with_header("Idempotency-Key", KEY).post(OBTAIN, &nia()).await;
    assert_eq!((first.status, is_replayed(&first)), (201, false), "{}", first.text);
}
