//! The strict form of messages: what LRS's validation lets through (FACTS 2.0 to 2.4, old schemas).
//!
//! Written from the contract and not from the gateway's own rules, so that a mistake there does not excuse itself here.

mod data_contract;

use std::sync::LazyLock;

use regex::Regex;

pub use data_contract::{GET_ACHIEVEMENTS, LEARNING_EVENTS, SUBMIT_ACHIEVEMENTS};

use crate::lrs::soap::element::Element;

/// A simple type: LRS's name for it, lengths in characters, and the patterns of which one must fit the whole text.
struct SimpleType {
    name: &'static str,
    min: usize,
    max: usize,
    patterns: Vec<Regex>,
}

/// What may stand at one place of a sequence.
pub struct Particle {
    name: &'static str,
    content: Content,
    min: usize,
    max: usize,
    nillable: bool,
}

/// What an element holds.
enum Content {
    Text(&'static LazyLock<SimpleType>),
    Elements(Sequence),
}

/// Elements in their order, and the namespace they are in.
#[derive(Clone, Copy)]
pub struct Sequence {
    namespace: Option<&'static str>,
    particles: &'static [Particle],
}

/// Why a message is not valid, as a validator would say it. Quotes the value, as LRS does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub String);

macro_rules! simple_types {
    ($($id:ident = $name:literal $min:literal..$max:literal [$($pattern:expr),*];)+) => {$(
        static $id: LazyLock<SimpleType> = LazyLock::new(|| SimpleType {
            name: $name,
            min: $min,
            max: $max,
            patterns: vec![$(Regex::new(&format!("^(?s:{})$", $pattern)).expect("a constant")),*],
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
const ADDRESS: &str = r"[A-Za-z0-9!#$%'*+\-/=?^_`{|}~]+(\.[A-Za-z0-9!#$%'*+\-/=?^_`{|}~]+)*@[A-Za-z0-9][A-Za-z0-9\-]{0,61}[A-Za-z0-9](\.[A-Za-z0-9][A-Za-z0-9\-]{0,61}[A-Za-z0-9])*\.[A-Za-z]{2,6}";

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
    EMAIL = "MIAPEmail" 0..254 [ADDRESS, ""];
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

const fn one(name: &'static str, kind: &'static LazyLock<SimpleType>) -> Particle {
    Particle { name, content: Content::Text(kind), min: 1, max: 1, nillable: false }
}

const fn maybe(name: &'static str, kind: &'static LazyLock<SimpleType>) -> Particle {
    Particle { min: 0, ..one(name, kind) }
}

const fn nillable(name: &'static str, kind: &'static LazyLock<SimpleType>) -> Particle {
    Particle { nillable: true, ..maybe(name, kind) }
}

const fn nested(name: &'static str, namespace: Option<&'static str>, particles: &'static [Particle]) -> Particle {
    Particle { name, content: Content::Elements(Sequence { namespace, particles }), min: 1, max: 1, nillable: false }
}

/// The four credentials between other elements.
macro_rules! with_credentials {
    ([$($first:expr),*], $($particle:expr),+ $(,)?) => {
        Sequence {
            namespace: None,
            particles: &[
                $($first,)*
                nillable("OrganisationRef", &ORGANISATION_REF),
                nillable("UKPRN", &UKPRN),
                one("OrgPassword", &PASSWORD),
                one("UserName", &NAME_NON_EMPTY),
                $($particle),+
            ],
        }
    };
}

/// `fin:FindLearnerByULN` (FACTS 2.3).
pub const FIND_BY_ULN: Sequence = with_credentials!(
    [one("FindType", &FIND_TYPE)],
    one("ULN", &ULN),
    one("FamilyName", &NAME_NON_EMPTY),
    one("GivenName", &NAME_NON_EMPTY),
);

/// `fin:FindLearnerByDemographics` (FACTS 2.4).
pub const FIND_BY_DEMOGRAPHICS: Sequence = with_credentials!(
    [one("FindType", &FIND_TYPE)],
    one("FamilyName", &NAME_NON_EMPTY),
    one("GivenName", &NAME_NON_EMPTY),
    one("DateOfBirth", &DATE),
    one("Gender", &GENDER),
    one("LastKnownPostCode", &POSTCODE),
    nillable("PreviousFamilyName", &NAME),
    nillable("SchoolAtAge16", &SCHOOL_NAME),
    nillable("PlaceOfBirth", &NAME),
    nillable("EmailAddress", &EMAIL),
);

/// `lrnr:LearnerToRegister` (FACTS 2.2), and what follows it.
macro_rules! learner_and {
    ($($more:expr),*) => {
        &[
            maybe("Title", &NAME),
            one("GivenName", &NAME_NON_EMPTY),
            maybe("MiddleOtherName", &NAME),
            one("FamilyName", &NAME_NON_EMPTY),
            maybe("PreferredGivenName", &NAME),
            maybe("PreviousFamilyName", &NAME),
            maybe("FamilyNameAtAge16", &NAME),
            maybe("SchoolAtAge16", &SCHOOL_NAME),
            maybe("LastKnownAddressLine1", &ADDRESS_LINE),
            maybe("LastKnownAddressLine2", &ADDRESS_LINE),
            maybe("LastKnownAddressTown", &ADDRESS_LINE),
            maybe("LastKnownAddressCountyOrCity", &ADDRESS_LINE),
            one("LastKnownPostCode", &POSTCODE),
            maybe("DateOfAddressCapture", &DATE_NILLABLE),
            one("DateOfBirth", &DATE),
            maybe("PlaceOfBirth", &NAME),
            one("Gender", &GENDER),
            maybe("EmailAddress", &EMAIL),
            maybe("Nationality", &NATIONALITY),
            maybe("ScottishCandidateNumber", &SCOTTISH_CANDIDATE_NUMBER),
            one("VerificationType", &VERIFICATION_TYPE),
            maybe("OtherVerificationDescription", &OTHER_VERIFICATION),
            one("AbilityToShare", &ABILITY_TO_SHARE),
            maybe("Notes", &NOTES),
            $($more),*
        ]
    };
}

const LEARNER_TO_REGISTER: &[Particle] = learner_and!();
const LEARNER_TO_UPDATE: &[Particle] = learner_and!(one("ULN", &ULN), one("VersionNumber", &INT));
const LEARNER_TO_VERIFY: &[Particle] = &[
    one("ULN", &ULN),
    one("FamilyName", &NAME_NON_EMPTY),
    one("GivenName", &NAME_NON_EMPTY),
    nillable("DateOfBirth", &DATE_NILLABLE),
    nillable("Gender", &GENDER_NILLABLE),
];
const ULNS_TO_RETRIEVE: &[Particle] = &[Particle { max: 200, ..one("ULN", &ULN) }];

/// `reg:RegisterLearner` (FACTS 2.5).
pub const REGISTER: Sequence = with_credentials!([], nested("Learner", None, LEARNER_TO_REGISTER));
/// `reg:UpdateLearner` (FACTS 2.6).
pub const UPDATE: Sequence = with_credentials!([], nested("Learner", None, LEARNER_TO_UPDATE));
/// `rep:VerifyLearner` (FACTS 2.10).
pub const VERIFY: Sequence = with_credentials!([], nested("LearnerToVerify", None, LEARNER_TO_VERIFY));
/// `rep:RetrieveULNs` (FACTS 2.14).
pub const RETRIEVE: Sequence = with_credentials!([], nested("ULNsToRetrieve", None, ULNS_TO_RETRIEVE));

const BATCH_LEARNER: &[Particle] = &[
    maybe("ULN", &ULN_NILLABLE),
    maybe("MISIdentifier", &MIS_IDENTIFIER),
    maybe("Title", &NAME),
    one("GivenName", &NAME_NON_EMPTY),
    maybe("PreferredGivenName", &NAME),
    maybe("MiddleOtherName", &NAME),
    one("FamilyName", &NAME_NON_EMPTY),
    maybe("PreviousFamilyName", &NAME),
    maybe("FamilyNameAtAge16", &NAME),
    maybe("SchoolAtAge16", &SCHOOL_NAME),
    maybe("LastKnownAddressLine1", &ADDRESS_LINE),
    maybe("LastKnownAddressLine2", &ADDRESS_LINE),
    maybe("LastKnownAddressTown", &ADDRESS_LINE),
    maybe("LastKnownAddressCountyOrCity", &ADDRESS_LINE),
    maybe("LastKnownPostCode", &POSTCODE_NILLABLE),
    maybe("DateOfAddressCapture", &DATE_NILLABLE),
    maybe("DateOfBirth", &DATE_NILLABLE),
    maybe("PlaceOfBirth", &NAME),
    maybe("EmailAddress", &EMAIL),
    maybe("Gender", &GENDER_NILLABLE),
    maybe("Nationality", &NATIONALITY),
    maybe("ScottishCandidateNumber", &SCOTTISH_CANDIDATE_NUMBER),
    maybe("AbilityToShare", &ABILITY_TO_SHARE),
    maybe("VerificationType", &VERIFICATION_TYPE),
    maybe("OtherVerificationDescription", &OTHER_VERIFICATION),
    maybe("Notes", &NOTES),
];
const BATCH_LEARNER_TO_VERIFY: &[Particle] = &[
    maybe("MISIdentifier", &MIS_IDENTIFIER),
    one("ULN", &ULN),
    one("FamilyName", &NAME_NON_EMPTY),
    one("GivenName", &NAME_NON_EMPTY),
    nillable("DateOfBirth", &DATE_NILLABLE),
    nillable("Gender", &GENDER_NILLABLE),
];

/// `bat:SubmitBatch` (FACTS 2.7).
pub const SUBMIT_REGISTRATION_BATCH: Sequence = with_credentials!(
    [],
    one("JobType", &JOB_TYPE),
    one("LearnerRecordCount", &RECORD_COUNT),
    Particle { max: 200, ..nested("Learner", None, BATCH_LEARNER) },
);
/// `vld:SubmitVerifyBatch` (FACTS 2.11): the count is limited, the learners are not.
pub const SUBMIT_VERIFICATION_BATCH: Sequence = with_credentials!(
    [],
    one("LearnerRecordCount", &RECORD_COUNT),
    nillable("OrgEmail", &EMAIL),
    Particle { max: usize::MAX, ..nested("Learner", None, BATCH_LEARNER_TO_VERIFY) },
);
/// `bat:GetSubmitBatchOutput` and `vld:GetVerifyBatchOutput` (FACTS 2.8, 2.12).
pub const GET_BATCH: Sequence = with_credentials!([], one("JobID", &LONG));

/// Checks an element's children against a sequence.
///
/// # Errors
/// The first [`Violation`].
pub fn validate(element: &Element, sequence: Sequence) -> Result<(), Violation> {
    if !element.text.trim().is_empty() {
        return Err(Violation(format!("cvc-complex-type.2.3: Element '{}' cannot have character [children].", element.name)));
    }
    let mut children = element.children.iter().peekable();
    for particle in sequence.particles {
        let mut count = 0;
        while count < particle.max
            && let Some(child) = children.next_if(|child| child.name == particle.name && child.namespace.as_deref() == sequence.namespace)
        {
            validate_one(child, particle)?;
            count += 1;
        }
        if count < particle.min {
            return Err(Violation(match children.peek() {
                Some(child) => unexpected(child),
                None => format!(
                    "cvc-complex-type.2.4.b: The content of element '{}' is not complete. '{}' is expected.",
                    element.name, particle.name
                ),
            }));
        }
    }
    children.next().map_or(Ok(()), |child| Err(Violation(unexpected(child))))
}

fn unexpected(child: &Element) -> String {
    format!("cvc-complex-type.2.4.a: Invalid content was found starting with element '{}'.", child.name)
}

fn validate_one(element: &Element, particle: &Particle) -> Result<(), Violation> {
    let name = &element.name;
    if element.nil {
        return match (particle.nillable, element.text.is_empty() && element.children.is_empty()) {
            (false, _) => Err(Violation(format!("cvc-elt.3.1: Attribute 'nil' must not appear on element '{name}'."))),
            (true, false) => Err(Violation(format!("cvc-elt.3.2.1: Element '{name}' must have no content, because it is nil."))),
            (true, true) => Ok(()),
        };
    }
    match &particle.content {
        Content::Elements(sequence) => validate(element, *sequence),
        Content::Text(_) if !element.children.is_empty() => {
            Err(Violation(format!("cvc-type.3.1.2: Element '{name}' is a simple type, so it must have no element [children].")))
        }
        Content::Text(kind) => validate_text(&element.text, kind),
    }
}

fn validate_text(text: &str, kind: &SimpleType) -> Result<(), Violation> {
    let length = text.chars().count();
    let facet = if length > kind.max {
        format!("cvc-maxLength-valid: Value '{text}' with length = '{length}' is not facet-valid with respect to maxLength '{}'", kind.max)
    } else if length < kind.min {
        format!("cvc-minLength-valid: Value '{text}' with length = '{length}' is not facet-valid with respect to minLength '{}'", kind.min)
    } else if kind.patterns.iter().any(|pattern| pattern.is_match(text)) {
        return Ok(());
    } else {
        format!("cvc-pattern-valid: Value '{text}' is not facet-valid with respect to pattern")
    };
    Err(Violation(format!("{facet} for type '{}'.", kind.name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lrs::soap::read::XmlReader;

    fn check(children: &str) -> Result<(), Violation> {
        let xml = format!(
            "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'><s:Body><R>{children}</R></s:Body></s:Envelope>"
        );
        let mut reader = XmlReader::new(&xml).expect("characters");
        let element = reader.soap_body(|reader, start| Element::read(reader, start)).expect("well-formed");
        validate(&element, FIND_BY_ULN)
    }

    const GOOD: &str = "<FindType>FUL</FindType><OrganisationRef xsi:nil='true'/><UKPRN>10088881</UKPRN><OrgPassword>demo-password-01</OrgPassword>\
        <UserName>j.bloggs</UserName><ULN>3000000126</ULN><FamilyName>O'Neill</FamilyName><GivenName>Ana</GivenName>";

    #[test]
    fn the_contract_is_accepted() {
        assert_eq!(check(GOOD), Ok(()));
        assert_eq!(check(&GOOD.replace("<OrganisationRef xsi:nil='true'/>", "")), Ok(()));
        assert_eq!(check(&GOOD.replace("<ULN>3000000126", "<ULN>9999999999")), Ok(()), "the check digit is not part of the schema");
    }

    #[test]
    fn deviations_name_the_type_or_the_element() {
        for (from, to, expected) in [
            ("<GivenName>Ana</GivenName>", "<GivenName></GivenName>", "MIAPNameNonEmpty"),
            ("<GivenName>Ana</GivenName>", "<GivenName>  </GivenName>", "MIAPNameNonEmpty"),
            ("<GivenName>Ana</GivenName>", "", "'GivenName' is expected"),
            ("<GivenName>Ana</GivenName>", "<GivenName xsi:nil='true'/>", "nil"),
            ("3000000126", "300000012", "MIAPULN"),
            ("FUL", "ful", "MIAPFindType"),
            ("<UKPRN>10088881</UKPRN>", "<UKPRN/>", "MIAPUKPRN"),
            ("demo-password-01", "short", "MIAPOrgPassword"),
            ("<FindType>FUL</FindType>", "", "'OrganisationRef'"),
            ("<UserName>j.bloggs</UserName>", "<UserName>j.bloggs</UserName><Extra/>", "'Extra'"),
            ("<ULN>", "<ULN xmlns='urn:x'>", "'ULN'"),
            ("Ana", "<b>Ana</b>", "no element"),
        ] {
            let violation = check(&GOOD.replacen(from, to, 1)).expect_err(to);
            assert!(violation.0.contains(expected), "{to}: {}", violation.0);
        }
    }
}
