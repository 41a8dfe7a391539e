//! What tests, and users of the simulator, can control and observe: lost responses, recorded submissions, latency.

use std::time::{Duration, Instant};

use lrs_gateway::batches::kinds::verification::Verifications;
use lrs_gateway::domain::{Achievement, BatchLearnerToVerify, JobType, SubmissionType};
use lrs_gateway::lrs::Service;
use lrs_gateway::lrs::services::external::AchievementCodes;
use lrs_gateway::lrs::services::learner::{GetRegistrationJob, SubmitRegistrationJob, SubmitVerificationJob};
use lrs_gateway::schema::deserialize::from_json;
use lrs_gateway::simulator::SimulatorSettings;
use serde_json::{Value, json};

use super::achievements::{achievement, packed_achievements, submission};
use super::{SoapClient, awarding_context, has_code, http_client, learners, packed, packed_learners, provider_context};
use crate::support::simulator::soap_post;

fn achievements() -> [Achievement; 1] {
    [achievement(json!({}))]
}

/// Submits a batch of each kind.
async fn submit_all_kinds(client: &mut SoapClient) {
    let to_verify: [BatchLearnerToVerify; 1] =
        [from_json(br#"{"uln":"3000000126","givenName":"Ana","familyName":"O'Neill","misIdentifier":"VERIFY-1"}"#).expect("valid")];
    client.call(&SubmitRegistrationJob { job_type: JobType::Check, learners: &packed_learners(&learners()) }).await;
    client.call(&SubmitVerificationJob { notify_email: None, learners: &packed::<Verifications>(&to_verify) }).await;
    client.request_context = awarding_context();
    client.call(&submission(SubmissionType::Final, &packed_achievements(&achievements()), &AchievementCodes::default())).await;
    client.request_context = provider_context();
}

#[tokio::test]
async fn every_submission_is_recorded() {
    let mut client = SoapClient::new(0);

    submit_all_kinds(&mut client).await;

    let jobs = client.lrs.simulator.jobs();
    let submissions = jobs.submissions().iter().map(|submission| {
        assert_eq!(submission.user, "j.bloggs");
        (submission.operation.as_str(), submission.organisation.as_str(), submission.job_id, submission.mis_identifiers.join("|"))
    });
    assert_eq!(
        submissions.collect::<Vec<_>>(),
        [
            ("SubmitBatch", "10088881", 900_001, "new|known|one of two|by ULN|by another's ULN|".to_owned()),
            ("SubmitVerifyBatch", "10088881", 900_002, "VERIFY-1".to_owned()),
            ("SubmitAchievementBatchJob", "10088882", 70_001, "CAND-1".to_owned()),
        ]
    );
}

#[tokio::test]
async fn debug_output_of_submissions_has_no_personal_data() {
    let mut client = SoapClient::new(0);
    submit_all_kinds(&mut client).await;

    let debug = format!("{:?}", *client.lrs.simulator.jobs());

    for personal in ["j.bloggs", "CAND-1", "VERIFY-1", "3000000126", "O'Neill"] {
        assert!(!debug.contains(personal), "{debug}");
    }
}

#[tokio::test]
async fn request_with_a_lost_response_is_executed() {
    let client = SoapClient::new(0);
    client.lrs.simulator.lose_answers("SubmitBatch", 2);
    let learners = learners();
    let submission = SubmitRegistrationJob { job_type: JobType::Full, learners: &packed_learners(&learners) };
    let registered_before = client.lrs.simulator.register().len();
    for lost in 1..=2 {
        assert!(has_code(&client.call(&GetRegistrationJob { job_id: 1 }).await, "WSRC0018"), "other operations are not affected");
        let url = format!("{}{}", client.lrs.url(), Service::Learner.path());
        let response = soap_post(&http_client(), url, client.message(&submission)).send().await.expect("the response has a head");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/xml; charset=utf-8");
        assert!(response.content_length().is_some_and(|length| length > 0));
        response.text().await.expect_err("the body is lost");
        assert_eq!(client.lrs.simulator.jobs().len(), lost);
    }

    assert_eq!(client.call(&submission).await.accepted_job_id(), Some(900_003));
    assert_eq!(client.lrs.simulator.register().len(), registered_before + 1);
}

#[tokio::test]
async fn control_endpoints_lose_responses_and_list_submissions() {
    let mut client = SoapClient::new(0);
    let http = http_client();
    let control = format!("{}/control", client.lrs.url());
    let body = json!({"operation": "SubmitAchievementBatchJob", "count": 1}).to_string();
    let response = http.post(format!("{control}/lose-answers")).body(body).send().await.expect("the simulator responds");
    assert_eq!(response.status(), 204);

    let (achievements, codes) = (achievements(), AchievementCodes::default());
    client.request_context = awarding_context();
    let message = client.message(&submission(SubmissionType::Final, &packed_achievements(&achievements), &codes));
    client.send(Service::External, message).await.expect_err("the response is lost");
    client.request_context = provider_context();
    client.call(&SubmitRegistrationJob { job_type: JobType::Check, learners: &packed_learners(&learners()) }).await;

    let response = http.get(format!("{control}/submissions")).send().await.expect("the simulator responds");
    let submissions: Value = response.json().await.expect("the list is JSON");
    let expected = json!([
        {"operation": "SubmitAchievementBatchJob", "organisation": "10088882", "jobId": 70_001, "records": 1},
        {"operation": "SubmitBatch", "organisation": "10088881", "jobId": 900_001, "records": 6},
    ]);
    assert_eq!(submissions, expected);
}

#[tokio::test]
async fn control_endpoint_reports_every_field_error() {
    let client = SoapClient::new(0);
    let http = http_client();
    let url = format!("{}/control/lose-answers", client.lrs.url());
    for (body, expected) in [
        (json!({"operation": "submitBatchRegistration", "count": 1}), json!(["/operation"])),
        (json!({"operation": "SubmitBatch", "count": -1}), json!(["/count"])),
        (json!({"colour": 1}), json!(["/colour", "/operation", "/count"])),
    ] {
        let response = http.post(&url).body(body.to_string()).send().await.expect("the simulator responds");
        assert_eq!(response.status(), 400);
        let errors: Value = response.json().await.expect("the errors are JSON");
        let pointers: Vec<_> = errors.as_array().expect("the errors are a list").iter().map(|error| error["pointer"].clone()).collect();
        assert_eq!(json!(pointers), expected);
    }
}

#[tokio::test]
async fn latency_delays_concurrent_responses_in_parallel() {
    let client = SoapClient::with(&SimulatorSettings { latency_milliseconds: 500, ..SimulatorSettings::default() });
    let message = client.message(&GetRegistrationJob { job_id: 1 });
    let started_at = Instant::now();

    let responses = futures_util::future::join_all((0..8).map(|_| client.send(Service::Learner, message.clone()))).await;

    assert!(responses.iter().all(|response| response.as_ref().is_ok_and(|(status, _)| *status == 200)));
    assert!((Duration::from_millis(500)..Duration::from_secs(3)).contains(&started_at.elapsed()), "{:?}", started_at.elapsed());
}
