//! The client of the Learning Records Service (LRS): typed operations over SOAP, with the credentials of an organisation.
//!
//! [`Lrs::call`] takes an [`Operation`] and the context of the request. It returns the operation's typed response or a classified
//! [`CallError`]. An operation is the type of its request, a record of the domain. [`Operation`] declares the parts of an operation, and
//! [`services`] contains the operations of each service. [`soap`] is the XML layer, and [`response_codes`] lists the meanings of
//! LRS's codes.
//!
//! Every call passes the protections against failures of LRS: announced [`maintenance`], the [concurrency limit](concurrency_limit), a
//! circuit breaker for each service, and retries of reads. [`ServiceState`] is the resulting state of a service.

mod address;
pub mod audit;
mod call_log;
mod circuit_breaker;
mod client;
pub mod concurrency_limit;
mod error;
mod exchange;
pub mod http_client;
mod intermediary_response;
mod irregularities;
pub mod maintenance;
mod operation;
mod response_classification;
pub mod response_codes;
mod retry;
mod retry_after;
mod service_health;
pub mod services;
mod settings;
pub mod soap;

pub use address::LrsAddress;
pub use circuit_breaker::CircuitBreakerSettings;
pub use client::Lrs;
pub use error::{CallError, CertificateRejection, LrsError};
pub use exchange::location_origin;
pub use intermediary_response::{ResponseHead, iis_certificate_code};
pub use operation::{Effect, LrsResponse, MessageContext, Operation, Service, Vendor};
pub use response_classification::{classify_response, parse_response};
pub use retry::DEFAULT_MAX_RETRIES;
pub use retry_after::parse_retry_after;
pub use service_health::{ASSUMED_MAINTENANCE_DURATION, ServiceState, ServiceStatus};
pub use settings::{DEFAULT_BATCH_TIMEOUT, DEFAULT_MAX_RESPONSE_BYTES, DEFAULT_PROMPT_RESPONSE, DEFAULT_TIMEOUT, LrsSettings};
