//! The learners of registration and verification batches (LRS-CONTRACT 2.3, 2.10, 2.12).

// Among them are the types of the shared fields.
use crate::domain::{
    AbilityToShare, AddressLine, BoundedText, Date, EXAMPLE_LEARNER, EmailAddress, Extensible, Gender, Name, Nationality, Notes,
    OptionalName, OtherVerificationDescription, Personal, Postcode, Returned, SchoolName, ScottishCandidateNumber, Uln, VerificationType,
};
use crate::schema::deserialize::DeserializeContext;
use crate::schema::{Answer, Hint, Request, SharedFields, fields_of};
use crate::xml::XmlRecord;

/// The caller's own identifier of a record, which LRS repeats in the result: up to 128 characters.
pub type MisIdentifier = BoundedText<0, 128, true>;

/// A learner of a registration batch. LRS requires the names. If it requires more data, the learner's result has the code `RC006`.
#[fields_of(crate::domain::LearnerDetails, each(Option<_>))]
#[derive(Debug, Clone, Request, SharedFields, XmlRecord)]
#[request(examples = EXAMPLE_LEARNER, validate = warn_about_uln(uln), identified_by = mis_identifier)]
pub struct BatchLearner {
    /// The learner's ULN, if known.
    pub uln: Option<Uln>,
    /// Your own identifier of this record. The result repeats it.
    #[request(example = "STU-17")]
    pub mis_identifier: Option<MisIdentifier>,
    /// Given name.
    pub given_name: Name,
    /// Given name that the learner prefers.
    #[after(given_name)]
    pub preferred_given_name: Option<OptionalName>,
    /// Family name.
    pub family_name: Name,
    /// Date of birth.
    pub date_of_birth: Option<Date>,
    /// Email address.
    #[after(place_of_birth)]
    pub email_address: Option<EmailAddress>,
    /// Consent to share the learning record.
    #[after(scottish_candidate_number)]
    pub ability_to_share: Option<AbilityToShare>,
    /// Description of the proof, up to 255 characters, if `verificationType` is `OTHER`.
    pub other_verification_description: Option<OtherVerificationDescription>,
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
    #[request(example = "STU-17")]
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
#[fields_of(crate::domain::BatchLearner, each(Option<Returned<_>>), without_limits)]
#[derive(Debug, Clone, PartialEq, Answer, XmlRecord)]
#[answer(examples = EXAMPLE_LEARNER)]
#[xml(tolerant)]
pub struct BatchLearnerResult {
    /// The learner's ULN.
    // A lost ULN would look like a learner without one, whom a caller registers again.
    #[xml(strict)]
    pub uln: Option<Extensible<Uln>>,
    /// Your own identifier of the record.
    #[answer(example = "STU-17")]
    pub mis_identifier: Option<Personal<String>>,
    /// Nationality.
    pub nationality: Option<Personal<String>>,
    /// LRS's code for this learner. `RC006` to `RC013` are exceptions, such as `RC006` (insufficient data) and `RC011` (invalid format). Other
    /// codes are not public.
    // Without its code, a result that a person must process would look like a learner's ULN.
    #[xml(strict)]
    #[answer(example = "RC006")]
    #[last]
    pub return_code: Option<String>,
}
