//! Achievement batches: the outcome of each achievement, and the stages of a job.

use std::time::{Duration, Instant};

use lrs_gateway::batches::kinds::achievement::Achievements;
use lrs_gateway::domain::{
    Achievement, AchievementJob, AchievementJobStatus, EmailAddress, LearningEventsSearch, Personal, Product, SubmissionType,
};
use lrs_gateway::lrs::services::external::{AchievementCodes, GetAchievementJob, SubmitAchievementJob};
use lrs_gateway::schema::Scalar as _;
use lrs_gateway::schema::deserialize::from_json;
use lrs_gateway::simulator::{SimulatedOrganisation, SimulatorSettings};
use lrs_gateway::xml::PackedXml;
use serde_json::{Value, json};

use super::{SoapClient, awarding_context, packed, provider_context};

/// Returns an achievement of the learner Ana O'Neill with these changes.
pub fn achievement(changes: Value) -> Achievement {
    let mut achievement = json!({"action": "CREATE", "actionDate": "2025-07-01", "achievementAwardDate": "2025-06-30", "uln": "3000000126",
        "givenName": "Ana", "familyName": "O'Neill", "dateOfBirth": "2003-04-05", "gender": "FEMALE", "learnerPostcode": "ZZ99 9ZZ",
        "providerUkprn": "10088881", "unitOrQualificationReferenceNumber": "600/0000/9", "grade": "Pass <*>",
        "languageForAssessment": "English", "misIdentifier": "CAND-1"});
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    achievement.as_object_mut().expect("an achievement is an object").extend(changes);
    from_json(achievement.to_string().as_bytes()).expect("the achievement is valid")
}

/// Starts a simulator whose jobs take this long. The client calls for the awarding organisation.
pub fn awarding_client(job_seconds: u64) -> SoapClient {
    SoapClient { request_context: awarding_context(), ..SoapClient::new(job_seconds) }
}

/// Packs achievements.
pub fn packed_achievements(achievements: &[Achievement]) -> PackedXml {
    packed::<Achievements>(achievements)
}

/// Returns the submission of these achievements.
pub fn submission<'a>(
    submission_type: SubmissionType,
    achievements: &'a PackedXml,
    codes: &'a AchievementCodes,
) -> SubmitAchievementJob<'a> {
    SubmitAchievementJob { submission_type, notify_email: None, achievements, codes }
}

/// Submits achievements and returns the job.
pub async fn submit(client: &SoapClient, submission_type: SubmissionType, achievements: &[Achievement]) -> AchievementJob {
    let submitted = client.call(&submission(submission_type, &packed_achievements(achievements), &AchievementCodes::default())).await;
    read_job(client, submitted.accepted_job_id().expect("LRS accepted the job")).await
}

/// Reads a job.
pub async fn read_job(client: &SoapClient, job_id: i64) -> AchievementJob {
    client.call(&GetAchievementJob { job_id }).await.job.expect("the response has the job")
}

/// Returns the code of a job; empty if it has none.
pub fn code_of(job: &AchievementJob) -> &str {
    job.response_code.as_deref().unwrap_or_default()
}

fn status_of(job: &AchievementJob) -> Option<&AchievementJobStatus> {
    job.status.as_ref().and_then(|status| status.known())
}

/// Returns grade and status of the events in Ana O'Neill's record that the awarding organisation has submitted.
async fn submitted_events(client: &mut SoapClient) -> Vec<(String, String)> {
    let context = std::mem::replace(&mut client.request_context, provider_context());
    let learner: LearningEventsSearch =
        from_json(br#"{"uln":"3000000126","givenName":"Ana","familyName":"O'Neill"}"#).expect("the learner is valid");
    let response = client.call(&learner).await;
    client.request_context = context;
    let events = response.result.learner_record.as_ref().expect("the response has a record").learning_event.iter();
    let submitted = events.filter(|event| event.awarding_organisation_ukprn.as_ref().is_some_and(|ukprn| ukprn.reveal() == "10088882"));
    let text = |value: &Option<Personal<String>>| value.as_ref().map_or_else(String::new, |text| text.reveal().clone());
    submitted.map(|event| (text(&event.grade), text(&event.status))).collect()
}

/// Submits achievements of which one is accepted and five are rejected, and returns the job.
async fn submit_with_errors(client: &SoapClient) -> AchievementJob {
    let achievements = [
        achievement(json!({})),
        achievement(json!({"misIdentifier": "again, \"with\" the same"})),
        achievement(json!({"uln": "3000000258"})),
        achievement(json!({"familyName": "Smith"})),
        achievement(json!({"dateOfBirth": "2003-04-06"})),
        achievement(json!({"action": "UPDATE", "unitOrQualificationReferenceNumber": "600/9999/9", "misIdentifier": ""})),
    ];
    let email = EmailAddress::parse("results@mail.example.com").expect("the address is valid");
    let (achievements, codes) = (packed_achievements(&achievements), AchievementCodes::default());
    let submission = SubmitAchievementJob { notify_email: Some(&email), ..submission(SubmissionType::Final, &achievements, &codes) };
    let submitted = client.call(&submission).await;
    assert_eq!(submitted.accepted_job_id(), Some(70_001));
    let code = submitted.result.as_ref().and_then(|result| result.response_code.as_ref());
    assert!(code.is_some_and(|code| code.matches("SIM-ACCEPTED")));
    read_job(client, 70_001).await
}

#[tokio::test]
async fn achievement_job_counts_outcomes_and_accepts_valid_achievements() {
    let mut client = awarding_client(0);

    let job = submit_with_errors(&client).await;

    assert_eq!(status_of(&job), Some(&AchievementJobStatus::Successful));
    let counts = [
        job.achievements_created,
        job.achievements_updated,
        job.achievements_withdrawn,
        job.achievements_reinstated,
        job.achievements_promoted_to_final,
        job.field_data_errors,
        job.learner_data_errors,
        job.business_rule_errors,
        job.number_of_records,
        job.successful_final_achievements,
        job.successful_provisional_achievements,
        job.job_id,
    ];
    assert_eq!(counts, [1, 0, 0, 0, 0, 0, 3, 2, 6, 1, 0, 70_001].map(Some));
    assert_eq!(job.percentage_successful_records.as_deref(), Some("16.66"));
    assert_eq!((job.r#type.as_deref(), job.filename.as_deref()), (Some("Final"), Some("SIM-70001.xml")));
    assert_eq!(job.user.as_ref().map(|user| user.reveal().as_str()), Some("j.bloggs"));
    assert!(job.start_date.is_some() && job.end_date.is_some() && job.submitted_date.is_some() && job.rejection_reason.is_none());
    assert_eq!(submitted_events(&mut client).await, [("Pass <*>".to_owned(), "F".to_owned())]);
}

#[tokio::test]
async fn error_file_has_a_line_for_each_rejected_achievement() {
    let job = submit_with_errors(&awarding_client(0)).await;

    let mismatch = "the names or the date of birth do not match the ULN";
    let lines = [
        "RecordNumber,Uln,UnitOrQualificationReferenceNumber,MisIdentifier,Error".to_owned(),
        "2,3000000126,600/0000/9,\"again, \"\"with\"\" the same\",business rule: the achievement exists already".to_owned(),
        "3,3000000258,600/0000/9,CAND-1,learner data: no learner has this ULN".to_owned(),
        format!("4,3000000126,600/0000/9,CAND-1,learner data: {mismatch}"),
        format!("5,3000000126,600/0000/9,CAND-1,learner data: {mismatch}"),
        "6,3000000126,600/9999/9,,business rule: the achievement does not exist".to_owned(),
        String::new(),
    ];
    assert_eq!(job.achievement_batch_error_file.expect("the job has an error file").reveal(), &lines.join("\r\n"));
}

#[tokio::test]
async fn achievement_is_created_promoted_updated_withdrawn_and_reinstated() {
    use SubmissionType::{Final, Provisional};
    let mut client = awarding_client(0);
    let event = |grade: &str, status: &str| vec![(grade.to_owned(), status.to_owned())];
    let steps: [(&str, SubmissionType, &str, &str, _); 11] = [
        ("CREATE", Provisional, "Pass", "created", event("Pass", "P")),
        ("CREATE", Provisional, "Merit", "rejected", event("Pass", "P")),
        ("CREATE", Final, "Merit", "promoted", event("Merit", "F")),
        ("CREATE", Final, "Merit", "rejected", event("Merit", "F")),
        ("UPDATE", Final, "Distinction", "updated", event("Distinction", "F")),
        ("REINSTATE", Final, "Pass", "rejected", event("Distinction", "F")),
        ("WITHDRAW", Final, "Distinction", "withdrawn", Vec::new()),
        ("WITHDRAW", Final, "Distinction", "rejected", Vec::new()),
        ("UPDATE", Final, "Distinction", "rejected", Vec::new()),
        ("CREATE", Final, "Distinction", "rejected", Vec::new()),
        ("REINSTATE", Final, "Distinction", "reinstated", event("Distinction", "F")),
    ];
    for (index, (action, submission_type, grade, outcome, events)) in steps.into_iter().enumerate() {
        let step = format!("step {index}, {action}");
        let job = submit(&client, submission_type, &[achievement(json!({"action": action, "grade": grade}))]).await;
        assert_single_outcome(&job, outcome, &step);
        assert_eq!(submitted_events(&mut client).await, events, "{step}");
    }
}

/// Asserts that the only achievement of a job has this outcome.
fn assert_single_outcome(job: &AchievementJob, outcome: &str, step: &str) {
    let counts = [
        ("created", job.achievements_created),
        ("promoted", job.achievements_promoted_to_final),
        ("updated", job.achievements_updated),
        ("withdrawn", job.achievements_withdrawn),
        ("reinstated", job.achievements_reinstated),
        ("rejected", job.business_rule_errors),
    ];
    for (name, count) in counts {
        assert_eq!(count, Some(i32::from(name == outcome)), "{step}: {name}");
    }
    // A job without any accepted achievement has failed.
    let is_rejected = outcome == "rejected";
    let (status, percentage) =
        if is_rejected { (AchievementJobStatus::Failed, "0.00") } else { (AchievementJobStatus::Successful, "100.00") };
    assert_eq!(status_of(job), Some(&status), "{step}");
    assert_eq!(job.percentage_successful_records.as_deref(), Some(percentage), "{step}");
    assert_eq!((job.rejection_reason.is_some(), job.achievement_batch_error_file.is_some()), (is_rejected, is_rejected), "{step}");
}

#[tokio::test]
async fn achievement_of_another_organisation_is_not_known() {
    let mut organisations = SimulatedOrganisation::demonstration();
    for organisation in &mut organisations {
        organisation.products = vec![Product::AchievementBatches];
    }
    let mut client = SoapClient::with(&SimulatorSettings { job_seconds: 0, organisations, ..SimulatorSettings::default() });
    submit(&client, SubmissionType::Final, &[achievement(json!({}))]).await;

    client.request_context = awarding_context();
    assert_eq!(code_of(&read_job(&client, 70_001).await), "WSRC0018");
    let withdrawal = achievement(json!({"action": "WITHDRAW"}));
    assert_eq!(submit(&client, SubmissionType::Final, &[withdrawal]).await.business_rule_errors, Some(1));
}

#[tokio::test]
async fn achievement_job_waits_then_is_in_progress_then_done() {
    let client = awarding_client(3600);
    let started_at = Instant::now();
    let codes = AchievementCodes::default();
    let submitted = client.call(&submission(SubmissionType::Provisional, &packed_achievements(&[achievement(json!({}))]), &codes)).await;
    let job_id = submitted.accepted_job_id().expect("LRS accepted the job");

    let waiting = read_job(&client, job_id).await;
    assert_eq!(status_of(&waiting), Some(&AchievementJobStatus::Waiting));
    assert_eq!((waiting.number_of_records, waiting.r#type.as_deref(), waiting.achievements_created), (Some(1), Some("Provisional"), None));
    assert!(waiting.submitted_date.is_some() && waiting.start_date.is_none() && waiting.end_date.is_none());

    let in_progress = loop {
        // A job is in progress during the second half of its duration, so make that the present.
        client.lrs.simulator.set_job_duration(started_at.elapsed() * 3 / 2);
        let job = read_job(&client, job_id).await;
        if status_of(&job) == Some(&AchievementJobStatus::InProgress) {
            break job;
        }
        assert!(started_at.elapsed() < Duration::from_secs(10), "the job is never in progress");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(in_progress.start_date.is_some() && in_progress.end_date.is_none() && in_progress.achievements_created.is_none());

    client.lrs.simulator.set_job_duration(Duration::ZERO);
    let done = read_job(&client, job_id).await;
    assert_eq!((status_of(&done), done.successful_provisional_achievements), (Some(&AchievementJobStatus::Successful), Some(1)));
}

#[tokio::test]
async fn achievement_job_is_known_to_its_organisation_and_kind_only() {
    let mut client = awarding_client(0);
    let job_id =
        i64::from(submit(&client, SubmissionType::Provisional, &[achievement(json!({}))]).await.job_id.expect("the job has an id"));

    client.request_context = provider_context();
    assert_eq!(code_of(&read_job(&client, job_id).await), "WSRC0043");

    client.request_context = awarding_context();
    let registration_job = read_job(&client, 800_001).await;
    assert_eq!((code_of(&registration_job), registration_job.job_id), ("WSRC0018", Some(0)));
    assert!(registration_job.status.is_none());
}

#[tokio::test]
async fn job_limit_of_ten_thousand_achievements_is_accepted_and_one_more_is_rejected() {
    let client = awarding_client(0);
    let mut achievements: Vec<Achievement> =
        (0..10_001).map(|number| achievement(json!({"unitOrQualificationReferenceNumber": format!("U/{number}")}))).collect();
    let codes = AchievementCodes::default();
    let rejected = client.call(&submission(SubmissionType::Final, &packed_achievements(&achievements), &codes)).await;
    assert_eq!(super::achievement_errors::rejection_code(&rejected), "WSEC0046");

    achievements.pop();
    let job = submit(&client, SubmissionType::Final, &achievements).await;
    assert_eq!((job.achievements_created, job.number_of_records), (Some(10_000), Some(10_000)));
}
