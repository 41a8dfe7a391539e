//! A learner's record as LRS sent it, and its amendment.

use crate::domain::absent_fields::ABOUT_THE_RECORD;
use crate::domain::{DetailTexts, Learner, LearnerAmendment, LearnerDetails};
use crate::schema::FieldError;
use crate::xml::{Element, XmlError, XmlRecord as _};

/// The details without which LRS accepts no update (LRS-CONTRACT 2.3).
const REQUIRED: [&str; 7] = ["GivenName", "FamilyName", "LastKnownPostCode", "DateOfBirth", "Gender", "VerificationType", "AbilityToShare"];
/// LRS's code of the verification type that needs a description.
const OTHER: &str = "999";
/// The description: LRS's element, and the field.
const DESCRIPTION: (&str, &str) = ("OtherVerificationDescription", "otherVerificationDescription");
const UNREADABLE: &str =
    "the register's value has content that cannot be written back: give a new value here, or name the field in clear if it is optional";

/// A learner's record: as callers read it, and as LRS sent it.
#[derive(Debug, Clone)]
pub struct RegisterRecord {
    /// The record as callers read it.
    pub learner: Learner,
    details: DetailTexts,
}

impl RegisterRecord {
    /// Reads the element of a record. If the document had characters that could not be read, so may have each text with U+FFFD.
    ///
    /// # Errors
    /// Returns an error if a required element is missing or invalid, or an element is repeated.
    pub fn from_element(element: &Element, has_replaced_characters: bool) -> Result<Self, XmlError> {
        let (learner, mut details) = (element.to_record::<Learner>()?, element.to_record::<DetailTexts>()?);
        details.remove_empty();
        if has_replaced_characters {
            details.mark_replaced_characters();
        }
        Ok(Self { learner, details })
    }

    /// Returns the details, as they are written.
    pub const fn details(&self) -> &DetailTexts {
        &self.details
    }

    /// Returns `true` if the record has all values of an amendment already.
    pub fn holds(&self, amendment: &LearnerAmendment) -> bool {
        amendment.new_texts().iter().all(|(position, text)| self.details.holds(*position, text))
    }

    /// Returns the JSON names of the fields of an amendment whose values another update has changed since `earlier`, to others than the amendment
    /// has.
    pub fn conflicts(&self, earlier: &Self, amendment: &LearnerAmendment) -> Vec<&'static str> {
        let new_texts = amendment.new_texts();
        let conflicting = new_texts
            .iter()
            .filter(|(position, text)| self.details.differs(*position, &earlier.details) && !self.details.holds(*position, text));
        conflicting.map(|(position, _)| LearnerDetails::FIELDS[*position].1).collect()
    }

    /// Returns the record with the values of an amendment.
    ///
    /// # Errors
    /// Returns the errors of the new record: a detail that LRS requires is missing, or a detail that stays cannot be written back.
    pub fn amended(&self, amendment: &LearnerAmendment) -> Result<Self, Vec<FieldError>> {
        let mut details = self.details.clone();
        for (position, text) in amendment.new_texts() {
            details.change(position, text);
        }
        let errors = errors_of(&details);
        if !errors.is_empty() {
            return Err(errors);
        }
        // Texts that were read can be written and read again.
        let learner = self.learner_with(&details).map_err(|_| vec![error("", "unreadable", UNREADABLE)])?;
        Ok(Self { learner, details })
    }

    /// Returns the JSON names of the details that have no value, except those that say nothing about the learner.
    pub fn absent_fields(&self) -> Vec<&'static str> {
        let absent = LearnerDetails::FIELDS.iter().filter(|(element, _)| is_blank(&self.details, element));
        absent.map(|(_, field)| *field).filter(|field| !ABOUT_THE_RECORD.contains(field)).collect()
    }

    /// Returns the record as callers read it, with these details. LRS does not return the new version and date.
    fn learner_with(&self, details: &DetailTexts) -> Result<Learner, XmlError> {
        let current = self.learner.clone();
        let written = Learner::read_written(|writer| {
            writer.element("Learner", "", |writer| {
                writer.value("ULN", &current.uln);
                details.write(writer);
            });
        })?;
        Ok(Learner {
            created_date: current.created_date,
            master_substituted: current.master_substituted,
            tier_level: current.tier_level,
            learner_status: current.learner_status,
            linked_ulns: current.linked_ulns,
            ..written
        })
    }
}

/// Returns the errors of details that are to be written.
fn errors_of(details: &DetailTexts) -> Vec<FieldError> {
    let mut errors: Vec<_> =
        details.unreadable().iter().map(|position| error(LearnerDetails::FIELDS[*position].1, "unreadable", UNREADABLE)).collect();
    let missing = LearnerDetails::FIELDS.iter().filter(|(element, _)| REQUIRED.contains(element) && is_blank(details, element));
    let missing =
        missing.map(|(_, field)| error(field, "required", "is required: the register has no value, and LRS requires one in an update"));
    let is_undescribed = details.text_of("VerificationType") == OTHER && is_blank(details, DESCRIPTION.0);
    let undescribed = is_undescribed.then(|| error(DESCRIPTION.1, "required", "is required if verificationType is OTHER"));
    for error in missing.chain(undescribed) {
        if errors.iter().all(|other| other.pointer != error.pointer) {
            errors.push(error);
        }
    }
    errors
}

fn is_blank(details: &DetailTexts, element: &str) -> bool {
    details.text_of(element).trim().is_empty()
}

fn error(field: &str, code: &'static str, detail: &'static str) -> FieldError {
    FieldError::new(format!("/changes/{field}"), code, detail)
}
