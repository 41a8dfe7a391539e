//! What a simulator is made of: organisations, learners, and its own TLS.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::Simulator;
use super::people;
use super::register::{DEFAULT_WINDOW, NewLearner, Register};
use crate::domain::{OrganisationRef, Ukprn};
use crate::form::form;
use crate::form::read::from_toml;
use crate::organisations::{Product, in_words};

form! {
    /// A simulator's configuration file.
    #[derive(Debug)]
    pub struct Settings {
        /// Where it listens.
        pub listen: SocketAddr = default_listen(),
        /// How many invented learners the register begins with.
        pub invented_learners: usize = people::DEFAULT_COUNT,
        /// How many seconds after a search by demographics a learner may be registered.
        pub registration_window_seconds: u64 = DEFAULT_WINDOW.as_secs(),
        /// Serve TLS instead of plain HTTP.
        pub tls: Option<TlsFiles>,
        /// Who may call; the demonstration's two organisations if nobody is named.
        pub organisations: Vec<SimulatedOrganisation> = SimulatedOrganisation::demonstration(),
        /// More learners.
        pub learners: Vec<NewLearner> = Vec::new(),
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
        let at = |problem: String| format!("{}: {problem}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| vec![at(format!("cannot be read: {error}"))])?;
        let table = text.parse::<toml::Table>().map_err(|error| vec![at(format!("not well-formed TOML: {}", error.message()))])?;
        let mut settings: Self =
            from_toml(table).map_err(|mistakes| mistakes.iter().map(|mistake| at(in_words(mistake))).collect::<Vec<_>>())?;
        if let (Some(tls), Some(directory)) = (&mut settings.tls, path.parent()) {
            tls.certificate_file = directory.join(&tls.certificate_file);
            tls.key_file = directory.join(&tls.key_file);
            tls.client_ca_file = tls.client_ca_file.as_ref().map(|file| directory.join(file));
        }
        Ok(settings)
    }

    /// The simulator these settings describe.
    ///
    /// # Errors
    /// When two learners have the same ULN.
    pub fn simulator(&self) -> Result<Simulator, String> {
        let mut register = Register::default();
        register.set_registration_window(Duration::from_secs(self.registration_window_seconds));
        people::settle(&mut register, self.invented_learners);
        for learner in &self.learners {
            register.add(learner.clone()).map_err(|_| "two learners have the same ULN: each needs its own".to_owned())?;
        }
        Ok(Simulator::new(self.organisations.clone(), register))
    }
}

impl TlsFiles {
    /// The TLS configuration of a server with these files.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn server_config(&self) -> Result<ServerConfig, String> {
        let provider = crate::organisations::provider();
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match &self.client_ca_file {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(certificates(file)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()
                    .map_err(|error| format!("{}: {error}", file.display()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let key = PrivateKeyDer::from_pem_file(&self.key_file).map_err(|error| format!("{}: {error}", self.key_file.display()))?;
        builder.with_single_cert(certificates(&self.certificate_file)?, key).map_err(|error| error.to_string())
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<_, _>>).map_err(|error| format!("{}: {error}", file.display()))
}

impl SimulatedOrganisation {
    /// The two organisations of the demonstration: a learning provider and an awarding organisation.
    ///
    /// # Panics
    /// Never: the constants are valid.
    pub fn demonstration() -> Vec<Self> {
        use crate::form::Value as _;
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
