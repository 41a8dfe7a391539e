//! The interface of a batch resource: what a kind of batch adds to the operations that all kinds share.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::auth::scope::Scope;
use crate::batches::BatchSettings;
use crate::batches::batch_kind::BatchKind;
use crate::batches::model::{Batch, Part, PartState};
use crate::batches::result_matching::RecordResult;

/// A kind of batch that the API offers as a resource.
pub trait BatchResource: BatchKind {
    /// The scope that the operations require.
    type Scope: Scope;

    /// Path of the resource: `registration-batches`.
    const PATH: &'static str;
    /// JSON Pointer to the records in a submission.
    const RECORDS_POINTER: &'static str;
    /// `true` if LRS identifies the organisation by its reference instead of its UKPRN (LRS-CONTRACT 4.1).
    const REQUIRES_ORGANISATION_REF: bool = false;
    /// Maximum number of a job.
    const MAX_JOB_ID: i64 = i64::MAX;

    /// The answer for one record.
    type ResultAnswer: Serialize + ToSchema;
    /// A page of such answers.
    type ResultsPage: Serialize + ToSchema;

    /// Returns the maximum number of records in a submission.
    fn max_records(settings: &BatchSettings) -> usize;

    /// Builds the answer for a record of a finished part.
    fn result_answer(result: RecordResult<Self::Result>, part: &Part) -> Self::ResultAnswer;

    /// Builds a page.
    fn results_page(batch: &Batch, results: Vec<Self::ResultAnswer>, next: Option<String>) -> Self::ResultsPage;

    /// Returns the columns of the CSV format, as paths in the JSON of a result.
    fn csv_columns() -> Vec<String>;

    /// Returns an example of a submission and of the results for its records, for the OpenAPI document.
    fn example() -> BatchExample;
}

/// An example of a batch with one record for each result.
#[derive(Debug)]
pub struct BatchExample {
    /// LRS's code of the finished job.
    pub lrs_code: Option<&'static str>,
    /// LRS's counters, in JSON.
    pub counts: Value,
    /// The results, in JSON.
    pub results: Vec<Value>,
}

/// Returns `true` if LRS, as far as the gateway knows, processed a finished part as a job. A record without a result is then `NO_RESULT`,
/// otherwise `NOT_PROCESSED`. LRS may have a part that the caller discarded.
pub const fn is_processed(part: &Part) -> bool {
    matches!(part.state, PartState::Complete) || part.job_id.is_some()
}
