//! Whose result is whose: LRS gives records back, and each must find the one it was sent as.
//!
//! The records themselves are gone by then ([`super`]), so of each a [`Mark`] stays behind: the caller's own name for it, and hashes
//! of what LRS repeats. A result that fits no record, or several, is given to none: a wrong learner's ULN would be worse.
//!
//! Two learners of the same name and date of birth are told apart by all the rest that LRS repeats: postcode, gender, address.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::domain::Personal;

/// Which of a mark's keys stands for the person: names and date of birth, or ULN and names.
pub const PERSON: usize = 0;

/// What tells a record from others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordFingerprint {
    /// The caller's own name for the record.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub mis_identifier: Option<Personal<String>>,
    /// Hashes, in an order the kind of record decides.
    #[serde(rename = "k")]
    keys: Vec<Personal<u64>>,
    /// Did the record name a ULN when it was sent?
    #[serde(rename = "u", default, skip_serializing_if = "std::ops::Not::not")]
    pub names_uln: bool,
}

impl RecordFingerprint {
    /// The mark of a record with this name and these keys.
    pub fn new(mis_identifier: Option<&str>, keys: impl IntoIterator<Item = u64>) -> Self {
        let mis_identifier = mis_identifier.filter(|name| !name.is_empty()).map(|name| Personal::new(name.to_owned()));
        Self { mis_identifier, keys: keys.into_iter().map(Personal::new).collect(), names_uln: false }
    }

    /// Of a record that names a ULN, or does not.
    #[must_use]
    pub fn naming_uln(self, names_uln: bool) -> Self {
        Self { names_uln, ..self }
    }

    /// The caller's name for the record, without the space around it, which systems lose.
    pub fn name(&self) -> Option<&str> {
        self.mis_identifier.as_ref().map(|name| name.reveal().trim()).filter(|name| !name.is_empty())
    }

    /// One of its keys.
    pub fn key(&self, number: usize) -> Option<u64> {
        self.keys.get(number).map(|key| *key.reveal())
    }
}

/// A key of these texts, whatever their case and the space around them.
pub fn key(texts: &[&str]) -> u64 {
    let folded: Vec<String> = texts.iter().map(|text| text.trim().to_lowercase()).collect();
    let hash = digest(&SHA256, folded.join("\n").as_bytes());
    hash.as_ref().iter().take(8).fold(0, |key, byte| key << 8 | u64::from(*byte))
}

/// For each record that was sent, which of the returned ones is its result.
///
/// Results whose every field is that of a record are the record's; records that are the same in every field can have each other's.
/// Where LRS has changed something, a result is a record's only if there is no second candidate among all that was sent and all that
/// came back: by name and person, by name alone, by person alone if one of the two has no name.
pub fn pair(sent: &[RecordFingerprint], returned: &[RecordFingerprint]) -> Vec<Option<usize>> {
    let mut pairs = Pairs { of_sent: vec![None; sent.len()], taken: vec![false; returned.len()] };
    let mut alike: HashMap<_, VecDeque<usize>> = HashMap::new();
    for (at, mark) in returned.iter().enumerate() {
        alike.entry((mark.name(), &mark.keys)).or_default().push_back(at);
    }
    for (at, mark) in sent.iter().enumerate() {
        if let Some(found) = alike.get_mut(&(mark.name(), &mark.keys)).and_then(VecDeque::pop_front) {
            pairs.join(at, found);
        }
    }
    let contradict =
        |one: &RecordFingerprint, other: &RecordFingerprint| one.name().is_some() && other.name().is_some() && one.name() != other.name();
    pairs.join_unique(sent, returned, |mark| Some((mark.name(), mark.key(PERSON)?)));
    pairs.join_unique(sent, returned, |mark| mark.name());
    pairs.join_unique_unless(sent, returned, |mark| mark.key(PERSON), contradict);
    pairs.of_sent
}

struct Pairs {
    of_sent: Vec<Option<usize>>,
    taken: Vec<bool>,
}

impl Pairs {
    fn join(&mut self, sent: usize, returned: usize) {
        self.of_sent[sent] = Some(returned);
        self.taken[returned] = true;
    }

    /// Joins what has the same property as exactly one other, of all there are.
    fn join_unique<'m, P: Hash + Eq>(
        &mut self,
        sent: &'m [RecordFingerprint],
        returned: &'m [RecordFingerprint],
        property: impl Fn(&'m RecordFingerprint) -> Option<P>,
    ) {
        self.join_unique_unless(sent, returned, property, |_, _| false);
    }

    /// The same, unless something else speaks against it.
    fn join_unique_unless<'m, P: Hash + Eq>(
        &mut self,
        sent: &'m [RecordFingerprint],
        returned: &'m [RecordFingerprint],
        property: impl Fn(&'m RecordFingerprint) -> Option<P>,
        contradict: impl Fn(&RecordFingerprint, &RecordFingerprint) -> bool,
    ) {
        let by_property = |marks: &'m [RecordFingerprint]| {
            let mut found: HashMap<P, Vec<usize>> = HashMap::new();
            for (at, mark) in marks.iter().enumerate() {
                if let Some(property) = property(mark) {
                    found.entry(property).or_default().push(at);
                }
            }
            found
        };
        let candidates = by_property(returned);
        for (property, at) in by_property(sent) {
            if let ([at], Some([found])) = (&at[..], candidates.get(&property).map(Vec::as_slice))
                && self.of_sent[*at].is_none()
                && !self.taken[*found]
                && !contradict(&sent[*at], &returned[*found])
            {
                self.join(*at, *found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(list: &[(&str, &str)]) -> Vec<RecordFingerprint> {
        list.iter().map(|(name, content)| RecordFingerprint::new(Some(name), [key(&[content])])).collect()
    }

    #[test]
    fn results_find_their_records_in_whatever_order_they_come() {
        let sent = marks(&[("1", "Ana"), ("2", "Ben"), ("3", "Cy")]);
        assert_eq!(pair(&sent, &marks(&[("3", "Cy"), ("1", "ANA "), ("2", "Ben")])), [Some(1), Some(2), Some(0)]);
    }

    #[test]
    fn people_of_one_name_are_told_apart_by_the_rest() {
        let person = |postcode: &str| RecordFingerprint::new(None, [key(&["John", "Smith"]), key(&["John", "Smith", postcode])]);
        let sent = [person("ZZ1 1AA"), person("ZZ2 2BB")];
        assert_eq!(pair(&sent, &[person("ZZ2 2BB"), person("ZZ1 1AA")]), [Some(1), Some(0)]);
        assert_eq!(pair(&sent, &[person("ZZ2 2BB")]), [None, Some(0)]);
        assert_eq!(pair(&sent, &[person("ZZ3 3CC")]), [None, None], "it may be either's");
        let alike = [person("ZZ1 1AA"), person("ZZ1 1AA")];
        assert_eq!(pair(&alike, &alike.clone()), [Some(0), Some(1)], "who is the same in everything may have the other's");
    }

    #[test]
    fn what_lrs_changed_is_known_by_the_rest_if_that_is_nobody_elses() {
        let sent = marks(&[("1", "Zoë"), ("2", "Ben"), ("", "Cy"), ("4", "Dee")]);
        let changed = marks(&[("1", "Zoe"), ("", "Ben"), ("3", "Cy"), ("5", "Dee")]);
        assert_eq!(pair(&sent, &changed), [Some(0), Some(1), Some(2), None], "another name is another record");
    }

    #[test]
    fn what_cannot_be_told_apart_is_given_to_nobody() {
        let sent = marks(&[("7", "Ana"), ("7", "Ben"), ("8", "Cy")]);
        assert_eq!(pair(&sent, &marks(&[("7", "Dee"), ("7", "Ed"), ("9", "Flo")])), [None, None, None]);
        assert_eq!(pair(&sent, &marks(&[("7", "Ana"), ("7", "Dee")])), [Some(0), None, None], "7 is not Ben's alone");
        assert_eq!(pair(&sent, &marks(&[("8", "Cy")])), [None, None, Some(0)]);
        assert_eq!(pair(&sent, &[]), [None, None, None]);
    }

    #[test]
    fn marks_are_kept_small_and_read_back() {
        let mark = RecordFingerprint::new(Some("STU-17"), [1, 2]).naming_uln(true);
        let json = serde_json::to_string(&mark).expect("JSON");
        assert_eq!(json, r#"{"m":"STU-17","k":[1,2],"u":true}"#);
        assert_eq!(serde_json::from_str::<RecordFingerprint>(&json).expect("a mark"), mark);
        assert_eq!(serde_json::to_string(&RecordFingerprint::new(None, [1])).expect("JSON"), r#"{"k":[1]}"#);
        assert!(!format!("{mark:?}").contains("STU"));
    }
}
