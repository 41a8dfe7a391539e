//! Organisations as their files are: read when the gateway starts, and looked at again every few seconds.
//!
//! What is looked at is the content, so it does not matter how a file was changed: written anew, renamed into its place, or a symbolic
//! link above it turned elsewhere, as Kubernetes does with secrets. A file with a problem, even if only for the moment in which its key
//! has been renewed and its certificate has not, leaves its organisation as it was.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use crate::domain::Ukprn;
use crate::file_watch;
use crate::organisations::file::{Gathered, files_of};
use crate::organisations::{ClientFactory, LoadReport, Organisation, OrganisationRegistry};

/// Organisations' files, and what was last read from them.
#[derive(Debug)]
pub struct OrganisationWatcher {
    directory: PathBuf,
    clients: Arc<dyn ClientFactory>,
    certificates_needed: bool,
    known: BTreeMap<PathBuf, Known>,
    unreadable: bool,
}

/// What is known of a file.
#[derive(Debug)]
struct Known {
    digest: Vec<u8>,
    /// Does a file before it describe the same organisation?
    repeats: bool,
    /// Whom it described when it was last good.
    organisation: Option<Arc<Organisation>>,
    /// Can it be used as it is now?
    good: bool,
}

/// What has changed.
#[derive(Debug, Default)]
struct Changes {
    report: LoadReport,
    /// Who is there that was not, is another than before, or is gone.
    changed: Vec<(Ukprn, Change)>,
}

/// What has become of an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Came,
    Changed,
    Gone,
}

impl OrganisationWatcher {
    /// Will read the files of this directory.
    pub const fn new(directory: PathBuf, clients: Arc<dyn ClientFactory>, certificates_needed: bool) -> Self {
        Self { directory, clients, certificates_needed, known: BTreeMap::new(), unreadable: false }
    }

    /// Reads every organisation; those that cannot be used are in the report.
    ///
    /// # Errors
    /// When the directory itself cannot be read.
    pub fn load(&mut self, registry: &OrganisationRegistry) -> Result<LoadReport, String> {
        self.poll(registry).map(|changes| changes.report)
    }

    /// Keeps a registry as the files are, for as long as this is awaited.
    pub async fn watch(self, registry: Arc<OrganisationRegistry>) {
        file_watch::watch("organisations are", self, move |watch: &mut Self| watch.poll(&registry), Self::log_changes).await;
    }

    fn log_changes(&mut self, changes: Result<Changes, String>) {
        match changes {
            Ok(Changes { report, changed }) => {
                if std::mem::take(&mut self.unreadable) {
                    tracing::info!("the organisations can be read again");
                }
                for problem in report.problems {
                    tracing::error!(problem, "an organisation has a problem: it stays as it was, if it was there");
                }
                for (organisation, change) in changed {
                    match change {
                        Change::Came => tracing::info!(%organisation, "an organisation has come"),
                        Change::Changed => tracing::info!(%organisation, "an organisation has changed"),
                        Change::Gone => tracing::warn!(%organisation, "an organisation is gone"),
                    }
                }
            }
            Err(problem) if !self.unreadable => {
                self.unreadable = true;
                tracing::error!(problem, "the organisations cannot be read: they stay as they were");
            }
            Err(_) => {}
        }
    }

    /// Reads what there is, and opens what is new.
    fn poll(&mut self, registry: &OrganisationRegistry) -> Result<Changes, String> {
        let mut changes = Changes::default();
        let paths = files_of(&self.directory)?;
        self.known.retain(|path, _| paths.contains(path));
        let mut described: HashMap<Ukprn, PathBuf> = HashMap::new();
        for path in paths {
            let gathered = Gathered::read(&path);
            let before = self.known.remove(&path);
            let first = gathered.ukprn().map(|ukprn| (ukprn, described.entry(ukprn.clone()).or_insert_with(|| path.clone())));
            let repeated = first.filter(|(_, first)| **first != path);
            let (digest, repeats) = (gathered.digest.as_ref().to_vec(), repeated.is_some());
            let known = match (before, repeated) {
                (Some(known), _) if known.digest == digest && known.repeats == repeats => known,
                (_, Some((ukprn, first))) => {
                    let (path, first) = (path.display(), first.display());
                    changes.report.problems.push(format!("{path}: ukprn: organisation {ukprn} is described in {first} already"));
                    Known { digest, repeats, organisation: None, good: false }
                }
                (before, None) => {
                    let opened = gathered.open(&*self.clients, self.certificates_needed, &mut changes.report).map(Arc::new);
                    let good = opened.is_some();
                    Known { digest, repeats, organisation: opened.or_else(|| before?.organisation), good }
                }
            };
            self.known.insert(path, known);
        }
        let mut organisations = HashMap::new();
        for organisation in self.known.values().filter_map(|known| known.organisation.as_ref()) {
            organisations.entry(organisation.ukprn().clone()).or_insert_with(|| Arc::clone(organisation));
        }
        let before = registry.snapshot();
        let change = |ukprn: &Ukprn| match (before.get(ukprn), organisations.get(ukprn)) {
            (Some(one), Some(other)) => (!Arc::ptr_eq(one, other)).then_some(Change::Changed),
            (Some(_), None) => Some(Change::Gone),
            (None, _) => Some(Change::Came),
        };
        let everybody = before.keys().chain(organisations.keys().filter(|ukprn| !before.contains_key(ukprn)));
        changes.changed = everybody.filter_map(|ukprn| Some((ukprn.clone(), change(ukprn)?))).collect();
        registry.note_unusable(self.known.values().filter(|known| !known.good).count());
        if !changes.changed.is_empty() {
            registry.replace(organisations);
        }
        Ok(changes)
    }
}
