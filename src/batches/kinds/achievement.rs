//! Achievement batches (LRS-CONTRACT 2.15, 2.16). LRS returns counters of the accepted achievements, and a file with the rejected ones.
//!
//! The file's format is not public, so callers can read the file unchanged. Its lines are also assigned to achievements where that is
//! certain (`achievement_error_file.rs`).

use std::collections::BTreeMap;

use super::achievement_error_file::lines_by_achievement;
use crate::batches::batch_kind::{BatchKind, JobProgress, PartRequest, ReportedJob, SubmitResponse, present_counters, reported_job};
use crate::batches::fingerprint::{RecordFingerprint, hash_texts};
use crate::batches::metadata::BatchMetadata;
use crate::batches::model::KindTag;
use crate::batches::result_matching::RecordResult;
use crate::domain::{Achievement, AchievementJob, AchievementJobStatus, BoundedText, Extensible, Personal, SubmissionType};
use crate::lrs::response_codes::LrsCode;
use crate::lrs::services::external::{
    AchievementBatchResponse, GetAchievementJob, MAX_ACHIEVEMENTS_PER_JOB, SubmitAchievementJob, write_achievement,
};
use crate::lrs::{CallError, LrsResponse as _, Operation as _, Service};
use crate::xml::{PackedXml, XmlWriter};

/// The kind of batch that submits achievements.
#[derive(Debug, Clone, Copy)]
pub enum Achievements {}

/// LRS's acceptance of one achievement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AchievementAcceptance {
    /// LRS accepted every achievement of the job.
    Accepted,
    /// These lines of the error file name the achievement.
    Rejected(Vec<Personal<String>>),
    /// LRS did not accept every achievement of the job, and the error file does not name this one.
    Undetermined,
}

impl BatchKind for Achievements {
    const KIND: KindTag = KindTag::Achievement;
    const SERVICE: Service = Service::External;
    const SUBMIT_OPERATION: &'static str = SubmitAchievementJob::NAME;
    const POLL_OPERATION: &'static str = GetAchievementJob::NAME;
    const MAX_RECORDS_PER_JOB: usize = MAX_ACHIEVEMENTS_PER_JOB;
    type Record = Achievement;
    type Output = AchievementBatchResponse;
    type Result = AchievementAcceptance;

    fn write_record(achievement: &Achievement, writer: &mut XmlWriter) {
        write_achievement(achievement, writer);
    }

    fn fingerprint(achievement: &Achievement) -> RecordFingerprint {
        let reference = achievement.unit_or_qualification_reference_number.as_str();
        // In the order of the indexes in `achievement_error_file`.
        let hashes = [hash_texts(&[achievement.uln.as_str()]), hash_texts(&[reference])];
        RecordFingerprint::new(achievement.mis_identifier.as_ref().map(BoundedText::as_str), hashes).with_uln(true)
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
        let mut lines = lines_by_achievement(file, sent);
        let all_accepted = job.is_some_and(|job| is_every_achievement_accepted(job, sent.len()));
        let results = (first_position..).zip(sent).enumerate().map(|(index, (position, fingerprint))| {
            let acceptance = match lines.remove(&index) {
                Some(lines) => AchievementAcceptance::Rejected(lines),
                None if all_accepted => AchievementAcceptance::Accepted,
                None => AchievementAcceptance::Undetermined,
            };
            RecordResult { result: Some(acceptance), ..RecordResult::without_result(position, fingerprint) }
        });
        results.collect()
    }
}

/// Returns `true` if LRS's own counters show that it accepted every achievement. Errors, missing counters and any contradiction make it
/// uncertain.
fn is_every_achievement_accepted(job: &AchievementJob, sent_count: usize) -> bool {
    let is_blank = |text: &Option<Personal<String>>| text.as_ref().is_none_or(|text| text.reveal().trim().is_empty());
    let is_all = |count: i64| usize::try_from(count) == Ok(sent_count);
    let sum = |counts: &[Option<i32>]| counts.iter().flatten().map(|count| i64::from(*count)).sum::<i64>();
    let is_successful = job.status.as_ref().and_then(Extensible::known) == Some(&AchievementJobStatus::Successful);
    let has_no_errors = sum(&[job.business_rule_errors, job.field_data_errors, job.learner_data_errors]) == 0;
    let has_no_contradiction = is_blank(&job.achievement_batch_error_file)
        && is_blank(&job.rejection_reason)
        && job.number_of_records.is_none_or(|count| is_all(count.into()))
        && job.percentage_successful_records.as_ref().is_none_or(|percentage| percentage.trim().parse() == Ok(100.0));
    // LRS counts accepted achievements twice: by type of submission and by action.
    let by_submission_type = sum(&[job.successful_final_achievements, job.successful_provisional_achievements]);
    let by_action = sum(&[
        job.achievements_created,
        job.achievements_promoted_to_final,
        job.achievements_reinstated,
        job.achievements_updated,
        job.achievements_withdrawn,
    ]);
    is_successful && has_no_errors && has_no_contradiction && (is_all(by_submission_type) || is_all(by_action))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(change: impl FnOnce(&mut AchievementJob)) -> AchievementJob {
        let mut job = AchievementJob {
            status: Some(Extensible::Known(AchievementJobStatus::Successful)),
            number_of_records: Some(3),
            percentage_successful_records: Some("100".into()),
            successful_final_achievements: Some(3),
            ..AchievementJob::default()
        };
        change(&mut job);
        job
    }

    #[test]
    fn achievement_job_with_consistent_counters_accepts_all() {
        let accepts_all = |change: fn(&mut AchievementJob)| is_every_achievement_accepted(&job(change), 3);
        assert!(accepts_all(|_| {}));
        assert!(
            accepts_all(|job| (job.percentage_successful_records, job.number_of_records) = (None, None)),
            "missing values are no contradiction"
        );
        assert!(accepts_all(|job| (job.successful_final_achievements, job.successful_provisional_achievements) = (Some(1), Some(2))));
        assert!(accepts_all(|job| {
            job.successful_final_achievements = None;
            (job.achievements_created, job.achievements_withdrawn) = (Some(1), Some(2));
        }));
    }

    #[test]
    fn achievement_job_with_any_doubt_does_not_accept_all() {
        let doubts: [fn(&mut AchievementJob); 11] = [
            |job| job.successful_final_achievements = None,
            |job| job.successful_final_achievements = Some(2),
            |job| job.successful_final_achievements = Some(-3),
            |job| job.percentage_successful_records = Some("66.66".into()),
            |job| job.percentage_successful_records = Some("all".into()),
            |job| job.rejection_reason = Some(Personal::new("no".into())),
            |job| job.achievement_batch_error_file = Some(Personal::new("1,no".into())),
            |job| job.learner_data_errors = Some(1),
            |job| job.number_of_records = Some(4),
            |job| job.status = Some(Extensible::Known(AchievementJobStatus::Failed)),
            |job| job.status = None,
        ];
        for (number, doubt) in doubts.into_iter().enumerate() {
            assert!(!is_every_achievement_accepted(&job(doubt), 3), "doubt {number}");
        }
    }

    #[test]
    fn achievement_job_with_number_zero_is_unknown() {
        let progress = |job_id| {
            let unnumbered = job(|job| (job.job_id, job.status) = (job_id, Some(Extensible::Known(AchievementJobStatus::Failed))));
            Achievements::progress(&AchievementBatchResponse::new(Some(unnumbered)), 3)
        };
        assert_eq!([Some(0), Some(70_001), None].map(progress), [JobProgress::NoSuchJob, JobProgress::Failed, JobProgress::Failed]);
    }
}
