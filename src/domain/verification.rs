//! Verification of a learner's details against a ULN (LRS-CONTRACT 2.8).

use crate::domain::{Date, EXAMPLE_LEARNER, Gender, Name, Uln};
use crate::schema::Request;
use crate::xml::XmlRecord;

/// A learner's details, to be compared with LRS's record. Date of birth and gender are compared only if given.
#[derive(Debug, Clone, Request, XmlRecord)]
#[request(examples = EXAMPLE_LEARNER)]
#[xml(order(uln, family_name, given_name, date_of_birth, gender))]
pub struct LearnerVerification {
    /// The learner's ULN.
    pub uln: Uln,
    /// The learner's given name.
    pub given_name: Name,
    /// The learner's family name.
    pub family_name: Name,
    /// The learner's date of birth.
    #[xml(nil)]
    pub date_of_birth: Option<Date>,
    /// The learner's gender.
    #[xml(nil)]
    pub gender: Option<Gender>,
}
