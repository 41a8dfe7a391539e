//! Learners: as LRS holds them, and as they are registered and updated (FACTS 2.2).

use crate::domain::{
    AbilityToShare, AddressLine, BoundedText, Date, EmailAddress, Extensible, Gender, Name, Nationality, Notes, OptionalName, Personal,
    Postcode, SchoolName, ScottishCandidateNumber, Uln, VerificationType,
};
use crate::schema::deserialize::DeserializeContext;
use crate::schema::{InvalidValue, answer, kept_request, request};

answer! {
    /// A learner as the register holds it. What LRS leaves out or sends empty is absent here.
    ///
    /// Dates and enumerations are LRS's: a text outside the documented ones is passed on as it came.
    #[derive(Debug, Clone, PartialEq)]
    pub struct Learner {
        /// Day the record was created.
        pub created_date: Option<Extensible<Date>>,
        /// Day the record last changed.
        pub last_updated_date: Option<Extensible<Date>>,
        /// The learner's ULN. After a merge, the master record's.
        pub uln: Extensible<Uln>,
        /// `Y` when LRS put the master record in place of the linked one that was asked for.
        pub master_substituted: Option<Personal<String>>,
        /// Title, free text.
        pub title: Option<Personal<String>>,
        /// Given name.
        pub given_name: Option<Personal<String>>,
        /// Middle or other names.
        pub middle_other_name: Option<Personal<String>>,
        /// Family name.
        pub family_name: Option<Personal<String>>,
        /// The given name the learner prefers.
        pub preferred_given_name: Option<Personal<String>>,
        /// Family name before it changed.
        pub previous_family_name: Option<Personal<String>>,
        /// Family name at the age of 16.
        pub family_name_at_age16: Option<Personal<String>>,
        /// School at the age of 16.
        pub school_at_age16: Option<Personal<String>>,
        /// Address, first line.
        pub last_known_address_line1: Option<Personal<String>>,
        /// Address, second line.
        pub last_known_address_line2: Option<Personal<String>>,
        /// Town of the address.
        pub last_known_address_town: Option<Personal<String>>,
        /// County or city of the address.
        pub last_known_address_county_or_city: Option<Personal<String>>,
        /// Postcode of the address.
        pub last_known_post_code: Option<Personal<String>>,
        /// Day the address was recorded.
        pub date_of_address_capture: Option<Extensible<Date>>,
        /// Date of birth.
        pub date_of_birth: Option<Extensible<Date>>,
        /// Place of birth.
        pub place_of_birth: Option<Personal<String>>,
        /// Gender.
        pub gender: Option<Extensible<Gender>>,
        /// E-mail address.
        pub email_address: Option<Personal<String>>,
        /// Nationality, up to three characters; LRS's list is not public.
        pub nationality: Option<Personal<String>>,
        /// Scottish Candidate Number, nine digits.
        pub scottish_candidate_number: Option<Personal<String>>,
        /// What proved the learner's identity.
        pub verification_type: Option<Extensible<VerificationType>>,
        /// What it was, when `verificationType` is `OTHER`.
        pub other_verification_description: Option<Personal<String>>,
        /// LRS's tier level, `0` to `2`; its meaning is not public.
        pub tier_level: Option<Personal<String>>,
        /// Whether the learner shares the learning record.
        pub ability_to_share: Option<Extensible<AbilityToShare>>,
        /// LRS's learner status, `0` to `2`; only `1` has been seen.
        pub learner_status: Option<Personal<String>>,
        /// ULNs merged into this record. Keep the master ULN and remember these.
        pub linked_ulns: Vec<Extensible<Uln>>,
        /// Notes.
        pub notes: Option<Personal<String>>,
        /// Version of the record: an update must name the version it was made from.
        pub version_number: i32,
    }
}

impl Learner {
    /// Does the register hold everything that was sent? What it says in other words is not the same.
    pub fn is(&self, sent: &LearnerDetails) -> bool {
        let (Ok(held), Ok(sent)) = (serde_json::to_value(self), serde_json::to_value(sent)) else { return false };
        // An empty text is a way to say “none”, for who sends and for LRS.
        let fields = sent.as_object().into_iter().flatten();
        fields.into_iter().all(|(field, value)| held.get(field).map_or_else(|| *value == "", |held| held == value))
    }
}

/// What it was, when a learner was identified by something else: up to 255 characters.
pub type OtherVerificationDescription = BoundedText<0, 255>;

kept_request! {
    /// A learner to register, or the whole record of one to update. An empty text is a way to say “none”.
    #[derive(Debug, Clone)]
    pub struct LearnerDetails {
        /// Title, free text.
        pub title: Option<OptionalName>,
        /// Given name.
        pub given_name: Name,
        /// Middle or other names.
        pub middle_other_name: Option<OptionalName>,
        /// Family name.
        pub family_name: Name,
        /// The given name the learner prefers.
        pub preferred_given_name: Option<OptionalName>,
        /// Family name before it changed.
        pub previous_family_name: Option<OptionalName>,
        /// Family name at the age of 16.
        pub family_name_at_age16: Option<OptionalName>,
        /// School at the age of 16, up to 254 characters.
        pub school_at_age16: Option<SchoolName>,
        /// Address, first line, up to 50 characters.
        pub last_known_address_line1: Option<AddressLine>,
        /// Address, second line.
        pub last_known_address_line2: Option<AddressLine>,
        /// Town of the address.
        pub last_known_address_town: Option<AddressLine>,
        /// County or city of the address.
        pub last_known_address_county_or_city: Option<AddressLine>,
        /// Postcode of the address.
        pub last_known_post_code: Postcode,
        /// Day the address was recorded.
        pub date_of_address_capture: Option<Date>,
        /// Date of birth. Whether the learner is old enough is for LRS to say.
        pub date_of_birth: Date,
        /// Place of birth.
        pub place_of_birth: Option<OptionalName>,
        /// Gender.
        pub gender: Gender,
        /// E-mail address.
        pub email_address: Option<EmailAddress>,
        /// Nationality, up to three characters; LRS's list is not public.
        pub nationality: Option<Nationality>,
        /// Scottish Candidate Number.
        pub scottish_candidate_number: Option<ScottishCandidateNumber>,
        /// What proved the learner's identity.
        pub verification_type: VerificationType,
        /// What it was: required when `verificationType` is `OTHER`.
        pub other_verification_description: Option<OtherVerificationDescription>,
        /// Whether the learner shares the learning record.
        pub ability_to_share: AbilityToShare,
        /// Notes, up to 4,000 characters.
        pub notes: Option<Notes>,
    }
    also (verification_type, other_verification_description) => other_is_described
}

/// `OTHER` says nothing without a description.
fn other_is_described(
    kind: Option<&VerificationType>,
    description: Option<&Option<OtherVerificationDescription>>,
    reading: &mut DeserializeContext,
) {
    let Some(description) = description else { return }; // wrong in itself, and said so
    let described = description.as_ref().is_some_and(|text| !text.as_str().trim().is_empty());
    if kind == Some(&VerificationType::Other) && !described {
        let missing = InvalidValue::new("required", "is required when verificationType is OTHER");
        reading.at("otherVerificationDescription", |reading| reading.note(missing));
    }
}

request! {
    /// A learner to register.
    #[derive(Debug, Clone)]
    pub struct RegisterLearner {
        /// The learner.
        pub learner: LearnerDetails,
    }
}

request! {
    /// A learner's whole new record.
    #[derive(Debug, Clone)]
    pub struct UpdateLearner {
        /// Whose record it is.
        pub uln: Uln,
        /// `versionNumber` of the record that the changes were made to, as last read.
        pub version_number: i32,
        /// The record as it shall be: every field, not only those that change.
        pub learner: LearnerDetails,
    }
}
