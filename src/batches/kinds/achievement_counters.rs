//! The counters of an achievement job: whether they prove that LRS accepted every achievement that its error file does not name.
//!
//! LRS does not list the accepted achievements. Its error file has the rejected ones (LRS-CONTRACT 6.5), but not every line names its
//! achievement. If LRS has rejected exactly as many achievements as lines name, there is no other rejected one.

use super::achievement_error_file::AssignedLines;
use crate::domain::{AchievementJob, AchievementJobStatus, Extensible, Personal};

/// Accepted difference between LRS's percentage and the exact one: how LRS rounds is not public.
const PERCENTAGE_TOLERANCE: f64 = 1.0;

/// Returns `true` if LRS accepted every achievement that no line names. Missing counters and any contradiction make it uncertain.
pub fn are_others_accepted(job: &AchievementJob, sent_count: usize, lines: &AssignedLines) -> bool {
    let (Ok(sent), Ok(rejected)) = (i32::try_from(sent_count), i32::try_from(lines.achievement_count())) else { return false };
    let Some(counters) = Counters::of(job) else { return false };
    let is_successful = job.status.as_ref().and_then(Extensible::known) == Some(&AchievementJobStatus::Successful);
    let has_no_contradiction = is_blank(job.rejection_reason.as_ref())
        && counters.records.is_none_or(|records| records == i64::from(sent))
        && lines.may_be_complete();
    let adds_up = if rejected == 0 { accepts_all(job, &counters, sent) } else { accepts_all_but(job, &counters, sent, rejected) };
    is_successful && has_no_contradiction && adds_up
}

/// Returns `true` if the job has no sign of an error. One of the two counts of accepted achievements is then enough: LRS does not publish which
/// actions it counts as successful.
fn accepts_all(job: &AchievementJob, counters: &Counters, sent: i32) -> bool {
    is_blank(job.achievement_batch_error_file.as_ref())
        && counters.errors.unwrap_or(0) == 0
        && percentage_is_within(job, 100.0, 0.0)
        && [counters.by_submission_type, counters.by_action].contains(&Some(sent.into()))
}

/// Returns `true` if LRS has accepted all achievements but this number. A rejected achievement has one error or more.
fn accepts_all_but(job: &AchievementJob, counters: &Counters, sent: i32, rejected: i32) -> bool {
    let accepted = sent - rejected;
    counters.errors.is_none_or(|errors| errors >= i64::from(rejected))
        && percentage_is_within(job, 100.0 * f64::from(accepted) / f64::from(sent), PERCENTAGE_TOLERANCE)
        && counters.accepted() == Some(accepted.into())
}

/// LRS's counters of a job, added up. `None`: LRS gives no such counter.
struct Counters {
    records: Option<i64>,
    errors: Option<i64>,
    by_submission_type: Option<i64>,
    by_action: Option<i64>,
}

impl Counters {
    /// Adds up the counters of a job; `None` if one of them is negative.
    fn of(job: &AchievementJob) -> Option<Self> {
        let errors = [job.business_rule_errors, job.field_data_errors, job.learner_data_errors];
        let by_submission_type = [job.successful_final_achievements, job.successful_provisional_achievements];
        let by_action = [
            job.achievements_created,
            job.achievements_promoted_to_final,
            job.achievements_reinstated,
            job.achievements_updated,
            job.achievements_withdrawn,
        ];
        let mut all = [job.number_of_records].into_iter().chain(errors).chain(by_submission_type).chain(by_action).flatten();
        all.all(|count| count >= 0).then(|| Self {
            records: job.number_of_records.map(i64::from),
            errors: sum(errors),
            by_submission_type: sum(by_submission_type),
            by_action: sum(by_action),
        })
    }

    /// Returns the number of accepted achievements. LRS counts them twice, by type of submission and by action; `None` if the two differ.
    fn accepted(&self) -> Option<i64> {
        match (self.by_submission_type, self.by_action) {
            (Some(one), Some(other)) => (one == other).then_some(one),
            (one, other) => one.or(other),
        }
    }
}

/// Adds up the counters that LRS gives; `None` if it gives none.
fn sum<const N: usize>(counters: [Option<i32>; N]) -> Option<i64> {
    counters.into_iter().flatten().map(i64::from).reduce(|sum, count| sum + count)
}

fn is_blank(text: Option<&Personal<String>>) -> bool {
    text.is_none_or(|text| text.reveal().trim().is_empty())
}

/// Returns `true` if LRS gives no percentage, or one that is near the exact one.
fn percentage_is_within(job: &AchievementJob, exact: f64, tolerance: f64) -> bool {
    let is_near = |percentage: f64| (percentage - exact).abs() <= tolerance;
    job.percentage_successful_records.as_ref().is_none_or(|percentage| percentage.trim().parse().is_ok_and(is_near))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batches::fingerprint::{RecordFingerprint, hash_texts};

    /// Returns the job of three accepted achievements.
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

    /// Returns a job of three achievements, of which LRS rejected the one with this error file.
    fn job_with_error(change: impl FnOnce(&mut AchievementJob)) -> AchievementJob {
        job(|job| {
            job.percentage_successful_records = Some("66.66".into());
            (job.successful_final_achievements, job.achievements_created) = (Some(2), Some(2));
            job.field_data_errors = Some(1);
            job.achievement_batch_error_file = Some(Personal::new("Id,Error\r\nCAND-1,wrong\r\n".into()));
            change(job);
        })
    }

    fn accepts_others(job: &AchievementJob) -> bool {
        let fingerprint = |number: usize| RecordFingerprint::new(Some(&format!("CAND-{number}")), [number as u64, hash_texts(&["60"])]);
        let sent: Vec<RecordFingerprint> = (0..3).map(fingerprint).collect();
        let file = job.achievement_batch_error_file.as_ref().map_or("", |file| file.reveal());
        are_others_accepted(job, sent.len(), &AssignedLines::read(file, &sent))
    }

    #[test]
    fn achievement_job_with_consistent_counters_accepts_all() {
        let accepts_all = |change: fn(&mut AchievementJob)| accepts_others(&job(change));
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
        let doubts: [fn(&mut AchievementJob); 12] = [
            |job| job.successful_final_achievements = None,
            |job| job.successful_final_achievements = Some(2),
            |job| job.successful_final_achievements = Some(-3),
            |job| (job.successful_final_achievements, job.successful_provisional_achievements) = (Some(4), Some(-1)),
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
            assert!(!accepts_others(&job(doubt)), "doubt {number}");
        }
    }

    #[test]
    fn achievement_job_whose_counters_add_up_accepts_the_others() {
        let consistent: [fn(&mut AchievementJob); 6] = [
            |_| {},
            |job| job.achievements_created = None,
            |job| job.successful_final_achievements = None,
            |job| (job.number_of_records, job.percentage_successful_records, job.field_data_errors) = (None, None, None),
            |job| job.percentage_successful_records = Some("67".into()),
            // One achievement with two errors.
            |job| job.learner_data_errors = Some(1),
        ];
        for (number, change) in consistent.into_iter().enumerate() {
            assert!(accepts_others(&job_with_error(change)), "change {number}");
        }
    }

    #[test]
    fn achievement_job_whose_counters_do_not_add_up_leaves_the_others_undetermined() {
        let doubts: [fn(&mut AchievementJob); 13] = [
            |job| (job.successful_final_achievements, job.achievements_created) = (None, None),
            |job| (job.successful_final_achievements, job.achievements_created) = (Some(1), Some(1)),
            |job| job.achievements_created = Some(3),
            |job| job.successful_final_achievements = Some(0),
            |job| job.achievements_withdrawn = Some(1),
            |job| job.field_data_errors = Some(0),
            |job| job.business_rule_errors = Some(-1),
            |job| job.number_of_records = Some(4),
            |job| job.percentage_successful_records = Some("33.33".into()),
            |job| job.rejection_reason = Some(Personal::new("no".into())),
            |job| job.status = Some(Extensible::Known(AchievementJobStatus::InProgress)),
            |job| job.achievement_batch_error_file = Some(Personal::new("CAND-1,wrong\nCAND-2,wrong".into())),
            |job| job.achievement_batch_error_file = Some(Personal::new("CAND-1,wrong\n3000000126,wrong".into())),
        ];
        for (number, doubt) in doubts.into_iter().enumerate() {
            assert!(!accepts_others(&job_with_error(doubt)), "doubt {number}");
        }
    }
}
