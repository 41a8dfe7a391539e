//! The values of this field, each parsed once: a ULN that exists has ten digits and the right check digit.
//!
//! Everything else builds on these types and they on nothing but [`crate::form`], the way values are declared.
//! Values about a person never show themselves in `{:?}`.

mod codes;
mod date;
mod email;
mod learner;
mod open;
mod personal;
mod postcode;
mod text;
mod ukprn;
mod uln;

pub use codes::{AbilityToShare, FindType, Gender, VerificationType};
pub use date::Date;
pub use email::EmailAddress;
pub use learner::Learner;
pub use open::{FromLrs, Open};
pub use personal::Personal;
pub use postcode::Postcode;
pub use text::{Name, OptionalName, SchoolName, Text, UserName};
pub use ukprn::{OrganisationRef, Ukprn};
pub use uln::Uln;
