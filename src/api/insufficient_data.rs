//! The problem `insufficient_data` (`WSRC0015`): it names the fields that the learner does not have.

use crate::lrs::CallError;
use crate::problem::{Code, Problem};
use crate::schema::FieldError;

/// Converts an error of a call. If LRS wants more data, the problem names the optional fields that are absent: LRS does not publish which of
/// them it needs (LRS-CONTRACT 2.6, 2.7). `parent` is the pointer to the object of the request that can have them.
pub fn problem_with_absent_fields(error: CallError, parent: &str, absent_fields: impl FnOnce() -> Vec<&'static str>) -> Problem {
    let problem = Problem::from(error);
    if problem.code() != Code::InsufficientData {
        return problem;
    }
    let absent = absent_fields();
    let names: Vec<String> = absent.iter().map(|name| format!("`{name}`")).collect();
    let detail = format!(
        "LRS needs more data, and does not publish which. Give as many of these fields as you know, which are absent: {}.",
        names.join(", ")
    );
    let error = |name: &&str| {
        FieldError::new(format!("{parent}/{name}"), "may_be_needed", "is absent, and LRS may need it; give it if you know it")
    };
    if absent.is_empty() { problem } else { problem.detail(detail).with_errors(absent.iter().map(error).collect()) }
}
