//! The simulator's settings, and the construction of a simulator from them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::ServerConfig;

use crate::file_watch;
use crate::schema::Settings;
use crate::schema::deserialize::from_toml;
use crate::schema::toml::from_content;
use crate::simulator::jobs::DEFAULT_JOB_DURATION;
use crate::simulator::learner_record::NewLearner;
use crate::simulator::learner_register::{DEFAULT_REGISTRATION_WINDOW, LearnerRegister};
use crate::simulator::portal_jobs::PortalJob;
use crate::simulator::sample_learners::{DEFAULT_RANDOM_LEARNERS, add_sample_learners};
use crate::simulator::scenario::Scenario;
use crate::simulator::simulated_organisation::SimulatedOrganisation;
use crate::simulator::state::Simulator;
use crate::simulator::wsdl::WsdlFiles;
use crate::tls;

/// Maximum size of the settings file, which may contain a register of many learners.
const MAX_SETTINGS_BYTES: u64 = 64 * 1024 * 1024;

/// The settings of a simulator.
#[derive(Debug, Settings)]
#[setting(page)]
pub struct SimulatorSettings {
    /// Address of the services and of the control endpoints.
    #[setting(default = DEFAULT_LISTEN_ADDRESS)]
    pub listen: SocketAddr,
    /// Number of random learners; `0` for an empty register.
    #[setting(default = DEFAULT_RANDOM_LEARNERS)]
    pub invented_learners: usize,
    /// Time for which a search permits a registration.
    #[setting(default = DEFAULT_REGISTRATION_WINDOW.as_secs())]
    pub registration_window_seconds: u64,
    /// Time that must pass after a search with possible matches before the learner can be registered. LRS has such a wait; its length is not
    /// public.
    #[setting(default = 0)]
    pub possible_match_wait_seconds: u64,
    /// Duration of a batch job.
    #[setting(default = DEFAULT_JOB_DURATION.as_secs())]
    pub job_seconds: u64,
    /// Minimum latency of every SOAP response.
    #[setting(default = 0)]
    pub latency_milliseconds: u64,
    /// The certificate with which the simulator serves TLS. Without it, the simulator serves plain HTTP.
    pub tls: Option<TlsFiles>,
    /// The organisations that can call the simulator. Without this list, they are the two of the demonstration.
    #[setting(default = SimulatedOrganisation::demonstration(), shown_default = "the demonstration's two")]
    pub organisations: Vec<SimulatedOrganisation>,
    /// Learners to add to the register.
    #[setting(default = Vec::new())]
    pub learners: Vec<NewLearner>,
    /// Portal jobs. Each has `job_id`, `organisation` (UKPRN), `kind` (`registration-batches`, `verification-batches` or `achievement-batches`), and a
    /// list `[[portal_jobs.learners]]` or `[[portal_jobs.achievements]]` with the fields of the JSON batches in `snake_case`.
    #[setting(
        shown_default = "the demonstration's three, if there are invented learners",
        shown_values = "list of sections `[[portal_jobs]]`"
    )]
    pub portal_jobs: Option<Vec<PortalJob>>,
    /// TOML file of the scenario that is active from the start ([Fault injection](#fault-injection)).
    pub scenario_file: Option<PathBuf>,
    /// Directory with LRS's WSDL files, and XSD files if they import any, to serve at `?wsdl` and `?singleWsdl`.
    pub wsdl_directory: Option<PathBuf>,
}

/// The simulator's certificate, and the authorities of its clients' certificates.
#[derive(Debug, Settings)]
#[setting(page)]
pub struct TlsFiles {
    /// Certificate chain (PEM).
    pub certificate_file: PathBuf,
    /// Private key (PEM).
    pub key_file: PathBuf,
    /// Authorities (PEM). If they are given, clients must have a certificate of one of them.
    pub client_ca_file: Option<PathBuf>,
}

const DEFAULT_LISTEN_ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);

/// The settings of an empty file.
impl Default for SimulatorSettings {
    fn default() -> Self {
        from_toml(toml::Table::new()).expect("every setting has a default")
    }
}

impl SimulatorSettings {
    /// Loads the settings from a file. Paths in the file are relative to its directory.
    ///
    /// # Errors
    /// Returns every error of the file.
    pub fn load(path: &Path) -> Result<Self, Vec<String>> {
        let mut settings: Self = from_content(path, file_watch::read_up_to(path, MAX_SETTINGS_BYTES))?;
        let directory = path.parent().unwrap_or(Path::new(""));
        settings.scenario_file = settings.scenario_file.map(|file| directory.join(file));
        settings.wsdl_directory = settings.wsdl_directory.map(|wsdls| directory.join(wsdls));
        if let Some(tls) = &mut settings.tls {
            tls.certificate_file = directory.join(&tls.certificate_file);
            tls.key_file = directory.join(&tls.key_file);
            tls.client_ca_file = tls.client_ca_file.as_ref().map(|file| directory.join(file));
        }
        Ok(settings)
    }

    /// Builds the simulator.
    ///
    /// # Errors
    /// Returns the first setting that does not fit the others, such as a ULN or a job number that is used twice; every error of the scenario
    /// file, one per line; or the reason why the WSDL files cannot be used.
    pub fn build_simulator(&self) -> Result<Simulator, String> {
        for organisation in &self.organisations {
            organisation.check_password().map_err(|problem| format!("organisations: {}: password {problem}", organisation.ukprn))?;
        }
        let mut simulator = Simulator::new(self.organisations.clone(), self.build_register()?, Duration::from_secs(self.job_seconds))
            .with_min_latency(Duration::from_millis(self.latency_milliseconds));
        if let Some(directory) = &self.wsdl_directory {
            simulator = simulator.with_wsdl(WsdlFiles::read(directory)?);
        }
        self.add_portal_jobs(&simulator)?;
        if let Some(file) = &self.scenario_file {
            let Scenario { steps } = from_content(file, file_watch::read(file)).map_err(|errors| errors.join("\n"))?;
            simulator.inject_faults(steps);
        }
        Ok(simulator)
    }

    fn build_register(&self) -> Result<LearnerRegister, String> {
        let mut register = LearnerRegister::default();
        register.set_registration_window(Duration::from_secs(self.registration_window_seconds));
        register.set_possible_match_wait(Duration::from_secs(self.possible_match_wait_seconds));
        add_sample_learners(&mut register, self.invented_learners);
        // Master records are added first, so that merged records find them.
        let numbered = (1..).zip(&self.learners);
        let (merged, masters): (Vec<_>, Vec<_>) = numbered.partition(|(_, learner)| learner.merged_into.is_some());
        for (number, learner) in masters.into_iter().chain(merged) {
            if learner.merged_into.as_ref().is_some_and(|master| register.look_up(master.as_str()).is_none()) {
                return Err(format!("learners: merged_into of learner {number} is not the ULN of a learner in the register"));
            }
            register.add(learner).map_err(|_| "learners: two learners have the same ULN: give each learner its own".to_owned())?;
        }
        Ok(register)
    }

    fn add_portal_jobs(&self, simulator: &Simulator) -> Result<(), String> {
        let default_jobs = || if self.invented_learners > 0 { PortalJob::demonstration() } else { Vec::new() };
        let (mut jobs, mut register) = (simulator.jobs(), simulator.register());
        for job in self.portal_jobs.clone().unwrap_or_else(default_jobs) {
            job.add_to(&mut jobs, &mut register).map_err(|problem| format!("portal_jobs: job {}: {problem}", job.job_id))?;
        }
        Ok(())
    }
}

impl TlsFiles {
    /// Reads the files and returns the TLS configuration of a server.
    ///
    /// # Errors
    /// Returns a text that says which file cannot be used and why.
    pub fn server_config(&self) -> Result<ServerConfig, String> {
        tls::server_config(&self.certificate_file, &self.key_file, self.client_ca_file.as_deref())
    }
}
