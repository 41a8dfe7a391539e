//! `check-config`: every error of a configuration, and remarks, such as when certificates expire.

use std::path::Path;
use std::sync::Arc;

use crate::batches::BatchError;
use crate::cli::command::{CommandResult, block_on};
use crate::cli::connection_check::check_connection;
use crate::cli::serve::UNKNOWN_ENCRYPTION_KEY;
use crate::config::GatewayParts;
use crate::domain::Ukprn;
use crate::organisations::{LoadReport, Organisation, OrganisationRegistry};
use crate::schema::Scalar as _;
use crate::storage::encryption::CipherError;

/// Name that stands for every organisation in `--connect`.
const ALL_ORGANISATIONS: &str = "all";

/// Checks a configuration, its issuers' keys and its store. Then connects to LRS as each organisation in `connect`.
pub fn run(path: &Path, connect: &[String]) -> CommandResult {
    let parts = GatewayParts::load(path)?;
    let LoadReport { errors: organisation_errors, warnings, remarks: organisation_remarks } = &parts.organisation_report;
    let mut errors: Vec<String> = parts.tls_error.iter().chain(organisation_errors).chain(warnings).cloned().collect();
    let mut remarks: Vec<String> = parts.tls_remark.iter().chain(organisation_remarks).cloned().collect();
    check_issuers(&parts, &mut errors, &mut remarks);
    check_store(&parts, &mut errors, &mut remarks);
    if errors.is_empty() {
        println!("{}: no error found, {} organisations", path.display(), parts.registry.len());
    }
    for remark in &remarks {
        println!("{remark}");
    }
    // Other errors do not stop the connection check: it can still work for some organisations.
    for name in connect {
        check_connections(name, &parts, &mut errors);
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn check_issuers(parts: &GatewayParts, errors: &mut Vec<String>, remarks: &mut Vec<String>) {
    for (number, issuer, keys) in block_on(parts.verifier.fetch_key_sets()) {
        match keys {
            Ok(count) => remarks.push(format!("issuer {issuer}: {count} keys")),
            Err(error) => errors.push(format!("auth.issuers.{number}.jwks_url: {error}")),
        }
    }
}

fn check_store(parts: &GatewayParts, errors: &mut Vec<String>, remarks: &mut Vec<String>) {
    if parts.storage.redis.is_none() {
        return;
    }
    match block_on(parts.batches.inspect_encryption_keys()) {
        Ok(()) => remarks.push("store: Redis is available, and the encryption keys match".into()),
        Err(BatchError::Cipher(CipherError::UnknownKey)) => errors.push(UNKNOWN_ENCRYPTION_KEY.into()),
        Err(error) => errors.push(format!("store.redis_url: {error}")),
    }
}

fn check_connections(name: &str, parts: &GatewayParts, errors: &mut Vec<String>) {
    let organisations = find_organisations(name, &parts.registry);
    if organisations.is_empty() {
        errors.push(format!("--connect {name}: no usable organisation found"));
    }
    for organisation in organisations {
        match block_on(check_connection(&parts.lrs, &organisation)) {
            Ok(report) => println!("{report}"),
            Err(error) => errors.push(error),
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
