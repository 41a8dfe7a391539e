//! Loading of the organisations' files at startup, and reloading while the process runs.
//!
//! The watcher compares contents. So it does not matter whether a file was rewritten, renamed into place, or reached through a symbolic
//! link that now points elsewhere, as with Kubernetes secrets. A file with an error leaves its organisation unchanged. Such an error may
//! last for a moment only, between the renewal of a key and the renewal of its certificate. Only a duplicate does not keep its
//! organisation: of two files with the same UKPRN, the first in order of name counts, even if it is the newer one.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use super::file::{OrganisationSource, organisation_files};
use super::organisation::{ConnectionFactory, Organisation};
use super::registry::{LoadReport, OrganisationMap, OrganisationRegistry};
use super::requirements::LrsRequirements;
use crate::domain::Ukprn;
use crate::file_watch;

/// Keeps a registry in step with the organisations' files.
#[derive(Debug)]
pub struct OrganisationWatcher {
    directory: PathBuf,
    clients: Arc<dyn ConnectionFactory>,
    requirements: LrsRequirements,
    files: BTreeMap<PathBuf, FileState>,
    is_directory_unreadable: bool,
}

/// State of an organisation's file when it was last read.
#[derive(Debug)]
struct FileState {
    digest: Vec<u8>,
    /// `true` if a file before it in order of name describes the same organisation.
    is_duplicate: bool,
    /// `true` if the file has no error.
    is_valid: bool,
    /// The organisation of the last version without an error.
    organisation: Option<Arc<Organisation>>,
}

/// Result of reading all files.
#[derive(Debug, Default)]
struct Changes {
    report: LoadReport,
    organisations: Vec<(Ukprn, Change)>,
}

/// Change of an organisation since the files were read before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Added,
    Changed,
    Removed,
}

impl OrganisationWatcher {
    /// Returns a watcher of the files in a directory. It reads no file yet.
    pub const fn new(directory: PathBuf, clients: Arc<dyn ConnectionFactory>, requirements: LrsRequirements) -> Self {
        Self { directory, clients, requirements, files: BTreeMap::new(), is_directory_unreadable: false }
    }

    /// Reads all organisations into the registry. The report contains the errors of the files that cannot be used.
    ///
    /// # Errors
    /// Returns a text if the directory cannot be read.
    pub fn load(&mut self, registry: &OrganisationRegistry) -> Result<LoadReport, String> {
        self.reload(registry).map(|changes| changes.report)
    }

    /// Updates the registry when files change, until the future is dropped.
    pub async fn watch(self, registry: Arc<OrganisationRegistry>) {
        file_watch::watch("organisations", self, move |watcher: &mut Self| watcher.reload(&registry), Self::log_changes).await;
    }

    fn log_changes(&mut self, changes: Result<Changes, String>) {
        match changes {
            Ok(Changes { report, organisations }) => {
                if std::mem::take(&mut self.is_directory_unreadable) {
                    tracing::info!("organisations directory readable again");
                }
                report.log();
                for (organisation, change) in organisations {
                    match change {
                        Change::Added => tracing::info!(%organisation, "organisation added"),
                        Change::Changed => tracing::info!(%organisation, "organisation changed"),
                        Change::Removed => tracing::warn!(%organisation, "organisation removed"),
                    }
                }
            }
            Err(error) if !self.is_directory_unreadable => {
                self.is_directory_unreadable = true;
                tracing::error!(error, "organisations directory unreadable: all organisations stay unchanged");
            }
            Err(_) => {}
        }
    }

    /// Reads all files, creates the organisations that have changed, and updates the registry.
    fn reload(&mut self, registry: &OrganisationRegistry) -> Result<Changes, String> {
        let mut changes = Changes::default();
        let paths = organisation_files(&self.directory)?;
        self.files.retain(|path, _| paths.contains(path));
        let mut first_files: HashMap<Ukprn, PathBuf> = HashMap::new();
        for path in paths {
            let source = OrganisationSource::read(&path);
            let duplicate_error = source.ukprn().and_then(|ukprn| {
                let first = first_files.entry(ukprn.clone()).or_insert_with(|| path.clone());
                let (path_text, first_text) = (path.display(), first.display());
                (*first != path).then(|| format!("{path_text}: ukprn: organisation {ukprn} is already described in {first_text}"))
            });
            let previous = self.files.remove(&path);
            let state = self.next_state(source, duplicate_error, previous, &mut changes.report);
            self.files.insert(path, state);
        }
        let organisations = self.organisations();
        changes.organisations = compare(&registry.snapshot(), &organisations);
        registry.set_invalid_files(self.files.values().filter(|file| !file.is_valid).count());
        if !changes.organisations.is_empty() {
            registry.replace(organisations);
        }
        Ok(changes)
    }

    /// Returns the new state of a file; the previous state if nothing has changed, so that an error is reported once.
    fn next_state(
        &self,
        source: OrganisationSource,
        duplicate_error: Option<String>,
        previous: Option<FileState>,
        report: &mut LoadReport,
    ) -> FileState {
        let (digest, is_duplicate) = (source.digest.as_ref().to_vec(), duplicate_error.is_some());
        match (previous, duplicate_error) {
            (Some(previous), _) if previous.digest == digest && previous.is_duplicate == is_duplicate => previous,
            (_, Some(error)) => {
                report.errors.push(error);
                FileState { digest, is_duplicate, is_valid: false, organisation: None }
            }
            (previous, None) => {
                let organisation = source.build(&*self.clients, &self.requirements, report).map(Arc::new);
                let is_valid = organisation.is_some();
                FileState { digest, is_duplicate, is_valid, organisation: organisation.or_else(|| previous?.organisation) }
            }
        }
    }

    /// Returns the organisations of all files.
    fn organisations(&self) -> OrganisationMap {
        let mut organisations = HashMap::new();
        for organisation in self.files.values().filter_map(|file| file.organisation.as_ref()) {
            organisations.entry(organisation.ukprn().clone()).or_insert_with(|| Arc::clone(organisation));
        }
        organisations
    }
}

/// Returns how organisations differ from an earlier snapshot.
fn compare(before: &OrganisationMap, after: &OrganisationMap) -> Vec<(Ukprn, Change)> {
    let change = |ukprn: &Ukprn| match (before.get(ukprn), after.get(ukprn)) {
        (Some(old), Some(new)) => (!Arc::ptr_eq(old, new)).then_some(Change::Changed),
        (Some(_), None) => Some(Change::Removed),
        (None, _) => Some(Change::Added),
    };
    let ukprns = before.keys().chain(after.keys().filter(|ukprn| !before.contains_key(ukprn)));
    ukprns.filter_map(|ukprn| Some((ukprn.clone(), change(ukprn)?))).collect()
}
