//! Sequences of the requests to the learner service.

use crate::simulator::schema::particle::{Particle, Sequence, nested, optional, optional_nillable, required};
use crate::simulator::schema::simple_type::{
    ABILITY_TO_SHARE, ADDRESS_LINE, DATE, DATE_NILLABLE, EMAIL, FIND_TYPE, GENDER, GENDER_NILLABLE, INT, JOB_TYPE, LONG, MIS_IDENTIFIER,
    NAME, NAME_NON_EMPTY, NATIONALITY, NOTES, ORGANISATION_REF, OTHER_VERIFICATION, PASSWORD, POSTCODE, POSTCODE_NILLABLE, RECORD_COUNT,
    SCHOOL_NAME, SCOTTISH_CANDIDATE_NUMBER, UKPRN, ULN, ULN_NILLABLE, VERIFICATION_TYPE,
};

/// Builds the sequence of a request: leading elements, the four credentials, following elements.
macro_rules! with_credentials {
    ([$($leading:expr),*], $($following:expr),+ $(,)?) => {
        Sequence {
            namespace: None,
            particles: &[
                $($leading,)*
                optional_nillable("OrganisationRef", &ORGANISATION_REF),
                optional_nillable("UKPRN", &UKPRN),
                required("OrgPassword", &PASSWORD),
                required("UserName", &NAME_NON_EMPTY),
                $($following),+
            ],
        }
    };
}

/// Content of `fin:FindLearnerByULN` (LRS-CONTRACT 2.4).
pub const FIND_BY_ULN: Sequence = with_credentials!(
    [required("FindType", &FIND_TYPE)],
    required("ULN", &ULN),
    required("FamilyName", &NAME_NON_EMPTY),
    required("GivenName", &NAME_NON_EMPTY),
);

/// Content of `fin:FindLearnerByDemographics` (LRS-CONTRACT 2.5).
pub const FIND_BY_DEMOGRAPHICS: Sequence = with_credentials!(
    [required("FindType", &FIND_TYPE)],
    required("FamilyName", &NAME_NON_EMPTY),
    required("GivenName", &NAME_NON_EMPTY),
    required("DateOfBirth", &DATE),
    required("Gender", &GENDER),
    required("LastKnownPostCode", &POSTCODE),
    optional_nillable("PreviousFamilyName", &NAME),
    optional_nillable("SchoolAtAge16", &SCHOOL_NAME),
    optional_nillable("PlaceOfBirth", &NAME),
    optional_nillable("EmailAddress", &EMAIL),
);

/// Builds the elements of `lrnr:LearnerToRegister` (LRS-CONTRACT 2.3), followed by further elements.
macro_rules! learner_elements {
    ($($following:expr),*) => {
        &[
            optional("Title", &NAME),
            required("GivenName", &NAME_NON_EMPTY),
            optional("MiddleOtherName", &NAME),
            required("FamilyName", &NAME_NON_EMPTY),
            optional("PreferredGivenName", &NAME),
            optional("PreviousFamilyName", &NAME),
            optional("FamilyNameAtAge16", &NAME),
            optional("SchoolAtAge16", &SCHOOL_NAME),
            optional("LastKnownAddressLine1", &ADDRESS_LINE),
            optional("LastKnownAddressLine2", &ADDRESS_LINE),
            optional("LastKnownAddressTown", &ADDRESS_LINE),
            optional("LastKnownAddressCountyOrCity", &ADDRESS_LINE),
            required("LastKnownPostCode", &POSTCODE),
            optional("DateOfAddressCapture", &DATE_NILLABLE),
            required("DateOfBirth", &DATE),
            optional("PlaceOfBirth", &NAME),
            required("Gender", &GENDER),
            optional("EmailAddress", &EMAIL),
            optional("Nationality", &NATIONALITY),
            optional("ScottishCandidateNumber", &SCOTTISH_CANDIDATE_NUMBER),
            required("VerificationType", &VERIFICATION_TYPE),
            optional("OtherVerificationDescription", &OTHER_VERIFICATION),
            required("AbilityToShare", &ABILITY_TO_SHARE),
            optional("Notes", &NOTES),
            $($following),*
        ]
    };
}

const LEARNER_TO_REGISTER: &[Particle] = learner_elements!();
const LEARNER_TO_UPDATE: &[Particle] = learner_elements!(required("ULN", &ULN), required("VersionNumber", &INT));
const LEARNER_TO_VERIFY: &[Particle] = &[
    required("ULN", &ULN),
    required("FamilyName", &NAME_NON_EMPTY),
    required("GivenName", &NAME_NON_EMPTY),
    optional_nillable("DateOfBirth", &DATE_NILLABLE),
    optional_nillable("Gender", &GENDER_NILLABLE),
];
const ULNS_TO_RETRIEVE: &[Particle] = &[Particle { max_occurs: 200, ..required("ULN", &ULN) }];

/// Content of `reg:RegisterLearner` (LRS-CONTRACT 2.6).
pub const REGISTER: Sequence = with_credentials!([], nested("Learner", None, LEARNER_TO_REGISTER));
/// Content of `reg:UpdateLearner` (LRS-CONTRACT 2.7).
pub const UPDATE: Sequence = with_credentials!([], nested("Learner", None, LEARNER_TO_UPDATE));
/// Content of `rep:VerifyLearner` (LRS-CONTRACT 2.8).
pub const VERIFY: Sequence = with_credentials!([], nested("LearnerToVerify", None, LEARNER_TO_VERIFY));
/// Content of `rep:RetrieveULNs` (LRS-CONTRACT 2.9).
pub const RETRIEVE: Sequence = with_credentials!([], nested("ULNsToRetrieve", None, ULNS_TO_RETRIEVE));

const BATCH_LEARNER: &[Particle] = &[
    optional("ULN", &ULN_NILLABLE),
    optional("MISIdentifier", &MIS_IDENTIFIER),
    optional("Title", &NAME),
    required("GivenName", &NAME_NON_EMPTY),
    optional("PreferredGivenName", &NAME),
    optional("MiddleOtherName", &NAME),
    required("FamilyName", &NAME_NON_EMPTY),
    optional("PreviousFamilyName", &NAME),
    optional("FamilyNameAtAge16", &NAME),
    optional("SchoolAtAge16", &SCHOOL_NAME),
    optional("LastKnownAddressLine1", &ADDRESS_LINE),
    optional("LastKnownAddressLine2", &ADDRESS_LINE),
    optional("LastKnownAddressTown", &ADDRESS_LINE),
    optional("LastKnownAddressCountyOrCity", &ADDRESS_LINE),
    optional("LastKnownPostCode", &POSTCODE_NILLABLE),
    optional("DateOfAddressCapture", &DATE_NILLABLE),
    optional("DateOfBirth", &DATE_NILLABLE),
    optional("PlaceOfBirth", &NAME),
    optional("EmailAddress", &EMAIL),
    optional("Gender", &GENDER_NILLABLE),
    optional("Nationality", &NATIONALITY),
    optional("ScottishCandidateNumber", &SCOTTISH_CANDIDATE_NUMBER),
    optional("AbilityToShare", &ABILITY_TO_SHARE),
    optional("VerificationType", &VERIFICATION_TYPE),
    optional("OtherVerificationDescription", &OTHER_VERIFICATION),
    optional("Notes", &NOTES),
];
const BATCH_LEARNER_TO_VERIFY: &[Particle] = &[
    optional("MISIdentifier", &MIS_IDENTIFIER),
    required("ULN", &ULN),
    required("FamilyName", &NAME_NON_EMPTY),
    required("GivenName", &NAME_NON_EMPTY),
    optional_nillable("DateOfBirth", &DATE_NILLABLE),
    optional_nillable("Gender", &GENDER_NILLABLE),
];

/// Content of `bat:SubmitBatch` (LRS-CONTRACT 2.10).
pub const SUBMIT_REGISTRATION_BATCH: Sequence = with_credentials!(
    [],
    required("JobType", &JOB_TYPE),
    required("LearnerRecordCount", &RECORD_COUNT),
    Particle { max_occurs: 200, ..nested("Learner", None, BATCH_LEARNER) },
);
/// Content of `vld:SubmitVerifyBatch` (LRS-CONTRACT 2.12). LRS limits the record count, but not the number of learner elements.
pub const SUBMIT_VERIFICATION_BATCH: Sequence = with_credentials!(
    [],
    required("LearnerRecordCount", &RECORD_COUNT),
    optional_nillable("OrgEmail", &EMAIL),
    Particle { max_occurs: usize::MAX, ..nested("Learner", None, BATCH_LEARNER_TO_VERIFY) },
);
/// Content of `bat:GetSubmitBatchOutput` and `vld:GetVerifyBatchOutput` (LRS-CONTRACT 2.11, 2.13).
pub const GET_BATCH: Sequence = with_credentials!([], required("JobID", &LONG));
