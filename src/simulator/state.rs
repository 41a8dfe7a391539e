//! The state of a running simulator.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use crate::lrs::Service;
use crate::simulator::fault::Fault;
use crate::simulator::fault_injection::{ActiveFault, FaultInjector, RequestCounts};
use crate::simulator::jobs::BatchJobs;
use crate::simulator::learner_register::LearnerRegister;
use crate::simulator::scenario::FaultStep;
use crate::simulator::simulated_organisation::SimulatedOrganisation;
use crate::simulator::wsdl::WsdlFiles;

/// A simulated LRS.
#[derive(Debug)]
pub struct Simulator {
    organisations: Vec<SimulatedOrganisation>,
    register: Mutex<LearnerRegister>,
    jobs: Mutex<BatchJobs>,
    fault_injector: Mutex<FaultInjector>,
    certificate_counts: Mutex<CertificateCounts>,
    min_latency: Duration,
    wsdl: Option<WsdlFiles>,
}

/// Number of requests by organisation (UKPRN or LRS reference of the message) and subject of the client certificate.
type CertificateCounts = BTreeMap<(String, String), usize>;

impl Simulator {
    /// Returns a simulator with these organisations, learners and job duration.
    pub fn new(organisations: Vec<SimulatedOrganisation>, register: LearnerRegister, job_duration: Duration) -> Self {
        Self {
            organisations,
            register: Mutex::new(register),
            jobs: Mutex::new(BatchJobs::new(job_duration)),
            fault_injector: Mutex::default(),
            certificate_counts: Mutex::default(),
            min_latency: Duration::ZERO,
            wsdl: None,
        }
    }

    /// Sets the minimum latency of all SOAP responses.
    #[must_use]
    pub fn with_min_latency(self, min_latency: Duration) -> Self {
        Self { min_latency, ..self }
    }

    /// Returns the minimum latency of all SOAP responses.
    pub const fn min_latency(&self) -> Duration {
        self.min_latency
    }

    /// Sets the WSDL files to serve.
    #[must_use]
    pub fn with_wsdl(self, wsdl: WsdlFiles) -> Self {
        Self { wsdl: Some(wsdl), ..self }
    }

    /// Returns the WSDL files to serve.
    pub const fn wsdl(&self) -> Option<&WsdlFiles> {
        self.wsdl.as_ref()
    }

    /// Returns the organisations that can call the simulator.
    pub fn organisations(&self) -> &[SimulatedOrganisation] {
        &self.organisations
    }

    /// Locks the learner register.
    pub fn register(&self) -> MutexGuard<'_, LearnerRegister> {
        self.register.lock()
    }

    /// Locks the batch jobs. A caller that needs the register too must lock the jobs first; the other order can deadlock.
    pub fn jobs(&self) -> MutexGuard<'_, BatchJobs> {
        self.jobs.lock()
    }

    /// Sets the job duration, also for jobs that were submitted before.
    pub fn set_job_duration(&self, duration: Duration) {
        self.jobs().set_duration(duration);
    }

    /// Counts a request for an organisation over a connection with a client certificate.
    pub fn count_certificate(&self, organisation: &str, subject: &str) {
        let mut counts = self.certificate_counts.lock();
        *counts.entry((organisation.to_owned(), subject.to_owned())).or_default() += 1;
    }

    /// Returns the number of requests by organisation and subject of the client certificate.
    pub fn certificate_counts(&self) -> CertificateCounts {
        self.certificate_counts.lock().clone()
    }

    /// Replaces the active faults. A request meets the first step that applies to it and is not used up.
    pub fn inject_faults(&self, steps: Vec<FaultStep>) {
        self.fault_injector.lock().set_steps(steps);
    }

    /// Removes all active faults.
    pub fn clear_faults(&self) {
        self.inject_faults(Vec::new());
    }

    /// Returns the active faults.
    pub fn active_faults(&self) -> Vec<ActiveFault> {
        self.fault_injector.lock().active_faults()
    }

    /// Returns the fault because of which another web site responds to every request to a service; `None` if LRS responds.
    pub fn closed_by(&self, service: Service) -> Option<Fault> {
        self.fault_injector.lock().closed_by(service)
    }

    /// Executes the next `count` requests with this element, such as `SubmitBatch`, but does not answer them.
    pub fn lose_answers(&self, element: &str, count: usize) {
        self.fault_injector.lock().lose_answers(element, count);
    }

    /// Returns the number of requests with this element that arrived, including those with a fault.
    pub fn request_count(&self, element: &str) -> usize {
        self.fault_injector.lock().request_count(element)
    }

    /// Returns the number of requests with this element that the simulator executed, including those that it rejected.
    pub fn executed_count(&self, element: &str) -> usize {
        self.fault_injector.lock().executed_count(element)
    }

    /// Returns the counts of all operations with at least one request.
    pub fn request_counts(&self) -> Vec<RequestCounts> {
        self.fault_injector.lock().request_counts()
    }

    /// Counts a request that arrived and returns the step that applies to it.
    pub fn request_arrived(&self, service: Service, element: &str) -> Option<FaultStep> {
        self.fault_injector.lock().request_arrived(service, element)
    }

    /// Counts a request that is executed.
    pub fn request_executed(&self, element: &str) {
        self.fault_injector.lock().request_executed(element);
    }

    /// Returns `true` if the answer to this request is to be lost, and counts it.
    pub fn take_lost_answer(&self, element: &str) -> bool {
        self.fault_injector.lock().take_lost_answer(element)
    }
}
