//! The values of this field, each parsed once: a ULN that exists has ten digits and the right check digit. And the records
//! made of them: learners, searches, learning events.
//!
//! Everything else builds on these types and they on nothing but [`crate::schema`], the way values are declared.
//! Values about a person never show themselves in `{:?}`.

mod achievement;
mod batch;
mod bounded_text;
mod codes;
mod date;
mod email;
mod extensible;
mod learner;
mod learning_event;
mod local_date_time;
mod personal;
mod postcode;
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
pub use extensible::{Extensible, FromLrs};
pub use learner::{Learner, LearnerDetails, OtherVerificationDescription, RegisterLearner, UpdateLearner};
pub use learning_event::{GetLearningEvents, LearningEvent};
pub use local_date_time::{LocalDateTime, LrsTime, XmlDateTime, london};
pub use personal::Personal;
pub use postcode::Postcode;
pub use scottish_candidate_number::ScottishCandidateNumber;
pub use search::{FindByDemographics, FindByUln, RetrieveUlns};
pub use ukprn::{OrganisationRef, Ukprn};
pub use uln::Uln;
pub use verification::VerifyLearner;
