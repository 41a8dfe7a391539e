//! Amendments: changes of some fields of a learner's record.

use crate::domain::{
    AbilityToShare, BoundedText, Date, DetailTexts, EXAMPLE_LEARNER, EmailAddress, Gender, LearnerDetails, Name, Postcode,
    ScottishCandidateNumber, Uln, VerificationType,
};
use crate::schema::deserialize::DeserializeContext;
use crate::schema::{CodeList, InvalidValue, List, Request};
use crate::xml::XmlRecord;

/// A learner whose record changes in some fields. All other fields stay as they are.
#[derive(Debug, Clone, Request)]
#[request(examples = EXAMPLE_LEARNER, validate = require_amendment(changes, clear))]
pub struct LearnerAmendment {
    /// The learner's ULN.
    pub uln: Uln,
    /// The learner's given name as it is in the register now, 1 to 35 characters. LRS compares it with its record.
    pub given_name: Name,
    /// The learner's family name as it is in the register now, 1 to 35 characters. LRS compares it with its record.
    pub family_name: Name,
    /// The fields that change, with their new values. At least one field must be in `changes` or in `clear`.
    pub changes: Option<LearnerChanges>,
    /// The fields to empty. A field cannot be in `changes` too.
    pub clear: Option<List<ClearableField, 0, 17>>,
}

/// New values of fields of a learner's record. A field that is absent does not change. To empty a field, name it in `clear`.
#[derive(Debug, Clone, Request, XmlRecord)]
#[request(examples = EXAMPLE_LEARNER)]
pub struct LearnerChanges {
    /// Title, free text.
    pub title: Option<Name>,
    /// Given name.
    pub given_name: Option<Name>,
    /// Middle or other names.
    pub middle_other_name: Option<Name>,
    /// Family name.
    pub family_name: Option<Name>,
    /// Given name that the learner prefers.
    pub preferred_given_name: Option<Name>,
    /// Family name before it changed.
    pub previous_family_name: Option<Name>,
    /// Family name at the age of 16.
    pub family_name_at_age16: Option<Name>,
    /// School at the age of 16, up to 254 characters.
    pub school_at_age16: Option<BoundedText<1, 254>>,
    /// First line of the last known address, up to 50 characters.
    pub last_known_address_line1: Option<BoundedText<1, 50>>,
    /// Second line of the last known address, up to 50 characters.
    pub last_known_address_line2: Option<BoundedText<1, 50>>,
    /// Town of the last known address, up to 50 characters.
    pub last_known_address_town: Option<BoundedText<1, 50>>,
    /// County or city of the last known address, up to 50 characters.
    pub last_known_address_county_or_city: Option<BoundedText<1, 50>>,
    /// Postcode of the last known address.
    pub last_known_post_code: Option<Postcode>,
    /// Date when the address was recorded.
    pub date_of_address_capture: Option<Date>,
    /// Date of birth. LRS decides whether the learner is old enough.
    pub date_of_birth: Option<Date>,
    /// Place of birth.
    pub place_of_birth: Option<Name>,
    /// Gender.
    pub gender: Option<Gender>,
    /// Email address.
    pub email_address: Option<EmailAddress>,
    /// Nationality, up to 3 characters. LRS's list of values is not public.
    pub nationality: Option<BoundedText<1, 3>>,
    /// Scottish Candidate Number.
    pub scottish_candidate_number: Option<ScottishCandidateNumber>,
    /// Proof of identity.
    pub verification_type: Option<VerificationType>,
    /// Description of the proof, up to 255 characters. Required if `verificationType` is `OTHER`.
    pub other_verification_description: Option<BoundedText<1, 255>>,
    /// Consent to share the learning record.
    pub ability_to_share: Option<AbilityToShare>,
    /// Notes, up to 4,000 characters.
    pub notes: Option<BoundedText<1, 4000>>,
}

/// A field of a learner's record that can be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
#[code_list(request)]
pub enum ClearableField {
    /// Title, free text.
    #[code(word = "title")]
    Title,
    /// Middle or other names.
    #[code(word = "middleOtherName")]
    MiddleOtherName,
    /// Given name that the learner prefers.
    #[code(word = "preferredGivenName")]
    PreferredGivenName,
    /// Family name before it changed.
    #[code(word = "previousFamilyName")]
    PreviousFamilyName,
    /// Family name at the age of 16.
    #[code(word = "familyNameAtAge16")]
    FamilyNameAtAge16,
    /// School at the age of 16.
    #[code(word = "schoolAtAge16")]
    SchoolAtAge16,
    /// First line of the last known address.
    #[code(word = "lastKnownAddressLine1")]
    LastKnownAddressLine1,
    /// Second line of the last known address.
    #[code(word = "lastKnownAddressLine2")]
    LastKnownAddressLine2,
    /// Town of the last known address.
    #[code(word = "lastKnownAddressTown")]
    LastKnownAddressTown,
    /// County or city of the last known address.
    #[code(word = "lastKnownAddressCountyOrCity")]
    LastKnownAddressCountyOrCity,
    /// Date when the address was recorded.
    #[code(word = "dateOfAddressCapture")]
    DateOfAddressCapture,
    /// Place of birth.
    #[code(word = "placeOfBirth")]
    PlaceOfBirth,
    /// Email address.
    #[code(word = "emailAddress")]
    EmailAddress,
    /// Nationality. LRS's list of values is not public.
    #[code(word = "nationality")]
    Nationality,
    /// Scottish Candidate Number.
    #[code(word = "scottishCandidateNumber")]
    ScottishCandidateNumber,
    /// Description of the proof. Required if `verificationType` is `OTHER`.
    #[code(word = "otherVerificationDescription")]
    OtherVerificationDescription,
    /// Notes.
    #[code(word = "notes")]
    Notes,
}

impl ClearableField {
    /// Returns the field's position among the details of a learner.
    fn position(self) -> Option<usize> {
        LearnerDetails::FIELDS.iter().position(|(_, field)| *field == self.word())
    }
}

impl LearnerAmendment {
    /// Returns the new texts of the fields that change, by their positions among the details of a learner. An empty text clears the field.
    pub fn new_texts(&self) -> Vec<(usize, String)> {
        let cleared = self.clear.iter().flat_map(List::items).filter_map(|field| Some((field.position()?, String::new())));
        let mut texts: Vec<_> = self.changes.iter().flat_map(changed_texts).chain(cleared).collect();
        texts.sort_unstable();
        texts.dedup();
        texts
    }
}

/// Returns the texts of the fields that have new values, as LRS writes them.
fn changed_texts(changes: &LearnerChanges) -> Vec<(usize, String)> {
    // A change that was parsed can be written and read.
    let texts = DetailTexts::read_written(|writer| writer.element("Learner", "", |writer| changes.write(writer)));
    texts.map(|texts| texts.present().map(|(position, text)| (position, text.to_owned())).collect()).unwrap_or_default()
}

/// Requires at least one field, a text in each field that changes, and no field that is both changed and cleared.
fn require_amendment(
    changes: Option<&Option<LearnerChanges>>,
    clear: Option<&Option<List<ClearableField, 0, 17>>>,
    context: &mut DeserializeContext,
) {
    let (Some(changes), Some(clear)) = (changes, clear) else { return }; // invalid, which is already recorded
    let new_texts = changes.as_ref().map(changed_texts).unwrap_or_default();
    let cleared = clear.as_ref().map(List::items).unwrap_or_default();
    let name_of = |position: usize| LearnerDetails::FIELDS[position].1;
    if new_texts.is_empty() && cleared.is_empty() {
        context.add_error_at("changes", InvalidValue::new("required", "is required with at least one field if clear names no field"));
    }
    for (position, _) in new_texts.iter().filter(|(_, text)| text.trim().is_empty()) {
        let blank = InvalidValue::new("blank", "must not be empty or only white space: to empty the field, name it in clear");
        context.descend("changes", |context| context.add_error_at(name_of(*position), blank));
    }
    for (index, field) in cleared.iter().enumerate() {
        if new_texts.iter().any(|(position, _)| name_of(*position) == field.word()) {
            let contradictory =
                InvalidValue::new("contradictory", "must not name a field that changes has too: remove it from one of the two");
            context.descend("clear", |context| context.add_error_at(index, contradictory));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clearable_fields_are_the_optional_details() {
        let names = ["givenName", "familyName", "lastKnownPostCode", "dateOfBirth", "gender", "verificationType", "abilityToShare"];
        let optional = LearnerDetails::FIELDS.iter().map(|(_, field)| *field).filter(|field| !names.contains(field));
        assert_eq!(ClearableField::TABLE.words().collect::<Vec<_>>(), optional.collect::<Vec<_>>());
    }

    #[test]
    fn changes_have_the_elements_of_the_details() {
        assert_eq!(LearnerChanges::FIELDS, LearnerDetails::FIELDS);
    }
}
