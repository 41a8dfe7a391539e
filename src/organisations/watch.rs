//! Loading of the organisations' files at startup, and reloading while the process runs.
//!
//! A file has changed if its content has, however it was changed (`file_watch`). A file with an error leaves its organisation unchanged.
//! Such an error may last for a moment only, between the renewal of a key and the renewal of its certificate. Only a duplicate does not
//! keep its organisation: of two files with the same UKPRN, the first in order of name counts, even if it is the newer one.
//!
//! A file that is removed removes its organisation. If most files disappear together, that is rarely intended: a tool that empties the
//! directory before it fills it, or a volume that is not mounted. Their organisations then stay for [`DISAPPEARANCE_GRACE`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use super::disappearance::{DISAPPEARANCE_GRACE, Disappearance, DisappearanceGuard};
use super::file::{OrganisationSource, organisation_files};
use super::organisation::{ConnectionFactory, Organisation};
use super::registry::{LoadReport, OrganisationMap, OrganisationRegistry};
use super::requirements::LrsRequirements;
use crate::domain::Ukprn;
use crate::file_watch::{self, FileStamp, Poll, ReloadRequests};

/// Keeps a registry in step with the organisations' files.
#[derive(Debug)]
pub struct OrganisationWatcher {
    directory: PathBuf,
    clients: Arc<dyn ConnectionFactory>,
    requirements: LrsRequirements,
    files: BTreeMap<PathBuf, FileState>,
    is_directory_unreadable: bool,
    disappearance: DisappearanceGuard,
}

/// State of an organisation's file when it was last read.
#[derive(Debug)]
struct FileState {
    digest: Vec<u8>,
    /// Stamps of the files that belong to the digest; `None` if they must be read to see whether they have changed.
    stamps: Option<Vec<(PathBuf, FileStamp)>>,
    /// The organisation that the file describes, if that can be read.
    ukprn: Option<Ukprn>,
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
    disappearance: Option<Disappearance>,
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
    pub fn new(directory: PathBuf, clients: Arc<dyn ConnectionFactory>, requirements: LrsRequirements) -> Self {
        Self {
            directory,
            clients,
            requirements,
            files: BTreeMap::new(),
            is_directory_unreadable: false,
            disappearance: DisappearanceGuard::default(),
        }
    }

    /// Reads all organisations into the registry. The report contains the errors of the files that cannot be used.
    ///
    /// # Errors
    /// Returns a text if the directory cannot be read.
    pub fn load(&mut self, registry: &OrganisationRegistry) -> Result<LoadReport, String> {
        self.reload(registry, Poll::Full).map(|changes| changes.report)
    }

    /// Updates the registry when files change, until the future is dropped.
    pub async fn watch(self, registry: Arc<OrganisationRegistry>, requests: ReloadRequests) {
        let reload = move |watcher: &mut Self, poll| watcher.reload(&registry, poll);
        file_watch::watch("organisations", self, requests, reload, Self::log_changes).await;
    }

    fn log_changes(&mut self, changes: Result<Changes, String>) {
        match changes {
            Ok(Changes { report, organisations, disappearance }) => {
                if std::mem::take(&mut self.is_directory_unreadable) {
                    tracing::info!("organisations directory readable again");
                }
                match disappearance {
                    Some(Disappearance::Started(files)) => tracing::error!(
                        files,
                        grace_seconds = DISAPPEARANCE_GRACE.as_secs(),
                        "organisation files disappeared together: organisations stay unchanged for a limited time"
                    ),
                    Some(Disappearance::Reverted) => tracing::info!("organisation files that had disappeared are back"),
                    None => {}
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

    /// Reads the files that have changed, creates their organisations, and updates the registry.
    fn reload(&mut self, registry: &OrganisationRegistry, poll: Poll) -> Result<Changes, String> {
        let mut changes = Changes::default();
        let paths: BTreeSet<PathBuf> = organisation_files(&self.directory)?.into_iter().collect();
        let mut missing = std::mem::take(&mut self.files);
        let mut present = BTreeMap::new();
        changes.disappearance =
            self.disappearance.update(missing.keys().filter(|path| !paths.contains(*path)).count(), missing.len(), poll);
        let mut first_files: HashMap<Ukprn, PathBuf> = HashMap::new();
        for path in paths {
            let previous = missing.remove(&path);
            let unchanged = previous.as_ref().filter(|previous| poll == Poll::Changed && previous.is_current());
            let source = if unchanged.is_some() { None } else { Some(OrganisationSource::read(&path)) };
            let ukprn = source.as_ref().map_or_else(|| unchanged?.ukprn.as_ref(), OrganisationSource::ukprn);
            let duplicate_error = ukprn.and_then(|ukprn| {
                let first = first_files.entry(ukprn.clone()).or_insert_with(|| path.clone());
                let (path_text, first_text) = (path.display(), first.display());
                (*first != path).then(|| format!("{path_text}: ukprn: organisation {ukprn} is already described in {first_text}"))
            });
            let state = match (previous, source) {
                (Some(previous), None) if previous.is_duplicate == duplicate_error.is_some() => previous,
                (previous, source) => {
                    let source = source.unwrap_or_else(|| OrganisationSource::read(&path));
                    self.next_state(source, duplicate_error, previous, &mut changes.report)
                }
            };
            present.insert(path, state);
        }
        if !self.disappearance.is_active() {
            missing.clear();
        }
        // Files that are there come first: the files of the directory may have got other names.
        let organisations = organisations(present.values().chain(missing.values()));
        changes.organisations = compare(&registry.snapshot(), &organisations);
        registry.set_invalid_files(present.values().filter(|file| !file.is_valid).count());
        present.append(&mut missing);
        self.files = present;
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
        let (stamps, ukprn) = (source.stamps.clone(), source.ukprn().cloned());
        match (previous, duplicate_error) {
            (Some(previous), _) if previous.digest == digest && previous.is_duplicate == is_duplicate => FileState { stamps, ..previous },
            (_, Some(error)) => {
                report.errors.push(error);
                FileState { digest, stamps, ukprn, is_duplicate, is_valid: false, organisation: None }
            }
            (previous, None) => {
                let organisation = source.build(&*self.clients, &self.requirements, report).map(Arc::new);
                let is_valid = organisation.is_some();
                FileState { digest, stamps, ukprn, is_duplicate, is_valid, organisation: organisation.or_else(|| previous?.organisation) }
            }
        }
    }
}

impl FileState {
    /// Returns `true` if the stamps of all files show that none has changed.
    fn is_current(&self) -> bool {
        self.stamps.as_ref().is_some_and(|stamps| stamps.iter().all(|(path, stamp)| stamp.is_current(path)))
    }
}

/// Returns the organisations of files. Of two files with the same organisation, the first counts.
fn organisations<'f>(files: impl Iterator<Item = &'f FileState>) -> OrganisationMap {
    let mut organisations = HashMap::new();
    for organisation in files.filter_map(|file| file.organisation.as_ref()) {
        organisations.entry(organisation.ukprn().clone()).or_insert_with(|| Arc::clone(organisation));
    }
    organisations
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
