//! The submitted achievements of a job, as a line of its error file can name them.
//!
//! The work for a line and its result are bounded: thousands of achievements can have the same ULN, reference number or identifier.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::batches::fingerprint::{RecordFingerprint, hash_texts};

/// Index of the hash of an achievement's ULN.
pub const ULN: usize = 0;
/// Index of the hash of an achievement's unit or qualification reference number.
pub const REFERENCE_NUMBER: usize = 1;

/// Minimum length, in characters, of an identifier or a reference number that a line contains by chance only rarely. A shorter text may be the
/// number of a record, or a grade.
const DISTINCTIVE_LENGTH: usize = 6;
/// Maximum number of achievements that the gateway compares for one line.
const MAX_CANDIDATES: usize = 100;

/// What a line of the file is about.
pub enum Subject {
    /// No submitted achievement: a heading, a sum, an empty line.
    None,
    /// This achievement and no other.
    One(usize),
    /// One of these achievements.
    OneOf(BTreeSet<usize>),
    /// One of more achievements than the gateway compares.
    Unclear,
}

/// Returns the distinct fields of a line, without surrounding spaces and quotes.
pub fn split_fields(line: &str) -> BTreeSet<&str> {
    line.split([',', ';', '|', '\t', '\r', '\n']).map(|field| field.trim().trim_matches(['"', '\'']).trim()).collect()
}

/// The submitted achievements, by identifier and by ULN.
pub struct AchievementIndex<'a> {
    by_identifier: HashMap<&'a str, Group>,
    by_uln: HashMap<u64, Group>,
    references: HashSet<u64>,
}

impl<'a> AchievementIndex<'a> {
    /// Creates the index of these achievements.
    pub fn new(achievements: &'a [RecordFingerprint]) -> Self {
        let mut index = Self { by_identifier: HashMap::new(), by_uln: HashMap::new(), references: HashSet::new() };
        let entries: Vec<Entry<'_>> = achievements.iter().map(Entry::new).collect();
        for (number, entry) in entries.iter().enumerate() {
            index.by_uln.entry(entry.uln).or_default().add(number, &entry.references);
            index.references.extend(entry.references.first());
            if let Some(identifier) = entry.identifier {
                index.by_identifier.entry(identifier).or_default().add(number, &entry.references);
            }
        }
        // A piece that nothing else has is no evidence: `Smith, Daniel` is not every Daniel.
        for (number, entry) in entries.iter().enumerate() {
            for piece in &entry.pieces {
                if index.by_identifier.contains_key(piece) || index.with_uln(piece).is_some() {
                    index.by_identifier.entry(piece).or_default().add(number, &entry.references);
                }
            }
        }
        index.by_identifier.values_mut().chain(index.by_uln.values_mut()).for_each(Group::sort);
        index
    }

    /// Returns what a line with these fields is about. Each achievement that the line names must fit everything that it names.
    pub fn subject(&self, fields: &BTreeSet<&str>) -> Subject {
        let distinctive = fields.iter().filter(|field| is_distinctive(field));
        let references: HashSet<u64> =
            distinctive.map(|field| hash_texts(&[field])).filter(|reference| self.references.contains(reference)).collect();
        let with_uln: Vec<&Group> = fields.iter().filter_map(|field| self.with_uln(field)).collect();
        let identified_by = |is_evidence: &dyn Fn(&str) -> bool| -> Vec<&Group> {
            fields.iter().filter(|field| is_evidence(field)).filter_map(|field| self.by_identifier.get(*field)).collect()
        };
        let identified = identified_by(&|field| is_distinctive(field) && self.with_uln(field).is_none());
        let evidence = [&with_uln, &identified];
        let names_none = evidence.iter().all(|groups| groups.is_empty());

        // The line does not say whether a short text, or the ULN of another achievement, is an identifier.
        let short = if names_none { identified_by(&|field| !is_distinctive(field)) } else { Vec::new() };
        let Some(mut uncertain) = bounded(short.iter().flat_map(|group| group.with_references(&references))) else {
            return Subject::Unclear;
        };
        let ulns = identified_by(&|field| self.with_uln(field).is_some());
        let Some(by_ulns) = bounded(ulns.iter().flat_map(|group| group.members())) else { return Subject::Unclear };
        uncertain.extend(by_ulns.into_iter().filter(|index| !with_uln.iter().any(|group| group.contains(*index))));
        if names_none && uncertain.is_empty() {
            return Subject::None;
        }

        let fits_all = |index: &usize| evidence.iter().all(|groups| groups.is_empty() || groups.iter().any(|group| group.contains(*index)));
        let narrowed = |groups: &&Vec<&Group>| bounded(groups.iter().flat_map(|group| group.narrowed(&references)));
        let fitting = evidence.iter().filter(|groups| !groups.is_empty()).find_map(narrowed);
        let mut fitting = fitting.into_iter().flatten().filter(fits_all);
        if let (Some(index), None) = (fitting.next(), fitting.next())
            && uncertain.is_empty()
        {
            return Subject::One(index);
        }
        let candidates =
            evidence.into_iter().flatten().flat_map(|group| if group.is_small() { group.members() } else { group.narrowed(&references) });
        bounded(candidates.chain(uncertain)).map_or(Subject::Unclear, Subject::OneOf)
    }

    /// Returns the achievements with this ULN; `None` if there are none, or if the text is no ULN.
    fn with_uln(&self, field: &str) -> Option<&Group> {
        looks_like_uln(field).then(|| self.by_uln.get(&hash_texts(&[field])))?
    }

    /// Returns `true` if a field looks like a ULN, and is neither the ULN nor the identifier of a submitted achievement.
    pub fn has_unknown_learner(&self, fields: &BTreeSet<&str>) -> bool {
        let is_known = |field: &str| self.with_uln(field).is_some() || self.by_identifier.contains_key(field);
        fields.iter().any(|field| looks_like_uln(field) && !is_known(field))
    }
}

/// The texts of an achievement that its line can have.
struct Entry<'a> {
    uln: u64,
    /// The hash of its reference number, and then those of the pieces, each of which may be the reference number of another achievement.
    references: Vec<u64>,
    /// The identifier. One that is the ULN of the same achievement says no more than the ULN, and is left out.
    identifier: Option<&'a str>,
    /// The distinctive fields into which an identifier with a separator or a quote falls apart in a line. Each may be the identifier of
    /// another achievement.
    pieces: Vec<&'a str>,
}

impl<'a> Entry<'a> {
    fn new(achievement: &'a RecordFingerprint) -> Self {
        let hash = |index| achievement.hash(index).unwrap_or_default();
        let identifier = achievement.trimmed_identifier();
        let pieces = identifier.map(split_fields).unwrap_or_default();
        let pieces: Vec<&str> = pieces.into_iter().filter(|piece| Some(*piece) != identifier && is_distinctive(piece)).collect();
        let references = std::iter::once(hash(REFERENCE_NUMBER)).chain(pieces.iter().map(|piece| hash_texts(&[piece]))).collect();
        let identifier = identifier.filter(|text| !(looks_like_uln(text) && hash_texts(&[text]) == hash(ULN)));
        Self { uln: hash(ULN), references, identifier, pieces }
    }
}

/// Achievements with the same ULN or identifier.
#[derive(Default)]
struct Group {
    /// Their indexes.
    indexes: Vec<usize>,
    /// The hashes of the reference numbers that their lines can have, with their indexes.
    by_reference: Vec<(u64, usize)>,
}

impl Group {
    fn add(&mut self, index: usize, references: &[u64]) {
        self.indexes.push(index);
        self.by_reference.extend(references.iter().map(|reference| (*reference, index)));
    }

    /// Prepares the group for all other methods.
    fn sort(&mut self) {
        self.indexes.sort_unstable();
        self.indexes.dedup();
        self.by_reference.sort_unstable();
        self.by_reference.dedup();
    }

    fn is_small(&self) -> bool {
        self.indexes.len() <= MAX_CANDIDATES
    }

    fn contains(&self, index: usize) -> bool {
        self.indexes.binary_search(&index).is_ok()
    }

    /// Returns the achievements; of a large group more than a line may have, but not all.
    fn members(&self) -> Vec<usize> {
        self.indexes.iter().copied().take(MAX_CANDIDATES + 1).collect()
    }

    /// Returns the achievements with one of these reference numbers, like [`Self::members`].
    fn with_references(&self, references: &HashSet<u64>) -> Vec<usize> {
        if self.is_small() {
            let has_reference = |(reference, _): &&(u64, usize)| references.contains(reference);
            return self.by_reference.iter().filter(has_reference).map(|(_, index)| *index).collect();
        }
        let with_reference = |reference: &u64| {
            let start = self.by_reference.partition_point(|(other, _)| other < reference);
            let end = self.by_reference.partition_point(|(other, _)| other <= reference);
            &self.by_reference[start..end]
        };
        references.iter().flat_map(with_reference).map(|(_, index)| *index).take(MAX_CANDIDATES + 1).collect()
    }

    /// Returns the achievements with one of these reference numbers; all if there are no reference numbers. Like [`Self::members`].
    fn narrowed(&self, references: &HashSet<u64>) -> Vec<usize> {
        if references.is_empty() { self.members() } else { self.with_references(references) }
    }
}

/// Collects indexes; `None` if there are too many.
fn bounded(indexes: impl Iterator<Item = usize>) -> Option<BTreeSet<usize>> {
    let mut set = BTreeSet::new();
    for index in indexes {
        set.insert(index);
        if set.len() > MAX_CANDIDATES {
            return None;
        }
    }
    Some(set)
}

fn is_distinctive(field: &str) -> bool {
    field.chars().count() >= DISTINCTIVE_LENGTH
}

fn looks_like_uln(field: &str) -> bool {
    field.len() == 10 && field.bytes().all(|byte| byte.is_ascii_digit())
}
