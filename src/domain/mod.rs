//! The data of learners and their records: scalars such as ULN, date and name, and the records made of them.
//!
//! Each scalar is parsed once: a [`Uln`] always has ten digits and a valid check digit. `{:?}` never prints personal data.
//! This module depends only on [`crate::schema`] and [`crate::xml`]; most other modules depend on this one.

mod absent_fields;
mod achievement;
mod amendment;
mod batch;
mod bounded_text;
mod character_traits;
mod codes;
mod date;
mod detail_texts;
mod email;
mod extensible;
mod from_lrs;
mod learner;
mod learner_update;
mod learning_event;
mod local_date_time;
mod look_alike;
mod personal;
mod postcode;
mod product;
mod register_record;
mod registered_value;
mod scottish_candidate_number;
mod search;
mod search_differences;
mod searched_field;
mod ukprn;
mod uln;
mod user_name;
mod verification;

pub use absent_fields::*;
pub use achievement::*;
pub use amendment::*;
pub use batch::*;
pub use bounded_text::*;
pub use codes::*;
pub use date::*;
pub use detail_texts::*;
pub use email::*;
pub use extensible::*;
pub use from_lrs::*;
pub use learner::*;
pub use learner_update::*;
pub use learning_event::*;
pub use local_date_time::*;
pub use personal::*;
pub use postcode::*;
pub use product::*;
pub use register_record::*;
pub use registered_value::*;
pub use scottish_candidate_number::*;
pub use search::*;
pub use searched_field::*;
pub use ukprn::*;
pub use uln::*;
pub use user_name::*;
pub use verification::*;
