//! Verification batches (LRS-CONTRACT 2.12, 2.13).

use std::collections::BTreeMap;

use crate::batches::batch_kind::{BatchKind, JobProgress, JobSigns, PartRequest, ReportedJob, SubmitResponse, reported_job};
use crate::batches::duplicates::Subject;
use crate::batches::fingerprint::{HashedTexts, RecordFingerprint};
use crate::batches::metadata::BatchMetadata;
use crate::batches::model::KindTag;
use crate::batches::result_matching::{RecordResult, match_results};
use crate::domain::{BatchLearnerToVerify, BoundedText, Extensible, FromLrs, Personal};
use crate::lrs::response_codes::LrsCode;
use crate::lrs::services::learner::{
    GetVerificationJob, MAX_LEARNERS_PER_JOB, SubmitVerificationJob, VerificationBatchOutput, VerifiedLearner, write_batch_learner,
};
use crate::lrs::{CallError, Operation as _, Service};
use crate::xml::{PackedXml, XmlWriter};

/// The kind of batch that verifies learners.
#[derive(Debug, Clone, Copy)]
pub enum Verifications {}

impl BatchKind for Verifications {
    const KIND: KindTag = KindTag::Verification;
    const SERVICE: Service = Service::Learner;
    const SUBMIT_OPERATION: &'static str = SubmitVerificationJob::NAME;
    const POLL_OPERATION: &'static str = GetVerificationJob::NAME;
    const MAX_RECORDS_PER_JOB: usize = MAX_LEARNERS_PER_JOB;
    type Record = BatchLearnerToVerify;
    type Output = VerificationBatchOutput;
    type Result = VerifiedLearner;

    fn write_record(learner: &BatchLearnerToVerify, writer: &mut XmlWriter) {
        write_batch_learner(learner, writer);
    }

    fn fingerprint(learner: &BatchLearnerToVerify) -> RecordFingerprint {
        let fields = IdentityFields {
            mis_identifier: learner.mis_identifier.as_ref().map(BoundedText::as_str),
            uln: learner.uln.as_str(),
            given_name: learner.given_name.as_str(),
            family_name: learner.family_name.as_str(),
            date_of_birth: &learner.date_of_birth.as_ref().map(FromLrs::to_lrs).unwrap_or_default(),
            gender: &learner.gender.as_ref().map(FromLrs::to_lrs).unwrap_or_default(),
        };
        fields.fingerprint().with_uln(true)
    }

    fn subject(learner: &BatchLearnerToVerify) -> Option<Subject<'_>> {
        Some(Subject::of_uln(&learner.uln))
    }

    /// Returns `true`: verification changes nothing.
    fn is_repeatable(_: &BatchMetadata) -> bool {
        true
    }

    async fn submit(request: PartRequest<'_>, metadata: &BatchMetadata, learners: &PackedXml) -> Result<SubmitResponse, CallError> {
        let operation = SubmitVerificationJob { notify_email: metadata.notify_email.as_ref(), learners };
        let response = request.call(&operation).await?;
        Ok(SubmitResponse { job_id: response.accepted_job_id(), lrs_code: response.response_code })
    }

    async fn poll(request: PartRequest<'_>, job_id: i64) -> Result<VerificationBatchOutput, CallError> {
        request.call(&GetVerificationJob { job_id }).await
    }

    /// Returns the progress. The codes of a running or finished job are not public, so the number of results decides (LRS-CONTRACT 3.5).
    fn progress(output: &VerificationBatchOutput, record_count: usize) -> JobProgress {
        match &output.response_code {
            Some(code) if code.matches("WSRC0010") => JobProgress::Failed,
            Some(code) if code.matches("WSRC0018") => JobProgress::NoSuchJob,
            _ => {
                let signs = JobSigns {
                    status: output.job_status.as_deref(),
                    is_finished: output.job_finished_date_time.is_some(),
                    result_count: output.verified_learner.len(),
                    record_count,
                };
                signs.progress()
            }
        }
    }

    fn lrs_code(output: &VerificationBatchOutput) -> Option<&LrsCode> {
        output.response_code.as_ref()
    }

    fn report(output: &VerificationBatchOutput) -> ReportedJob {
        reported_job(output.job_status.as_deref(), output.job_started_date_time.as_ref(), output.job_finished_date_time.as_ref())
    }

    fn result_count(output: &VerificationBatchOutput) -> usize {
        output.verified_learner.len()
    }

    /// Returns an empty map: LRS has no counters for verification jobs.
    fn counters(_: &VerificationBatchOutput) -> BTreeMap<String, i32> {
        BTreeMap::new()
    }

    fn match_output(
        output: VerificationBatchOutput,
        first_position: u32,
        sent: Option<&[RecordFingerprint]>,
    ) -> Vec<RecordResult<VerifiedLearner>> {
        match_results(output.verified_learner, result_fingerprint, first_position, sent)
    }
}

/// Returns the fingerprint of a learner that LRS returned. It uses the fields that LRS searched with, not those that it found.
fn result_fingerprint(learner: &VerifiedLearner) -> RecordFingerprint {
    fn text(value: Option<&Personal<String>>) -> &str {
        value.map_or("", |text| text.reveal())
    }
    let fields = IdentityFields {
        mis_identifier: learner.mis_identifier.as_ref().map(|text| text.reveal().as_str()),
        uln: &learner.searched_uln.as_ref().map(Extensible::to_lrs).unwrap_or_default(),
        given_name: text(learner.searched_given_name.as_ref()),
        family_name: text(learner.searched_family_name.as_ref()),
        date_of_birth: &learner.searched_date_of_birth.as_ref().map(Extensible::to_lrs).unwrap_or_default(),
        gender: &learner.searched_gender.as_ref().map(Extensible::to_lrs).unwrap_or_default(),
    };
    fields.fingerprint()
}

/// The fields of a learner that LRS repeats in its results.
struct IdentityFields<'a> {
    mis_identifier: Option<&'a str>,
    uln: &'a str,
    given_name: &'a str,
    family_name: &'a str,
    date_of_birth: &'a str,
    gender: &'a str,
}

impl IdentityFields<'_> {
    fn fingerprint(self) -> RecordFingerprint {
        let person = HashedTexts::default().with_all(&[self.uln, self.given_name, self.family_name]);
        let person_hash = person.hash();
        RecordFingerprint::new(self.mis_identifier, [person_hash, person.with_all(&[self.date_of_birth, self.gender]).hash()])
    }
}
