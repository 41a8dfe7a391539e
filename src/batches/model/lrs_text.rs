//! Texts from LRS as a part stores them: codes, and words for the state of a job.

use serde::{Deserialize, Serialize};

/// Maximum length of a text from LRS, in characters.
const MAX_CHARS: usize = 64;

/// A text from LRS. Parts are not encrypted. So a text that could be personal data is encrypted separately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LrsText {
    /// The text, which has the form of a code or of a word.
    Plain(String),
    /// Any other text.
    Sealed {
        /// The encrypted text, in base64.
        sealed: String,
    },
}

impl LrsText {
    /// Returns the text unless it is encrypted. Only such a text may be logged.
    pub fn plain(&self) -> Option<&str> {
        match self {
            Self::Plain(text) => Some(text),
            Self::Sealed { .. } => None,
        }
    }
}

/// Returns a text from LRS without control characters and surrounding spaces, and not longer than 64 characters; `None` if nothing is left.
pub fn bounded_text(text: &str) -> Option<String> {
    let printable: String = text.chars().filter(|character| !character.is_control()).collect();
    let bounded: String = printable.trim().chars().take(MAX_CHARS).collect();
    Some(bounded.trim_end().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lrs_text_bounded_has_no_control_characters_and_at_most_64_characters() {
        assert_eq!(bounded_text(" B-17/é \u{1f}x\n").as_deref(), Some("B-17/é x"));
        assert_eq!(bounded_text(&"é".repeat(70)), Some("é".repeat(64)));
        for empty in ["", " \n", "\u{0}\u{7f}"] {
            assert_eq!(bounded_text(empty), None, "{empty:?}");
        }
    }

    #[test]
    fn lrs_text_stored_by_an_earlier_version_is_plain() {
        let plain: LrsText = serde_json::from_str("\"WSRC0008\"").expect("a text");
        assert_eq!(plain.plain(), Some("WSRC0008"));
        assert_eq!(serde_json::to_string(&plain).expect("JSON"), "\"WSRC0008\"");
        let sealed = LrsText::Sealed { sealed: "AQID".to_owned() };
        assert_eq!(serde_json::from_str::<LrsText>(&serde_json::to_string(&sealed).expect("JSON")).expect("a text"), sealed);
        assert_eq!(sealed.plain(), None);
    }
}
