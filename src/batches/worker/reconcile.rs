//! Reconciliation of a registration whose response was lost: sends a `CHECK` job of the same records, and reads from its results what LRS
//! has.
//!
//! Nothing is stored before the job is sent: a `CHECK` job changes nothing at LRS. If a worker stops, the next one sends or polls it again.

use super::part_processor::PartProcessor;
use crate::batches::batch_kind::{BatchKind as _, JobProgress, SubmitResponse};
use crate::batches::error::BatchError;
use crate::batches::kinds::registration::Registrations;
use crate::batches::model::{Part, PartState};
use crate::lrs::LrsError;
use crate::lrs::response_codes::LrsCode;

impl PartProcessor<'_> {
    /// Does the next step of a part's reconciliation.
    pub(super) async fn reconcile(&self, number: u32, part: &Part) -> Result<(), BatchError> {
        match part.polled_job() {
            None => self.send_check(number, part).await,
            Some(job_id) => self.poll_check(number, part, job_id).await,
        }
    }

    async fn send_check(&self, number: u32, part: &Part) -> Result<(), BatchError> {
        let Some(_part_permit) = self.acquire_part_permit().await else { return Ok(()) };
        let Some(records) = self.records::<Registrations>(number, part).await? else { return Ok(()) };
        let call_context = self.call_context(number).await?;
        let outcome = match self.acquire_request(Registrations::SERVICE, &call_context).await {
            None => return Ok(()),
            Some(Ok(request)) => Registrations::submit_check(request, &records).await.map_err(|failed| failed.error),
            Some(Err(error)) => Err(error),
        };
        drop(records);
        let updated = self.transitions().after_check_sent(part, outcome.as_ref());
        self.log_check(number, outcome.as_ref());
        self.update(number, part, &updated, Vec::new()).await?;
        Ok(())
    }

    fn log_check(&self, number: u32, outcome: Result<&SubmitResponse, &LrsError>) {
        let id = self.batch.id;
        match outcome {
            Ok(SubmitResponse { job_id: Some(job), .. }) => tracing::info!(batch = %id, part = number, job, "CHECK job accepted"),
            Ok(response) => {
                let code = response.lrs_code.as_ref().and_then(LrsCode::loggable);
                tracing::warn!(batch = %id, part = number, code, "CHECK job not accepted");
            }
            Err(error) => tracing::warn!(batch = %id, part = number, %error, "CHECK job not accepted"),
        }
    }

    async fn poll_check(&self, number: u32, part: &Part, job_id: i64) -> Result<(), BatchError> {
        let Some(_part_permit) = self.acquire_part_permit().await else { return Ok(()) };
        let output = match self.poll_job::<Registrations>(number, job_id).await? {
            None => return Ok(()),
            Some(Ok(output)) => output,
            Some(Err(error)) => {
                self.log_bad_response(number, Some(job_id), &error);
                let transitions = self.transitions();
                let updated = transitions.unless_timed_out(part, transitions.after_failed_check_poll(part, &error));
                self.update(number, part, &updated, Vec::new()).await?;
                return Ok(());
            }
        };
        let progress = Registrations::progress(&output, part.record_count as usize);
        let (mut evidence, mut blobs) = (None, Vec::new());
        if progress == JobProgress::Done {
            // The results of a part that the evidence completes.
            blobs.push(self.context.service.encrypt_output::<Registrations>(self.batch.id, number, &output)?);
            let sent = self.context.service.fingerprints(self.batch.id, number).await?.unwrap_or_default();
            evidence = Some(Registrations::check_evidence(output, part.first_position, &sent, self.clock.now()));
        }
        let transitions = self.transitions();
        let updated = transitions.unless_timed_out(part, transitions.after_check_polled(part, progress, evidence));
        if updated.state != PartState::Complete {
            blobs.clear();
        }
        self.update(number, part, &updated, blobs).await?;
        Ok(())
    }
}
