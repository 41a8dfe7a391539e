//! The operation of the R9 service: learning events (LRS-CONTRACT 2.14).

use crate::domain::{AbilityToShare, Extensible, Learner, LearningEvent, Product};
use crate::lrs::response_codes::LrsCode;
use crate::lrs::services::learner_r9::{LearnerRecord, LearningEventsResponse, LearningEventsResult};
use crate::lrs::soap::write_envelope;
use crate::simulator::credentials::{CredentialError, Credentials, check_credentials};
use crate::simulator::learner_search::names_match;
use crate::simulator::refusals::log_refusal;
use crate::simulator::schema::{self, Violation, validate};
use crate::simulator::state::Simulator;
use crate::xml::{Element, Wrapped, XmlRecord as _};

/// LRS's code for a value that a rule prohibits.
const INVALID_REQUEST: &str = "WSEC0001";

/// Executes the operation of a request and returns the response.
///
/// # Errors
/// Returns a [`Violation`] if the service's framework cannot read the request.
pub fn execute(simulator: &Simulator, request: &Element) -> Result<String, Violation> {
    let unknown = || Violation::new(&request.name, "the service has no operation with this element");
    if !is_learning_events_request(request) {
        return Err(unknown());
    }
    validate(request, schema::LEARNING_EVENTS)?;
    envelope(read_events(simulator, request)).ok_or_else(unknown)
}

/// Returns the response that rejects a request with this code. `None`: the request is not one of this service.
pub fn rejection(request: &Element, code: &str) -> Option<String> {
    is_learning_events_request(request).then(|| envelope(result(request, code, None, None))).flatten()
}

fn is_learning_events_request(request: &Element) -> bool {
    request.namespace.as_deref() == Some("http://tempuri.org/") && request.name == "GetLearnerLearningEvents"
}

fn read_events(simulator: &Simulator, request: &Element) -> LearningEventsResult {
    let refusal = |code, element| {
        log_refusal(&request.name, code, element);
        result(request, code, None, None)
    };
    if let Err(error) = admit(simulator, request) {
        return refusal(error.code(), error.elements());
    }
    let uln = request.text_of("uln");
    if uln.len() != 10 || !uln.bytes().all(|byte| byte.is_ascii_digit()) {
        return refusal("WSEC0136", "uln");
    }
    let get_type = request.text_of("getType");
    if !schema::GET_TYPES.contains(&get_type) {
        return refusal(INVALID_REQUEST, "getType");
    }
    let register = simulator.register();
    let Some((entry, master)) = register.look_up(uln).filter(|(entry, _)| is_verified(request, &entry.learner)) else {
        return result(request, "WSEC0208", None, Some(Vec::new()));
    };
    let record = master.unwrap_or(entry);
    let found_uln = record.learner.uln.to_lrs();
    if record.learner.ability_to_share.as_ref().and_then(Extensible::known) == Some(&AbilityToShare::SeenNotShared) {
        return result(request, "WSEC0206", Some(&found_uln), Some(Vec::new()));
    }
    let code = if master.is_some() { "WSRC0022" } else { "WSRC0004" };
    let is_brief = get_type == "BRIEF";
    let events = record.learning_events().map(|event| if is_brief { brief(event) } else { event.clone() });
    result(request, code, Some(&found_uln), Some(events.collect()))
}

fn admit(simulator: &Simulator, request: &Element) -> Result<(), CredentialError> {
    let organisation = request.child("invokingOrganisation").ok_or(CredentialError::UnknownOrganisation)?;
    let credentials = Credentials {
        ukprn: organisation.text_of("Ukprn"),
        organisation_ref: organisation.text_of("OrganisationRef"),
        password: organisation.text_of("Password"),
    };
    check_credentials(simulator, &credentials, Product::LearningEvents).map(|_| ())
}

/// Returns `true` if the names match the learner, and the date of birth and the gender if the request has them.
fn is_verified(request: &Element, learner: &Learner) -> bool {
    let matches = |name: &str, known: Option<String>| {
        request.child(name).is_none_or(|searched| searched.text.is_empty() || Some(searched.text.clone()) == known)
    };
    names_match(learner, request.text_of("givenName"), request.text_of("familyName"))
        && matches("dateOfBirth", learner.date_of_birth.as_ref().map(|date| date.to_lrs().into_owned()))
        && matches("gender", learner.gender.as_ref().map(|gender| gender.to_lrs().into_owned()))
}

/// Returns an event with only the nine fields that LRS always sends.
fn brief(event: &LearningEvent) -> LearningEvent {
    LearningEvent {
        achievement_provider_name: None,
        awarding_organisation_name: None,
        awarding_organisation_ukprn: None,
        collection_type: None,
        date_loaded: None,
        language_for_assessment: None,
        participation_end_date: None,
        participation_start_date: None,
        qualification_type: None,
        restriction: None,
        return_number: None,
        status: None,
        under_data_challenge: None,
        ..event.clone()
    }
}

fn result(request: &Element, code: &str, found_uln: Option<&str>, events: Option<Vec<LearningEvent>>) -> LearningEventsResult {
    let incoming_uln = request.text_of("uln");
    LearningEventsResult {
        response_code: LrsCode::new(code),
        found_uln: found_uln.map(Extensible::from_lrs),
        incoming_uln: Some(Extensible::from_lrs(incoming_uln)).filter(|_| !incoming_uln.is_empty()),
        learner_record: events.map(|learning_event| Wrapped(LearnerRecord { learning_event })),
    }
}

fn envelope(result: LearningEventsResult) -> Option<String> {
    let response = LearningEventsResponse { result: Wrapped(result) };
    let namespaces = "xmlns=\"http://tempuri.org/\" xmlns:a=\"http://api.lrs.qcf.gov.uk/model\"";
    write_envelope(|writer| writer.element("GetLearnerLearningEventsResponse", namespaces, |writer| response.write(writer))).ok()
}
