//! Updates: a learner's complete new record (LRS-CONTRACT 2.7).

// Among them are the types of the shared fields.
use crate::domain::{
    AbilityToShare, AddressLine, BoundedText, Date, EXAMPLE_LEARNER, EmailAddress, Gender, Learner, Name, Nationality, Notes, OptionalName,
    OtherVerificationDescription, Postcode, SchoolName, ScottishCandidateNumber, Uln, VerificationType,
};
use crate::schema::deserialize::DeserializeContext;
use crate::schema::{InvalidValue, List, Request, fields_of, json_object};
use crate::xml::XmlRecord;

/// A value of a found record that LRS maintains, with any text.
pub type ReadOnlyText = BoundedText<0, 4000, true>;

/// A learner to update.
#[derive(Debug, Clone, Request)]
#[request(validate = require_same_record(uln, version_number, learner))]
pub struct LearnerUpdate {
    /// The learner's ULN.
    pub uln: Uln,
    /// `versionNumber` of the record that the update is based on, as last read.
    #[request(example = 3)]
    pub version_number: i32,
    /// The complete new record: all fields, not only those that change.
    pub learner: UpdatedLearner,
}

/// The complete new record of a learner. An empty text means “no value”.
///
/// A found record can be sent as it is, if its coded values and dates are documented ones. The fields that LRS maintains are not sent to LRS.
#[fields_of(crate::domain::LearnerDetails)]
#[derive(Debug, Clone, Request, XmlRecord)]
#[request(examples = EXAMPLE_LEARNER, stored)]
pub struct UpdatedLearner {
    /// Read-only: accepted, and not sent to LRS.
    #[request(example = "2019-09-02")]
    #[xml(skip)]
    pub created_date: Option<ReadOnlyText>,
    /// Read-only: accepted, and not sent to LRS.
    #[request(example = "2023-01-16")]
    #[xml(skip)]
    pub last_updated_date: Option<ReadOnlyText>,
    /// Read-only: must be the `uln` of the update if it is present.
    #[request(example = "3000000126")]
    #[xml(skip)]
    pub uln: Option<ReadOnlyText>,
    /// Read-only: accepted, and not sent to LRS.
    #[request(example = "Y")]
    #[xml(skip)]
    pub master_substituted: Option<ReadOnlyText>,
    /// Read-only: accepted, and not sent to LRS.
    #[request(example = "0")]
    #[xml(skip)]
    #[after(other_verification_description)]
    pub tier_level: Option<ReadOnlyText>,
    /// Read-only: accepted, and not sent to LRS.
    #[request(example = "1")]
    #[xml(skip)]
    #[after(ability_to_share)]
    pub learner_status: Option<ReadOnlyText>,
    /// Read-only: accepted, and not sent to LRS.
    #[request(example = ["3000000258"])]
    #[xml(skip)]
    pub linked_ulns: Option<List<ReadOnlyText, 0, 1000>>,
    /// Read-only: must be the `versionNumber` of the update if it is present.
    #[request(example = 3)]
    #[xml(skip)]
    #[last]
    pub version_number: Option<i32>,
    /// Read-only: accepted, and not sent to LRS.
    #[request(example = ["lastKnownPostCode"])]
    #[xml(skip)]
    pub differences: Option<List<ReadOnlyText, 0, 100>>,
}

impl UpdatedLearner {
    /// Returns `true` if a found record holds all details of this one, in the same spelling.
    pub fn is_held_by(&self, found: &Learner) -> bool {
        let (Some(held), Some(sent)) = (json_object(found), json_object(self)) else { return false };
        let mut sent = Self::FIELDS.iter().filter_map(|(_, field)| Some((*field, sent.get(*field)?)));
        // Callers and LRS write “no value” as an empty text or leave the field out.
        sent.all(|(field, value)| held.get(field).map_or_else(|| *value == "", |held| held == value))
    }
}

/// Rejects a record that has another ULN or version than the update.
fn require_same_record(
    uln: Option<&Uln>,
    version_number: Option<&i32>,
    learner: Option<&UpdatedLearner>,
    context: &mut DeserializeContext,
) {
    let Some(learner) = learner else { return };
    let mut reject = |field, detail| {
        context.descend("learner", |context| context.add_error_at(field, InvalidValue::new("contradictory", detail)));
    };
    if let (Some(uln), Some(of_record)) = (uln, &learner.uln)
        && uln.as_str() != of_record.as_str().trim()
    {
        reject("uln", "must be the uln beside learner, or be left out: this is another learner's record");
    }
    if let (Some(version_number), Some(of_record)) = (version_number, learner.version_number)
        && *version_number != of_record
    {
        reject("versionNumber", "must be the versionNumber beside learner, or be left out: this is another version of the record");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::LearnerDetails;

    // A field of its own can be at another place, or lack `#[xml(skip)]`.
    #[test]
    fn updated_learner_has_the_elements_of_the_details() {
        assert_eq!(UpdatedLearner::FIELDS, LearnerDetails::FIELDS);
    }
}
