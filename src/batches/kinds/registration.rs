//! Registration batches (FACTS 2.7, 2.8).

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::batches::batch_kind::{
    BatchKind, BatchMetadata, JobProgress, PartRequest, RecordResult, Submitted, counters, job_report, paired, progress_by_payload,
};
use crate::batches::model::{JobReport, KindTag};
use crate::batches::result_matching::{RecordFingerprint, key};
use crate::domain::{BatchLearner, BatchLearnerResult, BoundedText, Extensible, FromLrs, JobType, Personal};
use crate::lrs::codes::LrsCode;
use crate::lrs::services::learner::{GetRegistrationBatch, MOST_LEARNERS, RegistrationBatchOutput, SubmitRegistrationBatch};
use crate::lrs::{CallError, Service};
use crate::schema::Scalar;

/// Learners to register, or to look for.
#[derive(Debug, Clone, Copy)]
pub enum Registrations {}

impl BatchKind for Registrations {
    const KIND: KindTag = KindTag::Registration;
    const SERVICE: Service = Service::Learner;
    const MAX_RECORDS_PER_JOB: usize = MOST_LEARNERS;
    type Record = BatchLearner;
    type Output = RegistrationBatchOutput;
    type Result = BatchLearnerResult;

    fn fingerprint(learner: &BatchLearner) -> RecordFingerprint {
        fn text<V: Scalar>(value: Option<&V>) -> Cow<'_, str> {
            value.map(V::text).unwrap_or_default()
        }
        let identity = Told {
            name: learner.mis_identifier.as_ref().map(BoundedText::as_str),
            person: [learner.given_name.text(), learner.family_name.text(), text(learner.date_of_birth.as_ref())],
            rest: [
                text(learner.last_known_post_code.as_ref()),
                learner.gender.as_ref().map(FromLrs::to_lrs).unwrap_or_default(),
                text(learner.middle_other_name.as_ref()),
                text(learner.preferred_given_name.as_ref()),
                text(learner.previous_family_name.as_ref()),
                text(learner.last_known_address_line1.as_ref()),
                text(learner.place_of_birth.as_ref()),
                text(learner.email_address.as_ref()),
            ],
        };
        identity.mark().naming_uln(learner.uln.is_some())
    }

    /// Looking for learners changes nothing; registering them twice may give them two ULNs.
    fn is_repeatable(details: &BatchMetadata) -> bool {
        details.job_type == Some(JobType::Check)
    }

    async fn submit(call: PartRequest<'_>, details: &BatchMetadata, learners: &[BatchLearner]) -> Result<Submitted, CallError> {
        let request = SubmitRegistrationBatch { job_type: details.job_type.unwrap_or(JobType::Check), learners };
        let answer = call.send(&request).await?;
        Ok(Submitted { job: answer.job(), code: answer.response_code })
    }

    async fn fetch(call: PartRequest<'_>, job_id: i64) -> Result<RegistrationBatchOutput, CallError> {
        call.send(&GetRegistrationBatch { job_id }).await
    }

    fn progress(output: &RegistrationBatchOutput, records: usize) -> JobProgress {
        match &output.response_code {
            Some(code) if code.is("WSRC0008") => JobProgress::Working,
            Some(code) if code.is("WSRC0009") => JobProgress::Done,
            Some(code) if code.is("WSRC0010") => JobProgress::Failed,
            Some(code) if code.is("WSRC0018") => JobProgress::Unknown,
            _ => progress_by_payload(output.learner.len(), records, output.job_finished_date_time.is_some()),
        }
    }

    fn code(output: &RegistrationBatchOutput) -> Option<&LrsCode> {
        output.response_code.as_ref()
    }

    fn report(output: &RegistrationBatchOutput) -> JobReport {
        job_report(output.job_status.as_deref(), output.job_started_date_time.as_ref(), output.job_finished_date_time.as_ref())
    }

    fn count(output: &RegistrationBatchOutput) -> usize {
        output.learner.len()
    }

    fn counters(output: &RegistrationBatchOutput) -> BTreeMap<String, i32> {
        counters([
            ("newLearnersCount", output.new_learners_count),
            ("existsUpdatedLearnersCount", output.exists_updated_learners_count),
            ("possibleMatchLearnersCount", output.possible_match_learners_count),
            ("learnersNotFoundCount", output.learners_not_found_count),
            ("rejectedLearnersCount", output.rejected_learners_count),
        ])
    }

    fn rows(output: RegistrationBatchOutput, first: u32, marks: Option<&[RecordFingerprint]>) -> Vec<RecordResult<BatchLearnerResult>> {
        paired(output.learner.into_iter().map(|learner| (mark_of_result(&learner), learner)).collect(), first, marks)
    }
}

fn mark_of_result(learner: &BatchLearnerResult) -> RecordFingerprint {
    fn text(value: Option<&Personal<String>>) -> Cow<'_, str> {
        value.map(|text| Cow::Borrowed(text.reveal().as_str())).unwrap_or_default()
    }
    let identity = Told {
        name: learner.mis_identifier.as_ref().map(|name| name.reveal().as_str()),
        person: [
            text(learner.given_name.as_ref()),
            text(learner.family_name.as_ref()),
            learner.date_of_birth.as_ref().map(Extensible::to_lrs).unwrap_or_default(),
        ],
        rest: [
            text(learner.last_known_post_code.as_ref()),
            learner.gender.as_ref().map(Extensible::to_lrs).unwrap_or_default(),
            text(learner.middle_other_name.as_ref()),
            text(learner.preferred_given_name.as_ref()),
            text(learner.previous_family_name.as_ref()),
            text(learner.last_known_address_line1.as_ref()),
            text(learner.place_of_birth.as_ref()),
            text(learner.email_address.as_ref()),
        ],
    };
    identity.mark()
}

/// What tells a learner from others, as it was sent and as LRS repeats it: in this order.
struct Told<'a> {
    name: Option<&'a str>,
    person: [Cow<'a, str>; 3],
    rest: [Cow<'a, str>; 8],
}

impl Told<'_> {
    fn mark(self) -> RecordFingerprint {
        let [post_code, ..] = &self.rest;
        let bare = post_code.replace(' ', ""); // LRS ignores the space in it
        let person: Vec<&str> = self.person.iter().map(AsRef::as_ref).collect();
        let everything: Vec<&str> = person.iter().copied().chain([bare.as_str()]).chain(self.rest[1..].iter().map(AsRef::as_ref)).collect();
        RecordFingerprint::new(self.name, [key(&person), key(&everything)])
    }
}
