//! Matching of LRS's results to the submitted records.
//!
//! LRS returns records in any order. The submitted records have been deleted by then, so matching uses their stored
//! [fingerprints](crate::batches::fingerprint). A result that fits no record of its part, or several different ones, is assigned to none: a
//! wrong learner's ULN would be worse than a missing one.
//!
//! Two learners with the same name and date of birth are distinguished by the other fields that LRS repeats: postcode, gender, address.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use crate::batches::fingerprint::{PERSON, RecordFingerprint};
use crate::domain::{NEEDED_FOR_A_ULN, Personal};

/// The result of one record.
#[derive(Debug, Clone)]
pub struct RecordResult<T> {
    /// Position of the record in the batch; `None` for a result that matches no record.
    pub position: Option<u32>,
    /// The caller's identifier of the record.
    pub mis_identifier: Option<Personal<String>>,
    /// `true` if the record was sent with a ULN.
    pub has_uln: bool,
    /// Whether the record lacks each field that LRS may need for a ULN.
    pub lacks: [bool; NEEDED_FOR_A_ULN.len()],
    /// LRS's result; `None` if LRS returned none for this record.
    pub result: Option<T>,
}

impl<T> RecordResult<T> {
    /// Creates the entry of a record for which LRS returned nothing.
    pub fn without_result(position: u32, fingerprint: &RecordFingerprint) -> Self {
        Self::new(Some(position), fingerprint, None)
    }

    fn new(position: Option<u32>, fingerprint: &RecordFingerprint, result: Option<T>) -> Self {
        let RecordFingerprint { mis_identifier, has_uln, lacks, .. } = fingerprint;
        Self { position, mis_identifier: mis_identifier.clone(), has_uln: *has_uln, lacks: *lacks, result }
    }
}

/// Assigns the results that LRS returned to the records of a part. `first_position` is the position of the part's first record.
///
/// Results that match no record come last, without a position. Without fingerprints of the records (adopted jobs), results are
/// numbered in LRS's order.
pub fn match_results<T>(
    returned: Vec<T>,
    fingerprint_of: impl Fn(&T) -> RecordFingerprint,
    first_position: u32,
    sent: Option<&[RecordFingerprint]>,
) -> Vec<RecordResult<T>> {
    // For a result without a record, and for an adopted job, it is unknown whether the record was sent with a ULN: it may have been.
    let fingerprints: Vec<RecordFingerprint> = returned.iter().map(|result| fingerprint_of(result).with_uln(true)).collect();
    let Some(sent) = sent else {
        let numbered = (first_position..).zip(fingerprints.iter().zip(returned));
        return numbered.map(|(position, (fingerprint, result))| RecordResult::new(Some(position), fingerprint, Some(result))).collect();
    };
    let mut returned: Vec<Option<T>> = returned.into_iter().map(Some).collect();
    let matches = (first_position..).zip(sent.iter().zip(match_fingerprints(sent, &fingerprints)));
    let mut results: Vec<RecordResult<T>> = matches
        .map(|(position, (fingerprint, index))| {
            RecordResult::new(Some(position), fingerprint, index.and_then(|index| returned[index].take()))
        })
        .collect();
    let unmatched = fingerprints.iter().zip(returned).filter(|(_, result)| result.is_some());
    results.extend(unmatched.map(|(fingerprint, result)| RecordResult::new(None, fingerprint, result)));
    results
}

/// Returns, for each record that was sent, the index of the returned record that is its result.
///
/// A result that equals a record in every field is the record's. Records that are equal in every field may receive each other's results.
/// Where LRS has changed a field, a result is assigned only if there is no second candidate among all records and all results. A candidate
/// has, in this order:
///
/// 1. the same identifier and the same person;
/// 2. the same identifier;
/// 3. the same person, and the identifiers of record and result do not differ. One of them may be missing.
fn match_fingerprints(sent: &[RecordFingerprint], returned: &[RecordFingerprint]) -> Vec<Option<usize>> {
    let mut matches = Matches { of_sent: vec![None; sent.len()], is_taken: vec![false; returned.len()] };
    let mut equal: HashMap<_, VecDeque<usize>> = HashMap::new();
    for (index, fingerprint) in returned.iter().enumerate() {
        equal.entry((fingerprint.trimmed_identifier(), fingerprint.hashes())).or_default().push_back(index);
    }
    for (index, fingerprint) in sent.iter().enumerate() {
        if let Some(found) = equal.get_mut(&(fingerprint.trimmed_identifier(), fingerprint.hashes())).and_then(VecDeque::pop_front) {
            matches.assign(index, found);
        }
    }
    matches.assign_unique(sent, returned, |fingerprint| Some((fingerprint.trimmed_identifier(), fingerprint.hash(PERSON)?)));
    matches.assign_unique(sent, returned, RecordFingerprint::trimmed_identifier);
    matches.assign_unique_unless(sent, returned, |fingerprint| fingerprint.hash(PERSON), have_different_identifiers);
    matches.of_sent
}

/// Returns `true` if both have an identifier and the identifiers differ.
fn have_different_identifiers(one: &RecordFingerprint, other: &RecordFingerprint) -> bool {
    match (one.trimmed_identifier(), other.trimmed_identifier()) {
        (Some(one), Some(other)) => one != other,
        _ => false,
    }
}

/// The assignments so far.
struct Matches {
    /// For each sent record, the index of its result.
    of_sent: Vec<Option<usize>>,
    /// For each result, whether it is assigned.
    is_taken: Vec<bool>,
}

impl Matches {
    fn assign(&mut self, sent: usize, returned: usize) {
        self.of_sent[sent] = Some(returned);
        self.is_taken[returned] = true;
    }

    /// Assigns results whose property has exactly one owner among all sent and exactly one among all returned records.
    fn assign_unique<'m, P: Hash + Eq>(
        &mut self,
        sent: &'m [RecordFingerprint],
        returned: &'m [RecordFingerprint],
        property: impl Fn(&'m RecordFingerprint) -> Option<P>,
    ) {
        self.assign_unique_unless(sent, returned, property, |_, _| false);
    }

    /// Does the same as [`Self::assign_unique`], except for pairs that contradict each other.
    fn assign_unique_unless<'m, P: Hash + Eq>(
        &mut self,
        sent: &'m [RecordFingerprint],
        returned: &'m [RecordFingerprint],
        property: impl Fn(&'m RecordFingerprint) -> Option<P>,
        contradict: impl Fn(&RecordFingerprint, &RecordFingerprint) -> bool,
    ) {
        let by_property = |records: &'m [RecordFingerprint]| {
            let mut indexes: HashMap<P, Vec<usize>> = HashMap::new();
            for (index, fingerprint) in records.iter().enumerate() {
                if let Some(property) = property(fingerprint) {
                    indexes.entry(property).or_default().push(index);
                }
            }
            indexes
        };
        let candidates = by_property(returned);
        for (property, owners) in by_property(sent) {
            if let ([owner], Some([candidate])) = (&owners[..], candidates.get(&property).map(Vec::as_slice))
                && self.of_sent[*owner].is_none()
                && !self.is_taken[*candidate]
                && !contradict(&sent[*owner], &returned[*candidate])
            {
                self.assign(*owner, *candidate);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batches::fingerprint::hash_texts;

    fn fingerprints(list: &[(&str, &str)]) -> Vec<RecordFingerprint> {
        list.iter().map(|(identifier, content)| RecordFingerprint::new(Some(identifier), [hash_texts(&[content]); 2])).collect()
    }

    #[test]
    fn result_matching_accepts_any_order() {
        let sent = fingerprints(&[("1", "Ana"), ("2", "Ben"), ("3", "Cy")]);
        assert_eq!(match_fingerprints(&sent, &fingerprints(&[("3", "Cy"), ("1", "ANA "), ("2", "Ben")])), [Some(1), Some(2), Some(0)]);
    }

    #[test]
    fn result_matching_same_name_is_decided_by_other_fields() {
        let person =
            |postcode: &str| RecordFingerprint::new(None, [hash_texts(&["John", "Smith"]), hash_texts(&["John", "Smith", postcode])]);
        let sent = [person("ZZ1 1AA"), person("ZZ2 2BB")];
        assert_eq!(match_fingerprints(&sent, &[person("ZZ2 2BB"), person("ZZ1 1AA")]), [Some(1), Some(0)]);
        assert_eq!(match_fingerprints(&sent, &[person("ZZ2 2BB")]), [None, Some(0)]);
        assert_eq!(match_fingerprints(&sent, &[person("ZZ3 3CC")]), [None, None], "it may belong to either");
        let equal = [person("ZZ1 1AA"), person("ZZ1 1AA")];
        assert_eq!(match_fingerprints(&equal, &equal.clone()), [Some(0), Some(1)], "equal records may receive each other's result");
    }

    #[test]
    fn result_matching_changed_field_needs_unique_candidate() {
        let sent = fingerprints(&[("1", "Zoë"), ("2", "Ben"), ("", "Cy"), ("4", "Dee")]);
        let changed = fingerprints(&[("1", "Zoe"), ("", "Ben"), ("3", "Cy"), ("5", "Dee")]);
        assert_eq!(match_fingerprints(&sent, &changed), [Some(0), Some(1), Some(2), None], "another identifier is another record");
    }

    #[test]
    fn result_matching_ambiguous_result_is_not_assigned() {
        let sent = fingerprints(&[("7", "Ana"), ("7", "Ben"), ("8", "Cy")]);
        assert_eq!(match_fingerprints(&sent, &fingerprints(&[("7", "Dee"), ("7", "Ed"), ("9", "Flo")])), [None, None, None]);
        assert_eq!(
            match_fingerprints(&sent, &fingerprints(&[("7", "Ana"), ("7", "Dee")])),
            [Some(0), None, None],
            "two records have identifier 7"
        );
        assert_eq!(match_fingerprints(&sent, &fingerprints(&[("8", "Cy")])), [None, None, Some(0)]);
        assert_eq!(match_fingerprints(&sent, &[]), [None, None, None]);
    }
}
