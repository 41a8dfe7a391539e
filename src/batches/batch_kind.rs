//! What the three kinds of batch have in common, and what each must say of itself.

use std::collections::BTreeMap;
use std::future::Future;

use serde::Serialize;

use crate::batches::model::{BatchId, EpochMillis, JobReport, KindTag};
use crate::batches::result_matching::{RecordFingerprint, pair};
use crate::domain::{EmailAddress, Extensible, JobType, LrsTime, Personal, SubmissionType, UserName};
use crate::lrs::codes::LrsCode;
use crate::lrs::concurrency_limit::Permit;
use crate::lrs::soap::xml_mapping::XmlRecord;
use crate::lrs::{CallError, Lrs, Operation, Service};
use crate::organisations::{ClientIdentity, RequestContext};
use crate::schema::deserialize::FromDocument;
use crate::schema::kept_request;
use crate::schema::openapi::PropertySchema;

kept_request! {
    /// What is said of a batch as a whole, kept sealed until the batch is forgotten.
    #[derive(Debug, Clone)]
    pub struct BatchMetadata {
        /// The person who submitted it: named to LRS in every call about it.
        pub user: UserName,
        /// What a registration batch is to do.
        pub job_type: Option<JobType>,
        /// Whom LRS tells when it is done.
        pub notify_email: Option<EmailAddress>,
        /// Whether achievements are final.
        pub submission_type: Option<SubmissionType>,
        /// The id of the request that submitted it.
        pub request_id: Option<String>,
        /// Who vouched for the caller.
        pub issuer: Option<String>,
        /// The program that called.
        pub client: Option<String>,
    }
}

impl BatchMetadata {
    /// Of a batch of which nothing needs to be said but who submitted it.
    pub fn of(actor: &RequestContext) -> Self {
        let ClientIdentity { request_id, issuer, client, .. } = &*actor.client_identity;
        let [request_id, issuer, client] = [request_id, issuer, client].map(|text| Some(text.clone()).filter(|text| !text.is_empty()));
        Self { user: actor.user.clone(), job_type: None, notify_email: None, submission_type: None, request_id, issuer, client }
    }

    /// Where calls about this part come from.
    pub fn origin(&self, batch: BatchId, part: u32) -> ClientIdentity {
        let [request_id, issuer, client] = [&self.request_id, &self.issuer, &self.client].map(|text| text.clone().unwrap_or_default());
        ClientIdentity { request_id, issuer, client, part: Some((batch.to_string(), part)) }
    }
}

/// The right to call LRS once.
#[derive(Debug)]
pub struct PartRequest<'a> {
    /// LRS.
    pub lrs: &'a Lrs,
    /// In whose name it is called.
    pub actor: &'a RequestContext,
    /// Whose turn it is.
    pub permit: Permit,
}

impl PartRequest<'_> {
    /// Calls LRS.
    ///
    /// # Errors
    /// [`CallFailed`], when there is no answer to this very request.
    pub async fn send<O: Operation>(self, operation: &O) -> Result<O::Response, CallError> {
        self.lrs.call_with_permit(self.permit, self.actor, operation).await
    }
}

/// LRS's answer to a part.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// Its code.
    pub code: Option<LrsCode>,
    /// The job it made, if it did.
    pub job: Option<i64>,
}

/// How far LRS says it is with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobProgress {
    /// Not done.
    Working,
    /// Done: these are the results.
    Done,
    /// It came to nothing.
    Failed,
    /// There is no such job.
    Unknown,
}

/// A record of a batch, and what came of it.
#[derive(Debug, Clone)]
pub struct RecordResult<T> {
    /// Its position in the batch; none for what LRS gave back and nobody can say whose it is.
    pub position: Option<u32>,
    /// The caller's own name for it.
    pub mis_identifier: Option<Personal<String>>,
    /// Did it name a ULN when it was sent?
    pub names_uln: bool,
    /// What LRS said of it; none if it said nothing.
    pub result: Option<T>,
}

impl<T> RecordResult<T> {
    /// The row of a record of which LRS has said nothing.
    pub fn without_result(position: u32, mark: &RecordFingerprint) -> Self {
        Self { position: Some(position), mis_identifier: mark.mis_identifier.clone(), names_uln: mark.names_uln, result: None }
    }
}

/// A kind of batch.
pub trait BatchKind: 'static {
    /// Which.
    const KIND: KindTag;
    /// The service of LRS that it is for.
    const SERVICE: Service;
    /// How many records LRS takes in a job.
    const MAX_RECORDS_PER_JOB: usize;

    /// What callers send.
    type Record: FromDocument + PropertySchema + Serialize + Send + Sync + 'static;
    /// What LRS answers when it is asked for results.
    type Output: XmlRecord + Send + 'static;
    /// What of that is about one record.
    type Result: Send + 'static;

    /// What tells a record from others.
    fn fingerprint(record: &Self::Record) -> RecordFingerprint;

    /// Would it do no harm to send such a batch twice?
    fn is_repeatable(details: &BatchMetadata) -> bool;

    /// Submits records to LRS.
    fn submit(
        call: PartRequest<'_>,
        details: &BatchMetadata,
        records: &[Self::Record],
    ) -> impl Future<Output = Result<Submitted, CallError>> + Send;

    /// Asks LRS how far a job is.
    fn fetch(call: PartRequest<'_>, job: i64) -> impl Future<Output = Result<Self::Output, CallError>> + Send;

    /// How far that says it is with a job of so many records; 0 if nobody knows how many.
    fn progress(output: &Self::Output, records: usize) -> JobProgress;

    /// LRS's code in it.
    fn code(output: &Self::Output) -> Option<&LrsCode>;

    /// What else LRS says of the job in it.
    fn report(output: &Self::Output) -> JobReport;

    /// How many results are in it.
    fn count(output: &Self::Output) -> usize;

    /// LRS's counters in it, by their names in JSON.
    fn counters(output: &Self::Output) -> BTreeMap<String, i32>;

    /// The rows of a part whose first record has this position. Without marks, nothing is known of what was sent.
    fn rows(output: Self::Output, first: u32, marks: Option<&[RecordFingerprint]>) -> Vec<RecordResult<Self::Result>>;
}

/// How far a job is of which LRS gives a code that nobody has documented, or none: done when LRS says when, or has told of every
/// record, if it is known how many there are (FACTS 6.7).
pub const fn progress_by_payload(reported: usize, records: usize, finished: bool) -> JobProgress {
    if finished || (records > 0 && reported >= records) { JobProgress::Done } else { JobProgress::Working }
}

/// What LRS says of a job: its word for how far it is, when it began, and when it ended.
pub fn job_report<T: LrsTime>(status: Option<&str>, started: Option<&Extensible<T>>, finished: Option<&Extensible<T>>) -> JobReport {
    // A word or two. Other text might be about a person, and parts are not sealed.
    let is_word =
        |text: &&str| (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic() || b" _-".contains(&byte));
    let moment = |time: Option<&Extensible<T>>| Some(EpochMillis(time?.known()?.timestamp()?.as_millisecond()));
    JobReport { status: status.map(str::trim).filter(is_word).map(str::to_owned), started: moment(started), finished: moment(finished) }
}

/// Rows of results that LRS gives record by record.
pub fn paired<T>(returned: Vec<(RecordFingerprint, T)>, first: u32, marks: Option<&[RecordFingerprint]>) -> Vec<RecordResult<T>> {
    let (found, results): (Vec<RecordFingerprint>, Vec<T>) = returned.into_iter().unzip();
    let row = |position, mark: &RecordFingerprint, result| RecordResult {
        position,
        mis_identifier: mark.mis_identifier.clone(),
        names_uln: mark.names_uln,
        result,
    };
    // What was sent of a result that is no record's, or of a job submitted elsewhere, nobody knows: perhaps with the ULN in it.
    let found: Vec<RecordFingerprint> = found.into_iter().map(|mark| mark.naming_uln(true)).collect();
    let Some(marks) = marks else {
        let numbered = (first..).zip(found.iter().zip(results));
        return numbered.map(|(position, (mark, result))| row(Some(position), mark, Some(result))).collect();
    };
    let mut results: Vec<Option<T>> = results.into_iter().map(Some).collect();
    let pairs = (first..).zip(marks.iter().zip(pair(marks, &found)));
    let mut rows: Vec<RecordResult<T>> =
        pairs.map(|(position, (mark, at))| row(Some(position), mark, at.and_then(|at| results[at].take()))).collect();
    rows.extend(found.iter().zip(results).filter(|(_, result)| result.is_some()).map(|(mark, result)| row(None, mark, result)));
    rows
}

/// The counters that are there.
pub fn counters<const N: usize>(named: [(&str, Option<i32>); N]) -> BTreeMap<String, i32> {
    named.into_iter().filter_map(|(name, count)| Some((name.to_owned(), count?))).collect()
}
