//! The error file of an achievement job: assigns its lines to the submitted achievements.
//!
//! The file's format is not public. So a line is assigned to an achievement only if the line names that achievement and no other: by
//! the caller's identifier, by ULN and reference number, or by ULN.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::achievement_index::{AchievementIndex, Subject, split_fields};
use crate::batches::fingerprint::RecordFingerprint;
use crate::domain::Personal;

/// The lines of an error file, assigned to the submitted achievements.
#[derive(Debug, Default)]
pub struct AssignedLines {
    /// The lines, by the index of the one achievement that each names.
    by_achievement: HashMap<usize, Vec<Personal<String>>>,
    /// For each other line that is about an achievement: the indexes of those that it may mean. Lines that may mean the same have one set.
    ambiguous: HashSet<BTreeSet<usize>>,
    /// `true` if a line names a learner that no submitted achievement has, or more achievements than the gateway compares.
    has_unclear_line: bool,
}

impl AssignedLines {
    /// Reads an error file.
    pub fn read(file: &str, achievements: &[RecordFingerprint]) -> Self {
        let index = AchievementIndex::new(achievements);
        let mut assigned = Self::default();
        for line in file.lines() {
            let fields = split_fields(line);
            assigned.has_unclear_line |= index.has_unknown_learner(&fields);
            match index.subject(&fields) {
                Subject::None => {}
                Subject::One(achievement) => {
                    assigned.by_achievement.entry(achievement).or_default().push(Personal::new(line.to_owned()));
                }
                Subject::OneOf(candidates) => {
                    assigned.ambiguous.insert(candidates);
                }
                Subject::Unclear => assigned.has_unclear_line = true,
            }
        }
        assigned
    }

    /// Returns the number of achievements that are named by a line of their own.
    pub fn achievement_count(&self) -> usize {
        self.by_achievement.len()
    }

    /// Returns `true` if the achievements with lines of their own can be all that the file is about: no line is about a learner of another
    /// job or fits too many achievements, and each ambiguous line may mean one of these achievements.
    pub fn may_be_complete(&self) -> bool {
        let is_named = |index: &usize| self.by_achievement.contains_key(index);
        !self.has_unclear_line && self.ambiguous.iter().all(|candidates| candidates.iter().any(is_named))
    }

    /// Removes and returns the lines of an achievement.
    pub fn take(&mut self, achievement: usize) -> Option<Vec<Personal<String>>> {
        self.by_achievement.remove(&achievement)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::batches::fingerprint::hash_texts;

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
            // The reference number of other achievements.
            ("3000000258,600/0002/2", [0, 0, 0, 0, 0]),
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
            ("CAND-A1,one\n3000000258,600/0002/2,the reference number of other achievements", false),
            ("", true),
        ] {
            assert_eq!(AssignedLines::read(file, &achievements()).may_be_complete(), expected, "{file}");
        }
    }

    #[test]
    fn error_file_line_with_an_identifier_that_falls_apart_names_no_other_achievement() {
        let achievements = [
            fingerprint("GROUP1,CAND-22", "3000000126", "600/0001/1"),
            fingerprint("CAND-22", "3000000258", "600/0001/1"),
            fingerprint("'CAND-33'", "3000000371", "600/0001/1"),
            fingerprint("CAND-33", "4444599390", "600/0001/1"),
            fingerprint("GROUP2;600/0001/1", "3000000126", "600/0002/2"),
            fingerprint("GROUP3|4444599390", "3000000371", "600/0002/2"),
            fingerprint("Smith, Daniel", "3000000371", "600/0003/3"),
        ];
        for (line, named) in [
            ("12,\"GROUP1,CAND-22\",wrong", None),
            ("12,CAND-22,wrong", None),
            ("12,\"GROUP1,CAND-22\",3000000126,600/0001/1,wrong", Some(0)),
            ("12,CAND-22,3000000258,wrong", Some(1)),
            ("12,'CAND-33',wrong", None),
            ("12,\"GROUP2;600/0001/1\",3000000126,wrong", None),
            ("12,\"GROUP2;600/0001/1\",3000000126,600/0002/2,wrong", None),
            ("12,\"GROUP3|4444599390\",wrong", None),
            ("12,Daniel,Jones,wrong", None),
            ("12,CAND-22,Daniel,3000000258,wrong", Some(1)),
        ] {
            let lines = AssignedLines::read(line, &achievements);
            let found: Vec<_> = lines.by_achievement.keys().copied().collect();
            assert_eq!(found, named.into_iter().collect::<Vec<_>>(), "{line}");
        }
    }

    #[test]
    fn error_file_with_thousands_of_equal_achievements_is_read_in_linear_time() {
        const COUNT: usize = 10_000;
        let started_at = Instant::now();
        let read = |achievement: &dyn Fn(usize) -> RecordFingerprint, line: &dyn Fn(usize) -> String| {
            let achievements: Vec<_> = (0..COUNT).map(achievement).collect();
            let file: String = (0..COUNT).map(line).collect();
            let lines = AssignedLines::read(&file, &achievements);
            assert!(lines.ambiguous.iter().map(BTreeSet::len).sum::<usize>() <= COUNT);
            (lines.achievement_count(), lines.may_be_complete())
        };
        let uln = |number: usize| format!("{}", 3_000_000_000 + number);
        let reference = |number: usize| format!("600/{number:05}/1");
        let line = |number: usize| format!("{number},TERM-1,3000000126,600/0001/1,wrong\n");
        let equal = |_| fingerprint("TERM-1", "3000000126", "600/0001/1");
        assert_eq!(read(&equal, &line), (0, false), "all are equal");
        assert_eq!(read(&|_| fingerprint("3000000126", "3000000126", "600/0001/1"), &line), (0, false), "the identifier is the ULN");
        assert_eq!(
            read(&|_| fingerprint("17", "3000000126", "600/0001/1"), &|_| "17,600/0001/1\n".into()),
            (0, false),
            "a short identifier"
        );

        let by_uln = |number: usize| fingerprint("TERM-1", &uln(number), "600/0001/1");
        let all_columns = |number: usize| format!("{number},TERM-1,{},600/0001/1,wrong\n", uln(number));
        assert_eq!(read(&by_uln, &all_columns), (COUNT, true), "different learners");
        let by_reference = |number: usize| fingerprint("TERM-1", "3000000126", &reference(number));
        let all_columns = |number: usize| format!("{number},TERM-1,3000000126,{},wrong\n", reference(number));
        assert_eq!(read(&by_reference, &all_columns), (COUNT, true), "different awards");
        assert!(started_at.elapsed() < Duration::from_secs(30), "{:?}", started_at.elapsed());
    }

    #[test]
    fn error_file_line_that_fits_too_many_achievements_makes_the_file_incomplete() {
        let mut achievements = vec![fingerprint("CAND-A1", "3000000258", "600/0001/1")];
        achievements.extend((0..101).map(|_| fingerprint("", "3000000126", "600/0001/1")));
        let is_complete = |file: &str| AssignedLines::read(file, &achievements).may_be_complete();
        assert!(is_complete("CAND-A1,wrong"));
        assert!(!is_complete("CAND-A1,wrong\n3000000126,wrong"));
    }
}
