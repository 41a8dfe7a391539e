//! Registration batches through the gateway: accepted whole, sent in parts, followed, put together again.

use std::time::Duration;

use lrs_gateway::batches::BatchSettings;
use lrs_gateway::simulator::SimulatorSettings;
use serde_json::{Value, json};

use crate::support::batches::{accepted, learners, mis_identifiers, statuses, submit};
use crate::support::fake_server::{Reply, soap};
use crate::support::gateway::{AWARDING, Options, fast_batches, organisation};
use crate::support::{FakeServer, SimulatedLrs, TestGateway};

const BATCHES: &str = "/v1/registration-batches";

/// An LRS whose jobs are done at once, with nobody in its register but the few the demonstration knows.
fn lrs() -> SimulatedLrs {
    let lrs = SimulatedLrs::start();
    lrs.simulator.set_job_duration(Duration::ZERO);
    lrs
}

fn full(learners: &[Value]) -> Value {
    json!({"jobType": "FULL", "learners": learners})
}

/// The names of the records in each submission that LRS has got.
fn submissions(lrs: &SimulatedLrs) -> Vec<Vec<String>> {
    lrs.simulator.jobs().submissions().iter().map(|submission| submission.mis_identifiers.clone()).collect()
}

#[tokio::test]
async fn any_number_of_learners_is_divided_sent_and_put_together_in_order() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let learners = learners(450);
    let batch = submit(&caller, "registration-batches", &full(&learners)).await;
    assert_eq!((&batch.first["status"], &batch.first["records"]), (&json!("ACCEPTED"), &json!(450)));
    assert_eq!(batch.first["progress"], json!({"submitted": 0, "returned": 0, "failed": 0}));
    assert_eq!(statuses(&batch.first), ["WAITING"; 3]);

    let state = batch.wait_for_status("COMPLETE").await;
    assert_eq!(state["progress"], json!({"submitted": 450, "returned": 450, "failed": 0}));
    assert!(state.get("retryAfterSeconds").is_none(), "{state}");
    let parts = state["parts"].as_array().expect("parts");
    let shape: Vec<_> = parts.iter().map(|part| (&part["part"], &part["firstPosition"], &part["records"])).collect();
    assert_eq!(shape, [(&json!(1), &json!(0), &json!(200)), (&json!(2), &json!(200), &json!(200)), (&json!(3), &json!(400), &json!(50))]);
    for part in parts {
        assert_eq!((&part["status"], &part["lrsCode"]), (&json!("COMPLETE"), &json!("WSRC0009")), "{part}");
        assert_eq!(part["counts"]["newLearnersCount"], part["records"], "{part}");
        assert!(part["lrsJobId"].as_str().is_some_and(|job| job.parse::<i64>().is_ok()) && part["submittedAt"].is_string(), "{part}");
    }

    let results = batch.results().await;
    assert_eq!(mis_identifiers(&results), mis_identifiers(&learners));
    let mut ulns = std::collections::BTreeSet::new();
    for (position, (result, learner)) in results.iter().zip(&learners).enumerate() {
        assert_eq!(result["position"], position);
        assert_eq!((&result["outcome"], &result["lrsCode"]), (&json!("ULN_RETURNED"), &json!("SIM-NEW")), "{result}");
        assert_eq!(result["learner"]["givenName"], learner["givenName"]);
        assert_eq!(result["uln"], result["learner"]["uln"]);
        ulns.insert(result["uln"].as_str().expect("a ULN").to_owned());
    }
    assert_eq!(ulns.len(), 450, "everybody has a ULN of their own");
    let mut sent = submissions(&lrs);
    sent.sort_by_key(|names| names[0][4..].parse::<u32>().expect("a number"));
    assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), [200, 200, 50]);
    assert_eq!(sent.concat(), mis_identifiers(&learners));
    assert!(lrs.simulator.jobs().submissions().iter().all(|submission| submission.user == "j.bloggs"));
}

#[tokio::test]
async fn every_learner_has_the_outcome_lrs_gave() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let [mut new, mut known, mut candidate, mut young] = <[Value; 4]>::try_from(learners(4)).expect("four");
    new["misIdentifier"] = json!("same name");
    (known["givenName"], known["familyName"], known["dateOfBirth"], known["gender"], known["lastKnownPostCode"]) =
        (json!("Ana"), json!("O'Neill"), json!("2003-04-05"), json!("FEMALE"), json!("ZZ99 9ZZ"));
    known["misIdentifier"] = json!("same name");
    (candidate["givenName"], candidate["familyName"], candidate["dateOfBirth"]) = (json!("Sam"), json!("Taylor"), json!("2004-06-01"));
    candidate["gender"] = json!("NOT_KNOWN");
    young["dateOfBirth"] = json!("2020-01-01");
    let poor = json!({"givenName": "Sian", "familyName": "Minimal"});
    let by_uln = json!({"misIdentifier": "by ULN", "uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});
    let body = full(&[new, known, candidate, young, poor, by_uln]);
    let batch = submit(&caller, "registration-batches", &body).await;
    batch.wait_for_status("COMPLETE").await;
    let results = batch.results().await;
    let told: Vec<_> = results.iter().map(|row| (row["outcome"].as_str().expect("one"), row["lrsCode"].as_str().expect("one"))).collect();
    assert_eq!(
        told,
        [
            ("ULN_RETURNED", "SIM-NEW"),
            ("ULN_RETURNED", "SIM-EXISTS"),
            ("OTHER", "SIM-POSSIBLE"),
            ("INCORRECT_FORMAT", "RC011"),
            ("INSUFFICIENT_DATA", "RC006"),
            ("OTHER", "SIM-EXISTS"),
        ]
    );
    assert_eq!(mis_identifiers(&results), ["same name", "same name", "STU-2", "STU-3", "", "by ULN"], "names need not be unique");
    assert_eq!(results[1]["uln"], "3000000126");
    assert!(results[5].get("uln").is_none() && results[5]["learner"]["uln"] == "3000000126", "a ULN that was sent is only repeated");
}

#[tokio::test]
async fn a_caller_can_wait_for_the_end() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller().with_header("Prefer", "respond-async, wait=20");
    let answer = caller.post(BATCHES, &full(&learners(3))).await;
    assert_eq!(answer.header("preference-applied"), "wait=20");
    assert!(answer.header("retry-after").is_empty(), "nothing more will come");
    assert_eq!(accepted(&caller, &answer).first["status"], "COMPLETE");

    lrs.simulator.set_job_duration(Duration::from_secs(3600));
    let caller = gateway.caller().with_header("Prefer", "wait=0");
    let answer = caller.post(BATCHES, &full(&learners(1))).await;
    assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{answer:?}");
    let batch = accepted(&caller, &answer);
    assert_ne!(batch.first["status"], "COMPLETE");
    let before = std::time::Instant::now();
    let waited = gateway.caller().with_header("Prefer", "wait=1").request("GET", &batch.path).await;
    assert!(before.elapsed() >= Duration::from_secs(1));
    assert_eq!((waited.header("preference-applied"), &waited.expect_success()["status"]), ("wait=1", &json!("PROCESSING")));
}

#[tokio::test]
async fn a_mistake_anywhere_and_nothing_is_accepted() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let mut wrong = learners(6000);
    wrong[4711]["dateOfBirth"] = json!("2003-02-29");
    wrong[4711]["colour"] = json!("blue");
    wrong[5999]["uln"] = json!("3000000127");
    let answer = caller.post(BATCHES, &full(&wrong)).await;
    answer.problem(400, "unknown_field");
    let expected =
        [("/learners/4711/dateOfBirth", "not_a_date"), ("/learners/4711/colour", "unknown_field"), ("/learners/5999/uln", "check_digit")];
    let mut errors = answer.errors();
    errors.sort();
    let mut expected = expected.map(|(at, code)| (at.to_owned(), code.to_owned()));
    expected.sort();
    assert_eq!(errors, expected);

    let all_wrong: Vec<Value> = learners(1500)
        .into_iter()
        .map(|mut learner| {
            learner["gender"] = json!("M");
            learner
        })
        .collect();
    let answer = caller.post(BATCHES, &full(&all_wrong)).await;
    let problem = answer.problem(422, "validation_failed");
    assert_eq!(answer.errors().len(), 1001);
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.starts_with("1500 errors")), "{}", problem["detail"]);

    for (body, status, code, pointer) in [
        (json!({"jobType": "FULL", "learners": []}), 422, "validation_failed", "/learners"),
        (json!({"jobType": "FULL"}), 422, "validation_failed", "/learners"),
        (json!({"learners": learners(1)}), 422, "validation_failed", "/jobType"),
        (json!({"jobType": "FULL", "learners": {}}), 400, "malformed_request", "/learners"),
        (json!({"jobType": "FULL", "learners": [null]}), 400, "malformed_request", "/learners/0"),
    ] {
        let answer = caller.post(BATCHES, &body).await;
        answer.problem(status, code);
        assert_eq!(answer.errors()[0].0, pointer, "{}", answer.text);
    }
    assert!(submissions(&lrs).is_empty());
    assert_eq!(caller.request("GET", BATCHES).await.expect_success(), json!({"batches": []}));
}

#[tokio::test]
async fn more_than_the_operator_allows_and_more_bytes_than_there_may_be_are_refused() {
    let lrs = lrs();
    let jobs = BatchSettings { max_learners: 250, ..fast_batches() };
    let gateway = TestGateway::with(&lrs.url(), Options { jobs, ..Options::default() });
    let caller = gateway.caller();
    let answer = caller.post(BATCHES, &full(&learners(251))).await;
    answer.problem(422, "validation_failed");
    assert_eq!(answer.errors(), [("/learners".to_owned(), "too_many".to_owned())]);
    assert!(answer.text.contains("at most 250 items, has 251"), "{}", answer.text);
    let body = format!("{{\"jobType\":\"FULL\",\"learners\":[{}]}}", " ".repeat(33 * 1024 * 1024));
    caller.post_text(BATCHES, "application/json", body).await.problem(413, "body_too_large");
    assert!(submissions(&lrs).is_empty());
    let batch = submit(&caller, "registration-batches", &full(&learners(250))).await;
    assert_eq!(batch.wait_for_status("COMPLETE").await["records"], 250);
}

#[tokio::test]
async fn a_batch_is_its_organisations_own() {
    let lrs = lrs();
    let organisations = [(crate::support::caller::PROVIDER, "demo-password-01"), (AWARDING, "demo-password-02")]
        .map(|(ukprn, password)| organisation(ukprn, password, &[lrs_gateway::domain::Product::RegistrationBatches]));
    let gateway = TestGateway::with(&lrs.url(), Options { organisations: organisations.into(), ..Options::default() });
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &full(&learners(1))).await;
    batch.wait_for_status("COMPLETE").await;
    let stranger = gateway.caller().with_claims(json!({"org": AWARDING}));
    let unknown = "/v1/registration-batches/0197c2b0-0000-7000-8000-000000000000";
    for caller_and_path in [(&stranger, batch.path.as_str()), (&caller, unknown), (&caller, "/v1/registration-batches/1")] {
        let (caller, path) = caller_and_path;
        for (method, path) in [
            ("GET", path.to_owned()),
            ("GET", format!("{path}/results")),
            ("DELETE", path.to_owned()),
            ("POST", format!("{path}/parts/1/resubmit")),
            ("POST", format!("{path}/parts/1/discard")),
        ] {
            let problem = caller.request(method, &path).await.problem(404, "batch_not_found");
            assert_eq!(
                problem["detail"],
                "Look up the batch in the list of batches. Batches are erased after their retention period, and on request."
            );
        }
    }
    // Another resource is another kind.
    let same_id = batch.path.replace("registration", "verification");
    let person = gateway.caller();
    let answer = person.request("GET", &same_id).await;
    assert!(answer.status == 403 || answer.status == 404, "{answer:?}");
    assert_eq!(stranger.request("GET", BATCHES).await.expect_success(), json!({"batches": []}));
    assert_eq!(batch.results().await.len(), 1, "it is still there");
}

#[tokio::test]
async fn batches_are_listed_newest_first_and_erased_on_request() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let mut ids = Vec::new();
    for count in 1..=5 {
        let batch = submit(&caller, "registration-batches", &full(&learners(count))).await;
        batch.wait_for_status("COMPLETE").await;
        ids.insert(0, batch.first["batchId"].clone());
    }
    let mut listed = Vec::new();
    let mut path = format!("{BATCHES}?limit=2");
    for _ in 0..3 {
        let page = caller.request("GET", &path).await.expect_success();
        for batch in page["batches"].as_array().expect("a list") {
            assert!(batch["status"] == "COMPLETE" && batch.get("parts").is_none(), "{batch}");
            listed.push(batch["batchId"].clone());
        }
        if let Some(next) = page["next"].as_str() {
            path = format!("{BATCHES}?limit=2&cursor={next}");
        }
    }
    assert_eq!(listed, ids);

    let gone = format!("{BATCHES}/{}", ids[1].as_str().expect("an id"));
    let erased = caller.request("DELETE", &gone).await;
    assert_eq!((erased.status, erased.text.as_str()), (204, ""));
    caller.request("GET", &gone).await.problem(404, "batch_not_found");
    caller.request("DELETE", &gone).await.problem(404, "batch_not_found");
    let left = caller.request("GET", BATCHES).await.expect_success();
    assert_eq!(left["batches"].as_array().map(Vec::len), Some(4));
    for query in ["limit=0", "limit=x", "cursor=1", "name=Ana", "limit=-1"] {
        caller.request("GET", &format!("{BATCHES}?{query}")).await.problem(400, "malformed_request");
    }
}

#[tokio::test]
async fn results_come_as_pages_lines_or_a_table() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let mut learners = learners(250);
    learners[0]["familyName"] = json!("Quill, \"Feather\"");
    learners[1]["familyName"] = json!("=1+1");
    let batch = submit(&caller, "registration-batches", &full(&learners)).await;
    batch.wait_for_status("COMPLETE").await;
    let rows = batch.results().await;
    let path = format!("{}/results", batch.path);

    let page = caller.request("GET", &format!("{path}?limit=120")).await.expect_success();
    assert_eq!((page["results"].as_array().map(Vec::len), &page["status"]), (Some(120), &json!("COMPLETE")));
    let next = page["next"].as_str().expect("more");
    let rest = caller.request("GET", &format!("{path}?cursor={next}")).await.expect_success();
    assert_eq!((rest["results"].as_array().map(Vec::len), rest.get("next")), (Some(130), None));
    assert_eq!(rest["results"][0]["position"], 120);

    let lines = gateway.caller().with_header("Accept", "application/x-ndjson").request("GET", &path).await;
    assert_eq!((lines.header("content-type"), lines.header("batch-status")), ("application/x-ndjson", "COMPLETE"));
    let parsed: Vec<Value> = lines.text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(parsed, rows);

    let table = gateway.caller().with_header("Accept", "text/csv").request("GET", &path).await;
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert!(table.header("content-disposition").ends_with(".csv\""));
    let mut lines = table.text.split("\r\n");
    let head = lines.next().expect("a head");
    assert!(head.starts_with("position,misIdentifier,outcome,lrsCode,uln,learnerUln,title,givenName,"), "{head}");
    let first = lines.next().expect("a row");
    assert!(first.starts_with("0,STU-0,ULN_RETURNED,SIM-NEW,9") && first.contains("\"Quill, \"\"Feather\"\"\""), "{first}");
    assert_eq!(lines.filter(|line| !line.is_empty()).count(), 249);

    for accept in ["text/html", "application/xml;q=1", "image/*"] {
        gateway.caller().with_header("Accept", accept).request("GET", &path).await.problem(406, "not_acceptable");
    }
    for accept in ["*/*", "application/json", "text/html, application/*;q=0.5"] {
        let answer = gateway.caller().with_header("Accept", accept).request("GET", &path).await;
        assert_eq!(answer.header("content-type"), "application/json", "{accept}");
    }
}

#[tokio::test]
async fn before_there_are_results_there_are_none() {
    let lrs = lrs();
    lrs.simulator.set_job_duration(Duration::from_secs(3600));
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &full(&learners(3))).await;
    let state = batch.wait_for_status("PROCESSING").await;
    assert_eq!(state["progress"], json!({"submitted": 3, "returned": 0, "failed": 0}));
    assert!(state["retryAfterSeconds"].is_u64() && state["parts"][0]["lrsJobId"].is_string(), "{state}");
    let page = caller.request("GET", &format!("{}/results", batch.path)).await.expect_success();
    assert_eq!(page, json!({"batchId": state["batchId"], "status": "PROCESSING", "results": []}));
    for accept in ["text/csv", "application/x-ndjson"] {
        let answer = gateway.caller().with_header("Accept", accept).request("GET", &format!("{}/results", batch.path)).await;
        assert_eq!((answer.status, answer.header("batch-status")), (200, "PROCESSING"));
    }
    lrs.simulator.set_job_duration(Duration::ZERO);
    batch.wait_for_status("COMPLETE").await;
    assert_eq!(batch.results().await.len(), 3);
}

#[tokio::test]
async fn a_part_whose_answer_was_lost_waits_for_the_caller() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    lrs.simulator.lose_answers("SubmitBatch", 2);
    let batch = submit(&caller, "registration-batches", &full(&learners(600))).await;
    let state = batch.wait_for_status("PAUSED").await;
    let unconfirmed: Vec<u32> = (1..=3).filter(|part| statuses(&state)[*part as usize - 1] == "UNCONFIRMED").collect();
    assert_eq!(unconfirmed.len(), 2, "{state}");
    assert_eq!(state["parts"][unconfirmed[0] as usize - 1]["reason"], "ANSWER_LOST");
    assert_eq!(state["progress"], json!({"submitted": 200, "returned": 200, "failed": 0}));
    assert!(state.get("retryAfterSeconds").is_none(), "nothing happens by itself: {state}");
    assert_eq!(submissions(&lrs).len(), 3, "nothing was sent twice");
    assert_eq!(batch.results().await.len(), 200);

    // Another person has one sent again, and the other left.
    let other = gateway.caller().with_claims(json!({"preferred_username": "a.decider"}));
    let decided = other.request("POST", &format!("{}/parts/{}/resubmit", batch.path, unconfirmed[0])).await;
    assert_eq!(decided.status, 202, "{}", decided.text);
    assert_eq!(batch.decide(unconfirmed[1], "discard").await.status, 202);
    let state = batch.wait_for_status("PARTIALLY_COMPLETE").await;
    let discarded = &state["parts"][unconfirmed[1] as usize - 1];
    assert_eq!((&discarded["status"], &discarded["reason"]), (&json!("FAILED"), &json!("DISCARDED")));
    assert_eq!(state["progress"], json!({"submitted": 400, "returned": 400, "failed": 200}));
    let users: Vec<String> = lrs.simulator.jobs().submissions().iter().map(|submission| submission.user.clone()).collect();
    assert_eq!(users, ["j.bloggs", "j.bloggs", "j.bloggs", "a.decider"]);

    let results = batch.results().await;
    assert_eq!(results.iter().map(|row| row["position"].as_u64().expect("a position")).collect::<Vec<_>>(), (0..600).collect::<Vec<_>>());
    let not_processed = results.iter().filter(|row| row["outcome"] == "NOT_PROCESSED").count();
    assert_eq!(not_processed, 200);
    assert_eq!(mis_identifiers(&results), mis_identifiers(&learners(600)));
    for (part, decision, status, code) in
        [(1, "resubmit", 409, "part_not_awaiting_decision"), (4, "discard", 404, "not_found"), (0, "resubmit", 404, "not_found")]
    {
        batch.decide(part, decision).await.problem(status, code);
    }
}

#[tokio::test]
async fn looking_for_learners_is_done_again_by_itself() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    lrs.simulator.lose_answers("SubmitBatch", 1);
    let batch = submit(&caller, "registration-batches", &json!({"jobType": "CHECK", "learners": learners(5)})).await;
    batch.wait_for_status("COMPLETE").await;
    assert_eq!(submissions(&lrs).len(), 2);
    assert!(batch.results().await.iter().all(|row| row["lrsCode"] == "SIM-NOT-FOUND" && row["outcome"] == "OTHER"));
}

#[tokio::test]
async fn what_lrs_refuses_plainly_is_final_with_its_code() {
    let lrs = lrs();
    let organisations =
        vec![organisation(crate::support::caller::PROVIDER, "another-password", &[lrs_gateway::domain::Product::RegistrationBatches])];
    let gateway = TestGateway::with(&lrs.url(), Options { organisations, ..Options::default() });
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &full(&learners(2))).await;
    let state = batch.wait_for_status("FAILED").await;
    let part = &state["parts"][0];
    assert_eq!((&part["reason"], &part["lrsCode"]), (&json!("LRS_CREDENTIALS_REJECTED"), &json!("WSEC0005")));
    assert_eq!(state["progress"], json!({"submitted": 0, "returned": 0, "failed": 2}));
    let results = batch.results().await;
    assert_eq!(mis_identifiers(&results), ["STU-0", "STU-1"]);
    assert!(results.iter().all(|row| row["outcome"] == "NOT_PROCESSED" && row["lrsCode"] == "WSEC0005"), "{results:?}");
}

#[tokio::test]
async fn a_batch_waits_for_an_lrs_that_is_closed_or_away() {
    let answers = std::sync::Mutex::new(vec![
        Reply::Bytes(soap(
            200,
            "<n:SubmitBatchResponse xmlns:n=\"http://api.lrs.miap.gov.uk/batchmsg\"><ResponseCode>WSRC0007</ResponseCode><JobID>7</JobID></n:SubmitBatchResponse>",
        )),
        Reply::Bytes(crate::support::fake_server::http(200, "text/html", b"<html>Down for maintenance</html>")),
    ]);
    let done = soap(
        200,
        "<n:GetSubmitBatchOutputResponse xmlns:n=\"http://api.lrs.miap.gov.uk/batchmsg\"><ResponseCode>WSRC0009</ResponseCode>\
         <Learner><MISIdentifier>STU-0</MISIdentifier><GivenName>ZEBAAAAA</GivenName><FamilyName>Quillfeather</FamilyName>\
         <DateOfBirth>1990-09-17</DateOfBirth><ULN>3000000126</ULN><ReturnCode>RC001</ReturnCode></Learner></n:GetSubmitBatchOutputResponse>",
    );
    let peer = FakeServer::start(move |_| answers.lock().expect("no panic").pop().unwrap_or_else(|| Reply::Bytes(done.clone())));
    let gateway = TestGateway::to(&peer.url());
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &full(&learners(1))).await;
    let state = batch.wait_for_status("COMPLETE").await;
    assert_eq!(state["parts"][0]["lrsJobId"], "7");
    let bodies: Vec<String> = peer.received().iter().map(|request| request.body.clone()).collect();
    assert_eq!(bodies.iter().filter(|body| body.contains("SubmitBatch ")).count(), 2, "once while it was closed, and once more");
    assert_eq!(batch.results().await[0]["uln"], "3000000126", "a code nobody documented, and a ULN");

    // Nobody listens there.
    let closed = {
        let peer = FakeServer::with_response(Vec::new());
        peer.url()
    };
    let gateway = TestGateway::to(&closed);
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &full(&learners(1))).await;
    let state = loop {
        let state = batch.state().await;
        if state["parts"][0]["reason"].is_string() {
            break state;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let told = (&state["status"], &state["parts"][0]["status"], &state["parts"][0]["reason"]);
    assert_eq!(told, (&json!("SUBMITTING"), &json!("WAITING"), &json!("LRS_UNAVAILABLE")));
}

#[tokio::test]
async fn results_that_are_nobodys_are_given_to_nobody() {
    let submitted = soap(
        200,
        "<n:SubmitBatchResponse xmlns:n=\"http://api.lrs.miap.gov.uk/batchmsg\"><ResponseCode>WSRC0007</ResponseCode><JobID>7</JobID></n:SubmitBatchResponse>",
    );
    let learner = |name: &str, given: &str, uln: &str| {
        format!(
            "<Learner><MISIdentifier>{name}</MISIdentifier><GivenName>{given}</GivenName><FamilyName>Quillfeather</FamilyName><DateOfBirth>1990-09-17</DateOfBirth><ULN>{uln}</ULN><ReturnCode>RC001</ReturnCode></Learner>"
        )
    };
    let rows = [learner("NOBODY", "Stranger", "3000000258"), learner("STU-0", "Zebaaaaa", "3000000126")].concat();
    let done = soap(
        200,
        &format!(
            "<n:GetSubmitBatchOutputResponse xmlns:n=\"http://api.lrs.miap.gov.uk/batchmsg\"><ResponseCode>WSRC0009</ResponseCode>{rows}</n:GetSubmitBatchOutputResponse>"
        ),
    );
    let peer = FakeServer::start(move |request| {
        Reply::Bytes(if request.body.contains("GetSubmitBatchOutput") { done.clone() } else { submitted.clone() })
    });
    let gateway = TestGateway::to(&peer.url());
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &full(&learners(2))).await;
    batch.wait_for_status("COMPLETE").await;
    let results = batch.results().await;
    assert_eq!(results.len(), 3);
    assert_eq!((&results[0]["position"], &results[0]["uln"]), (&json!(0), &json!("3000000126")));
    assert_eq!((&results[1]["position"], &results[1]["outcome"], results[1].get("uln")), (&json!(1), &json!("NO_RESULT"), None));
    assert_eq!((results[2].get("position"), &results[2]["learner"]["givenName"]), (None, &json!("Stranger")), "nothing is lost");
}

#[tokio::test]
async fn a_job_that_was_submitted_elsewhere_is_followed() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = gateway.caller();
    let track = async |job: &str| caller.post(&format!("{BATCHES}/track"), &json!({"lrsJobId": job})).await;
    let batch = accepted(&caller, &track("800001").await);
    let state = batch.wait_for_status("COMPLETE").await;
    let results = batch.results().await;
    assert_eq!(state["records"], results.len());
    assert!(!results.is_empty() && results.iter().all(|row| row["learner"]["givenName"].is_string()), "{results:?}");
    assert_eq!(results[0]["position"], 0);

    let unknown = accepted(&caller, &track("123").await);
    let state = unknown.wait_for_status("FAILED").await;
    assert_eq!((&state["parts"][0]["reason"], &state["parts"][0]["lrsCode"]), (&json!("JOB_UNKNOWN"), &json!("WSRC0018")));
    for wrong in ["", "0", "12x", "-1", "9223372036854775808"] {
        track(wrong).await.problem(422, "validation_failed");
    }
    assert!(submissions(&lrs).is_empty(), "nothing was submitted");
}

#[tokio::test]
async fn one_organisations_slow_batches_do_not_stop_anothers() {
    let slow = SimulatedLrs::with(&SimulatorSettings { latency_milliseconds: 300, ..SimulatorSettings::default() });
    slow.simulator.set_job_duration(Duration::ZERO);
    let product = [lrs_gateway::domain::Product::RegistrationBatches];
    let organisations = vec![
        organisation(crate::support::caller::PROVIDER, "demo-password-01", &product),
        organisation(AWARDING, "demo-password-02", &product),
    ];
    let gateway = TestGateway::with(&slow.url(), Options { organisations, ..Options::default() });
    let (busy, other) = (gateway.caller(), gateway.caller().with_claims(json!({"org": AWARDING})));
    for _ in 0..40 {
        submit(&busy, "registration-batches", &full(&learners(1))).await;
    }
    // The simulator does not let the other organisation in: its part fails, but soon.
    let batch = submit(&other, "registration-batches", &full(&learners(1))).await;
    let before = std::time::Instant::now();
    batch.wait_for_status("FAILED").await;
    assert!(before.elapsed() < Duration::from_secs(3), "{:?}", before.elapsed());
}

#[tokio::test]
async fn an_lrs_that_gives_no_codes_is_understood_by_what_it_gives() {
    let submitted =
        soap(200, "<n:SubmitBatchResponse xmlns:n=\"http://api.lrs.miap.gov.uk/batchmsg\"><JobID>7</JobID></n:SubmitBatchResponse>");
    let output = |finished: &str| {
        let learner = "<Learner><MISIdentifier>STU-0</MISIdentifier><GivenName>Zebaaaaa</GivenName><FamilyName>Quillfeather</FamilyName>\
             <DateOfBirth>1990-09-17</DateOfBirth><ULN>3000000126</ULN></Learner>";
        let job = format!(
            "<JobStatus>In Progress</JobStatus><JobStartedDateTime>2026-07-01 10:00:00</JobStartedDateTime>\
             <JobFinishedDateTime>{finished}</JobFinishedDateTime>{learner}"
        );
        soap(
            200,
            &format!(
                "<n:GetSubmitBatchOutputResponse xmlns:n=\"http://api.lrs.miap.gov.uk/batchmsg\">{job}</n:GetSubmitBatchOutputResponse>"
            ),
        )
    };
    let answers = std::sync::Mutex::new(vec![output(""), output("")]);
    let peer = FakeServer::start(move |request| {
        let asked = request.body.contains("GetSubmitBatchOutput");
        let answer = asked.then(|| answers.lock().expect("no panic").pop()).flatten();
        Reply::Bytes(answer.unwrap_or_else(|| if asked { output("2026-07-01 10:05:00") } else { submitted.clone() }))
    });
    let gateway = TestGateway::to(&peer.url());
    let caller = gateway.caller();
    let batch = submit(&caller, "registration-batches", &full(&learners(1))).await;
    let part = &batch.wait_for_status("COMPLETE").await["parts"][0];
    assert_eq!((&part["lrsJobId"], part.get("lrsCode")), (&json!("7"), None));
    let told = (&part["jobStatus"], &part["jobStartedDateTime"], part.get("jobFinishedDateTime"));
    assert_eq!(told, (&json!("In Progress"), &json!("2026-07-01T09:00:00.000Z"), None), "every record has its row");
    let row = &batch.results().await[0];
    assert_eq!((&row["outcome"], &row["uln"], row.get("lrsCode")), (&json!("ULN_RETURNED"), &json!("3000000126"), None));

    // Of a job that was submitted elsewhere nobody knows how many rows there are to be: that there are some says nothing.
    let tracked = accepted(&caller, &caller.post(&format!("{BATCHES}/track"), &json!({"lrsJobId": "7"})).await);
    let state = tracked.wait_for_status("COMPLETE").await;
    assert_eq!((&state["records"], &state["parts"][0]["jobFinishedDateTime"]), (&json!(1), &json!("2026-07-01T09:05:00.000Z")));
    let table = gateway.caller().with_header("Accept", "text/csv").request("GET", &format!("{}/results", tracked.path)).await.text;
    let [head, row] = [0, 1].map(|at| table.lines().nth(at).expect("a line").split(',').collect::<Vec<_>>());
    let uln = head.iter().position(|name| *name == "learnerUln").expect("a column");
    assert_eq!(row[uln], "3000000126", "{table}");
}
