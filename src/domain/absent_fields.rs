//! The details that a request lacks.

use serde::Serialize;

use crate::schema::json_object;
use crate::xml::XmlRecord;

/// Details that say nothing about the learner.
pub const ABOUT_THE_RECORD: [&str; 2] = ["otherVerificationDescription", "notes"];

/// Returns the names in JSON of the details that have no value, except those that say nothing about the learner.
pub fn absent_fields<D: XmlRecord + Serialize>(details: &D) -> Vec<&'static str> {
    let Some(sent) = json_object(details) else { return Vec::new() };
    let names = D::FIELDS.iter().map(|(_, name)| *name).filter(|name| !ABOUT_THE_RECORD.contains(name));
    names.filter(|name| sent.get(*name).is_none_or(|value| *value == "")).collect()
}
