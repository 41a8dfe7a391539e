//! How many batches of each organisation the worker can take: its next claim leaves out the others.
//!
//! An organisation has as many visits at the same time as it may have parts. So its batches do not occupy all visits of the worker.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::batches::repository::{Claim, ClaimLimits};
use crate::domain::Ukprn;
use crate::organisations::OrganisationRegistry;

/// Time for which the batches of an organisation that is not registered are left out.
const UNREGISTERED_RECHECK_INTERVAL: Duration = Duration::from_secs(60);
/// Maximum number of organisations that are left out because they are not registered. Each claim names them.
const MAX_UNREGISTERED: usize = 256;

/// The visits of a worker, by organisation.
#[derive(Debug)]
pub struct VisitLimits {
    max_per_organisation: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Number of visits of each organisation that has any.
    visits: HashMap<Ukprn, usize>,
    /// Organisations with due batches beyond their limit, as of the last claim.
    contended: HashSet<Ukprn>,
    /// Whether due batches of any organisation waited because the worker was full, as of the last claim.
    is_full: bool,
    /// Organisations that are not registered here, with the time at which one of their batches was claimed.
    unregistered: HashMap<Ukprn, Instant>,
}

/// A visit that counts towards its organisation's limit until it is dropped.
#[derive(Debug)]
pub struct CountedVisit {
    state: Arc<Mutex<State>>,
    organisation: Ukprn,
}

impl Drop for CountedVisit {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        if let Some(count) = state.visits.get_mut(&self.organisation) {
            *count -= 1;
            if *count == 0 {
                state.visits.remove(&self.organisation);
            }
        }
    }
}

impl VisitLimits {
    /// Creates limits for this number of visits of an organisation at the same time.
    pub fn new(max_per_organisation: usize) -> Self {
        Self { max_per_organisation, state: Arc::default() }
    }

    /// Returns the limits of the next claim of up to this number of batches.
    pub fn next_claim(&self, batches: usize, registry: &OrganisationRegistry) -> ClaimLimits {
        let mut state = self.state.lock();
        let is_left_out = |organisation: &Ukprn, claimed_at: &mut Instant| {
            claimed_at.elapsed() < UNREGISTERED_RECHECK_INTERVAL && registry.find(organisation).is_none()
        };
        state.unregistered.retain(is_left_out);
        let visited =
            state.visits.iter().map(|(organisation, count)| (organisation.clone(), self.max_per_organisation.saturating_sub(*count)));
        let left_out = state.unregistered.keys().map(|organisation| (organisation.clone(), 0));
        ClaimLimits { batches, batches_per_organisation: self.max_per_organisation, exceptions: visited.chain(left_out).collect() }
    }

    /// Counts a visit of an organisation.
    pub fn begin(&self, organisation: Ukprn) -> CountedVisit {
        *self.state.lock().visits.entry(organisation.clone()).or_default() += 1;
        CountedVisit { state: Arc::clone(&self.state), organisation }
    }

    /// Stores which due batches a claim could not take: those of organisations at their limit, and any others.
    pub fn set_contended(&self, claim: &Claim) {
        let mut state = self.state.lock();
        state.contended = claim.contended.iter().cloned().collect();
        state.is_full = claim.next.is_some_and(|next| next <= claim.now);
    }

    /// Returns `true` if other due batches wait for a visit of the organisation to end.
    pub fn is_contended(&self, organisation: &Ukprn) -> bool {
        let state = self.state.lock();
        state.is_full || state.contended.contains(organisation)
    }

    /// Returns `true` if due batches wait for any visit to end.
    pub fn is_any_contended(&self) -> bool {
        let state = self.state.lock();
        state.is_full || !state.contended.is_empty()
    }

    /// Leaves an organisation that is not registered out of the next claims. Returns `false` if too many are left out already.
    pub fn leave_out(&self, organisation: Ukprn) -> bool {
        let mut state = self.state.lock();
        let has_room = state.unregistered.len() < MAX_UNREGISTERED;
        if has_room {
            state.unregistered.insert(organisation, Instant::now());
        }
        has_room
    }
}
