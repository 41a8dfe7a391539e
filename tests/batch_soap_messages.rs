//! Batches on the wire: what the gateway sends for them, and what the simulator makes of it.

mod achievements;
mod control;

use std::sync::Arc;
use std::time::Duration;

use lrs_gateway::domain::{BatchLearner, BatchLearnerToVerify, JobType, OrganisationRef, Ukprn, UserName};
use lrs_gateway::lrs::codes::LrsCode;
use lrs_gateway::lrs::http_client::HttpClientFactory;
use lrs_gateway::lrs::services::external::GetAchievementBatch;
use lrs_gateway::lrs::services::learner::{
    GetRegistrationBatch, GetVerificationBatch, SubmitRegistrationBatch, SubmitVerificationBatch, VerificationBatchOutput,
};
use lrs_gateway::lrs::{Effect, LrsResponse, MessageContext, Operation, Service, Vendor, read_response};
use lrs_gateway::organisations::{Organisation, OrganisationPassword, OrganisationSettings, RequestContext};
use lrs_gateway::schema::Scalar as _;
use lrs_gateway::schema::deserialize::{from_json, from_toml};
use lrs_gateway::simulator::SimulatorSettings;
use serde_json::json;

use crate::support::SimulatedLrs;
use crate::support::caller::PROVIDER;
use crate::support::contract::Contract;
use crate::support::gateway::AWARDING;

/// Has this answer this code?
pub(crate) fn says(answer: &impl LrsResponse, code: &str) -> bool {
    answer.code().is_some_and(|told| told.matches(code))
}

/// An LRS whose jobs take so long, and somebody who asks it.
struct Asking {
    lrs: SimulatedLrs,
    actor: RequestContext,
    contract: Option<Contract>,
}

impl Asking {
    fn new(job_seconds: u64) -> Self {
        Self::with(&SimulatorSettings { job_seconds, ..SimulatorSettings::default() })
    }

    fn with(settings: &SimulatorSettings) -> Self {
        Self { lrs: SimulatedLrs::with(settings), actor: provider(), contract: Contract::from_env() }
    }

    /// The message of an operation.
    fn message<O: Operation>(&self, operation: &O) -> String {
        operation.envelope(&MessageContext { request: &self.actor, vendor: &Vendor::default() }).expect("legal")
    }

    /// Sends a message, and gets status and answer.
    async fn send(&self, service: Service, message: String) -> reqwest::Result<(u16, String)> {
        let url = format!("{}{}", self.lrs.url(), service.path());
        let response = self.actor.organisation.http_client().post(url).body(message).send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    /// Asks, and holds question and answer against the contract.
    async fn ask<O: Operation>(&self, operation: &O) -> O::Response {
        let request = self.message(operation);
        if let Some(contract) = &self.contract {
            contract.check_request(O::SERVICE, &[(O::NAME.to_owned(), request.clone())]);
        }
        self.ask_with::<O>(request).await
    }

    /// Sends a message, and holds the answer against the contract.
    async fn ask_with<O: Operation>(&self, message: String) -> O::Response {
        let (status, answer) = self.send(O::SERVICE, message).await.expect("an answer");
        if let Some(contract) = &self.contract {
            contract.check_answer(O::SERVICE, &[(O::NAME.to_owned(), answer.clone())]);
        }
        read_response::<O>(status, "text/xml", answer.as_bytes()).unwrap_or_else(|failure| panic!("{failure:?}: {answer}"))
    }
}

/// Somebody of the demonstration's learning provider.
pub fn provider() -> RequestContext {
    actor(PROVIDER, "DEMO01", "demo-password-01")
}

/// Somebody of the demonstration's awarding organisation.
pub fn awarding() -> RequestContext {
    actor(AWARDING, "DEMO02", "demo-password-02")
}

fn actor(ukprn: &str, reference: &str, password: &str) -> RequestContext {
    let transport = HttpClientFactory::new(None, Duration::from_secs(2)).expect("the web's roots");
    let settings = OrganisationSettings {
        ukprn: Ukprn::parse(ukprn).expect("a UKPRN"),
        name: "A test".into(),
        organisation_ref: Some(OrganisationRef::parse(reference).expect("a reference")),
        products: Vec::new(),
        password: OrganisationPassword::new(password).expect("16 characters"),
        client_certificate: None,
    };
    let organisation = Organisation::new(settings, &transport);
    RequestContext::new(Arc::new(organisation.expect("a client")), UserName::parse("j.bloggs").expect("a name"))
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
    assert!(says(&submitted, "WSRC0007"));
    let job_id = submitted.accepted_job_id().expect("a job");
    let output = asking.ask(&GetRegistrationBatch { job_id }).await;
    assert!(says(&output, "WSRC0009"));
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
    let output = asking.ask(&GetRegistrationBatch { job_id: submitted.accepted_job_id().expect("a job") }).await;
    assert_eq!(output.learner[0].return_code.as_deref(), Some("SIM-NOT-FOUND"));
    assert_eq!(asking.lrs.simulator.register().len(), before);
    assert_eq!(SubmitRegistrationBatch { job_type: JobType::Check, learners: &learners }.effect(), Effect::Read);
    assert_eq!(SubmitRegistrationBatch { job_type: JobType::Full, learners: &learners }.effect(), Effect::Write);
}

#[tokio::test]
async fn a_job_is_told_when_it_is_done_and_to_its_owner_only() {
    let mut asking = Asking::new(3600);
    let learners = learners();
    let job_id =
        asking.ask(&SubmitRegistrationBatch { job_type: JobType::Full, learners: &learners }).await.accepted_job_id().expect("a job");
    let waiting = asking.ask(&GetRegistrationBatch { job_id }).await;
    assert!(says(&waiting, "WSRC0008") && waiting.learner.is_empty());
    let waiting: VerificationBatchOutput = asking.ask(&GetVerificationBatch { job_id }).await;
    assert!(says(&waiting, "WSRC0018"), "it is a job of another kind");
    assert!(says(&asking.ask(&GetRegistrationBatch { job_id: 1 }).await, "WSRC0018"));
    asking.actor = awarding();
    assert!(says(&asking.ask(&GetVerificationBatch { job_id }).await, "WSRC0018"));
    asking.actor = provider();
    asking.lrs.simulator.set_job_duration(Duration::ZERO);
    assert!(says(&asking.ask(&GetRegistrationBatch { job_id }).await, "WSRC0009"));
}

#[tokio::test]
async fn who_is_too_young_or_too_old_is_not_registered() {
    let asking = Asking::new(0);
    let before = asking.lrs.simulator.register().len();
    let this_year = jiff::Zoned::now().year();
    let learners: Vec<BatchLearner> = [this_year - 112, this_year - 109, this_year - 14, this_year - 12].iter().map(|year| {
        let learner = json!({"givenName": "Gwenllian", "familyName": "Tirion", "dateOfBirth": format!("{year}-06-01"), "gender": "FEMALE",
            "lastKnownPostCode": "ZZ99 9ZZ", "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE"});
        from_json(learner.to_string().as_bytes()).expect("valid")
    }).collect();
    let submitted = asking.ask(&SubmitRegistrationBatch { job_type: JobType::Full, learners: &learners }).await;
    let output = asking.ask(&GetRegistrationBatch { job_id: submitted.accepted_job_id().expect("a job") }).await;
    let codes: Vec<_> = output.learner.iter().filter_map(|learner| learner.return_code.as_deref()).collect();
    assert_eq!(codes, ["RC011", "SIM-NEW", "SIM-NEW", "RC011"]);
    assert_eq!((output.rejected_learners_count, asking.lrs.simulator.register().len()), (Some(2), before + 2));
}

#[tokio::test]
async fn jobs_made_in_the_portal_can_be_asked_for_at_once() {
    let mut asking = Asking::new(3600);
    let output = asking.ask(&GetRegistrationBatch { job_id: 800_001 }).await;
    let codes: Vec<_> = output.learner.iter().filter_map(|learner| learner.return_code.as_deref()).collect();
    assert!(says(&output, "WSRC0009"));
    assert_eq!(codes, ["SIM-EXISTS", "SIM-POSSIBLE", "RC006"]);
    let output = asking.ask(&GetVerificationBatch { job_id: 800_002 }).await;
    let codes: Vec<_> = output.verified_learner.iter().map(|learner| learner.response_code.as_ref().map_or("", LrsCode::as_str)).collect();
    assert_eq!(codes, ["WSVRC001", "WSVRC003"]);
    asking.actor = awarding();
    let job = asking.ask(&GetAchievementBatch { job_id: 60_001 }).await.job.expect("a job");
    assert_eq!((job.achievements_created, job.business_rule_errors, job.learner_data_errors), (Some(1), Some(1), Some(0)));
    assert!(job.user.is_none() && job.start_date == job.end_date);
    assert!(asking.lrs.simulator.jobs().is_empty(), "nobody has submitted them");
}

/// Settings with these portal jobs and nobody in the register.
fn settings(portal_jobs: &str) -> Result<SimulatorSettings, String> {
    let settings = from_toml::<SimulatorSettings>(format!("invented_learners = 0\n{portal_jobs}").parse().expect("TOML"));
    settings.map_err(|mistakes| format!("{mistakes:?}"))
}

const PORTAL_JOB: &str = "[[portal_jobs]]\njob_id = 900001\norganisation = \"10088881\"\nkind = \"registration-batches\"\n\
    [[portal_jobs.learners]]\ngiven_name = \"Ana\"\nfamily_name = \"O'Neill\"\n";

#[tokio::test]
async fn later_jobs_pass_over_the_numbers_of_portal_jobs() {
    let asking = Asking::with(&settings(PORTAL_JOB).expect("good settings"));
    let submitted = asking.ask(&SubmitRegistrationBatch { job_type: JobType::Full, learners: &learners() }).await;
    assert_eq!(submitted.accepted_job_id(), Some(900_002));
    assert!(says(&asking.ask(&GetRegistrationBatch { job_id: 900_001 }).await, "WSRC0009"));
}

#[test]
fn portal_jobs_must_fit_together() {
    let twice = PORTAL_JOB.repeat(2);
    for (jobs, problem) in [
        (PORTAL_JOB.replace("900001", "0"), "1 or more"),
        (PORTAL_JOB.replace("registration-batches", "uln-management"), "kind must be"),
        (PORTAL_JOB.replace("registration-batches", "verification"), "the uln of every learner"),
        (PORTAL_JOB.replace("registration-batches", "achievement-batches"), "must have achievements"),
        (twice, "job 900001: job_id belongs to another job"),
    ] {
        let told = settings(&jobs).expect("each for itself is right").build_simulator().expect_err(problem);
        assert!(told.contains(problem), "{told}");
    }
    assert!(settings(&PORTAL_JOB.replace("given_name", "first_name")).is_err());
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
    let output = asking.ask(&GetVerificationBatch { job_id: submitted.accepted_job_id().expect("a job") }).await;
    let told = output.verified_learner.iter().map(|learner| {
        let name = learner.mis_identifier.as_ref().map_or("", |name| name.reveal());
        (name, learner.response_code.as_ref().map_or("", LrsCode::as_str), learner.failure_flag.len())
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told, [("CAND-1", "WSVRC001", 0), ("CAND-2", "WSVRC003", 1), ("", "WSVRC006", 0)]);
}

#[tokio::test]
async fn a_wrong_count_is_no_job() {
    let asking = Asking::new(0);
    let learners = learners();
    let batch = SubmitRegistrationBatch { job_type: JobType::Full, learners: &learners };
    let request = batch.envelope(&MessageContext { request: &asking.actor, vendor: &Vendor::default() }).expect("legal");
    let wrong = request.replace("<LearnerRecordCount>6<", "<LearnerRecordCount>5<");
    assert_ne!(wrong, request);
    let url = format!("{}{}", asking.lrs.url(), Service::Learner.path());
    let response = asking.actor.organisation.http_client().post(url).body(wrong).send().await.expect("an answer");
    let answer = response.text().await.expect("the whole answer");
    let answer = read_response::<SubmitRegistrationBatch<'_>>(200, "text/xml", answer.as_bytes()).expect("an answer");
    assert!(says(&answer, "WSRC0017") && answer.accepted_job_id().is_none());
    assert!(asking.lrs.simulator.jobs().is_empty());
}
