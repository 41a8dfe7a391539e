//! Registration batches (FACTS 2.7, 2.8).

use std::collections::BTreeMap;

use super::kind::{BatchKind, Calls, Details, Progress, Row, Submitted, counters, paired};
use super::matching::{Mark, key};
use super::model::Kind;
use crate::domain::{BatchLearner, BatchLearnerResult, JobType, Open, Personal, Text};
use crate::form::Value as _;
use crate::lrs::CallFailed;
use crate::lrs::codes::LrsCode;
use crate::lrs::learner_service::{GetRegistrationBatch, MOST_LEARNERS, RegistrationBatchOutput, SubmitRegistrationBatch};

/// Learners to register, or to look for.
#[derive(Debug, Clone, Copy)]
pub enum Registrations {}

impl BatchKind for Registrations {
    const KIND: Kind = Kind::Registration;
    const MOST_IN_A_JOB: usize = MOST_LEARNERS;
    type Record = BatchLearner;
    type Output = RegistrationBatchOutput;
    type Result = BatchLearnerResult;

    fn mark(learner: &BatchLearner) -> Mark {
        let born = learner.date_of_birth.as_ref().map(|date| date.text().into_owned()).unwrap_or_default();
        let keys = [key(&[learner.given_name.as_str(), learner.family_name.as_str(), &born])];
        Mark::new(learner.mis_identifier.as_ref().map(Text::as_str), keys).naming_uln(learner.uln.is_some())
    }

    /// Looking for learners changes nothing; registering them twice may give them two ULNs.
    fn is_repeatable(details: &Details) -> bool {
        details.job_type == Some(JobType::Check)
    }

    async fn submit(calls: Calls<'_>, details: &Details, learners: &[BatchLearner]) -> Result<Submitted, CallFailed> {
        let request = SubmitRegistrationBatch { job_type: details.job_type.unwrap_or(JobType::Check), learners };
        let answer = calls.lrs.call(calls.actor, &request).await?;
        Ok(Submitted { job: answer.job(), code: Some(answer.response_code) })
    }

    async fn fetch(calls: Calls<'_>, job_id: i64) -> Result<RegistrationBatchOutput, CallFailed> {
        calls.lrs.call(calls.actor, &GetRegistrationBatch { job_id }).await
    }

    fn progress(output: &RegistrationBatchOutput) -> Progress {
        match &output.response_code {
            code if code.is("WSRC0008") => Progress::Working,
            code if code.is("WSRC0009") => Progress::Done,
            code if code.is("WSRC0010") => Progress::Failed,
            code if code.is("WSRC0018") => Progress::Unknown,
            _ if output.learner.is_empty() && output.job_finished_date_time.is_none() => Progress::Working,
            _ => Progress::Done,
        }
    }

    fn code(output: &RegistrationBatchOutput) -> Option<&LrsCode> {
        Some(&output.response_code)
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

    fn rows(output: RegistrationBatchOutput, first: u32, marks: Option<&[Mark]>) -> Vec<Row<BatchLearnerResult>> {
        paired(output.learner.into_iter().map(|learner| (mark_of_result(&learner), learner)).collect(), first, marks)
    }
}

fn mark_of_result(learner: &BatchLearnerResult) -> Mark {
    fn text(value: Option<&Personal<String>>) -> Option<&str> {
        value.map(|text| text.reveal().as_str())
    }
    let born = learner.date_of_birth.as_ref().map(Open::to_lrs).unwrap_or_default();
    let [given, family] = [&learner.given_name, &learner.family_name].map(|name| text(name.as_ref()).unwrap_or_default());
    Mark::new(text(learner.mis_identifier.as_ref()), [key(&[given, family, &born])])
}
