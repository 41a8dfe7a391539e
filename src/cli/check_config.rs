//! `check-config`: every problem of a configuration.

use std::path::Path;
use std::sync::Arc;

use crate::batches::BatchError;
use crate::cli::command::{CommandResult, block_on};
use crate::cli::connection_check::check_connection;
use crate::cli::serve::UNKNOWN_ENCRYPTION_KEY;
use crate::config::Config;
use crate::domain::Ukprn;
use crate::organisations::{Organisation, OrganisationRegistry};
use crate::schema::Scalar as _;
use crate::storage::encryption::DecryptError;

/// Name that stands for every organisation in `--connect`.
const ALL_ORGANISATIONS: &str = "all";

/// Checks a configuration, its issuers' keys and its store. Then connects to LRS as each organisation in `connect`.
pub fn run(path: &Path, connect: &[String]) -> CommandResult {
    let mut config = Config::load(path)?;
    let mut problems: Vec<String> = config.tls_problem.take().into_iter().collect();
    problems.append(&mut config.organisation_problems);
    check_issuers(&mut config, &mut problems);
    check_store(&mut config, &mut problems);
    if problems.is_empty() {
        println!("{}: no problem found, {} organisations", path.display(), config.registry.len());
        for remark in &config.remarks {
            println!("{remark}");
        }
    }
    // Other problems do not stop the connection check: it can still work for some organisations.
    for name in connect {
        check_connections(name, &config, &mut problems);
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn check_issuers(config: &mut Config, problems: &mut Vec<String>) {
    for (number, issuer, keys) in block_on(config.verifier.fetch_key_sets()) {
        match keys {
            Ok(count) => config.remarks.push(format!("issuer {issuer}: {count} keys")),
            Err(problem) => problems.push(format!("auth.issuers.{number}.jwks_url: {problem}")),
        }
    }
}

fn check_store(config: &mut Config, problems: &mut Vec<String>) {
    if config.storage.redis.is_none() {
        return;
    }
    match block_on(config.batches.inspect_encryption_keys()) {
        Ok(()) => config.remarks.push("store: Redis is available, and the encryption keys match".into()),
        Err(BatchError::Undecryptable(DecryptError::UnknownKey)) => problems.push(UNKNOWN_ENCRYPTION_KEY.into()),
        Err(error) => problems.push(format!("store.redis_url: {error}")),
    }
}

fn check_connections(name: &str, config: &Config, problems: &mut Vec<String>) {
    let organisations = find_organisations(name, &config.registry);
    if organisations.is_empty() {
        problems.push(format!("--connect {name}: no usable organisation found"));
    }
    for organisation in organisations {
        match block_on(check_connection(&config.lrs, &organisation)) {
            Ok(report) => println!("{report}"),
            Err(problem) => problems.push(problem),
        }
    }
}

/// Returns the organisation with this UKPRN, or all of them in the order of their UKPRNs.
fn find_organisations(name: &str, registry: &OrganisationRegistry) -> Vec<Arc<Organisation>> {
    if name != ALL_ORGANISATIONS {
        return Ukprn::parse(name).ok().and_then(|ukprn| registry.find(&ukprn)).into_iter().collect();
    }
    let mut organisations: Vec<_> = registry.snapshot().values().cloned().collect();
    organisations.sort_by(|one, other| one.ukprn().cmp(other.ukprn()));
    organisations
}
