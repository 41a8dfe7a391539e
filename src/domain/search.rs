//! Searches for learners (LRS-CONTRACT 2.4, 2.5, 2.9).

use crate::domain::{
    BoundedText, Date, EXAMPLE_LEARNER, EmailAddress, FindType, Gender, LearnerDetails, Name, OptionalName, Postcode, SchoolName, Uln,
};
use crate::schema::{List, Request};
use crate::xml::XmlRecord;

/// The learner to find by ULN. LRS compares both names with its record.
#[derive(Debug, Clone, Request, XmlRecord)]
#[request(examples = EXAMPLE_LEARNER)]
#[xml(order(find_type, uln, family_name, given_name))]
pub struct UlnSearch {
    /// The learner's ULN.
    pub uln: Uln,
    /// The learner's given name, 1 to 35 characters.
    pub given_name: Name,
    /// The learner's family name, 1 to 35 characters.
    pub family_name: Name,
    /// How much LRS returns.
    #[request(default = FindType::Full)]
    pub find_type: FindType,
}

/// The details of the learner to find. The more are given, the better LRS can distinguish learners.
#[derive(Debug, Clone, PartialEq, Request, XmlRecord)]
#[request(examples = EXAMPLE_LEARNER)]
#[xml(order(
    find_type, family_name, given_name, date_of_birth, gender, last_known_post_code, previous_family_name, school_at_age16, place_of_birth,
    email_address
))]
pub struct DemographicSearch {
    /// The learner's given name, 1 to 35 characters.
    pub given_name: Name,
    /// The learner's family name, 1 to 35 characters.
    pub family_name: Name,
    /// The learner's date of birth.
    pub date_of_birth: Date,
    /// The learner's gender.
    pub gender: Gender,
    /// Postcode of the last known address. LRS ignores the space.
    pub last_known_post_code: Postcode,
    /// Family name before it changed.
    #[xml(nil)]
    pub previous_family_name: Option<OptionalName>,
    /// School at the age of 16, up to 254 characters.
    #[xml(nil)]
    pub school_at_age16: Option<SchoolName>,
    /// Place of birth.
    #[xml(nil)]
    pub place_of_birth: Option<OptionalName>,
    /// Email address.
    #[xml(nil)]
    pub email_address: Option<EmailAddress>,
    /// How much LRS returns.
    #[request(default = FindType::Full)]
    pub find_type: FindType,
}

impl DemographicSearch {
    /// Returns the search for the same learner with plain apostrophes, hyphens and spaces; `None` if it is the same search.
    pub fn to_plain(&self) -> Option<Self> {
        let plain = Self {
            given_name: self.given_name.to_plain(),
            family_name: self.family_name.to_plain(),
            previous_family_name: self.previous_family_name.as_ref().map(BoundedText::to_plain),
            school_at_age16: self.school_at_age16.as_ref().map(BoundedText::to_plain),
            place_of_birth: self.place_of_birth.as_ref().map(BoundedText::to_plain),
            ..self.clone()
        };
        (plain != *self).then_some(plain)
    }
}

/// A learner whose ULN is wanted.
#[derive(Debug, Clone, Request)]
pub struct UlnRequest {
    /// The learner's details. The gateway searches by them, and registers them if no learner matches.
    pub learner: LearnerDetails,
    /// ULNs of candidates that a person has looked at and rejected: they belong to other learners. The gateway registers the learner if every
    /// candidate of its own search is among them.
    pub rejected_candidates: Option<List<Uln, 0, 50>>,
}

/// The ULNs to look up.
#[derive(Debug, Clone, Request)]
pub struct UlnRetrieval {
    /// The ULNs, 1 to 200.
    #[request(example = ["3000000126", "3000000258"])]
    pub ulns: List<Uln, 1, 200>,
}

/// The search that LRS requires before a registration, with all details that LRS can search by.
impl From<&LearnerDetails> for DemographicSearch {
    fn from(learner: &LearnerDetails) -> Self {
        Self {
            given_name: learner.given_name.clone(),
            family_name: learner.family_name.clone(),
            date_of_birth: learner.date_of_birth,
            gender: learner.gender,
            last_known_post_code: learner.last_known_post_code.clone(),
            previous_family_name: learner.previous_family_name.clone(),
            school_at_age16: learner.school_at_age16.clone(),
            place_of_birth: learner.place_of_birth.clone(),
            email_address: learner.email_address.clone(),
            find_type: FindType::Full,
        }
    }
}
