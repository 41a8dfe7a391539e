//! Decisions of callers about parts: unconfirmed ones, and ones that LRS has lost or that could not be sent.

use crate::batches::error::BatchError;
use crate::batches::metadata::BatchMetadata;
use crate::batches::model::{Batch, BlobName};
use crate::batches::repository::{BlobChanges, PartUpdate};
use crate::batches::service::{BatchService, SCHEDULED_VISIT_DELAY};
use crate::batches::transitions::{discarded, resubmitted};
use crate::observability::metrics;
use crate::organisations::CallContext;

/// A caller's decision about a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Send the part again.
    Resubmit,
    /// Do not send the part again.
    Discard,
}

/// The outcome of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecisionOutcome {
    /// The decision is stored.
    Applied,
    /// The batch has no part with this number.
    NoSuchPart,
    /// The decision is not possible in the part's state.
    NotAwaitingDecision,
    /// The records of the part are no longer stored.
    RecordsDeleted,
}

impl BatchService {
    /// Applies a decision to a part.
    ///
    /// # Errors
    /// Returns [`BatchError`] if the store fails or an encryption key is missing.
    pub async fn decide(
        &self,
        context: &CallContext,
        batch: &Batch,
        number: u32,
        decision: Decision,
    ) -> Result<DecisionOutcome, BatchError> {
        let Some(part) = batch.part(number) else { return Ok(DecisionOutcome::NoSuchPart) };
        // The gateway never had the records of an adopted job.
        if !part.awaits_decision() || batch.header.adopted {
            return Ok(DecisionOutcome::NotAwaitingDecision);
        }
        // Earlier versions deleted the records as soon as LRS had accepted them.
        if decision == Decision::Resubmit && self.encrypted_blob(batch.id, BlobName::Records(number)).await?.is_none() {
            return Ok(DecisionOutcome::RecordsDeleted);
        }
        if decision == Decision::Resubmit {
            self.ensure_durable().await?;
        }
        let now = self.prepare().await?;
        // A resubmitted part keeps the batch longer than planned at its acceptance, so the keys that encrypted it are needed longer, too. A
        // discarded part does not: extending the keys does no harm then.
        self.key_registry.extend_all(now, self.latest_expiry(now)).await?;
        let (updated, blobs) = match decision {
            Decision::Resubmit => {
                let user = BatchMetadata::submitted_by(context);
                let json = serde_json::to_vec(&user).map_err(|_| BatchError::Malformed("metadata of a resubmission"))?;
                let blob = self.cipher.encrypt(batch.id, BlobName::ResubmittedBy(number), &json)?;
                // Results that LRS has returned so far are those of the lost job.
                (resubmitted(part, now), BlobChanges { put: vec![blob], delete: vec![BlobName::JobOutput(number)] })
            }
            Decision::Discard => (discarded(part, now), BlobChanges { put: Vec::new(), delete: vec![BlobName::Records(number)] }),
        };
        if decision == Decision::Resubmit {
            // No worker visits a finished batch. So the next visit is stored before the part: this process may stop before it wakes the batch.
            self.repository.schedule(batch.id, now.after(SCHEDULED_VISIT_DELAY)).await?;
        }
        let update = PartUpdate { number, expected: part, updated: &updated, blobs: &blobs };
        if !self.repository.update_part(batch.id, update).await? {
            return Ok(DecisionOutcome::NotAwaitingDecision);
        }
        metrics::record_part_state(batch.header.kind.name(), updated.state.name());
        tracing::info!(batch = %batch.id, part = number, ?decision, "part decision applied");
        // The decision is stored, even if these steps fail: a worker visits the batch later in any case. A finished batch stays finished when
        // one of its parts is discarded: it has its expiry already.
        let mut follow_up = Ok(());
        if decision == Decision::Resubmit || !batch.is_finished() {
            follow_up = self.repository.wake(batch.id).await;
        }
        if decision == Decision::Resubmit {
            follow_up = self.repository.set_expiry(batch, self.latest_expiry(now)).await.and(follow_up);
        }
        if let Err(error) = follow_up {
            tracing::warn!(batch = %batch.id, part = number, %error, "part decision delayed: batch not woken, or its expiry not moved");
        }
        self.new_work.notify_one();
        Ok(DecisionOutcome::Applied)
    }
}
