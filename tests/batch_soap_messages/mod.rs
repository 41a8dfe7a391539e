//! The SOAP messages of batches: those that the gateway sends, and those that the simulator returns. If LRS's schemas are available, every
//! message is validated against them.

mod achievement_errors;
mod achievements;
mod portal_jobs;
mod registration;
mod simulator_control;
mod verification;

use std::sync::Arc;
use std::time::Duration;

use lrs_gateway::batches::batch_kind::{BatchKind, pack};
use lrs_gateway::batches::kinds::registration::Registrations;
use lrs_gateway::domain::{BatchLearner, OrganisationRef, Ukprn, UserName};
use lrs_gateway::lrs::http_client::HttpClientFactory;
use lrs_gateway::lrs::{LrsResponse, MessageContext, Operation, Service, Vendor, parse_response};
use lrs_gateway::organisations::{CallContext, Organisation, OrganisationPassword, OrganisationSettings};
use lrs_gateway::schema::Scalar as _;
use lrs_gateway::schema::deserialize::from_json;
use lrs_gateway::simulator::SimulatorSettings;
use lrs_gateway::xml::PackedXml;
use serde_json::{Value, json};

use crate::support::SimulatedLrs;
use crate::support::caller::PROVIDER;
use crate::support::contract::Contract;
use crate::support::gateway::AWARDING;
use crate::support::simulator::soap_post;

/// Returns `true` if LRS's response has this code.
pub(crate) fn has_code(response: &impl LrsResponse, expected: &str) -> bool {
    response.code().is_some_and(|code| code.matches(expected))
}

/// A simulator, and a client that sends the gateway's messages to it.
struct SoapClient {
    lrs: SimulatedLrs,
    request_context: CallContext,
    contract: Option<Contract>,
}

impl SoapClient {
    /// Starts a simulator whose jobs take this long. The client calls for the learning provider.
    fn new(job_seconds: u64) -> Self {
        Self::with(&SimulatorSettings { job_seconds, ..SimulatorSettings::default() })
    }

    /// Starts a simulator with these settings. The client calls for the learning provider.
    fn with(settings: &SimulatorSettings) -> Self {
        Self { lrs: SimulatedLrs::with(settings), request_context: provider_context(), contract: Contract::from_env() }
    }

    /// Returns the message of an operation.
    fn message<O: Operation>(&self, operation: &O) -> String {
        let context = MessageContext { caller: &self.request_context, vendor: &Vendor::default() };
        operation.envelope(&context).expect("the message has only legal characters")
    }

    /// Sends a message. Returns the HTTP status and the body of the response.
    async fn send(&self, service: Service, message: String) -> reqwest::Result<(u16, String)> {
        let url = format!("{}{}", self.lrs.url(), service.path());
        let response = soap_post(&http_client(), url, message).send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    /// Calls an operation, and validates request and response.
    async fn call<O: Operation>(&self, operation: &O) -> O::Response {
        let message = self.message(operation);
        if let Some(contract) = &self.contract {
            contract.check_request(O::SERVICE, &[(O::NAME.to_owned(), message.clone())]);
        }
        self.call_with_message::<O>(message).await
    }

    /// Calls an operation with this message, and validates the response.
    async fn call_with_message<O: Operation>(&self, message: String) -> O::Response {
        let (status, body) = self.send(O::SERVICE, message).await.expect("LRS responds");
        if let Some(contract) = &self.contract {
            contract.check_response(O::SERVICE, &[(O::NAME.to_owned(), body.clone())]);
        }
        parse_response::<O>(status, "text/xml", body.as_bytes()).unwrap_or_else(|error| panic!("{error:?}: {body}"))
    }
}

/// Returns an HTTP client with connections of its own.
fn http_client() -> reqwest::Client {
    crate::support::http_client_builder().build().expect("the client is created")
}

/// Returns the request context of a user of the demonstration's learning provider.
pub fn provider_context() -> CallContext {
    request_context(PROVIDER, "DEMO01", "demo-password-01")
}

/// Returns the request context of a user of the demonstration's awarding organisation.
pub fn awarding_context() -> CallContext {
    request_context(AWARDING, "DEMO02", "demo-password-02")
}

fn request_context(ukprn: &str, reference: &str, password: &str) -> CallContext {
    let http_clients = HttpClientFactory::new(None, Duration::from_secs(2)).expect("the web's root certificates are available");
    let settings = OrganisationSettings {
        ukprn: Ukprn::parse(ukprn).expect("the UKPRN is valid"),
        name: "A test".into(),
        organisation_ref: Some(OrganisationRef::parse(reference).expect("the reference is valid")),
        products: Vec::new(),
        password: OrganisationPassword::new(password).expect("the password is valid"),
        client_certificate: None,
    };
    let organisation = Organisation::new(settings, &http_clients).expect("the client is created");
    CallContext::new(Arc::new(organisation), UserName::parse("j.bloggs").expect("the user name is valid"))
}

/// Packs the records of a batch.
pub(crate) fn packed<K: BatchKind>(records: &[K::Record]) -> PackedXml {
    PackedXml::new(pack::<K>(records).expect("the records have only legal characters")).expect("packed records")
}

/// Packs learners to register.
fn packed_learners(learners: &[BatchLearner]) -> PackedXml {
    packed::<Registrations>(learners)
}

/// Returns learners of whom the simulator returns different outcomes. The MIS identifier of each says why.
fn learners() -> Vec<BatchLearner> {
    let complete = json!({"gender": "FEMALE", "lastKnownPostCode": "ZZ99 9ZZ", "verificationType": "OTHER",
        "otherVerificationDescription": "Student <card> & \"photo\"", "abilityToShare": "SEEN_SHARE"});
    let learner = |mis_identifier: &str, given_name: &str, family_name: &str, date_of_birth: &str, changes: Value| {
        let mut learner = complete.clone();
        (learner["misIdentifier"], learner["givenName"]) = (json!(mis_identifier), json!(given_name));
        (learner["familyName"], learner["dateOfBirth"]) = (json!(family_name), json!(date_of_birth));
        let Value::Object(changes) = changes else { panic!("changes are an object") };
        learner.as_object_mut().expect("a learner is an object").extend(changes);
        from_json(learner.to_string().as_bytes()).expect("the learner is valid")
    };
    let incomplete = from_json(br#"{"givenName":"Sian","familyName":"Minimal"}"#).expect("the learner is valid");
    vec![
        learner("new", "Gwenllian", "Ó Briain & Price", "2005-07-21", json!({"notes": "a\r\nb", "schoolAtAge16": "", "title": "Ms"})),
        learner("known", "Ana", "O'Neill", "2003-04-05", json!({})),
        learner("one of two", "Sam", "Taylor", "2004-06-01", json!({"gender": "NOT_KNOWN"})),
        learner("by ULN", "Ana", "O'Neill", "2003-04-05", json!({"uln": "3000000126"})),
        learner("by another's ULN", "Ana", "Smith", "2003-04-05", json!({"uln": "3000000126"})),
        incomplete,
    ]
}
