//! Warnings about records that a batch has twice. LRS would process both.
//!
//! The gateway compares keyed hashes of 64 bits. So it keeps no texts, and callers cannot choose texts with equal hashes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState};

use crate::domain::Uln;
use crate::schema::Hint;
use crate::schema::deserialize::DeserializeContext;

/// Maximum number of different texts that are remembered, in a few megabytes. Later records are compared with these only.
const MAX_REMEMBERED: usize = 100_000;

/// Number of records for which there is room from the start: those of an LRS job of learners.
const EXPECTED_RECORDS: usize = 200;

/// Two records have the same identifier.
const IDENTIFIER: Hint = Hint {
    code: "duplicate_mis_identifier",
    detail: "the batch has this misIdentifier twice, so it does not distinguish the results: correct it, or leave one of the records out",
};
/// Two learners have the same ULN.
const DUPLICATE_ULN: Hint = Hint {
    code: "duplicate_uln",
    detail: "the batch has this ULN twice, although a ULN belongs to one learner: correct it, or leave one of the learners out",
};
/// Two achievements are the same.
pub const DUPLICATE_ACHIEVEMENT: Hint = Hint {
    code: "duplicate_achievement",
    detail: "the batch has an achievement with the same ULN, qualification, award date, provider and action twice, and LRS may process both: \
             correct it, or leave one of them out",
};

/// What a record is about.
pub struct Subject<'a> {
    /// The field that a warning is about.
    pub field: &'static str,
    /// The warning about a second record with the same texts.
    pub hint: &'static Hint,
    /// The texts that are compared; those at the end may be empty.
    pub texts: [Cow<'a, str>; 5],
}

impl<'a> Subject<'a> {
    /// Returns the subject of a record about the learner with this ULN.
    pub fn of_uln(uln: &'a Uln) -> Self {
        let texts = [Cow::Borrowed(uln.as_str()), Cow::default(), Cow::default(), Cow::default(), Cow::default()];
        Self { field: "uln", hint: &DUPLICATE_ULN, texts }
    }
}

/// The position of the first record with each hash.
type Positions = HashMap<u64, u32, BuildHasherDefault<KeyedHash>>;

/// Takes a key for its hash: the keys are keyed hashes already.
#[derive(Default)]
struct KeyedHash(u64);

impl Hasher for KeyedHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
}

/// The records of a batch so far, by the hashes of their identifiers and subjects. Each has the position of the first such record.
pub struct Duplicates {
    random_state: RandomState,
    identifiers: Positions,
    subjects: Positions,
}

impl Default for Duplicates {
    fn default() -> Self {
        let positions = || Positions::with_capacity_and_hasher(EXPECTED_RECORDS, BuildHasherDefault::default());
        Self { random_state: RandomState::new(), identifiers: positions(), subjects: positions() }
    }
}

impl Duplicates {
    /// Remembers a record. Warns if an earlier one has the same identifier or subject.
    pub fn add(&mut self, position: u32, identifier: Option<&str>, subject: Option<&Subject<'_>>, context: &mut DeserializeContext) {
        if let Some(first) = identifier.and_then(|text| remember(&mut self.identifiers, self.random_state.hash_one(text), position)) {
            warn("misIdentifier", &IDENTIFIER, first, context);
        }
        if let Some(subject) = subject
            && let Some(first) = remember(&mut self.subjects, self.random_state.hash_one(&subject.texts), position)
        {
            warn(subject.field, subject.hint, first, context);
        }
    }
}

/// Returns the position of the first record with this hash, if there is one; otherwise remembers this record as the first.
fn remember(seen: &mut Positions, hash: u64, position: u32) -> Option<u32> {
    let first = seen.get(&hash).copied();
    if first.is_none() && seen.len() < MAX_REMEMBERED {
        seen.insert(hash, position);
    }
    first
}

#[cold]
fn warn(field: &'static str, hint: &'static Hint, first: u32, context: &mut DeserializeContext) {
    context.add_warning_about(field, hint, || format!("{}. The first such record has the position {first}.", hint.detail));
}
