//! Builds the parts of the gateway from the configuration file.

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
use crate::lrs::Lrs;
use crate::lrs::http_client::HttpClientFactory;
use crate::lrs::maintenance::MaintenanceWindow;
use crate::organisations::{LoadReport, OrganisationRegistry, OrganisationWatcher};
use crate::rate_limit::{Limit, RateLimiter, Rates};
use crate::server::certificate::ServerCertificate;
use crate::server::cors::Cors;
use crate::storage::Storage;

/// The parts of the gateway, as configured and checked.
#[derive(Debug)]
pub struct Config {
    /// Address of the API.
    pub listen: SocketAddr,
    /// Address of the admin listener.
    pub admin_listen: SocketAddr,
    /// Time between a shutdown request and the end of new requests.
    pub drain: Duration,
    /// Number of threads that serve the API.
    pub workers: usize,
    /// The API's certificate; `None` for plain HTTP.
    pub tls: Option<ServerCertificate>,
    /// Problem of a certificate that can be used, but that clients will refuse.
    pub tls_problem: Option<String>,
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
    /// Problems of the other organisations. They do not stop the gateway: it serves the organisations that can be used.
    pub organisation_problems: Vec<String>,
    /// Remarks for `check-config`, beside problems.
    pub remarks: Vec<String>,
}

impl Config {
    /// Loads a configuration file, the environment, and every file that they name.
    ///
    /// # Errors
    /// Returns every problem, each with its setting, if one of them stops the gateway.
    pub fn load(path: &Path) -> Result<Self, Vec<String>> {
        let ReadFile { settings, base, problems } = read_file(path)?;
        let mut problems = Problems(problems);

        let verifier = problems.collect(issuers::verifier(&settings, &base));
        let lrs = problems.collect(lrs_settings(&settings.lrs));
        problems.0.extend(validate(&settings));
        let http_clients = http_clients(&settings.lrs, &base, &mut problems);
        let tls = settings
            .server
            .tls
            .as_ref()
            .and_then(|tls| problems.collect_one(ServerCertificate::load(base.join(&tls.certificate_file), base.join(&tls.key_file))));
        let (tls_remark, tls_problem) = match tls.as_ref().map(ServerCertificate::check_validity) {
            None => (None, None),
            Some(Ok(remark)) => (Some(remark), None),
            Some(Err(problem)) => (None, Some(problem)),
        };
        let storage = problems.collect(redis::open(&settings.store, &base));
        let audit = problems.collect(audit::read(&settings.audit, &base));
        let organisations = http_clients.and_then(|clients| problems.collect_one(load_organisations(&settings, &base, clients)));
        if problems.0.is_empty() {
            problems.0.extend(organisations.as_ref().and_then(Organisations::none_found));
        }
        match (verifier, lrs, storage, audit, organisations) {
            (Some(verifier), Some(lrs), Some(storage), Some(audit), Some(organisations)) if problems.0.is_empty() => Ok(Self {
                listen: settings.server.listen,
                admin_listen: settings.server.admin_listen,
                drain: Duration::from_secs(settings.server.drain_seconds),
                workers: settings.server.workers.unwrap_or_else(available_cores),
                tls,
                tls_problem,
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
                organisation_problems: organisations.report.problems,
                remarks: tls_remark.into_iter().chain(organisations.report.remarks).collect(),
            }),
            (.., organisations) => {
                let Problems(mut problems) = problems;
                problems.extend(tls_problem);
                problems.extend(organisations.into_iter().flat_map(|organisations| organisations.report.problems));
                Err(problems)
            }
        }
    }
}

/// Problems found so far. Loading goes on after a problem, so that every problem is reported in the same run.
struct Problems(Vec<String>);

impl Problems {
    fn collect<T>(&mut self, result: Result<T, Vec<String>>) -> Option<T> {
        result.map_err(|problems| self.0.extend(problems)).ok()
    }

    fn collect_one<T>(&mut self, result: Result<T, String>) -> Option<T> {
        self.collect(result.map_err(|problem| vec![problem]))
    }
}

/// Builds the HTTP client factory for LRS. If the CA file cannot be used, the factory trusts the default authorities, so that the
/// organisations' files can still be checked.
fn http_clients(section: &LrsSection, base: &Path, problems: &mut Problems) -> Option<HttpClientFactory> {
    let connect_timeout = Duration::from_secs(section.connect_timeout_seconds);
    let ca_file = section.ca_certificate_file.as_ref().map(|file| base.join(file));
    let factory = |ca_file: Option<&Path>| HttpClientFactory::with_backend(section.tls_backend, ca_file, connect_timeout);
    problems
        .collect_one(factory(ca_file.as_deref()).map_err(|problem| format!("lrs.ca_certificate_file: {problem}")))
        .or_else(|| problems.collect_one(factory(None)))
}

/// The organisations that were loaded from their directory.
struct Organisations {
    registry: OrganisationRegistry,
    watcher: OrganisationWatcher,
    report: LoadReport,
    directory: String,
}

impl Organisations {
    /// Returns a problem if the directory contains no organisation, not even one with a problem.
    fn none_found(&self) -> Option<String> {
        let is_empty = self.registry.is_empty() && self.report.problems.is_empty();
        is_empty.then(|| format!("organisations.directory: {}: contains no organisation", self.directory))
    }
}

fn load_organisations(settings: &ConfigFile, base: &Path, http_clients: HttpClientFactory) -> Result<Organisations, String> {
    let directory = base.join(&settings.organisations.directory);
    let certificates_required = settings.lrs.environment.requires_client_certificates();
    let registry = OrganisationRegistry::default();
    let mut watcher = OrganisationWatcher::new(directory.clone(), Arc::new(http_clients), certificates_required);
    let report = watcher.load(&registry).map_err(|problem| format!("organisations.directory: {problem}"))?;
    Ok(Organisations { registry, watcher, report, directory: directory.display().to_string() })
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
