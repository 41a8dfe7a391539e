//! What a `CHECK` job shows about the learners of a registration whose response was lost.
//!
//! A learner counts as registered only if nothing speaks against it: a learner who is taken for registered by mistake gets a wrong ULN, or
//! none.

use std::collections::HashMap;

use super::registration::{Registrations, result_fingerprint};
use crate::batches::batch_kind::BatchKind as _;
use crate::batches::fingerprint::{PERSON, RecordFingerprint};
use crate::batches::model::{CheckEvidence, EpochMillis};
use crate::batches::result_matching::RecordResult;
use crate::domain::{BatchLearnerResult, Extensible};
use crate::lrs::response_codes::{LearnerReturn, LrsCode};
use crate::lrs::services::learner::RegistrationBatchOutput;
use crate::schema::Scalar as _;

/// What LRS's results show about one record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Finding {
    Registered,
    NotRegistered,
    Unclear,
}

impl Registrations {
    /// Returns what a `CHECK` job that is done shows about the records of a part whose first record has position `first_position`.
    pub fn check_evidence(
        output: RegistrationBatchOutput,
        first_position: u32,
        sent: &[RecordFingerprint],
        checked_at: EpochMillis,
    ) -> CheckEvidence {
        let (row_count, counts) = (output.learner.len(), Counts::of(&output));
        let results = Self::match_output(output, first_position, Some(sent));
        let found_count = results.iter().filter(|result| !result.has_uln && has_uln(result)).count();
        let is_confirmed = counts.is_some_and(|counts| found_count <= counts.found && found_count + counts.not_found <= row_count);
        let has_strangers = results.iter().any(|result| result.position.is_none());
        let owners = ulns(&results);
        let mut evidence = CheckEvidence { checked_at, registered: 0, not_registered: Vec::new(), unclear: Vec::new() };
        for ((position, fingerprint), result) in (first_position..).zip(sent).zip(&results) {
            let finding = match &result.result {
                Some(learner) => finding(learner, fingerprint, &owners),
                None => Finding::Unclear,
            };
            match finding {
                // A job that counts other results than its rows show, or returns learners who were not sent, proves nothing.
                Finding::Registered if !is_confirmed || has_strangers => evidence.unclear.push(position),
                Finding::Registered => evidence.registered += 1,
                Finding::NotRegistered => evidence.not_registered.push(position),
                Finding::Unclear => evidence.unclear.push(position),
            }
        }
        evidence
    }
}

fn finding(learner: &BatchLearnerResult, sent: &RecordFingerprint, owners: &HashMap<String, usize>) -> Finding {
    let code = LrsCode::new(learner.return_code.as_deref().unwrap_or_default());
    // A ULN beside the code of an exception is not the learner's (LRS-CONTRACT 3.4).
    let is_processed = code.learner_return() == LearnerReturn::Processed;
    let is_same_person = result_fingerprint(learner).hash(PERSON) == sent.hash(PERSON);
    match &learner.uln {
        // LRS repeats a ULN that was sent. So it does not show whether LRS has processed the record.
        _ if !is_processed || !is_same_person || sent.has_uln => Finding::Unclear,
        None => Finding::NotRegistered,
        Some(Extensible::Known(uln)) if owners.get(&*uln.text()) == Some(&1) => Finding::Registered,
        Some(_) => Finding::Unclear,
    }
}

/// Returns the number of records for which LRS returned each ULN. Two records with the same ULN may be the same learner, or a mistake.
fn ulns(results: &[RecordResult<BatchLearnerResult>]) -> HashMap<String, usize> {
    let mut owners = HashMap::new();
    let known = results.iter().filter_map(|result| result.result.as_ref()?.uln.as_ref()?.known());
    for uln in known {
        *owners.entry(uln.text().into_owned()).or_default() += 1;
    }
    owners
}

/// Returns `true` if LRS returned a ULN for the record.
fn has_uln(result: &RecordResult<BatchLearnerResult>) -> bool {
    result.result.as_ref().is_some_and(|learner| learner.uln.is_some())
}

/// Numbers of learners by LRS's counters. If the rows of learners whom LRS did not find have ULNs, they do not mean what they seem to mean.
#[derive(Clone, Copy)]
struct Counts {
    /// Learners whom LRS found.
    found: usize,
    /// Learners whom LRS did not find, has just registered, or rejected.
    not_found: usize,
}

impl Counts {
    /// Reads the counters; `None` if they make no sense, or if one is missing: it may be one that could not be read.
    fn of(output: &RegistrationBatchOutput) -> Option<Self> {
        let count = |counter: Option<i32>| usize::try_from(counter?).ok();
        let not_found = [
            output.new_learners_count,
            output.possible_match_learners_count,
            output.learners_not_found_count,
            output.rejected_learners_count,
        ];
        let not_found = not_found.into_iter().try_fold(0, |sum: usize, counter| sum.checked_add(count(counter)?))?;
        Some(Self { found: count(output.exists_updated_learners_count)?, not_found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batches::job_output::parse_output;

    const ULNS: [&str; 2] = ["3000000126", "3000000258"];

    /// A row of LRS's output: the person's name, ULN and return code; empty for none.
    struct Row(&'static str, &'static str, &'static str);

    /// Returns LRS's output with these rows, and with the counters that belong to them. A learner's identifier is the name, without the `Not` of another person.
    fn output(rows: &[Row]) -> RegistrationBatchOutput {
        let learner = |Row(name, uln, code): &Row| {
            format!(
                "<Learner><ULN>{uln}</ULN><MISIdentifier>STU-{}</MISIdentifier><GivenName>{name}</GivenName>\
                 <FamilyName>Quillfeather</FamilyName><ReturnCode>{code}</ReturnCode></Learner>",
                name.trim_start_matches("Not")
            )
        };
        let found_count = rows.iter().filter(|row| !row.1.is_empty()).count();
        let counters = format!(
            "<NewLearnersCount>0</NewLearnersCount><ExistsUpdatedLearnersCount>{found_count}</ExistsUpdatedLearnersCount>\
             <PossibleMatchLearnersCount>0</PossibleMatchLearnersCount><LearnersNotFoundCount>{}</LearnersNotFoundCount>\
             <RejectedLearnersCount>0</RejectedLearnersCount>",
            rows.len() - found_count
        );
        let rows: String = rows.iter().map(learner).collect();
        let xml = format!(
            "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body><Output>{counters}{rows}</Output></e:Body></e:Envelope>"
        );
        parse_output::<Registrations>(xml.as_bytes()).expect("the output is valid")
    }

    fn sent(names: &[&'static str]) -> Vec<RecordFingerprint> {
        output(&names.iter().map(|name| Row(name, "", "")).collect::<Vec<_>>()).learner.iter().map(result_fingerprint).collect()
    }

    fn evidence(rows: &[Row], sent: &[RecordFingerprint]) -> CheckEvidence {
        Registrations::check_evidence(output(rows), 10, sent, EpochMillis(1))
    }

    /// Numbers of registered, positions of missing and of unclear records.
    fn findings(rows: &[Row], sent: &[RecordFingerprint]) -> (u32, Vec<u32>, Vec<u32>) {
        let evidence = evidence(rows, sent);
        (evidence.registered, evidence.not_registered, evidence.unclear)
    }

    #[test]
    fn check_evidence_is_complete_only_if_each_learner_has_a_uln_of_its_own() {
        let records = sent(&["Ana", "Ben"]);
        let both = evidence(&[Row("Ben", ULNS[1], ""), Row("Ana", ULNS[0], "RC001")], &records);
        assert!(both.is_complete() && both.registered == 2, "{both:?}");
        assert_eq!(findings(&[Row("Ana", ULNS[0], ""), Row("Ben", "", "")], &records), (1, vec![11], vec![]));
        let same = findings(&[Row("Ana", ULNS[0], ""), Row("Ben", ULNS[0], "")], &records);
        assert_eq!(same, (0, vec![], vec![10, 11]), "two records with one ULN");
        assert!(!evidence(&[], &[]).is_complete(), "nothing shows nothing");
    }

    #[test]
    fn check_evidence_with_any_doubt_is_unclear() {
        let records = sent(&["Ana"]);
        let unclear = (0, vec![], vec![10]);
        for code in ["RC006", "RC008", "RC009", "RC013", "RC014", "WSRC0003"] {
            assert_eq!(findings(&[Row("Ana", ULNS[0], code)], &records), unclear, "{code}");
        }
        assert_eq!(findings(&[Row("Ana", "3000000127", "")], &records), unclear, "an invalid ULN");
        assert_eq!(findings(&[Row("NotAna", ULNS[0], "")], &records), unclear, "another person with the identifier");
        assert_eq!(findings(&[], &records), unclear, "no row");
        assert_eq!(findings(&[Row("Ana", ULNS[0], "")], &[records[0].clone().with_uln(true)]), unclear, "LRS repeats the ULN");
        assert_eq!(findings(&[Row("Ana", ULNS[0], ""), Row("Zoe", ULNS[1], "")], &records), unclear, "a learner who was not sent");
    }

    #[test]
    fn check_evidence_with_contradicting_counters_is_unclear() {
        let records = sent(&["Ana"]);
        let is_complete = |change: fn(&mut RegistrationBatchOutput)| {
            let mut output = output(&[Row("Ana", ULNS[0], "")]);
            change(&mut output);
            Registrations::check_evidence(output, 10, &records, EpochMillis(1)).is_complete()
        };
        assert!(is_complete(|_| {}));
        assert!(is_complete(|output| output.exists_updated_learners_count = Some(2)));
        let contradictions: [fn(&mut RegistrationBatchOutput); 10] = [
            |output| output.exists_updated_learners_count = None,
            |output| output.exists_updated_learners_count = Some(0),
            |output| output.exists_updated_learners_count = Some(-1),
            |output| output.learners_not_found_count = None,
            |output| output.rejected_learners_count = None,
            |output| output.new_learners_count = Some(1),
            |output| output.possible_match_learners_count = Some(1),
            |output| output.learners_not_found_count = Some(1),
            |output| output.rejected_learners_count = Some(1),
            |output| output.rejected_learners_count = Some(-1),
        ];
        for (number, contradiction) in contradictions.into_iter().enumerate() {
            assert!(!is_complete(contradiction), "contradiction {number}");
        }
    }
}
