//! An LRS to develop and test against: a stateful register behind real SOAP.
//!
//! A message is judged as LRS judges it: its form first ([`schema`]), then the organisation's credentials, then the
//! operation ([`service`]) works on the [`register`]. What happens to a request instead is a [`scenario`]'s.
//! `docs/SIMULATOR.md` says what is copied from LRS and where the
//! simulator pretends. It shares the domain's values and the SOAP layer with the gateway, and nothing else.

mod achievements;
mod batches;
mod connection;
mod control;
mod endpoints;
mod fault_injection;
mod fault_responses;
mod jobs;
mod learner_record;
pub mod learner_register;
mod portal;
mod sample_learners;
pub mod scenario;
pub mod schema;
mod services;
mod settings;
mod soap_faults;
mod verification;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::web::{self, Data, PayloadConfig};
use actix_web::{App, HttpServer};
use parking_lot::{Mutex, MutexGuard};

use crate::lrs::Service;

use fault_injection::FaultInjector;
pub use fault_injection::{ActiveFault, Countdown};
pub use jobs::{Jobs, Submission};
pub use learner_register::Register;
pub use portal::PortalJob;
pub use scenario::{Fault, FaultStep, Scenario};
pub use settings::{Settings, SimulatedOrganisation, TlsFiles};

/// Largest message the simulator reads: LRS's own limit is not public; 10,000 achievements are 4 MB.
const MAX_MESSAGE_BYTES: usize = 32 * 1024 * 1024;

/// A simulated LRS.
#[derive(Debug)]
pub struct Simulator {
    organisations: Vec<SimulatedOrganisation>,
    register: Mutex<Register>,
    jobs: Mutex<Jobs>,
    rehearsal: Mutex<FaultInjector>,
    shown: Mutex<Shown>,
    latency: Duration,
}

/// How many calls came for an organisation (by UKPRN or reference, as the message has it) with a certificate of this subject.
type Shown = BTreeMap<(String, String), usize>;

impl Simulator {
    /// An LRS that knows these organisations and learners, and whose jobs take this long.
    pub fn new(organisations: Vec<SimulatedOrganisation>, register: Register, jobs_take: Duration) -> Self {
        Self {
            organisations,
            register: Mutex::new(register),
            jobs: Mutex::new(Jobs::new(jobs_take)),
            rehearsal: Mutex::default(),
            shown: Mutex::default(),
            latency: Duration::ZERO,
        }
    }

    /// The same, but every answer takes at least this long.
    #[must_use]
    pub fn with_latency(self, latency: Duration) -> Self {
        Self { latency, ..self }
    }

    /// The register, for as long as the guard lives.
    pub fn register(&self) -> MutexGuard<'_, Register> {
        self.register.lock()
    }

    /// The batch jobs, for as long as the guard lives. Always taken before the register, never after it.
    pub fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock()
    }

    /// How many calls came for each organisation, as the messages name it, with which certificate, by its subject.
    pub fn shown(&self) -> Shown {
        self.shown.lock().clone()
    }

    /// A call has come for this organisation over a connection with this certificate.
    fn shows(&self, organisation: &str, subject: &str) {
        let mut shown = self.shown.lock();
        *shown.entry((organisation.to_owned(), subject.to_owned())).or_default() += 1;
    }

    /// Sets how long jobs take, those that have begun included.
    pub fn set_jobs_take(&self, duration: Duration) {
        self.jobs().set_duration(duration);
    }
}

/// Binds the simulator to an address; with TLS, if a configuration for it is given.
///
/// # Errors
/// When the address cannot be bound.
pub fn bind(listen: SocketAddr, tls: Option<rustls::ServerConfig>, simulator: Data<Simulator>) -> std::io::Result<(SocketAddr, Server)> {
    let listener = TcpListener::bind(listen)?;
    let address = listener.local_addr()?;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(simulator.clone())
            .app_data(PayloadConfig::new(MAX_MESSAGE_BYTES))
            .route(Service::Learner.path(), web::post().to(endpoints::learner_service))
            .route(Service::LearnerR9.path(), web::post().to(endpoints::learner_service_r9))
            .route(Service::External.path(), web::post().to(endpoints::external_service))
            .route(fault_responses::MAINTENANCE_PATH, web::to(|| async { fault_responses::maintenance_page() }))
            .configure(control::routes)
            .default_service(web::to(endpoints::no_such_service))
    })
    .workers(1)
    .on_connect(connection::remember);
    let server = match tls {
        None => server.listen(listener)?,
        Some(tls) => server.listen_rustls_0_23(listener, tls)?,
    };
    Ok((address, server.run()))
}
