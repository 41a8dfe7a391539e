//! Achievement batches (FACTS 2.13): LRS counts what it took, and writes what it did not take into a file.
//!
//! The file's format is not public, so it is kept as it came. A line of it is given to an achievement only if the line names that
//! achievement and no other: by the caller's own name for it, or by ULN and reference number, or by ULN.

use std::collections::{BTreeMap, HashMap};

use crate::batches::batch_kind::{BatchKind, BatchMetadata, JobProgress, PartRequest, RecordResult, Submitted, counters, job_report};
use crate::batches::model::{JobReport, KindTag};
use crate::batches::result_matching::{RecordFingerprint, key};
use crate::domain::{Achievement, AchievementJob, AchievementJobStatus, BoundedText, Extensible, Personal, SubmissionType};
use crate::lrs::codes::LrsCode;
use crate::lrs::services::external::{AchievementBatchResponse, GetAchievementBatch, MOST_ACHIEVEMENTS, SubmitAchievementBatch};
use crate::lrs::{CallError, LrsResponse as _, Service};

/// Achievements.
#[derive(Debug, Clone, Copy)]
pub enum Achievements {}

/// What LRS's file says of one achievement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AchievementResult {
    /// LRS took every achievement of the job.
    Accepted,
    /// Lines of the error file name it.
    Rejected(Vec<Personal<String>>),
    /// LRS did not take every achievement, and its file does not say whether it took this one.
    Undetermined,
}

impl BatchKind for Achievements {
    const KIND: KindTag = KindTag::Achievement;
    const SERVICE: Service = Service::External;
    const MAX_RECORDS_PER_JOB: usize = MOST_ACHIEVEMENTS;
    type Record = Achievement;
    type Output = AchievementBatchResponse;
    type Result = AchievementResult;

    fn fingerprint(achievement: &Achievement) -> RecordFingerprint {
        let reference = achievement.unit_or_qualification_reference_number.as_str();
        let keys = [key(&[achievement.uln.as_str()]), key(&[reference])];
        RecordFingerprint::new(achievement.mis_identifier.as_ref().map(BoundedText::as_str), keys).naming_uln(true)
    }

    /// What becomes of achievements submitted twice, LRS does not say.
    fn is_repeatable(_: &BatchMetadata) -> bool {
        false
    }

    async fn submit(call: PartRequest<'_>, details: &BatchMetadata, achievements: &[Achievement]) -> Result<Submitted, CallError> {
        let request = SubmitAchievementBatch {
            submission_type: details.submission_type.unwrap_or(SubmissionType::Provisional),
            notify_email: details.notify_email.as_ref(),
            achievements,
            codes: call.lrs.achievement_codes(),
        };
        let answer = call.send(&request).await?;
        Ok(Submitted { job: answer.job(), code: answer.code().cloned() })
    }

    async fn fetch(call: PartRequest<'_>, job_id: i64) -> Result<AchievementBatchResponse, CallError> {
        call.send(&GetAchievementBatch { job_id }).await
    }

    fn progress(output: &AchievementBatchResponse, _: usize) -> JobProgress {
        if output.code().is_some_and(|code| code.is("WSRC0018")) {
            return JobProgress::Unknown;
        }
        // What has no number is no job, whatever its status says: the first status there is, is what a job is that was never filled in.
        let Some(job) = output.job.as_ref().filter(|job| job.job_id.is_none_or(|id| id > 0)) else { return JobProgress::Unknown };
        match job.status.as_ref().and_then(Extensible::known) {
            Some(AchievementJobStatus::Successful) => JobProgress::Done,
            Some(AchievementJobStatus::Failed | AchievementJobStatus::Cancelled) => JobProgress::Failed,
            None if job.end_date.is_some() => JobProgress::Done,
            Some(AchievementJobStatus::Waiting | AchievementJobStatus::InProgress) | None => JobProgress::Working,
        }
    }

    fn code(output: &AchievementBatchResponse) -> Option<&LrsCode> {
        output.code()
    }

    fn report(output: &AchievementBatchResponse) -> JobReport {
        let Some(job) = &output.job else { return JobReport::default() };
        job_report(job.status.as_ref().map(Extensible::to_lrs).as_deref(), job.start_date.as_ref(), job.end_date.as_ref())
    }

    fn count(output: &AchievementBatchResponse) -> usize {
        let counted = output.job.as_ref().and_then(|job| job.number_of_records);
        counted.and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
    }

    fn counters(output: &AchievementBatchResponse) -> BTreeMap<String, i32> {
        let Some(job) = &output.job else { return BTreeMap::new() };
        counters([
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

    /// Without marks there is no row: the file alone does not say what was submitted.
    fn rows(output: AchievementBatchResponse, first: u32, marks: Option<&[RecordFingerprint]>) -> Vec<RecordResult<AchievementResult>> {
        let marks = marks.unwrap_or_default();
        let job = output.job.as_ref();
        let file = job.and_then(|job| job.achievement_batch_error_file.as_ref()).map_or("", |file| file.reveal());
        let mut lines = lines_of(file, marks);
        let everything = job.is_some_and(|job| took_everything(job, marks.len()));
        let rows = (first..).zip(marks).enumerate().map(|(at, (position, mark))| {
            let result = match lines.remove(&at) {
                Some(lines) => AchievementResult::Rejected(lines),
                None if everything => AchievementResult::Accepted,
                None => AchievementResult::Undetermined,
            };
            RecordResult { result: Some(result), ..RecordResult::without_result(position, mark) }
        });
        rows.collect()
    }
}

/// Did LRS take every achievement, by its own counters? With errors, without counters, or if anything speaks against it, nobody can say.
fn took_everything(job: &AchievementJob, sent: usize) -> bool {
    let none = |text: &Option<Personal<String>>| text.as_ref().is_none_or(|text| text.reveal().trim().is_empty());
    let is_all = |count: i64| usize::try_from(count) == Ok(sent);
    let sum = |counts: &[Option<i32>]| counts.iter().flatten().map(|count| i64::from(*count)).sum::<i64>();
    let successful = job.status.as_ref().and_then(Extensible::known) == Some(&AchievementJobStatus::Successful);
    let no_errors = sum(&[job.business_rule_errors, job.field_data_errors, job.learner_data_errors]) == 0;
    let nothing_against = none(&job.achievement_batch_error_file)
        && none(&job.rejection_reason)
        && job.number_of_records.is_none_or(|count| is_all(count.into()))
        && job.percentage_successful_records.as_ref().is_none_or(|percentage| percentage.trim().parse() == Ok(100.0));
    // LRS counts what it took by kind of submission, and by what it did.
    let by_kind = sum(&[job.successful_final_achievements, job.successful_provisional_achievements]);
    let done = [job.achievements_created, job.achievements_promoted_to_final, job.achievements_reinstated];
    let by_action = sum(&done) + sum(&[job.achievements_updated, job.achievements_withdrawn]);
    successful && no_errors && nothing_against && (is_all(by_kind) || is_all(by_action))
}

/// The lines of an error file by the one achievement each names.
fn lines_of(file: &str, marks: &[RecordFingerprint]) -> HashMap<usize, Vec<Personal<String>>> {
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut by_uln: HashMap<u64, Vec<usize>> = HashMap::new();
    for (at, mark) in marks.iter().enumerate() {
        if let Some(name) = mark.name() {
            by_name.entry(name).or_default().push(at);
        }
        by_uln.entry(mark.key(0).unwrap_or_default()).or_default().push(at);
    }
    let mut lines: HashMap<usize, Vec<Personal<String>>> = HashMap::new();
    for line in file.lines() {
        let fields: Vec<&str> = line.split([',', ';', '|', '\t']).map(|field| field.trim().trim_matches(['"', '\'']).trim()).collect();
        if let Some(at) = named_by(&fields, marks, &by_name, &by_uln) {
            lines.entry(at).or_default().push(Personal::new(line.to_owned()));
        }
    }
    lines
}

fn named_by(
    fields: &[&str],
    marks: &[RecordFingerprint],
    by_name: &HashMap<&str, Vec<usize>>,
    by_uln: &HashMap<u64, Vec<usize>>,
) -> Option<usize> {
    let ulns = fields.iter().filter(|field| field.len() == 10 && field.bytes().all(|b| b.is_ascii_digit()));
    let of_uln: Vec<usize> = ulns.filter_map(|uln| by_uln.get(&key(&[uln]))).flatten().copied().collect();
    let one = |candidates: &[usize]| if let [at] = candidates { Some(*at) } else { None };
    let references: Vec<u64> = fields.iter().map(|field| key(&[field])).collect();
    let has_reference = |at: usize| marks[at].key(1).is_some_and(|reference| references.contains(&reference));
    let named: Vec<usize> = fields.iter().filter_map(|field| by_name.get(field)).flatten().copied().collect();
    // A name is believed if the line speaks of no other learner, and if the name could not be a number of something, or a grade.
    let believed = |at: &usize| {
        let telling = marks[*at].name().is_some_and(|name| name.chars().count() >= TELLING_NAME);
        of_uln.contains(at) || (of_uln.is_empty() && (telling || has_reference(*at)))
    };
    let named: Vec<usize> = named.into_iter().filter(believed).collect();
    if let Some(at) = one(&named) {
        return Some(at);
    }
    let candidates = if named.is_empty() { &of_uln } else { &named };
    let with_reference: Vec<usize> = candidates.iter().copied().filter(|at| has_reference(*at)).collect();
    one(&with_reference).or_else(|| one(&of_uln))
}

/// How long a name is that nothing else in a line is likely to be.
const TELLING_NAME: usize = 6;

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
    fn everything_was_taken_only_if_all_that_lrs_says_agrees() {
        let takes = |change: fn(&mut AchievementJob)| took_everything(&job(change), 3);
        assert!(takes(|_| {}));
        assert!(takes(|job| (job.percentage_successful_records, job.number_of_records) = (None, None)), "what is not said is not counted");
        assert!(takes(|job| (job.successful_final_achievements, job.successful_provisional_achievements) = (Some(1), Some(2))));
        assert!(takes(|job| {
            job.successful_final_achievements = None;
            (job.achievements_created, job.achievements_withdrawn) = (Some(1), Some(2));
        }));
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
            assert!(!takes(doubt), "doubt {number}");
        }
    }

    #[test]
    fn what_has_no_number_is_no_job() {
        let progress = |job_id| {
            let unnumbered = job(|job| (job.job_id, job.status) = (job_id, Some(Extensible::Known(AchievementJobStatus::Failed))));
            Achievements::progress(&AchievementBatchResponse::new(Some(unnumbered)), 3)
        };
        assert_eq!([Some(0), Some(70_001), None].map(progress), [JobProgress::Unknown, JobProgress::Failed, JobProgress::Failed]);
    }

    fn mark(name: &str, uln: &str, reference: &str) -> RecordFingerprint {
        RecordFingerprint::new(Some(name), [key(&[uln]), key(&[reference])])
    }

    fn attached(file: &str, marks: &[RecordFingerprint]) -> Vec<usize> {
        let lines = lines_of(file, marks);
        (0..marks.len()).map(|at| lines.get(&at).map_or(0, Vec::len)).collect()
    }

    #[test]
    fn a_line_belongs_to_the_one_achievement_it_names() {
        let marks = [
            mark("CAND-A1", "3000000126", "600/0001/1"),
            mark("CAND-A2", "3000000126", "600/0002/2"),
            mark("", "3000000258", "600/0001/1"),
            mark("17", "4444599390", "600/0001/1"),
            mark("17", "4444599390", "600/0002/2"),
        ];
        for (line, expected) in [
            ("1,3000000126,600/0001/1,CAND-A1,no such qualification", [1, 0, 0, 0, 0]),
            ("CAND-A2;is wrong", [0, 1, 0, 0, 0]),
            ("\"3000000126\",\"600/0002/2\",\"x\"", [0, 1, 0, 0, 0]),
            ("3000000126|whose?", [0, 0, 0, 0, 0]),
            ("3000000258\tnot known", [0, 0, 1, 0, 0]),
            ("17,4444599390,600/0002/2", [0, 0, 0, 0, 1]),
            ("17,3000000258,600/0001/1", [0, 0, 1, 0, 0]),
            ("RecordNumber,Uln,UnitOrQualificationReferenceNumber", [0, 0, 0, 0, 0]),
            ("17", [0, 0, 0, 0, 0]),
            ("17,600/0002/2", [0, 0, 0, 0, 1]),
        ] {
            assert_eq!(attached(line, &marks), expected, "{line}");
        }
        assert_eq!(attached("CAND-A1,one\nCAND-A1,two\r\n\r\nCAND-A2,three", &marks), [2, 1, 0, 0, 0]);
    }
}
