//! The learners of registration and verification batches (LRS-CONTRACT 2.3, 2.10, 2.12).

use crate::domain::{
    AbilityToShare, AddressLine, BoundedText, Date, EXAMPLE_LEARNER, EmailAddress, Extensible, Gender, Name, Nationality, Notes,
    OptionalName, OtherVerificationDescription, Personal, Postcode, SchoolName, ScottishCandidateNumber, Uln, VerificationType,
};
use crate::schema::deserialize::DeserializeContext;
use crate::schema::{Answer, Hint, Request};
use crate::xml::XmlRecord;

/// The caller's own identifier of a record, which LRS repeats in the result: up to 128 characters.
pub type MisIdentifier = BoundedText<0, 128, true>;

/// A learner of a registration batch. LRS requires the names. If it requires more data, the learner's result has the code `RC006`.
#[derive(Debug, Clone, Request, XmlRecord)]
#[request(examples = EXAMPLE_LEARNER, validate = warn_about_uln(uln), identified_by = mis_identifier)]
pub struct BatchLearner {
    /// The learner's ULN, if known.
    pub uln: Option<Uln>,
    /// Your own identifier of this record. The result repeats it.
    pub mis_identifier: Option<MisIdentifier>,
    /// Title, free text.
    pub title: Option<OptionalName>,
    /// Given name.
    pub given_name: Name,
    /// Given name that the learner prefers.
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
    /// First line of the last known address, up to 50 characters.
    pub last_known_address_line1: Option<AddressLine>,
    /// Second line of the last known address, up to 50 characters.
    pub last_known_address_line2: Option<AddressLine>,
    /// Town of the last known address, up to 50 characters.
    pub last_known_address_town: Option<AddressLine>,
    /// County or city of the last known address, up to 50 characters.
    pub last_known_address_county_or_city: Option<AddressLine>,
    /// Postcode of the last known address.
    pub last_known_post_code: Option<Postcode>,
    /// Date when the address was recorded.
    pub date_of_address_capture: Option<Date>,
    /// Date of birth.
    pub date_of_birth: Option<Date>,
    /// Place of birth.
    pub place_of_birth: Option<OptionalName>,
    /// Email address.
    pub email_address: Option<EmailAddress>,
    /// Gender.
    pub gender: Option<Gender>,
    /// Nationality, up to 3 characters. LRS's list of values is not public.
    pub nationality: Option<Nationality>,
    /// Scottish Candidate Number.
    pub scottish_candidate_number: Option<ScottishCandidateNumber>,
    /// Consent to share the learning record.
    pub ability_to_share: Option<AbilityToShare>,
    /// Proof of identity.
    pub verification_type: Option<VerificationType>,
    /// Description of the proof, up to 255 characters, if `verificationType` is `OTHER`.
    pub other_verification_description: Option<OtherVerificationDescription>,
    /// Notes, up to 4,000 characters.
    pub notes: Option<Notes>,
}

/// The fields that LRS requires of a learner who is registered alone, besides the names (LRS-CONTRACT 2.3). A learner of a batch can lack them, and
/// has the code `RC006` then.
pub const NEEDED_FOR_A_ULN: [&str; 5] = ["dateOfBirth", "gender", "lastKnownPostCode", "verificationType", "abilityToShare"];

impl BatchLearner {
    /// Returns, for each of [`NEEDED_FOR_A_ULN`], whether the learner lacks it.
    pub const fn lacks(&self) -> [bool; NEEDED_FOR_A_ULN.len()] {
        [
            self.date_of_birth.is_none(),
            self.gender.is_none(),
            self.last_known_post_code.is_none(),
            self.verification_type.is_none(),
            self.ability_to_share.is_none(),
        ]
    }
}

/// A batch that registers learners may change the record of a learner who has a ULN.
pub const MAY_CHANGE_RECORD: Hint = Hint {
    code: "may_change_record",
    detail: "the learner has a ULN and other details: a batch with the job type FULL may replace the details of the learner's record with these; \
             leave the learner out if the record should not change",
};

/// Warns about a ULN: the record has at least the names beside it. Only a batch that registers learners passes the warning on.
fn warn_about_uln(uln: Option<&Option<Uln>>, context: &mut DeserializeContext) {
    if uln.is_some_and(Option::is_some) {
        context.add_warning_at("uln", &MAY_CHANGE_RECORD);
    }
}

/// A learner of a verification batch.
#[derive(Debug, Clone, Request, XmlRecord)]
#[request(examples = EXAMPLE_LEARNER, identified_by = mis_identifier)]
#[xml(order(mis_identifier, uln, family_name, given_name, date_of_birth, gender))]
pub struct BatchLearnerToVerify {
    /// Your own identifier of this record. The result repeats it.
    pub mis_identifier: Option<MisIdentifier>,
    /// The learner's ULN.
    pub uln: Uln,
    /// The learner's given name.
    pub given_name: Name,
    /// The learner's family name.
    pub family_name: Name,
    /// The learner's date of birth. Compared only if given.
    #[xml(nil)]
    pub date_of_birth: Option<Date>,
    /// The learner's gender. Compared only if given.
    #[xml(nil)]
    pub gender: Option<Gender>,
}

/// LRS's result for a learner of a registration batch: the details that were sent, and the ULN if there is one now.
#[derive(Debug, Clone, PartialEq, Answer, XmlRecord)]
#[answer(examples = EXAMPLE_LEARNER)]
#[xml(tolerant)]
pub struct BatchLearnerResult {
    /// The learner's ULN.
    // A lost ULN would look like a learner without one, whom a caller registers again.
    #[xml(strict)]
    pub uln: Option<Extensible<Uln>>,
    /// Your own identifier of the record.
    pub mis_identifier: Option<Personal<String>>,
    /// Title, free text.
    pub title: Option<Personal<String>>,
    /// Given name.
    pub given_name: Option<Personal<String>>,
    /// Given name that the learner prefers.
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
    /// First line of the last known address.
    pub last_known_address_line1: Option<Personal<String>>,
    /// Second line of the last known address.
    pub last_known_address_line2: Option<Personal<String>>,
    /// Town of the last known address.
    pub last_known_address_town: Option<Personal<String>>,
    /// County or city of the last known address.
    pub last_known_address_county_or_city: Option<Personal<String>>,
    /// Postcode of the last known address.
    pub last_known_post_code: Option<Personal<String>>,
    /// Date when the address was recorded.
    pub date_of_address_capture: Option<Extensible<Date>>,
    /// Date of birth.
    pub date_of_birth: Option<Extensible<Date>>,
    /// Place of birth.
    pub place_of_birth: Option<Personal<String>>,
    /// Email address.
    pub email_address: Option<Personal<String>>,
    /// Gender.
    pub gender: Option<Extensible<Gender>>,
    /// Nationality.
    pub nationality: Option<Personal<String>>,
    /// Scottish Candidate Number.
    pub scottish_candidate_number: Option<Personal<String>>,
    /// Consent to share the learning record.
    pub ability_to_share: Option<Extensible<AbilityToShare>>,
    /// Proof of identity.
    pub verification_type: Option<Extensible<VerificationType>>,
    /// Description of the proof, if `verificationType` is `OTHER`.
    pub other_verification_description: Option<Personal<String>>,
    /// Notes.
    pub notes: Option<Personal<String>>,
    /// LRS's code for this learner. `RC006` to `RC013` are exceptions, such as `RC006` (insufficient data) and `RC011` (invalid format). Other
    /// codes are not public.
    // Without its code, a result that a person must process would look like a learner's ULN.
    #[xml(strict)]
    #[answer(example = "RC006")]
    pub return_code: Option<String>,
}
