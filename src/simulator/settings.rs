//! What a simulator is made of: organisations, learners, and its own TLS.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::ServerConfig;

use crate::domain::{OrganisationRef, Ukprn};
use crate::organisations::{OrganisationPassword, Product};
use crate::schema::deserialize::from_toml;
use crate::schema::form;
use crate::schema::toml::from_file;
use crate::simulator::learner_register::{DEFAULT_WINDOW, NewLearner, Register};
use crate::simulator::{PortalJob, Scenario, Simulator, jobs, sample_learners};
use crate::tls;

form! {
    /// A simulator's configuration file.
    #[derive(Debug)]
    pub struct Settings {
        /// Where it listens.
        pub listen: SocketAddr = default_listen(),
        /// How many invented learners the register begins with.
        pub invented_learners: usize = sample_learners::DEFAULT_COUNT,
        /// How many seconds after a search by demographics a learner may be registered.
        pub registration_window_seconds: u64 = DEFAULT_WINDOW.as_secs(),
        /// How many seconds a batch job takes.
        pub job_seconds: u64 = jobs::DEFAULT_DURATION.as_secs(),
        /// How many milliseconds every SOAP answer takes at least.
        pub latency_milliseconds: u64 = 0,
        /// Serve TLS instead of plain HTTP.
        pub tls: Option<TlsFiles>,
        /// Who may call; the demonstration's two organisations if nobody is named.
        pub organisations: Vec<SimulatedOrganisation> = SimulatedOrganisation::demonstration(),
        /// More learners.
        pub learners: Vec<NewLearner> = Vec::new(),
        /// Jobs that were made in the portal; the demonstration's, if there are invented learners and nobody says otherwise.
        pub portal_jobs: Option<Vec<PortalJob>>,
        /// What is played from the start (TOML).
        pub scenario_file: Option<PathBuf>,
    }
}

form! {
    /// The simulator's own certificate, and whose certificates its clients must show.
    #[derive(Debug)]
    pub struct TlsFiles {
        /// Certificate chain, PEM.
        pub certificate_file: PathBuf,
        /// Private key, PEM.
        pub key_file: PathBuf,
        /// With this, clients must show a certificate of these authorities (PEM).
        pub client_ca_file: Option<PathBuf>,
    }
}

form! {
    /// An organisation the simulator lets in.
    #[derive(Clone)]
    pub struct SimulatedOrganisation {
        /// Its UKPRN.
        pub ukprn: Ukprn,
        /// Its LRS reference.
        pub organisation_ref: Option<OrganisationRef>,
        /// The password it must give.
        pub password: String,
        /// What it may use.
        pub products: Vec<Product>,
    }
}

impl std::fmt::Debug for SimulatedOrganisation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimulatedOrganisation").field("ukprn", &self.ukprn).finish_non_exhaustive()
    }
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8081))
}

/// What an empty file says.
impl Default for Settings {
    fn default() -> Self {
        from_toml(toml::Table::new()).expect("every setting has a default")
    }
}

impl Settings {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// Every problem of the file.
    pub fn load(path: &Path) -> Result<Self, Vec<String>> {
        let mut settings: Self = from_file(path)?;
        let directory = path.parent().unwrap_or(Path::new(""));
        settings.scenario_file = settings.scenario_file.map(|file| directory.join(file));
        if let Some(tls) = &mut settings.tls {
            tls.certificate_file = directory.join(&tls.certificate_file);
            tls.key_file = directory.join(&tls.key_file);
            tls.client_ca_file = tls.client_ca_file.as_ref().map(|file| directory.join(file));
        }
        Ok(settings)
    }

    /// The simulator these settings describe.
    ///
    /// # Errors
    /// When two learners have the same ULN, two jobs the same number, or something does not fit together; and, line by line,
    /// what is wrong with the scenario file.
    pub fn simulator(&self) -> Result<Simulator, String> {
        let mut register = Register::default();
        register.set_registration_window(Duration::from_secs(self.registration_window_seconds));
        sample_learners::settle(&mut register, self.invented_learners);
        for organisation in &self.organisations {
            OrganisationPassword::new(&organisation.password)
                .map_err(|invalid| format!("organisations: {}: password {}", organisation.ukprn, invalid.detail))?;
        }
        // Masters first, so that whoever was merged into them finds them.
        let (merged, masters): (Vec<_>, Vec<_>) = self.learners.iter().partition(|learner| learner.merged_into.is_some());
        for (number, learner) in masters.into_iter().chain(merged).enumerate() {
            if learner.merged_into.as_ref().is_some_and(|master| register.look_up(master.as_str()).is_none()) {
                return Err(format!("learners: merged_into of learner {} names nobody of the register", number + 1));
            }
            register.add(learner.clone()).map_err(|_| "learners: two have the same ULN: each needs its own".to_owned())?;
        }
        let simulator = Simulator::new(self.organisations.clone(), register, Duration::from_secs(self.job_seconds))
            .with_latency(Duration::from_millis(self.latency_milliseconds));
        self.do_portal_jobs(&simulator)?;
        if let Some(file) = &self.scenario_file {
            let Scenario { steps } = from_file(file).map_err(|problems| problems.join("\n"))?;
            simulator.play(steps);
        }
        Ok(simulator)
    }

    fn do_portal_jobs(&self, simulator: &Simulator) -> Result<(), String> {
        let demonstration = || if self.invented_learners > 0 { PortalJob::demonstration() } else { Vec::new() };
        let (mut jobs, mut register) = (simulator.jobs(), simulator.register());
        for job in self.portal_jobs.clone().unwrap_or_else(demonstration) {
            job.put_into(&mut jobs, &mut register).map_err(|problem| format!("portal_jobs: job {}: {problem}", job.job_id))?;
        }
        Ok(())
    }
}

impl TlsFiles {
    /// The TLS configuration of a server with these files.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn server_config(&self) -> Result<ServerConfig, String> {
        tls::server_config(&self.certificate_file, &self.key_file, self.client_ca_file.as_deref())
    }
}

impl SimulatedOrganisation {
    /// The two organisations of the demonstration: a learning provider and an awarding organisation.
    ///
    /// # Panics
    /// Never: the constants are valid.
    pub fn demonstration() -> Vec<Self> {
        use crate::schema::Scalar as _;
        let organisation = |ukprn, reference, password: &str, products: &[Product]| Self {
            ukprn: Ukprn::parse(ukprn).expect("a constant"),
            organisation_ref: Some(OrganisationRef::parse(reference).expect("a constant")),
            password: password.to_owned(),
            products: products.to_vec(),
        };
        vec![
            organisation(
                "10088881",
                "DEMO01",
                "demo-password-01",
                &[Product::UlnManagement, Product::RegistrationBatches, Product::LearningEvents, Product::Verification],
            ),
            organisation("10088882", "DEMO02", "demo-password-02", &[Product::Verification, Product::AchievementBatches]),
        ]
    }
}
