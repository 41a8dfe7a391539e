//! The records of batches, as callers give them (FACTS 2.2, 2.7, 2.11).

use crate::domain::{
    AbilityToShare, AddressLine, BoundedText, Date, EmailAddress, Extensible, Gender, Name, Nationality, Notes, OptionalName,
    OtherVerificationDescription, Personal, Postcode, SchoolName, ScottishCandidateNumber, Uln, VerificationType,
};
use crate::schema::{answer, kept_request};

/// The caller's own name for a record, which LRS gives back: up to 128 characters.
pub type MisIdentifier = BoundedText<0, 128>;

kept_request! {
    /// A learner of a registration batch. LRS needs the names; what else it misses it says for each learner (`RC006`).
    #[derive(Debug, Clone)]
    pub struct BatchLearner {
        /// The learner's ULN, if it is known.
        pub uln: Option<Uln>,
        /// Your own name for this record; it comes back with the result.
        pub mis_identifier: Option<MisIdentifier>,
        /// Title, free text.
        pub title: Option<OptionalName>,
        /// Given name.
        pub given_name: Name,
        /// The given name the learner prefers.
        pub preferred_given_name: Option<OptionalName>,
        /// Middle or other names.
        pub middle_other_name: Option<OptionalName>,
        /// Family name.
        pub family_name: Name,
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
        pub last_known_post_code: Option<Postcode>,
        /// Day the address was recorded.
        pub date_of_address_capture: Option<Date>,
        /// Date of birth.
        pub date_of_birth: Option<Date>,
        /// Place of birth.
        pub place_of_birth: Option<OptionalName>,
        /// E-mail address.
        pub email_address: Option<EmailAddress>,
        /// Gender.
        pub gender: Option<Gender>,
        /// Nationality, up to three characters; LRS's list is not public.
        pub nationality: Option<Nationality>,
        /// Scottish Candidate Number.
        pub scottish_candidate_number: Option<ScottishCandidateNumber>,
        /// Whether the learner shares the learning record.
        pub ability_to_share: Option<AbilityToShare>,
        /// What proved the learner's identity.
        pub verification_type: Option<VerificationType>,
        /// What it was, when `verificationType` is `OTHER`.
        pub other_verification_description: Option<OtherVerificationDescription>,
        /// Notes, up to 4,000 characters.
        pub notes: Option<Notes>,
    }
}

kept_request! {
    /// A learner of a verification batch.
    #[derive(Debug, Clone)]
    pub struct BatchLearnerToVerify {
        /// Your own name for this record; it comes back with the result.
        pub mis_identifier: Option<MisIdentifier>,
        /// ULN.
        pub uln: Uln,
        /// Given name.
        pub given_name: Name,
        /// Family name.
        pub family_name: Name,
        /// Date of birth, compared only if given.
        pub date_of_birth: Option<Date>,
        /// Gender, compared only if given.
        pub gender: Option<Gender>,
    }
}

answer! {
    /// A learner of a registration batch as LRS gives it back: as it was sent, with the ULN if there is one now.
    #[derive(Debug, Clone, PartialEq)]
    pub struct BatchLearnerResult {
        /// The learner's ULN.
        pub uln: Option<Extensible<Uln>>,
        /// Your own name for the record.
        pub mis_identifier: Option<Personal<String>>,
        /// Title.
        pub title: Option<Personal<String>>,
        /// Given name.
        pub given_name: Option<Personal<String>>,
        /// The given name the learner prefers.
        pub preferred_given_name: Option<Personal<String>>,
        /// Middle or other names.
        pub middle_other_name: Option<Personal<String>>,
        /// Family name.
        pub family_name: Option<Personal<String>>,
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
        /// E-mail address.
        pub email_address: Option<Personal<String>>,
        /// Gender.
        pub gender: Option<Extensible<Gender>>,
        /// Nationality.
        pub nationality: Option<Personal<String>>,
        /// Scottish Candidate Number.
        pub scottish_candidate_number: Option<Personal<String>>,
        /// Whether the learner shares the learning record.
        pub ability_to_share: Option<Extensible<AbilityToShare>>,
        /// What proved the learner's identity.
        pub verification_type: Option<Extensible<VerificationType>>,
        /// What it was, when `verificationType` is `OTHER`.
        pub other_verification_description: Option<Personal<String>>,
        /// Notes.
        pub notes: Option<Personal<String>>,
        /// LRS's code for this learner: `RC006`, not enough data; `RC011`, wrong format. Others are not public.
        pub return_code: Option<String>,
    }
}
