//! All organisations that the gateway serves.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;

use super::organisation::Organisation;
use crate::domain::Ukprn;

/// Organisations by UKPRN.
pub(super) type Organisations = HashMap<Ukprn, Arc<Organisation>>;

/// All organisations that the gateway serves. It may change at any time; a request keeps the version of its organisation that was current
/// when the request arrived.
#[derive(Debug, Default)]
pub struct OrganisationRegistry {
    organisations: RwLock<Arc<Organisations>>,
    unusable_files: AtomicUsize,
}

impl OrganisationRegistry {
    /// Returns a registry with the given organisations.
    pub fn new(organisations: impl IntoIterator<Item = Organisation>) -> Self {
        let organisations: Organisations =
            organisations.into_iter().map(|organisation| (organisation.ukprn().clone(), Arc::new(organisation))).collect();
        Self { organisations: RwLock::new(Arc::new(organisations)), unusable_files: AtomicUsize::new(0) }
    }

    /// Returns all current organisations.
    pub fn snapshot(&self) -> Arc<Organisations> {
        Arc::clone(&self.organisations.read())
    }

    /// Replaces all organisations.
    pub(super) fn replace(&self, organisations: Organisations) {
        *self.organisations.write() = Arc::new(organisations);
    }

    pub(super) fn set_unusable_files(&self, files: usize) {
        self.unusable_files.store(files, Ordering::Relaxed);
    }

    /// Returns the number of organisation files with an error. If such a file was valid before, its organisation stays in use until the
    /// process ends.
    pub fn unusable_files(&self) -> usize {
        self.unusable_files.load(Ordering::Relaxed)
    }

    /// Returns the organisation with a UKPRN.
    pub fn find(&self, ukprn: &Ukprn) -> Option<Arc<Organisation>> {
        self.snapshot().get(ukprn).cloned()
    }

    /// Returns the number of organisations.
    pub fn len(&self) -> usize {
        self.snapshot().len()
    }

    /// Returns `true` if there is no organisation.
    pub fn is_empty(&self) -> bool {
        self.snapshot().is_empty()
    }
}

/// Result of reading the organisations' files.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// Errors, each with the file or the organisation.
    pub problems: Vec<String>,
    /// Information for operators, such as the expiry of a certificate.
    pub remarks: Vec<String>,
}
