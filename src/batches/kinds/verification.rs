//! Verification batches (FACTS 2.11, 2.12).

use std::collections::BTreeMap;

use crate::batches::batch_kind::{BatchKind, Details, PartCall, Progress, Row, Submitted, paired, progress_by_payload, told};
use crate::batches::model::{JobTold, Kind};
use crate::batches::result_matching::{Mark, key};
use crate::domain::{BatchLearnerToVerify, FromLrs, Open, Personal, Text};
use crate::lrs::codes::LrsCode;
use crate::lrs::services::learner::{
    GetVerificationBatch, MOST_LEARNERS, SubmitVerificationBatch, VerificationBatchOutput, VerifiedLearner,
};
use crate::lrs::{CallFailed, Service};

/// Learners to verify.
#[derive(Debug, Clone, Copy)]
pub enum Verifications {}

impl BatchKind for Verifications {
    const KIND: Kind = Kind::Verification;
    const SERVICE: Service = Service::Learner;
    const MOST_IN_A_JOB: usize = MOST_LEARNERS;
    type Record = BatchLearnerToVerify;
    type Output = VerificationBatchOutput;
    type Result = VerifiedLearner;

    fn mark(learner: &BatchLearnerToVerify) -> Mark {
        let born = learner.date_of_birth.as_ref().map(FromLrs::to_lrs).unwrap_or_default();
        let gender = learner.gender.as_ref().map(FromLrs::to_lrs).unwrap_or_default();
        let names = [learner.given_name.as_str(), learner.family_name.as_str()];
        mark_of(learner.mis_identifier.as_ref().map(Text::as_str), learner.uln.as_str(), names, [&born, &gender]).naming_uln(true)
    }

    /// It changes nothing.
    fn is_repeatable(_: &Details) -> bool {
        true
    }

    async fn submit(call: PartCall<'_>, details: &Details, learners: &[BatchLearnerToVerify]) -> Result<Submitted, CallFailed> {
        let request = SubmitVerificationBatch { notify_email: details.notify_email.as_ref(), learners };
        let answer = call.make(&request).await?;
        Ok(Submitted { job: answer.job(), code: answer.response_code })
    }

    async fn fetch(call: PartCall<'_>, job_id: i64) -> Result<VerificationBatchOutput, CallFailed> {
        call.make(&GetVerificationBatch { job_id }).await
    }

    /// The codes are not public: what counts is whether there are learners (FACTS 3.2).
    fn progress(output: &VerificationBatchOutput, records: usize) -> Progress {
        match &output.response_code {
            Some(code) if code.is("WSRC0010") => Progress::Failed,
            Some(code) if code.is("WSRC0018") => Progress::Unknown,
            _ => progress_by_payload(output.verified_learner.len(), records, output.job_finished_date_time.is_some()),
        }
    }

    fn code(output: &VerificationBatchOutput) -> Option<&LrsCode> {
        output.response_code.as_ref()
    }

    fn told(output: &VerificationBatchOutput) -> JobTold {
        told(output.job_status.as_deref(), output.job_started_date_time.as_ref(), output.job_finished_date_time.as_ref())
    }

    fn count(output: &VerificationBatchOutput) -> usize {
        output.verified_learner.len()
    }

    /// LRS has none for these.
    fn counters(_: &VerificationBatchOutput) -> BTreeMap<String, i32> {
        BTreeMap::new()
    }

    fn rows(output: VerificationBatchOutput, first: u32, marks: Option<&[Mark]>) -> Vec<Row<VerifiedLearner>> {
        paired(output.verified_learner.into_iter().map(|learner| (mark_of_result(&learner), learner)).collect(), first, marks)
    }
}

/// By what LRS says it was asked about, never by what it found.
fn mark_of_result(learner: &VerifiedLearner) -> Mark {
    fn text(value: Option<&Personal<String>>) -> &str {
        value.map_or("", |text| text.reveal())
    }
    let uln = learner.searched_uln.as_ref().map(Open::to_lrs).unwrap_or_default();
    let born = learner.searched_date_of_birth.as_ref().map(Open::to_lrs).unwrap_or_default();
    let gender = learner.searched_gender.as_ref().map(Open::to_lrs).unwrap_or_default();
    let names = [&learner.searched_given_name, &learner.searched_family_name].map(|name| text(name.as_ref()));
    mark_of(learner.mis_identifier.as_ref().map(|name| name.reveal().as_str()), &uln, names, [&born, &gender])
}

fn mark_of(name: Option<&str>, uln: &str, [given, family]: [&str; 2], [born, gender]: [&str; 2]) -> Mark {
    Mark::new(name, [key(&[uln, given, family]), key(&[uln, given, family, born, gender])])
}
