//! Sending of a part. The state `sending` is stored before the first byte is written, and the outcome is stored until that succeeds.

use std::time::Duration;

use super::part_processor::PartProcessor;
use crate::batches::batch_kind::BatchKind;
use crate::batches::error::BatchError;
use crate::batches::model::{Part, PartState};
use crate::batches::repository::{BlobChanges, PartUpdate, StoreError};
use crate::batches::service::SCHEDULED_VISIT_DELAY;
use crate::lrs::{CallError, LrsError};

/// Delay before the first retry to store an outcome. Each further delay is twice as long.
const MIN_STORE_RETRY_DELAY: Duration = Duration::from_millis(10);
/// Maximum delay between two attempts to store an outcome.
const MAX_STORE_RETRY_DELAY: Duration = Duration::from_secs(2);

/// Delay of a part that waits until the store is durable.
const STORE_RECHECK_INTERVAL: Duration = Duration::from_secs(60);

/// One attempt to send a part. It is stored twice, each time only if the stored part is as expected:
///
/// 1. [`store_start`](PartProcessor::store_start) replaces `before` by `sending`, before the first byte is sent.
/// 2. [`store_outcome`](PartProcessor::store_outcome) replaces `sending` by the part after the attempt. If another worker or the caller has
///    changed the part meanwhile, [`replacement`](SendAttempt::replacement) decides whether the outcome still counts.
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
        // A store that loses the state `sending` would have the part sent again. That must have no side effect.
        if !self.batch.header.repeatable
            && let Err(BatchError::Store(StoreError::NotDurable(_))) = self.context.service.ensure_durable().await
        {
            self.update(number, part, &self.transitions().postponed(part, STORE_RECHECK_INTERVAL), Vec::new()).await?;
            return Ok(());
        }
        let Some(_part_permit) = self.acquire_part_permit().await else { return Ok(()) };
        let Some(records) = self.records::<K>(number, part).await? else { return Ok(()) };
        let call_context = self.call_context(number).await?;
        // LRS's permit comes before the state `sending`: a part that waits in the queue is not being sent.
        let request = match self.acquire_request(K::SERVICE, &call_context).await {
            None => return Ok(()),
            Some(Ok(request)) => request,
            Some(Err(error)) => {
                self.update(number, part, &self.transitions().after_send(part, Err(&error), None), Vec::new()).await?;
                return Ok(());
            }
        };
        let sending = self.transitions().begin_sending(part, fastrand::u64(1..));
        let attempt = SendAttempt { number, before: part, sending: &sending };
        if !self.store_start(attempt).await? {
            return Ok(());
        }
        let outcome = K::submit(request, self.metadata, &records).await;
        drop(records);
        if let Err(CallError { error: LrsError::IllegalCharacter, .. }) = outcome {
            // Nothing was sent. Another version may have stored the records: the part waits for a version that can send them.
            self.store_outcome(attempt, part).await;
            return Err(BatchError::Malformed("records"));
        }
        let outcome = outcome.as_ref().map_err(|failed| &failed.error);
        let code = outcome.map_or_else(LrsError::lrs_code, |response| response.lrs_code.as_ref());
        let code = self.context.service.stored_code(self.batch.id, number, code);
        let after = self.transitions().after_send(&sending, outcome, code);
        if let Err(error) = outcome {
            self.log_bad_response(number, None, error);
        }
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
        let mut change = Box::new(PartChange { expected: attempt.sending.clone(), updated: after.clone() });
        let (mut delay, mut needs_visit) = (MIN_STORE_RETRY_DELAY, false);
        loop {
            match self.try_store_outcome(attempt, &change, after).await {
                Ok(StoreResult::Stored) => break,
                Ok(StoreResult::Changed { next, needs_visit: needs_visit_now }) => (change, needs_visit) = (next, needs_visit_now),
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
        if needs_visit && let Err(error) = self.context.service.repository.wake(id).await {
            tracing::warn!(batch = %id, %error, "batch not woken: next visit delayed");
        }
    }

    /// Stores the outcome if the stored part is as expected. Otherwise reads the part.
    async fn try_store_outcome(&self, attempt: SendAttempt<'_>, change: &PartChange, after: &Part) -> Result<StoreResult, BatchError> {
        if self.update(attempt.number, &change.expected, &change.updated, Vec::new()).await? {
            return Ok(StoreResult::Stored);
        }
        let batch = self.context.service.repository.load(self.batch.id).await?;
        let stored = batch.as_ref().and_then(|batch| batch.part(attempt.number));
        let change = stored.and_then(|stored| Some(PartChange { expected: stored.clone(), updated: attempt.replacement(stored, after)? }));
        let (Some(batch), Some(next)) = (&batch, change) else { return Ok(StoreResult::Superseded) };
        let needs_visit = !batch.is_finished() || !next.updated.is_settled();
        if needs_visit {
            // No worker visits a finished batch. So the next visit is stored first: this process may stop before it wakes the batch.
            self.context.service.repository.schedule(batch.id, self.clock.now().after(SCHEDULED_VISIT_DELAY)).await?;
        }
        Ok(StoreResult::Changed { next: Box::new(next), needs_visit })
    }
}

/// Result of an attempt to store an outcome.
enum StoreResult {
    Stored,
    /// The stored part is another one than expected.
    Changed {
        /// Replaces the stored part.
        next: Box<PartChange>,
        /// `false` if the batch stays finished.
        needs_visit: bool,
    },
    /// The batch is gone, or the stored part must not be replaced.
    Superseded,
}

/// A change of a part.
struct PartChange {
    expected: Part,
    updated: Part,
}

impl SendAttempt<'_> {
    /// Returns what replaces the stored part after the outcome `after`; `None` if nothing may replace it.
    ///
    /// A new job always replaces it: the gateway must not lose a job that LRS has created. Any other outcome does not replace what the caller
    /// has decided in the meantime.
    fn replacement(&self, stored: &Part, after: &Part) -> Option<Part> {
        if stored == self.before {
            return Some(after.clone()); // The store has lost the state `sending`.
        }
        if stored.sender_token != self.sending.sender_token {
            return None;
        }
        let is_replaced = match (after.state, stored.state) {
            // A `CHECK` job has completed the part. Its results stay, and now the job is known as well.
            (PartState::Submitted, PartState::Complete) if stored.job_id.is_none() => {
                return Some(Part { job_id: after.job_id, submitted_at: after.submitted_at, ..stored.clone() });
            }
            (PartState::Submitted, state) => !matches!(state, PartState::Submitted | PartState::Complete),
            // LRS certainly did not execute the request. So it need not be reconciled, and can be sent again.
            (PartState::Waiting, PartState::Reconciling) => after.sent_at.is_none(),
            (PartState::Failed, state) => matches!(state, PartState::Sending | PartState::Unconfirmed | PartState::Reconciling),
            (_, state) => state == PartState::Sending,
        };
        is_replaced.then(|| after.clone())
    }
}
