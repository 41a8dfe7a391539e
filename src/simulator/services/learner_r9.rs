//! The operation of the R9 service (FACTS 2.9).

use crate::domain::{AbilityToShare, Extensible, LearningEvent};
use crate::lrs::codes::LrsCode;
use crate::lrs::services::learner_r9::{LearnerRecord, LearningEventsResponse, LearningEventsResult};
use crate::lrs::soap::element::Element;
use crate::lrs::soap::write::XmlWriter;
use crate::lrs::soap::xml_mapping::{Wrapped, XmlRecord as _};
use crate::organisations::Product;
use crate::simulator::Simulator;
use crate::simulator::endpoints::enter;
use crate::simulator::learner_register::names_fit;
use crate::simulator::schema::{self, validate};

/// Does what the request's element says. `None`: it cannot be read, and the framework says so.
pub fn answer(simulator: &Simulator, request: &Element) -> Option<String> {
    if !is_known(request) || validate(request, schema::LEARNING_EVENTS).is_err() {
        return None;
    }
    envelope(read_record(simulator, request))
}

/// A refusal with this code, whatever else the request says. `None`: it is not one of this service.
pub fn refused(request: &Element, code: &str) -> Option<String> {
    is_known(request).then(|| envelope(result_of(request, code, None, None))).flatten()
}

fn is_known(request: &Element) -> bool {
    request.namespace.as_deref() == Some("http://tempuri.org/") && request.name == "GetLearnerLearningEvents"
}

fn envelope(result: LearningEventsResult) -> Option<String> {
    let response = LearningEventsResponse { result: Wrapped(result) };
    let namespaces = "xmlns=\"http://tempuri.org/\" xmlns:a=\"http://api.lrs.qcf.gov.uk/model\"";
    XmlWriter::envelope(|writer| writer.element("GetLearnerLearningEventsResponse", namespaces, |writer| response.write(writer))).ok()
}

fn result_of(request: &Element, code: &str, found: Option<&str>, events: Option<Vec<LearningEvent>>) -> LearningEventsResult {
    let asked = request.text_of("uln");
    LearningEventsResult {
        response_code: LrsCode::new(code),
        found_uln: found.map(Extensible::from_lrs),
        incoming_uln: Some(Extensible::from_lrs(asked)).filter(|_| !asked.is_empty()),
        learner_record: events.map(|learning_event| Wrapped(LearnerRecord { learning_event })),
    }
}

fn read_record(simulator: &Simulator, request: &Element) -> LearningEventsResult {
    let asked = request.text_of("uln");
    let result = |code: &str, found: Option<&str>, events| result_of(request, code, found, events);
    if let Err(code) = admit(simulator, request) {
        return result(code, None, None);
    }
    if asked.len() != 10 || !asked.bytes().all(|b| b.is_ascii_digit()) {
        return result("WSEC0136", None, None);
    }
    let register = simulator.register();
    let not_verified = || result("WSEC0208", None, Some(Vec::new()));
    let Some((entry, master)) = register.look_up(asked) else { return not_verified() };
    let fits = |name: &str, known: Option<String>| {
        request.child(name).is_none_or(|asked| asked.text.is_empty() || Some(asked.text.clone()) == known)
    };
    let learner = &entry.learner;
    let verified = names_fit(learner, request.text_of("givenName"), request.text_of("familyName"))
        && fits("dateOfBirth", learner.date_of_birth.as_ref().map(|date| date.to_lrs().into_owned()))
        && fits("gender", learner.gender.as_ref().map(|gender| gender.to_lrs().into_owned()));
    if !verified {
        return not_verified();
    }
    let record = master.unwrap_or(entry);
    let found = record.learner.uln.to_lrs();
    if record.learner.ability_to_share.as_ref().and_then(Extensible::known) == Some(&AbilityToShare::SeenNotShared) {
        return result("WSEC0206", Some(&found), Some(Vec::new()));
    }
    let code = if master.is_some() { "WSRC0022" } else { "WSRC0004" };
    let brief = request.text_of("getType") == "BRIEF";
    let events = record.learning_events().map(|event| if brief { in_brief(event) } else { event.clone() });
    result(code, Some(&found), Some(events.collect()))
}

fn admit(simulator: &Simulator, request: &Element) -> Result<(), &'static str> {
    let organisation = request.child("invokingOrganisation").ok_or("WSEC0003")?;
    let named = [organisation.text_of("Ukprn"), organisation.text_of("OrganisationRef")];
    enter(simulator, named, organisation.text_of("Password"), Product::LearningEvents).map(|_| ())
}

/// The nine fields that LRS never leaves out.
fn in_brief(event: &LearningEvent) -> LearningEvent {
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
