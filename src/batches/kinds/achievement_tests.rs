//! Properties of the results of achievement jobs, for any batch, any rejected records and any error file that lists only those.

use proptest::prelude::*;

use super::achievement::{AchievementAcceptance, Achievements};
use crate::batches::batch_kind::BatchKind as _;
use crate::batches::fingerprint::{RecordFingerprint, hash_texts};
use crate::domain::{AchievementJob, AchievementJobStatus, Extensible, Personal};
use crate::lrs::services::external::AchievementBatchResponse;

/// A submitted achievement, and what LRS does with it.
#[derive(Debug, Clone)]
struct Submitted {
    identifier: &'static str,
    uln: &'static str,
    reference: &'static str,
    /// The columns of the lines in the error file; none if LRS accepts the achievement.
    error_lines: Vec<Columns>,
}

/// The columns that a line has, beside a text about the error.
#[derive(Debug, Clone, Copy)]
struct Columns {
    identifier: bool,
    uln: bool,
    reference: bool,
}

/// Identifiers whose lines look like those of other achievements.
const MISTAKABLE: [&str; 4] = ["3000000371", "GROUP1|3000000258", "600/0001/1;GROUP1", "\"600/0002/2\""];

const ALL_COLUMNS: Columns = Columns { identifier: true, uln: true, reference: true };

fn columns() -> impl Strategy<Value = Columns> {
    any::<[bool; 3]>().prop_map(|[identifier, uln, reference]| Columns { identifier, uln, reference })
}

/// An achievement with values that often occur twice in a batch.
fn submitted(columns: impl Strategy<Value = Columns> + 'static) -> impl Strategy<Value = Submitted> {
    let mut identifiers = vec!["", "17", "Pass", "CAND-1", "CAND-2", "CAND-3", "CAND-4", "CANDIDATE 5"];
    identifiers.extend(["GROUP1,CAND-1", "GROUP1\tCAND-2", "CAND-3,CAND-4", "\"CAND-3\"", "CAND-4'", "17;CAND-1"]);
    identifiers.extend(MISTAKABLE);
    let ulns = vec!["3000000126", "3000000258", "4444599390", "3000000371"];
    let references = vec!["600/0001/1", "600/0002/2", "17"];
    let error_lines = prop_oneof![2 => Just(Vec::new()).boxed(), 1 => prop::collection::vec(columns, 1..=3).boxed()];
    let select = prop::sample::select::<&'static str>;
    (select(identifiers), select(ulns), select(references), error_lines).prop_map(|(identifier, uln, reference, error_lines)| Submitted {
        identifier,
        uln,
        reference,
        error_lines,
    })
}

fn fingerprints(batch: &[Submitted]) -> Vec<RecordFingerprint> {
    let fingerprint =
        |record: &Submitted| RecordFingerprint::new(Some(record.identifier), [hash_texts(&[record.uln]), hash_texts(&[record.reference])]);
    batch.iter().map(fingerprint).collect()
}

fn error_file(batch: &[Submitted]) -> String {
    // Some of these numbers are identifiers too.
    let numbered = (15..).zip(batch).flat_map(|(number, record)| record.error_lines.iter().map(move |columns| (number, record, columns)));
    let lines = numbered.map(|(number, record, columns)| {
        let cell = |is_present: bool, text: &'static str| if is_present { text } else { "" };
        let quoted = format!("\"{}\"", record.identifier.replace('"', "\"\""));
        let needs_quotes = record.identifier.contains([',', ';', '|', '\t', '"']);
        let identifier = if columns.identifier && needs_quotes { &quoted } else { cell(columns.identifier, record.identifier) };
        let (uln, reference) = (cell(columns.uln, record.uln), cell(columns.reference, record.reference));
        format!("{number},{identifier},{uln},{reference},is wrong\r\n")
    });
    std::iter::once("Record,Id,Uln,Reference,Error\r\n".to_owned()).chain(lines).collect()
}

/// Returns the job of a batch with true counters.
fn job(batch: &[Submitted]) -> AchievementJob {
    let count = |count: usize| i32::try_from(count).ok();
    let rejected = batch.iter().filter(|record| !record.error_lines.is_empty()).count();
    AchievementJob {
        status: Some(Extensible::Known(AchievementJobStatus::Successful)),
        number_of_records: count(batch.len()),
        successful_final_achievements: count(batch.len() - rejected),
        achievements_created: count(batch.len() - rejected),
        field_data_errors: count(batch.iter().map(|record| record.error_lines.len()).sum()),
        achievement_batch_error_file: (rejected > 0).then(|| Personal::new(error_file(batch))),
        ..AchievementJob::default()
    }
}

fn acceptances(job: AchievementJob, batch: &[Submitted]) -> Vec<AchievementAcceptance> {
    let results = Achievements::match_output(AchievementBatchResponse::new(Some(job)), 0, Some(&fingerprints(batch)));
    results.into_iter().map(|record| record.result.expect("each achievement has a result")).collect()
}

fn check(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn achievement_results_never_contradict_what_lrs_did() {
    proptest!(check(5_000), |(batch in prop::collection::vec(submitted(columns()), 1..=8))| {
        for (record, acceptance) in batch.iter().zip(acceptances(job(&batch), &batch)) {
            match acceptance {
                AchievementAcceptance::Accepted => prop_assert!(record.error_lines.is_empty(), "{record:?} was rejected"),
                AchievementAcceptance::Rejected(_) => prop_assert!(!record.error_lines.is_empty(), "{record:?} was accepted"),
                AchievementAcceptance::Undetermined => {}
            }
        }
    });
}

#[test]
fn achievement_results_of_distinct_achievements_are_all_determined() {
    let batch = prop::collection::vec(submitted(Just(ALL_COLUMNS)), 1..=8);
    proptest!(check(2_000), |(mut batch in batch)| {
        let mut seen = std::collections::HashSet::new();
        batch.retain(|record| record.reference != "17" && !MISTAKABLE.contains(&record.identifier) && seen.insert((record.uln, record.reference)));
        prop_assume!(!batch.is_empty());
        for (record, acceptance) in batch.iter().zip(acceptances(job(&batch), &batch)) {
            let is_accepted = acceptance == AchievementAcceptance::Accepted;
            prop_assert!(acceptance != AchievementAcceptance::Undetermined && is_accepted == record.error_lines.is_empty(), "{record:?}");
        }
    });
}

#[test]
fn achievement_results_with_another_number_of_rejected_achievements_accept_nothing() {
    let changes = prop_oneof![-3_i32..=-1, 1_i32..=3];
    proptest!(check(2_000), |(batch in prop::collection::vec(submitted(columns()), 1..=8), change in changes)| {
        let named = acceptances(job(&batch), &batch).iter().filter(|one| matches!(one, AchievementAcceptance::Rejected(_))).count();
        let accepted = i32::try_from(batch.len() - named).expect("few") + change;
        let job = AchievementJob {
            successful_final_achievements: Some(accepted), achievements_created: Some(accepted), ..job(&batch)
        };
        prop_assert!(!acceptances(job, &batch).contains(&AchievementAcceptance::Accepted));
    });
}
