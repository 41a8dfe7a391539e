//! The interface that each kind of batch implements, and what the implementations share.

use std::collections::BTreeMap;
use std::future::Future;

use crate::batches::duplicates::Subject;
use crate::batches::fingerprint::RecordFingerprint;
use crate::batches::metadata::BatchMetadata;
use crate::batches::model::{EpochMillis, JobTime, KindTag, LrsText, OutcomeCounts};
use crate::batches::result_matching::RecordResult;
use crate::domain::{Extensible, LrsTime};
use crate::lrs::concurrency_limit::ConcurrencyPermit;
use crate::lrs::response_codes::LrsCode;
use crate::lrs::{CallError, Lrs, Operation, Service};
use crate::organisations::CallContext;
use crate::schema::deserialize::FromDocument;
use crate::schema::openapi::PropertySchema;
use crate::xml::{IllegalCharacter, PackedXml, XmlPacker, XmlRecord, XmlWriter};

/// A kind of batch: how its records are sent to LRS, and what LRS's responses mean.
pub trait BatchKind: 'static {
    /// The kind's tag in headers, keys and metrics.
    const KIND: KindTag;
    /// The LRS service that processes the batch.
    const SERVICE: Service;
    /// LRS's name for the operation that submits a job.
    const SUBMIT_OPERATION: &'static str;
    /// LRS's name for the operation that polls a job.
    const POLL_OPERATION: &'static str;
    /// Maximum number of records in one LRS job.
    const MAX_RECORDS_PER_JOB: usize;
    /// Whether the outcomes of the records are counted when a job is done: LRS returns no result for each record.
    const COUNTS_OUTCOMES: bool = false;

    /// A record as callers send it.
    type Record: FromDocument + PropertySchema + Send + Sync + 'static;
    /// LRS's response to a poll.
    type Output: XmlRecord + Send + 'static;
    /// LRS's result of one record.
    type Result: Send + 'static;

    /// Writes the element of a record in a message to LRS.
    fn write_record(record: &Self::Record, writer: &mut XmlWriter);

    /// Returns the fingerprint by which results are matched to the record.
    fn fingerprint(record: &Self::Record) -> RecordFingerprint;

    /// Returns what the record is about; `None` if nothing identifies it. A batch should not have two records with the same subject.
    fn subject(record: &Self::Record) -> Option<Subject<'_>>;

    /// Returns `true` if sending such a batch twice has no side effect.
    fn is_repeatable(metadata: &BatchMetadata) -> bool;

    /// Submits records to LRS as one job.
    fn submit(
        request: PartRequest<'_>,
        metadata: &BatchMetadata,
        records: &PackedXml,
    ) -> impl Future<Output = Result<SubmitResponse, CallError>> + Send;

    /// Polls a job.
    fn poll(request: PartRequest<'_>, job_id: i64) -> impl Future<Output = Result<Self::Output, CallError>> + Send;

    /// Returns the progress of a job with `record_count` records; 0 if the number is unknown.
    fn progress(output: &Self::Output, record_count: usize) -> JobProgress;

    /// Returns LRS's code.
    fn lrs_code(output: &Self::Output) -> Option<&LrsCode>;

    /// Returns LRS's own status and times of the job.
    fn report(output: &Self::Output) -> ReportedJob;

    /// Returns the number of results.
    fn result_count(output: &Self::Output) -> usize;

    /// Returns LRS's counters, by their names in JSON.
    fn counters(output: &Self::Output) -> BTreeMap<String, i32>;

    /// Matches LRS's response to the records of a part whose first record has position `first_position`. Returns the results.
    ///
    /// `sent` has the fingerprints of the part's records; `None` for an adopted job, whose records are unknown.
    fn match_output(output: Self::Output, first_position: u32, sent: Option<&[RecordFingerprint]>) -> Vec<RecordResult<Self::Result>>;

    /// Counts the outcomes of a part's records. Only called if the kind counts them ([`Self::COUNTS_OUTCOMES`]).
    fn count_outcomes(_: &[RecordResult<Self::Result>]) -> OutcomeCounts {
        OutcomeCounts::default()
    }
}

/// Packs records as they are stored.
///
/// # Errors
/// Returns [`IllegalCharacter`] if a record has a character that XML does not allow. Valid records never do.
pub fn pack<K: BatchKind>(records: &[K::Record]) -> Result<Vec<u8>, IllegalCharacter> {
    let mut packer = XmlPacker::default();
    let mut list = Vec::new();
    for record in records {
        list.extend_from_slice(packer.add(|writer| K::write_record(record, writer)));
    }
    packer.finish().map(|_| list)
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
    /// LRS returned results. It states neither that the job has ended nor that it is still being processed, and more results may follow.
    Unfinished,
    /// The job is done and the response has its results.
    Done,
    /// The job failed.
    Failed,
    /// LRS does not know the job.
    NoSuchJob,
}

/// LRS's own status and times of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportedJob {
    /// LRS's word for the job's status.
    pub status: Option<String>,
    /// Time at which LRS started the job.
    pub started_at: Option<JobTime>,
    /// Time at which LRS finished the job.
    pub finished_at: Option<JobTime>,
}

/// What a response says about a job for which LRS gives an undocumented code or none.
#[derive(Debug, Clone, Copy)]
pub struct JobSigns<'a> {
    /// LRS's word for the job's status.
    pub status: Option<&'a str>,
    /// `true` if LRS gives an end time.
    pub is_finished: bool,
    /// Number of results.
    pub result_count: usize,
    /// Number of records; 0 if it is unknown.
    pub record_count: usize,
}

impl JobSigns<'_> {
    /// Returns the progress (LRS-CONTRACT 6.2). A status is a failure if it is one of the documented words of achievement jobs for it. A
    /// job is done if LRS gives an end time, or has returned a result for every record.
    pub fn progress(&self) -> JobProgress {
        let has_status = |word: &str| self.status.is_some_and(|status| status.trim().eq_ignore_ascii_case(word));
        if has_status("Failed") || has_status("Cancelled") {
            JobProgress::Failed
        } else if self.is_finished || (self.record_count > 0 && self.result_count >= self.record_count) {
            JobProgress::Done
        } else if self.result_count > 0 {
            JobProgress::Unfinished
        } else {
            JobProgress::Working
        }
    }
}

/// Creates the report of a job from LRS's status word, start time and end time.
pub fn reported_job<T: LrsTime>(
    status: Option<&str>,
    started_at: Option<&Extensible<T>>,
    finished_at: Option<&Extensible<T>>,
) -> ReportedJob {
    ReportedJob {
        status: status.map(str::to_owned),
        started_at: started_at.and_then(job_time),
        finished_at: finished_at.and_then(job_time),
    }
}

/// Returns a time of a job, verbatim if its notation is not documented.
fn job_time<T: LrsTime>(time: &Extensible<T>) -> Option<JobTime> {
    match time {
        Extensible::Known(time) => time.timestamp().map(|timestamp| JobTime::Known(EpochMillis(timestamp.as_millisecond()))),
        Extensible::Verbatim(text) => Some(JobTime::Verbatim(LrsText::Plain(text.to_string()))),
    }
}

/// Returns the counters that LRS has given.
pub fn present_counters<const N: usize>(counters: [(&str, Option<i32>); N]) -> BTreeMap<String, i32> {
    counters.into_iter().filter_map(|(name, count)| Some((name.to_owned(), count?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_progress_follows_from_status_end_time_and_results() {
        let progress =
            |status, is_finished, result_count, record_count| JobSigns { status, is_finished, result_count, record_count }.progress();
        assert_eq!(progress(None, false, 0, 2), JobProgress::Working);
        assert_eq!(progress(Some("In Progress"), false, 1, 2), JobProgress::Unfinished);
        assert_eq!(progress(Some("In Progress"), false, 2, 2), JobProgress::Done);
        assert_eq!(progress(None, true, 0, 2), JobProgress::Done);
        assert_eq!(progress(None, false, 2, 0), JobProgress::Unfinished, "the number of records is unknown");
        for failed in ["Failed", " FAILED ", "cancelled"] {
            assert_eq!(progress(Some(failed), true, 2, 2), JobProgress::Failed, "{failed}");
        }
        assert_eq!(progress(Some("Completed with failed records"), true, 1, 2), JobProgress::Done);
    }
}
