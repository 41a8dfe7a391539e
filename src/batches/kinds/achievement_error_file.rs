//! The error file of an achievement job: assigns its lines to the submitted achievements.
//!
//! The file's format is not public. So a line is assigned to an achievement only if the line names that achievement and no other: by
//! the caller's identifier, by ULN and reference number, or by ULN.

use std::collections::HashMap;

use crate::batches::fingerprint::{RecordFingerprint, hash_texts};
use crate::domain::Personal;

/// Index of the hash of an achievement's ULN.
pub const ULN: usize = 0;
/// Index of the hash of an achievement's unit or qualification reference number.
pub const REFERENCE_NUMBER: usize = 1;

/// Minimum length, in characters, of an identifier that a line contains by chance only rarely. A shorter one may be a number or a grade.
const DISTINCTIVE_IDENTIFIER_LENGTH: usize = 6;

/// Returns the lines of an error file, by the index of the one achievement that each names.
pub fn lines_by_achievement(file: &str, achievements: &[RecordFingerprint]) -> HashMap<usize, Vec<Personal<String>>> {
    let index = AchievementIndex::new(achievements);
    let mut lines: HashMap<usize, Vec<Personal<String>>> = HashMap::new();
    for line in file.lines() {
        let fields: Vec<&str> = line.split([',', ';', '|', '\t']).map(|field| field.trim().trim_matches(['"', '\'']).trim()).collect();
        if let Some(achievement) = index.achievement_named_by(&fields) {
            lines.entry(achievement).or_default().push(Personal::new(line.to_owned()));
        }
    }
    lines
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

    /// Returns the one achievement that a line with these fields names.
    fn achievement_named_by(&self, fields: &[&str]) -> Option<usize> {
        let ulns = fields.iter().filter(|field| field.len() == 10 && field.bytes().all(|byte| byte.is_ascii_digit()));
        let with_uln: Vec<usize> = ulns.filter_map(|uln| self.by_uln.get(&hash_texts(&[uln]))).flatten().copied().collect();
        let field_hashes: Vec<u64> = fields.iter().map(|field| hash_texts(&[field])).collect();
        let has_reference =
            |index: usize| self.achievements[index].hash(REFERENCE_NUMBER).is_some_and(|reference| field_hashes.contains(&reference));
        // An identifier counts only if the line names no other learner, and if the identifier is unlikely to be some other value.
        let is_credible = |index: &usize| {
            let identifier = self.achievements[*index].trimmed_identifier();
            let is_distinctive = identifier.is_some_and(|text| text.chars().count() >= DISTINCTIVE_IDENTIFIER_LENGTH);
            with_uln.contains(index) || (with_uln.is_empty() && (is_distinctive || has_reference(*index)))
        };
        let with_identifier = fields.iter().filter_map(|field| self.by_identifier.get(field)).flatten().copied();
        let with_identifier: Vec<usize> = with_identifier.filter(is_credible).collect();
        if let Some(index) = only(&with_identifier) {
            return Some(index);
        }
        let candidates = if with_identifier.is_empty() { &with_uln } else { &with_identifier };
        let with_reference: Vec<usize> = candidates.iter().copied().filter(|index| has_reference(*index)).collect();
        only(&with_reference).or_else(|| only(&with_uln))
    }
}

/// Returns the only candidate; `None` if there are none or several.
const fn only(candidates: &[usize]) -> Option<usize> {
    if let [index] = candidates { Some(*index) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(identifier: &str, uln: &str, reference: &str) -> RecordFingerprint {
        RecordFingerprint::new(Some(identifier), [hash_texts(&[uln]), hash_texts(&[reference])])
    }

    fn line_counts(file: &str, achievements: &[RecordFingerprint]) -> Vec<usize> {
        let lines = lines_by_achievement(file, achievements);
        (0..achievements.len()).map(|index| lines.get(&index).map_or(0, Vec::len)).collect()
    }

    #[test]
    fn error_file_line_belongs_to_the_only_achievement_it_names() {
        let achievements = [
            fingerprint("CAND-A1", "3000000126", "600/0001/1"),
            fingerprint("CAND-A2", "3000000126", "600/0002/2"),
            fingerprint("", "3000000258", "600/0001/1"),
            fingerprint("17", "4444599390", "600/0001/1"),
            fingerprint("17", "4444599390", "600/0002/2"),
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
            assert_eq!(line_counts(line, &achievements), expected, "{line}");
        }
        assert_eq!(line_counts("CAND-A1,one\nCAND-A1,two\r\n\r\nCAND-A2,three", &achievements), [2, 1, 0, 0, 0]);
    }
}
