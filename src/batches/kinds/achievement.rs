//! Achievement batches (LRS-CONTRACT 2.15, 2.16). LRS returns counters of the accepted achievements, and a file with the rejected ones.
//!
//! The file's format is not public, so callers can read the file unchanged. Its lines are also assigned to achievements where that is
//! certain (`achievement_error_file.rs`). The other achievements are accepted if the counters prove it (`achievement_counters.rs`).

use std::collections::BTreeMap;

use super::achievement_counters::are_others_accepted;
use super::achievement_error_file::AssignedLines;
use crate::batches::batch_kind::{BatchKind, JobProgress, PartRequest, ReportedJob, SubmitResponse, present_counters, reported_job};
use crate::batches::duplicates::{DUPLICATE_ACHIEVEMENT, Subject};
use crate::batches::fingerprint::{RecordFingerprint, hash_texts};
use crate::batches::metadata::BatchMetadata;
use crate::batches::model::{KindTag, OutcomeCounts};
use crate::batches::result_matching::RecordResult;
use crate::domain::{Achievement, AchievementJobStatus, BoundedText, Extensible, Personal, SubmissionType};
use crate::lrs::response_codes::LrsCode;
use crate::lrs::services::external::{
    AchievementBatchResponse, GetAchievementJob, MAX_ACHIEVEMENTS_PER_JOB, SubmitAchievementJob, write_achievement,
};
use crate::lrs::{CallError, LrsResponse as _, Operation as _, Service};
use crate::schema::Scalar as _;
use crate::xml::{PackedXml, XmlWriter};

/// The kind of batch that submits achievements.
#[derive(Debug, Clone, Copy)]
pub enum Achievements {}

/// LRS's acceptance of one achievement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AchievementAcceptance {
    /// LRS accepted every achievement of the job that the error file does not name.
    Accepted,
    /// These lines of the error file name the achievement.
    Rejected(Vec<Personal<String>>),
    /// The error file does not name the achievement, and LRS's counters do not prove that LRS accepted it.
    Undetermined,
}

impl BatchKind for Achievements {
    const KIND: KindTag = KindTag::Achievement;
    const SERVICE: Service = Service::External;
    const SUBMIT_OPERATION: &'static str = SubmitAchievementJob::NAME;
    const POLL_OPERATION: &'static str = GetAchievementJob::NAME;
    const MAX_RECORDS_PER_JOB: usize = MAX_ACHIEVEMENTS_PER_JOB;
    const COUNTS_OUTCOMES: bool = true;
    type Record = Achievement;
    type Output = AchievementBatchResponse;
    type Result = AchievementAcceptance;

    fn write_record(achievement: &Achievement, writer: &mut XmlWriter) {
        write_achievement(achievement, writer);
    }

    fn fingerprint(achievement: &Achievement) -> RecordFingerprint {
        let reference = achievement.unit_or_qualification_reference_number.as_str();
        // In the order of the indexes in `achievement_index`.
        let hashes = [hash_texts(&[achievement.uln.as_str()]), hash_texts(&[reference])];
        RecordFingerprint::new(achievement.mis_identifier.as_ref().map(BoundedText::as_str), hashes).with_uln(true)
    }

    /// Returns the learner, the award and the action: a learner has several achievements, and a batch can change one more than once.
    fn subject(achievement: &Achievement) -> Option<Subject<'_>> {
        let Achievement { uln, unit_or_qualification_reference_number: reference, provider_ukprn, .. } = achievement;
        let texts =
            [uln.text(), reference.text(), achievement.achievement_award_date.text(), provider_ukprn.text(), achievement.action.text()];
        Some(Subject { field: "unitOrQualificationReferenceNumber", hint: &DUPLICATE_ACHIEVEMENT, texts })
    }

    /// Returns `false`: LRS does not document what happens to achievements that are submitted twice.
    fn is_repeatable(_: &BatchMetadata) -> bool {
        false
    }

    async fn submit(request: PartRequest<'_>, metadata: &BatchMetadata, achievements: &PackedXml) -> Result<SubmitResponse, CallError> {
        let operation = SubmitAchievementJob {
            submission_type: metadata.submission_type.unwrap_or(SubmissionType::Provisional),
            notify_email: metadata.notify_email.as_ref(),
            achievements,
            codes: request.lrs.achievement_codes(),
        };
        let response = request.call(&operation).await?;
        Ok(SubmitResponse { job_id: response.accepted_job_id(), lrs_code: response.code().cloned() })
    }

    async fn poll(request: PartRequest<'_>, job_id: i64) -> Result<AchievementBatchResponse, CallError> {
        request.call(&GetAchievementJob { job_id }).await
    }

    fn progress(output: &AchievementBatchResponse, _: usize) -> JobProgress {
        if output.code().is_some_and(|code| code.matches("WSRC0018")) {
            return JobProgress::NoSuchJob;
        }
        // A job without a number does not exist, whatever its status: an empty job has the first status of the list.
        let Some(job) = output.job.as_ref().filter(|job| job.job_id.is_none_or(|id| id > 0)) else { return JobProgress::NoSuchJob };
        match job.status.as_ref().and_then(Extensible::known) {
            Some(AchievementJobStatus::Successful) => JobProgress::Done,
            Some(AchievementJobStatus::Failed | AchievementJobStatus::Cancelled) => JobProgress::Failed,
            None if job.end_date.is_some() => JobProgress::Done,
            Some(AchievementJobStatus::Waiting | AchievementJobStatus::InProgress) | None => JobProgress::Working,
        }
    }

    fn lrs_code(output: &AchievementBatchResponse) -> Option<&LrsCode> {
        output.code()
    }

    fn report(output: &AchievementBatchResponse) -> ReportedJob {
        let Some(job) = &output.job else { return ReportedJob::default() };
        reported_job(job.status.as_ref().map(Extensible::to_lrs).as_deref(), job.start_date.as_ref(), job.end_date.as_ref())
    }

    fn result_count(output: &AchievementBatchResponse) -> usize {
        let count = output.job.as_ref().and_then(|job| job.number_of_records);
        count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
    }

    fn counters(output: &AchievementBatchResponse) -> BTreeMap<String, i32> {
        let Some(job) = &output.job else { return BTreeMap::new() };
        present_counters([
            ("achievementsCreated", job.achievements_created),
            ("achievementsPromotedToFinal", job.achievements_promoted_to_final),
            ("achievementsReinstated", job.achievements_reinstated),
            ("achievementsUpdated", job.achievements_updated),
            ("achievementsWithdrawn", job.achievements_withdrawn),
            ("businessRuleErrors", job.business_rule_errors),
            ("fieldDataErrors", job.field_data_errors),
            ("learnerDataErrors", job.learner_data_errors),
            ("numberOfRecords", job.number_of_records),
            ("successfulFinalAchievements", job.successful_final_achievements),
            ("successfulProvisionalAchievements", job.successful_provisional_achievements),
        ])
    }

    /// Returns the results. An adopted job has none: the error file alone does not list the submitted achievements.
    fn match_output(
        output: AchievementBatchResponse,
        first_position: u32,
        sent: Option<&[RecordFingerprint]>,
    ) -> Vec<RecordResult<AchievementAcceptance>> {
        let sent = sent.unwrap_or_default();
        let job = output.job.as_ref();
        let file = job.and_then(|job| job.achievement_batch_error_file.as_ref()).map_or("", |file| file.reveal());
        let mut lines = AssignedLines::read(file, sent);
        let others_accepted = job.is_some_and(|job| are_others_accepted(job, sent.len(), &lines));
        let results = (first_position..).zip(sent).enumerate().map(|(index, (position, fingerprint))| {
            let acceptance = match lines.take(index) {
                Some(lines) => AchievementAcceptance::Rejected(lines),
                None if others_accepted => AchievementAcceptance::Accepted,
                None => AchievementAcceptance::Undetermined,
            };
            RecordResult { result: Some(acceptance), ..RecordResult::without_result(position, fingerprint) }
        });
        results.collect()
    }

    fn count_outcomes(results: &[RecordResult<AchievementAcceptance>]) -> OutcomeCounts {
        let mut counts = OutcomeCounts::default();
        for result in results {
            match result.result {
                Some(AchievementAcceptance::Accepted) => {}
                Some(AchievementAcceptance::Rejected(_)) => counts.rejected += 1,
                Some(AchievementAcceptance::Undetermined) | None => counts.undetermined += 1,
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::AchievementJob;

    #[test]
    fn achievement_job_with_number_zero_is_unknown() {
        let progress = |job_id| {
            let status = Some(Extensible::Known(AchievementJobStatus::Failed));
            let unnumbered = AchievementJob { job_id, status, ..AchievementJob::default() };
            Achievements::progress(&AchievementBatchResponse::new(Some(unnumbered)), 3)
        };
        assert_eq!([Some(0), Some(70_001), None].map(progress), [JobProgress::NoSuchJob, JobProgress::Failed, JobProgress::Failed]);
    }
}
