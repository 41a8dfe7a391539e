//! Submission: division into parts, the outcome of each learner, and waiting with `Prefer`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{BATCHES, register, register_and_complete, submissions};
use crate::support::batches::{expect_accepted, full_registration, learners, mis_identifiers, part_statuses, submit};
use crate::support::{SimulatedLrs, TestGateway};

#[tokio::test]
async fn learners_are_divided_into_parts_and_results_returned_in_order() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let learners = learners(450);

    let batch = register(&caller, &learners).await;
    assert_initial_state(&batch.initial_state);
    let state = batch.wait_for_status("COMPLETE").await;

    assert_complete_state(&state);
    assert_results_in_order(&batch.results().await, &learners);
    assert_sent_once_in_parts(&lrs, &learners);
}

fn assert_initial_state(state: &Value) {
    assert_eq!((&state["status"], &state["records"]), (&json!("ACCEPTED"), &json!(450)));
    assert_eq!(state["progress"], json!({"submitted": 0, "returned": 0, "failed": 0}));
    assert_eq!(part_statuses(state), ["WAITING"; 3]);
}

fn assert_complete_state(state: &Value) {
    assert_eq!(state["progress"], json!({"submitted": 450, "returned": 450, "failed": 0}));
    assert!(state.get("retryAfterSeconds").is_none(), "{state}");
    let parts = state["parts"].as_array().expect("the state has parts");
    let ranges: Vec<_> = parts.iter().map(|part| (&part["part"], &part["firstPosition"], &part["records"])).collect();
    assert_eq!(ranges, [(&json!(1), &json!(0), &json!(200)), (&json!(2), &json!(200), &json!(200)), (&json!(3), &json!(400), &json!(50))]);
    for part in parts {
        assert_eq!((&part["status"], &part["lrsCode"]), (&json!("COMPLETE"), &json!("WSRC0009")), "{part}");
        assert_eq!(part["counts"]["newLearnersCount"], part["records"], "{part}");
        assert!(part["lrsJobId"].as_str().is_some_and(|job| job.parse::<i64>().is_ok()) && part["submittedAt"].is_string(), "{part}");
    }
}

fn assert_results_in_order(results: &[Value], learners: &[Value]) {
    assert_eq!(mis_identifiers(results), mis_identifiers(learners));
    let mut ulns = BTreeSet::new();
    for (position, (result, learner)) in results.iter().zip(learners).enumerate() {
        assert_eq!(result["position"], position);
        assert_eq!((&result["outcome"], &result["lrsCode"]), (&json!("ULN_RETURNED"), &json!("SIM-NEW")), "{result}");
        assert_eq!(result["learner"]["givenName"], learner["givenName"]);
        assert_eq!(result["uln"], result["learner"]["uln"]);
        ulns.insert(result["uln"].as_str().expect("the result has a ULN").to_owned());
    }
    assert_eq!(ulns.len(), learners.len(), "every learner has a different ULN");
}

fn assert_sent_once_in_parts(lrs: &SimulatedLrs, learners: &[Value]) {
    // Parts are sent at the same time, so LRS receives them in any order.
    let mut sent = submissions(lrs);
    sent.sort_by_key(|identifiers| identifiers[0]["STU-".len()..].parse::<u32>().expect("the identifier has a number"));
    assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), [200, 200, 50]);
    assert_eq!(sent.concat(), mis_identifiers(learners));
    assert!(lrs.simulator.jobs().submissions().iter().all(|submission| submission.user == "j.bloggs"));
}

#[tokio::test]
async fn each_learner_has_the_outcome_that_lrs_returned() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let [mut new, mut known, mut candidate, mut young] = <[Value; 4]>::try_from(learners(4)).expect("there are four learners");
    new["misIdentifier"] = json!("same name");
    (known["givenName"], known["familyName"], known["dateOfBirth"], known["gender"], known["lastKnownPostCode"]) =
        (json!("Ana"), json!("O'Neill"), json!("2003-04-05"), json!("FEMALE"), json!("ZZ99 9ZZ"));
    known["misIdentifier"] = json!("same name");
    (candidate["givenName"], candidate["familyName"], candidate["dateOfBirth"]) = (json!("Sam"), json!("Taylor"), json!("2004-06-01"));
    candidate["gender"] = json!("NOT_KNOWN");
    young["dateOfBirth"] = json!("2020-01-01");
    let incomplete = json!({"givenName": "Sian", "familyName": "Minimal"});
    let by_uln = json!({"misIdentifier": "by ULN", "uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});

    let batch = register_and_complete(&caller, &[new, known, candidate, young, incomplete, by_uln]).await;

    let results = batch.results().await;
    let outcome = |row: &Value| ["outcome", "lrsCode"].map(|field| row[field].as_str().expect("a result has outcome and code").to_owned());
    assert_eq!(
        results.iter().map(outcome).collect::<Vec<_>>(),
        [
            ["ULN_RETURNED", "SIM-NEW"],
            ["ULN_RETURNED", "SIM-EXISTS"],
            ["OTHER", "SIM-POSSIBLE"],
            ["EXCEPTION", "RC011"],
            ["EXCEPTION", "RC006"],
            ["OTHER", "SIM-EXISTS"],
        ]
    );
    assert_eq!(mis_identifiers(&results), ["same name", "same name", "STU-2", "STU-3", "", "by ULN"], "identifiers need not be unique");
    assert_eq!(results[1]["uln"], "3000000126");
    // LRS repeats a ULN that was sent. It is not a ULN that LRS has assigned or confirmed.
    assert!(results[5].get("uln").is_none() && results[5]["learner"]["uln"] == "3000000126", "{}", results[5]);
}

#[tokio::test]
async fn check_whose_response_is_lost_is_sent_again_automatically() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    lrs.simulator.lose_answers("SubmitBatch", 1);

    let batch = submit(&caller, "registration-batches", &json!({"jobType": "CHECK", "learners": learners(5)})).await;
    batch.wait_for_status("COMPLETE").await;

    assert_eq!(submissions(&lrs).len(), 2);
    assert!(batch.results().await.iter().all(|row| row["lrsCode"] == "SIM-NOT-FOUND" && row["outcome"] == "OTHER"));
}

#[tokio::test]
async fn prefer_wait_that_sees_the_end_of_the_batch_answers_200() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller().with_header("Prefer", "respond-async, wait=20");

    let submitted = caller.post(BATCHES, &full_registration(&learners(3))).await;
    let job_id = submitted.json()["parts"][0]["lrsJobId"].clone();
    let tracked = caller.post(&format!("{BATCHES}/track"), &json!({"lrsJobId": job_id})).await;

    for answer in [submitted, tracked] {
        assert_eq!((answer.status, answer.header("preference-applied")), (200, "wait=20"), "{}", answer.text);
        assert!(answer.header("retry-after").is_empty(), "a complete batch does not change any more");
        assert_eq!(answer.json()["status"], "COMPLETE");
        assert_eq!(caller.request("GET", &answer.location()).await.expect_success()["batchId"], answer.json()["batchId"]);
    }
}

#[tokio::test]
async fn prefer_wait_does_not_change_the_replay_of_an_idempotency_key() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let http = crate::support::http_client_builder().build().expect("the client is created");
    let submit = async |key: &str, preference: &str| {
        let request = http.post(format!("{}{BATCHES}", gateway.url())).bearer_auth(crate::support::caller::token(json!({})));
        let request = request.header("Idempotency-Key", key).header("Prefer", preference).json(&full_registration(&learners(1)));
        let answer = request.send().await.expect("the gateway answers");
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
        let headers = ["location", "preference-applied", "idempotency-replayed"].map(header);
        (answer.status().as_u16(), headers, answer.text().await.expect("a text"))
    };
    for (key, first_preference, status) in [("waits", "wait=20", 200), ("does-not-wait", "respond-async", 202)] {
        let (first_status, [first_location, first_applied, _], first_text) = submit(key, first_preference).await;
        assert_eq!((first_status, first_applied.is_some()), (status, status == 200), "{first_text}");
        for preference in ["wait=20", "respond-async"] {
            let (replayed_status, [location, applied, replayed], text) = submit(key, preference).await;
            assert_eq!((replayed_status, &location, &text), (status, &first_location, &first_text), "{preference}");
            assert_eq!((applied, replayed.as_deref()), (None, Some("true")), "a replay does not wait: {preference}");
        }
    }
}

#[tokio::test]
async fn prefer_wait_answers_after_the_wait_if_the_batch_is_not_complete() {
    let lrs = SimulatedLrs::start();
    lrs.simulator.set_job_duration(Duration::from_secs(3600));
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller().with_header("Prefer", "wait=0");

    let answer = caller.post(BATCHES, &full_registration(&learners(1))).await;
    assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{answer:?}");
    let batch = expect_accepted(&caller, &answer);
    assert_ne!(batch.initial_state["status"], "COMPLETE");

    let started_at = Instant::now();
    let answer = gateway.caller().with_header("Prefer", "wait=1").request("GET", &batch.path).await;
    assert!(started_at.elapsed() >= Duration::from_secs(1));
    assert_eq!((answer.header("preference-applied"), &answer.expect_success()["status"]), ("wait=1", &json!("PROCESSING")));
}
