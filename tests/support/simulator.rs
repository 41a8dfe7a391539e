//! A simulated LRS.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use actix_web::web::Data;
use lrs_gateway::domain::Product;
use lrs_gateway::schema::deserialize::from_json;
use lrs_gateway::simulator::{self, NewLearner, Simulator, SimulatorSettings};

use super::{ANY_PORT, RunningServer};

/// An LRS at which both organisations may do everything.
pub fn for_both_organisations() -> SimulatorSettings {
    let mut settings = SimulatorSettings::default();
    let products = [Product::UlnManagement, Product::RegistrationBatches, Product::LearningEvents, Product::Verification];
    for organisation in &mut settings.organisations {
        organisation.products.extend(products);
    }
    settings
}

/// The simulator, running.
pub struct SimulatedLrs {
    address: SocketAddr,
    running: Option<RunningServer>,
    pub simulator: Data<Simulator>,
}

impl SimulatedLrs {
    /// With the learners of the demonstration.
    pub fn start() -> Self {
        Self::with(&SimulatorSettings::default())
    }

    /// As these settings say.
    pub fn with(settings: &SimulatorSettings) -> Self {
        let simulator = Data::new(settings.build_simulator().expect("valid settings"));
        let tls = settings.tls.as_ref().map(|tls| tls.server_config().expect("valid files"));
        let served = simulator.clone();
        let running = RunningServer::start(move || simulator::bind(ANY_PORT, tls, served));
        Self { address: running.address, running: Some(running), simulator }
    }

    /// With these learners, in the words of a register file but as JSON, and nobody else.
    pub fn with_learners(learners: &[serde_json::Value]) -> Self {
        let learners = learners.iter().map(|learner| {
            from_json::<NewLearner>(learner.to_string().as_bytes()).unwrap_or_else(|mistakes| panic!("{learner}: {mistakes:?}"))
        });
        Self::with(&SimulatorSettings { invented_learners: 0, learners: learners.collect(), ..SimulatorSettings::default() })
    }

    /// Dies: nobody listens any more, and every connection ends.
    pub fn stop(&mut self) {
        self.running = None;
        while TcpStream::connect(self.address).is_ok() {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Listens again where it did, and knows what it knew.
    pub fn restart(&mut self) {
        let (address, served) = (self.address, self.simulator.clone());
        self.running = Some(RunningServer::start(move || simulator::bind(address, None, served)));
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
