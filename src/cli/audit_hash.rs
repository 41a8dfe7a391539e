//! `audit-hash`: pseudonyms of ULNs in the audit trail.

use std::path::Path;

use crate::cli::command::CommandResult;
use crate::config::GatewayParts;
use crate::domain::Uln;
use crate::schema::Scalar as _;

/// Prints the pseudonyms of each ULN on standard input, one for each key.
///
/// ULNs are not arguments, so that they do not appear in the list of processes or in the history of a shell.
pub fn run(config: &Path) -> CommandResult {
    let parts = GatewayParts::load(config)?;
    let keys = parts.audit.keys.ok_or_else(|| vec!["audit.key_file: is not set, so the audit trail contains no ULNs".to_owned()])?;
    for line in std::io::stdin().lines() {
        let line = line.map_err(|error| vec![format!("standard input: {error}")])?;
        let uln = Uln::parse(line.trim()).map_err(|invalid| vec![format!("standard input: a line is no ULN: {}", invalid.detail)])?;
        println!("{}", keys.pseudonyms(uln.as_str()).collect::<Vec<_>>().join(" "));
    }
    Ok(())
}
