//! Processes the due parts of one batch: decides what is due, polls submitted parts, and stores each new state. More methods of
//! [`PartProcessor`] are in [`send`](super::send): they send waiting parts.

use std::sync::Arc;

use super::context::{Clock, WorkerContext};
use super::permits::PartPermit;
use super::shutdown::ShutdownSignal;
use crate::batches::batch_kind::{BatchKind, JobProgress, PartRequest};
use crate::batches::error::BatchError;
use crate::batches::kinds::achievement::Achievements;
use crate::batches::kinds::registration::Registrations;
use crate::batches::kinds::verification::Verifications;
use crate::batches::metadata::BatchMetadata;
use crate::batches::model::{Batch, BlobName, KindTag, Part, PartState};
use crate::batches::repository::{BlobChanges, PartUpdate};
use crate::batches::transitions::TransitionContext;
use crate::observability::metrics;
use crate::organisations::{CallContext, Organisation};

/// Processes the due parts of one batch during a visit.
#[derive(Clone, Copy)]
pub struct PartProcessor<'a> {
    /// What all visits share.
    pub context: &'a WorkerContext,
    /// The batch at the start of the visit.
    pub batch: &'a Batch,
    /// The batch's metadata.
    pub metadata: &'a BatchMetadata,
    /// The batch's organisation.
    pub organisation: &'a Arc<Organisation>,
    /// The store's clock.
    pub clock: Clock,
    /// Stops the processing before the next call to LRS.
    pub shutdown: &'a ShutdownSignal,
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
            // it is only slow, it stores LRS's response later (`SendAttempt::may_replace`).
            PartState::Sending => transitions.interrupted(part),
            PartState::Waiting | PartState::Submitted if transitions.is_timed_out(part) => transitions.timed_out(part),
            PartState::Waiting => return self.send::<K>(number, part).await,
            PartState::Submitted => return self.poll::<K>(number, part).await,
            PartState::Complete | PartState::Failed | PartState::Unconfirmed => return Ok(()),
        };
        self.update(number, part, &updated, Vec::new()).await?;
        Ok(())
    }

    /// Polls LRS for the progress of a part.
    async fn poll<K: BatchKind>(&self, number: u32, part: &Part) -> Result<(), BatchError> {
        let Some(_part_permit) = self.acquire_part_permit().await else { return Ok(()) };
        let Some(job_id) = part.job_id else { return Ok(()) };
        let call_context = self.call_context(number).await?;
        let lrs = &self.context.lrs;
        let Some(acquired) = self.shutdown.unless_requested(lrs.acquire_permit(K::SERVICE, &call_context)).await else {
            return Ok(());
        };
        let polled = match acquired {
            Ok(lrs_permit) => {
                K::poll(PartRequest { lrs, context: &call_context, permit: lrs_permit }, job_id).await.map_err(|failed| failed.error)
            }
            Err(error) => Err(error),
        };
        let output = match polled {
            Ok(output) => output,
            Err(error) => {
                self.update(number, part, &self.transitions().after_failed_poll(part, &error), Vec::new()).await?;
                return Ok(());
            }
        };
        let progress = K::progress(&output, part.record_count as usize);
        let mut updated = self.transitions().after_poll(part, progress, K::lrs_code(&output));
        let mut blobs = Vec::new();
        if progress != JobProgress::NoSuchJob {
            updated.job_report = K::report(&output);
            blobs.push(self.context.service.encrypt_output::<K>(self.batch.id, number, &output)?);
        }
        if matches!(progress, JobProgress::Done | JobProgress::Failed) {
            updated.counters = K::counters(&output);
            if self.batch.header.adopted {
                updated.record_count = u32::try_from(K::result_count(&output)).unwrap_or(u32::MAX);
            }
        }
        self.update(number, part, &updated, blobs).await?;
        Ok(())
    }

    /// Waits for a permit to send or poll a part; `None` if shutdown is requested first.
    pub async fn acquire_part_permit(&self) -> Option<PartPermit<'_>> {
        self.shutdown.unless_requested(self.context.permits.acquire_part(self.organisation.ukprn())).await
    }

    /// Returns the call context for calls about a part.
    ///
    /// # Errors
    /// Returns [`BatchError`] if the metadata of a resubmission cannot be read.
    pub async fn call_context(&self, number: u32) -> Result<CallContext, BatchError> {
        self.context.service.call_context(self.organisation, self.batch, number, self.metadata).await
    }

    /// Returns the transitions at the current time.
    pub fn transitions(&self) -> TransitionContext<'_> {
        TransitionContext {
            now: self.clock.now(),
            settings: self.context.service.settings(),
            repeatable: self.batch.header.repeatable,
            adopted: self.batch.header.adopted,
        }
    }

    /// Stores a changed part with new blobs. Returns `false` if the stored part is not as expected.
    ///
    /// The records of a part are deleted as soon as LRS has them or the part is final.
    ///
    /// # Errors
    /// Returns [`BatchError::Store`] if the store fails.
    pub async fn update(&self, number: u32, expected: &Part, updated: &Part, put: Vec<(BlobName, Vec<u8>)>) -> Result<bool, BatchError> {
        let needs_records = matches!(updated.state, PartState::Waiting | PartState::Sending | PartState::Unconfirmed);
        let delete = if needs_records { Vec::new() } else { vec![BlobName::Records(number)] };
        let update = PartUpdate { number, expected, updated, blobs: &BlobChanges { put, delete } };
        let is_updated = self.context.service.repository.update_part(self.batch.id, update).await?;
        if is_updated && expected.state != updated.state {
            let (state, reason) = (updated.state.name(), updated.reason.map(tracing::field::display));
            metrics::record_part_state(self.batch.header.kind.name(), state);
            let (job, code) = (updated.job_id, updated.lrs_code.as_deref());
            tracing::info!(batch = %self.batch.id, part = number, state, reason, job, code, "part state changed");
        }
        Ok(is_updated)
    }
}
