//! Achievement batches through the gateway: LRS counts, and writes what it did not take into a file.

use std::time::Duration;

use lrs_gateway::domain::Product;
use lrs_gateway::lrs::services::external::AchievementCodes;
use serde_json::{Value, json};

use crate::support::batches::{SubmittedBatch, accepted, mis_identifiers, submit};
use crate::support::caller::PROVIDER;
use crate::support::gateway::{AWARDING, Options, organisation};
use crate::support::{Caller, SimulatedLrs, TestGateway};

fn lrs() -> SimulatedLrs {
    let lrs = SimulatedLrs::start();
    lrs.simulator.set_job_duration(Duration::ZERO);
    lrs
}

fn awarding(gateway: &TestGateway) -> Caller {
    gateway.caller().with_claims(json!({"org": AWARDING, "preferred_username": "a.officer"}))
}

/// Achievements of Ana, each in a unit of its own.
fn achievements(count: usize) -> Vec<Value> {
    let achievement = |number: usize| {
        json!({
            "action": "CREATE", "actionDate": "2026-07-01", "achievementAwardDate": "2026-06-30", "uln": "3000000126", "givenName": "Ana",
            "familyName": "O'Neill", "dateOfBirth": "2003-04-05", "gender": "FEMALE", "learnerPostcode": "ZZ99 9ZZ",
            "providerUkprn": "10088881", "unitOrQualificationReferenceNumber": format!("600/{number:04}/X"), "grade": "Pass",
            "misIdentifier": format!("CAND-{number}")
        })
    };
    (0..count).map(achievement).collect()
}

fn batch_of(achievements: &[Value]) -> Value {
    json!({"submissionType": "FINAL", "notifyEmail": "results@mail.example.com", "achievements": achievements})
}

async fn job_of(caller: &Caller, batch: &SubmittedBatch<'_>, part: u32) -> Value {
    caller.request("GET", &format!("{}/parts/{part}/job", batch.path)).await.expect_success()
}

#[tokio::test]
async fn achievements_that_lrs_takes_are_accepted() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = awarding(&gateway);
    let batch = submit(&caller, "achievement-batches", &batch_of(&achievements(3))).await;
    let state = batch.wait_for_status("COMPLETE").await;
    let part = &state["parts"][0];
    assert_eq!((&part["counts"]["achievementsCreated"], &part["counts"]["numberOfRecords"]), (&json!(3), &json!(3)));
    let results = batch.results().await;
    assert_eq!(mis_identifiers(&results), ["CAND-0", "CAND-1", "CAND-2"]);
    assert!(results.iter().all(|row| row["outcome"] == "ACCEPTED" && row["errors"] == json!([])), "{results:?}");
    let job = job_of(&caller, &batch, 1).await;
    assert_eq!((&job["status"], &job["successfulFinalAchievements"]), (&json!("SUCCESSFUL"), &json!(3)));
    assert_eq!(job["jobId"].as_i64().map(|job| job.to_string()).as_deref(), part["lrsJobId"].as_str());
    assert!(job["startDate"].as_str().is_some_and(|moment| moment.len() == 25) && job.get("achievementBatchErrorFile").is_none(), "{job}");
    assert_eq!(lrs.simulator.jobs().submissions()[0].user, "a.officer");

    // What was created is in the learner's record now.
    let events = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});
    let events = gateway.caller().post("/v1/learning-events/search", &events).await.expect_success();
    let ours = events["events"].as_array().expect("events").iter().filter(|event| event["source"] == "AO").count();
    assert!(ours >= 3, "{events}");
}

#[tokio::test]
async fn what_lrs_does_not_take_is_given_to_the_achievement_it_names() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = awarding(&gateway);
    let mut achievements = achievements(5);
    achievements[1]["familyName"] = json!("Smith");
    achievements[3]["action"] = json!("WITHDRAW");
    achievements[4]["uln"] = json!("3000000258");
    achievements[4].as_object_mut().expect("an object").remove("misIdentifier");
    let batch = submit(&caller, "achievement-batches", &batch_of(&achievements)).await;
    let state = batch.wait_for_status("COMPLETE").await;
    let counts = &state["parts"][0]["counts"];
    assert_eq!(
        (&counts["achievementsCreated"], &counts["learnerDataErrors"], &counts["businessRuleErrors"]),
        (&json!(2), &json!(2), &json!(1))
    );
    let results = batch.results().await;
    let outcomes: Vec<&str> = results.iter().map(|row| row["outcome"].as_str().expect("one")).collect();
    assert_eq!(outcomes, ["UNDETERMINED", "REJECTED", "UNDETERMINED", "REJECTED", "REJECTED"]);
    let file = job_of(&caller, &batch, 1).await["achievementBatchErrorFile"].as_str().expect("a file").to_owned();
    for (row, achievement) in results.iter().zip(&achievements).filter(|(row, _)| row["outcome"] == "REJECTED") {
        let line = row["errors"][0].as_str().expect("a line");
        assert!(line.contains(achievement["uln"].as_str().expect("a ULN")) && file.contains(line), "{line}");
    }
    assert!(file.starts_with("RecordNumber,Uln,"), "the file is as LRS wrote it: {file}");
}

#[tokio::test]
async fn more_than_lrs_takes_at_once_are_several_jobs() {
    let lrs = lrs();
    let gateway = TestGateway::with(
        &lrs.url(),
        Options { max_response_bytes: 16 * 1024 * 1024, timeout: Duration::from_secs(60), ..Options::default() },
    );
    let caller = awarding(&gateway);
    let batch = submit(&caller, "achievement-batches", &batch_of(&achievements(10_001))).await;
    assert_eq!(batch.first["parts"].as_array().map(Vec::len), Some(2));
    let state = batch.wait_for_status("COMPLETE").await;
    assert_eq!(state["progress"], json!({"submitted": 10_001, "returned": 10_001, "failed": 0}));
    let mut sizes: Vec<usize> = lrs.simulator.jobs().submissions().iter().map(|submission| submission.mis_identifiers.len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 10_000]);
    let last = caller.request("GET", &format!("{}/results?cursor=2-0", batch.path)).await.expect_success();
    assert_eq!((&last["results"][0]["position"], &last["results"][0]["misIdentifier"]), (&json!(10_000), &json!("CAND-10000")));
}

#[tokio::test]
async fn achievements_are_never_sent_twice_by_themselves() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = awarding(&gateway);
    lrs.simulator.lose_answers("SubmitAchievementBatchJob", 1);
    let batch = submit(&caller, "achievement-batches", &batch_of(&achievements(2))).await;
    let state = batch.wait_for_status("PAUSED").await;
    assert_eq!(state["parts"][0]["status"], "UNCONFIRMED");
    assert_eq!(lrs.simulator.jobs().submissions().len(), 1);
    assert!(batch.results().await.is_empty());
    caller.request("GET", &format!("{}/parts/1/job", batch.path)).await.problem(404, "not_found");

    // The portal shows the job: it is followed, and the part is let go.
    let job = lrs.simulator.jobs().submissions()[0].job_id.to_string();
    let tracked = accepted(&caller, &caller.post("/v1/achievement-batches/track", &json!({"lrsJobId": job})).await);
    assert_eq!(tracked.wait_for_status("COMPLETE").await["records"], 2);
    assert_eq!(job_of(&caller, &tracked, 1).await["achievementsCreated"], 2);
    assert_eq!(batch.decide(1, "discard").await.status, 202);
    batch.wait_for_status("FAILED").await;
    assert_eq!(mis_identifiers(&batch.results().await), ["CAND-0", "CAND-1"]);
    assert_eq!(lrs.simulator.jobs().submissions().len(), 1);
}

#[tokio::test]
async fn an_organisation_that_lrs_has_not_set_up_is_told_with_its_code() {
    let lrs = lrs();
    let organisations = vec![organisation(PROVIDER, "demo-password-01", &[Product::AchievementBatches])];
    let gateway = TestGateway::with(&lrs.url(), Options { organisations, ..Options::default() });
    let caller = gateway.caller();
    let batch = submit(&caller, "achievement-batches", &batch_of(&achievements(1))).await;
    let state = batch.wait_for_status("FAILED").await;
    assert_eq!((&state["parts"][0]["reason"], &state["parts"][0]["lrsCode"]), (&json!("LRS_CREDENTIALS_REJECTED"), &json!("WSRC0043")));
}

#[tokio::test]
async fn an_organisation_without_a_reference_cannot_submit_achievements() {
    let lrs = lrs();
    let organisations = vec![organisation("10077777", "demo-password-01", &[Product::AchievementBatches])];
    let gateway = TestGateway::with(&lrs.url(), Options { organisations, ..Options::default() });
    let caller = gateway.caller().with_claims(json!({"org": "10077777"}));
    let problem = caller.post("/v1/achievement-batches", &batch_of(&achievements(1))).await.problem(403, "product_not_enabled");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("organisation_ref")), "{problem}");
    let tracked = caller.post("/v1/achievement-batches/track", &json!({"lrsJobId": "60001"})).await;
    tracked.problem(403, "product_not_enabled");
}

#[tokio::test]
async fn what_lrs_does_not_publish_is_a_setting() {
    let lrs = lrs();
    let achievement_codes = AchievementCodes { actions: [4, 3, 2, 1], submission_types: ["F", "P"].map(str::to_owned) };
    let gateway = TestGateway::with(&lrs.url(), Options { achievement_codes, ..Options::default() });
    let caller = awarding(&gateway);
    let batch = submit(&caller, "achievement-batches", &batch_of(&achievements(1))).await;
    let state = batch.wait_for_status("FAILED").await;
    // The simulator knows the placeholders only.
    assert_eq!((&state["parts"][0]["status"], &state["parts"][0]["lrsCode"]), (&json!("FAILED"), &json!("WSEC0045")));
}

#[tokio::test]
async fn achievements_are_checked_before_anything_is_accepted() {
    let lrs = lrs();
    let gateway = TestGateway::to(&lrs.url());
    let mut wrong = achievements(3);
    wrong[0]["action"] = json!("DELETE");
    wrong[1]["achievementAwardDate"] = json!("2026-06-31");
    wrong[2]["providerUkprn"] = json!("1");
    wrong[2]["unitOrQualificationReferenceNumber"] = json!(" ");
    let answer = awarding(&gateway).post("/v1/achievement-batches", &batch_of(&wrong)).await;
    answer.problem(422, "validation_failed");
    let expected = [
        ("/achievements/0/action", "unknown_value"),
        ("/achievements/1/achievementAwardDate", "not_a_date"),
        ("/achievements/2/providerUkprn", "invalid_format"),
        ("/achievements/2/unitOrQualificationReferenceNumber", "blank"),
    ];
    let mut errors = answer.errors();
    errors.sort();
    assert_eq!(errors, expected.map(|(at, code)| (at.to_owned(), code.to_owned())));
    assert!(lrs.simulator.jobs().submissions().is_empty());
}

#[tokio::test]
async fn a_job_can_be_looked_at_while_lrs_works_at_it() {
    let lrs = lrs();
    lrs.simulator.set_job_duration(Duration::from_secs(3600));
    let gateway = TestGateway::to(&lrs.url());
    let caller = awarding(&gateway);
    let batch = submit(&caller, "achievement-batches", &batch_of(&achievements(1))).await;
    let state = loop {
        let state = batch.state().await;
        if state["parts"][0]["jobStatus"].is_string() {
            break state;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let part = &state["parts"][0];
    assert_eq!((&state["status"], &part["status"]), (&json!("PROCESSING"), &json!("SUBMITTED")));
    assert!(["Waiting", "InProgress"].contains(&part["jobStatus"].as_str().expect("a word")), "{state}");
    assert_eq!(job_of(&caller, &batch, 1).await["jobId"].as_i64().map(|job| job.to_string()).as_deref(), part["lrsJobId"].as_str());
    assert!(batch.results().await.is_empty(), "there are no results yet");
    lrs.simulator.set_job_duration(Duration::ZERO);
    let part = &batch.wait_for_status("COMPLETE").await["parts"][0];
    assert_eq!(part["jobStatus"], "Successful");
    assert!(part["jobFinishedDateTime"].is_string(), "{part}");
}
