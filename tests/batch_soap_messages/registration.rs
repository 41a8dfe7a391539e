//! Registration batches: the outcome of each learner, jobs that are not done, and rejected messages.

use std::time::Duration;

use lrs_gateway::domain::{BatchLearner, JobType};
use lrs_gateway::lrs::services::learner::{GetRegistrationJob, GetVerificationJob, SubmitRegistrationJob, VerificationBatchOutput};
use lrs_gateway::lrs::{Effect, Operation as _};
use lrs_gateway::schema::deserialize::from_json;
use lrs_gateway::schema::json_object;
use serde_json::{Value, json};

use super::{SoapClient, awarding_context, has_code, learners, packed_learners, provider_context};
use crate::support::fields::full_learner;

#[tokio::test]
async fn full_job_returns_the_outcome_of_each_learner_in_order() {
    let client = SoapClient::new(0);
    let registered_before = client.lrs.simulator.register().len();
    let submitted = client.call(&SubmitRegistrationJob { job_type: JobType::Full, learners: &packed_learners(&learners()) }).await;
    assert!(has_code(&submitted, "WSRC0007"));

    let output = client.call(&GetRegistrationJob { job_id: submitted.accepted_job_id().expect("LRS accepted the job") }).await;

    assert!(has_code(&output, "WSRC0009"));
    let outcomes = output.learner.iter().map(|learner| {
        let mis_identifier = learner.mis_identifier.as_ref().map_or("", |identifier| identifier.reveal());
        (mis_identifier, learner.return_code.as_deref().unwrap_or_default(), learner.uln.is_some())
    });
    assert_eq!(
        outcomes.collect::<Vec<_>>(),
        [
            ("new", "SIM-NEW", true),
            ("known", "SIM-EXISTS", true),
            ("one of two", "SIM-POSSIBLE", false),
            ("by ULN", "SIM-EXISTS", true),
            ("by another's ULN", "SIM-NOT-FOUND", true), // LRS repeats the ULN that was sent.
            ("", "RC006", false),
        ]
    );
    let counts = [
        output.new_learners_count,
        output.exists_updated_learners_count,
        output.possible_match_learners_count,
        output.learners_not_found_count,
        output.rejected_learners_count,
    ];
    assert_eq!(counts, [1, 2, 1, 1, 1].map(Some));
    assert_eq!(client.lrs.simulator.register().len(), registered_before + 1);
}

#[tokio::test]
async fn learner_named_as_an_exception_gets_its_code_and_is_not_registered() {
    let codes = ["RC006", "RC007", "RC008", "RC009", "RC010", "RC011", "RC012", "RC013"];
    let client = SoapClient::new(0);
    let registered_before = client.lrs.simulator.register().len();
    let names =
        codes.map(|code| format!("Exception {code}")).into_iter().chain(["Exception RC012 ULN", "Exception RC999"].map(str::to_owned));
    let learners: Vec<BatchLearner> = names
        .map(|family_name| {
            let mut learner = full_learner();
            learner["familyName"] = json!(family_name);
            from_json(learner.to_string().as_bytes()).expect("the learner is valid")
        })
        .collect();

    let submitted = client.call(&SubmitRegistrationJob { job_type: JobType::Full, learners: &packed_learners(&learners) }).await;
    let output = client.call(&GetRegistrationJob { job_id: submitted.accepted_job_id().expect("LRS accepted the job") }).await;

    let rows: Vec<_> = output
        .learner
        .iter()
        .map(|row| (row.return_code.as_deref().unwrap_or_default(), row.uln.as_ref().map(|uln| uln.to_lrs().into_owned())))
        .collect();
    let expected = codes.into_iter().map(|code| (code, None)).chain([("RC012", Some("3000000126".to_owned()))]);
    assert_eq!(rows[..9], expected.collect::<Vec<_>>());
    assert_eq!((rows[9].0, rows[9].1.is_some()), ("SIM-NEW", true), "a name with another code is a name");
    assert_eq!(output.rejected_learners_count, Some(9));
    assert_eq!(client.lrs.simulator.register().len(), registered_before + 1);
}

#[tokio::test]
async fn full_job_returns_special_characters_unchanged_and_omits_empty_fields() {
    let client = SoapClient::new(0);
    let submitted = client.call(&SubmitRegistrationJob { job_type: JobType::Full, learners: &packed_learners(&learners()) }).await;

    let output = client.call(&GetRegistrationJob { job_id: submitted.accepted_job_id().expect("LRS accepted the job") }).await;

    let first = &output.learner[0];
    assert_eq!(first.notes.as_ref().map(|notes| notes.reveal().as_str()), Some("a\r\nb"));
    assert_eq!(first.family_name.as_ref().map(|name| name.reveal().as_str()), Some("Ó Briain & Price"));
    assert!(first.school_at_age16.is_none() && output.job_finished_date_time.is_some());
}

/// Submits a full job of these learners and returns their return codes.
async fn return_codes(client: &SoapClient, learners: &[Value]) -> Vec<String> {
    let learners: Vec<BatchLearner> = learners.iter().map(|learner| from_json(learner.to_string().as_bytes()).expect("valid")).collect();
    let submitted = client.call(&SubmitRegistrationJob { job_type: JobType::Full, learners: &packed_learners(&learners) }).await;
    let output = client.call(&GetRegistrationJob { job_id: submitted.accepted_job_id().expect("LRS accepted the job") }).await;
    output.learner.into_iter().map(|learner| learner.return_code.expect("a return code")).collect()
}

#[tokio::test]
async fn full_job_registers_learner_with_every_field() {
    let client = SoapClient::new(0);
    let learner = full_learner();
    assert_eq!(return_codes(&client, std::slice::from_ref(&learner)).await, ["SIM-NEW"]);

    let record = client.lrs.simulator.register().learners().last().and_then(json_object).expect("a record");
    for (field, value) in learner.as_object().expect("an object") {
        assert_eq!(record.get(field), Some(value), "{field}");
    }
    assert_eq!((&record["versionNumber"], &record["linkedUlns"]), (&json!(1), &json!([])));
}

#[tokio::test]
async fn full_job_rejects_learner_without_a_value_that_registration_requires() {
    let client = SoapClient::new(0);
    let registered_before = client.lrs.simulator.register().len();
    let without = |field: &str| {
        let mut learner = full_learner();
        learner.as_object_mut().expect("an object").remove(field);
        learner
    };
    let learners = ["lastKnownPostCode", "dateOfBirth", "gender", "verificationType", "abilityToShare"].map(without);
    assert_eq!(return_codes(&client, &learners).await, ["RC006"; 5]);
    assert_eq!(client.lrs.simulator.register().len(), registered_before);
}

#[tokio::test]
async fn check_job_registers_no_learner() {
    let client = SoapClient::new(0);
    let registered_before = client.lrs.simulator.register().len();
    let submitted = client.call(&SubmitRegistrationJob { job_type: JobType::Check, learners: &packed_learners(&learners()[..1]) }).await;

    let output = client.call(&GetRegistrationJob { job_id: submitted.accepted_job_id().expect("LRS accepted the job") }).await;

    assert_eq!(output.learner[0].return_code.as_deref(), Some("SIM-NOT-FOUND"));
    assert_eq!(client.lrs.simulator.register().len(), registered_before);
}

#[test]
fn effect_of_a_check_is_read_and_of_a_full_job_write() {
    let learners = learners();
    assert_eq!(SubmitRegistrationJob { job_type: JobType::Check, learners: &packed_learners(&learners) }.effect(), Effect::Read);
    assert_eq!(SubmitRegistrationJob { job_type: JobType::Full, learners: &packed_learners(&learners) }.effect(), Effect::Write);
}

#[tokio::test]
async fn job_is_known_to_its_organisation_and_kind_only_and_done_after_its_duration() {
    let mut client = SoapClient::new(3600);
    let submitted = client.call(&SubmitRegistrationJob { job_type: JobType::Full, learners: &packed_learners(&learners()) }).await;
    let job_id = submitted.accepted_job_id().expect("LRS accepted the job");

    let working = client.call(&GetRegistrationJob { job_id }).await;
    assert!(has_code(&working, "WSRC0008") && working.learner.is_empty());

    let of_another_kind: VerificationBatchOutput = client.call(&GetVerificationJob { job_id }).await;
    assert!(has_code(&of_another_kind, "WSRC0018"));
    assert!(has_code(&client.call(&GetRegistrationJob { job_id: 1 }).await, "WSRC0018"), "there is no job with this id");
    client.request_context = awarding_context();
    assert!(has_code(&client.call(&GetVerificationJob { job_id }).await, "WSRC0018"), "the job is another organisation's");

    client.request_context = provider_context();
    client.lrs.simulator.set_job_duration(Duration::ZERO);
    assert!(has_code(&client.call(&GetRegistrationJob { job_id }).await, "WSRC0009"));
}

#[tokio::test]
async fn learner_outside_the_age_limits_is_not_registered() {
    let client = SoapClient::new(0);
    let registered_before = client.lrs.simulator.register().len();
    let this_year = jiff::Zoned::now().year();
    let learner_born_in = |year: i16| -> BatchLearner {
        let learner = json!({
            "givenName": "Gwenllian", "familyName": "Tirion", "dateOfBirth": format!("{year}-06-01"), "gender": "FEMALE",
            "lastKnownPostCode": "ZZ99 9ZZ", "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE"
        });
        from_json(learner.to_string().as_bytes()).expect("the learner is valid")
    };
    let learners = [this_year - 112, this_year - 109, this_year - 14, this_year - 12].map(learner_born_in);
    let submitted = client.call(&SubmitRegistrationJob { job_type: JobType::Full, learners: &packed_learners(&learners) }).await;

    let output = client.call(&GetRegistrationJob { job_id: submitted.accepted_job_id().expect("LRS accepted the job") }).await;

    let codes: Vec<_> = output.learner.iter().filter_map(|learner| learner.return_code.as_deref()).collect();
    assert_eq!(codes, ["RC011", "SIM-NEW", "SIM-NEW", "RC011"]);
    assert_eq!((output.rejected_learners_count, client.lrs.simulator.register().len()), (Some(2), registered_before + 2));
}

#[tokio::test]
async fn message_with_a_wrong_record_count_is_rejected() {
    let client = SoapClient::new(0);
    let learners = learners();
    let message = client.message(&SubmitRegistrationJob { job_type: JobType::Full, learners: &packed_learners(&learners) });
    let wrong = message.replace("<LearnerRecordCount>6<", "<LearnerRecordCount>5<");
    assert_ne!(wrong, message);

    let response = client.call_with_message::<SubmitRegistrationJob<'_>>(wrong).await;

    assert!(has_code(&response, "WSRC0017") && response.accepted_job_id().is_none());
    assert!(client.lrs.simulator.jobs().is_empty());
}
