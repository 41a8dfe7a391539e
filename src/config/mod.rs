//! Configuration: one TOML file, the environment over it, and every problem reported at once.
//!
//! [`file`] declares what may be written, [`Config::load`] turns it into the parts the gateway is made of. Paths in the
//! file are relative to it. A setting `key` of section `[section]` is overridden by the environment variable
//! `LRS_GATEWAY__SECTION__KEY`, an item of a list by its number: `LRS_GATEWAY__AUTH__ISSUERS__0__AUDIENCE`.

mod audit;
mod environment;
mod file;
mod issuers;
mod redis;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::auth::Verifier;
use crate::batches::{BatchService, BatchSettings};
use crate::lrs::concurrency_limit::ConcurrencySettings;
use crate::lrs::http_client::HttpClientFactory;
use crate::lrs::maintenance::MaintenanceWindow;
use crate::lrs::services::external::AchievementCodes;
use crate::lrs::{CircuitBreakerSettings, Lrs, LrsSettings, Vendor};
use crate::organisations::{LoadReport, OrganisationRegistry, OrganisationWatcher};
use crate::rate_limit::{Limit, RateLimits, Rates};
use crate::schema::Scalar as _;
use crate::schema::toml::{as_far_as_possible, table};
use crate::server::certificate::ServerCertificate;
use crate::server::cors::Cors;
use crate::storage::Storage;

pub use audit::AuditSettings;
use file::{BatchesSection, ConfigFile, LimitsSection, LrsSection, MaintenanceSection};
pub use issuers::DevTokenIssuer;
use issuers::verifier;

/// Everything `serve` needs, read and checked.
#[derive(Debug)]
pub struct Config {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Where operators look.
    pub admin_listen: SocketAddr,
    /// How long the end is announced before nothing new is taken any more.
    pub drain: Duration,
    /// Threads that serve the API.
    pub workers: usize,
    /// Its own certificate, if the API speaks TLS.
    pub tls: Option<ServerCertificate>,
    /// What is wrong with that, though it can be shown.
    pub tls_problem: Option<String>,
    /// Most connections to the API.
    pub max_connections: usize,
    /// The web pages that may call the API.
    pub cors: Cors,
    /// The trusted issuers.
    pub verifier: Verifier,
    /// The LRS to call.
    pub lrs: Lrs,
    /// The batches.
    pub jobs: BatchService,
    /// How often callers may call.
    pub limits: RateLimits,
    /// Where calls are written down.
    pub audit: AuditSettings,
    /// What replicas share.
    pub storage: Storage,
    /// The organisations that can be used.
    pub registry: OrganisationRegistry,
    /// What keeps them as their files are.
    pub watch: OrganisationWatcher,
    /// What is wrong with others. One organisation's trouble must not keep the gateway from serving the rest.
    pub organisation_problems: Vec<String>,
    /// What `check-config` tells beyond problems.
    pub remarks: Vec<String>,
}

impl Config {
    /// Reads the file, the environment and every file they name.
    ///
    /// # Errors
    /// Every problem found, each with its place.
    pub fn load(path: &Path) -> Result<Self, Vec<String>> {
        let (file, base, mut problems) = read(path)?;
        let mut keep = |found: Vec<String>| problems.extend(found);

        let verifier = verifier(&file, &base).map_err(&mut keep).ok();
        let lrs = lrs_settings(&file.lrs).map_err(&mut keep).ok();
        keep(out_of_range(&file));
        let connect_timeout = Duration::from_secs(file.lrs.connect_timeout_seconds);
        let ca_file = file.lrs.ca_certificate_file.as_ref().map(|file| base.join(file));
        // With trust roots that cannot be read, the organisations' own files are still worth checking.
        let backend = file.lrs.tls_backend;
        let transport = HttpClientFactory::with_backend(backend, ca_file.as_deref(), connect_timeout)
            .map_err(|problem| keep(vec![format!("lrs.ca_certificate_file: {problem}")]))
            .or_else(|()| HttpClientFactory::with_backend(backend, None, connect_timeout).map_err(|problem| keep(vec![problem])))
            .ok();
        let tls = file.server.tls.as_ref().map(|tls| ServerCertificate::load(base.join(&tls.certificate_file), base.join(&tls.key_file)));
        let tls = tls.transpose().map_err(|problem| keep(vec![problem])).ok().flatten();
        let (tls_remark, tls_problem) =
            tls.as_ref().map(ServerCertificate::remark).map_or((None, None), |told| (told.clone().ok(), told.err()));
        let storage = redis::open(&file.store, &base).map_err(&mut keep).ok();
        let audit = audit::read(&file.audit, &base).map_err(&mut keep).ok();
        let directory = base.join(&file.organisations.directory);
        let certificates_needed = file.lrs.environment.needs_certificates();
        let registry = OrganisationRegistry::default();
        let mut watch = transport.map(|transport| OrganisationWatcher::new(directory.clone(), Arc::new(transport), certificates_needed));
        let loaded = watch.as_mut().map(|watch| watch.load(&registry));
        let loaded = loaded.transpose().map_err(|problem| keep(vec![format!("organisations.directory: {problem}")])).ok().flatten();
        let LoadReport { problems: mut organisation_problems, remarks } = loaded.unwrap_or_default();
        let remarks = tls_remark.into_iter().chain(remarks).collect();
        if registry.is_empty() && organisation_problems.is_empty() && problems.is_empty() {
            problems.push(format!("organisations.directory: {}: there is no organisation in it", directory.display()));
        }
        match (verifier, lrs, storage, audit, watch) {
            (Some(verifier), Some(lrs), Some(storage), Some(audit), Some(watch)) if problems.is_empty() => Ok(Self {
                listen: file.server.listen,
                admin_listen: file.server.admin_listen,
                drain: Duration::from_secs(file.server.drain_seconds),
                workers: file.server.workers.unwrap_or_else(available_cores),
                tls,
                tls_problem,
                max_connections: file.server.max_connections,
                cors: Cors::new(file.server.cors_origins),
                verifier,
                jobs: BatchService::with_storage(&storage, job_settings(&file.batches, lrs.maintenance.clone())),
                lrs: Lrs::new(lrs),
                limits: RateLimits::new(rates(&file.limits), file.limits.replicas, &storage),
                storage,
                audit,
                registry,
                watch,
                organisation_problems,
                remarks,
            }),
            _ => {
                problems.extend(tls_problem);
                problems.append(&mut organisation_problems);
                Err(problems)
            }
        }
    }
}

/// Longest time that anything of a batch is kept: personal data are not for an archive.
const LONGEST_KEPT_SECONDS: u64 = 400 * 24 * 60 * 60;

/// Numbers that would stop the gateway, and one address for two servers.
fn out_of_range(file: &ConfigFile) -> Vec<String> {
    let at_least_one = |place: &str, number: u64| (number == 0).then(|| format!("{place}: must be at least 1"));
    let mut problems: Vec<String> = [
        at_least_one("server.workers", file.server.workers.map_or(1, |workers| workers as u64)),
        at_least_one("server.max_connections", file.server.max_connections as u64),
        at_least_one("lrs.connect_timeout_seconds", file.lrs.connect_timeout_seconds),
        at_least_one("lrs.timeout_seconds", file.lrs.timeout_seconds),
        at_least_one("lrs.batch_timeout_seconds", file.lrs.batch_timeout_seconds),
        at_least_one("lrs.max_answer_bytes", file.lrs.max_answer_bytes as u64),
        at_least_one("lrs.calls_at_once", file.lrs.calls_at_once as u64),
        at_least_one("lrs.calls_at_once_per_organisation", file.lrs.calls_at_once_per_organisation as u64),
        at_least_one("lrs.breaker_failures", file.lrs.breaker_failures as u64),
        at_least_one("lrs.breaker_probe_milliseconds", file.lrs.breaker_probe_milliseconds),
        at_least_one("limits.organisation_per_minute", file.limits.organisation_per_minute.into()),
        at_least_one("limits.organisation_burst", file.limits.organisation_burst.into()),
        at_least_one("limits.person_per_minute", file.limits.person_per_minute.into()),
        at_least_one("limits.person_burst", file.limits.person_burst.into()),
        at_least_one("limits.searches_per_minute", file.limits.searches_per_minute.into()),
        at_least_one("limits.searches_burst", file.limits.searches_burst.into()),
        at_least_one("limits.replicas", file.limits.replicas.into()),
        at_least_one("batches.most_learners", file.batches.most_learners as u64),
        at_least_one("batches.most_achievements", file.batches.most_achievements as u64),
        at_least_one("batches.horizon_seconds", file.batches.horizon_seconds),
        at_least_one("batches.first_poll_seconds", file.batches.first_poll_seconds),
        at_least_one("batches.longest_poll_seconds", file.batches.longest_poll_seconds),
        at_least_one("batches.lease_seconds", file.batches.lease_seconds),
        at_least_one("batches.parts_at_once", file.batches.parts_at_once as u64),
        at_least_one("batches.parts_at_once_per_organisation", file.batches.parts_at_once_per_organisation as u64),
    ]
    .into_iter()
    .flatten()
    .collect();
    let at_most = |place: &str, number: u64, most: u64| (number > most).then(|| format!("{place}: must be at most {most}"));
    problems.extend(
        [
            at_most("server.drain_seconds", file.server.drain_seconds, 600),
            at_most("lrs.connect_timeout_seconds", file.lrs.connect_timeout_seconds, 600),
            at_most("lrs.timeout_seconds", file.lrs.timeout_seconds, 600),
            at_most("lrs.batch_timeout_seconds", file.lrs.batch_timeout_seconds, 3600),
        ]
        .into_iter()
        .flatten(),
    );
    if file.batches.first_poll_seconds > file.batches.longest_poll_seconds {
        problems.push("batches.first_poll_seconds: must not be more than longest_poll_seconds".into());
    }
    if let Some(codes) = &file.lrs.achievements {
        let mut actions = [codes.create_action, codes.update_action, codes.withdraw_action, codes.reinstate_action];
        actions.sort_unstable();
        if actions.windows(2).any(|two| two[0] == two[1]) {
            problems.push("lrs.achievements: each action needs a number of its own, or LRS does something else than was asked for".into());
        }
        if codes.final_type == codes.provisional_type {
            problems.push("lrs.achievements.final_type: must not be that of provisional_type".into());
        }
    }
    if file.batches.retention_seconds < 60 {
        problems.push("batches.retention_seconds: must be at least 60: nobody could read the results in time".into());
    }
    if file.batches.horizon_seconds.saturating_add(file.batches.retention_seconds) > LONGEST_KEPT_SECONDS {
        problems.push(format!("batches.horizon_seconds: with retention_seconds it must be at most {LONGEST_KEPT_SECONDS}"));
    }
    if file.server.listen == file.server.admin_listen && file.server.listen.port() != 0 {
        problems.push("server.admin_listen: must not be the address of server.listen".into());
    }
    problems
}

/// The file, what its paths begin at, and what is wrong with its form, if the rest is enough to look on.
fn read(path: &Path) -> Result<(ConfigFile, PathBuf, Vec<String>), Vec<String>> {
    let mut table = table(path)?;
    let mut problems = environment::apply(&mut table, std::env::vars());
    // A section that is not there is one that sets nothing.
    for section in ["server", "auth", "lrs", "store", "batches", "limits", "audit"] {
        table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
    }
    let base = path.parent().unwrap_or(Path::new("")).to_owned();
    let directory = table.get("organisations").and_then(|section| section.get("directory")?.as_str().map(|name| base.join(name)));
    let (file, mut mistakes) = as_far_as_possible(path, table);
    // What the environment should be, the rest depends on.
    let can_be_judged = !mistakes.iter().any(|mistake| mistake.contains(" lrs.environment:"));
    problems.append(&mut mistakes);
    if let Some(file) = file.filter(|_| can_be_judged) {
        return Ok((file, base, problems));
    }
    // What is wrong with the organisations can be told all the same.
    if let (Some(directory), Ok(transport)) = (directory, HttpClientFactory::new(None, Duration::from_secs(1))) {
        let loaded = OrganisationWatcher::new(directory, Arc::new(transport), false).load(&OrganisationRegistry::default());
        problems.extend(loaded.map_or_else(|problem| vec![problem], |report| report.problems));
    }
    Err(problems)
}

fn lrs_settings(section: &LrsSection) -> Result<LrsSettings, Vec<String>> {
    let base_url = match (section.environment.base_url(), &section.base_url) {
        (Some(url), None) => url.to_owned(),
        (Some(_), Some(_)) => {
            let environment = section.environment.text();
            return Err(vec![format!("lrs.base_url: goes with environment = \"custom\" only, not with \"{environment}\"")]);
        }
        (None, Some(url)) => custom_url(url, section.allow_plain_http).map_err(|problem| vec![format!("lrs.base_url: {problem}")])?,
        (None, None) => return Err(vec!["lrs.base_url: is required with environment = \"custom\"".into()]),
    };
    Ok(LrsSettings {
        base_url,
        timeout: Duration::from_secs(section.timeout_seconds),
        batch_timeout: Duration::from_secs(section.batch_timeout_seconds),
        max_response_bytes: section.max_answer_bytes,
        vendor: Vendor { id: section.vendor_id, user_type: section.user_type.clone(), language: section.language.clone() },
        achievement_codes: section.achievements.as_ref().map_or_else(AchievementCodes::default, |codes| AchievementCodes {
            actions: [codes.create_action, codes.update_action, codes.withdraw_action, codes.reinstate_action],
            submission_types: [codes.final_type.clone(), codes.provisional_type.clone()],
        }),
        concurrency: ConcurrencySettings {
            max_concurrent_calls: section.calls_at_once,
            max_concurrent_calls_per_organisation: section.calls_at_once_per_organisation,
            queue_capacity: section.queue_length,
            queue_timeout: Duration::from_millis(section.longest_queue_milliseconds),
        },
        circuit_breaker: CircuitBreakerSettings {
            failure_threshold: section.breaker_failures,
            probe_interval: Duration::from_millis(section.breaker_probe_milliseconds),
        },
        max_retries: section.retries,
        maintenance: windows(&section.maintenance)?,
    })
}

fn windows(sections: &[MaintenanceSection]) -> Result<Vec<MaintenanceWindow>, Vec<String>> {
    let (mut windows, mut problems) = (Vec::new(), Vec::new());
    for (number, MaintenanceSection { from, until, note }) in sections.iter().enumerate() {
        if until.0 > from.0 {
            windows.push(MaintenanceWindow { starts_at: from.0, ends_at: until.0, note: note.clone() });
        } else {
            problems.push(format!("lrs.maintenance.{number}.until: must be after from"));
        }
    }
    if problems.is_empty() { Ok(windows) } else { Err(problems) }
}

/// Passwords and learners' data travel to this address: over TLS, or not beyond this machine.
fn custom_url(text: &str, allow_plain_http: bool) -> Result<String, &'static str> {
    let url = reqwest::Url::parse(text).map_err(|_| "must be an address such as https://lrs.example")?;
    match url.scheme() {
        "https" => {}
        "http" if is_this_machine(&url) || allow_plain_http => {}
        "http" => {
            return Err(
                "must be https: passwords and learners' data would travel in the clear (for a simulator, set allow_plain_http = true)",
            );
        }
        _ => return Err("must be an https address"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not have a user name or password in it");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not have a query or fragment: the services' paths are appended to it");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Does what is sent there stay on this machine?
fn is_this_machine(url: &reqwest::Url) -> bool {
    match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        None => false,
    }
}

fn job_settings(section: &BatchesSection, maintenance: Vec<MaintenanceWindow>) -> BatchSettings {
    BatchSettings {
        max_learners: section.most_learners,
        max_achievements: section.most_achievements,
        tracking_timeout: Duration::from_secs(section.horizon_seconds),
        retention: Duration::from_secs(section.retention_seconds),
        initial_poll_interval: Duration::from_secs(section.first_poll_seconds),
        max_poll_interval: Duration::from_secs(section.longest_poll_seconds),
        lease: Duration::from_secs(section.lease_seconds),
        max_concurrent_parts: section.parts_at_once,
        max_concurrent_parts_per_organisation: section.parts_at_once_per_organisation,
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
