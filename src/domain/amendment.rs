//! Amendments: changes of some fields of a learner's record.

// Among them are the types of the shared fields.
use crate::domain::{
    AbilityToShare, AddressLine, BoundedText, Changed, Date, DetailTexts, EXAMPLE_LEARNER, EmailAddress, Gender, LearnerDetails, Name,
    Nationality, Notes, OptionalName, Postcode, SchoolName, ScottishCandidateNumber, Uln, VerificationType,
};
use crate::schema::deserialize::DeserializeContext;
use crate::schema::{CodeList, InvalidValue, List, Request, fields_of};
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
    pub clear: Option<List<ClearableField, 0, CLEARABLE_FIELD_COUNT>>,
}

/// New values of fields of a learner's record. A field that is absent does not change. To empty a field, name it in `clear`.
#[fields_of(crate::domain::LearnerDetails, each(Option<Changed<_>>))]
#[derive(Debug, Clone, Request, XmlRecord)]
#[request(examples = EXAMPLE_LEARNER)]
pub struct LearnerChanges {
    /// Description of the proof, up to 255 characters. Required if `verificationType` is `OTHER`.
    pub other_verification_description: Option<BoundedText<1, 255>>,
}

/// A field of a learner's record that can be empty.
#[fields_of(crate::domain::LearnerDetails, without_limits)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, CodeList)]
#[code_list(request)]
pub enum ClearableField {
    /// Description of the proof. Required if `verificationType` is `OTHER`.
    OtherVerificationDescription,
}

/// The number of fields that can be empty.
const CLEARABLE_FIELD_COUNT: usize = ClearableField::ALL.len();

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
    clear: Option<&Option<List<ClearableField, 0, CLEARABLE_FIELD_COUNT>>>,
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

    // A field of its own can be at another place or have another name.
    #[test]
    fn changes_have_the_elements_of_the_details() {
        assert_eq!(LearnerChanges::FIELDS, LearnerDetails::FIELDS);
    }
}
