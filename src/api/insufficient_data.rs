//! The problem `insufficient_data` (`WSRC0015`): it names the fields that the request did not have.

use serde::Serialize;

use crate::lrs::CallError;
use crate::problem::{Code, Problem};
use crate::schema::{FieldError, json_object};
use crate::xml::XmlRecord;

/// Converts an error of a call that sent these details. If LRS wants more data, the problem names the optional fields that are absent: LRS does not
/// publish which of them it needs (LRS-CONTRACT 2.6, 2.7).
pub fn problem_with_absent_fields<D: XmlRecord + Serialize>(error: CallError, details: &D) -> Problem {
    let problem = Problem::from(error);
    if problem.code() != Code::InsufficientData {
        return problem;
    }
    let absent = absent_fields(details);
    let names: Vec<String> = absent.iter().map(|name| format!("`{name}`")).collect();
    let detail = format!(
        "LRS needs more data than the request has, and does not publish which. Give as many of these fields as you know, which the request does not \
         have: {}.",
        names.join(", ")
    );
    let error = |name: &&str| {
        FieldError::new(format!("/learner/{name}"), "may_be_needed", "is absent, and LRS may need it; give it if you know it")
    };
    if absent.is_empty() { problem } else { problem.detail(detail).with_errors(absent.iter().map(error).collect()) }
}

/// Returns the names in JSON of the details that have no value, except those that say nothing about the learner.
fn absent_fields<D: XmlRecord + Serialize>(details: &D) -> Vec<&'static str> {
    const ABOUT_THE_RECORD: [&str; 2] = ["otherVerificationDescription", "notes"];
    let Some(sent) = json_object(details) else { return Vec::new() };
    let names = D::FIELDS.iter().map(|(_, name)| *name).filter(|name| !ABOUT_THE_RECORD.contains(name));
    names.filter(|name| sent.get(*name).is_none_or(|value| *value == "")).collect()
}
