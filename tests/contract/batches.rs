//! The golden messages of batches: the request that each operation writes, byte by byte, and the response that it reads.

use lrs_gateway::batches::kinds::achievement::Achievements;
use lrs_gateway::batches::kinds::registration::Registrations;
use lrs_gateway::batches::kinds::verification::Verifications;
use lrs_gateway::domain::{Achievement, BatchLearner, BatchLearnerToVerify, EmailAddress, Extensible, JobType, Personal, SubmissionType};
use lrs_gateway::lrs::response_codes::LrsCode;
use lrs_gateway::lrs::services::external::{AchievementCodes, GetAchievementJob, SubmitAchievementJob};
use lrs_gateway::lrs::services::learner::{GetRegistrationJob, GetVerificationJob, SubmitRegistrationJob, SubmitVerificationJob};
use lrs_gateway::lrs::{LrsResponse as _, MessageContext, Operation, Service, Vendor, parse_response};
use lrs_gateway::organisations::CallContext;
use lrs_gateway::schema::Scalar as _;
use lrs_gateway::schema::deserialize::{FromDocument, from_json};
use serde_json::json;

use super::golden;
use super::simulator::SoapClient;
use crate::batch_soap_messages::{awarding_context, has_code, packed, provider_context};
use crate::support::contract::Contract;

/// The names in tests/golden, and the services of LRS.
const GOLDEN_MESSAGES: [(&str, Service); 6] = [
    ("submit-registration-batch", Service::Learner),
    ("get-registration-batch", Service::Learner),
    ("submit-verification-batch", Service::Learner),
    ("get-verification-batch", Service::Learner),
    ("submit-achievement-batch", Service::External),
    ("get-achievement-batch", Service::External),
];

fn record<T: FromDocument>(json: &serde_json::Value) -> T {
    from_json(json.to_string().as_bytes()).unwrap_or_else(|errors| panic!("{json}: {errors:?}"))
}

/// Asserts that the operation writes the golden request. Returns the content of the golden response.
fn assert_golden<O: Operation>(name: &str, request: &CallContext, operation: &O) -> O::Response {
    let message = operation.envelope(&MessageContext { caller: request, vendor: &Vendor::default() }).expect("no illegal character");
    assert_eq!(message, golden(name, "request.xml"), "{name}");
    parse_response::<O>(200, "text/xml; charset=utf-8", golden(name, "response.xml").as_bytes())
        .unwrap_or_else(|error| panic!("{name}: {error:?}"))
}

fn text(value: Option<&Personal<String>>) -> Option<&str> {
    value.map(|value| value.reveal().as_str())
}

#[test]
fn registration_batch_golden_messages_are_what_the_gateway_writes_and_reads() {
    let learners: [BatchLearner; 2] = [
        record(&json!({
            "uln": "3000000258", "misIdentifier": "STU-1 <&>", "title": "Ms", "givenName": "Zoë", "preferredGivenName": "Zo",
            "middleOtherName": "Mair", "familyName": "Fictitious & Daughters", "previousFamilyName": "Siân", "familyNameAtAge16": "",
            "schoolAtAge16": "Smith & Sons <\"North\"> School", "lastKnownAddressLine1": "1 Nowhere Lane", "lastKnownAddressLine2": "Flat 2",
            "lastKnownAddressTown": "Noplace", "lastKnownAddressCountyOrCity": "Noshire", "lastKnownPostCode": "ZZ99 9ZZ",
            "dateOfAddressCapture": "2024-09-01", "dateOfBirth": "2004-02-29", "placeOfBirth": "Abertawe ",
            "emailAddress": "zoe.o'neill+lrs@mail.example.com", "gender": "FEMALE", "nationality": "GBR",
            "scottishCandidateNumber": "123456789", "abilityToShare": "SEEN_SHARE", "verificationType": "OTHER",
            "otherVerificationDescription": "Student card", "notes": "First line\r\nsecond line"
        })),
        record(&json!({"givenName": "Li", "familyName": "Ng"})),
    ];
    let submitted = assert_golden(
        "submit-registration-batch",
        &provider_context(),
        &SubmitRegistrationJob { job_type: JobType::Full, learners: &packed::<Registrations>(&learners) },
    );
    assert_eq!((submitted.code().map_or("", LrsCode::as_str), submitted.accepted_job_id()), ("WSRC0007", Some(900_123)));
    let output = assert_golden("get-registration-batch", &provider_context(), &GetRegistrationJob { job_id: 900_123 });
    assert!(has_code(&output, "WSRC0009") && output.job_finished_date_time.is_some());
    assert_eq!((output.new_learners_count, output.rejected_learners_count), (Some(1), Some(1)));
    let [first, second] = &output.learner[..] else { panic!("not two learners: {output:?}") };
    assert_eq!((text(first.mis_identifier.as_ref()), first.return_code.as_deref()), (Some("STU-1 <&>"), Some("RC999")));
    assert_eq!(first.uln.as_ref().map(Extensible::to_lrs).as_deref(), Some("3000000258"));
    assert_eq!(text(first.notes.as_ref()), Some("First line\r\nsecond line"));
    assert_eq!((text(second.given_name.as_ref()), second.return_code.as_deref()), (Some("Li"), Some("RC006")));
}

#[test]
fn verification_batch_golden_messages_are_what_the_gateway_writes_and_reads() {
    let learners: [BatchLearnerToVerify; 2] = [
        record(&json!({"misIdentifier": "STU-1", "uln": "3000000266", "givenName": "Quill", "familyName": "Tirion",
            "dateOfBirth": "2004-02-28", "gender": "MALE"})),
        record(&json!({"uln": "3000000258", "givenName": "Ana", "familyName": "O'Neill"})),
    ];
    let email = EmailAddress::parse("results@mail.example.com").expect("an address");
    let submission = SubmitVerificationJob { notify_email: Some(&email), learners: &packed::<Verifications>(&learners) };
    assert_eq!(assert_golden("submit-verification-batch", &provider_context(), &submission).accepted_job_id(), Some(900_124));
    let output = assert_golden("get-verification-batch", &provider_context(), &GetVerificationJob { job_id: 900_124 });
    let results: Vec<_> = output
        .verified_learner
        .iter()
        .map(|learner| {
            (text(learner.mis_identifier.as_ref()), learner.response_code.as_ref().map_or("", LrsCode::as_str), learner.failure_flag.len())
        })
        .collect();
    assert_eq!(results, [(Some("STU-1"), "WSVRC005", 2), (None, "WSVRC006", 0)]);
}

#[test]
fn achievement_batch_golden_messages_are_what_the_gateway_writes_and_reads() {
    let achievements: [Achievement; 2] = [
        record(&json!({"action": "UPDATE", "actionDate": "2025-07-01", "actionReason": "Regraded <after> appeal",
            "achievementAwardDate": "2025-06-30", "uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill",
            "dateOfBirth": "2003-04-05", "gender": "FEMALE", "learnerPostcode": "ZZ99 9ZZ", "providerUkprn": "10088881",
            "unitOrQualificationReferenceNumber": "600/0000/X", "grade": "Pass & more", "languageForAssessment": "English",
            "misIdentifier": "CAND-7"})),
        record(&json!({"action": "CREATE", "actionDate": "2025-07-01", "achievementAwardDate": "2025-06-30", "uln": "3000000258",
            "givenName": "Li", "familyName": "Ng", "providerUkprn": "10088881", "unitOrQualificationReferenceNumber": "600/0000/X"})),
    ];
    let email = EmailAddress::parse("results@mail.example.com").expect("an address");
    let submission = SubmitAchievementJob {
        submission_type: SubmissionType::Provisional,
        notify_email: Some(&email),
        achievements: &packed::<Achievements>(&achievements),
        codes: &AchievementCodes::default(),
    };
    assert_eq!(assert_golden("submit-achievement-batch", &awarding_context(), &submission).accepted_job_id(), Some(70_123));
    let job = assert_golden("get-achievement-batch", &awarding_context(), &GetAchievementJob { job_id: 70_123 }).job.expect("a job");
    let counts = [job.job_id, job.achievements_updated, job.learner_data_errors, job.number_of_records];
    assert_eq!(counts, [70_123, 1, 1, 2].map(Some));
    assert_eq!(job.percentage_successful_records.as_deref(), Some("50"));
    assert_eq!(text(job.achievement_batch_error_file.as_ref()), Some("2,3000000258,\"no such learner\"\r\n"));
    assert!(job.start_date.is_some() && job.status.is_some_and(|status| status.to_lrs() == "Successful"));
}

#[test]
fn batch_golden_messages_are_valid() {
    let Some(contract) = Contract::from_env() else { return };
    for (name, service) in GOLDEN_MESSAGES {
        contract.check_request(service, &[(format!("{name}.request"), golden(name, "request.xml"))]);
        contract.check_response(service, &[(format!("{name}.response"), golden(name, "response.xml"))]);
    }
}

#[tokio::test]
async fn batch_golden_requests_are_accepted_by_the_simulator() {
    let (simulator, contract) = (SoapClient::start(), Contract::from_env());
    for (name, service) in GOLDEN_MESSAGES {
        let (status, response) = simulator.send(service, &golden(name, "request.xml")).await;
        assert!(status == 200 && !response.contains(">WSEC"), "{name}: {status} {response}");
        if let Some(contract) = &contract {
            contract.check_response(service, &[(name.to_owned(), response)]);
        }
    }
}
