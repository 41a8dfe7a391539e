//! Processes the due parts of one batch: decides what is due, and stores each new state. More methods of [`PartProcessor`] are in
//! [`send`](super::send), [`poll`](super::poll) and [`reconcile`](super::reconcile).

use std::sync::Arc;

use super::context::{Clock, WorkerContext};
use super::permits::PartPermit;
use super::shutdown::ShutdownSignal;
use super::stored_parts::StoredParts;
use crate::batches::batch_kind::{BatchKind, PartRequest};
use crate::batches::error::BatchError;
use crate::batches::handover::{HandedOverRecords, LIFETIME};
use crate::batches::kinds::achievement::Achievements;
use crate::batches::kinds::registration::Registrations;
use crate::batches::kinds::verification::Verifications;
use crate::batches::metadata::BatchMetadata;
use crate::batches::model::{Batch, BlobName, KindTag, Part, PartReason, PartState};
use crate::batches::repository::{BlobChanges, PartUpdate};
use crate::batches::transitions::{TransitionContext, reason_of};
use crate::lrs::{LrsError, Service};
use crate::observability::metrics;
use crate::organisations::{CallContext, Organisation};
use crate::xml::PackedXml;

/// Processes the due parts of one batch during a visit.
#[derive(Clone, Copy)]
pub struct PartProcessor<'a> {
    /// What all visits share.
    pub context: &'a WorkerContext,
    /// The batch at the start of the visit.
    pub batch: &'a Batch,
    /// The batch's metadata.
    pub metadata: &'a BatchMetadata,
    /// The records of the batch's only part, if the batch was [handed over](crate::batches::handover).
    pub records: &'a HandedOverRecords,
    /// The batch's organisation.
    pub organisation: &'a Arc<Organisation>,
    /// The store's clock.
    pub clock: Clock,
    /// Stops the processing before the next call to LRS.
    pub shutdown: &'a ShutdownSignal,
    /// The parts that this visit has stored.
    pub stored_parts: &'a StoredParts,
}

impl PartProcessor<'_> {
    /// Does what is due for a part.
    ///
    /// # Errors
    /// Returns [`BatchError`] if the store fails or the stored data cannot be read. Failed calls to LRS are not errors: they change parts.
    pub async fn process(&self, number: u32, part: &Part) -> Result<(), BatchError> {
        match self.batch.header.kind {
            KindTag::Registration => self.process_kind::<Registrations>(number, part).await,
            KindTag::Verification => self.process_kind::<Verifications>(number, part).await,
            KindTag::Achievement => self.process_kind::<Achievements>(number, part).await,
        }
    }

    async fn process_kind<K: BatchKind>(&self, number: u32, part: &Part) -> Result<(), BatchError> {
        let transitions = self.transitions();
        let updated = match part.state {
            // This visit has the lease and has not sent anything yet, so another worker was sending when it stopped or lost its lease. If
            // it is only slow, it stores LRS's response later (`SendAttempt::replacement`).
            PartState::Sending => transitions.interrupted(part),
            // A job is polled first, then the timeout applies: it may be the first poll after days.
            PartState::Waiting | PartState::Submitted | PartState::Reconciling
                if part.polled_job().is_none() && transitions.is_timed_out(part) =>
            {
                transitions.timed_out(part)
            }
            PartState::Waiting => return self.send::<K>(number, part).await,
            PartState::Submitted => return self.poll::<K>(number, part).await,
            PartState::Reconciling => return self.reconcile(number, part).await,
            PartState::Complete | PartState::Failed | PartState::Unconfirmed => return Ok(()),
        };
        self.update(number, part, &updated, Vec::new()).await?;
        Ok(())
    }

    /// Waits for a permit to send or poll a part; `None` if shutdown is requested first. Records that were handed over do not wait for long: they
    /// are read from the store then.
    pub async fn acquire_part_permit(&self) -> Option<PartPermit<'_>> {
        let permit = self.context.permits.acquire_part(self.organisation.ukprn());
        self.shutdown.unless_requested(self.records.kept_for(LIFETIME, permit)).await
    }

    /// Returns the records of a part. If they are missing, the part ends, and this returns `None`.
    ///
    /// # Errors
    /// Returns [`BatchError`] if the store fails or the records cannot be read.
    pub async fn records<K: BatchKind>(&self, number: u32, part: &Part) -> Result<Option<PackedXml>, BatchError> {
        if let Some(records) = self.records.take() {
            return Ok(Some(records));
        }
        let records = self.context.service.records::<K>(self.batch, number).await?;
        if records.is_none() {
            self.update(number, part, &self.transitions().unreadable(part), Vec::new()).await?;
        }
        Ok(records)
    }

    /// Returns the call context for calls about a part.
    ///
    /// # Errors
    /// Returns [`BatchError`] if the metadata of a resubmission cannot be read.
    pub async fn call_context(&self, number: u32) -> Result<CallContext, BatchError> {
        self.context.service.call_context(self.organisation, self.batch, number, self.metadata).await
    }

    /// Waits for LRS's permit for a call; `None` if shutdown is requested first.
    pub async fn acquire_request<'c>(&'c self, service: Service, context: &'c CallContext) -> Option<Result<PartRequest<'c>, LrsError>> {
        let lrs = &self.context.lrs;
        let acquired = self.shutdown.unless_requested(lrs.acquire_permit(service, context)).await?;
        Some(acquired.map(|permit| PartRequest { lrs, context, permit }))
    }

    /// Returns the transitions at the current time.
    pub fn transitions(&self) -> TransitionContext<'_> {
        let header = &self.batch.header;
        TransitionContext {
            now: self.clock.now(),
            settings: self.context.service.settings(),
            repeatable: header.repeatable,
            reconcilable: header.kind == KindTag::Registration && !header.repeatable,
            adopted: header.adopted,
        }
    }

    /// Logs an error if it means that LRS's response about a part cannot be read, once per cause.
    pub fn log_bad_response(&self, number: u32, job: Option<i64>, error: &LrsError) {
        let id = self.batch.id;
        if reason_of(error) == PartReason::LrsBadResponse && self.context.bad_responses.should_log((id, number), error.to_string()) {
            tracing::warn!(batch = %id, part = number, job, %error, "LRS response about a part cannot be read");
        }
    }

    /// Stores a changed part with new blobs. Returns `false` if the stored part is not as expected.
    ///
    /// The records of a part are deleted as soon as they can no longer be needed.
    ///
    /// # Errors
    /// Returns [`BatchError::Store`] if the store fails.
    pub async fn update(&self, number: u32, expected: &Part, updated: &Part, put: Vec<(BlobName, Vec<u8>)>) -> Result<bool, BatchError> {
        let delete = if updated.needs_records() { Vec::new() } else { vec![BlobName::Records(number)] };
        let update = PartUpdate { number, expected, updated, blobs: &BlobChanges { put, delete } };
        self.stored_parts.remove(number);
        let is_updated = self.context.service.repository.update_part(self.batch.id, update).await?;
        if is_updated {
            self.stored_parts.insert(number, updated.clone());
        }
        if is_updated && expected.state != updated.state {
            let (state, reason) = (updated.state.name(), updated.reason.map(tracing::field::display));
            metrics::record_part_state(self.batch.header.kind.name(), state);
            let (job, code) = (updated.job_id, updated.plain_code());
            tracing::info!(batch = %self.batch.id, part = number, state, reason, job, code, "part state changed");
        }
        Ok(is_updated)
    }
}
