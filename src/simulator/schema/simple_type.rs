//! Simple types of LRS's schemas: lengths and patterns of texts.

use std::sync::LazyLock;

use regex::Regex;

/// A simple type.
pub(super) struct SimpleType {
    /// The type's name in LRS's schemas.
    pub name: &'static str,
    /// The minimum length in characters.
    pub min_length: usize,
    /// The maximum length in characters.
    pub max_length: usize,
    /// The allowed patterns. One of them must match the whole text.
    pub patterns: Vec<Regex>,
}

macro_rules! simple_types {
    ($($id:ident = $name:literal $min_length:literal..$max_length:literal [$($pattern:expr),*];)+) => {$(
        pub(super) static $id: LazyLock<SimpleType> = LazyLock::new(|| SimpleType {
            name: $name,
            min_length: $min_length,
            max_length: $max_length,
            patterns: vec![$(Regex::new(&format!("^(?s:{})$", $pattern)).expect("the pattern is a valid constant")),*],
        });
    )+};
}

const NOT_BLANK: &str = r"[ \t\r\n]*[^ \t\r\n].*";
const DAY: &str =
    "(18|19|20)[0-9]{2}-((01|03|05|07|08|10|12)-(0[1-9]|[12][0-9]|3[01])|(04|06|09|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))";
const LEAP_DAY: &str = "(18|19|20)([02468][048]|[13579][26])-02-29";
const POSTCODE_SHAPE: &str = "[a-zA-Z]{1,2}[0-9rR][0-9a-zA-Z]? ?[0-9][abdefghjlnpqrstuwxyzABDEFGHJLNPQRSTUWXYZ]{2} {0,4}";
const BFPO: &str = "[bB][fF][pP][oO] ?[0-9]{1,4} {0,4}";
const DATE_TIME_SHAPE: &str = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]";
const EMAIL_ADDRESS: &str = r"[A-Za-z0-9!#$%'*+\-/=?^_`{|}~]+(\.[A-Za-z0-9!#$%'*+\-/=?^_`{|}~]+)*@[A-Za-z0-9][A-Za-z0-9\-]{0,61}[A-Za-z0-9](\.[A-Za-z0-9][A-Za-z0-9\-]{0,61}[A-Za-z0-9])*\.[A-Za-z]{2,6}";

simple_types! {
    FIND_TYPE = "MIAPFindType" 0..3 ["FUL|CHK"];
    ORGANISATION_REF = "MIAPOrganisationRef" 6..6 ["[0-9a-zA-Z]{6}"];
    UKPRN = "MIAPUKPRN" 8..8 ["[0-9a-zA-Z]{8}"];
    PASSWORD = "MIAPOrgPassword" 16..16 [NOT_BLANK];
    NAME_NON_EMPTY = "MIAPNameNonEmpty" 1..35 [NOT_BLANK];
    NAME = "MIAPName" 0..35 [".*"];
    SCHOOL_NAME = "MIAPSchoolName" 0..254 [".*"];
    ULN = "MIAPULN" 10..10 ["[1-9][0-9]{9}"];
    DATE = "MIAPDate" 10..10 [DAY, LEAP_DAY];
    GENDER = "MIAPGender" 1..1 ["[0129]"];
    POSTCODE = "MIAPPostCode" 0..9 [POSTCODE_SHAPE, BFPO];
    EMAIL = "MIAPEmail" 0..254 [EMAIL_ADDRESS, ""];
    DATE_NILLABLE = "MIAPDateNillable" 0..10 [DAY, LEAP_DAY, ""];
    GENDER_NILLABLE = "MIAPGenderNillable" 0..1 ["[0129]?"];
    ADDRESS_LINE = "MIAPAddress" 0..50 [".*"];
    NATIONALITY = "MIAPNationality" 0..3 [".*"];
    SCOTTISH_CANDIDATE_NUMBER = "MIAPScottishCandidateNumber" 0..9 ["[0-9]{9}", ""];
    VERIFICATION_TYPE = "MIAPVerificationType" 0..3 ["[0-7]|999"];
    OTHER_VERIFICATION = "MIAPOtherVerificationDescription" 0..255 [".*"];
    ABILITY_TO_SHARE = "MIAPAbilityToShare" 1..1 ["[012]"];
    NOTES = "MIAPNotes" 0..4000 [".*"];
    ULN_NILLABLE = "MIAPULNNillable" 0..10 ["[1-9][0-9]{9}", ""];
    MIS_IDENTIFIER = "MIAPMISIdentifier" 0..128 [".*"];
    POSTCODE_NILLABLE = "MIAPPostCodeNillable" 0..9 [POSTCODE_SHAPE, BFPO, ""];
    JOB_TYPE = "MIAPBatchJobType" 3..3 ["FUL|CHK"];
    RECORD_COUNT = "MIAPLearnerRecordCount" 1..11 [r"[ \t\r\n]*\+?0*([1-9][0-9]?|1[0-9]{2}|200)[ \t\r\n]*"];
    LONG = "long" 1..20 [r"[ \t\r\n]*[+-]?[0-9]{1,18}[ \t\r\n]*"];
    INT = "int" 1..11 [r"[ \t\r\n]*[+-]?[0-9]{1,10}[ \t\r\n]*"];
    DATE_TIME = "dateTime" 19..64 [&format!(r"[ \t\r\n]*{DATE_TIME_SHAPE}(\.[0-9]+)?(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)?[ \t\r\n]*")];
    ANY_TEXT = "string" 0..1_000_000 [".*"];
}
