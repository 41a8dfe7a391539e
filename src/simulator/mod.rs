//! The LRS simulator: a stateful register of learners behind LRS's SOAP services, for development and tests.
//!
//! A request takes this path:
//!
//! 1. `endpoints` reads the SOAP message (`soap_request`). The element in its body is the operation. `http_binding` checks the media type and
//!    the `SOAPAction`; `pages` answers `GET` requests, also with the `wsdl` files.
//! 2. `fault_injection` chooses the fault of the active `scenario` that applies to the request, if there is one.
//!    `fault_responses` then replaces or damages the response.
//! 3. `services` executes the operation: it validates the message against LRS's `schema`, checks the `credentials`, and reads or
//!    changes the `learner_register` or the `jobs`.
//!
//! The simulator simplifies LRS where LRS's rules are not public: the matching of learners, the similarity of names, most return codes of
//! batches, and the rules for achievements. It processes a job on submission and only delays the results. `docs/SIMULATOR.md` lists what is
//! copied from LRS, every simplification, the settings and the control endpoints. Read `settings` next to see how a simulator is built,
//! and `state` to see what it holds.
//!
//! Of the gateway, the simulator uses only the domain's values, the wire types of LRS's messages, the reader of settings and JSON, and TLS.
//! Its message schemas and rules are its own, so that a mistake in the gateway is not repeated here.

mod achievement_batches;
mod connection;
mod control;
mod credentials;
mod endpoints;
mod fault;
mod fault_injection;
mod fault_responses;
mod http_binding;
mod jobs;
mod learner_batches;
mod learner_record;
mod learner_register;
mod learner_search;
mod operations;
mod pages;
mod portal_jobs;
mod refusals;
mod sample_events;
mod sample_learners;
mod scenario;
mod schema;
mod server;
mod services;
mod settings;
mod simulated_organisation;
mod soap_faults;
mod soap_request;
mod soap_response;
mod state;
mod submitted_achievement;
mod timestamps;
mod verification;
mod wsdl;

pub use control::CONTROL_PATH;
pub use endpoints::execute_message;
pub use fault::Fault;
pub use fault_injection::{ActiveFault, RequestCounts};
pub use jobs::{BatchJobs, Submission};
pub use learner_record::NewLearner;
pub use learner_register::LearnerRegister;
pub use operations::{OPERATIONS, REFUSED_OPERATIONS, soap_action};
pub use portal_jobs::PortalJob;
pub use scenario::{FaultStep, Scenario};
pub use server::bind;
pub use settings::{SimulatorSettings, TlsFiles};
pub use simulated_organisation::SimulatedOrganisation;
pub use state::Simulator;
