//! The operations of the learner service (FACTS 2.3 to 2.8, 2.10 to 2.12, 2.14).

use crate::domain::{Date, Extensible, FromLrs as _, Gender, Learner, LearnerDetails, Personal, Uln};
use crate::lrs::codes::LrsCode;
use crate::lrs::services::learner::{
    FindLearnerResponse, RegisterLearnerResponse, RetrieveUlnsResponse, RetrievedUln, RetrievedUlns, SubmitBatchResponse,
    UpdateLearnerResponse, VerifyLearnerResponse,
};
use crate::lrs::soap::element::Element;
use crate::lrs::soap::write::XmlWriter;
use crate::lrs::soap::xml_mapping::{FromXmlText, Wrapped, XmlRecord};
use crate::organisations::Product;
use crate::simulator::Simulator;
use crate::simulator::endpoints::{Refusal, admit};
use crate::simulator::learner_register::{Demographics, Refused, SearchMatches};
use crate::simulator::schema::{self, Violation};
use crate::simulator::verification::compare;

const FIND: &str = "http://api.lrs.miap.gov.uk/findmsg";
const REGISTER: &str = "http://api.lrs.miap.gov.uk/regmsg";
const BATCH: &str = "http://api.lrs.miap.gov.uk/batchmsg";
const VERIFY_BATCH: &str = "http://api.lrs.miap.gov.uk/vldmsg";
const REPORT: &str = "http://api.lrs.miap.gov.uk/reportmsg";

/// Does what the request's element says.
pub fn answer(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    match (request.namespace.as_deref().unwrap_or_default(), request.name.as_str()) {
        (FIND, "FindLearnerByULN") => find_by_uln(simulator, request),
        (FIND, "FindLearnerByDemographics") => find_by_demographics(simulator, request),
        (REGISTER, "RegisterLearner") => register(simulator, request),
        (REGISTER, "UpdateLearner") => update(simulator, request),
        (BATCH, "SubmitBatch") => submit_registration_batch(simulator, request),
        (BATCH, "GetSubmitBatchOutput") => registration_batch(simulator, request),
        (VERIFY_BATCH, "SubmitVerifyBatch") => submit_verification_batch(simulator, request),
        (VERIFY_BATCH, "GetVerifyBatchOutput") => verification_batch(simulator, request),
        (REPORT, "VerifyLearner") => verify(simulator, request),
        (REPORT, "RetrieveULNs") => retrieve(simulator, request),
        (_, name) => Err(Refusal::new("WSEC0002", format!("operation {name}"))),
    }
}

fn envelope(element: &'static str, namespace: &'static str, response: &impl XmlRecord) -> Result<String, Refusal> {
    XmlWriter::envelope(|writer| writer.element(element, namespace, |writer| response.write(writer)))
        .map_err(|error| Refusal::new("WSEC0999", error.to_string()))
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
    register.remember_search(organisation, &search);
    find_response(request, register.find_by_demographics(&search))
}

/// The search repeated as it came, the outcome, and with `FUL` the learners.
fn find_response(request: &Element, found: SearchMatches) -> Result<String, Refusal> {
    let (code, learners) = match found {
        SearchMatches::Nobody => ("WSRC0001", Vec::new()),
        SearchMatches::TooMany => ("WSRC0002", Vec::new()),
        SearchMatches::Possible(learners) => ("WSRC0003", learners),
        SearchMatches::Exact(learner) => ("WSRC0004", vec![*learner]),
        SearchMatches::Master(learner) => ("WSRC0022", vec![*learner]),
    };
    let learner: Vec<Learner> = if request.text_of("FindType") == "FUL" { learners } else { Vec::new() };
    let response = FindLearnerResponse {
        response_code: LrsCode::new(code),
        uln: echo::<Extensible<Uln>>(request, "ULN"),
        family_name: echo::<Personal<String>>(request, "FamilyName"),
        given_name: echo::<Personal<String>>(request, "GivenName"),
        date_of_birth: echo::<Extensible<Date>>(request, "DateOfBirth"),
        gender: echo::<Extensible<Gender>>(request, "Gender"),
        last_known_post_code: echo::<Personal<String>>(request, "LastKnownPostCode"),
        previous_family_name: echo::<Personal<String>>(request, "PreviousFamilyName"),
        school_at_age16: echo::<Personal<String>>(request, "SchoolAtAge16"),
        place_of_birth: echo::<Personal<String>>(request, "PlaceOfBirth"),
        email_address: echo::<Personal<String>>(request, "EmailAddress"),
        learner,
    };
    envelope("ns2:FindLearnerResponse", "xmlns:ns2=\"http://api.lrs.miap.gov.uk/findmsg\"", &response)
}

fn echo<T: FromXmlText>(request: &Element, name: &str) -> Option<T> {
    request.child(name).and_then(|child| T::from_xml_text(&child.text))
}

fn register(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    let organisation = admit(simulator, request, schema::REGISTER, Product::UlnManagement)?;
    let registered = simulator.register().register(organisation, &details(request)?);
    let (code, uln) = match registered {
        Ok(uln) => ("WSRC0005", Some(Extensible::Known(uln))),
        Err(refused) => (code_of(refused), None),
    };
    let response = RegisterLearnerResponse { response_code: LrsCode::new(code), uln };
    envelope("ns2:RegisterLearnerResponse", "xmlns:ns2=\"http://api.lrs.miap.gov.uk/regmsg\"", &response)
}

fn update(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    admit(simulator, request, schema::UPDATE, Product::UlnManagement)?;
    let learner = request.child("Learner");
    let text = |name| learner.map_or("", |learner| learner.text_of(name)).trim();
    let version: i32 = text("VersionNumber").parse().map_err(|_| Violation("the version number is too large".into()))?;
    let updated = match Uln::from_lrs(text("ULN")) {
        Some(uln) => simulator.register().update(&uln, version, &details(request)?),
        None => Err(Refused::UlnNotFound),
    };
    let code = updated.map_or_else(code_of, |()| "WSRC0006");
    let response = UpdateLearnerResponse { response_code: LrsCode::new(code) };
    envelope("ns2:UpdateLearnerResponse", "xmlns:ns2=\"http://api.lrs.miap.gov.uk/regmsg\"", &response)
}

/// The learner of a registration or update. Its form has been checked; a date the calendar does not have is still refused.
fn details(request: &Element) -> Result<LearnerDetails, Refusal> {
    let learner = request.child("Learner").ok_or_else(|| Violation("there is no learner".into()))?;
    let prohibited = |error| Refusal::from(Violation(format!("the learner is {error}")));
    learner.as_record().map_err(prohibited)
}

const fn code_of(refused: Refused) -> &'static str {
    match refused {
        Refused::NotRegistered => "WSRC0021",
        Refused::UlnNotFound => "WSRC0019",
        Refused::StaleVersion => "WSRC0013",
        Refused::ShareChange => "WSRC0014",
        Refused::NoChanges => "WSRC0020",
    }
}

fn verify(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    admit(simulator, request, schema::VERIFY, Product::Verification)?;
    let asked = request.child("LearnerToVerify").ok_or_else(|| Violation("there is no learner to verify".into()))?;
    let verified_learner = Wrapped(compare(&simulator.register(), asked));
    let response = VerifyLearnerResponse { verified_learner };
    envelope("ns2:VerifyLearnerResponse", "xmlns:ns2=\"http://api.lrs.miap.gov.uk/reportmsg\"", &response)
}

fn retrieve(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    admit(simulator, request, schema::RETRIEVE, Product::UlnManagement)?;
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

/// Is the count of records that of the learners?
fn is_counted(request: &Element) -> bool {
    let learners = request.children.iter().filter(|child| child.name == "Learner").count();
    request.text_of("LearnerRecordCount").trim().parse() == Ok(learners)
}

fn submit_registration_batch(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    let organisation = admit(simulator, request, schema::SUBMIT_REGISTRATION_BATCH, Product::RegistrationBatches)?;
    let submitted = if is_counted(request) {
        let job = simulator.jobs().submit_registration(organisation, &mut simulator.register(), request);
        ("WSRC0007", job.map_err(|error| Violation(format!("a learner is {error}")))?)
    } else {
        ("WSRC0017", 0)
    };
    submit_response("ns2:SubmitBatchResponse", "xmlns:ns2=\"http://api.lrs.miap.gov.uk/batchmsg\"", submitted)
}

fn submit_verification_batch(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    let organisation = admit(simulator, request, schema::SUBMIT_VERIFICATION_BATCH, Product::Verification)?;
    let submitted = if is_counted(request) {
        ("WSRC0026", simulator.jobs().submit_verification(organisation, &simulator.register(), request))
    } else {
        ("WSRC0030", 0)
    };
    submit_response("ns2:SubmitVerifyBatchResponse", "xmlns:ns2=\"http://api.lrs.miap.gov.uk/vldmsg\"", submitted)
}

fn submit_response(element: &'static str, namespace: &'static str, (code, job): (&str, i64)) -> Result<String, Refusal> {
    envelope(element, namespace, &SubmitBatchResponse { response_code: Some(LrsCode::new(code)), job_id: Some(job) })
}

fn registration_batch(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    let organisation = admit(simulator, request, schema::GET_BATCH, Product::RegistrationBatches)?;
    let output = simulator.jobs().registration(organisation, job_of(request));
    envelope("ns2:GetSubmitBatchOutputResponse", "xmlns:ns2=\"http://api.lrs.miap.gov.uk/batchmsg\"", &output)
}

fn verification_batch(simulator: &Simulator, request: &Element) -> Result<String, Refusal> {
    let organisation = admit(simulator, request, schema::GET_BATCH, Product::Verification)?;
    let output = simulator.jobs().verification(organisation, job_of(request));
    envelope("ns2:GetVerifyBatchOutputResponse", "xmlns:ns2=\"http://api.lrs.miap.gov.uk/vldmsg\"", &output)
}

fn job_of(request: &Element) -> i64 {
    request.text_of("JobID").trim().parse().unwrap_or(0)
}
