//! Verification batches (FACTS 2.11, 2.12).

use std::collections::BTreeMap;

use crate::batches::batch_kind::{
    BatchKind, BatchMetadata, JobProgress, PartRequest, RecordResult, Submitted, job_report, paired, progress_by_payload,
};
use crate::batches::model::{JobReport, KindTag};
use crate::batches::result_matching::{RecordFingerprint, key};
use crate::domain::{BatchLearnerToVerify, BoundedText, Extensible, FromLrs, Personal};
use crate::lrs::codes::LrsCode;
use crate::lrs::services::learner::{
    GetVerificationBatch, MOST_LEARNERS, SubmitVerificationBatch, VerificationBatchOutput, VerifiedLearner,
};
use crate::lrs::{CallError, Service};

/// Learners to verify.
#[derive(Debug, Clone, Copy)]
pub enum Verifications {}

impl BatchKind for Verifications {
    const KIND: KindTag = KindTag::Verification;
    const SERVICE: Service = Service::Learner;
    const MAX_RECORDS_PER_JOB: usize = MOST_LEARNERS;
    type Record = BatchLearnerToVerify;
    type Output = VerificationBatchOutput;
    type Result = VerifiedLearner;

    fn fingerprint(learner: &BatchLearnerToVerify) -> RecordFingerprint {
        let born = learner.date_of_birth.as_ref().map(FromLrs::to_lrs).unwrap_or_default();
        let gender = learner.gender.as_ref().map(FromLrs::to_lrs).unwrap_or_default();
        let names = [learner.given_name.as_str(), learner.family_name.as_str()];
        mark_of(learner.mis_identifier.as_ref().map(BoundedText::as_str), learner.uln.as_str(), names, [&born, &gender]).naming_uln(true)
    }

    /// It changes nothing.
    fn is_repeatable(_: &BatchMetadata) -> bool {
        true
    }

    async fn submit(call: PartRequest<'_>, details: &BatchMetadata, learners: &[BatchLearnerToVerify]) -> Result<Submitted, CallError> {
        let request = SubmitVerificationBatch { notify_email: details.notify_email.as_ref(), learners };
        let answer = call.send(&request).await?;
        Ok(Submitted { job: answer.job(), code: answer.response_code })
    }

    async fn fetch(call: PartRequest<'_>, job_id: i64) -> Result<VerificationBatchOutput, CallError> {
        call.send(&GetVerificationBatch { job_id }).await
    }

    /// The codes are not public: what counts is whether there are learners (FACTS 3.2).
    fn progress(output: &VerificationBatchOutput, records: usize) -> JobProgress {
        match &output.response_code {
            Some(code) if code.is("WSRC0010") => JobProgress::Failed,
            Some(code) if code.is("WSRC0018") => JobProgress::Unknown,
            _ => progress_by_payload(output.verified_learner.len(), records, output.job_finished_date_time.is_some()),
        }
    }

    fn code(output: &VerificationBatchOutput) -> Option<&LrsCode> {
        output.response_code.as_ref()
    }

    fn report(output: &VerificationBatchOutput) -> JobReport {
        job_report(output.job_status.as_deref(), output.job_started_date_time.as_ref(), output.job_finished_date_time.as_ref())
    }

    fn count(output: &VerificationBatchOutput) -> usize {
        output.verified_learner.len()
    }

    /// LRS has none for these.
    fn counters(_: &VerificationBatchOutput) -> BTreeMap<String, i32> {
        BTreeMap::new()
    }

    fn rows(output: VerificationBatchOutput, first: u32, marks: Option<&[RecordFingerprint]>) -> Vec<RecordResult<VerifiedLearner>> {
        paired(output.verified_learner.into_iter().map(|learner| (mark_of_result(&learner), learner)).collect(), first, marks)
    }
}

/// By what LRS says it was asked about, never by what it found.
fn mark_of_result(learner: &VerifiedLearner) -> RecordFingerprint {
    fn text(value: Option<&Personal<String>>) -> &str {
        value.map_or("", |text| text.reveal())
    }
    let uln = learner.searched_uln.as_ref().map(Extensible::to_lrs).unwrap_or_default();
    let born = learner.searched_date_of_birth.as_ref().map(Extensible::to_lrs).unwrap_or_default();
    let gender = learner.searched_gender.as_ref().map(Extensible::to_lrs).unwrap_or_default();
    let names = [&learner.searched_given_name, &learner.searched_family_name].map(|name| text(name.as_ref()));
    mark_of(learner.mis_identifier.as_ref().map(|name| name.reveal().as_str()), &uln, names, [&born, &gender])
}

fn mark_of(name: Option<&str>, uln: &str, [given, family]: [&str; 2], [born, gender]: [&str; 2]) -> RecordFingerprint {
    RecordFingerprint::new(name, [key(&[uln, given, family]), key(&[uln, given, family, born, gender])])
}
