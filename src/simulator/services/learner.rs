//! Operations of the learner service (LRS-CONTRACT 2.4 to 2.13).

use crate::domain::{Date, Extensible, FromLrs as _, Gender, Learner, LearnerDetails, Personal, Product, Uln};
use crate::lrs::response_codes::LrsCode;
use crate::lrs::services::learner::{
    FindLearnerResponse, RegisterLearnerResponse, RetrieveUlnsResponse, RetrievedUln, RetrievedUlns, SubmitBatchResponse,
    UpdateLearnerResponse, VerifyLearnerResponse,
};
use crate::lrs::soap::write_envelope;
use crate::simulator::credentials::{Refusal, admit};
use crate::simulator::learner_batches::batch_learners;
use crate::simulator::learner_register::RegisterError;
use crate::simulator::learner_search::{Demographics, SearchMatches};
use crate::simulator::schema::{self, Violation};
use crate::simulator::state::Simulator;
use crate::simulator::verification::verify_learner;
use crate::xml::{Element, FromXmlText, Wrapped, XmlError, XmlRecord};

const FIND: &str = "http://api.lrs.miap.gov.uk/findmsg";
const REGISTER: &str = "http://api.lrs.miap.gov.uk/regmsg";
const BATCH: &str = "http://api.lrs.miap.gov.uk/batchmsg";
const VERIFY_BATCH: &str = "http://api.lrs.miap.gov.uk/vldmsg";
const REPORT: &str = "http://api.lrs.miap.gov.uk/reportmsg";

/// Executes the operation of a request and returns the response.
///
/// # Errors
/// Returns a [`Refusal`] if the operation is unknown, the request breaks the schema, or the credentials are not sufficient.
pub fn execute(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    match (request.namespace.as_deref().unwrap_or_default(), request.name.as_str()) {
        (FIND, "FindLearnerByULN") => find_by_uln(simulator, request),
        (FIND, "FindLearnerByDemographics") => find_by_demographics(simulator, request),
        (REGISTER, "RegisterLearner") => register_learner(simulator, request),
        (REGISTER, "UpdateLearner") => update_learner(simulator, request),
        (BATCH, "SubmitBatch") => submit_registration_batch(simulator, request),
        (BATCH, "GetSubmitBatchOutput") => get_registration_batch(simulator, request),
        (VERIFY_BATCH, "SubmitVerifyBatch") => submit_verification_batch(simulator, request),
        (VERIFY_BATCH, "GetVerifyBatchOutput") => get_verification_batch(simulator, request),
        (REPORT, "VerifyLearner") => verify(simulator, request),
        (REPORT, "RetrieveULNs") => retrieve_ulns(simulator, request),
        (_, name) => Err(Refusal::new("WSEC0002", name, format!("operation {name}"))),
    }
}

fn envelope(element: &'static str, namespace: &'static str, response: &impl XmlRecord) -> Result<String, Refusal> {
    write_envelope(|writer| writer.element(element, namespace, |writer| response.write(writer)))
        .map_err(|error| Refusal::new("WSEC0999", element, error.to_string()))
}

fn find_by_uln(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    admit(simulator, request, schema::FIND_BY_ULN, Product::UlnManagement)?;
    let (uln, given_name, family_name) = (request.text_of("ULN"), request.text_of("GivenName"), request.text_of("FamilyName"));
    find_response(request, simulator.register().find_by_uln(uln, given_name, family_name))
}

fn find_by_demographics(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    let organisation = admit(simulator, request, schema::FIND_BY_DEMOGRAPHICS, Product::UlnManagement)?;
    let search = Demographics {
        given_name: request.text_of("GivenName"),
        family_name: request.text_of("FamilyName"),
        date_of_birth: request.text_of("DateOfBirth"),
        gender: request.text_of("Gender"),
        post_code: request.text_of("LastKnownPostCode"),
    };
    let mut register = simulator.register();
    let matches = register.find_by_demographics(&search);
    register.record_search(organisation, &search, &matches);
    find_response(request, matches)
}

/// Returns the searched values, the response code and, with the find type `FUL`, the learners.
fn find_response(request: &Element, matches: SearchMatches) -> Result<String, Refusal> {
    let (code, learners) = match matches {
        SearchMatches::NoMatch => ("WSRC0001", Vec::new()),
        SearchMatches::TooManyMatches => ("WSRC0002", Vec::new()),
        SearchMatches::PossibleMatches(learners) => ("WSRC0003", learners),
        SearchMatches::ExactMatch(learner) => ("WSRC0004", vec![*learner]),
        SearchMatches::LinkedLearner(learner) => ("WSRC0022", vec![*learner]),
    };
    let learner: Vec<Learner> = if request.text_of("FindType") == "FUL" { learners } else { Vec::new() };
    let response = FindLearnerResponse {
        response_code: LrsCode::new(code),
        uln: searched::<Extensible<Uln>>(request, "ULN"),
        family_name: searched::<Personal<String>>(request, "FamilyName"),
        given_name: searched::<Personal<String>>(request, "GivenName"),
        date_of_birth: searched::<Extensible<Date>>(request, "DateOfBirth"),
        gender: searched::<Extensible<Gender>>(request, "Gender"),
        last_known_post_code: searched::<Personal<String>>(request, "LastKnownPostCode"),
        previous_family_name: searched::<Personal<String>>(request, "PreviousFamilyName"),
        school_at_age16: searched::<Personal<String>>(request, "SchoolAtAge16"),
        place_of_birth: searched::<Personal<String>>(request, "PlaceOfBirth"),
        email_address: searched::<Personal<String>>(request, "EmailAddress"),
        learner,
    };
    envelope("ns2:FindLearnerResponse", "xmlns:ns2=\"http://api.lrs.miap.gov.uk/findmsg\"", &response)
}

/// Returns a value of the search as the request has it.
fn searched<T: FromXmlText>(request: &Element, name: &str) -> Option<T> {
    request.child(name).and_then(|child| T::from_xml_text(child.text.as_str().into()))
}

fn register_learner(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    let organisation = admit(simulator, request, schema::REGISTER, Product::UlnManagement)?;
    let (code, uln) = match simulator.register().register(organisation, &learner_details(request)?) {
        Ok(uln) => ("WSRC0005", Some(Extensible::Known(uln))),
        Err(error) => (code_of(error), None),
    };
    let response = RegisterLearnerResponse { response_code: LrsCode::new(code), uln };
    envelope("ns2:RegisterLearnerResponse", "xmlns:ns2=\"http://api.lrs.miap.gov.uk/regmsg\"", &response)
}

fn update_learner(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    admit(simulator, request, schema::UPDATE, Product::UlnManagement)?;
    let learner = request.child("Learner");
    let text = |name| learner.map_or("", |learner| learner.text_of(name)).trim();
    let version_number: i32 =
        text("VersionNumber").parse().map_err(|_| Violation::new("VersionNumber", "the version number is too large"))?;
    let result = match Uln::from_lrs(text("ULN")) {
        Some(uln) => simulator.register().update(&uln, version_number, &learner_details(request)?),
        None => Err(RegisterError::UlnNotFound),
    };
    let code = result.map_or_else(code_of, |()| "WSRC0006");
    let response = UpdateLearnerResponse { response_code: LrsCode::new(code) };
    envelope("ns2:UpdateLearnerResponse", "xmlns:ns2=\"http://api.lrs.miap.gov.uk/regmsg\"", &response)
}

/// Returns the learner of a registration or update that the schema allows.
///
/// # Errors
/// Returns a [`Refusal`] if a value is invalid although the schema allows it, such as a date that does not exist.
fn learner_details(request: &Element) -> Result<LearnerDetails, Refusal> {
    let learner = request.child("Learner").ok_or_else(|| Violation::new("Learner", "the learner is missing"))?;
    learner.to_record().map_err(|error| invalid_learner(&error).into())
}

fn invalid_learner(error: &XmlError) -> Violation {
    Violation::new(error.element().unwrap_or("Learner"), format!("the learner is {error}"))
}

const fn code_of(error: RegisterError) -> &'static str {
    match error {
        RegisterError::NotRegistered => "WSRC0021",
        RegisterError::UlnNotFound => "WSRC0019",
        RegisterError::StaleVersion => "WSRC0013",
        RegisterError::AbilityToShareNotReversible => "WSRC0014",
        RegisterError::NoChanges => "WSRC0020",
    }
}

fn verify(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    admit(simulator, request, schema::VERIFY, Product::Verification)?;
    let learner = request.child("LearnerToVerify").ok_or_else(|| Violation::new("LearnerToVerify", "the learner to verify is missing"))?;
    let verified_learner = Wrapped(verify_learner(&simulator.register(), learner));
    let response = VerifyLearnerResponse { verified_learner };
    envelope("ns2:VerifyLearnerResponse", "xmlns:ns2=\"http://api.lrs.miap.gov.uk/reportmsg\"", &response)
}

fn retrieve_ulns(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    admit(simulator, request, schema::RETRIEVE, Product::RetrieveUlns)?;
    let register = simulator.register();
    let ulns = request.child("ULNsToRetrieve").map_or(&[][..], |list| &list.children);
    let rows = ulns.iter().filter_map(|uln| {
        let (entry, master) = register.look_up(uln.text.trim())?;
        let Learner { given_name, family_name, date_of_birth, gender, .. } = &master.unwrap_or(entry).learner;
        Some(RetrievedUln {
            uln: Some(entry.learner.uln.clone()),
            master_uln: master.map(|master| master.learner.uln.clone()),
            response_code: None,
            family_name: family_name.clone(),
            given_name: given_name.clone(),
            date_of_birth: date_of_birth.clone(),
            gender: gender.clone(),
        })
    });
    let response = RetrieveUlnsResponse { retrieved_ulns: Some(Wrapped(RetrievedUlns { verified_uln: rows.collect() })) };
    envelope("ns2:RetrieveULNsResponse", "xmlns:ns2=\"http://api.lrs.miap.gov.uk/reportmsg\"", &response)
}

fn submit_registration_batch(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    let organisation = admit(simulator, request, schema::SUBMIT_REGISTRATION_BATCH, Product::RegistrationBatches)?;
    let (code, job_id) = if record_count_matches(request) {
        let result = simulator.jobs().submit_registration(organisation, &mut simulator.register(), request);
        ("WSRC0007", result.map_err(|error| invalid_learner(&error))?)
    } else {
        ("WSRC0017", 0)
    };
    envelope("ns2:SubmitBatchResponse", "xmlns:ns2=\"http://api.lrs.miap.gov.uk/batchmsg\"", &submit_response(code, job_id))
}

fn submit_verification_batch(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    let organisation = admit(simulator, request, schema::SUBMIT_VERIFICATION_BATCH, Product::VerificationBatches)?;
    let (code, job_id) = if record_count_matches(request) {
        ("WSRC0026", simulator.jobs().submit_verification(organisation, &simulator.register(), request))
    } else {
        ("WSRC0030", 0)
    };
    envelope("ns2:SubmitVerifyBatchResponse", "xmlns:ns2=\"http://api.lrs.miap.gov.uk/vldmsg\"", &submit_response(code, job_id))
}

fn submit_response(code: &str, job_id: i64) -> SubmitBatchResponse {
    SubmitBatchResponse { response_code: Some(LrsCode::new(code)), job_id: Some(job_id) }
}

/// Returns `true` if the record count of a batch is the number of its learners.
fn record_count_matches(request: &Element) -> bool {
    request.text_of("LearnerRecordCount").trim().parse() == Ok(batch_learners(request).count())
}

fn get_registration_batch(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    let organisation = admit(simulator, request, schema::GET_BATCH, Product::RegistrationBatches)?;
    let output = simulator.jobs().registration_output(organisation, requested_job_id(request));
    envelope("ns2:GetSubmitBatchOutputResponse", "xmlns:ns2=\"http://api.lrs.miap.gov.uk/batchmsg\"", &output)
}

fn get_verification_batch(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    let organisation = admit(simulator, request, schema::GET_BATCH, Product::VerificationBatches)?;
    let output = simulator.jobs().verification_output(organisation, requested_job_id(request));
    envelope("ns2:GetVerifyBatchOutputResponse", "xmlns:ns2=\"http://api.lrs.miap.gov.uk/vldmsg\"", &output)
}

/// Returns the job number of a request; 0, which no job has, if it is not a number.
fn requested_job_id(request: &Element) -> i64 {
    request.text_of("JobID").trim().parse().unwrap_or(0)
}
