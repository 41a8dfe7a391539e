//! Sending of a part. The state `sending` is stored before the first byte is written, and the outcome is stored until that succeeds.

use std::time::Duration;

use super::part_processor::PartProcessor;
use crate::batches::batch_kind::{BatchKind, PartRequest};
use crate::batches::error::BatchError;
use crate::batches::model::{Part, PartState};
use crate::batches::repository::{BlobChanges, PartUpdate, StoreError};

/// Delay before the first retry to store an outcome. Each further delay is twice as long.
const MIN_STORE_RETRY_DELAY: Duration = Duration::from_millis(10);
/// Maximum delay between two attempts to store an outcome.
const MAX_STORE_RETRY_DELAY: Duration = Duration::from_secs(2);

/// One attempt to send a part. It is stored twice, each time only if the stored part is as expected:
///
/// 1. [`store_start`](PartProcessor::store_start) replaces `before` by `sending`, before the first byte is sent.
/// 2. [`store_outcome`](PartProcessor::store_outcome) replaces `sending` by the part after the attempt. If another worker or the caller has
///    changed the part meanwhile, [`may_replace`](SendAttempt::may_replace) decides whether the outcome still counts.
#[derive(Clone, Copy)]
struct SendAttempt<'a> {
    /// Number of the part.
    number: u32,
    /// The part before the attempt.
    before: &'a Part,
    /// The part during the attempt, with the token of its sender.
    sending: &'a Part,
}

impl PartProcessor<'_> {
    /// Sends a waiting part.
    pub(super) async fn send<K: BatchKind>(&self, number: u32, part: &Part) -> Result<(), BatchError> {
        let Some(_part_permit) = self.acquire_part_permit().await else { return Ok(()) };
        let Some(records) = self.context.service.records::<K>(self.batch, number).await? else {
            self.update(number, part, &self.transitions().unreadable(part), Vec::new()).await?;
            return Ok(());
        };
        let call_context = self.call_context(number).await?;
        // The LRS permit comes before the state `sending`: a part that waits in the queue is not being sent.
        let lrs = &self.context.lrs;
        let lrs_permit = match self.shutdown.unless_requested(lrs.acquire_permit(K::SERVICE, &call_context)).await {
            None => return Ok(()),
            Some(Ok(lrs_permit)) => lrs_permit,
            Some(Err(error)) => {
                self.update(number, part, &self.transitions().after_send(part, Err(&error)), Vec::new()).await?;
                return Ok(());
            }
        };
        let sending = self.transitions().begin_sending(part, fastrand::u64(1..));
        let attempt = SendAttempt { number, before: part, sending: &sending };
        if !self.store_start(attempt).await? {
            return Ok(());
        }
        let request = PartRequest { lrs, context: &call_context, permit: lrs_permit };
        let outcome = K::submit(request, self.metadata, &records).await;
        drop(records);
        let outcome = outcome.as_ref().map_err(|failed| &failed.error);
        let after = self.transitions().after_send(&sending, outcome);
        self.store_outcome(attempt, &after).await;
        Ok(())
    }

    /// Stores the state `sending`. Returns `false` if another worker has changed the part.
    async fn store_start(&self, attempt: SendAttempt<'_>) -> Result<bool, BatchError> {
        let SendAttempt { number, before, sending } = attempt;
        let update = PartUpdate { number, expected: before, updated: sending, blobs: &BlobChanges::default() };
        match self.context.service.repository.update_part(self.batch.id, update).await {
            Ok(is_stored) => Ok(is_stored),
            Err(error) => {
                // The state may be stored although the store reported an error. Nothing was sent, so it must be undone.
                self.store_outcome(attempt, before).await;
                Err(error.into())
            }
        }
    }

    /// Stores the outcome of an attempt. It cannot be obtained a second time, so this is repeated until it succeeds or can never succeed.
    async fn store_outcome(&self, attempt: SendAttempt<'_>, after: &Part) {
        let (id, number, job) = (self.batch.id, attempt.number, after.job_id);
        let (mut expected, mut delay, mut was_changed) = (Box::new(attempt.sending.clone()), MIN_STORE_RETRY_DELAY, false);
        loop {
            match self.try_store_outcome(attempt, &expected, after).await {
                Ok(StoreResult::Stored) => break,
                Ok(StoreResult::Changed(stored)) => (expected, was_changed) = (stored, true),
                Ok(StoreResult::Superseded) => {
                    tracing::warn!(batch = %id, part = number, job, "LRS response discarded: part has changed");
                    return;
                }
                Err(error @ (BatchError::Cipher(_) | BatchError::Malformed(_) | BatchError::Store(StoreError::Malformed(_)))) => {
                    tracing::error!(batch = %id, part = number, job, %error, "LRS response not stored");
                    return;
                }
                Err(error) => {
                    tracing::error!(batch = %id, part = number, job, %error, "LRS response not stored: retrying");
                    tokio::time::sleep(delay).await;
                    delay = (delay * 2).min(MAX_STORE_RETRY_DELAY);
                }
            }
        }
        // Another worker may have decided in the meantime that the batch needs no further visit.
        if was_changed && let Err(error) = self.context.service.repository.wake(id).await {
            tracing::warn!(batch = %id, %error, "batch not woken: next visit delayed");
        }
    }

    /// Stores the outcome if the stored part is as expected. Otherwise reads the part.
    async fn try_store_outcome(&self, attempt: SendAttempt<'_>, expected: &Part, after: &Part) -> Result<StoreResult, BatchError> {
        if self.update(attempt.number, expected, after, Vec::new()).await? {
            return Ok(StoreResult::Stored);
        }
        let batch = self.context.service.repository.load(self.batch.id).await?;
        let stored = batch.as_ref().and_then(|batch| batch.part(attempt.number));
        let replaceable = stored.filter(|part| attempt.may_replace(part, after));
        Ok(replaceable.map_or(StoreResult::Superseded, |part| StoreResult::Changed(Box::new(part.clone()))))
    }
}

/// Result of an attempt to store an outcome.
enum StoreResult {
    Stored,
    /// The stored part is another one than expected. The outcome may replace it.
    Changed(Box<Part>),
    /// The batch is gone, or the stored part must not be replaced.
    Superseded,
}

impl SendAttempt<'_> {
    /// Returns `true` if the outcome `after` may replace the stored part.
    ///
    /// A new job always replaces it: the gateway must not lose a job that LRS has created. Any other outcome does not replace what another
    /// worker or the caller has decided in the meantime.
    fn may_replace(&self, stored: &Part, after: &Part) -> bool {
        if stored == self.before {
            return true; // The store has lost the state `sending`.
        }
        stored.sender_token == self.sending.sender_token
            && match after.state {
                PartState::Submitted => !matches!(stored.state, PartState::Submitted | PartState::Complete),
                PartState::Failed => matches!(stored.state, PartState::Sending | PartState::Unconfirmed),
                _ => stored.state == PartState::Sending,
            }
    }
}
