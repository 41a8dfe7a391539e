//! The Learning Records Service: typed operations over SOAP, under one organisation's identity.
//!
//! [`Lrs::call`] takes an [`Operation`] and whom it is for, and gives back the operation's typed answer or a classified
//! [`Failure`]. An operation is its request, a record of the domain: [`Operation`] says what one consists of,
//! [`learner_service`], [`learner_service_r9`] and [`external_service`] hold those of each service. [`soap`] is the XML underneath, [`codes`]
//! what LRS's codes mean.
//!
//! LRS's troubles are met on the way of every call: [`maintenance`] that is announced, a queue for the calls there may be at once, a
//! circuit breaker for each service, and retries where they do no harm. What is learnt of LRS meanwhile is its [`Status`].

pub(crate) mod alert;
mod breaker;
mod client;
pub mod codes;
pub mod external_service;
mod failure;
pub mod learner_service;
pub mod learner_service_r9;
pub mod maintenance;
mod operation;
mod retry;
pub mod soap;
mod state;

pub use breaker::BreakerSettings;
pub use client::{CallFailed, DEFAULT_BATCH_TIMEOUT, DEFAULT_MAX_ANSWER_BYTES, DEFAULT_TIMEOUT, Lrs, LrsSettings, read_answer};
pub use failure::Failure;
pub use operation::{Answer, Context, Operation, Service, Vendor};
pub use retry::DEFAULT_RETRIES;
pub use state::{CLOSED_FOR, ServiceState, Status};
