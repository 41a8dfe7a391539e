//! All organisations that the gateway serves.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;

use super::organisation::Organisation;
use crate::domain::Ukprn;

/// Organisations by UKPRN.
pub(super) type OrganisationMap = HashMap<Ukprn, Arc<Organisation>>;

/// All organisations that the gateway serves. It may change at any time; a request keeps the version of its organisation that was current
/// when the request arrived.
#[derive(Debug, Default)]
pub struct OrganisationRegistry {
    organisations: RwLock<Arc<OrganisationMap>>,
    invalid_files: AtomicUsize,
}

impl OrganisationRegistry {
    /// Returns a registry with the given organisations.
    pub fn new(organisations: impl IntoIterator<Item = Organisation>) -> Self {
        let organisations: OrganisationMap =
            organisations.into_iter().map(|organisation| (organisation.ukprn().clone(), Arc::new(organisation))).collect();
        Self { organisations: RwLock::new(Arc::new(organisations)), invalid_files: AtomicUsize::new(0) }
    }

    /// Returns all current organisations.
    pub fn snapshot(&self) -> Arc<OrganisationMap> {
        Arc::clone(&self.organisations.read())
    }

    /// Replaces all organisations.
    pub(super) fn replace(&self, organisations: OrganisationMap) {
        *self.organisations.write() = Arc::new(organisations);
    }

    pub(super) fn set_invalid_files(&self, files: usize) {
        self.invalid_files.store(files, Ordering::Relaxed);
    }

    /// Returns the number of organisation files with an error. If such a file was valid before, its organisation stays in use until the
    /// file is corrected, unless the file is a duplicate of another file's UKPRN. After a restart before that, it is not served.
    pub fn invalid_files(&self) -> usize {
        self.invalid_files.load(Ordering::Relaxed)
    }

    /// Returns the organisation with a UKPRN.
    pub fn find(&self, ukprn: &Ukprn) -> Option<Arc<Organisation>> {
        self.organisations.read().get(ukprn).cloned()
    }

    /// Returns the number of organisations.
    pub fn len(&self) -> usize {
        self.organisations.read().len()
    }

    /// Returns `true` if there is no organisation.
    pub fn is_empty(&self) -> bool {
        self.organisations.read().is_empty()
    }
}

/// Result of reading the organisations' files.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// Errors of files, each with the file. Such a file cannot be used.
    pub errors: Vec<String>,
    /// Settings of the gateway without a value that an organisation needs, each with the organisation. The organisation is not used with a
    /// guessed value.
    pub missing_settings: Vec<String>,
    /// Client certificates that are missing or not valid now, each with the organisation. The organisation is used in any case: LRS decides
    /// about its calls.
    pub warnings: Vec<String>,
    /// Information for operators, such as the expiry of a certificate.
    pub remarks: Vec<String>,
}

impl LoadReport {
    /// Logs the errors and the warnings.
    pub fn log(&self) {
        for error in self.errors.iter().chain(&self.missing_settings) {
            tracing::error!(error, "organisation file cannot be used: organisation not loaded, or unchanged");
        }
        for warning in &self.warnings {
            tracing::warn!(warning, "organisation's client certificate missing or not valid: organisation used nevertheless");
        }
    }
}
