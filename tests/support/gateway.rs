//! A gateway in front of an LRS.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lrs_gateway::auth::{Algorithm, ClaimNames, Issuer, IssuerKey, Verifier};
use lrs_gateway::batches::{BatchService, BatchSettings};
use lrs_gateway::domain::{OrganisationRef, Product, Ukprn};
use lrs_gateway::lrs::audit::AuditLog;
use lrs_gateway::lrs::concurrency_limit::ConcurrencySettings;
use lrs_gateway::lrs::http_client::{HttpClientFactory, TlsBackend};
use lrs_gateway::lrs::maintenance::MaintenanceWindow;
use lrs_gateway::lrs::services::external::AchievementCodes;
use lrs_gateway::lrs::{CircuitBreakerSettings, Lrs, LrsSettings, Vendor};
use lrs_gateway::organisations::{ClientCertificate, Organisation, OrganisationPassword, OrganisationRegistry, OrganisationSettings};
use lrs_gateway::rate_limit::{Limit, RateLimiter, Rates};
use lrs_gateway::schema::Scalar as _;
use lrs_gateway::server::{self, ServerOptions};
use lrs_gateway::storage::Storage;

use super::caller::{AUDIENCE, Caller, ISSUER, PROVIDER, SECRET};
use super::{ANY_PORT, RunningServer};

/// A learning provider and an awarding organisation; the same as the simulator's.
pub const AWARDING: &str = "10088882";

/// How the gateway under test is made.
pub struct Options {
    pub timeout: Duration,
    pub max_response_bytes: usize,
    pub issuers: Vec<Issuer>,
    pub organisations: Vec<Organisation>,
    pub storage: Storage,
    pub rates: Rates,
    pub expected_replicas: u32,
    pub jobs: BatchSettings,
    pub achievement_codes: AchievementCodes,
    pub queue: ConcurrencySettings,
    pub breaker: CircuitBreakerSettings,
    pub max_retries: u32,
    pub maintenance: Vec<MaintenanceWindow>,
    pub audit: AuditLog,
    pub serving: ServerOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            max_response_bytes: 1024 * 1024,
            issuers: vec![hmac_issuer()],
            organisations: vec![
                organisation(
                    PROVIDER,
                    "demo-password-01",
                    &[Product::UlnManagement, Product::LearningEvents, Product::Verification, Product::RegistrationBatches],
                ),
                organisation(AWARDING, "demo-password-02", &[Product::Verification, Product::AchievementBatches]),
            ],
            storage: Storage::in_memory().expect("random numbers"),
            rates: unlimited(),
            expected_replicas: 1,
            jobs: fast_batches(),
            achievement_codes: AchievementCodes::default(),
            queue: ConcurrencySettings::default(),
            // What a call comes to should not depend on the calls before: who tests that, says so.
            breaker: CircuitBreakerSettings { failure_threshold: usize::MAX, ..CircuitBreakerSettings::default() },
            max_retries: 0,
            maintenance: Vec::new(),
            audit: AuditLog::disabled(),
            serving: ServerOptions::default(),
        }
    }
}

/// Paces at which tests need not wait.
pub fn fast_batches() -> BatchSettings {
    BatchSettings {
        initial_poll_interval: Duration::from_millis(20),
        max_poll_interval: Duration::from_millis(100),
        lease: Duration::from_secs(1),
        idle_poll_interval: Duration::from_millis(100),
        ..BatchSettings::default()
    }
}

/// Limits that no test meets by chance.
pub fn unlimited() -> Rates {
    let limit = Limit { per_minute: 10_000_000, burst: 1_000_000 };
    Rates { organisation: limit, person: limit, searches: limit }
}

/// Where the tests' tokens have what.
pub fn claim_names() -> ClaimNames {
    ClaimNames::default()
}

/// The issuer whose secret the tests know.
pub fn hmac_issuer() -> Issuer {
    Issuer::new(ISSUER, AUDIENCE, &[Algorithm::HS256], IssuerKey::from_hmac_secret(SECRET).expect("long enough"), claim_names())
}

/// An organisation without a certificate.
pub fn organisation(ukprn: &str, password: &str, products: &[Product]) -> Organisation {
    let transport = HttpClientFactory::new(None, Duration::from_secs(2)).expect("the web's roots");
    let ukprn = Ukprn::parse(ukprn).expect("a UKPRN");
    let password = OrganisationPassword::new(password).expect("16 characters");
    // The simulator knows the two of the demonstration by these.
    let references = [(PROVIDER, "DEMO01"), (AWARDING, "DEMO02")];
    let reference = references.iter().find(|(of, _)| *of == ukprn.as_str()).map(|(_, reference)| *reference);
    let reference = reference.map(|reference| OrganisationRef::parse(reference).expect("a reference"));
    let settings = OrganisationSettings {
        ukprn,
        name: "A test".into(),
        organisation_ref: reference,
        products: products.to_vec(),
        password,
        client_certificate: None,
    };
    Organisation::new(settings, &transport).expect("a client")
}

/// An organisation that finds learners at an LRS of this authority, with certificate and key of these files if it has them.
pub fn organisation_with_certificate(
    ukprn: &str,
    password: &str,
    backend: TlsBackend,
    ca_file: &Path,
    files: Option<(PathBuf, PathBuf)>,
) -> Organisation {
    let transport = HttpClientFactory::with_backend(backend, Some(ca_file), Duration::from_secs(2)).expect("a root");
    let client_certificate = files.map(|(certificate, key)| {
        let [certificate, key] = [certificate, key].map(|file| std::fs::read(file).expect("it is there"));
        ClientCertificate::from_pem(&certificate, &key).expect("they belong together")
    });
    let settings = OrganisationSettings {
        ukprn: Ukprn::parse(ukprn).expect("a UKPRN"),
        name: "A test".into(),
        organisation_ref: None,
        products: vec![Product::UlnManagement],
        password: OrganisationPassword::new(password).expect("16 characters"),
        client_certificate,
    };
    Organisation::new(settings, &transport).expect("a client")
}

/// The gateway, running.
pub struct TestGateway(RunningServer);

impl TestGateway {
    /// In front of the LRS at this address.
    pub fn to(lrs_url: &str) -> Self {
        Self::with(lrs_url, Options::default())
    }

    /// The same, made in another way.
    pub fn with(lrs_url: &str, options: Options) -> Self {
        let lrs = LrsSettings {
            base_url: lrs_url.to_owned(),
            timeout: options.timeout,
            batch_timeout: options.timeout,
            max_response_bytes: options.max_response_bytes,
            vendor: Vendor { id: 7, ..Vendor::default() },
            achievement_codes: options.achievement_codes,
            concurrency: options.queue,
            circuit_breaker: options.breaker,
            max_retries: options.max_retries,
            maintenance: options.maintenance,
        };
        let (verifier, registry) = (Verifier::new(options.issuers), OrganisationRegistry::new(options.organisations));
        let jobs = BatchService::with_storage(&options.storage, options.jobs);
        let limits = RateLimiter::new(options.rates, options.expected_replicas, &options.storage);
        let gateway =
            lrs_gateway::app::AppState::new(verifier, registry, Lrs::new(lrs).with_audit(options.audit), jobs, limits, &options.storage);
        Self(RunningServer::start(move || {
            gateway.verifier.refresh_keys_periodically();
            gateway.batch_worker().start();
            server::bind(ANY_PORT, options.serving, gateway).map(|bound| (bound.address, bound.server))
        }))
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// A person of the learning provider, with every scope.
    pub fn caller(&self) -> Caller {
        Caller::new(self.url())
    }
}
