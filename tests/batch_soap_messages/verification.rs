//! Verification batches.

use lrs_gateway::batches::kinds::verification::Verifications;
use lrs_gateway::domain::{BatchLearnerToVerify, EmailAddress};
use lrs_gateway::lrs::response_codes::LrsCode;
use lrs_gateway::lrs::services::learner::{GetVerificationJob, SubmitVerificationJob};
use lrs_gateway::schema::Scalar as _;
use lrs_gateway::schema::deserialize::from_json;

use super::{SoapClient, packed};

#[tokio::test]
async fn verification_job_returns_code_and_failure_flags_of_each_learner_in_order() {
    let client = SoapClient::new(0);
    let learner = |json: &str| from_json::<BatchLearnerToVerify>(json.as_bytes()).expect("the learner is valid");
    let learners = [
        learner(
            r#"{"misIdentifier":"CAND-1","uln":"3000000126","givenName":"Ana","familyName":"O'Neill","dateOfBirth":"2003-04-05","gender":"FEMALE"}"#,
        ),
        learner(r#"{"misIdentifier":"CAND-2","uln":"3000000126","givenName":"Anna","familyName":"O'Neill"}"#),
        learner(r#"{"uln":"3000000258","givenName":"Ana","familyName":"O'Neill"}"#),
    ];
    let email = EmailAddress::parse("results@mail.example.com").expect("the address is valid");
    let submitted = client.call(&SubmitVerificationJob { notify_email: Some(&email), learners: &packed::<Verifications>(&learners) }).await;

    let output = client.call(&GetVerificationJob { job_id: submitted.accepted_job_id().expect("LRS accepted the job") }).await;

    let outcomes = output.verified_learner.iter().map(|learner| {
        let mis_identifier = learner.mis_identifier.as_ref().map_or("", |identifier| identifier.reveal());
        (mis_identifier, learner.response_code.as_ref().map_or("", LrsCode::as_str), learner.failure_flag.len())
    });
    assert_eq!(outcomes.collect::<Vec<_>>(), [("CAND-1", "WSVRC001", 0), ("CAND-2", "WSVRC003", 1), ("", "WSVRC006", 0)]);
}
