//! Achievement batches through the gateway. LRS returns counters, and an error file about the achievements that it rejected.

use std::time::Duration;

use lrs_gateway::batches::BatchSettings;
use lrs_gateway::domain::Product;
use lrs_gateway::lrs::services::external::AchievementCodes;
use serde_json::{Value, json};

use crate::support::batches::{SubmittedBatch, expect_accepted, mis_identifiers, submit};
use crate::support::caller::PROVIDER;
use crate::support::gateway::{AWARDING, Options, fast_batches, organisation};
use crate::support::{Caller, SimulatedLrs, TestGateway};

/// Returns a user of the awarding organisation.
fn awarding_caller(gateway: &TestGateway) -> Caller {
    gateway.caller().with_claims(json!({"org": AWARDING, "preferred_username": "a.officer"}))
}

/// Returns achievements of the learner Ana O'Neill, each for a different unit. Their MIS identifiers are `CAND-0`, `CAND-1`, …
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

/// Returns the body of a batch of final achievements.
fn final_batch(achievements: &[Value]) -> Value {
    json!({"submissionType": "FINAL", "notifyEmail": "results@mail.example.com", "achievements": achievements})
}

async fn submit_achievements<'c>(caller: &'c Caller, achievements: &[Value]) -> SubmittedBatch<'c> {
    submit(caller, "achievement-batches", &final_batch(achievements)).await
}

/// Reads LRS's job of a part.
async fn read_job(caller: &Caller, batch: &SubmittedBatch<'_>, part: u32) -> Value {
    caller.request("GET", &format!("{}/parts/{part}/job", batch.path)).await.expect_success()
}

/// Returns the id of a job in the form that a part shows.
fn job_id(job: &Value) -> Option<String> {
    job["jobId"].as_i64().map(|job_id| job_id.to_string())
}

#[tokio::test]
async fn achievements_without_errors_are_accepted() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = awarding_caller(&gateway);
    let batch = submit_achievements(&caller, &achievements(3)).await;

    let state = batch.wait_for_status("COMPLETE").await;

    let part = &state["parts"][0];
    assert_eq!((&part["counts"]["achievementsCreated"], &part["counts"]["numberOfRecords"]), (&json!(3), &json!(3)));
    let results = batch.results().await;
    assert_eq!(mis_identifiers(&results), ["CAND-0", "CAND-1", "CAND-2"]);
    assert!(results.iter().all(|row| row["outcome"] == "ACCEPTED" && row["errors"] == json!([])), "{results:?}");
    let job = read_job(&caller, &batch, 1).await;
    assert_eq!((&job["status"], &job["successfulFinalAchievements"]), (&json!("SUCCESSFUL"), &json!(3)));
    assert_eq!(job_id(&job).as_deref(), part["lrsJobId"].as_str());
    assert!(job["startDate"].as_str().is_some_and(|date| date.len() == 25) && job.get("achievementBatchErrorFile").is_none(), "{job}");
    assert_eq!(lrs.simulator.jobs().submissions()[0].user, "a.officer");
}

#[tokio::test]
async fn accepted_achievements_are_in_the_learner_record() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = awarding_caller(&gateway);
    let batch = submit_achievements(&caller, &achievements(3)).await;
    batch.wait_for_status("COMPLETE").await;

    let learner = json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"});
    let record = gateway.caller().post("/v1/learning-events/search", &learner).await.expect_success();

    let events = record["events"].as_array().expect("the record has events");
    assert!(events.iter().filter(|event| event["source"] == "AO").count() >= 3, "{record}");
}

#[tokio::test]
async fn error_file_lines_are_matched_to_their_achievements() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = awarding_caller(&gateway);
    let mut achievements = achievements(5);
    achievements[1]["familyName"] = json!("Smith");
    achievements[3]["action"] = json!("WITHDRAW");
    achievements[4]["uln"] = json!("3000000258");
    achievements[4].as_object_mut().expect("an achievement is an object").remove("misIdentifier");
    let batch = submit_achievements(&caller, &achievements).await;

    let state = batch.wait_for_status("COMPLETE").await;

    let counts = &state["parts"][0]["counts"];
    assert_eq!(
        (&counts["achievementsCreated"], &counts["learnerDataErrors"], &counts["businessRuleErrors"]),
        (&json!(2), &json!(2), &json!(1))
    );
    let results = batch.results().await;
    let outcomes: Vec<&str> = results.iter().map(|row| row["outcome"].as_str().expect("a result has an outcome")).collect();
    assert_eq!(outcomes, ["ACCEPTED", "REJECTED", "ACCEPTED", "REJECTED", "REJECTED"]);
    assert_eq!(state["progress"], json!({"submitted": 5, "returned": 5, "failed": 0, "rejected": 3, "undetermined": 0}));
    let job = read_job(&caller, &batch, 1).await;
    let file = job["achievementBatchErrorFile"].as_str().expect("the job has an error file");
    for (row, achievement) in results.iter().zip(&achievements).filter(|(row, _)| row["outcome"] == "REJECTED") {
        let line = row["errors"][0].as_str().expect("the result has a line of the file");
        assert!(line.contains(achievement["uln"].as_str().expect("the achievement has a ULN")) && file.contains(line), "{line}");
    }
    assert!(file.starts_with("RecordNumber,Uln,"), "the file is unchanged: {file}");
}

#[tokio::test]
async fn three_mistakes_in_12_000_achievements_leave_11_997_accepted() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::with(&lrs.url(), options_for_large_batches());
    let caller = awarding_caller(&gateway);
    let mut achievements = achievements(12_000);
    achievements[7]["familyName"] = json!("Smith");
    achievements[9_999]["action"] = json!("UPDATE");
    achievements[11_000]["uln"] = json!("3000000371");
    let batch = submit_achievements(&caller, &achievements).await;
    assert_eq!(batch.initial_state["progress"].get("rejected"), None, "LRS has not returned anything yet");

    let state = batch.wait_for_status("COMPLETE").await;

    let progress = json!({"submitted": 12_000, "returned": 12_000, "failed": 0, "rejected": 3, "undetermined": 0});
    assert_eq!(state["progress"], progress, "{}", state["parts"]);
    let results = batch.results().await;
    let with_outcome = |outcome| results.iter().filter(|row| row["outcome"] == outcome).count();
    assert_eq!((with_outcome("ACCEPTED"), with_outcome("REJECTED")), (11_997, 3));
    assert!([7, 9_999, 11_000].iter().all(|position: &usize| results[*position]["outcome"] == "REJECTED"));
}

#[tokio::test]
async fn rejected_achievement_that_the_error_file_does_not_name_alone_leaves_the_others_undetermined() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = awarding_caller(&gateway);
    let mut achievements = achievements(3);
    achievements[0]["familyName"] = json!("Smith");
    // LRS rejects the second of two equal achievements. Its line fits both.
    achievements[1].as_object_mut().expect("an achievement is an object").remove("misIdentifier");
    achievements[2] = achievements[1].clone();
    let batch = submit_achievements(&caller, &achievements).await;

    let state = batch.wait_for_status("COMPLETE").await;

    assert_eq!(state["progress"], json!({"submitted": 3, "returned": 3, "failed": 0, "rejected": 1, "undetermined": 2}));
    let results = batch.results().await;
    let outcomes: Vec<&str> = results.iter().map(|row| row["outcome"].as_str().expect("a result has an outcome")).collect();
    assert_eq!(outcomes, ["REJECTED", "UNDETERMINED", "UNDETERMINED"]);
}

/// Returns options for an LRS whose jobs are large.
fn options_for_large_batches() -> Options {
    Options { max_response_bytes: 16 * 1024 * 1024, timeout: Duration::from_secs(60), ..Options::default() }
}

#[tokio::test]
async fn batch_over_the_job_limit_is_sent_as_several_jobs() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::with(&lrs.url(), options_for_large_batches());
    let caller = awarding_caller(&gateway);
    let batch = submit_achievements(&caller, &achievements(10_001)).await;
    assert_eq!(batch.initial_state["parts"].as_array().map(Vec::len), Some(2));

    let state = batch.wait_for_status("COMPLETE").await;

    assert_eq!(state["progress"], json!({"submitted": 10_001, "returned": 10_001, "failed": 0, "rejected": 0, "undetermined": 0}));
    let mut sizes: Vec<usize> = lrs.simulator.jobs().submissions().iter().map(|submission| submission.mis_identifiers.len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 10_000]);
    let last = caller.request("GET", &format!("{}/results?cursor=2-0", batch.path)).await.expect_success();
    assert_eq!((&last["results"][0]["position"], &last["results"][0]["misIdentifier"]), (&json!(10_000), &json!("CAND-10000")));
}

#[tokio::test]
async fn part_with_lost_response_is_not_sent_again_and_its_job_can_be_adopted() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let caller = awarding_caller(&gateway);
    lrs.simulator.lose_answers("SubmitAchievementBatchJob", 1);
    let batch = submit_achievements(&caller, &achievements(2)).await;

    let state = batch.wait_for_status("PAUSED").await;
    assert_eq!(state["parts"][0]["status"], "UNCONFIRMED");
    assert_eq!(lrs.simulator.jobs().submissions().len(), 1);
    assert!(batch.results().await.is_empty());
    caller.request("GET", &format!("{}/parts/1/job", batch.path)).await.problem(404, "not_found");

    // The user finds the job in LRS's portal, tracks it, and discards the part.
    let job_id = lrs.simulator.jobs().submissions()[0].job_id.to_string();
    let answer = caller.post("/v1/achievement-batches/track", &json!({"lrsJobId": job_id})).await;
    let adopted = expect_accepted(&caller, &answer);
    let adopted_state = adopted.wait_for_status("COMPLETE").await;
    assert_eq!((&adopted_state["records"], adopted_state["progress"].get("rejected")), (&json!(2), None));
    assert_eq!(read_job(&caller, &adopted, 1).await["achievementsCreated"], 2);
    assert_eq!(batch.decide(1, "discard").await.status, 202);
    batch.wait_for_status("FAILED").await;
    assert_eq!(mis_identifiers(&batch.results().await), ["CAND-0", "CAND-1"]);
    assert_eq!(lrs.simulator.jobs().submissions().len(), 1);
}

#[tokio::test]
async fn part_whose_job_lrs_does_not_finish_in_time_can_be_resubmitted_as_a_new_job() {
    let lrs = SimulatedLrs::start();
    lrs.simulator.set_job_duration(Duration::from_secs(3600));
    let batches = BatchSettings { result_timeout: Duration::from_millis(400), ..fast_batches() };
    let gateway = TestGateway::with(&lrs.url(), Options { batches, ..Options::default() });
    let caller = awarding_caller(&gateway);
    let batch = submit_achievements(&caller, &achievements(2)).await;
    let state = batch.wait_for_status("FAILED").await;
    assert_eq!(state["parts"][0]["reason"], "TIMED_OUT");

    lrs.simulator.set_job_duration(Duration::ZERO);
    assert_eq!(batch.decide(1, "resubmit").await.status, 202);
    // LRS has the achievements already: the caller should have asked about the first job.
    let state = batch.wait_for_state("another reason", |state| state["parts"][0]["reason"] == "JOB_FAILED").await;

    let jobs: Vec<String> = lrs.simulator.jobs().submissions().iter().map(|submission| submission.job_id.to_string()).collect();
    assert_eq!((jobs.len(), &state["parts"][0]["lrsJobId"]), (2, &json!(jobs[1])));
}

#[tokio::test]
async fn organisation_that_lrs_does_not_allow_fails_with_the_lrs_code() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let organisations = vec![organisation(PROVIDER, "demo-password-01", &[Product::AchievementBatches])];
    let gateway = TestGateway::with(&lrs.url(), Options { organisations, ..Options::default() });
    let caller = gateway.caller();
    let batch = submit_achievements(&caller, &achievements(1)).await;

    let part = &batch.wait_for_status("FAILED").await["parts"][0];

    assert_eq!((&part["reason"], &part["lrsCode"]), (&json!("LRS_CREDENTIALS_REJECTED"), &json!("WSRC0043")));
}

#[tokio::test]
async fn organisation_without_organisation_ref_is_rejected() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let organisations = vec![organisation("10077777", "demo-password-01", &[Product::AchievementBatches])];
    let gateway = TestGateway::with(&lrs.url(), Options { organisations, ..Options::default() });
    let caller = gateway.caller().with_claims(json!({"org": "10077777"}));

    let submission = caller.post("/v1/achievement-batches", &final_batch(&achievements(1))).await;
    let tracking = caller.post("/v1/achievement-batches/track", &json!({"lrsJobId": "60001"})).await;

    for answer in [submission, tracking] {
        let problem = answer.problem(403, "product_not_enabled");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("organisation_ref")), "{problem}");
    }
}

#[tokio::test]
async fn configured_achievement_codes_are_sent_to_lrs() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let achievement_codes = AchievementCodes { actions: [4, 3, 2, 1], submission_types: ["F", "P"].map(str::to_owned) };
    let gateway = TestGateway::with(&lrs.url(), Options { achievement_codes, ..Options::default() });
    let caller = awarding_caller(&gateway);
    let batch = submit_achievements(&caller, &achievements(1)).await;

    let part = &batch.wait_for_status("FAILED").await["parts"][0];

    // The simulator knows only the default codes. So it rejects the batch because it received the configured ones.
    assert_eq!((&part["status"], &part["lrsCode"]), (&json!("FAILED"), &json!("WSEC0045")));
}

#[tokio::test]
async fn achievements_with_field_errors_are_rejected_before_anything_is_sent() {
    let lrs = SimulatedLrs::with_instant_jobs();
    let gateway = TestGateway::to(&lrs.url());
    let mut invalid = achievements(3);
    invalid[0]["action"] = json!("DELETE");
    invalid[1]["achievementAwardDate"] = json!("2026-06-31");
    invalid[2]["providerUkprn"] = json!("1");
    invalid[2]["unitOrQualificationReferenceNumber"] = json!(" ");

    let answer = awarding_caller(&gateway).post("/v1/achievement-batches", &final_batch(&invalid)).await;

    answer.problem(422, "validation_failed");
    let expected = [
        ("/achievements/0/action", "unknown_value"),
        ("/achievements/1/achievementAwardDate", "not_a_date"),
        ("/achievements/2/providerUkprn", "invalid_format"),
        ("/achievements/2/unitOrQualificationReferenceNumber", "blank"),
    ];
    let mut errors = answer.errors();
    errors.sort();
    assert_eq!(errors, expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned())));
    assert!(lrs.simulator.jobs().submissions().is_empty());
}

#[tokio::test]
async fn job_can_be_read_while_lrs_processes_it() {
    let lrs = SimulatedLrs::start();
    lrs.simulator.set_job_duration(Duration::from_secs(3600));
    let gateway = TestGateway::to(&lrs.url());
    let caller = awarding_caller(&gateway);
    let batch = submit_achievements(&caller, &achievements(1)).await;

    let state = batch.wait_for_state("a job status", |state| state["parts"][0]["jobStatus"].is_string()).await;
    let part = &state["parts"][0];
    assert_eq!((&state["status"], &part["status"]), (&json!("PROCESSING"), &json!("SUBMITTED")));
    assert!(["Waiting", "InProgress"].contains(&part["jobStatus"].as_str().expect("the status is a text")), "{state}");
    assert_eq!(job_id(&read_job(&caller, &batch, 1).await).as_deref(), part["lrsJobId"].as_str());
    assert!(batch.results().await.is_empty(), "results are available only when the job is done");

    lrs.simulator.set_job_duration(Duration::ZERO);
    let part = &batch.wait_for_status("COMPLETE").await["parts"][0];
    assert_eq!(part["jobStatus"], "Successful");
    assert!(part["jobFinishedDateTime"].is_string(), "{part}");
}
