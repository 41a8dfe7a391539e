//! Transitions of a part that is reconciled: LRS may have executed a registration, and a `CHECK` job shows whether it has.
//!
//! A `CHECK` job changes nothing at LRS. So it is sent without being marked first, and again if its response is lost.

use super::context::{TransitionContext, jittered, requested_delay};
use crate::batches::batch_kind::{JobProgress, SubmitResponse};
use crate::batches::model::{CheckEvidence, Part, PartState, Reconciliation};
use crate::lrs::LrsError;

impl TransitionContext<'_> {
    /// Starts the reconciliation of a part. LRS gets time to process the registration, if it has it.
    pub(super) fn begin_reconciliation(&self, part: &Part) -> Part {
        Part {
            state: PartState::Reconciling,
            due_at: self.now.after(jittered(self.settings.reconciliation_delay)),
            failed_attempts: 0,
            reconciliation: Some(Reconciliation::starting(self.now)),
            updated_at: self.now,
            ..part.clone()
        }
    }

    /// Returns the part after LRS has responded to the submission of the `CHECK` job, or the call has failed.
    pub fn after_check_sent(&self, part: &Part, outcome: Result<&SubmitResponse, &LrsError>) -> Part {
        match outcome {
            Ok(SubmitResponse { job_id: Some(job_id), .. }) => Part {
                due_at: self.now.after(jittered(self.settings.initial_poll_interval)),
                failed_attempts: 0,
                reconciliation: Some(Reconciliation {
                    job_id: Some(*job_id),
                    submitted_at: Some(self.now),
                    ..part.reconciliation.clone().unwrap_or(Reconciliation::starting(self.now))
                }),
                ..part.clone()
            },
            Err(error) if error.is_transient() => {
                let delay = if error.is_not_executed() {
                    self.retry_delay(part.failed_attempts, error)
                } else {
                    jittered(self.lost_response_delay(part.failed_attempts.saturating_add(1)))
                };
                Part { due_at: self.now.after(delay), failed_attempts: part.failed_attempts.saturating_add(1), ..part.clone() }
            }
            Ok(SubmitResponse { job_id: None, .. }) | Err(_) => self.unconfirmed(part),
        }
    }

    /// Returns the part after LRS has responded to a poll of the `CHECK` job. `evidence` is what a job that is done has shown.
    pub fn after_check_polled(&self, part: &Part, progress: JobProgress, evidence: Option<CheckEvidence>) -> Part {
        let Some(reconciliation) = &part.reconciliation else { return self.unconfirmed(part) };
        let submitted_at = reconciliation.submitted_at.unwrap_or(reconciliation.started_at);
        let polled = Part { due_at: self.next_poll(submitted_at), failed_attempts: 0, ..part.clone() };
        match (progress, evidence) {
            (JobProgress::Done, Some(evidence)) => {
                let is_complete = evidence.is_complete();
                let reconciliation = Some(Reconciliation { evidence: Some(evidence), ..reconciliation.clone() });
                if is_complete {
                    // The code belongs to the lost response.
                    return Part {
                        state: PartState::Complete,
                        reason: None,
                        lrs_code: None,
                        reconciliation,
                        updated_at: self.now,
                        ..polled
                    };
                }
                Part { reconciliation, ..self.unconfirmed(&polled) }
            }
            (JobProgress::Working | JobProgress::Unfinished, _) => polled,
            (JobProgress::NoSuchJob, _) => {
                let unknown_polls = part.failed_attempts.saturating_add(1);
                if self.is_job_lost(submitted_at, unknown_polls) {
                    return self.unconfirmed(&polled);
                }
                Part { failed_attempts: unknown_polls, ..polled }
            }
            (JobProgress::Done, None) | (JobProgress::Failed, _) => self.unconfirmed(&polled),
        }
    }

    /// Returns the part after a poll of the `CHECK` job has failed. It is polled until the result timeout.
    pub fn after_failed_check_poll(&self, part: &Part, error: &LrsError) -> Part {
        let submitted_at = part.reconciliation.as_ref().and_then(|reconciliation| reconciliation.submitted_at);
        let next_poll = self.next_poll(submitted_at.unwrap_or(part.tracking_started_at));
        Part { due_at: next_poll.max(self.now.after(requested_delay(error))), failed_attempts: 0, ..part.clone() }
    }
}
