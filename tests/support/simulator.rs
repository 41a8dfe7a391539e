//! A simulated LRS.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use actix_web::web::Data;
use lrs_gateway::domain::Product;
use lrs_gateway::schema::CodeList as _;
use lrs_gateway::schema::deserialize::from_json;
use lrs_gateway::simulator::{self, Fault, FaultStep, NewLearner, Simulator, SimulatorSettings};

use super::{ANY_PORT, RunningServer};

/// Returns settings of a simulator at which both organisations have every product.
pub fn settings_for_both_organisations() -> SimulatorSettings {
    let mut settings = SimulatorSettings::default();
    for organisation in &mut settings.organisations {
        organisation.products = Product::ALL.to_vec();
    }
    settings
}

/// Returns a SOAP request with the media type and the `SOAPAction` that LRS needs for this message.
pub fn soap_post(http: &reqwest::Client, url: String, message: String) -> reqwest::RequestBuilder {
    http.post(url).header("Content-Type", "text/xml; charset=utf-8").header("SOAPAction", quoted_action(&message)).body(message)
}

/// Returns the `SOAPAction` header of a message: that of the operation whose element it contains; empty if it contains none.
pub fn quoted_action(message: &str) -> String {
    let contains =
        |name: &str| [":", "<"].iter().any(|start| [" ", ">", "/"].iter().any(|end| message.contains(&format!("{start}{name}{end}"))));
    let operation = simulator::OPERATIONS.iter().find(|(name, _)| contains(name));
    format!("\"{}\"", operation.map_or_else(String::new, |(name, service)| simulator::soap_action(*service, name)))
}

/// A running simulator.
pub struct SimulatedLrs {
    address: SocketAddr,
    running: Option<RunningServer>,
    pub simulator: Data<Simulator>,
}

impl SimulatedLrs {
    /// Starts a simulator with the learners of the demonstration.
    pub fn start() -> Self {
        Self::with(&SimulatorSettings::default())
    }

    /// Starts a simulator with the learners of the demonstration, whose jobs are done as soon as they are submitted.
    pub fn with_instant_jobs() -> Self {
        let lrs = Self::start();
        lrs.simulator.set_job_duration(Duration::ZERO);
        lrs
    }

    /// Starts a simulator with these settings.
    pub fn with(settings: &SimulatorSettings) -> Self {
        let simulator = Data::new(settings.build_simulator().expect("the settings are valid"));
        let tls = settings.tls.as_ref().map(|tls| tls.server_config().expect("the TLS files are valid"));
        let served = simulator.clone();
        let running = RunningServer::start(move || simulator::bind(ANY_PORT, tls, served));
        Self { address: running.address, running: Some(running), simulator }
    }

    /// Starts a simulator with exactly these learners. They have the fields of a register file, as JSON.
    pub fn with_learners(learners: &[serde_json::Value]) -> Self {
        let learners = learners.iter().map(|learner| {
            from_json::<NewLearner>(learner.to_string().as_bytes()).unwrap_or_else(|errors| panic!("{learner}: {errors:?}"))
        });
        Self::with(&SimulatorSettings { invented_learners: 0, learners: learners.collect(), ..SimulatorSettings::default() })
    }

    /// Loses the next requests with this element: their connections are reset, and nothing is executed. Replaces all other faults.
    pub fn lose_requests(&self, element: &str, count: usize) {
        self.simulator.inject_faults(vec![FaultStep::new(Fault::ResetBefore).for_operation(element).times(count)]);
    }

    /// Returns the MIS identifiers of the records in each registration job of this type: `FUL` or `CHK`.
    pub fn registration_jobs(&self, job_type: &str) -> Vec<Vec<String>> {
        let jobs = self.simulator.jobs();
        let of_type = jobs.submissions().iter().filter(|submission| submission.job_type == job_type);
        of_type.map(|submission| submission.mis_identifiers.clone()).collect()
    }

    /// Stops listening and closes every connection.
    pub fn stop(&mut self) {
        self.running = None;
        while TcpStream::connect(self.address).is_ok() {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Listens again on the same port, with the same state.
    pub fn restart(&mut self) {
        let (address, served) = (self.address, self.simulator.clone());
        self.running = Some(RunningServer::start(move || simulator::bind(address, None, served)));
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
