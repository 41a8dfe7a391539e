//! The form of messages to the services of data contracts: they know no facets, and members stand in the order of their
//! names (FACTS 2.9, 2.13).

use crate::simulator::schema::{ANY_TEXT, DATE_TIME, INT, Particle, Sequence, nested, nillable, one};

const SERVICES: Option<&str> = Some("http://api.lrs.qcf.gov.uk/services");
const MODEL: Option<&str> = Some("http://api.lrs.qcf.gov.uk/model");

/// There, with a text or nil.
const fn parameter(name: &'static str) -> Particle {
    Particle { nillable: true, ..one(name, &ANY_TEXT) }
}

/// There with a text, nil, or not there.
const fn member(name: &'static str) -> Particle {
    nillable(name, &ANY_TEXT)
}

/// A member with members of its own.
const fn object(name: &'static str, namespace: Option<&'static str>, particles: &'static [Particle]) -> Particle {
    Particle { min: 0, nillable: true, ..nested(name, namespace, particles) }
}

const INVOKING_ORGANISATION: &[Particle] = &[member("OrganisationRef"), member("Password"), member("Ukprn"), member("Username")];

/// `tem:GetLearnerLearningEvents` (FACTS 2.9).
pub const LEARNING_EVENTS: Sequence = Sequence {
    namespace: Some("http://tempuri.org/"),
    particles: &[
        nested("invokingOrganisation", Some("http://schemas.datacontract.org/2004/07/Amor.Qcf.Service.Interface"), INVOKING_ORGANISATION),
        parameter("userType"),
        one("vendorID", &INT),
        parameter("language"),
        parameter("uln"),
        parameter("givenName"),
        parameter("familyName"),
        parameter("dateOfBirth"),
        parameter("gender"),
        parameter("getType"),
    ],
};

const INVOKING_USER: &[Particle] = &[member("OrgPassword"), member("OrganisationRef"), member("UserName")];

const ACHIEVEMENT: &[Particle] = &[
    one("AchievementAwardDate", &DATE_TIME),
    one("Action", &INT),
    one("ActionDate", &DATE_TIME),
    member("ActionReason"),
    nillable("DateofBirth", &DATE_TIME),
    parameter("FamilyName"),
    nillable("Gender", &INT),
    parameter("GivenName"),
    member("Grade"),
    member("LanguageForAssessment"),
    member("LearnerPostcode"),
    member("MisIdentifier"),
    parameter("ProviderUkprn"),
    parameter("Uln"),
    parameter("UnitOrQualificationReferenceNumber"),
];
const ACHIEVEMENTS: &[Particle] = &[Particle { max: usize::MAX, ..object("Achievement", SERVICES, ACHIEVEMENT) }];

/// `svc:SubmitAchievementBatchJob` (FACTS 2.13).
pub const SUBMIT_ACHIEVEMENTS: Sequence = Sequence {
    namespace: SERVICES,
    particles: &[
        object("invokingUser", MODEL, INVOKING_USER),
        member("emailAddress"),
        member("submissionType"),
        object("achievements", SERVICES, ACHIEVEMENTS),
    ],
};

/// `svc:GetAchievementBatchJob` (FACTS 2.13).
pub const GET_ACHIEVEMENTS: Sequence =
    Sequence { namespace: SERVICES, particles: &[object("invokingUser", MODEL, INVOKING_USER), nillable("jobId", &INT)] };
