//! The error file of an achievement job: assigns its lines to the submitted achievements.
//!
//! The file's format is not public. So a line is assigned to an achievement only if the line names that achievement and no other: by
//! the caller's identifier, by ULN and reference number, or by ULN.

use std::collections::{BTreeSet, HashMap};

use crate::batches::fingerprint::{RecordFingerprint, hash_texts};
use crate::domain::Personal;

/// Index of the hash of an achievement's ULN.
pub const ULN: usize = 0;
/// Index of the hash of an achievement's unit or qualification reference number.
pub const REFERENCE_NUMBER: usize = 1;

/// Minimum length, in characters, of an identifier or a reference number that a line contains by chance only rarely. A shorter text may be the
/// number of a record, or a grade.
const DISTINCTIVE_LENGTH: usize = 6;

/// The lines of an error file, assigned to the submitted achievements.
#[derive(Debug, Default)]
pub struct AssignedLines {
    /// The lines, by the index of the one achievement that each names.
    by_achievement: HashMap<usize, Vec<Personal<String>>>,
    /// For each other line that is about an achievement: the indexes of those that it may mean.
    ambiguous: Vec<BTreeSet<usize>>,
    /// `true` if a line names a learner that no submitted achievement has.
    has_unknown_learner: bool,
}

impl AssignedLines {
    /// Reads an error file.
    pub fn read(file: &str, achievements: &[RecordFingerprint]) -> Self {
        let index = AchievementIndex::new(achievements);
        let mut assigned = Self::default();
        for line in file.lines() {
            let fields: Vec<&str> = line.split([',', ';', '|', '\t']).map(|field| field.trim().trim_matches(['"', '\'']).trim()).collect();
            assigned.has_unknown_learner |= index.has_unknown_learner(&fields);
            match index.subject(&fields) {
                Subject::None => {}
                Subject::One(achievement) => {
                    assigned.by_achievement.entry(achievement).or_default().push(Personal::new(line.to_owned()));
                }
                Subject::OneOf(candidates) => assigned.ambiguous.push(candidates),
            }
        }
        assigned
    }

    /// Returns the number of achievements that are named by a line of their own.
    pub fn achievement_count(&self) -> usize {
        self.by_achievement.len()
    }

    /// Returns `true` if the achievements with lines of their own can be all that the file is about: no line is about a learner of another
    /// job, and each ambiguous line may mean one of these achievements.
    pub fn may_be_complete(&self) -> bool {
        let is_named = |index: &usize| self.by_achievement.contains_key(index);
        !self.has_unknown_learner && self.ambiguous.iter().all(|candidates| candidates.iter().any(is_named))
    }

    /// Removes and returns the lines of an achievement.
    pub fn take(&mut self, achievement: usize) -> Option<Vec<Personal<String>>> {
        self.by_achievement.remove(&achievement)
    }
}

/// What a line of the file is about.
enum Subject {
    /// No submitted achievement: a heading, a sum, an empty line.
    None,
    /// This achievement and no other.
    One(usize),
    /// One of these achievements.
    OneOf(BTreeSet<usize>),
}

/// The submitted achievements, by identifier and by ULN.
struct AchievementIndex<'a> {
    achievements: &'a [RecordFingerprint],
    by_identifier: HashMap<&'a str, Vec<usize>>,
    by_uln: HashMap<u64, Vec<usize>>,
}

impl<'a> AchievementIndex<'a> {
    fn new(achievements: &'a [RecordFingerprint]) -> Self {
        let mut by_identifier: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut by_uln: HashMap<u64, Vec<usize>> = HashMap::new();
        for (index, achievement) in achievements.iter().enumerate() {
            if let Some(identifier) = achievement.trimmed_identifier() {
                by_identifier.entry(identifier).or_default().push(index);
            }
            by_uln.entry(achievement.hash(ULN).unwrap_or_default()).or_default().push(index);
        }
        Self { achievements, by_identifier, by_uln }
    }

    /// Returns what a line with these fields is about. Each achievement that the line names must fit everything that it names.
    fn subject(&self, fields: &[&str]) -> Subject {
        let is_distinctive = |field: &&&str| field.chars().count() >= DISTINCTIVE_LENGTH;
        let references: Vec<u64> = fields.iter().filter(is_distinctive).map(|field| hash_texts(&[field])).collect();
        let has_reference =
            |index: &usize| self.achievements[*index].hash(REFERENCE_NUMBER).is_some_and(|reference| references.contains(&reference));
        let with_uln: BTreeSet<usize> = fields.iter().filter_map(|field| self.with_uln(field)).flatten().copied().collect();
        let identified_by = |is_evidence: &dyn Fn(&&&str) -> bool| -> BTreeSet<usize> {
            fields.iter().filter(is_evidence).filter_map(|field| self.by_identifier.get(field)).flatten().copied().collect()
        };
        let identified = identified_by(&|field| is_distinctive(field) && self.with_uln(field).is_none());
        // The line does not say whether a short text, or the ULN of another achievement, is an identifier.
        let mut uncertain = identified_by(&|field| !is_distinctive(field));
        uncertain.retain(|index| with_uln.is_empty() && identified.is_empty() && has_reference(index));
        uncertain.extend(identified_by(&|field| self.with_uln(field).is_some()).difference(&with_uln));

        let candidates: BTreeSet<usize> = [&with_uln, &identified, &uncertain].into_iter().flatten().copied().collect();
        let fits_all = |index: &usize| [&with_uln, &identified].into_iter().all(|named| named.is_empty() || named.contains(index));
        let fitting: BTreeSet<usize> = candidates.iter().copied().filter(fits_all).collect();
        let with_reference: BTreeSet<usize> = fitting.iter().copied().filter(has_reference).collect();
        match only(&with_reference).or_else(|| only(&fitting).filter(|_| !candidates.iter().any(has_reference))) {
            Some(index) if uncertain.is_empty() => Subject::One(index),
            _ if candidates.is_empty() => Subject::None,
            _ => Subject::OneOf(candidates),
        }
    }

    /// Returns the achievements with this ULN; `None` if there are none, or if the text is no ULN.
    fn with_uln(&self, field: &str) -> Option<&Vec<usize>> {
        looks_like_uln(field).then(|| self.by_uln.get(&hash_texts(&[field])))?
    }

    /// Returns `true` if a field looks like a ULN, and is neither the ULN nor the identifier of a submitted achievement.
    fn has_unknown_learner(&self, fields: &[&str]) -> bool {
        let is_known = |field: &str| self.with_uln(field).is_some() || self.by_identifier.contains_key(field);
        fields.iter().any(|field| looks_like_uln(field) && !is_known(field))
    }
}

fn looks_like_uln(field: &str) -> bool {
    field.len() == 10 && field.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the only candidate; `None` if there are none or several.
fn only(candidates: &BTreeSet<usize>) -> Option<usize> {
    candidates.first().copied().filter(|_| candidates.len() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(identifier: &str, uln: &str, reference: &str) -> RecordFingerprint {
        RecordFingerprint::new(Some(identifier), [hash_texts(&[uln]), hash_texts(&[reference])])
    }

    fn achievements() -> [RecordFingerprint; 5] {
        [
            fingerprint("CAND-A1", "3000000126", "600/0001/1"),
            fingerprint("CAND-A2", "3000000126", "600/0002/2"),
            fingerprint("", "3000000258", "600/0001/1"),
            fingerprint("17", "4444599390", "600/0001/1"),
            fingerprint("17", "4444599390", "600/0002/2"),
        ]
    }

    fn line_counts(file: &str) -> Vec<usize> {
        let mut lines = AssignedLines::read(file, &achievements());
        (0..achievements().len()).map(|index| lines.take(index).map_or(0, |lines| lines.len())).collect()
    }

    #[test]
    fn error_file_line_belongs_to_the_only_achievement_it_names() {
        for (line, expected) in [
            ("1,3000000126,600/0001/1,CAND-A1,no such qualification", [1, 0, 0, 0, 0]),
            ("CAND-A2;is wrong", [0, 1, 0, 0, 0]),
            ("CAND-A2;CAND-A2", [0, 1, 0, 0, 0]),
            ("\"3000000126\",\"600/0002/2\",\"x\"", [0, 1, 0, 0, 0]),
            ("3000000126|whose?", [0, 0, 0, 0, 0]),
            ("3000000258\tnot known", [0, 0, 1, 0, 0]),
            ("17,4444599390,600/0002/2", [0, 0, 0, 0, 1]),
            ("17,3000000258,600/0001/1", [0, 0, 1, 0, 0]),
            ("RecordNumber,Uln,UnitOrQualificationReferenceNumber", [0, 0, 0, 0, 0]),
            ("17", [0, 0, 0, 0, 0]),
            ("17,600/0002/2", [0, 0, 0, 0, 0]),
            ("CAND-A1,3000000258", [0, 0, 0, 0, 0]),
            ("CAND-A1,3000000126,600/0002/2", [0, 0, 0, 0, 0]),
        ] {
            assert_eq!(line_counts(line), expected, "{line}");
        }
        assert_eq!(line_counts("CAND-A1,one\nCAND-A1,two\r\n\r\nCAND-A2,three"), [2, 1, 0, 0, 0]);
    }

    #[test]
    fn error_file_line_about_an_unnamed_achievement_makes_the_file_incomplete() {
        for (file, expected) in [
            ("RecordNumber,Uln\r\n1,CAND-A1,no such qualification\r\nErrors: 1\r\n", true),
            ("CAND-A1,one\n3000000126,the same learner, and perhaps the same achievement", true),
            ("3000000258,one\n3000000126,one of two others", false),
            ("CAND-A1,one\n17,600/0002/2,a record number or an identifier", false),
            ("CAND-A1,one\n3000000371,a learner of no achievement", false),
            ("", true),
        ] {
            assert_eq!(AssignedLines::read(file, &achievements()).may_be_complete(), expected, "{file}");
        }
    }
}
