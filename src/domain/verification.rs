//! Verifying that a learner is who a ULN says (FACTS 2.10).

use crate::domain::{Date, Gender, Name, Uln};
use crate::schema::request;

request! {
    /// What is known of a learner, to be compared with the register. Date of birth and gender are compared only if given.
    #[derive(Debug, Clone)]
    pub struct VerifyLearner {
        /// ULN.
        pub uln: Uln,
        /// Given name.
        pub given_name: Name,
        /// Family name.
        pub family_name: Name,
        /// Date of birth.
        pub date_of_birth: Option<Date>,
        /// Gender.
        pub gender: Option<Gender>,
    }
}
