//! The Learning Records Service: typed operations over SOAP, under one organisation's identity.
//!
//! [`Lrs::call`] takes an [`Operation`] and whom it is for, and gives back the operation's typed answer or a classified
//! [`Failure`]. An operation is its request, a record of the domain: [`Operation`] says what one consists of,
//! [`learner_service`], [`learner_service_r9`] and [`external_service`] hold those of each service. [`soap`] is the XML underneath, [`codes`]
//! what LRS's codes mean.
//!
//! LRS's troubles are met on the way of every call: [`maintenance`] that is announced, a queue for the calls there may be at once, a
//! circuit breaker for each service, and retries where they do no harm. What is learnt of LRS meanwhile is its [`Status`].

pub mod audit;
mod circuit_breaker;
mod client;
pub mod codes;
pub mod concurrency_limit;
mod error;
pub mod http_client;
pub mod maintenance;
mod operation;
mod retry;
mod service_health;
pub mod services;
pub mod soap;

pub use circuit_breaker::CircuitBreakerSettings;
pub use client::{CallError, DEFAULT_BATCH_TIMEOUT, DEFAULT_MAX_RESPONSE_BYTES, DEFAULT_TIMEOUT, Lrs, LrsSettings, read_answer};
pub use error::LrsError;
pub use operation::{Effect, LrsResponse, MessageContext, Operation, Service, Vendor};
pub use retry::DEFAULT_MAX_RETRIES;
pub use service_health::{ASSUMED_MAINTENANCE, ServiceState, ServiceStatus};
