//! The operations of each LRS service: requests, responses and their XML.

pub mod external;
pub mod learner;
pub mod learner_r9;
