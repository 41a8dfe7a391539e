//! The stored state of a batch. It contains no personal data in plain text, so it is not encrypted as a whole.

mod batch;
mod id;
mod lrs_text;
mod part;
mod period;
mod rank;
mod reconciliation;
mod time;

pub use batch::{Batch, BatchHeader, BatchStatus, KindTag};
pub use id::BatchId;
pub use lrs_text::{LrsText, bounded_text};
pub use part::{BlobName, JobReport, JobTime, OutcomeCounts, Part, PartReason, PartState, SteadyResults};
pub use period::SubmissionPeriod;
pub use rank::Rank;
pub use reconciliation::{CheckEvidence, Reconciliation};
pub use time::EpochMillis;
