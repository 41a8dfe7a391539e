//! Sequences of the requests to the R9 service and the external service.
//!
//! These services use data contracts: texts have no facets, and members are in alphabetical order (LRS-CONTRACT 2.1, 2.14 to 2.16).

use crate::simulator::schema::particle::{Particle, Sequence, nested, optional_nillable, required};
use crate::simulator::schema::simple_type::{ANY_TEXT, DATE_TIME, INT};

const SERVICES: Option<&str> = Some("http://api.lrs.qcf.gov.uk/services");
const MODEL: Option<&str> = Some("http://api.lrs.qcf.gov.uk/model");

/// Declares an operation parameter: the element occurs once, with a text or nil.
const fn parameter(name: &'static str) -> Particle {
    Particle { nillable: true, ..required(name, &ANY_TEXT) }
}

/// Declares a data member: the element has a text, is nil or is absent.
const fn member(name: &'static str) -> Particle {
    optional_nillable(name, &ANY_TEXT)
}

/// Declares a data member that has members itself.
const fn object_member(name: &'static str, namespace: Option<&'static str>, particles: &'static [Particle]) -> Particle {
    Particle { min_occurs: 0, nillable: true, ..nested(name, namespace, particles) }
}

const INVOKING_ORGANISATION: &[Particle] = &[member("OrganisationRef"), member("Password"), member("Ukprn"), member("Username")];

/// Content of `tem:GetLearnerLearningEvents` (LRS-CONTRACT 2.14).
pub const LEARNING_EVENTS: Sequence = Sequence {
    namespace: Some("http://tempuri.org/"),
    particles: &[
        nested("invokingOrganisation", Some("http://schemas.datacontract.org/2004/07/Amor.Qcf.Service.Interface"), INVOKING_ORGANISATION),
        parameter("userType"),
        required("vendorID", &INT),
        parameter("language"),
        parameter("uln"),
        parameter("givenName"),
        parameter("familyName"),
        parameter("dateOfBirth"),
        parameter("gender"),
        parameter("getType"),
    ],
};

/// The values of `getType`, which the schema declares as any text (LRS-CONTRACT 2.14).
pub const GET_TYPES: [&str; 2] = ["FULL", "BRIEF"];

const INVOKING_USER: &[Particle] = &[member("OrgPassword"), member("OrganisationRef"), member("UserName")];

const ACHIEVEMENT: &[Particle] = &[
    required("AchievementAwardDate", &DATE_TIME),
    required("Action", &INT),
    required("ActionDate", &DATE_TIME),
    member("ActionReason"),
    optional_nillable("DateofBirth", &DATE_TIME),
    parameter("FamilyName"),
    optional_nillable("Gender", &INT),
    parameter("GivenName"),
    member("Grade"),
    member("LanguageForAssessment"),
    member("LearnerPostcode"),
    member("MisIdentifier"),
    parameter("ProviderUkprn"),
    parameter("Uln"),
    parameter("UnitOrQualificationReferenceNumber"),
];
const ACHIEVEMENTS: &[Particle] = &[Particle { max_occurs: usize::MAX, ..object_member("Achievement", SERVICES, ACHIEVEMENT) }];

/// Content of `svc:SubmitAchievementBatchJob` (LRS-CONTRACT 2.15).
pub const SUBMIT_ACHIEVEMENTS: Sequence = Sequence {
    namespace: SERVICES,
    particles: &[
        object_member("invokingUser", MODEL, INVOKING_USER),
        member("emailAddress"),
        member("submissionType"),
        object_member("achievements", SERVICES, ACHIEVEMENTS),
    ],
};

/// Content of `svc:GetAchievementBatchJob` (LRS-CONTRACT 2.16).
pub const GET_ACHIEVEMENTS: Sequence =
    Sequence { namespace: SERVICES, particles: &[object_member("invokingUser", MODEL, INVOKING_USER), optional_nillable("jobId", &INT)] };
