//! XML schemas of LRS's request messages (LRS-CONTRACT 2.1 to 2.16, 5.1, 5.2, strict schemas), and their validation.
//!
//! The schemas are written from LRS's contract, not from the gateway's own rules. A mistake in those rules is therefore not repeated here.

mod data_contract;
mod learner_service;
mod particle;
mod simple_type;
mod validation;

pub use data_contract::{GET_ACHIEVEMENTS, GET_TYPES, LEARNING_EVENTS, SUBMIT_ACHIEVEMENTS};
pub use learner_service::{
    FIND_BY_DEMOGRAPHICS, FIND_BY_ULN, GET_BATCH, REGISTER, RETRIEVE, SUBMIT_REGISTRATION_BATCH, SUBMIT_VERIFICATION_BATCH, UPDATE, VERIFY,
};
pub use particle::Sequence;
pub use validation::{Violation, validate};
