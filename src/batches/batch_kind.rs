//! The interface that each kind of batch implements, and what the implementations share.

use std::collections::BTreeMap;
use std::future::Future;

use serde::Serialize;

use crate::batches::fingerprint::RecordFingerprint;
use crate::batches::metadata::BatchMetadata;
use crate::batches::model::{EpochMillis, JobReport, JobTime, KindTag};
use crate::batches::result_matching::RecordResult;
use crate::domain::{Extensible, LrsTime};
use crate::lrs::concurrency_limit::ConcurrencyPermit;
use crate::lrs::response_codes::LrsCode;
use crate::lrs::{CallError, Lrs, Operation, Service};
use crate::organisations::CallContext;
use crate::schema::deserialize::FromDocument;
use crate::schema::openapi::PropertySchema;
use crate::xml::XmlRecord;

/// A kind of batch: how its records are sent to LRS, and what LRS's responses mean.
pub trait BatchKind: 'static {
    /// The kind's tag in headers, keys and metrics.
    const KIND: KindTag;
    /// The LRS service that processes the batch.
    const SERVICE: Service;
    /// Maximum number of records in one LRS job.
    const MAX_RECORDS_PER_JOB: usize;

    /// A record as callers send it.
    type Record: FromDocument + PropertySchema + Serialize + Send + Sync + 'static;
    /// LRS's response to a poll.
    type Output: XmlRecord + Send + 'static;
    /// LRS's result of one record.
    type Result: Send + 'static;

    /// Returns the fingerprint by which results are matched to the record.
    fn fingerprint(record: &Self::Record) -> RecordFingerprint;

    /// Returns `true` if sending such a batch twice has no side effect.
    fn is_repeatable(metadata: &BatchMetadata) -> bool;

    /// Submits records to LRS as one job.
    fn submit(
        request: PartRequest<'_>,
        metadata: &BatchMetadata,
        records: &[Self::Record],
    ) -> impl Future<Output = Result<SubmitResponse, CallError>> + Send;

    /// Polls a job.
    fn poll(request: PartRequest<'_>, job_id: i64) -> impl Future<Output = Result<Self::Output, CallError>> + Send;

    /// Returns the progress of a job with `record_count` records; 0 if the number is unknown.
    fn progress(output: &Self::Output, record_count: usize) -> JobProgress;

    /// Returns LRS's code.
    fn lrs_code(output: &Self::Output) -> Option<&LrsCode>;

    /// Returns LRS's own status and times of the job.
    fn report(output: &Self::Output) -> JobReport;

    /// Returns the number of results.
    fn result_count(output: &Self::Output) -> usize;

    /// Returns LRS's counters, by their names in JSON.
    fn counters(output: &Self::Output) -> BTreeMap<String, i32>;

    /// Matches LRS's response to the records of a part whose first record has position `first_position`. Returns the results.
    ///
    /// `sent` has the fingerprints of the part's records; `None` for an adopted job, whose records are unknown.
    fn match_output(output: Self::Output, first_position: u32, sent: Option<&[RecordFingerprint]>) -> Vec<RecordResult<Self::Result>>;
}

/// Everything needed to call LRS once about a part.
#[derive(Debug)]
pub struct PartRequest<'a> {
    /// The LRS client.
    pub lrs: &'a Lrs,
    /// The organisation and the user.
    pub context: &'a CallContext,
    /// The permit for this call.
    pub permit: ConcurrencyPermit,
}

impl PartRequest<'_> {
    /// Calls an LRS operation.
    ///
    /// # Errors
    /// Returns [`CallError`] if LRS returned no valid response to this request.
    pub async fn call<O: Operation>(self, operation: &O) -> Result<O::Response, CallError> {
        self.lrs.call_with_permit(self.permit, self.context, operation).await
    }
}

/// LRS's response to the submission of a part.
#[derive(Debug, Clone)]
pub struct SubmitResponse {
    /// LRS's code.
    pub lrs_code: Option<LrsCode>,
    /// Id of the new job; `None` if LRS created none.
    pub job_id: Option<i64>,
}

/// The progress of a job, derived from LRS's response to a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobProgress {
    /// LRS is still processing the job.
    Working,
    /// The job is done and the response has its results.
    Done,
    /// The job failed.
    Failed,
    /// LRS does not know the job.
    NoSuchJob,
}

/// Returns the progress of a job for which LRS gives an undocumented code or none: done if LRS gives an end time, or has returned a
/// result for every record and the number of records is known (LRS-CONTRACT 6.2).
pub const fn progress_from_results(result_count: usize, record_count: usize, is_finished: bool) -> JobProgress {
    if is_finished || (record_count > 0 && result_count >= record_count) { JobProgress::Done } else { JobProgress::Working }
}

/// Creates a job report from LRS's status word, start time and end time.
pub fn job_report<T: LrsTime>(status: Option<&str>, started_at: Option<&Extensible<T>>, finished_at: Option<&Extensible<T>>) -> JobReport {
    // Only one or two words are stored. Longer text might contain personal data, and parts are not encrypted.
    let is_word =
        |text: &&str| (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic() || b" _-".contains(&byte));
    JobReport {
        status: status.map(str::trim).filter(is_word).map(str::to_owned),
        started_at: started_at.and_then(job_time),
        finished_at: finished_at.and_then(job_time),
    }
}

/// Returns a time of a job. A text that is not a documented time is kept if it can be a time: parts are not encrypted, and other texts might
/// contain personal data.
fn job_time<T: LrsTime>(time: &Extensible<T>) -> Option<JobTime> {
    let text = match time {
        Extensible::Known(time) => return time.timestamp().map(|timestamp| JobTime::Known(EpochMillis(timestamp.as_millisecond()))),
        Extensible::Verbatim(text) => text.trim(),
    };
    let is_time_character = |byte: u8| byte.is_ascii_alphanumeric() || b" .:,/+-".contains(&byte);
    let has_separated_numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty()).count() >= 3;
    let can_be_time = text.len() <= 40 && text.bytes().all(is_time_character) && has_separated_numbers;
    can_be_time.then(|| JobTime::Verbatim(text.to_owned()))
}

/// Returns the counters that LRS has given.
pub fn present_counters<const N: usize>(counters: [(&str, Option<i32>); N]) -> BTreeMap<String, i32> {
    counters.into_iter().filter_map(|(name, count)| Some((name.to_owned(), count?))).collect()
}
