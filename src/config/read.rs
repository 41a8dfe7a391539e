//! Reading the configuration file: TOML, old names, environment variables, and the form of each setting.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toml::Table;

use crate::config::file::{ConfigFile, Environment};
use crate::config::{renamed, variables};
use crate::file_watch;
use crate::lrs::http_client::HttpClientFactory;
use crate::organisations::{LrsRequirements, OrganisationRegistry, OrganisationWatcher};
use crate::schema::toml::{from_table_partial, parse_content};

/// A configuration file that has been read.
pub struct ReadFile {
    /// The settings. An invalid setting has its default, unless it contradicts another one.
    pub settings: ConfigFile,
    /// Directory of the file: paths in the file are relative to it.
    pub base: PathBuf,
    /// Errors of single settings.
    pub errors: Vec<String>,
}

/// Reads a configuration file and applies the environment.
///
/// # Errors
/// Returns every error if the file cannot be read, or if too little of it is valid to check the rest.
pub fn read_file(path: &Path) -> Result<ReadFile, Vec<String>> {
    let mut table = parse_content(path, file_watch::read(path))?;
    let renames = renamed::rename_settings(&mut table);
    let mut errors: Vec<String> = renames.into_iter().map(|error| format!("{}: {error}", path.display())).collect();
    errors.extend(variables::apply(&mut table, std::env::vars()));
    let base = path.parent().unwrap_or(Path::new("")).to_owned();
    let organisations = organisations_directory(&table, &base);
    // The rest of the checks depends on `lrs.environment`: a default in its place would give misleading errors.
    let has_environment = Environment::is_usable_in(&table);
    let (settings, field_errors) = from_table_partial(path, table);
    errors.extend(field_errors);
    match settings {
        Some(settings) if has_environment => Ok(ReadFile { settings, base, errors }),
        _ => {
            // The organisations' files can be checked without the rest.
            errors.extend(organisations.map(check_organisations).unwrap_or_default());
            Err(errors)
        }
    }
}

fn organisations_directory(table: &Table, base: &Path) -> Option<PathBuf> {
    table.get("organisations")?.get("directory")?.as_str().map(|directory| base.join(directory))
}

fn check_organisations(directory: PathBuf) -> Vec<String> {
    let Ok(http_clients) = HttpClientFactory::new(None, Duration::from_secs(1)) else { return Vec::new() };
    let loaded =
        OrganisationWatcher::new(directory, Arc::new(http_clients), LrsRequirements::default()).load(&OrganisationRegistry::default());
    loaded.map_or_else(|error| vec![error], |report| [report.errors, report.warnings].concat())
}

/// Reads a secret, without the line end that editors add.
///
/// # Errors
/// Returns the file's name and the error if the file cannot be read.
pub(super) fn read_secret(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = file_watch::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        bytes.pop();
    }
    Ok(bytes)
}
