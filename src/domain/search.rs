//! What learners are searched by (FACTS 2.3, 2.4, 2.14).

use crate::domain::{Date, EmailAddress, FindType, Gender, LearnerDetails, Name, OptionalName, Postcode, SchoolName, Uln};
use crate::schema::{List, request};

request! {
    /// Which learner to find. LRS compares the names with the ULN's: all three are needed.
    #[derive(Debug, Clone)]
    pub struct FindByUln {
        /// The ULN to look up.
        pub uln: Uln,
        /// The learner's given name, 1 to 35 characters.
        pub given_name: Name,
        /// The learner's family name, 1 to 35 characters.
        pub family_name: Name,
        /// How much to return.
        pub find_type: FindType = FindType::Full,
    }
}

request! {
    /// Particulars of the learner to find. The more are given, the better LRS can tell people apart.
    #[derive(Debug, Clone)]
    pub struct FindByDemographics {
        /// The learner's given name, 1 to 35 characters.
        pub given_name: Name,
        /// The learner's family name, 1 to 35 characters.
        pub family_name: Name,
        /// Date of birth.
        pub date_of_birth: Date,
        /// Gender.
        pub gender: Gender,
        /// Postcode of the last known address; LRS ignores the space in it.
        pub last_known_post_code: Postcode,
        /// Family name before it changed.
        pub previous_family_name: Option<OptionalName>,
        /// School at the age of 16, up to 254 characters.
        pub school_at_age16: Option<SchoolName>,
        /// Place of birth.
        pub place_of_birth: Option<OptionalName>,
        /// E-mail address.
        pub email_address: Option<EmailAddress>,
        /// How much to return.
        pub find_type: FindType = FindType::Full,
    }
}

request! {
    /// ULNs to look up.
    #[derive(Debug, Clone)]
    pub struct RetrieveUlns {
        /// The ULNs, 1 to 200.
        pub ulns: List<Uln, 1, 200>,
    }
}

/// The search that must come before a registration: by everything LRS can search by.
impl From<&LearnerDetails> for FindByDemographics {
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
