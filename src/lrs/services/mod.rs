//! The operations of each LRS service.

pub mod external;
pub mod learner;
pub mod learner_r9;
