//! The data of learners and their records: scalars such as ULN, date and name, and the records made of them.
//!
//! Each scalar is parsed once: a [`Uln`] always has ten digits and a valid check digit. `{:?}` never prints personal data.
//! This module depends only on [`crate::schema`] and [`crate::xml`]; most other modules depend on this one.

mod achievement;
mod batch;
mod bounded_text;
mod codes;
mod date;
mod email;
mod extensible;
mod from_lrs;
mod learner;
mod learning_event;
mod local_date_time;
mod personal;
mod postcode;
mod product;
mod scottish_candidate_number;
mod search;
mod ukprn;
mod uln;
mod verification;

pub use achievement::{Achievement, AchievementJob};
pub use batch::{BatchLearner, BatchLearnerResult, BatchLearnerToVerify, MisIdentifier};
pub use bounded_text::{AddressLine, BoundedText, Name, Nationality, Notes, OptionalName, SchoolName, UserName};
pub use codes::{
    AbilityToShare, AchievementAction, AchievementJobStatus, FindType, Gender, GetType, JobType, SubmissionType, VerificationType,
};
pub use date::Date;
pub use email::EmailAddress;
pub use extensible::Extensible;
pub use from_lrs::FromLrs;
pub use learner::{Learner, LearnerDetails, OtherVerificationDescription, RegisterLearner, UpdateLearner};
pub use learning_event::{GetLearningEvents, LearningEvent};
pub use local_date_time::{LocalDateTime, LrsTime, XmlDateTime, london_time_zone};
pub use personal::Personal;
pub use postcode::Postcode;
pub use product::Product;
pub use scottish_candidate_number::ScottishCandidateNumber;
pub use search::{FindByDemographics, FindByUln, RetrieveUlns};
pub use ukprn::{OrganisationRef, Ukprn};
pub use uln::Uln;
pub use verification::VerifyLearner;
