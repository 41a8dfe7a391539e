//! How messages to LRS identify an organisation: by UKPRN, by LRS reference or by both, as its file says. The file also has the language of
//! learning events.

use lrs_gateway::domain::Product;
use lrs_gateway::lrs::Service;
use lrs_gateway::organisations::{IdentifyBy, Language, MessageOptions};
use serde_json::{Value, json};

use crate::support::batches::{full_registration, learners, submit};
use crate::support::caller::PROVIDER;
use crate::support::contract::Contract;
use crate::support::fake_server::{ReceivedRequest, Reply, soap};
use crate::support::gateway::{Options, organisation};
use crate::support::program::{ConfigDirectory, ServingProgram, caller_of, run, stderr};
use crate::support::{FakeServer, SimulatedLrs, TestGateway};

const PRODUCTS: [Product; 5] =
    [Product::UlnManagement, Product::LearningEvents, Product::Verification, Product::VerificationBatches, Product::RegistrationBatches];

/// What the messages say: the setting, and the elements of the learner service and of the R9 service.
const IDENTITIES: [(IdentifyBy, &str, &str); 3] = [
    (IdentifyBy::Ukprn, "<OrganisationRef xsi:nil=\"true\"/><UKPRN>10088881</UKPRN>", "<r10:OrganisationRef xsi:nil=\"true\"/>"),
    (IdentifyBy::OrganisationRef, "<OrganisationRef>DEMO01</OrganisationRef><UKPRN xsi:nil=\"true\"/>", "<r10:OrganisationRef>DEMO01<"),
    (IdentifyBy::Both, "<OrganisationRef>DEMO01</OrganisationRef><UKPRN>10088881</UKPRN>", "<r10:OrganisationRef>DEMO01<"),
];

/// Options of a gateway whose provider is identified in this way.
fn options(identify_by: IdentifyBy) -> Options {
    let provider = organisation(PROVIDER, "demo-password-01", &PRODUCTS);
    let organisations = vec![provider.with_message_options(MessageOptions { identify_by, language: Language::Cym })];
    Options { organisations, ..Options::default() }
}

fn person() -> Value {
    json!({"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"})
}

#[tokio::test]
async fn organisation_identity_of_every_kind_is_valid_and_in_every_message() {
    let contract = Contract::from_env();
    for (identify_by, in_learner_service, in_r9_service) in IDENTITIES {
        let lrs = FakeServer::start(|_| Reply::Bytes(soap(500, "<soapenv:Fault><faultcode>soapenv:Server</faultcode></soapenv:Fault>")));
        let gateway = TestGateway::with(&lrs.url(), options(identify_by));
        let caller = gateway.caller();
        for path in ["learners/find-by-uln", "learners/verify", "learning-events/search"] {
            assert!(caller.post(&format!("/v1/{path}"), &person()).await.status >= 500, "{path}");
        }
        submit(&caller, "registration-batches", &full_registration(&learners(1))).await;
        crate::support::wait_until(|| lrs.received().len() >= 4, || "LRS receives the batch".to_owned()).await;

        let received = lrs.received();
        let (r9, learner): (Vec<_>, Vec<_>) = received.iter().partition(|request| request.head.contains("LearnerServiceR9"));
        assert_eq!(r9.len(), 1);
        assert!(r9[0].body.contains(in_r9_service) && r9[0].body.contains("<tem:language>CYM</tem:language>"), "{}", r9[0].body);
        let ukprn =
            if identify_by == IdentifyBy::OrganisationRef { "<r10:Ukprn xsi:nil=\"true\"/>" } else { "<r10:Ukprn>10088881</r10:Ukprn>" };
        assert!(r9[0].body.contains(ukprn), "{}", r9[0].body);
        for request in &learner {
            assert!(request.body.contains(in_learner_service), "{identify_by:?}: {}", request.body);
        }
        if let Some(contract) = &contract {
            let messages = |requests: &[&ReceivedRequest]| -> Vec<(String, String)> {
                requests.iter().enumerate().map(|(number, request)| (format!("request-{number}"), request.body.clone())).collect()
            };
            contract.check_request(Service::Learner, &messages(&learner));
            contract.check_request(Service::LearnerR9, &messages(&r9));
        }
    }
}

#[tokio::test]
async fn organisation_identity_of_every_kind_is_accepted_by_the_simulator() {
    for (identify_by, ..) in IDENTITIES {
        let lrs = SimulatedLrs::with_instant_jobs();
        let gateway = TestGateway::with(&lrs.url(), options(identify_by));
        let caller = gateway.caller();
        for path in ["learners/find-by-uln", "learners/verify", "learning-events/search"] {
            caller.post(&format!("/v1/{path}"), &person()).await.expect_success();
        }
        submit(&caller, "registration-batches", &full_registration(&learners(1))).await.wait_for_status("COMPLETE").await;
    }
}

#[tokio::test]
async fn organisation_identity_with_the_reference_of_another_is_refused_by_the_simulator() {
    let lrs = SimulatedLrs::start();
    let mut simulated = lrs_gateway::simulator::SimulatorSettings::default();
    simulated.organisations[0].organisation_ref = None;
    let without_reference = SimulatedLrs::with(&simulated);
    for (url, status) in [(lrs.url(), 200), (without_reference.url(), 502)] {
        let gateway = TestGateway::with(&url, options(IdentifyBy::Both));
        assert_eq!(gateway.caller().post("/v1/learners/find-by-uln", &person()).await.status, status);
    }
}

/// Adds settings to the organisation's file.
fn add_to_organisation(directory: &ConfigDirectory, settings: &str) {
    let file = "organisations/10088881.toml";
    let text = std::fs::read_to_string(directory.path(file)).expect("the file exists");
    directory.write(file, &format!("{}{settings}", text.replace("[\"uln-management\"]", "[\"uln-management\", \"learning-events\"]")));
}

#[tokio::test]
async fn organisation_file_states_identity_and_language() {
    let lrs = FakeServer::start(|_| Reply::Bytes(soap(500, "<soapenv:Fault><faultcode>soapenv:Server</faultcode></soapenv:Fault>")));
    let directory = ConfigDirectory::new(&lrs.url());
    add_to_organisation(&directory, "organisation_ref = \"QUILL1\"\nidentify_by = \"organisation_ref\"\nlanguage = \"CYM\"\n");
    let serving = ServingProgram::start(&directory);

    caller_of(&serving.api, "10088881").post("/v1/learning-events/search", &person()).await.problem(502, "lrs_bad_response");

    let request = &lrs.received()[0].body;
    for element in
        ["<r10:OrganisationRef>QUILL1</r10:OrganisationRef>", "<r10:Ukprn xsi:nil=\"true\"/>", "<tem:language>CYM</tem:language>"]
    {
        assert!(request.contains(element), "{element}: {request}");
    }
}

#[test]
fn organisation_file_with_wrong_identity_or_language_is_an_error() {
    for (settings, error) in [
        ("identify_by = \"organisation_ref\"\n", "identify_by: needs organisation_ref"),
        ("identify_by = \"both\"\n", "identify_by: needs organisation_ref"),
        ("identify_by = \"name\"\n", "identify_by: must be one of ukprn, organisation_ref, both"),
        ("language = \"FRA\"\n", "language: must be one of ENG, CYM"),
    ] {
        let directory = ConfigDirectory::new("http://127.0.0.1:1");
        add_to_organisation(&directory, settings);
        let output = run(&["check-config", "--config", &directory.config_path()]);
        assert!(!output.status.success() && stderr(&output).contains(error), "{settings}: {}", stderr(&output));
    }
}
