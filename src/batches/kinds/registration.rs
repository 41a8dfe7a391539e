//! Registration batches (LRS-CONTRACT 2.10, 2.11).

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::batches::batch_kind::{
    BatchKind, JobProgress, JobSigns, PartRequest, ReportedJob, SubmitResponse, present_counters, reported_job,
};
use crate::batches::duplicates::Subject;
use crate::batches::fingerprint::{HashedTexts, RecordFingerprint};
use crate::batches::metadata::BatchMetadata;
use crate::batches::model::KindTag;
use crate::batches::result_matching::{RecordResult, match_results};
use crate::domain::{BatchLearner, BatchLearnerResult, BoundedText, Extensible, FromLrs, JobType, Personal};
use crate::lrs::response_codes::LrsCode;
use crate::lrs::services::learner::{
    GetRegistrationJob, MAX_LEARNERS_PER_JOB, RegistrationBatchOutput, SubmitRegistrationJob, write_batch_learner,
};
use crate::lrs::{CallError, Operation as _, Service};
use crate::schema::Scalar;
use crate::xml::{PackedXml, XmlWriter};

/// The kind of batch that registers learners, or only searches for them.
#[derive(Debug, Clone, Copy)]
pub enum Registrations {}

impl BatchKind for Registrations {
    const KIND: KindTag = KindTag::Registration;
    const SERVICE: Service = Service::Learner;
    const SUBMIT_OPERATION: &'static str = SubmitRegistrationJob::NAME;
    const POLL_OPERATION: &'static str = GetRegistrationJob::NAME;
    const MAX_RECORDS_PER_JOB: usize = MAX_LEARNERS_PER_JOB;
    type Record = BatchLearner;
    type Output = RegistrationBatchOutput;
    type Result = BatchLearnerResult;

    fn write_record(learner: &BatchLearner, writer: &mut XmlWriter) {
        write_batch_learner(learner, writer);
    }

    fn fingerprint(learner: &BatchLearner) -> RecordFingerprint {
        fn text<V: Scalar>(value: Option<&V>) -> Cow<'_, str> {
            value.map(V::text).unwrap_or_default()
        }
        let fields = IdentityFields {
            mis_identifier: learner.mis_identifier.as_ref().map(BoundedText::as_str),
            person: [learner.given_name.text(), learner.family_name.text(), text(learner.date_of_birth.as_ref())],
            postcode: text(learner.last_known_post_code.as_ref()),
            other: [
                learner.gender.as_ref().map(FromLrs::to_lrs).unwrap_or_default(),
                text(learner.middle_other_name.as_ref()),
                text(learner.preferred_given_name.as_ref()),
                text(learner.previous_family_name.as_ref()),
                text(learner.last_known_address_line1.as_ref()),
                text(learner.place_of_birth.as_ref()),
                text(learner.email_address.as_ref()),
            ],
        };
        fields.fingerprint().with_uln(learner.uln.is_some()).with_lacking_fields(learner.lacks())
    }

    fn subject(learner: &BatchLearner) -> Option<Subject<'_>> {
        learner.uln.as_ref().map(Subject::of_uln)
    }

    /// Returns `true` for a search, which changes nothing. Learners that are registered twice may get two ULNs.
    fn is_repeatable(metadata: &BatchMetadata) -> bool {
        metadata.job_type == Some(JobType::Check)
    }

    async fn submit(request: PartRequest<'_>, metadata: &BatchMetadata, learners: &PackedXml) -> Result<SubmitResponse, CallError> {
        let operation = SubmitRegistrationJob { job_type: metadata.job_type.unwrap_or(JobType::Check), learners };
        let response = request.call(&operation).await?;
        Ok(SubmitResponse { job_id: response.accepted_job_id(), lrs_code: response.response_code })
    }

    async fn poll(request: PartRequest<'_>, job_id: i64) -> Result<RegistrationBatchOutput, CallError> {
        request.call(&GetRegistrationJob { job_id }).await
    }

    fn progress(output: &RegistrationBatchOutput, record_count: usize) -> JobProgress {
        match &output.response_code {
            Some(code) if code.matches("WSRC0008") => JobProgress::Working,
            Some(code) if code.matches("WSRC0009") => JobProgress::Done,
            Some(code) if code.matches("WSRC0010") => JobProgress::Failed,
            Some(code) if code.matches("WSRC0018") => JobProgress::NoSuchJob,
            _ => {
                let signs = JobSigns {
                    status: output.job_status.as_deref(),
                    is_finished: output.job_finished_date_time.is_some(),
                    result_count: output.learner.len(),
                    record_count,
                };
                signs.progress()
            }
        }
    }

    fn lrs_code(output: &RegistrationBatchOutput) -> Option<&LrsCode> {
        output.response_code.as_ref()
    }

    fn report(output: &RegistrationBatchOutput) -> ReportedJob {
        reported_job(output.job_status.as_deref(), output.job_started_date_time.as_ref(), output.job_finished_date_time.as_ref())
    }

    fn result_count(output: &RegistrationBatchOutput) -> usize {
        output.learner.len()
    }

    fn counters(output: &RegistrationBatchOutput) -> BTreeMap<String, i32> {
        present_counters([
            ("newLearnersCount", output.new_learners_count),
            ("existsUpdatedLearnersCount", output.exists_updated_learners_count),
            ("possibleMatchLearnersCount", output.possible_match_learners_count),
            ("learnersNotFoundCount", output.learners_not_found_count),
            ("rejectedLearnersCount", output.rejected_learners_count),
        ])
    }

    fn match_output(
        output: RegistrationBatchOutput,
        first_position: u32,
        sent: Option<&[RecordFingerprint]>,
    ) -> Vec<RecordResult<BatchLearnerResult>> {
        match_results(output.learner, result_fingerprint, first_position, sent)
    }
}

impl Registrations {
    /// Submits learners to LRS as a job that only searches for them. LRS registers and changes none.
    ///
    /// # Errors
    /// Returns [`CallError`] if LRS returned no valid response to this request.
    pub async fn submit_check(request: PartRequest<'_>, learners: &PackedXml) -> Result<SubmitResponse, CallError> {
        let response = request.call(&SubmitRegistrationJob { job_type: JobType::Check, learners }).await?;
        Ok(SubmitResponse { job_id: response.accepted_job_id(), lrs_code: response.response_code })
    }
}

/// Returns the fingerprint of a learner that LRS returned.
pub(super) fn result_fingerprint(learner: &BatchLearnerResult) -> RecordFingerprint {
    fn text(value: Option<&Personal<String>>) -> Cow<'_, str> {
        value.map(|text| Cow::Borrowed(text.reveal().as_str())).unwrap_or_default()
    }
    let fields = IdentityFields {
        mis_identifier: learner.mis_identifier.as_ref().map(|text| text.reveal().as_str()),
        person: [
            text(learner.given_name.as_ref()),
            text(learner.family_name.as_ref()),
            learner.date_of_birth.as_ref().map(Extensible::to_lrs).unwrap_or_default(),
        ],
        postcode: text(learner.last_known_post_code.as_ref()),
        other: [
            learner.gender.as_ref().map(Extensible::to_lrs).unwrap_or_default(),
            text(learner.middle_other_name.as_ref()),
            text(learner.preferred_given_name.as_ref()),
            text(learner.previous_family_name.as_ref()),
            text(learner.last_known_address_line1.as_ref()),
            text(learner.place_of_birth.as_ref()),
            text(learner.email_address.as_ref()),
        ],
    };
    fields.fingerprint()
}

/// The fields of a learner that LRS repeats in its results, in the order in which they are hashed.
struct IdentityFields<'a> {
    mis_identifier: Option<&'a str>,
    person: [Cow<'a, str>; 3],
    postcode: Cow<'a, str>,
    other: [Cow<'a, str>; 7],
}

impl IdentityFields<'_> {
    fn fingerprint(self) -> RecordFingerprint {
        let postcode = self.postcode.replace(' ', ""); // LRS ignores the space in a postcode.
        let person = HashedTexts::default().with_all(&self.person);
        let person_hash = person.hash();
        RecordFingerprint::new(self.mis_identifier, [person_hash, person.with(&postcode).with_all(&self.other).hash()])
    }
}
