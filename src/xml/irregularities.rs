//! What a reader passed over: it costs less than the document, but operators should know of it.

use std::collections::BTreeSet;

/// Maximum number of names of unknown elements that one document adds. A sender chooses the names, so their number needs a limit.
const MAX_UNKNOWN_ELEMENTS: usize = 32;
/// Maximum length in bytes of such a name.
const MAX_NAME_BYTES: usize = 64;

/// Stands for the names of unknown elements that are too long, not made of ASCII letters, digits, `_`, `-` and `.`, or too many.
pub const OTHER_ELEMENT: &str = "other";

/// What a reader passed over in a document.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Irregularities {
    /// The number of references to characters that XML does not allow. Each was read as U+FFFD.
    pub replaced_characters: u64,
    /// The names of elements whose value was left out because it is not of the expected kind.
    pub lost_values: BTreeSet<&'static str>,
    /// The names of elements that their record does not know.
    pub unknown_elements: BTreeSet<String>,
}

impl Irregularities {
    pub(super) const fn new() -> Self {
        Self { replaced_characters: 0, lost_values: BTreeSet::new(), unknown_elements: BTreeSet::new() }
    }

    /// Returns `true` if the reader passed over nothing.
    pub fn is_empty(&self) -> bool {
        self.replaced_characters == 0 && self.lost_values.is_empty() && self.unknown_elements.is_empty()
    }

    pub(super) fn add_lost_value(&mut self, name: &'static str) {
        self.lost_values.insert(name);
    }

    pub(super) fn add_unknown_element(&mut self, name: &str) {
        if self.unknown_elements.contains(name) {
            return;
        }
        let has_space = self.unknown_elements.len() < MAX_UNKNOWN_ELEMENTS;
        let name = if has_space && is_plain_name(name) { name } else { OTHER_ELEMENT };
        self.unknown_elements.insert(name.to_owned());
    }
}

fn is_plain_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts_well && name.len() <= MAX_NAME_BYTES && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_element_name_is_kept_only_if_plain_and_short() {
        for (name, kept) in [
            ("ConsentDate", "ConsentDate"),
            ("_a-b.c1", "_a-b.c1"),
            ("1st", OTHER_ELEMENT),
            ("Größe", OTHER_ELEMENT),
            ("", OTHER_ELEMENT),
            (&*"x".repeat(64), &*"x".repeat(64)),
            (&*"x".repeat(65), OTHER_ELEMENT),
        ] {
            let mut irregularities = Irregularities::default();
            irregularities.add_unknown_element(name);
            assert_eq!(irregularities.unknown_elements, BTreeSet::from([kept.to_owned()]), "{name}");
        }
    }

    #[test]
    fn unknown_elements_of_one_document_are_limited() {
        let mut irregularities = Irregularities::default();
        for number in 0..1000 {
            irregularities.add_unknown_element(&format!("Element{number}"));
        }
        assert_eq!(irregularities.unknown_elements.len(), MAX_UNKNOWN_ELEMENTS + 1);
        assert!(irregularities.unknown_elements.contains(OTHER_ELEMENT));
    }
}
