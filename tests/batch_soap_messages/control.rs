//! What tests, and people who run the simulator, can make it do and ask it: lost answers, submissions, slow answers.

use std::time::{Duration, Instant};

use lrs_gateway::domain::{Achievement, BatchLearnerToVerify, JobType, SubmissionType};
use lrs_gateway::lrs::Service;
use lrs_gateway::lrs::services::external::{AchievementCodes, SubmitAchievementBatch};
use lrs_gateway::lrs::services::learner::{GetRegistrationBatch, SubmitRegistrationBatch, SubmitVerificationBatch};
use lrs_gateway::schema::deserialize::from_json;
use lrs_gateway::simulator::SimulatorSettings;
use serde_json::{Value, json};

use super::{Asking, awarding, learners, provider, says};

fn achievements() -> [Achievement; 1] {
    [from_json(
        br#"{"action":"CREATE","actionDate":"2025-07-01","achievementAwardDate":"2025-06-30","uln":"3000000126","givenName":"Ana",
        "familyName":"O'Neill","providerUkprn":"10088881","unitOrQualificationReferenceNumber":"600/0000/9","misIdentifier":"CAND-1"}"#,
    )
    .expect("valid")]
}

fn to_verify() -> [BatchLearnerToVerify; 1] {
    [from_json(br#"{"uln":"3000000126","givenName":"Ana","familyName":"O'Neill","misIdentifier":"VERIFY-1"}"#).expect("valid")]
}

/// Submits a batch of each kind.
async fn submit_three(asking: &mut Asking) {
    asking.ask(&SubmitRegistrationBatch { job_type: JobType::Check, learners: &learners() }).await;
    asking.ask(&SubmitVerificationBatch { notify_email: None, learners: &to_verify() }).await;
    asking.actor = awarding();
    let (achievements, codes) = (achievements(), AchievementCodes::default());
    let submission_type = SubmissionType::Final;
    asking.ask(&SubmitAchievementBatch { submission_type, notify_email: None, achievements: &achievements, codes: &codes }).await;
    asking.actor = provider();
}

#[tokio::test]
async fn every_submission_is_remembered() {
    let mut asking = Asking::new(0);
    submit_three(&mut asking).await;
    let jobs = asking.lrs.simulator.jobs();
    let told: Vec<_> = jobs
        .submissions()
        .iter()
        .map(|submission| {
            assert_eq!(submission.user, "j.bloggs");
            (submission.operation.as_str(), submission.organisation.as_str(), submission.job_id, submission.mis_identifiers.join("|"))
        })
        .collect();
    assert_eq!(
        told,
        [
            ("SubmitBatch", "10088881", 900_001, "new|known|one of two|by ULN|by another's ULN|".to_owned()),
            ("SubmitVerifyBatch", "10088881", 900_002, "VERIFY-1".to_owned()),
            ("SubmitAchievementBatchJob", "10088882", 70_001, "CAND-1".to_owned()),
        ]
    );
    let shown = format!("{:?}", *jobs);
    for personal in ["j.bloggs", "CAND-1", "VERIFY-1", "3000000126", "O'Neill"] {
        assert!(!shown.contains(personal), "{shown}");
    }
}

#[tokio::test]
async fn a_lost_answer_is_that_of_a_request_that_was_done() {
    let asking = Asking::new(0);
    asking.lrs.simulator.lose_answers("SubmitBatch", 2);
    let learners = learners();
    let submission = SubmitRegistrationBatch { job_type: JobType::Full, learners: &learners };
    let before = asking.lrs.simulator.register().len();
    for lost in 1..=2 {
        // Other operations are answered meanwhile.
        assert!(says(&asking.ask(&GetRegistrationBatch { job_id: 1 }).await, "WSRC0018"));
        let url = format!("{}{}", asking.lrs.url(), Service::Learner.path());
        let response = asking.actor.organisation.http_client().post(url).body(asking.message(&submission)).send().await.expect("headers");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/xml; charset=utf-8");
        assert!(response.content_length().is_some_and(|length| length > 0));
        response.text().await.expect_err("the answer is lost");
        assert_eq!(asking.lrs.simulator.jobs().len(), lost);
    }
    assert_eq!(asking.ask(&submission).await.accepted_job_id(), Some(900_003));
    assert_eq!(asking.lrs.simulator.register().len(), before + 1);
}

#[tokio::test]
async fn people_can_have_answers_lost_and_look_at_submissions() {
    let mut asking = Asking::new(0);
    let http = asking.actor.organisation.http_client().clone();
    let control = format!("{}/control", asking.lrs.url());
    let order = |body: Value| http.post(format!("{control}/lose-answers")).body(body.to_string()).send();
    assert_eq!(order(json!({"operation": "SubmitAchievementBatchJob", "count": 1})).await.expect("an answer").status(), 204);
    let learners = learners();
    let (achievements, codes) = (achievements(), AchievementCodes::default());
    let submission_type = SubmissionType::Final;
    let submission = SubmitAchievementBatch { submission_type, notify_email: None, achievements: &achievements, codes: &codes };
    asking.actor = awarding();
    asking.send(Service::External, asking.message(&submission)).await.expect_err("the answer is lost");
    asking.actor = provider();
    asking.ask(&SubmitRegistrationBatch { job_type: JobType::Check, learners: &learners }).await;
    let list: Value = http.get(format!("{control}/submissions")).send().await.expect("an answer").json().await.expect("JSON");
    let expected = json!([
        {"operation": "SubmitAchievementBatchJob", "organisation": "10088882", "jobId": 70_001, "records": 1},
        {"operation": "SubmitBatch", "organisation": "10088881", "jobId": 900_001, "records": 6},
    ]);
    assert_eq!(list, expected);
    for (body, mistakes) in [
        (json!({"operation": "submitBatchRegistration", "count": 1}), json!(["/operation"])),
        (json!({"operation": "SubmitBatch", "count": -1}), json!(["/count"])),
        (json!({"colour": 1}), json!(["/colour", "/operation", "/count"])),
    ] {
        let response = order(body).await.expect("an answer");
        assert_eq!(response.status(), 400);
        let told: Value = response.json().await.expect("JSON");
        let pointers: Vec<_> = told.as_array().expect("a list").iter().map(|mistake| mistake["pointer"].clone()).collect();
        assert_eq!(json!(pointers), mistakes);
    }
}

#[tokio::test]
async fn answers_can_take_their_time_beside_each_other() {
    let asking = Asking::with(&SimulatorSettings { latency_milliseconds: 500, ..SimulatorSettings::default() });
    let message = asking.message(&GetRegistrationBatch { job_id: 1 });
    let begun = Instant::now();
    let answers = futures_util::future::join_all((0..8).map(|_| asking.send(Service::Learner, message.clone()))).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|(status, _)| *status == 200)));
    assert!((Duration::from_millis(500)..Duration::from_secs(3)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}
