//! Checks the configuration file and builds the parts of the gateway from it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::Verifier;
use crate::batches::{BatchService, BatchSettings};
use crate::config::audit::{self, AuditSettings};
use crate::config::file::{BatchesSection, ConfigFile, LimitsSection, LrsSection};
use crate::config::lrs::lrs_settings;
use crate::config::read::{ReadFile, read_file};
use crate::config::validate::validate;
use crate::config::{issuers, redis};
use crate::lrs::http_client::HttpClientFactory;
use crate::lrs::maintenance::MaintenanceWindow;
use crate::lrs::{Lrs, LrsSettings};
use crate::organisations::{LoadReport, OrganisationRegistry, OrganisationWatcher};
use crate::rate_limit::{Limit, RateLimiter, Rates};
use crate::server::certificate::ServerCertificate;
use crate::server::cors::Cors;
use crate::storage::Storage;

/// The parts of the gateway, as configured and checked.
#[derive(Debug)]
pub struct GatewayParts {
    /// Address of the API.
    pub listen: SocketAddr,
    /// Address of the admin listener.
    pub admin_listen: SocketAddr,
    /// Time after a shutdown request in which the gateway still takes requests, but is no longer ready.
    pub drain: Duration,
    /// Number of threads that serve the API.
    pub workers: usize,
    /// The API's certificate; `None` for plain HTTP.
    pub tls: Option<ServerCertificate>,
    /// Error of a certificate that can be used, but that clients will refuse.
    pub tls_error: Option<String>,
    /// Maximum number of connections to the API.
    pub max_connections: usize,
    /// Origins that may call the API from a browser.
    pub cors: Cors,
    /// Verifies bearer tokens.
    pub verifier: Verifier,
    /// LRS client.
    pub lrs: Lrs,
    /// Batch service.
    pub batches: BatchService,
    /// Rate limits.
    pub rate_limits: RateLimiter,
    /// Audit trail.
    pub audit: AuditSettings,
    /// The store that replicas share, or this process's memory.
    pub storage: Storage,
    /// The organisations that can be used.
    pub registry: OrganisationRegistry,
    /// Watches the organisations' files.
    pub organisation_watcher: OrganisationWatcher,
    /// Errors and warnings of the organisations' files. They do not stop the gateway: it serves the organisations that can be used.
    pub organisation_report: LoadReport,
    /// Remark about the API's certificate.
    pub tls_remark: Option<String>,
}

impl GatewayParts {
    /// Loads a configuration file, the environment, and every file that they name.
    ///
    /// # Errors
    /// Returns every error, each with its setting, if one of them stops the gateway.
    pub fn load(path: &Path) -> Result<Self, Vec<String>> {
        CheckedConfig::check(read_file(path)?).map(CheckedConfig::build)
    }
}

/// A configuration without an error that stops the gateway.
struct CheckedConfig {
    settings: ConfigFile,
    verifier: Verifier,
    lrs: LrsSettings,
    tls: Option<ServerCertificate>,
    storage: Storage,
    audit: AuditSettings,
    organisations: LoadedOrganisations,
}

impl CheckedConfig {
    fn check(file: ReadFile) -> Result<Self, Vec<String>> {
        let ReadFile { settings, base, errors } = file;
        let mut errors = ConfigErrors(errors);
        let verifier = errors.collect(issuers::verifier(&settings, &base));
        let lrs = errors.collect(lrs_settings(&settings.lrs));
        errors.0.extend(validate(&settings));
        let http_clients = http_clients(&settings.lrs, &base, &mut errors);
        let tls = settings
            .server
            .tls
            .as_ref()
            .and_then(|tls| errors.collect_one(ServerCertificate::load(base.join(&tls.certificate_file), base.join(&tls.key_file))));
        let storage = errors.collect(redis::open(&settings.store, &base));
        let audit = errors.collect(audit::read(&settings.audit, &base));
        let organisations = http_clients.and_then(|clients| errors.collect_one(load_organisations(&settings, &base, clients)));
        if errors.0.is_empty() {
            errors.0.extend(organisations.as_ref().and_then(LoadedOrganisations::none_found));
        }
        match (verifier, lrs, storage, audit, organisations) {
            (Some(verifier), Some(lrs), Some(storage), Some(audit), Some(organisations)) if errors.0.is_empty() => {
                Ok(Self { settings, verifier, lrs, tls, storage, audit, organisations })
            }
            // Any other error stops the start: the errors of organisations' files, which alone do not, are then reported with it.
            (.., organisations) => {
                errors.0.extend(tls.and_then(|tls| tls.check_validity().err()));
                let reports = organisations.into_iter().map(|organisations| organisations.report);
                errors.0.extend(reports.flat_map(|report| [report.errors, report.warnings].concat()));
                Err(errors.0)
            }
        }
    }

    fn build(self) -> GatewayParts {
        let Self { settings, verifier, lrs, tls, storage, audit, organisations } = self;
        let tls_validity = tls.as_ref().map(ServerCertificate::check_validity).transpose();
        let (tls_remark, tls_error) = tls_validity.map_or_else(|error| (None, Some(error)), |remark| (remark, None));
        GatewayParts {
            listen: settings.server.listen,
            admin_listen: settings.server.admin_listen,
            drain: Duration::from_secs(settings.server.drain_seconds),
            workers: settings.server.workers.unwrap_or_else(available_cores),
            tls,
            tls_remark,
            tls_error,
            max_connections: settings.server.max_connections,
            cors: Cors::new(settings.server.cors_origins),
            verifier,
            batches: BatchService::with_storage(&storage, batch_settings(&settings.batches, lrs.maintenance.clone())),
            lrs: Lrs::new(lrs),
            rate_limits: RateLimiter::new(rates(&settings.limits), settings.limits.expected_replicas, &storage),
            storage,
            audit,
            registry: organisations.registry,
            organisation_watcher: organisations.watcher,
            organisation_report: organisations.report,
        }
    }
}

/// The errors found so far. Checking goes on after an error, so that every error is reported in the same run.
struct ConfigErrors(Vec<String>);

impl ConfigErrors {
    fn collect<T>(&mut self, result: Result<T, Vec<String>>) -> Option<T> {
        result.map_err(|errors| self.0.extend(errors)).ok()
    }

    fn collect_one<T>(&mut self, result: Result<T, String>) -> Option<T> {
        self.collect(result.map_err(|error| vec![error]))
    }
}

/// Builds the HTTP client factory for LRS. If the CA file cannot be used, the factory trusts the default authorities, so that the
/// organisations' files can still be checked.
fn http_clients(section: &LrsSection, base: &Path, errors: &mut ConfigErrors) -> Option<HttpClientFactory> {
    let connect_timeout = Duration::from_secs(section.connect_timeout_seconds);
    let ca_file = section.ca_certificate_file.as_ref().map(|file| base.join(file));
    let factory = |ca_file: Option<&Path>| HttpClientFactory::with_backend(section.tls_backend, ca_file, connect_timeout);
    errors
        .collect_one(factory(ca_file.as_deref()).map_err(|error| format!("lrs.ca_certificate_file: {error}")))
        .or_else(|| errors.collect_one(factory(None)))
}

/// The organisations that were loaded from their directory.
struct LoadedOrganisations {
    registry: OrganisationRegistry,
    watcher: OrganisationWatcher,
    report: LoadReport,
    directory: String,
}

impl LoadedOrganisations {
    /// Returns an error if the directory contains no organisation, not even one with an error.
    fn none_found(&self) -> Option<String> {
        let is_empty = self.registry.is_empty() && self.report.errors.is_empty();
        is_empty.then(|| format!("organisations.directory: {}: contains no organisation", self.directory))
    }
}

fn load_organisations(settings: &ConfigFile, base: &Path, http_clients: HttpClientFactory) -> Result<LoadedOrganisations, String> {
    let directory = base.join(&settings.organisations.directory);
    let certificates_required = settings.lrs.environment.requires_client_certificates();
    let registry = OrganisationRegistry::default();
    let mut watcher = OrganisationWatcher::new(directory.clone(), Arc::new(http_clients), certificates_required);
    let report = watcher.load(&registry).map_err(|error| format!("organisations.directory: {error}"))?;
    Ok(LoadedOrganisations { registry, watcher, report, directory: directory.display().to_string() })
}

fn batch_settings(section: &BatchesSection, maintenance: Vec<MaintenanceWindow>) -> BatchSettings {
    BatchSettings {
        max_learners: section.max_learners,
        max_achievements: section.max_achievements,
        tracking_timeout: Duration::from_secs(section.tracking_timeout_seconds),
        retention: Duration::from_secs(section.retention_seconds),
        initial_poll_interval: Duration::from_secs(section.initial_poll_interval_seconds),
        max_poll_interval: Duration::from_secs(section.max_poll_interval_seconds),
        lease: Duration::from_secs(section.lease_seconds),
        max_concurrent_parts: section.max_concurrent_parts,
        max_concurrent_parts_per_organisation: section.max_concurrent_parts_per_organisation,
        maintenance,
        ..BatchSettings::default()
    }
}

const fn rates(section: &LimitsSection) -> Rates {
    Rates {
        organisation: Limit { per_minute: section.organisation_per_minute, burst: section.organisation_burst },
        person: Limit { per_minute: section.person_per_minute, burst: section.person_burst },
        searches: Limit { per_minute: section.searches_per_minute, burst: section.searches_burst },
    }
}

fn available_cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
