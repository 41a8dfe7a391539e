//! Learners: as LRS records them, and as callers register them (LRS-CONTRACT 2.3).

use crate::domain::{
    AbilityToShare, AddressLine, BoundedText, Date, EmailAddress, Extensible, Gender, Name, Nationality, Notes, OptionalName, Personal,
    Postcode, Returned, SchoolName, ScottishCandidateNumber, SearchedField, Uln, VerificationType,
};
use crate::schema::{Answer, Request, SharedFields, fields_of};
use crate::xml::XmlRecord;

/// The description of another proof of identity: up to 255 characters.
pub type OtherVerificationDescription = BoundedText<0, 255>;

/// The examples of the OpenAPI document for records of a learner, who is invented. They share them, so that their examples fit together.
pub const EXAMPLE_LEARNER: &[(&str, &str)] = LearnerDetails::EXAMPLES;

/// The details of a learner to register. An empty text means “no value”.
// The other records of a learner have these fields by `#[fields_of]` (docs/ARCHITECTURE.md, “One declaration, several uses”).
#[derive(Debug, Clone, Request, SharedFields, XmlRecord)]
#[request(stored)]
pub struct LearnerDetails {
    /// Title, free text.
    #[request(example = "Ms")]
    pub title: Option<OptionalName>,
    /// Given name.
    #[request(example = "Ana")]
    pub given_name: Name,
    /// Middle or other names.
    #[request(example = "Mair")]
    pub middle_other_name: Option<OptionalName>,
    /// Family name.
    #[request(example = "O'Neill")]
    pub family_name: Name,
    /// Given name that the learner prefers.
    #[request(example = "Annie")]
    pub preferred_given_name: Option<OptionalName>,
    /// Family name before it changed.
    #[request(example = "Rees")]
    pub previous_family_name: Option<OptionalName>,
    /// Family name at the age of 16.
    #[request(example = "Hughes")]
    pub family_name_at_age16: Option<OptionalName>,
    /// School at the age of 16, up to 254 characters.
    #[request(example = "Example Academy")]
    pub school_at_age16: Option<SchoolName>,
    /// First line of the last known address, up to 50 characters.
    #[request(example = "1 Example Street")]
    pub last_known_address_line1: Option<AddressLine>,
    /// Second line of the last known address, up to 50 characters.
    #[request(example = "Sample Quarter")]
    pub last_known_address_line2: Option<AddressLine>,
    /// Town of the last known address, up to 50 characters.
    #[request(example = "Exampleton")]
    pub last_known_address_town: Option<AddressLine>,
    /// County or city of the last known address, up to 50 characters.
    #[request(example = "Exampleshire")]
    pub last_known_address_county_or_city: Option<AddressLine>,
    /// Postcode of the last known address.
    #[request(example = "ZZ99 9ZZ")]
    pub last_known_post_code: Postcode,
    /// Date when the address was recorded.
    #[request(example = "2021-09-06")]
    pub date_of_address_capture: Option<Date>,
    /// Date of birth. LRS decides whether the learner is old enough.
    #[request(example = "2003-04-05")]
    pub date_of_birth: Date,
    /// Place of birth.
    #[request(example = "Sampleford")]
    pub place_of_birth: Option<OptionalName>,
    /// Gender.
    pub gender: Gender,
    /// Email address.
    #[request(example = "ana.oneill@example.org")]
    pub email_address: Option<EmailAddress>,
    /// Nationality, up to 3 characters. LRS's list of values is not public.
    #[request(example = "GBR")]
    pub nationality: Option<Nationality>,
    /// Scottish Candidate Number.
    #[request(example = "012345678")]
    pub scottish_candidate_number: Option<ScottishCandidateNumber>,
    /// Proof of identity.
    pub verification_type: VerificationType,
    /// Description of the proof, up to 255 characters.
    #[request(required_if = verification_type == VerificationType::Other, example = "Student card")]
    pub other_verification_description: Option<OtherVerificationDescription>,
    /// Consent to share the learning record.
    pub ability_to_share: AbilityToShare,
    /// Notes, up to 4,000 characters.
    #[request(example = "Prefers contact by email.")]
    pub notes: Option<Notes>,
}

/// A learner to register.
#[derive(Debug, Clone, Request)]
pub struct LearnerRegistration {
    /// The learner's details.
    pub learner: LearnerDetails,
}

/// A learner's record at LRS. A field is absent if LRS leaves it out or sends it empty.
///
/// An undocumented date or code from LRS is passed on unchanged.
#[fields_of(crate::domain::LearnerDetails, each(Option<Returned<_>>), without_limits)]
#[derive(Debug, Clone, PartialEq, Answer, XmlRecord)]
#[answer(examples = EXAMPLE_LEARNER)]
#[xml(tolerant)]
pub struct Learner {
    /// Date when the record was created.
    #[answer(example = "2019-09-02")]
    pub created_date: Option<Extensible<Date>>,
    /// Date when the record was last changed.
    #[answer(example = "2023-01-16")]
    pub last_updated_date: Option<Extensible<Date>>,
    /// The learner's ULN. If the record was merged, the ULN of the master record.
    pub uln: Extensible<Uln>,
    /// `Y` if the requested record was merged and this is its master record.
    #[answer(example = "Y")]
    pub master_substituted: Option<Personal<String>>,
    /// Date of birth.
    pub date_of_birth: Option<Extensible<Date>>,
    /// Nationality, up to 3 characters. LRS's list of values is not public.
    pub nationality: Option<Personal<String>>,
    /// Scottish Candidate Number, nine digits.
    pub scottish_candidate_number: Option<Personal<String>>,
    /// Description of the proof, if `verificationType` is `OTHER`.
    pub other_verification_description: Option<Personal<String>>,
    /// LRS's tier level, `0` to `2`. Its meaning is not public.
    #[answer(example = "0")]
    #[after(other_verification_description)]
    pub tier_level: Option<Personal<String>>,
    /// LRS's learner status, `0` to `2`. Only `1` has been observed.
    #[answer(example = "1")]
    #[after(ability_to_share)]
    pub learner_status: Option<Personal<String>>,
    /// ULNs that were merged into this record. Store the master ULN and keep these for reference.
    #[xml(items("ULN", "xmlns=\"http://api.lrs.miap.gov.uk/learner\"", "xmlns=\"\""))]
    #[answer(example = ["3000000258"])]
    pub linked_ulns: Vec<Extensible<Uln>>,
    /// Version of the record. An update must state the version that it is based on. Absent only in the answer of `amendLearner`: LRS does not
    /// return the version that it gave to the new record.
    // FindLearnerResponse requires it.
    #[answer(example = 3)]
    #[xml(strict)]
    #[last]
    pub version_number: Option<i32>,
    /// Searched fields whose values differ from those of this record, or that this record lacks. Only candidates of `POSSIBLE_MATCHES` of a
    /// search by demographics have it.
    #[xml(skip)]
    pub differences: Option<Vec<SearchedField>>,
}
