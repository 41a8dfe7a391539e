//! `check-config`: every error of a configuration, and remarks, such as when certificates expire.

use std::path::Path;
use std::sync::Arc;

use crate::batches::BatchError;
use crate::cli::command::{CommandResult, block_on};
use crate::cli::connection_check::check_connection;
use crate::cli::product_check::check_products;
use crate::cli::serve::UNKNOWN_ENCRYPTION_KEY;
use crate::config::{GatewayParts, unused_proxy_variables};
use crate::domain::Ukprn;
use crate::organisations::{LoadReport, Organisation, OrganisationRegistry};
use crate::schema::Scalar as _;
use crate::storage::StoreFault;
use crate::storage::encryption::CipherError;

/// Name that stands for every organisation in `--connect` and `--verify`.
const ALL_ORGANISATIONS: &str = "all";

/// Checks a configuration, its issuers' keys and its store. Then connects to LRS as each organisation in `connect`, and calls LRS for each
/// product of the organisations in `verify`.
pub fn run(path: &Path, connect: &[String], verify: &[String]) -> CommandResult {
    let parts = GatewayParts::load(path)?;
    let LoadReport { errors: organisation_errors, warnings, remarks: organisation_remarks, .. } = &parts.organisation_report;
    let mut errors: Vec<String> = parts.tls_error.iter().chain(organisation_errors).chain(warnings).cloned().collect();
    let mut remarks: Vec<String> = parts.remarks.iter().chain(organisation_remarks).cloned().collect();
    remarks.extend(unused_proxy_variables());
    check_issuers(&parts, &mut errors, &mut remarks);
    check_store(&parts, &mut errors, &mut remarks);
    if errors.is_empty() {
        println!("{}: no error found, {} organisations", path.display(), parts.registry.len());
    }
    for remark in &remarks {
        println!("{remark}");
    }
    // Other errors do not stop the connection check: it can still work for some organisations.
    for organisation in find_organisations("--connect", connect, &parts.registry, &mut errors) {
        match block_on(check_connection(&parts.lrs, &organisation)) {
            Ok(report) => println!("{report}"),
            Err(error) => errors.push(error),
        }
    }
    let verified = find_organisations("--verify", verify, &parts.registry, &mut errors);
    let audit = parts.audit.start_if_file();
    let lrs = parts.lrs.with_audit(audit.clone());
    for result in verified.into_iter().flat_map(|organisation| block_on(check_products(&lrs, organisation))) {
        match result {
            Ok(report) => println!("{report}"),
            Err(error) => errors.push(error),
        }
    }
    audit.shut_down();
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
    if let Some(redis) = &parts.storage.redis
        && let Ok(inspection) = block_on(redis.inspect())
    {
        let accepted = |fault: StoreFault| fault.is_volatile() && redis.accepts_volatile();
        errors.extend(inspection.sentences(|fault| !accepted(fault)).into_iter().map(|sentence| format!("store.redis_url: {sentence}")));
        remarks.extend(inspection.sentences(accepted).into_iter().map(|sentence| format!("store: accepted: {sentence}")));
        remarks.extend(inspection.unchecked.iter().map(|reason| format!("store: {reason}")));
        remarks.push(format!("store: Redis {}", inspection.summary));
    }
    match block_on(parts.batches.inspect_encryption_keys()) {
        Ok(()) => {
            remarks.push("store: Redis is available, and the encryption keys match".into());
            let others = block_on(parts.batches.other_lrs()).unwrap_or_default();
            remarks.extend(others.iter().map(|lrs| format!("store: also has batches for {lrs}, which this gateway leaves alone")));
        }
        Err(BatchError::Cipher(CipherError::UnknownKey)) => errors.push(UNKNOWN_ENCRYPTION_KEY.into()),
        Err(error) => errors.push(format!("store.redis_url: {error}")),
    }
}

/// Returns the organisations with these UKPRNs; for `all`, every organisation in the order of the UKPRNs.
fn find_organisations(option: &str, names: &[String], registry: &OrganisationRegistry, errors: &mut Vec<String>) -> Vec<Arc<Organisation>> {
    let mut found = Vec::new();
    for name in names {
        let before = found.len();
        if name == ALL_ORGANISATIONS {
            let mut all: Vec<_> = registry.snapshot().values().cloned().collect();
            all.sort_by(|one, other| one.ukprn().cmp(other.ukprn()));
            found.extend(all);
        } else {
            found.extend(Ukprn::parse(name).ok().and_then(|ukprn| registry.find(&ukprn)));
        }
        if found.len() == before {
            errors.push(format!("{option} {name}: no usable organisation found"));
        }
    }
    found
}
