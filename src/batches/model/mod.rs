//! The stored state of a batch. It contains no personal data, so it is not encrypted.

mod batch;
mod id;
mod part;
mod time;

pub use batch::{Batch, BatchHeader, BatchStatus, KindTag};
pub use id::BatchId;
pub use part::{BlobName, JobReport, JobTime, Part, PartReason, PartState};
pub use time::EpochMillis;
