//! Whose result is whose: LRS gives records back, and each must find the one it was sent as.
//!
//! The records themselves are gone by then ([`super`]), so of each a [`Mark`] stays behind: the caller's own name for it, and hashes
//! of what LRS repeats. A result that fits no record, or several, is given to none: a wrong learner's ULN would be worse.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::domain::Personal;

/// What tells a record from others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
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

impl Mark {
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
/// First those that agree in everything, in order where several do. Of the rest, those whose name is nobody else's; then those
/// whose content is nobody else's.
pub fn pair(sent: &[Mark], returned: &[Mark]) -> Vec<Option<usize>> {
    let mut pairs = Pairs { of_sent: vec![None; sent.len()], taken: vec![false; returned.len()] };
    let mut free: HashMap<_, VecDeque<usize>> = HashMap::new();
    for (at, mark) in returned.iter().enumerate() {
        free.entry((mark.name(), mark.key(0))).or_default().push_back(at);
    }
    for (at, mark) in sent.iter().enumerate() {
        if let Some(found) = free.get_mut(&(mark.name(), mark.key(0))).and_then(VecDeque::pop_front) {
            pairs.join(at, found);
        }
    }
    pairs.join_unique(sent, returned, Mark::name);
    pairs.join_unique(sent, returned, |mark| mark.key(0));
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

    /// Joins what is left and has the same property as exactly one other.
    fn join_unique<'m, P: Hash + Eq>(&mut self, sent: &'m [Mark], returned: &'m [Mark], property: impl Fn(&'m Mark) -> Option<P>) {
        let left = |marks: &'m [Mark], is_left: &dyn Fn(usize) -> bool| {
            let mut left: HashMap<P, Vec<usize>> = HashMap::new();
            for (at, mark) in marks.iter().enumerate().filter(|(at, _)| is_left(*at)) {
                if let Some(property) = property(mark) {
                    left.entry(property).or_default().push(at);
                }
            }
            left
        };
        let (of_sent, of_returned) = (left(sent, &|at| self.of_sent[at].is_none()), left(returned, &|at| !self.taken[at]));
        for (property, at) in of_sent {
            if let ([at], Some([found])) = (&at[..], of_returned.get(&property).map(Vec::as_slice)) {
                self.join(*at, *found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(list: &[(&str, &str)]) -> Vec<Mark> {
        list.iter().map(|(name, content)| Mark::new(Some(name), [key(&[content])])).collect()
    }

    #[test]
    fn results_find_their_records_in_whatever_order_they_come() {
        let sent = marks(&[("1", "Ana"), ("2", "Ben"), ("3", "Cy")]);
        assert_eq!(pair(&sent, &marks(&[("3", "Cy"), ("1", "ANA "), ("2", "Ben")])), [Some(1), Some(2), Some(0)]);
    }

    #[test]
    fn records_that_are_alike_are_paired_in_order() {
        let twins = marks(&[("", "Ana"), ("", "Ana"), ("7", "Ben"), ("7", "Cy")]);
        assert_eq!(pair(&twins, &twins.clone()), [Some(0), Some(1), Some(2), Some(3)]);
        let swapped = marks(&[("7", "Cy"), ("7", "Ben"), ("", "Ana"), ("", "Ana")]);
        assert_eq!(pair(&twins, &swapped), [Some(2), Some(3), Some(1), Some(0)]);
    }

    #[test]
    fn what_lrs_changed_is_known_by_the_rest_if_that_is_nobody_elses() {
        let sent = marks(&[("1", "Zoë"), ("2", "Ben"), ("", "Cy")]);
        let changed = marks(&[("1", "Zoe"), ("", "Ben"), ("3", "Cy")]);
        assert_eq!(pair(&sent, &changed), [Some(0), Some(1), Some(2)]);
    }

    #[test]
    fn what_cannot_be_told_apart_is_given_to_nobody() {
        let sent = marks(&[("7", "Ana"), ("7", "Ben"), ("8", "Cy")]);
        assert_eq!(pair(&sent, &marks(&[("7", "Dee"), ("7", "Ed"), ("9", "Flo")])), [None, None, None]);
        assert_eq!(pair(&sent, &marks(&[("8", "Cy")])), [None, None, Some(0)]);
        assert_eq!(pair(&sent, &[]), [None, None, None]);
    }

    #[test]
    fn marks_are_kept_small_and_read_back() {
        let mark = Mark::new(Some("STU-17"), [1, 2]).naming_uln(true);
        let json = serde_json::to_string(&mark).expect("JSON");
        assert_eq!(json, r#"{"m":"STU-17","k":[1,2],"u":true}"#);
        assert_eq!(serde_json::from_str::<Mark>(&json).expect("a mark"), mark);
        assert_eq!(serde_json::to_string(&Mark::new(None, [1])).expect("JSON"), r#"{"k":[1]}"#);
        assert!(!format!("{mark:?}").contains("STU"));
    }
}
