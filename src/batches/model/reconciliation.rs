//! The reconciliation of a registration whose response was lost: a `CHECK` job of the same records shows what LRS has.

use serde::{Deserialize, Serialize};

use super::time::EpochMillis;

/// The reconciliation of a part. Stored as JSON, with short names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciliation {
    /// Time at which the response was found to be lost.
    #[serde(rename = "begun")]
    pub started_at: EpochMillis,
    /// LRS's id of the `CHECK` job; `None` until LRS has accepted it.
    #[serde(rename = "job", default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<i64>,
    /// Time at which LRS accepted the `CHECK` job.
    #[serde(rename = "submitted", default, skip_serializing_if = "Option::is_none")]
    pub submitted_at: Option<EpochMillis>,
    /// What the `CHECK` job has shown; `None` until it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<CheckEvidence>,
}

impl Reconciliation {
    /// Creates a reconciliation that starts now.
    pub const fn starting(now: EpochMillis) -> Self {
        Self { started_at: now, job_id: None, submitted_at: None, evidence: None }
    }
}

/// What a `CHECK` job has shown about the records of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckEvidence {
    /// Time at which the gateway read the results.
    #[serde(rename = "at")]
    pub checked_at: EpochMillis,
    /// Number of records whose learner is registered.
    #[serde(rename = "found")]
    pub registered: u32,
    /// Positions of the records whose learner LRS did not find.
    #[serde(rename = "missing")]
    pub not_registered: Vec<u32>,
    /// Positions of the records about which LRS's results are not clear.
    pub unclear: Vec<u32>,
}

impl CheckEvidence {
    /// Returns `true` if the learner of each record is registered.
    pub const fn is_complete(&self) -> bool {
        self.registered > 0 && self.not_registered.is_empty() && self.unclear.is_empty()
    }
}
