//! The details of a learner as texts. What is not changed is written back exactly as LRS sent it, also if the gateway would not accept it.

use std::ops::Range;

use crate::domain::{Date, FromLrs as _, LearnerDetails, Personal, look_alike};
use crate::xml::{FieldMapping, FieldOrder, XmlError, XmlNode, XmlReader, XmlRecord, XmlWriter};

/// The details that are codes and dates. White space around them has no meaning (LRS-CONTRACT 8.1).
const CODES_AND_DATES: [&str; 5] = ["DateOfAddressCapture", "DateOfBirth", "Gender", "VerificationType", "AbilityToShare"];

/// The detail that LRS stores in another form than it was sent.
const POST_CODE: &str = "LastKnownPostCode";

/// The details of a learner as the texts of LRS's elements, by their positions in [`LearnerDetails::FIELDS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetailTexts {
    texts: Vec<Option<Personal<String>>>,
    /// Details that have content which is not text.
    unreadable: Vec<usize>,
}

impl DetailTexts {
    /// Returns the details that have a text.
    pub fn present(&self) -> impl Iterator<Item = (usize, &str)> {
        self.texts.iter().enumerate().filter_map(|(position, text)| Some((position, text.as_ref()?.reveal().as_str())))
    }

    /// Returns the positions of the details that cannot be written back.
    pub(super) fn unreadable(&self) -> &[usize] {
        &self.unreadable
    }

    /// Returns the text of a detail; empty if it has no value.
    pub(super) fn text(&self, position: usize) -> &str {
        self.texts[position].as_ref().map_or("", |text| value_of(position, text.reveal()))
    }

    /// Returns the text of the detail with this element.
    pub(super) fn text_of(&self, element: &str) -> &str {
        LearnerDetails::FIELDS.iter().position(|(name, _)| *name == element).map_or("", |position| self.text(position))
    }

    /// Returns `true` if a detail holds this text, apart from differences that have no meaning.
    pub(super) fn holds(&self, position: usize, text: &str) -> bool {
        let held = self.text(position);
        !self.unreadable.contains(&position) && (is_same(position, held, text) || is_same(position, &look_alike::normalised(held), text))
    }

    /// Returns `true` if a detail has another value than in `earlier`.
    pub(super) fn differs(&self, position: usize, earlier: &Self) -> bool {
        !is_same(position, self.text(position), earlier.text(position))
    }

    /// Gives a detail a new text; an empty one clears it. A text that the detail holds already stays as LRS sent it.
    pub(super) fn change(&mut self, position: usize, text: String) {
        if !self.holds(position, &text) {
            self.texts[position] = Some(Personal::new(text));
        }
        self.unreadable.retain(|unreadable| *unreadable != position);
    }

    /// Removes empty texts: LRS writes an empty element for a detail without a value.
    pub(super) fn remove_empty(&mut self) {
        for text in &mut self.texts {
            text.take_if(|text| text.reveal().is_empty());
        }
    }

    /// Marks the texts with U+FFFD as unreadable: it stands for a character that XML does not allow.
    pub(super) fn mark_replaced_characters(&mut self) {
        let replaced: Vec<_> = self.present().filter(|(_, text)| text.contains('\u{FFFD}')).map(|(position, _)| position).collect();
        self.unreadable.extend(replaced);
    }
}

/// Returns a detail's text, without white space around codes and dates; empty if it means “no value”.
fn value_of(position: usize, text: &str) -> &str {
    match LearnerDetails::FIELDS[position].0 {
        "DateOfAddressCapture" if Date::means_no_value(text) => "",
        element if CODES_AND_DATES.contains(&element) => text.trim(),
        _ => text,
    }
}

/// Returns `true` if two texts of a detail are the same value. LRS writes postcodes in capitals and with a space.
fn is_same(position: usize, left: &str, right: &str) -> bool {
    let letters = |text: &str| text.replace(char::is_whitespace, "").to_uppercase();
    left == right || (LearnerDetails::FIELDS[position].0 == POST_CODE && letters(left) == letters(right))
}

impl XmlRecord for DetailTexts {
    const FIELDS: FieldMapping = LearnerDetails::FIELDS;

    fn read(reader: &mut XmlReader<'_>) -> Result<Self, XmlError> {
        let mut details = Self { texts: vec![None; Self::FIELDS.len()], unreadable: Vec::new() };
        let mut fields = FieldOrder::new(Self::FIELDS);
        while let XmlNode::Element(start) = reader.next_node()? {
            match fields.position(start.name()) {
                Some(position) => match reader.text_if_simple()? {
                    Some(text) => details.texts[position] = Some(Personal::new(text.into_owned())),
                    None => details.unreadable.push(position),
                },
                None => reader.skip()?,
            }
        }
        Ok(details)
    }

    fn write_fields(&self, fields: Range<usize>, writer: &mut XmlWriter) {
        for position in fields {
            // A detail without a value is left out. One that is cleared is written as an empty element: it is not public whether LRS keeps or
            // clears a detail that is left out (LRS-CONTRACT 2.7).
            let is_absent = |text: &str| !text.is_empty() && value_of(position, text).is_empty();
            if let Some(text) = self.texts.get(position).and_then(Option::as_ref).filter(|text| !is_absent(text.reveal())) {
                writer.value(Self::FIELDS[position].0, text);
            }
        }
    }
}
