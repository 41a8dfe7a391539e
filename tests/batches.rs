//! Batches on the wire: what the gateway will send for them, and what the simulator makes of it. No route offers them yet.

use std::sync::Arc;

use lrs_gateway::domain::{BatchLearner, BatchLearnerToVerify, JobType, UserName};
use lrs_gateway::form::Value as _;
use lrs_gateway::form::read::from_json;
use lrs_gateway::lrs::learner_service::{
    GetRegistrationBatch, GetVerificationBatch, SubmitRegistrationBatch, SubmitVerificationBatch, VerificationBatchOutput,
};
use lrs_gateway::lrs::{Context, Operation, Service, Vendor, read_answer};
use lrs_gateway::organisations::Actor;
use lrs_gateway::simulator::Settings;
use serde_json::json;

use crate::support::Lrs;
use crate::support::caller::PROVIDER;
use crate::support::contract::Contract;
use crate::support::gateway::{AWARDING, organisation};

/// An LRS whose jobs take so long, and somebody who asks it.
struct Asking {
    lrs: Lrs,
    actor: Actor,
    contract: Option<Contract>,
}

impl Asking {
    fn new(job_seconds: u64) -> Self {
        let lrs = Lrs::with(&Settings { job_seconds, ..Settings::default() });
        Self { lrs, actor: actor(PROVIDER, "demo-password-01"), contract: Contract::from_env() }
    }

    /// Asks, and holds question and answer against the contract.
    async fn ask<O: Operation>(&self, operation: &O) -> O::Answer {
        let request = operation.envelope(&Context { actor: &self.actor, vendor: &Vendor::default() }).expect("legal");
        let url = format!("{}{}", self.lrs.url(), O::SERVICE.path());
        let response = self.actor.organisation.http().post(url).body(request.clone()).send().await.expect("an answer");
        let (status, answer) = (response.status().as_u16(), response.text().await.expect("the whole answer"));
        if let Some(contract) = &self.contract {
            contract.check_request(Service::Learner, &[(O::NAME.to_owned(), request)]);
            contract.check_answer(Service::Learner, &[(O::NAME.to_owned(), answer.clone())]);
        }
        read_answer::<O>(status, "text/xml", answer.as_bytes()).unwrap_or_else(|failure| panic!("{failure:?}: {answer}"))
    }
}

fn actor(ukprn: &str, password: &str) -> Actor {
    Actor { organisation: Arc::new(organisation(ukprn, password, &[])), user: UserName::parse("j.bloggs").expect("a name") }
}

fn learners() -> Vec<BatchLearner> {
    let ready = json!({"gender": "FEMALE", "lastKnownPostCode": "ZZ99 9ZZ", "verificationType": "OTHER",
        "otherVerificationDescription": "Student <card> & \"photo\"", "abilityToShare": "SEEN_SHARE"});
    let learner = |name: &str, given: &str, family: &str, born: &str, more: serde_json::Value| {
        let mut learner = ready.clone();
        for (field, value) in [("misIdentifier", name), ("givenName", given), ("familyName", family), ("dateOfBirth", born)] {
            learner[field] = json!(value);
        }
        learner.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        from_json(learner.to_string().as_bytes()).expect("valid")
    };
    let minimal = from_json(br#"{"givenName":"Sian","familyName":"Minimal"}"#).expect("valid");
    vec![
        learner("new", "Gwenllian", "Ó Briain & Price", "2005-07-21", json!({"notes": "a\r\nb", "schoolAtAge16": "", "title": "Ms"})),
        learner("known", "Ana", "O'Neill", "2003-04-05", json!({})),
        learner("one of two", "Sam", "Taylor", "2004-06-01", json!({"gender": "NOT_KNOWN"})),
        learner("by ULN", "Ana", "O'Neill", "2003-04-05", json!({"uln": "3000000126"})),
        learner("by another's ULN", "Ana", "Smith", "2003-04-05", json!({"uln": "3000000126"})),
        minimal,
    ]
}

#[tokio::test]
async fn a_registration_batch_comes_back_in_order_with_what_became_of_each() {
    let asking = Asking::new(0);
    let before = asking.lrs.simulator.register().len();
    let learners = learners();
    let submitted = asking.ask(&SubmitRegistrationBatch { job_type: JobType::Full, learners: &learners }).await;
    assert!(submitted.response_code.is("WSRC0007"));
    let job_id = submitted.job().expect("a job");
    let output = asking.ask(&GetRegistrationBatch { job_id }).await;
    assert!(output.response_code.is("WSRC0009"));
    let told = output.learner.iter().map(|learner| {
        let name = learner.mis_identifier.as_ref().map_or("", |name| name.reveal());
        (name, learner.return_code.as_deref().unwrap_or_default(), learner.uln.is_some())
    });
    let told: Vec<_> = told.collect();
    assert_eq!(
        told,
        [
            ("new", "SIM-NEW", true),
            ("known", "SIM-EXISTS", true),
            ("one of two", "SIM-POSSIBLE", false),
            ("by ULN", "SIM-EXISTS", true),
            ("by another's ULN", "SIM-NOT-FOUND", true), // its own, as it was sent
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
    assert_eq!(asking.lrs.simulator.register().len(), before + 1);
    let first = &output.learner[0];
    assert_eq!(first.notes.as_ref().map(|notes| notes.reveal().as_str()), Some("a\r\nb"));
    assert_eq!(first.family_name.as_ref().map(|name| name.reveal().as_str()), Some("Ó Briain & Price"));
    assert!(first.school_at_age16.is_none() && output.job_finished_date_time.is_some());
}

#[tokio::test]
async fn a_check_registers_nobody() {
    let asking = Asking::new(0);
    let before = asking.lrs.simulator.register().len();
    let learners = learners();
    let submitted = asking.ask(&SubmitRegistrationBatch { job_type: JobType::Check, learners: &learners[..1] }).await;
    let output = asking.ask(&GetRegistrationBatch { job_id: submitted.job().expect("a job") }).await;
    assert_eq!(output.learner[0].return_code.as_deref(), Some("SIM-NOT-FOUND"));
    assert_eq!(asking.lrs.simulator.register().len(), before);
    assert!(SubmitRegistrationBatch { job_type: JobType::Check, learners: &learners }.is_safe_to_retry());
    assert!(!SubmitRegistrationBatch { job_type: JobType::Full, learners: &learners }.is_safe_to_retry());
}

#[tokio::test]
async fn a_job_is_told_when_it_is_done_and_to_its_owner_only() {
    let mut asking = Asking::new(3600);
    let learners = learners();
    let job_id = asking.ask(&SubmitRegistrationBatch { job_type: JobType::Full, learners: &learners }).await.job().expect("a job");
    let waiting = asking.ask(&GetRegistrationBatch { job_id }).await;
    assert!(waiting.response_code.is("WSRC0008") && waiting.learner.is_empty());
    let waiting: VerificationBatchOutput = asking.ask(&GetVerificationBatch { job_id }).await;
    assert!(waiting.response_code.is("WSRC0018"), "it is a job of another kind");
    assert!(asking.ask(&GetRegistrationBatch { job_id: 1 }).await.response_code.is("WSRC0018"));
    asking.actor = actor(AWARDING, "demo-password-02");
    assert!(asking.ask(&GetVerificationBatch { job_id }).await.response_code.is("WSRC0018"));
}

#[tokio::test]
async fn a_verification_batch_comes_back_in_order_with_flags() {
    let asking = Asking::new(0);
    let learner = |json: &str| from_json::<BatchLearnerToVerify>(json.as_bytes()).expect("valid");
    let learners = [
        learner(
            r#"{"misIdentifier":"CAND-1","uln":"3000000126","givenName":"Ana","familyName":"O'Neill","dateOfBirth":"2003-04-05","gender":"FEMALE"}"#,
        ),
        learner(r#"{"misIdentifier":"CAND-2","uln":"3000000126","givenName":"Anna","familyName":"O'Neill"}"#),
        learner(r#"{"uln":"3000000258","givenName":"Ana","familyName":"O'Neill"}"#),
    ];
    let email = lrs_gateway::domain::EmailAddress::parse("results@mail.example.com").expect("an address");
    let submitted = asking.ask(&SubmitVerificationBatch { notify_email: Some(&email), learners: &learners }).await;
    let output = asking.ask(&GetVerificationBatch { job_id: submitted.job().expect("a job") }).await;
    let told = output.verified_learner.iter().map(|learner| {
        let name = learner.mis_identifier.as_ref().map_or("", |name| name.reveal());
        (name, learner.response_code.as_str(), learner.failure_flag.len())
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told, [("CAND-1", "WSVRC001", 0), ("CAND-2", "WSVRC003", 1), ("", "WSVRC006", 0)]);
}

#[tokio::test]
async fn a_wrong_count_is_no_job() {
    let asking = Asking::new(0);
    let learners = learners();
    let batch = SubmitRegistrationBatch { job_type: JobType::Full, learners: &learners };
    let request = batch.envelope(&Context { actor: &asking.actor, vendor: &Vendor::default() }).expect("legal");
    let wrong = request.replace("<LearnerRecordCount>6<", "<LearnerRecordCount>5<");
    assert_ne!(wrong, request);
    let url = format!("{}{}", asking.lrs.url(), Service::Learner.path());
    let response = asking.actor.organisation.http().post(url).body(wrong).send().await.expect("an answer");
    let answer = response.text().await.expect("the whole answer");
    let answer = read_answer::<SubmitRegistrationBatch<'_>>(200, "text/xml", answer.as_bytes()).expect("an answer");
    assert!(answer.response_code.is("WSRC0017") && answer.job().is_none());
    assert!(asking.lrs.simulator.jobs().is_empty());
}
