//! Operations of the external service: achievement batches (LRS-CONTRACT 2.15, 2.16).

use crate::domain::{AchievementJob, EmailAddress, FromLrs as _, Product, SubmissionType};
use crate::lrs::response_codes::LrsCode;
use crate::lrs::services::external::{
    AchievementBatchResponse, MAX_ACHIEVEMENTS_PER_JOB, SubmitAchievementBatchResponse, SubmitAchievementBatchResult,
};
use crate::lrs::soap::write_envelope;
use crate::schema::Scalar as _;
use crate::simulator::credentials::{CredentialError, Credentials, check_credentials};
use crate::simulator::refusals::log_refusal;
use crate::simulator::schema::{self, Violation, validate};
use crate::simulator::state::Simulator;
use crate::simulator::submitted_achievement::SubmittedAchievement;
use crate::xml::{Element, Wrapped, XmlRecord};

const SERVICES: &str = "http://api.lrs.qcf.gov.uk/services";

/// Response code of an accepted batch. LRS's own code is not public.
const ACCEPTED: &str = "SIM-ACCEPTED";

/// Executes the operation of a request and returns the response.
///
/// # Errors
/// Returns a [`Violation`] if the service's framework cannot read the request.
pub fn execute(simulator: &Simulator, request: &Element) -> Result<String, Violation> {
    match (request.namespace.as_deref().unwrap_or_default(), request.name.as_str()) {
        (SERVICES, "SubmitAchievementBatchJob") => submit_batch(simulator, request),
        (SERVICES, "GetAchievementBatchJob") => get_job(simulator, request),
        (_, name) => Err(Violation::new(name, "the service has no operation with this element")),
    }
}

/// Returns the response that rejects a request with this code. `None`: the request is not one of this service.
pub fn rejection(request: &Element, code: &str) -> Option<String> {
    match (request.namespace.as_deref().unwrap_or_default(), request.name.as_str()) {
        (SERVICES, "SubmitAchievementBatchJob") => submit_response(code, 0),
        (SERVICES, "GetAchievementBatchJob") => job_response(rejected_job(code)),
        _ => None,
    }
}

fn submit_batch(simulator: &Simulator, request: &Element) -> Result<String, Violation> {
    validate(request, schema::SUBMIT_ACHIEVEMENTS)?;
    let unreadable = || Violation::new("Achievement", "a value is not of its type");
    let achievements = request.child("achievements").map_or(&[][..], |list| &list.children);
    let batch = achievements.iter().filter(|achievement| !achievement.nil).map(SubmittedAchievement::read).collect::<Option<Vec<_>>>();
    let (code, job_id) = match create_job(simulator, request, &batch.ok_or_else(unreadable)?) {
        Ok(job_id) => (ACCEPTED, job_id),
        Err((code, element)) => {
            log_refusal(&request.name, code, element);
            (code, 0)
        }
    };
    submit_response(code, job_id).ok_or_else(unreadable)
}

/// The code that rejects a request, and the element at fault.
type Rejection = (&'static str, &'static str);

/// Creates the job of a batch and returns its number, or the rejection of the batch.
fn create_job(simulator: &Simulator, request: &Element, batch: &[SubmittedAchievement]) -> Result<i64, Rejection> {
    let (organisation, user) = admit(simulator, request)?;
    EmailAddress::parse(request.text_of("emailAddress")).map_err(|_| ("WSEC0044", "emailAddress"))?;
    let submission_type = SubmissionType::from_lrs(request.text_of("submissionType")).ok_or(("WSEC0045", "submissionType"))?;
    match batch.len() {
        0 => Err(("WSEC0047", "achievements")),
        1..=MAX_ACHIEVEMENTS_PER_JOB => {
            Ok(simulator.jobs().submit_achievements(organisation, user, &mut simulator.register(), submission_type, batch))
        }
        _ => Err(("WSEC0046", "achievements")),
    }
}

fn get_job(simulator: &Simulator, request: &Element) -> Result<String, Violation> {
    validate(request, schema::GET_ACHIEVEMENTS)?;
    let unreadable = || Violation::new("jobId", "the number is too large");
    let job_id = match request.child("jobId") {
        Some(job_id) => job_id.text.trim().parse::<i32>().map_err(|_| unreadable())?,
        None => 0,
    };
    let job = admit(simulator, request)
        .and_then(|(organisation, _)| simulator.jobs().achievement_job(organisation, job_id.into()).ok_or(("WSRC0018", "jobId")))
        .unwrap_or_else(|(code, element)| {
            log_refusal(&request.name, code, element);
            rejected_job(code)
        });
    job_response(job).ok_or_else(unreadable)
}

/// Checks the credentials of a request. Returns the organisation and the user, or the rejection of the request.
fn admit<'a>(simulator: &'a Simulator, request: &'a Element) -> Result<(&'a str, &'a str), Rejection> {
    let user = request.child("invokingUser").ok_or((CredentialError::UnknownOrganisation.code(), "invokingUser"))?;
    let credentials = Credentials { ukprn: "", organisation_ref: user.text_of("OrganisationRef"), password: user.text_of("OrgPassword") };
    match check_credentials(simulator, &credentials, Product::AchievementBatches) {
        Ok(organisation) => Ok((organisation, user.text_of("UserName"))),
        // This service has its own code for an organisation without the product.
        Err(error @ CredentialError::ProductNotEnabled) => Err(("WSRC0043", error.elements())),
        Err(error) => Err((error.code(), error.elements())),
    }
}

/// Returns a job that has only the code of the rejection.
fn rejected_job(code: &str) -> AchievementJob {
    AchievementJob { response_code: Some(code.to_owned()), job_id: Some(0), ..AchievementJob::default() }
}

fn submit_response(code: &str, job_id: i64) -> Option<String> {
    let result = SubmitAchievementBatchResult { response_code: Some(LrsCode::new(code)), job_id: Some(job_id) };
    envelope("SubmitAchievementBatchJobResponse", &SubmitAchievementBatchResponse { result: Some(Wrapped(result)) })
}

fn job_response(job: AchievementJob) -> Option<String> {
    envelope("GetAchievementBatchJobResponse", &AchievementBatchResponse::new(Some(job)))
}

fn envelope(element: &'static str, response: &impl XmlRecord) -> Option<String> {
    let namespaces = "xmlns=\"http://api.lrs.qcf.gov.uk/services\" xmlns:a=\"http://api.lrs.qcf.gov.uk/model\"";
    write_envelope(|writer| writer.element(element, namespaces, |writer| response.write(writer))).ok()
}
