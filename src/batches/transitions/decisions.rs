//! Transitions that callers decide.

use std::collections::BTreeMap;

use crate::batches::model::{EpochMillis, JobReport, Part, PartReason, PartState};

/// Returns a part after the caller decided to send it again, as if it was never sent. The submission timeout starts again.
pub fn resubmitted(part: &Part, now: EpochMillis) -> Part {
    Part {
        state: PartState::Waiting,
        reason: None,
        due_at: now,
        updated_at: now,
        tracking_started_at: now,
        failed_attempts: 0,
        lost_responses: 0,
        job_id: None,
        lrs_code: None,
        sent_at: None,
        submitted_at: None,
        counters: BTreeMap::new(),
        job_report: JobReport::default(),
        reconciliation: None,
        resubmitted: true,
        ..part.clone()
    }
}

/// Returns a part after the caller decided not to send it again.
pub fn discarded(part: &Part, now: EpochMillis) -> Part {
    Part { state: PartState::Failed, reason: Some(PartReason::Discarded), updated_at: now, ..part.clone() }
}
