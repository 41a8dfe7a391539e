//! Polling of a part: asks LRS how far its job is.

use super::part_processor::PartProcessor;
use crate::batches::batch_kind::{BatchKind, JobProgress};
use crate::batches::error::BatchError;
use crate::batches::model::{Part, PartState};
use crate::batches::transitions::PollResult;
use crate::lrs::LrsError;

impl PartProcessor<'_> {
    /// Polls LRS for the progress of a part.
    pub(super) async fn poll<K: BatchKind>(&self, number: u32, part: &Part) -> Result<(), BatchError> {
        let Some(_part_permit) = self.acquire_part_permit().await else { return Ok(()) };
        let Some(job_id) = part.job_id else { return Ok(()) };
        match self.poll_job::<K>(number, job_id).await? {
            None => Ok(()),
            Some(Ok(output)) => self.store_poll::<K>(number, part, output).await,
            Some(Err(error)) => self.store_failed_poll(number, part, &error).await,
        }
    }

    /// Asks LRS for the output of a job; `None` if shutdown is requested first.
    pub(super) async fn poll_job<K: BatchKind>(&self, number: u32, job_id: i64) -> Result<Option<Result<K::Output, LrsError>>, BatchError> {
        let call_context = self.call_context(number).await?;
        Ok(match self.acquire_request(K::SERVICE, &call_context).await {
            None => None,
            Some(Ok(request)) => Some(K::poll(request, job_id).await.map_err(|failed| failed.error)),
            Some(Err(error)) => Some(Err(error)),
        })
    }

    async fn store_poll<K: BatchKind>(&self, number: u32, part: &Part, output: K::Output) -> Result<(), BatchError> {
        let service = &self.context.service;
        let progress = K::progress(&output, part.record_count as usize);
        let result_count = u32::try_from(K::result_count(&output)).unwrap_or(u32::MAX);
        let code = service.stored_code(self.batch.id, number, K::lrs_code(&output));
        let transitions = self.transitions();
        let mut updated = transitions.unless_timed_out(part, transitions.after_poll(part, PollResult { progress, result_count, code }));
        let mut blobs = Vec::new();
        if progress != JobProgress::NoSuchJob {
            updated.job_report = service.stored_report(self.batch.id, number, K::report(&output));
            blobs.push(service.encrypt_output::<K>(self.batch.id, number, &output)?);
        }
        let has_ended = updated.state == PartState::Complete || progress == JobProgress::Failed;
        if has_ended {
            updated.counters = K::counters(&output);
            if self.batch.header.adopted {
                updated.record_count = result_count;
            }
        }
        if K::COUNTS_OUTCOMES && updated.state == PartState::Complete && !self.batch.header.adopted {
            updated.outcome_counts = service.count_outcomes::<K>(self.batch.id, number, part.record_count, output).await?;
        }
        self.context.bad_responses.clear(&(self.batch.id, number));
        self.update(number, part, &updated, blobs).await?;
        Ok(())
    }

    async fn store_failed_poll(&self, number: u32, part: &Part, error: &LrsError) -> Result<(), BatchError> {
        let code = self.context.service.stored_code(self.batch.id, number, error.lrs_code());
        let transitions = self.transitions();
        let updated = transitions.unless_timed_out(part, transitions.after_failed_poll(part, error, code));
        self.log_bad_response(number, part.job_id, error);
        self.update(number, part, &updated, Vec::new()).await?;
        Ok(())
    }
}
