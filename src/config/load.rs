//! Builds the parts of the gateway from the configuration file.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::app::request_memory::RequestMemory;
use crate::auth::Verifier;
use crate::batches::{BatchService, BatchSettings};
use crate::config::audit::{self, AuditSettings};
use crate::config::file::{ConfigFile, LrsSection, ServerSection};
use crate::config::lrs::{lrs_settings, missing_settings};
use crate::config::maintenance_file::MaintenanceWatcher;
use crate::config::proxy::forward_proxy;
use crate::config::read::{ReadFile, read_file};
use crate::config::{issuers, redis, secrets};
use crate::lrs::Lrs;
use crate::lrs::http_client::{ForwardProxy, HttpClientFactory};
use crate::organisations::{LoadReport, LrsRequirements, OrganisationRegistry, OrganisationWatcher};
use crate::rate_limit::{RateLimiter, Rates};
use crate::schema::deserialize::OneOrMore;
use crate::server::certificate::ServerCertificate;
use crate::server::client_address::TrustedProxies;
use crate::server::connection_limits::ConnectionLimits;
use crate::server::cors::Cors;
use crate::server::public_url::PublicUrl;
use crate::storage::Storage;

/// The parts of the gateway, as configured and checked.
#[derive(Debug)]
pub struct GatewayParts {
    /// Addresses of the API.
    pub listen: OneOrMore<SocketAddr>,
    /// Addresses of the admin listener.
    pub admin_listen: OneOrMore<SocketAddr>,
    /// Time after a shutdown request in which the gateway still takes requests, but is no longer ready.
    pub drain: Duration,
    /// Number of threads that serve the API.
    pub workers: usize,
    /// The API's certificate; `None` for plain HTTP.
    pub tls: Option<ServerCertificate>,
    /// Error of a certificate that can be used, but that clients will refuse.
    pub tls_error: Option<String>,
    /// Limits of connections to the API.
    pub connection_limits: ConnectionLimits,
    /// Proxies whose header for the client's address is believed.
    pub trusted_proxies: TrustedProxies,
    /// Origins that may call the API from a browser.
    pub cors: Cors,
    /// Address at which callers reach the API.
    pub public_url: Option<PublicUrl>,
    /// Whether the API has its documentation site.
    pub has_docs: bool,
    /// Memory for request bodies.
    pub request_memory: RequestMemory,
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
    /// Watches the file of maintenance windows, if there is one.
    pub maintenance_watcher: Option<MaintenanceWatcher>,
    /// Errors and warnings of the organisations' files. They do not stop the gateway: it serves the organisations that can be used.
    pub organisation_report: LoadReport,
    /// Information and warnings for operators about the gateway's own files.
    pub remarks: Vec<String>,
}

impl GatewayParts {
    /// Loads a configuration file, the environment, and every file that they name.
    ///
    /// # Errors
    /// Returns every error, each with its setting, if one of them stops the gateway.
    pub fn load(path: &Path) -> Result<Self, Vec<String>> {
        let ReadFile { settings, base, errors } = read_file(path)?;
        let mut errors = ConfigErrors(errors);
        let proxy = errors.collect_one(forward_proxy(&settings.lrs, &base)).flatten();
        let verifier = errors.collect(issuers::verifier(&settings.auth.issuers, &base, proxy.as_ref()));
        let lrs = errors.collect_one(lrs_settings(&settings.lrs));
        let maintenance_file = settings.lrs.maintenance_file.as_ref().map(|file| base.join(file));
        let schedule = lrs.as_ref().map(|lrs| lrs.maintenance.clone()).unwrap_or_default();
        let maintenance_watcher = maintenance_file.and_then(|file| {
            let watcher = MaintenanceWatcher::load(file, schedule);
            errors.collect(watcher.map_err(|errors| errors.into_iter().map(|error| format!("lrs.maintenance_file: {error}")).collect()))
        });
        let http_clients = http_clients(&settings.lrs, &base, proxy.as_ref(), &mut errors);
        let tls_files = settings.server.tls.as_ref();
        let tls = tls_files.map(|files| ServerCertificate::load(base.join(&files.certificate_file), base.join(&files.key_file)));
        let tls = tls.and_then(|tls| errors.collect_one(tls));
        let tls_validity = tls.as_ref().map(ServerCertificate::check_validity).transpose();
        let storage = errors.collect(redis::open(&settings.store, lrs.as_ref().map_or("", |lrs| lrs.address.base_url()), &base));
        let audit = errors.collect(audit::read(&settings.audit, &base));
        let organisations = http_clients.and_then(|clients| errors.collect_one(load_organisations(&settings, &base, clients)));
        // Not even one organisation may be served with a guessed value.
        errors.0.extend(organisations.iter().flat_map(|organisations| &organisations.report.missing_settings).cloned());
        let secret_warnings = secrets::warnings(path, &settings, &base);
        match (verifier, lrs, storage, audit, organisations) {
            (Some(verifier), Some(lrs), Some(storage), Some(audit), Some(organisations)) if errors.0.is_empty() => {
                let ConfigFile { server, batches, limits, .. } = settings;
                let connection_limits = connection_limits(&server);
                let batch_settings = BatchSettings { maintenance: lrs.maintenance.clone(), ..BatchSettings::from(&batches) };
                let (tls_remark, tls_error) = tls_validity.map_or_else(|error| (None, Some(error)), |remark| (remark, None));
                Ok(Self {
                    listen: server.listen,
                    admin_listen: server.admin_listen,
                    drain: Duration::from_secs(server.drain_seconds),
                    workers: server.workers,
                    tls,
                    remarks: tls_remark.into_iter().chain(secret_warnings).collect(),
                    tls_error,
                    connection_limits,
                    trusted_proxies: TrustedProxies { networks: server.trusted_proxies, header: server.forwarded_header },
                    cors: Cors::new(server.cors_origins),
                    public_url: server.public_url,
                    has_docs: server.docs,
                    request_memory: RequestMemory::new(server.max_request_memory_mib * 1024 * 1024),
                    verifier,
                    batches: BatchService::with_storage(&storage, batch_settings),
                    lrs: Lrs::new(lrs),
                    rate_limits: RateLimiter::new(Rates::from(&limits), limits.expected_replicas, &storage),
                    storage,
                    audit,
                    registry: organisations.registry,
                    organisation_watcher: organisations.watcher,
                    maintenance_watcher,
                    organisation_report: organisations.report,
                })
            }
            // Any other error stops the start: the errors of organisations' files, which alone do not, are then reported with it.
            (.., organisations) => {
                errors.0.extend(tls_validity.err());
                let reports = organisations.into_iter().map(|organisations| organisations.report);
                errors.0.extend(reports.flat_map(|report| [report.errors, report.warnings].concat()));
                Err(errors.0)
            }
        }
    }
}

fn connection_limits(server: &ServerSection) -> ConnectionLimits {
    let max_connections = server.max_connections;
    let max_connections_per_client = server.max_connections_per_client.unwrap_or(max_connections.div_ceil(2));
    ConnectionLimits { max_connections, max_connections_per_client, ..ConnectionLimits::default() }
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
fn http_clients(section: &LrsSection, base: &Path, proxy: Option<&ForwardProxy>, errors: &mut ConfigErrors) -> Option<HttpClientFactory> {
    let max_connection_age = Duration::from_secs(section.max_connection_age_seconds);
    let connect_timeout = Duration::from_secs(section.connect_timeout_seconds);
    let ca_file = section.ca_certificate_file.as_ref().map(|file| base.join(file));
    let factory = |ca_file: Option<&Path>| HttpClientFactory::with_backend(section.tls_backend, ca_file, connect_timeout);
    errors
        .collect_one(factory(ca_file.as_deref()).map_err(|error| format!("lrs.ca_certificate_file: {error}")))
        .or_else(|| errors.collect_one(factory(None)))
        .map(|factory| factory.with_proxy(proxy.map(ForwardProxy::for_lrs)).with_max_connection_age(max_connection_age))
}

/// The organisations that were loaded from their directory.
struct LoadedOrganisations {
    registry: OrganisationRegistry,
    watcher: OrganisationWatcher,
    report: LoadReport,
}

fn load_organisations(settings: &ConfigFile, base: &Path, http_clients: HttpClientFactory) -> Result<LoadedOrganisations, String> {
    let directory = base.join(&settings.organisations.directory);
    let requirements = LrsRequirements {
        client_certificate: settings.lrs.environment.requires_client_certificates(),
        missing_settings: missing_settings(&settings.lrs),
    };
    let registry = OrganisationRegistry::default();
    let mut watcher = OrganisationWatcher::new(directory.clone(), Arc::new(http_clients), requirements);
    let report = watcher.load(&registry).map_err(|error| format!("organisations.directory: {error}"))?;
    if registry.is_empty() && report.errors.is_empty() && report.missing_settings.is_empty() {
        return Err(format!("organisations.directory: {}: contains no organisation", directory.display()));
    }
    Ok(LoadedOrganisations { registry, watcher, report })
}
