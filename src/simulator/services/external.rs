//! The operations of the external service: achievement batches (FACTS 2.13).

use crate::domain::{AchievementJob, EmailAddress, FromLrs as _, SubmissionType};
use crate::lrs::codes::LrsCode;
use crate::lrs::services::external::{
    AchievementBatchResponse, MOST_ACHIEVEMENTS, SubmitAchievementBatchResponse, SubmitAchievementBatchResult,
};
use crate::lrs::soap::element::Element;
use crate::lrs::soap::write::XmlWriter;
use crate::lrs::soap::xml_mapping::{Wrapped, XmlRecord};
use crate::organisations::Product;
use crate::schema::Scalar as _;
use crate::simulator::Simulator;
use crate::simulator::achievements::Submitted;
use crate::simulator::endpoints::enter;
use crate::simulator::schema::{self, validate};

const SERVICES: &str = "http://api.lrs.qcf.gov.uk/services";

/// The code of success is not public: this is the simulator's own.
const ACCEPTED: &str = "SIM-ACCEPTED";

/// Does what the request's element says. `None`: it cannot be read, and the framework says so.
pub fn answer(simulator: &Simulator, request: &Element) -> Option<String> {
    match (request.namespace.as_deref().unwrap_or_default(), request.name.as_str()) {
        (SERVICES, "SubmitAchievementBatchJob") => submit(simulator, request),
        (SERVICES, "GetAchievementBatchJob") => get(simulator, request),
        _ => None,
    }
}

/// A refusal with this code, whatever else the request says. `None`: it is not one of this service.
pub fn refused(request: &Element, code: &str) -> Option<String> {
    match (request.namespace.as_deref().unwrap_or_default(), request.name.as_str()) {
        (SERVICES, "SubmitAchievementBatchJob") => submitted(code, 0),
        (SERVICES, "GetAchievementBatchJob") => told(refused_job(code)),
        _ => None,
    }
}

fn envelope(element: &'static str, response: &impl XmlRecord) -> Option<String> {
    let namespaces = "xmlns=\"http://api.lrs.qcf.gov.uk/services\" xmlns:a=\"http://api.lrs.qcf.gov.uk/model\"";
    XmlWriter::envelope(|writer| writer.element(element, namespaces, |writer| response.write(writer))).ok()
}

fn submit(simulator: &Simulator, request: &Element) -> Option<String> {
    validate(request, schema::SUBMIT_ACHIEVEMENTS).ok()?;
    let achievements = request.child("achievements").map_or(&[][..], |list| &list.children);
    let batch = achievements.iter().filter(|achievement| !achievement.nil).map(Submitted::read).collect::<Option<Vec<_>>>()?;
    let (code, job_id) = match take(simulator, request, &batch) {
        Ok(job_id) => (ACCEPTED, job_id),
        Err(code) => (code, 0),
    };
    submitted(code, job_id)
}

fn submitted(code: &str, job_id: i64) -> Option<String> {
    let result = SubmitAchievementBatchResult { response_code: Some(LrsCode::new(code)), job_id: Some(job_id) };
    envelope("SubmitAchievementBatchJobResponse", &SubmitAchievementBatchResponse { result: Some(Wrapped(result)) })
}

/// The job that a batch becomes, or why it becomes none.
fn take(simulator: &Simulator, request: &Element, batch: &[Submitted]) -> Result<i64, &'static str> {
    let (organisation, user) = admit(simulator, request)?;
    EmailAddress::parse(request.text_of("emailAddress")).map_err(|_| "WSEC0044")?;
    let submission = SubmissionType::from_lrs(request.text_of("submissionType")).ok_or("WSEC0045")?;
    match batch.len() {
        0 => Err("WSEC0047"),
        1..=MOST_ACHIEVEMENTS => {
            Ok(simulator.jobs().submit_achievements((organisation, user), &mut simulator.register(), submission, batch))
        }
        _ => Err("WSEC0046"),
    }
}

fn get(simulator: &Simulator, request: &Element) -> Option<String> {
    validate(request, schema::GET_ACHIEVEMENTS).ok()?;
    let job_id = match request.child("jobId") {
        Some(job_id) => job_id.text.trim().parse::<i32>().ok()?,
        None => 0,
    };
    let job = admit(simulator, request)
        .and_then(|(organisation, _)| simulator.jobs().achievements(organisation, job_id.into()).ok_or("WSRC0018"))
        .unwrap_or_else(refused_job);
    told(job)
}

/// In place of a job, why there is none.
fn refused_job(code: &str) -> AchievementJob {
    AchievementJob { response_code: Some(code.to_owned()), job_id: Some(0), ..AchievementJob::default() }
}

fn told(job: AchievementJob) -> Option<String> {
    envelope("GetAchievementBatchJobResponse", &AchievementBatchResponse::new(Some(job)))
}

/// The organisation and the person, if they may; the code of the refusal otherwise.
fn admit<'a>(simulator: &'a Simulator, request: &'a Element) -> Result<(&'a str, &'a str), &'static str> {
    let user = request.child("invokingUser").ok_or("WSEC0003")?;
    let entered = enter(simulator, ["", user.text_of("OrganisationRef")], user.text_of("OrgPassword"), Product::AchievementBatches);
    match entered {
        Ok(organisation) => Ok((organisation, user.text_of("UserName"))),
        // This service has a code of its own for who is not set up for it.
        Err("WSEC0006") => Err("WSRC0043"),
        Err(code) => Err(code),
    }
}
