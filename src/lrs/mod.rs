//! The Learning Records Service: typed operations over SOAP, under one organisation's identity.
//!
//! [`Lrs::call`] takes an [`Operation`] and whom it is for, and gives back the operation's typed answer or a classified
//! [`Failure`]. An operation is its request, a record of the domain: [`Operation`] says what one consists of,
//! [`learner_service`], [`learner_service_r9`] and [`external_service`] hold those of each service. [`soap`] is the XML underneath, [`codes`]
//! what LRS's codes mean.

mod client;
pub mod codes;
pub mod external_service;
mod failure;
pub mod learner_service;
pub mod learner_service_r9;
mod operation;
pub mod soap;

pub use client::{CallFailed, DEFAULT_BATCH_TIMEOUT, DEFAULT_MAX_ANSWER_BYTES, DEFAULT_TIMEOUT, Lrs, LrsSettings, read_answer};
pub use failure::Failure;
pub use operation::{Answer, Context, Operation, Service, Vendor};
