//! Validation: a batch with any error is rejected as a whole.

use lrs_gateway::batches::BatchSettings;
use serde_json::{Value, json};

use super::{BATCHES, register, submissions};
use crate::support::batches::{full_registration, learners};
use crate::support::caller::Answer;
use crate::support::gateway::{Options, fast_batches};
use crate::support::{Caller, SimulatedLrs, TestGateway};

/// An LRS and a gateway that must accept nothing.
struct Fixture {
    lrs: SimulatedLrs,
    caller: Caller,
    _gateway: TestGateway,
}

impl Fixture {
    fn start(batches: BatchSettings) -> Self {
        let lrs = SimulatedLrs::with_instant_jobs();
        let gateway = TestGateway::with(&lrs.url(), Options { batches, ..Options::default() });
        Self { caller: gateway.caller(), lrs, _gateway: gateway }
    }

    async fn post(&self, body: &Value) -> Answer {
        self.caller.post(BATCHES, body).await
    }

    async fn assert_nothing_accepted(&self) {
        assert!(submissions(&self.lrs).is_empty());
        assert_eq!(self.caller.request("GET", BATCHES).await.expect_success(), json!({"batches": []}));
    }
}

#[tokio::test]
async fn errors_of_several_learners_are_all_reported_with_pointers() {
    let fixture = Fixture::start(fast_batches());
    let mut invalid = learners(6000);
    invalid[4711]["dateOfBirth"] = json!("2003-02-29");
    invalid[4711]["colour"] = json!("blue");
    invalid[5999]["uln"] = json!("3000000127");

    let answer = fixture.post(&full_registration(&invalid)).await;

    answer.problem(400, "unknown_field");
    let mut errors = answer.errors();
    errors.sort();
    let mut expected =
        [("/learners/4711/dateOfBirth", "not_a_date"), ("/learners/4711/colour", "unknown_field"), ("/learners/5999/uln", "check_digit")]
            .map(|(pointer, code)| (pointer.to_owned(), code.to_owned()));
    expected.sort();
    assert_eq!(errors, expected);
    fixture.assert_nothing_accepted().await;
}

#[tokio::test]
async fn more_than_a_thousand_errors_are_counted_but_not_all_listed() {
    let fixture = Fixture::start(fast_batches());
    let mut invalid = learners(1500);
    for learner in &mut invalid {
        learner["gender"] = json!("M");
    }

    let answer = fixture.post(&full_registration(&invalid)).await;

    let problem = answer.problem(422, "validation_failed");
    assert_eq!(answer.errors().len(), 1001);
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.starts_with("1500 errors")), "{}", problem["detail"]);
    fixture.assert_nothing_accepted().await;
}

#[tokio::test]
async fn body_without_learners_or_job_type_is_rejected() {
    let fixture = Fixture::start(fast_batches());
    for (body, status, code, pointer) in [
        (json!({"jobType": "FULL", "learners": []}), 422, "validation_failed", "/learners"),
        (json!({"jobType": "FULL"}), 422, "validation_failed", "/learners"),
        (json!({"learners": learners(1)}), 422, "validation_failed", "/jobType"),
        (json!({"jobType": "FULL", "learners": {}}), 400, "malformed_request", "/learners"),
        (json!({"jobType": "FULL", "learners": [null]}), 400, "malformed_request", "/learners/0"),
    ] {
        let answer = fixture.post(&body).await;
        answer.problem(status, code);
        assert_eq!(answer.errors()[0].0, pointer, "{}", answer.text);
    }
    fixture.assert_nothing_accepted().await;
}

#[tokio::test]
async fn max_learners_is_accepted_and_one_more_is_rejected() {
    let fixture = Fixture::start(BatchSettings { max_learners: 250, ..fast_batches() });

    let answer = fixture.post(&full_registration(&learners(251))).await;
    answer.problem(422, "validation_failed");
    assert_eq!(answer.errors(), [("/learners".to_owned(), "too_many".to_owned())]);
    assert!(answer.text.contains("at most 250 items, has 251"), "{}", answer.text);
    fixture.assert_nothing_accepted().await;

    let batch = register(&fixture.caller, &learners(250)).await;
    assert_eq!(batch.wait_for_status("COMPLETE").await["records"], 250);
}

#[tokio::test]
async fn body_over_the_byte_limit_is_rejected() {
    let fixture = Fixture::start(fast_batches());
    let body = format!("{{\"jobType\":\"FULL\",\"learners\":[{}]}}", " ".repeat(33 * 1024 * 1024));

    let answer = fixture.caller.post_text(BATCHES, "application/json", body).await;

    answer.problem(413, "body_too_large");
    fixture.assert_nothing_accepted().await;
}
