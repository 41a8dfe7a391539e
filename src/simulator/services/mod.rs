//! The operations of each simulated service.

pub mod external;
pub mod learner;
pub mod learner_r9;
