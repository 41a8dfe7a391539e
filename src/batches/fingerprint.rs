//! Fingerprints: the data that stays of a record after LRS has accepted it and the record itself has been deleted.

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::domain::Personal;

/// Index of the hash that identifies the person: names and date of birth, or ULN and names.
pub const PERSON: usize = 0;

/// The fingerprint of a record: the caller's identifier and hashes of the fields that LRS repeats in its results.
///
/// Stored as JSON, with short names because a batch has up to 100,000 fingerprints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordFingerprint {
    /// The caller's identifier of the record.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub mis_identifier: Option<Personal<String>>,
    /// Hashes, in the order that the kind of batch defines.
    #[serde(rename = "k")]
    hashes: Vec<Personal<u64>>,
    /// `true` if the record was sent with a ULN.
    #[serde(rename = "u", default, skip_serializing_if = "std::ops::Not::not")]
    pub has_uln: bool,
}

impl RecordFingerprint {
    /// Creates the fingerprint of a record without a ULN. An empty identifier counts as none.
    pub fn new(mis_identifier: Option<&str>, hashes: impl IntoIterator<Item = u64>) -> Self {
        let mis_identifier = mis_identifier.filter(|text| !text.is_empty()).map(|text| Personal::new(text.to_owned()));
        Self { mis_identifier, hashes: hashes.into_iter().map(Personal::new).collect(), has_uln: false }
    }

    /// Sets whether the record was sent with a ULN.
    #[must_use]
    pub fn with_uln(self, has_uln: bool) -> Self {
        Self { has_uln, ..self }
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
    pub fn hashes(&self) -> &[Personal<u64>] {
        &self.hashes
    }
}

/// Hashes texts, ignoring case and surrounding spaces: the first 64 bits of SHA-256.
pub fn hash_texts(texts: &[&str]) -> u64 {
    let folded: Vec<String> = texts.iter().map(|text| text.trim().to_lowercase()).collect();
    let hash = digest(&SHA256, folded.join("\n").as_bytes());
    hash.as_ref().iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_json_is_short_and_round_trips() {
        let fingerprint = RecordFingerprint::new(Some("STU-17"), [1, 2]).with_uln(true);
        let json = serde_json::to_string(&fingerprint).expect("JSON");
        assert_eq!(json, r#"{"m":"STU-17","k":[1,2],"u":true}"#);
        assert_eq!(serde_json::from_str::<RecordFingerprint>(&json).expect("a fingerprint"), fingerprint);
        assert_eq!(serde_json::to_string(&RecordFingerprint::new(None, [1])).expect("JSON"), r#"{"k":[1]}"#);
        assert!(!format!("{fingerprint:?}").contains("STU"));
    }
}
