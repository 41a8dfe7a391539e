//! Fingerprints: the data that stays of a record after LRS has accepted it and the record itself has been deleted.

use aws_lc_rs::digest::{SHA256, digest};
use serde::Deserialize;

use crate::domain::{NEEDED_FOR_A_ULN, Personal};

/// Index of the hash that identifies the person: names and date of birth, or ULN and names.
pub const PERSON: usize = 0;

/// Start of a stored list of fingerprints, which no JSON has.
pub const LIST_START: &[u8] = &[2];
/// Flag of a record that was sent with a ULN. Such a record has no other flag: earlier versions compare the flags with this one.
const HAS_ULN: u8 = 1;
/// Position of the first flag of a field that a record without a ULN lacks.
const LACKS_SHIFT: u8 = 1;
/// Number of hashes of a fingerprint.
const HASH_COUNT: usize = 2;

/// The fingerprint of a record: the caller's identifier and hashes of the fields that LRS repeats in its results.
///
/// `serde` reads the JSON of earlier versions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RecordFingerprint {
    /// The caller's identifier of the record.
    #[serde(rename = "m", default)]
    pub mis_identifier: Option<Personal<String>>,
    /// Hashes, in the order that the kind of batch defines.
    #[serde(rename = "k")]
    hashes: [Personal<u64>; HASH_COUNT],
    /// `true` if the record was sent with a ULN.
    #[serde(rename = "u", default)]
    pub has_uln: bool,
    /// Whether the record lacks each field that LRS may need for a ULN. Not known of a record with a ULN.
    #[serde(skip)]
    pub lacks: [bool; NEEDED_FOR_A_ULN.len()],
}

impl RecordFingerprint {
    /// Creates the fingerprint of a record without a ULN. An empty identifier counts as none.
    pub fn new(mis_identifier: Option<&str>, hashes: [u64; HASH_COUNT]) -> Self {
        let mis_identifier = mis_identifier.filter(|text| !text.is_empty()).map(|text| Personal::new(text.to_owned()));
        Self { mis_identifier, hashes: hashes.map(Personal::new), has_uln: false, lacks: Default::default() }
    }

    /// Sets whether the record was sent with a ULN.
    #[must_use]
    pub fn with_uln(self, has_uln: bool) -> Self {
        Self { has_uln, ..self }
    }

    /// Sets which of the fields that LRS may need for a ULN the record lacks.
    #[must_use]
    pub fn with_lacking_fields(self, lacks: [bool; NEEDED_FOR_A_ULN.len()]) -> Self {
        Self { lacks: if self.has_uln { Default::default() } else { lacks }, ..self }
    }

    /// Returns the caller's identifier without surrounding spaces, which some systems remove; `None` if it is blank.
    pub fn trimmed_identifier(&self) -> Option<&str> {
        self.mis_identifier.as_ref().map(|text| text.reveal().trim()).filter(|text| !text.is_empty())
    }

    /// Returns the hash at this index.
    pub fn hash(&self, index: usize) -> Option<u64> {
        self.hashes.get(index).map(|hash| *hash.reveal())
    }

    /// Returns all hashes.
    pub const fn hashes(&self) -> &[Personal<u64>; HASH_COUNT] {
        &self.hashes
    }
}

/// Texts that are hashed without regard to case and surrounding spaces.
pub struct HashedTexts(String);

/// No texts.
impl Default for HashedTexts {
    fn default() -> Self {
        // Enough for the texts of most learners.
        Self(String::with_capacity(256))
    }
}

impl HashedTexts {
    /// Appends a text.
    #[must_use]
    pub fn with(mut self, text: &str) -> Self {
        let (start, text) = (self.0.len(), text.trim());
        if text.is_ascii() {
            self.0.push_str(text);
            self.0[start..].make_ascii_lowercase();
        } else {
            self.0.push_str(&text.to_lowercase());
        }
        self.0.push('\n');
        self
    }

    /// Appends texts.
    #[must_use]
    pub fn with_all<T: AsRef<str>>(self, texts: &[T]) -> Self {
        texts.iter().fold(self, |hashed, text| hashed.with(text.as_ref()))
    }

    /// Returns the first 64 bits of the SHA-256 hash of the texts so far, separated by line breaks.
    pub fn hash(&self) -> u64 {
        let hash = digest(&SHA256, self.0.strip_suffix('\n').unwrap_or_default().as_bytes());
        hash.as_ref().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }
}

/// Hashes texts, ignoring case and surrounding spaces.
pub fn hash_texts(texts: &[&str]) -> u64 {
    HashedTexts::default().with_all(texts).hash()
}

/// Appends a fingerprint to a stored list: the length of the identifier as a little-endian number of 2 bytes, the flags (1 if the record was sent
/// with a ULN, otherwise one bit for each field that it lacks), the hashes, and the identifier.
pub fn append(fingerprint: &RecordFingerprint, list: &mut Vec<u8>) {
    let identifier = fingerprint.mis_identifier.as_ref().map_or("", |text| text.reveal());
    // An identifier has at most 128 characters.
    let length = u16::try_from(identifier.len()).unwrap_or(u16::MAX);
    list.extend_from_slice(&length.to_le_bytes());
    let lacking = (LACKS_SHIFT..).zip(fingerprint.lacks).fold(0, |flags, (shift, lacks)| flags | u8::from(lacks) << shift);
    list.push(if fingerprint.has_uln { HAS_ULN } else { lacking });
    for hash in &fingerprint.hashes {
        list.extend_from_slice(&hash.reveal().to_be_bytes());
    }
    list.extend_from_slice(&identifier.as_bytes()[..usize::from(length)]);
}

/// Reads a stored list, also one of an earlier version, which is JSON; `None` if it is neither.
pub fn read_list(list: &[u8]) -> Option<Vec<RecordFingerprint>> {
    let Some(mut rest) = list.strip_prefix(LIST_START) else { return serde_json::from_slice(list).ok() };
    let mut fingerprints = Vec::new();
    while !rest.is_empty() {
        fingerprints.push(take(&mut rest)?);
    }
    Some(fingerprints)
}

fn take(list: &mut &[u8]) -> Option<RecordFingerprint> {
    let (length, rest) = list.split_first_chunk()?;
    let ([flags], rest) = rest.split_first_chunk()?;
    let (hashes, rest) = rest.split_first_chunk::<{ HASH_COUNT * 8 }>()?;
    let (identifier, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
    *list = rest;
    let (hashes, _) = hashes.as_chunks();
    let hashes = [hashes.first()?, hashes.last()?].map(|bytes| u64::from_be_bytes(*bytes));
    let identifier = std::str::from_utf8(identifier).ok()?;
    let lacks = std::array::from_fn(|index| (usize::from(*flags) >> (index + usize::from(LACKS_SHIFT))) & 1 == 1);
    Some(RecordFingerprint::new(Some(identifier), hashes).with_uln(*flags == HAS_ULN).with_lacking_fields(lacks))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprints() -> [RecordFingerprint; 3] {
        let with_uln = RecordFingerprint::new(Some("STU-17"), [1, 2]).with_uln(true);
        let lacking = RecordFingerprint::new(Some(&"ż".repeat(128)), [3, 4]).with_lacking_fields([true, false, true, false, true]);
        [with_uln, RecordFingerprint::new(None, [u64::MAX, 0]), lacking]
    }

    #[test]
    fn fingerprint_list_is_read_as_it_was_written() {
        let mut list = LIST_START.to_vec();
        assert_eq!(read_list(&list), Some(Vec::new()));
        for fingerprint in fingerprints() {
            append(&fingerprint, &mut list);
        }
        assert_eq!(read_list(&list).as_deref(), Some(&fingerprints()[..]));
        for length in [0, 2, 20, list.len() - 1] {
            assert_eq!(read_list(&list[..length]), None, "{length} bytes");
        }
        assert!(!format!("{:?}", fingerprints()).contains("STU"));
    }

    #[test]
    fn fingerprint_list_of_an_earlier_version_is_read() {
        let json = br#"[{"m":"STU-17","k":[1,2],"u":true},{"k":[18446744073709551615,0]}]"#;
        assert_eq!(read_list(json).as_deref(), Some(&fingerprints()[..2]));
        assert_eq!(read_list(b"[]"), Some(Vec::new()));
    }

    #[test]
    fn hash_of_texts_ignores_case_and_surrounding_spaces() {
        // Earlier versions stored these values.
        assert_eq!(hash_texts(&["Zebedee", " QUILLFEATHER ", "2003-04-05"]), 14_846_936_579_479_423_426);
        assert_eq!(hash_texts(&["\u{a0}ZO\u{CB} ", "\u{39F}\u{3A3}"]), hash_texts(&["zo\u{EB}", "\u{3BF}\u{3C2}"]));
        assert_ne!(hash_texts(&["a", "b"]), hash_texts(&["a b"]));
        assert_eq!(hash_texts(&[""]), hash_texts(&[" "]));
    }
}
