//! A gateway in front of an LRS: the real server, with a configuration that suits tests.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lrs_gateway::app::AppState;
use lrs_gateway::auth::{Algorithm, ClaimNames, Issuer, IssuerKey, Verifier};
use lrs_gateway::batches::repository::BatchRepository;
use lrs_gateway::batches::{BatchService, BatchSettings};
use lrs_gateway::domain::{OrganisationRef, Product, Ukprn};
use lrs_gateway::idempotency::{IdempotencyStore, ReservationTimes};
use lrs_gateway::lrs::audit::AuditLog;
use lrs_gateway::lrs::concurrency_limit::ConcurrencySettings;
use lrs_gateway::lrs::http_client::{HttpClientFactory, TlsBackend};
use lrs_gateway::lrs::maintenance::MaintenanceWindow;
use lrs_gateway::lrs::services::external::AchievementCodes;
use lrs_gateway::lrs::{CircuitBreakerSettings, DEFAULT_PROMPT_RESPONSE, Lrs, LrsAddress, LrsSettings, Vendor};
use lrs_gateway::organisations::{ClientCertificate, Organisation, OrganisationPassword, OrganisationRegistry, OrganisationSettings};
use lrs_gateway::rate_limit::{Limit, RateLimiter, Rates};
use lrs_gateway::schema::Scalar as _;
use lrs_gateway::server::{self, ServerOptions};
use lrs_gateway::storage::Storage;

use super::caller::{AUDIENCE, Caller, ISSUER, PROVIDER, SECRET};
use super::{ANY_PORT, RunningServer};

/// UKPRN of the demonstration's awarding organisation.
pub const AWARDING: &str = "10088882";

/// The configuration of a gateway under test.
pub struct Options {
    pub timeout: Duration,
    pub max_response_bytes: usize,
    /// Time after which a status 503 counts as late.
    pub prompt_response: Duration,
    pub issuers: Vec<Issuer>,
    pub organisations: Vec<Organisation>,
    pub storage: Storage,
    /// Repository of the batches. By default the gateway creates its own in `storage`.
    pub batch_repository: Option<Arc<dyn BatchRepository>>,
    pub rates: Rates,
    pub expected_replicas: u32,
    pub batches: BatchSettings,
    pub achievement_codes: AchievementCodes,
    pub concurrency: ConcurrencySettings,
    pub circuit_breaker: CircuitBreakerSettings,
    pub max_retries: u32,
    pub maintenance: Vec<MaintenanceWindow>,
    pub audit: AuditLog,
    pub server: ServerOptions,
    pub reservation_times: ReservationTimes,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            max_response_bytes: 1024 * 1024,
            prompt_response: DEFAULT_PROMPT_RESPONSE,
            issuers: vec![hmac_issuer()],
            organisations: vec![
                organisation(
                    PROVIDER,
                    "demo-password-01",
                    &[
                        Product::UlnManagement,
                        Product::LearningEvents,
                        Product::Verification,
                        Product::VerificationBatches,
                        Product::RegistrationBatches,
                        Product::RetrieveUlns,
                    ],
                ),
                organisation(
                    AWARDING,
                    "demo-password-02",
                    &[Product::Verification, Product::VerificationBatches, Product::AchievementBatches],
                ),
            ],
            storage: Storage::in_memory().expect("random numbers are available"),
            batch_repository: None,
            rates: unlimited(),
            expected_replicas: 1,
            batches: fast_batches(),
            achievement_codes: AchievementCodes::default(),
            concurrency: ConcurrencySettings::default(),
            // The outcome of a call must not depend on earlier calls. Tests of the circuit breaker set their own threshold.
            circuit_breaker: CircuitBreakerSettings { failure_threshold: usize::MAX, ..CircuitBreakerSettings::default() },
            max_retries: 0,
            maintenance: Vec::new(),
            audit: AuditLog::disabled(),
            server: ServerOptions::default(),
            reservation_times: ReservationTimes::default(),
        }
    }
}

/// Returns batch settings with short intervals.
pub fn fast_batches() -> BatchSettings {
    BatchSettings {
        initial_poll_interval: Duration::from_millis(20),
        max_poll_interval: Duration::from_millis(100),
        reconciliation_delay: Duration::from_millis(50),
        unfinished_job_grace: Duration::from_millis(500),
        lease: Duration::from_secs(1),
        idle_poll_interval: Duration::from_millis(100),
        ..BatchSettings::default()
    }
}

/// Returns rate limits that no test reaches.
pub fn unlimited() -> Rates {
    let limit = Limit { per_minute: 10_000_000, burst: 1_000_000 };
    Rates { organisation: limit, person: limit, searches: limit }
}

/// Returns the claim names of the tests' tokens.
pub fn claim_names() -> ClaimNames {
    ClaimNames::default()
}

/// Returns the issuer of the tests' tokens that are signed with a shared secret.
pub fn hmac_issuer() -> Issuer {
    let key = IssuerKey::from_hmac_secret(SECRET).expect("the secret is long enough");
    Issuer::new(ISSUER, AUDIENCE, &[Algorithm::HS256], key, claim_names())
}

/// Returns an organisation without a client certificate.
pub fn organisation(ukprn: &str, password: &str, products: &[Product]) -> Organisation {
    let http_clients = HttpClientFactory::new(None, Duration::from_secs(2)).expect("the web's root certificates are available");
    organisation_from(&http_clients, ukprn, password, products)
}

/// Returns an organisation without a client certificate, whose connections this factory creates.
pub fn organisation_from(http_clients: &HttpClientFactory, ukprn: &str, password: &str, products: &[Product]) -> Organisation {
    // The simulator has these references for the organisations of the demonstration.
    let references = [(PROVIDER, "DEMO01"), (AWARDING, "DEMO02")];
    let reference = references.iter().find(|(organisation, _)| *organisation == ukprn).map(|(_, reference)| *reference);
    let settings = OrganisationSettings {
        ukprn: Ukprn::parse(ukprn).expect("the UKPRN is valid"),
        name: "A test".into(),
        organisation_ref: reference.map(|reference| OrganisationRef::parse(reference).expect("the reference is valid")),
        products: products.to_vec(),
        password: OrganisationPassword::new(password).expect("the password is valid"),
        client_certificate: None,
    };
    Organisation::new(settings, http_clients).expect("the client is created")
}

/// Returns an organisation with the product for finding learners. It trusts an LRS with a certificate of this authority, and has a client
/// certificate if `files` (certificate and key) are given.
pub fn organisation_with_certificate(
    ukprn: &str,
    password: &str,
    backend: TlsBackend,
    ca_file: &Path,
    files: Option<(PathBuf, PathBuf)>,
) -> Organisation {
    let http_clients =
        HttpClientFactory::with_backend(backend, Some(ca_file), Duration::from_secs(2)).expect("the root certificate is valid");
    let client_certificate = files.map(|(certificate, key)| {
        let [certificate, key] = [certificate, key].map(|file| std::fs::read(file).expect("the file is readable"));
        ClientCertificate::from_pem(&certificate, &key).expect("certificate and key match")
    });
    let settings = OrganisationSettings {
        ukprn: Ukprn::parse(ukprn).expect("the UKPRN is valid"),
        name: "A test".into(),
        organisation_ref: None,
        products: vec![Product::UlnManagement],
        password: OrganisationPassword::new(password).expect("the password is valid"),
        client_certificate,
    };
    Organisation::new(settings, &http_clients).expect("the client is created")
}

/// A running gateway.
pub struct TestGateway(RunningServer);

impl TestGateway {
    /// Starts a gateway in front of the LRS at this URL.
    pub fn to(lrs_url: &str) -> Self {
        Self::with(lrs_url, Options::default())
    }

    /// Starts a gateway with these options.
    pub fn with(lrs_url: &str, options: Options) -> Self {
        let lrs = LrsSettings {
            address: LrsAddress::new(lrs_url.to_owned()).expect("the address of a web server"),
            timeout: options.timeout,
            batch_timeout: options.timeout,
            max_response_bytes: options.max_response_bytes,
            prompt_response: options.prompt_response,
            vendor: Vendor { id: 7, ..Vendor::default() },
            achievement_codes: options.achievement_codes,
            concurrency: options.concurrency,
            circuit_breaker: options.circuit_breaker,
            max_retries: options.max_retries,
            maintenance: options.maintenance.into(),
        };
        let (verifier, registry) = (Verifier::new(options.issuers), OrganisationRegistry::new(options.organisations));
        let lrs = Lrs::new(lrs).with_audit(options.audit);
        let batches = match options.batch_repository {
            Some(repository) => BatchService::new(repository, &options.storage, options.batches),
            None => BatchService::with_storage(&options.storage, options.batches),
        };
        let rate_limits = RateLimiter::new(options.rates, options.expected_replicas, &options.storage);
        let mut state = AppState::new(verifier, registry, lrs, batches, rate_limits, &options.storage);
        state.idempotency = Arc::new(IdempotencyStore::new(&options.storage, options.reservation_times));
        Self(RunningServer::start(move || {
            state.verifier.refresh_keys_periodically();
            state.batch_worker().start();
            server::bind(&[ANY_PORT], options.server, state).map(|bound| (bound.addresses[0], bound.server))
        }))
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// Returns a caller: a user of the learning provider with every scope.
    pub fn caller(&self) -> Caller {
        Caller::new(self.url())
    }
}
