//! Achievement batches that are rejected: single records, whole batches, and messages that cannot be read.

use lrs_gateway::domain::SubmissionType;
use lrs_gateway::lrs::Service;
use lrs_gateway::lrs::services::external::{AchievementCodes, GetAchievementJob, SubmitAchievementBatchResponse, SubmitAchievementJob};
use serde_json::json;

use super::achievements::{achievement, awarding_client, code_of, packed_achievements, read_job, submission};
use super::{SoapClient, provider_context, request_context};

/// Returns the code with which LRS has rejected a batch. It must not have accepted it.
pub fn rejection_code(response: &SubmitAchievementBatchResponse) -> &str {
    assert_eq!(response.accepted_job_id(), None);
    response.result.as_ref().and_then(|result| result.response_code.as_ref()).map_or("", |code| code.as_str())
}

/// Returns a valid message with one achievement.
fn valid_message(client: &SoapClient) -> String {
    client.message(&submission(SubmissionType::Final, &packed_achievements(&[achievement(json!({}))]), &AchievementCodes::default()))
}

/// Replaces text that must occur in a message.
fn replace(message: &str, from: &str, to: &str) -> String {
    assert!(message.contains(from), "{from}");
    message.replace(from, to)
}

#[tokio::test]
async fn achievement_with_an_unusable_field_is_rejected_alone() {
    let client = awarding_client(0);
    let codes = AchievementCodes::default();
    let achievements = [achievement(json!({})), achievement(json!({"unitOrQualificationReferenceNumber": "600/0002/2"}))];
    let message = client.message(&submission(SubmissionType::Final, &packed_achievements(&achievements), &codes));
    for (from, to) in [
        ("<svc:Action>1<", "<svc:Action>5<"),
        ("<svc:ProviderUkprn>10088881</svc:ProviderUkprn>", "<svc:ProviderUkprn></svc:ProviderUkprn>"),
        (">600/0000/9</svc:UnitOrQualificationReferenceNumber>", "> </svc:UnitOrQualificationReferenceNumber>"),
    ] {
        let submitted = client.call_with_message::<SubmitAchievementJob<'_>>(message.replacen(from, to, 1)).await;
        let job = read_job(&client, submitted.accepted_job_id().expect("LRS accepted the job")).await;
        assert_eq!(job.field_data_errors, Some(1), "{to}");
    }
}

#[tokio::test]
async fn organisation_with_wrong_credentials_or_product_is_rejected_with_a_code() {
    let mut client = awarding_client(0);
    let (codes, achievements) = (AchievementCodes::default(), [achievement(json!({}))]);
    for (context, code) in [
        (request_context("10088882", "OTHER1", "demo-password-02"), "WSEC0003"),
        (request_context("10088882", "DEMO02", "demo-password-01"), "WSEC0005"),
        (provider_context(), "WSRC0043"),
    ] {
        client.request_context = context;
        assert_eq!(
            rejection_code(&client.call(&submission(SubmissionType::Final, &packed_achievements(&achievements), &codes)).await),
            code
        );
        assert_eq!(code_of(&read_job(&client, 60_001).await), code);
    }
    assert!(client.lrs.simulator.jobs().is_empty());
}

#[tokio::test]
async fn batch_with_an_invalid_element_is_rejected_with_a_code() {
    let client = awarding_client(0);
    let message = valid_message(&client);
    let (before_achievement, rest) = message.split_once("<svc:Achievement>").expect("the message has an achievement");
    let (_, after_achievement) = rest.split_once("</svc:Achievement>").expect("the achievement ends");
    for (message, code) in [
        (replace(&message, "<svc:submissionType>", "<svc:emailAddress>no-address</svc:emailAddress><svc:submissionType>"), "WSEC0044"),
        (replace(&message, ">Final<", ">FINAL<"), "WSEC0045"),
        (replace(&message, "<svc:submissionType>Final</svc:submissionType>", ""), "WSEC0045"),
        (format!("{before_achievement}{after_achievement}"), "WSEC0047"),
        (replace(&message, "<mod:OrganisationRef>DEMO02</mod:OrganisationRef>", ""), "WSEC0003"),
    ] {
        // LRS sends such a response with the HTTP status 200, not as a fault.
        let (status, body) = client.send(Service::External, message.clone()).await.expect("LRS responds");
        assert!(status == 200 && body.contains(code), "{code}: {status} {body}");
        assert_eq!(rejection_code(&client.call_with_message::<SubmitAchievementJob<'_>>(message).await), code);
    }
    assert!(client.lrs.simulator.jobs().is_empty());
}

#[tokio::test]
async fn message_that_the_external_service_cannot_read_is_a_fault_without_detail() {
    let client = awarding_client(0);
    let submit = valid_message(&client);
    let get = client.message(&GetAchievementJob { job_id: 60_001 });
    let mut invalid = Vec::new();
    for (message, from, to) in [
        (&submit, "<svc:Action>1<", "<svc:Action>one<"),
        (&submit, "<svc:Action>1<", "<svc:Action>9999999999<"),
        (&submit, "<svc:Action>1</svc:Action>", ""),
        (&submit, "<svc:Action>1<", "<svc:Action xsi:nil=\"true\"><"),
        (&submit, ">2025-07-01T00:00:00<", ">2025-07-01<"),
        (&submit, ">2025-07-01T00:00:00<", ">2025-02-29T00:00:00<"),
        (&submit, ">2003-04-05T00:00:00<", "><"),
        (&submit, "<svc:Gender>2<", "<svc:Gender>F<"),
        (&submit, "<svc:GivenName>Ana</svc:GivenName>", ""),
        (&submit, "<svc:Grade>", "<svc:Colour/><svc:Grade>"),
        (&submit, "xmlns:mod=\"http://api.lrs.qcf.gov.uk/model\"", "xmlns:mod=\"urn:other\""),
        (&get, "<svc:jobId>60001<", "<svc:jobId>99999999999<"),
        (&get, "<svc:jobId>60001<", "<svc:jobId><"),
    ] {
        let message = replace(message, from, to);
        let (status, body) = client.send(Service::External, message.clone()).await.expect("LRS responds");
        let is_plain_fault = body.contains("<faultcode>soapenv:Client</faultcode>") && !body.contains("<detail>");
        assert!(status == 500 && is_plain_fault, "{to}: {status} {body}");
        invalid.push((format!("invalid-{}", invalid.len()), message));
    }
    if let Some(contract) = &client.contract {
        assert_eq!(contract.wsdl_violations(Service::External, &invalid).len(), invalid.len(), "the WSDL rejects the same messages");
    }
}

#[tokio::test]
async fn message_with_allowed_nil_or_missing_elements_is_accepted() {
    let client = awarding_client(0);
    let message = valid_message(&client);
    for (from, to) in [
        ("<svc:GivenName>Ana</svc:GivenName>", "<svc:GivenName xsi:nil=\"true\"/>"),
        ("<svc:Grade>Pass &lt;*&gt;</svc:Grade>", ""),
        (">2003-04-05T00:00:00<", ">2003-04-05T00:00:00.000+01:00<"),
        ("<svc:DateofBirth>2003-04-05T00:00:00</svc:DateofBirth>", "<svc:DateofBirth xsi:nil=\"true\"/>"),
    ] {
        let message = replace(&message, from, to);
        if let Some(contract) = &client.contract {
            contract.check_request(Service::External, &[("allowed".to_owned(), message.clone())]);
        }
        assert!(client.call_with_message::<SubmitAchievementJob<'_>>(message).await.accepted_job_id().is_some(), "{to}");
    }
}
